//! What a client speaks: how it sees events, and what its messages mean. Pure, no I/O, no clock.

mod json;
mod lines;
mod raw;
mod text;
mod wire;

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use tokio_tungstenite::tungstenite::Message;

use crate::hub::{Action, Event, Kind, Position, Taken, Unit};

pub use json::{ConnectedPort, Hello, Id, ack, error, hello, lease, missed, status};
pub use wire::{frame, ping, pong, text_frame};

/// What a client sees of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// One text message per line.
    Lines,
    /// Binary messages with the bytes exactly.
    Raw,
    /// Text messages with the bytes as text, no character split.
    Text,
    /// Objects with numbers, times and status, for lines or for chunks of bytes.
    Json(Unit),
}

/// Which part of an event a client gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All but so many lines and bytes at the beginning.
    After(Position),
    /// The newest frame only.
    Newest,
}

/// The ending that is added to a text message which lacks one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// What a client's message asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// Something of the port; the identifier comes back with the answer.
    Action(Action, Option<Id>),
    /// Nothing that is known.
    Nothing,
    /// It has a mistake, and the client is told.
    Mistake(String, Option<Id>),
}

impl View {
    /// The name in queries and flags.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lines => "lines",
            Self::Raw => "raw",
            Self::Text => "text",
            Self::Json(_) => "json",
        }
    }

    /// What the client's place in the stream is counted in.
    pub fn unit(self) -> Unit {
        match self {
            Self::Lines | Self::Json(Unit::Lines) => Unit::Lines,
            Self::Raw | Self::Text | Self::Json(Unit::Bytes) => Unit::Bytes,
        }
    }

    /// An event that was taken from the hub, as WebSocket frames; empty if it has nothing for
    /// this view. Whole events are encoded once for all clients.
    pub fn encode(self, taken: &Taken) -> Bytes {
        if taken.had == Position::default() {
            if self.is_blank(&taken.event) {
                return Bytes::new();
            }
            return taken.event.encoding(self.slot(), || {
                self.encode_part(&taken.event, Part::After(Position::default()))
            });
        }
        self.encode_part(&taken.event, Part::After(taken.had))
    }

    /// A part of an event as WebSocket frames.
    pub fn encode_part(self, event: &Event, part: Part) -> Bytes {
        let mut out = Vec::new();
        match (&event.kind, self) {
            (Kind::Data(data), Self::Lines) => lines::encode(data, part, &mut out),
            (Kind::Data(data), Self::Raw) => raw::encode(data, part, &mut out),
            (Kind::Data(data), Self::Text) => text::encode(data, part, &mut out),
            (Kind::Data(data), Self::Json(Unit::Lines)) => {
                json::encode_lines(event, data, part, &mut out);
            }
            (Kind::Data(data), Self::Json(Unit::Bytes)) => {
                json::encode_chunk(event, data, part, &mut out);
            }
            (Kind::Status(status), Self::Json(_)) => wire::text(json::status(status), &mut out),
            (Kind::Status(_) | Kind::Written(_), _) => {}
        }
        out.into()
    }

    /// What a client's message asks for. Pings and the like are not messages in this sense.
    pub fn decode(self, message: Message, append: LineEnding) -> Input {
        match (self, message) {
            (Self::Json(_), Message::Text(text)) => json::decode(&text, append),
            (Self::Json(_), Message::Binary(_)) => Input::Mistake(
                "the json view takes text messages, one object each".into(),
                None,
            ),
            (_, Message::Text(text)) => {
                Input::Action(Action::Write(append.complete(text.into())), None)
            }
            (_, Message::Binary(bytes)) => Input::Action(Action::Write(bytes), None),
            _ => Input::Nothing,
        }
    }

    /// Whether there is certainly nothing of this event for this view.
    pub fn is_blank(self, event: &Event) -> bool {
        match &event.kind {
            Kind::Data(data) if self.unit() == Unit::Lines => data.frames.is_empty(),
            Kind::Data(data) => data.chunk.is_empty() && self != Self::Text,
            Kind::Status(_) => !matches!(self, Self::Json(_)),
            Kind::Written(_) => true,
        }
    }

    fn slot(self) -> usize {
        match self {
            Self::Lines => 0,
            Self::Raw => 1,
            Self::Text => 2,
            Self::Json(Unit::Lines) => 3,
            Self::Json(Unit::Bytes) => 4,
        }
    }
}

impl FromStr for View {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "lines" => Ok(Self::Lines),
            "raw" => Ok(Self::Raw),
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json(Unit::Lines)),
            _ => Err("there are the views lines, raw, text and json".into()),
        }
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl LineEnding {
    /// Returns its name in queries and flags.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Lf => "lf",
            Self::Crlf => "crlf",
            Self::Cr => "cr",
        }
    }

    /// The bytes to add.
    pub(crate) fn bytes(self) -> &'static [u8] {
        match self {
            Self::None => b"",
            Self::Lf => b"\n",
            Self::Crlf => b"\r\n",
            Self::Cr => b"\r",
        }
    }

    /// `text` with this ending, if it lacks a line end.
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
        match name {
            "none" => Ok(Self::None),
            "lf" => Ok(Self::Lf),
            "crlf" => Ok(Self::Crlf),
            "cr" => Ok(Self::Cr),
            _ => Err("append is none, lf, crlf or cr".to_owned()),
        }
    }
}

/// How many lines and bytes at the beginning of an event a part leaves out, and whether it is
/// only the newest.
impl Part {
    fn lines_to_skip(self, lines: usize) -> usize {
        match self {
            Self::After(had) => had.line.min(lines as u64) as usize,
            Self::Newest => lines.saturating_sub(1),
        }
    }

    fn bytes_to_skip(self, bytes: usize) -> usize {
        match self {
            Self::After(had) => had.offset.min(bytes as u64) as usize,
            Self::Newest => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_ending(ending: LineEnding, text: &'static str, expected: &str) {
        assert_eq!(
            ending.complete(Bytes::from_static(text.as_bytes())),
            expected
        );
    }

    #[test]
    fn an_ending_is_added_where_it_is_missing() {
        check_ending(LineEnding::None, "H", "H");
        check_ending(LineEnding::Lf, "H", "H\n");
        check_ending(LineEnding::Lf, "H\n", "H\n");
        check_ending(LineEnding::Crlf, "H", "H\r\n");
        check_ending(LineEnding::Crlf, "H\n", "H\n");
        check_ending(LineEnding::Cr, "H\r", "H\r");
        check_ending(LineEnding::Lf, "", "\n");
    }

    #[test]
    fn a_text_message_is_its_bytes_and_the_ending() {
        let decoded = View::Lines.decode(Message::text("é"), LineEnding::Lf);
        let expected = Action::Write(Bytes::from_static("é\n".as_bytes()));
        assert_eq!(decoded, Input::Action(expected, None));
    }

    #[test]
    fn a_binary_message_is_its_bytes_exactly() {
        let decoded = View::Raw.decode(Message::binary(vec![0, 255]), LineEnding::Lf);
        assert_eq!(
            decoded,
            Input::Action(Action::Write(Bytes::from_static(&[0, 255])), None)
        );
    }
}
