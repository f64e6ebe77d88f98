//! The items that a view delivers, and how many of them come before a place in the stream. What a
//! view leaves out is never counted, so that `history=1` is the newest that it delivers. Pure.

use super::{Data, Extent, Frame, Kind, Position, Unit};

/// The least that a view delivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamItem {
    /// Any frame, fragments too.
    Frame,
    /// A frame that is no fragment: a line, or a piece of one.
    Line,
    /// A whole frame.
    Whole,
    /// A whole line with values.
    Values,
    /// A byte.
    Byte,
    /// A byte of a character that is complete.
    Character,
    /// A byte, with every frame.
    Everything,
}

impl StreamItem {
    /// The unit of a place in the stream for those who get these items.
    pub fn unit(self) -> Unit {
        match self {
            Self::Frame | Self::Line | Self::Whole | Self::Values => Unit::Lines,
            Self::Byte | Self::Character | Self::Everything => Unit::Bytes,
        }
    }

    /// Returns true if `frame` is one of these items; those that are no frames are in all of them.
    pub fn includes(self, frame: &Frame<'_>) -> bool {
        match self {
            Self::Line => frame.extent != Extent::Fragment,
            Self::Whole => frame.extent == Extent::Whole,
            Self::Values => !frame.values().is_empty(),
            Self::Frame | Self::Byte | Self::Character | Self::Everything => true,
        }
    }

    /// Returns false if `data` certainly has none of these items. This is asked for many clients, so
    /// it must be cheap.
    pub fn is_in(self, data: &Data) -> bool {
        match self {
            Self::Frame | Self::Line | Self::Whole => {
                data.frames.iter().any(|frame| self.includes(&frame))
            }
            Self::Values => Self::Line.is_in(data),
            Self::Byte => !data.chunk.is_empty(),
            Self::Everything => true,
            Self::Character => {
                let known = data.split.as_bytes().len() + data.chunk.len();
                known > usize::from(data.incomplete())
            }
        }
    }

    /// The index of the newest frame in `data` that may stand for all before it. A fragment never
    /// does: it would take the place of the newest line.
    pub fn newest(self, data: &Data) -> Option<usize> {
        let is_newest = |frame: Frame<'_>| self.includes(&frame) && Self::Line.includes(&frame);
        data.frames.iter().rposition(is_newest)
    }
}

/// The part of a stream that some views have left out before a place in it, or not delivered yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LeftOut {
    /// Frames that were fragments.
    fragments: u64,
    /// Frames that were pieces.
    pieces: u64,
    /// Bytes of the character that is incomplete there.
    incomplete: u8,
    /// The part that never came, because another serial-ws has it no longer.
    missed: Position,
}

impl LeftOut {
    /// The same after an event of this kind.
    pub(super) fn after(self, kind: &Kind) -> Self {
        let Kind::Data(data) = kind else {
            return self;
        };
        let (mut fragments, mut pieces) = (0, 0);
        for frame in data.frames.iter() {
            match frame.extent {
                Extent::Whole => {}
                Extent::Piece => pieces += 1,
                Extent::Fragment => fragments += 1,
            }
        }
        // Frames alone say nothing about the characters of the stream.
        let is_frames_only = data.chunk.is_empty() && data.split.is_empty();
        let incomplete = if is_frames_only {
            self.incomplete
        } else {
            data.incomplete()
        };
        Self {
            fragments: self.fragments + fragments,
            pieces: self.pieces + pieces,
            incomplete,
            ..self
        }
    }

    /// The same after a part of the stream that never came.
    pub(super) fn after_missed(self, missed: Position) -> Self {
        let Position { line, offset } = self.missed;
        Self {
            incomplete: 0,
            missed: Position {
                line: line + missed.line,
                offset: offset + missed.offset,
            },
            ..self
        }
    }

    /// The part that never came.
    pub(super) fn missed(self, unit: Unit) -> u64 {
        self.missed.count(unit)
    }

    /// The number of items before `place`, where this is left out. Lines with values are not counted
    /// as they come: for them it is the number of lines.
    pub(super) fn count(self, item: StreamItem, place: Position) -> u64 {
        let place = place.since(self.missed);
        match item {
            StreamItem::Frame => place.line,
            StreamItem::Line | StreamItem::Values => place.line - self.fragments,
            StreamItem::Whole => place.line - self.fragments - self.pieces,
            StreamItem::Byte | StreamItem::Everything => place.offset,
            StreamItem::Character => place.offset - u64::from(self.incomplete),
        }
    }
}
