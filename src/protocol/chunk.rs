//! Everything that came with one read, as another serial-ws gets it.

use std::borrow::Cow;
use std::ops::Not;

use serde::{Deserialize, Serialize};

use super::{Base64, Content};
use crate::hub::{self, Timestamp};

/// A place in the stream of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamPlace {
    /// The number of the last line before it.
    pub seq: u64,
    /// The number of bytes before it.
    pub offset: u64,
}

/// Everything that came with one read: the bytes, and the lines that end in them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChunkMessage<'a> {
    /// The place before it.
    #[serde(flatten)]
    pub place: StreamPlace,
    /// The time at which it was read, in seconds since 1970.
    #[serde(with = "super::seconds")]
    pub t: Timestamp,
    /// Its bytes; none where a line was cut off.
    pub bytes: Base64<'a>,
    /// The lines, in order.
    pub lines: Vec<ChunkLine<'a>>,
    /// True if a character that has begun ends here without its last bytes.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub cut: bool,
}

/// A line of a [`ChunkMessage`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChunkLine<'a> {
    /// Its text or bytes.
    #[serde(flatten)]
    pub content: Content<'a>,
    /// True if it is only a part of a line.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub partial: bool,
    /// True if that part is a piece of an overlong line.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub piece: bool,
    /// The header that names its values, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<HeaderMessage<'a>>,
}

/// The names of the columns of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderMessage<'a> {
    /// The character between two columns.
    pub separator: char,
    /// The names.
    pub names: Vec<Cow<'a, str>>,
}

impl<'a> Content<'a> {
    /// Returns a reply as the client takes it.
    pub(crate) fn of_reply(reply: &'a hub::DeviceReply) -> Self {
        let bytes = &reply.bytes[..];
        match str::from_utf8(bytes) {
            Ok(text) if reply.is_text => Self::Text(text.into()),
            _ => Self::Bytes(Base64(bytes.into())),
        }
    }

    /// The text that these bytes are, or else the bytes.
    pub fn of(bytes: &'a [u8]) -> Self {
        match str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.into()),
            Err(_) => Self::Bytes(Base64(bytes.into())),
        }
    }

    /// Returns the bytes of either.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => &bytes.0,
        }
    }
}
