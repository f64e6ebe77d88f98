//! Events: chunks of data with the frames that they completed, changes of status, and writes.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;

use super::encodings::{EncodingBudget, EncodingSlot, Encodings};
use super::stream_item::LeftOut;
use super::{IncompleteUtf8, Status, StreamItem};
use crate::values::{Header, HeaderTracker, LineHeaders, LineValues, values};

/// A place in a port's stream, counted from the start of the program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Lines before this place, which is also the number of the last of them.
    pub line: u64,
    /// Bytes before this place.
    pub offset: u64,
}

/// The unit in which a stream is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Whole and partial lines.
    Lines,
    /// Bytes.
    Bytes,
}

impl Position {
    /// This place counted in `unit`.
    pub fn count(self, unit: Unit) -> u64 {
        match unit {
            Unit::Lines => self.line,
            Unit::Bytes => self.offset,
        }
    }

    /// This place with another count in `unit`.
    pub fn with(self, unit: Unit, count: u64) -> Self {
        match unit {
            Unit::Lines => Self {
                line: count,
                ..self
            },
            Unit::Bytes => Self {
                offset: count,
                ..self
            },
        }
    }

    /// Returns true if nothing of what comes before `other` is missing here.
    pub fn reaches(self, other: Self) -> bool {
        self.line >= other.line && self.offset >= other.offset
    }

    /// The distance from `earlier` to this place in each unit; zero where it is not later.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            line: self.line.saturating_sub(earlier.line),
            offset: self.offset.saturating_sub(earlier.offset),
        }
    }
}

/// Wall-clock time in microseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The time now.
    pub fn now() -> Self {
        let since_1970 = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        Self(since_1970.as_micros() as u64)
    }

    /// The time so long before this one.
    pub fn before(self, time: Duration) -> Self {
        Self(self.0.saturating_sub(time.as_micros() as u64))
    }
}

/// Seconds with six decimals, a JSON number.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// One item of a port's ordered stream, shared by all its subscribers.
pub struct Event {
    /// The place in the stream that this event begins at.
    pub before: Position,
    /// The part of the stream before that some views have left out.
    left_out: LeftOut,
    /// The bytes in all [`Kind::Written`] events before.
    pub(super) written_before: u64,
    /// The time of reading, never earlier than that of the event before.
    pub at: Timestamp,
    /// The same moment on the monotonic clock, for ages.
    pub read: Instant,
    /// The kind, with what belongs to it.
    pub kind: Kind,
    encodings: Encodings,
}

/// The kinds of event.
pub enum Kind {
    /// Bytes came from the device.
    Data(Data),
    /// The port's status changed.
    Status(Status),
    /// The system took bytes for the device.
    Written(Written),
    /// A remark in the recording that is the device.
    Note(String),
}

/// Bytes that the system took for the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The bytes, in the order in which the device gets them.
    pub bytes: Bytes,
    /// The client that wrote them, by the number that its requests carry.
    pub client: u64,
    /// The name that the client gave itself.
    pub name: Option<Arc<str>>,
}

impl Event {
    /// An event at a place in the stream and a moment on both clocks. Its encodings count towards
    /// `budget`.
    pub(super) fn new(
        (before, left_out, written_before): (Position, LeftOut, u64),
        (at, read): (Timestamp, Instant),
        kind: Kind,
        budget: EncodingBudget,
    ) -> Self {
        Self {
            before,
            left_out,
            written_before,
            at,
            read,
            kind,
            encodings: Encodings::new(budget),
        }
    }

    /// The place in the stream that this event ends at.
    pub fn after(&self) -> Position {
        match &self.kind {
            Kind::Data(data) => Position {
                line: self.before.line + data.frames.len() as u64,
                offset: self.before.offset + data.chunk.len() as u64,
            },
            Kind::Status(_) | Kind::Written(_) | Kind::Note(_) => self.before,
        }
    }

