//! Views: pure functions from a port's events to payloads, which are text or bytes. They do no
//! I/O, read no clock, and do not know how payloads travel: as WebSocket frames or otherwise.
//!
//! A view is one file and one line of the list below.

mod json;
mod line_ending;
mod lines;
mod raw;
mod text;

use std::str::FromStr;

use crate::hub::{Event, Position, Unit};

pub use line_ending::LineEnding;

/// Declares the views, each with the definition in its file.
macro_rules! views {
    ($($(#[$doc:meta])* $view:ident = $definition:path,)+) => {
        /// A way to see a port.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum View {
            $($(#[$doc])* $view,)+
        }

        impl View {
            /// All views. Each has the index of its variant.
            pub const ALL: &[Self] = &[$(Self::$view),+];

            fn definition(self) -> &'static Definition {
                match self {
                    $(Self::$view => &$definition,)+
                }
            }
        }
    };
}

views! {
    /// One text message per line.
    Lines = lines::LINES,
    /// Binary messages with the bytes exactly.
    Raw = raw::RAW,
    /// Text messages with the bytes as text, no character split.
    Text = text::TEXT,
    /// Objects with numbers, times and status, one per line.
    JsonLines = json::LINES,
    /// The same, one per chunk of bytes.
    JsonChunks = json::CHUNKS,
}

/// A view, as its file defines it.
struct Definition {
    /// The name in queries and flags.
    name: &'static str,
    /// The unit in which the client's place in the stream is counted.
    unit: Unit,
    /// Passes each payload of an event on, in order.
    encode: fn(&Event, Part, &mut PayloadSink<'_>),
    /// Returns true if an event certainly has no payload. This is asked for many clients, so it
    /// must be cheap.
    is_blank: fn(&Event) -> bool,
}

/// The content of one message to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload<'a> {
    /// Text; always valid UTF-8, in bytes because most of it was checked when it was read.
    Text(&'a [u8]),
    /// Bytes.
    Binary(&'a [u8]),
}

/// Takes the payloads of an event one by one.
pub type PayloadSink<'a> = dyn FnMut(Payload<'_>) + 'a;

/// The part of an event that a client gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All but so many lines and bytes at the beginning.
    After(Position),
    /// The newest frame only.
    Newest,
}

impl View {
    /// Returns the name in queries and flags.
    pub fn name(self) -> &'static str {
        self.definition().name
    }

    /// Returns the unit in which the client's place in the stream is counted.
    pub fn unit(self) -> Unit {
        self.definition().unit
    }

    /// Passes each payload of a part of an event to `sink`, in order.
    pub fn encode(self, event: &Event, part: Part, sink: &mut PayloadSink<'_>) {
        (self.definition().encode)(event, part, sink);
    }

    /// Returns true if there is certainly no payload in this event.
    pub fn is_blank(self, event: &Event) -> bool {
        (self.definition().is_blank)(event)
    }

    /// Returns the names of all views for an error message, such as `lines, raw`.
    pub fn names() -> String {
        let mut names: Vec<_> = Self::ALL.iter().map(|view| view.name()).collect();
        names.dedup();
        names.join(", ")
    }
}

/// The first of several views with one name is what the name alone means.
impl FromStr for View {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().copied().find(|view| view.name() == name);
        found.ok_or_else(|| format!("unknown view (known: {})", Self::names()))
    }
}

impl Part {
    /// The whole event.
    pub const WHOLE: Self = Self::After(Position { line: 0, offset: 0 });

    /// Returns how many of the event's lines this part leaves out at the beginning.
    fn lines_to_skip(self, lines: usize) -> usize {
        match self {
            Self::After(had) => had.line.min(lines as u64) as usize,
            Self::Newest => lines.saturating_sub(1),
        }
    }

    /// Returns how many of the event's bytes this part leaves out at the beginning.
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

    #[test]
    fn a_name_alone_means_lines_where_there_is_a_choice() {
        assert_eq!("json".parse(), Ok(View::JsonLines));
    }
}
