//! Views: pure functions from a port's events to payloads, which are text or bytes. They do no
//! I/O, read no clock, and do not know how payloads travel: as WebSocket frames or otherwise.
//!
//! A view is one file and one line of the list below.

mod frames;
mod json;
mod line_ending;
mod lines;
mod raw;
mod text;
mod values;

use std::str::FromStr;

use crate::hub::{Data, Event, Frame, Kind, Position, StreamItem, Unit};

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
    /// The same, with the values of each line.
    JsonLinesWithValues = json::LINES_WITH_VALUES,
    /// The same, one per chunk of bytes.
    JsonChunks = json::CHUNKS,
    /// The same, with everything that one chunk of bytes completes, for another serial-ws.
    JsonAll = json::ALL,
    /// The numbers of each line that has any.
    Values = values::VALUES,
    /// One binary message per whole frame.
    Frames = frames::FRAMES,
}

/// A view, as its file defines it.
struct Definition {
    /// The name in queries and flags.
    name: &'static str,
    /// The items that it delivers, which is what `history` and `latest` count.
    item: StreamItem,
    /// True if it shows changes of status, and what was written.
    has_statuses: bool,
    /// Passes each payload of an event on, in order.
    encode: fn(&Event, Part, &mut PayloadSink<'_>),
}

/// The content of one message to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload<'a> {
    /// Text; always valid UTF-8, in bytes because most of it was checked when it was read.
    Text(&'a [u8]),
    /// Bytes.
    Binary(&'a [u8]),
}

/// Takes the payloads of an event one by one, each with the place in the stream that it ends at,
/// counted in the unit of the view.
pub type PayloadSink<'a> = dyn FnMut(Payload<'_>, u64) + 'a;

/// The part of an event that a client gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All but so many lines and bytes at the beginning.
    After(Position),
    /// The newest line only.
    Newest,
}

impl View {
    /// Returns the name in queries and flags.
    pub fn name(self) -> &'static str {
        self.definition().name
    }

    /// Returns the items that this view delivers.
    pub fn item(self) -> StreamItem {
        self.definition().item
    }

    /// Returns the unit in which the client's place in the stream is counted.
    pub fn unit(self) -> Unit {
        self.item().unit()
    }

    /// Passes each payload of a part of an event to `sink`, in order.
    pub fn encode(self, event: &Event, part: Part, sink: &mut PayloadSink<'_>) {
        (self.definition().encode)(event, part, sink);
    }

    /// Returns true if there is no payload in this event.
    pub fn is_blank(self, event: &Event) -> bool {
        match &event.kind {
            Kind::Data(data) => !self.item().is_in(data),
            // Who gets the bytes that were written has asked for them.
            Kind::Status(_) | Kind::Written(_) => !self.definition().has_statuses,
            Kind::Note(_) => true,
        }
    }

    /// Returns the part of this event that may take the place of all before it: its newest line, or
    /// its chunk.
    pub fn newest(self, event: &Event) -> Option<Part> {
        let Kind::Data(data) = &event.kind else {
            return None;
        };
        let (is_there, is_all) = match self.unit() {
            Unit::Lines => (self.item().newest(data).is_some(), data.frames.len() == 1),
            // The end of the stream may complete a character, but is no chunk.
            Unit::Bytes => (!data.chunk.is_empty() && self.item().is_in(data), true),
        };
        let part = if is_all { Part::WHOLE } else { Part::Newest };
        is_there.then_some(part)
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

    /// Returns the frames in this part that are such items, each with its index among all frames.
    pub(crate) fn frames(
        self,
        item: StreamItem,
        data: &Data,
    ) -> impl Iterator<Item = (usize, Frame<'_>)> {
        let all = data.frames.len();
        let part = match self {
            Self::After(had) => had.line.min(all as u64) as usize..all,
            Self::Newest => item.newest(data).map_or(0..0, |newest| newest..newest + 1),
        };
        let frames = data.frames.iter().enumerate();
        frames
            .take(part.end)
            .skip(part.start)
            .filter(move |(_, frame)| item.includes(frame))
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
mod tests;