    /// The bytes in all [`Kind::Written`] events up to its end.
    pub(super) fn written_after(&self) -> u64 {
        match &self.kind {
            Kind::Written(written) => self.written_before + written.bytes.len() as u64,
            Kind::Data(_) | Kind::Status(_) | Kind::Note(_) => self.written_before,
        }
    }

    /// The part of the stream up to its end that some views leave out.
    pub(super) fn left_out_after(&self) -> LeftOut {
        self.left_out.after(&self.kind)
    }

    /// The number of items before this event.
    pub(super) fn items_before(&self, item: StreamItem) -> u64 {
        self.left_out.count(item, self.before)
    }

    /// The place in this event before the item with this number, counted from the start of the
    /// program; its beginning for earlier ones.
    pub(super) fn place_of(&self, item: StreamItem, number: u64) -> Position {
        let Kind::Data(data) = &self.kind else {
            return self.before;
        };
        let nth = number.saturating_sub(self.items_before(item));
        let Position { line, offset } = self.before;
        match item.unit() {
            Unit::Lines => {
                let mut frames = data.frames.iter().enumerate();
                let mut items = frames.by_ref().filter(|(_, frame)| item.includes(frame));
                let index = items.nth(nth as usize).map_or(0, |(index, _)| index);
                self.before.with(Unit::Lines, line + index as u64)
            }
            // Text delivers the bytes of a character that began before this event with this event.
            Unit::Bytes => {
                let number = number + self.left_out.missed(Unit::Bytes);
                self.before.with(Unit::Bytes, number.max(offset))
            }
        }
    }

    /// Returns true for a change of status.
    pub fn is_status(&self) -> bool {
        matches!(self.kind, Kind::Status(_))
    }

    /// The encoding in `slot`, if a subscriber has made it and it is kept.
    pub fn cached(&self, slot: EncodingSlot) -> Option<Bytes> {
        self.encodings.get(slot)
    }

    /// The encoding in `slot` of so many `slots`, which are the same for all of its set: made by the
    /// first subscriber that asks for it, and shared by all as long as there is room to keep it.
    pub fn encoding(
        &self,
        slot: EncodingSlot,
        slots: usize,
        encode: impl FnOnce() -> Bytes,
    ) -> Bytes {
        self.cached(slot).unwrap_or_else(|| {
            let encoding = encode();
            self.encodings.keep(slot, slots, &encoding);
            encoding
        })
    }

    /// Keeps no encodings any more. One that a subscriber is just using stays until it is dropped.
    pub(super) fn give_up_encodings(event: &mut Arc<Self>) {
        event.encodings.close();
        if let Some(event) = Arc::get_mut(event) {
            event.encodings.give_up();
        }
    }

    /// The bytes of memory that this event takes without its encodings.
    pub(super) fn memory_cost(&self) -> usize {
        /// The event itself, its place in the ring and the allocator's overhead for its parts.
        const FIXED: usize = 320;
        FIXED
            + match &self.kind {
                Kind::Data(data) => data.memory(),
                Kind::Status(status) => status.detail.len() + status.hint.len(),
                Kind::Written(written) => written.bytes.len(),
                Kind::Note(text) => text.len(),
            }
    }
}

/// A chunk exactly as it was read, with the frames that it completed.
#[derive(Debug, Default)]
pub struct Data {
    /// The bytes of one read; none where the end of the stream cut a line or a character short.
    pub chunk: Bytes,
    /// The frames that end in this chunk.
    pub frames: Frames,
    /// The beginning of a character that the chunks before this one left unfinished.
    pub split: IncompleteUtf8,
}

impl Data {
    /// Splits off what is more than `max` frames. The chunk goes with the last part.
    pub(super) fn split_off(&mut self, max: usize) -> Option<Self> {
        if self.frames.len() <= max {
            return None;
        }
        let frames = self.frames.split_off(max);
        let first = Self {
            frames: std::mem::take(&mut self.frames),
            ..Self::default()
        };
        Some(Self {
            frames,
            ..std::mem::replace(self, first)
        })
    }

