//! The ending that `--append` and `?append=` add to text messages from clients.

use std::fmt::{self, Display};
use std::str::FromStr;

use bytes::Bytes;
use serde::de::IntoDeserializer;
use serde::de::value::Error as ValueError;
use serde::{Deserialize, Serialize};

/// The ending that is added to a text message which lacks one.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LineEnding {
    /// Nothing is added.
    None,
    /// A line feed.
    Lf,
    /// A carriage return and a line feed.
    Crlf,
    /// A carriage return.
    Cr,
}

impl LineEnding {
    /// Returns the name, as in `?append=`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Lf => "lf",
            Self::Crlf => "crlf",
            Self::Cr => "cr",
        }
    }

    /// Returns the bytes to add.
    pub(crate) fn bytes(self) -> &'static [u8] {
        match self {
            Self::None => b"",
            Self::Lf => b"\n",
            Self::Crlf => b"\r\n",
            Self::Cr => b"\r",
        }
    }

    /// Returns `text` with this ending, if it lacks a line end.
    pub fn complete(self, text: Bytes) -> Bytes {
        let ending = self.bytes();
        if text.ends_with(ending) || (self != Self::Cr && text.ends_with(b"\n")) {
            return text;
        }
        Bytes::from([&text[..], ending].concat())
    }
}

impl FromStr for LineEnding {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let name = name.into_deserializer();
        Self::deserialize(name)
            .map_err(|_: ValueError| "append must be none, lf, crlf or cr".to_owned())
    }
}

impl Display for LineEnding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(ending: LineEnding, text: &'static str, expected: &str) {
        assert_eq!(
            ending.complete(Bytes::from_static(text.as_bytes())),
            expected
        );
    }

    #[test]
    fn an_ending_is_added_where_it_is_missing() {
        check(LineEnding::None, "H", "H");
        check(LineEnding::Lf, "H", "H\n");
        check(LineEnding::Lf, "H\n", "H\n");
        check(LineEnding::Crlf, "H", "H\r\n");
        check(LineEnding::Crlf, "H\n", "H\n");
        check(LineEnding::Cr, "H\r", "H\r");
        check(LineEnding::Lf, "", "\n");
    }
}
