//! Cuts a byte stream into frames, once for everyone. Pure: no I/O, and no clock of its own.
//!
//! A new framing is a file here that implements [`Framer`], and a line of [`FRAMINGS`].

mod cobs;
mod cr;
mod crlf;
mod cutter;
mod decoder;
mod delim;
mod gap;
mod headers;
mod json;
mod json_syntax;
mod len;
mod lf;
pub(crate) mod lines;
mod packet;
mod slip;
mod start;
mod suggest;

use std::fmt::{self, Display};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::hub::Data;
use headers::WithHeaders;

/// The framings that users can choose from; the first one is the default.
const FRAMINGS: &[FramingKind] = &[
    lf::LF,
    crlf::CRLF,
    cr::CR,
    delim::DELIM,
    len::LEN,
    gap::GAP,
    start::START,
    slip::SLIP,
    cobs::COBS,
    packet::PACKET,
    json::JSON,
];

/// The silence that no adapter makes by gathering what it receives, if nothing else is known of it.
const GATHERING_SILENCE: Duration = Duration::from_millis(20);

/// Turns the chunks that a device sends into [`Data`]: each chunk with the frames that end in it.
pub trait Framer: Send + Sync {
    /// Starts a new stream. Its first frame counts as whole only if the stream `starts_whole`.
    fn begin(&mut self, starts_whole: bool);

    /// Takes a chunk, which is not empty, and returns it with the frames that it completed.
    fn push(&mut self, chunk: Bytes) -> Data;

    /// Returns true if what comes next may belong to a frame that has begun, or whose beginning was not
    /// seen.
    fn has_begun(&self) -> bool;

    /// Returns when to call [`Framer::on_silence`] if nothing is read after `last_read`; None if
    /// silence tells nothing.
    fn deadline(&self, last_read: Instant) -> Option<Instant> {
        let _ = last_read;
        None
    }

    /// Notes that nothing came until the deadline. Returns the frame that this ends, if any.
    fn on_silence(&mut self) -> Option<Data> {
        None
    }

    /// Ends the current frame, because the stream has ended. Returns it with what else was left
    /// unfinished, if anything.
    fn cut(&mut self) -> Option<Data>;

    /// Sets the silence that shows a device to have paused, however its adapter gathers what it
    /// receives.
    fn set_silence(&mut self, silence: Duration) {
        let _ = silence;
    }
}

/// A framing with its parameters, as users choose it by `--frame`.
#[derive(Clone)]
pub struct Framing {
    /// The one way in which it is shown, such as `lf` or `delim:3b`.
    text: String,
    make: Make,
    encode: Option<Encode>,
    /// The last byte of what ends a line of text.
    line_end: Option<u8>,
    /// True if frames are no text.
    is_of_bytes: bool,
}

/// Returns the bytes that a device gets for a frame, or why it cannot get it.
type Encode = Arc<dyn Fn(&[u8]) -> Result<Vec<u8>, String> + Send + Sync>;

/// Makes a framer for a port whose lines are cut at so many bytes.
type Make = Arc<dyn Fn(usize) -> Box<dyn Framer> + Send + Sync>;

/// A kind of framing, as its file defines it.
struct FramingKind {
    /// The way to write it, such as `delim:HEX`. The name ends at the colon.
    usage: &'static str,
    /// Reads what stands after the name and the colon. An error says what was expected.
    parse: fn(&str) -> Result<Framing, String>,
}

impl FramingKind {
    fn name(&self) -> &'static str {
        self.usage
            .split_once(':')
            .map_or(self.usage, |(name, _)| name)
    }
}

impl Framing {
    fn new(
        text: impl Into<String>,
        make: impl Fn(usize) -> Box<dyn Framer> + Send + Sync + 'static,
    ) -> Self {
        Self {
            text: text.into(),
            make: Arc::new(make),
            encode: None,
            line_end: None,
            is_of_bytes: false,
        }
    }

    /// The same, whose lines of text end with this byte.
    fn ends_with(self, line_end: Option<u8>) -> Self {
        Self { line_end, ..self }
    }

    /// The same, whose frames are no text.
    fn of_bytes(self) -> Self {
        Self {
            is_of_bytes: true,
            ..self
        }
    }

    /// The same, whose frames are written so.
    fn with_encoding(
        self,
        encode: impl Fn(&[u8]) -> Result<Vec<u8>, String> + Send + Sync + 'static,
    ) -> Self {
        let encode: Encode = Arc::new(encode);
        Self {
            encode: Some(encode),
            ..self
        }
    }

    /// Returns a framer that cuts lines longer than `max_line` bytes into pieces.
    pub fn framer(&self, max_line: usize) -> Box<dyn Framer> {
        Box::new(WithHeaders::new((self.make)(max_line)))
    }

    /// Returns the framing for messages that end with these bytes, at least one.
    pub(crate) fn ended_by(end: &[u8]) -> Self {
        match end {
            b"\r" => (cr::CR.parse)(""),
            [carriage_returns @ .., b'\n']
                if carriage_returns.iter().all(|byte| *byte == b'\r') =>
            {
                (lf::LF.parse)("")
            }
            end => Ok(delim::framing(end.to_vec())),
        }
        .expect("they take no parameters")
    }

    /// Returns the last byte of what ends a line; None for a framing without line ends.
    pub(crate) fn line_end(&self) -> Option<u8> {
        self.line_end
    }

    /// Returns true if frames are no text, whatever a device sends.
    pub(crate) fn is_of_bytes(&self) -> bool {
        self.is_of_bytes
    }

    /// Returns the bytes to write for this frame.
    ///
    /// # Errors
    /// The reason why the framing has none.
    pub fn encode(&self, frame: &[u8]) -> Result<Vec<u8>, String> {
        match &self.encode {
            Some(encode) => encode(frame),
            None => Err("silence ends a frame, which no bytes can; write it as bytes".to_owned()),
        }
    }

    /// Returns the ways to write a framing, for an error message.
    fn usages() -> String {
        let usages: Vec<_> = FRAMINGS.iter().map(|framing| framing.usage).collect();
        match &usages[..] {
            [usages @ .., last] => format!("{} or {last}", usages.join(", ")),
            [] => String::new(),
        }
    }
}

impl FromStr for Framing {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, parameters) = text.split_once(':').unwrap_or((text, ""));
        let mut framings = FRAMINGS.iter();
        let named = framings.find(|framing| framing.name() == name);
        let has_room = |framing: &&FramingKind| framing.name() != framing.usage || text == name;
        match named.filter(has_room) {
            Some(framing) => (framing.parse)(parameters),
            None if delim::is_hex(text) => (delim::DELIM.parse)(text),
            None => Err(format!("expected {}", Self::usages())),
        }
        .map_err(|expected| match suggest::meant(text) {
            Some(meant) => format!("{expected}; did you mean `{meant}`?"),
            None => expected,
        })
    }
}

impl Display for Framing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Framing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

#[cfg(test)]
mod frame_tests;
#[cfg(test)]
mod tests;