    fn memory(&self) -> usize {
        let pieces = size_of_val(&*self.frames.pieces);
        // Mostly the frames are in the chunk itself.
        let is_shared = self
            .chunk
            .as_ptr_range()
            .contains(&self.frames.text.as_ptr());
        let text = if is_shared { 0 } else { self.frames.text.len() };
        self.chunk.len() + pieces + text + self.frames.headers.memory()
    }

    /// The number of bytes at its end that begin a character without completing it.
    pub(super) fn incomplete(&self) -> u8 {
        if self.chunk.is_empty() {
            // It ends the stream, and so the character.
            return 0;
        }
        self.split.after(&self.chunk).as_bytes().len() as u8
    }
}

/// The frames that one chunk completed, in one piece of memory.
#[derive(Clone, Debug, Default)]
pub struct Frames {
    text: Bytes,
    pieces: Box<[Piece]>,
    headers: LineHeaders,
}

/// The place of one frame in its text, without the line end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Index of the first byte.
    pub start: u32,
    /// Index after the last byte.
    pub end: u32,
    /// Its share of a line.
    pub extent: Extent,
    /// True if its bytes are valid UTF-8.
    pub utf8: bool,
}

/// The share of a line that a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All of it, up to its line end.
    Whole,
    /// A piece of a line that is longer than `--max-line`.
    Piece,
    /// A line whose beginning was not seen, or that was cut by the loss of the device, or a frame
    /// that is damaged.
    Fragment,
}

/// One frame: a line, or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its bytes without the line end.
    pub bytes: &'a [u8],
    /// Its share of a line.
    pub extent: Extent,
    /// True if its bytes are valid UTF-8.
    pub utf8: bool,
    /// The header that may name its values.
    pub header: Option<&'a Header>,
}

impl Frame<'_> {
    /// Returns the numbers in it with their names. A part of a line has none.
    pub fn values(&self) -> LineValues {
        match self.extent {
            Extent::Whole => values(self.bytes, self.header),
            Extent::Piece | Extent::Fragment => LineValues::default(),
        }
    }
}

impl Frames {
    /// Frames at `pieces` of `text`.
    pub fn new(text: Bytes, pieces: Vec<Piece>) -> Self {
        Self {
            text,
            pieces: pieces.into(),
            headers: LineHeaders::default(),
        }
    }

    /// The same frames with headers that were settled elsewhere.
    #[must_use]
    pub fn with_headers(self, headers: LineHeaders) -> Self {
        Self { headers, ..self }
    }

    /// Settles which headers name the values of these frames, after those that came before.
    pub fn settle_headers(&mut self, headers: &mut HeaderTracker) {
        let lines = self.iter();
        let lines = lines.map(|frame| (frame.bytes, frame.extent == Extent::Whole));
        self.headers = LineHeaders::settle(headers, lines);
    }

    /// The number of frames.
    pub fn len(&self) -> usize {
        self.pieces.len()
    }

    /// Returns true if there are no frames.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// All of them, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Frame<'_>> + ExactSizeIterator {
        self.pieces.iter().enumerate().map(|(index, piece)| Frame {
            bytes: &self.text[piece.start as usize..piece.end as usize],
            extent: piece.extent,
            utf8: piece.utf8,
            header: self.headers.at(index),
        })
    }

    /// Splits off the frames from this one on, with all that belongs to them.
    fn split_off(&mut self, at: usize) -> Self {
        let mut pieces = std::mem::take(&mut self.pieces).into_vec();
        let mut rest = pieces.split_off(at);
        let end = pieces.last().map_or(0, |piece| piece.end);
        let start = rest.first().map_or(end, |piece| piece.start);
        for piece in &mut rest {
            piece.start -= start;
            piece.end -= start;
        }
        let text = std::mem::take(&mut self.text);
        let headers = self.headers.split_off(at);
        self.text = text.slice(..end as usize);
        self.pieces = pieces.into();
        Self {
            headers,
            ..Self::new(text.slice(start as usize..), rest)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_has_six_decimals() {
        assert_eq!(
            Timestamp(1_700_000_000_000_042).to_string(),
            "1700000000.000042"
        );
    }
}
