//! Cuts frames that stand in the stream as they are, apart from what marks them. The framings that
//! differ only in where a frame begins and ends share this.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::Framer;
use crate::hub::{Data, Extent, Frames, IncompleteUtf8, Piece, incomplete_suffix};

/// The beginning of bytes that are not cut yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum StreamHead {
    /// A frame.
    Frame {
        /// The place of its content.
        content: Range<usize>,
        /// The bytes up to what comes after it.
        taken: usize,
        /// The parts of it that came as they should.
        soundness: Soundness,
    },
    /// So many bytes that belong to no frame.
    Noise(usize),
    /// A frame without its end, or what may become one.
    Unfinished {
        /// Index of the first byte of its content.
        content: usize,
        /// True if its beginning is that of a frame.
        begins: bool,
    },
}

/// The parts of a frame that came as they should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Soundness {
    /// True if its beginning is that of a frame.
    pub(super) begins: bool,
    /// True if its end is that of a frame, and nothing within it is wrong.
    pub(super) ends: bool,
}

impl Soundness {
    /// All is as it should be.
    pub(super) const SOUND: Self = Self {
        begins: true,
        ends: true,
    };

    /// Returns what a frame is of which nothing was delivered yet.
    fn extent(self) -> Extent {
        if self.begins && self.ends {
            Extent::Whole
        } else {
            Extent::Fragment
        }
    }
}

/// Finds where frames begin and end.
pub(super) trait Cutter: Send + Sync {
    /// Starts a new stream. Its first byte begins a frame only if it `starts_whole`.
    fn begin(&mut self, starts_whole: bool);

    /// Looks at the bytes that are not cut yet. What was unfinished comes again, with more bytes.
    fn find(&mut self, uncut: &[u8]) -> StreamHead;

    /// Returns true if the beginning of what comes next was not seen.
    fn is_missed(&self) -> bool {
        false
    }

    /// Returns the bytes at the end of an unfinished frame that may prove to mark its end.
    fn overlap(&self) -> usize {
        0
    }

    /// Notes that so many bytes of an unfinished frame were cut off as a piece of it.
    fn cut_piece(&mut self, bytes: usize) {
        let _ = bytes;
    }

    /// Returns the silence after these bytes that tells something; None if none does.
    fn silence(&self, uncut: &[u8]) -> Option<Duration> {
        let _ = uncut;
        None
    }

    /// Judges what came before that silence. What is no frame then stays uncut.
    fn on_silence(&mut self, uncut: &[u8]) -> StreamHead {
        self.find(uncut)
    }

    /// Sets the silence that no adapter makes by gathering what it receives.
    fn set_silence(&mut self, silence: Duration) {
        let _ = silence;
    }
}

/// Cuts at what its cutter finds. A frame longer than the limit comes in pieces.
pub(super) struct CutFramer<C> {
    cutter: C,
    max_frame: usize,
    uncut: Vec<u8>,
    /// True if pieces of the unfinished frame were delivered.
    is_rest: bool,
    split: IncompleteUtf8,
}

impl<C: Cutter> CutFramer<C> {
    /// Cuts frames longer than `max_frame` bytes into pieces.
    pub(super) fn new(cutter: C, max_frame: usize) -> Self {
        Self {
            cutter,
            max_frame,
            uncut: Vec::new(),
            is_rest: false,
            split: IncompleteUtf8::default(),
        }
    }

    fn frames(&mut self, chunk: &Bytes) -> Frames {
        if self.uncut.is_empty() {
            let (pieces, end) = self.cut_all(chunk);
            self.uncut.extend_from_slice(&chunk[end..]);
            return framed(pieces, || chunk.slice(..end));
        }
        let mut uncut = std::mem::take(&mut self.uncut);
        uncut.extend_from_slice(chunk);
        let (pieces, end) = self.cut_all(&uncut);
        let frames = framed(pieces, || Bytes::copy_from_slice(&uncut[..end]));
        uncut.drain(..end);
        self.uncut = uncut;
        frames
    }

    /// Returns the frames in `text`, and where what is left uncut begins.
    fn cut_all(&mut self, text: &[u8]) -> (Vec<Piece>, usize) {
        let (mut pieces, mut at) = (Vec::new(), 0);
        while at < text.len() {
            match self.cutter.find(&text[at..]) {
                StreamHead::Frame {
                    content,
                    taken,
                    soundness,
                } => {
                    let place = at + content.start..at + content.end;
                    self.cut_frame(text, place, soundness, &mut pieces);
                    at += taken;
                }
                StreamHead::Noise(bytes) => at += bytes,
                StreamHead::Unfinished { content, begins } => {
                    let place = at + content..text.len();
                    let rest = self.cut_overlong(text, place, begins, &mut pieces);
                    if rest == at + content {
                        break;
                    }
                    self.cutter.cut_piece(rest - at);
                    at = rest;
                }
            }
        }
        (pieces, at)
    }

    /// Cuts a frame that has ended.
    fn cut_frame(
        &mut self,
        text: &[u8],
        mut place: Range<usize>,
        soundness: Soundness,
        pieces: &mut Vec<Piece>,
    ) {
        while place.len() > self.max_frame {
            place.start = self.cut_full(text, place.start, soundness.begins, pieces);
        }
        let extent = match soundness.extent() {
            Extent::Whole if self.is_rest => Extent::Piece,
            extent => extent,
        };
        pieces.push(piece(text, place, extent));
        self.is_rest = false;
    }

    /// Cuts full pieces off an unfinished frame, as long as it is too long without what may mark its
    /// end. Returns where the rest begins.
    fn cut_overlong(
        &mut self,
        text: &[u8],
        mut place: Range<usize>,
        begins: bool,
        pieces: &mut Vec<Piece>,
    ) -> usize {
        while place.len() > self.max_frame + self.cutter.overlap() {
            place.start = self.cut_full(text, place.start, begins, pieces);
        }
        place.start
    }

    /// Cuts one full piece off; returns where it ends.
    fn cut_full(
        &mut self,
        text: &[u8],
        start: usize,
        begins: bool,
        pieces: &mut Vec<Piece>,
    ) -> usize {
        let full = &text[start..start + self.max_frame];
        let end = start + full.len() - incomplete_suffix(full);
        let extent = if begins {
            Extent::Piece
        } else {
            Extent::Fragment
        };
        pieces.push(piece(text, start..end, extent));
        self.is_rest = true;
        end
    }
}

impl<C: Cutter> Framer for CutFramer<C> {
    fn begin(&mut self, starts_whole: bool) {
        self.is_rest = false;
        self.cutter.begin(starts_whole);
    }

    fn push(&mut self, chunk: Bytes) -> Data {
        let split = self.split;
        self.split = split.after(&chunk);
        let frames = self.frames(&chunk);
        Data {
            chunk,
            frames,
            split,
        }
    }

    fn has_begun(&self) -> bool {
        !self.uncut.is_empty() || self.cutter.is_missed()
    }

    fn deadline(&self, last_read: Instant) -> Option<Instant> {
        Some(last_read + self.cutter.silence(&self.uncut)?)
    }

    fn on_silence(&mut self) -> Option<Data> {
        let uncut = std::mem::take(&mut self.uncut);
        let (mut pieces, mut end) = (Vec::new(), 0);
        if let StreamHead::Frame {
            content,
            taken,
            soundness,
        } = self.cutter.on_silence(&uncut)
        {
            self.cut_frame(&uncut, content, soundness, &mut pieces);
            end = taken;
        }
        let frames = framed(pieces, || Bytes::copy_from_slice(&uncut[..end]));
        self.uncut = uncut;
        self.uncut.drain(..end);
        (!frames.is_empty()).then(|| Data {
            frames,
            ..Data::default()
        })
    }

    fn cut(&mut self) -> Option<Data> {
        let uncut = std::mem::take(&mut self.uncut);
        let split = std::mem::take(&mut self.split);
        let mut pieces = Vec::new();
        if let StreamHead::Unfinished { content, .. } = self.cutter.find(&uncut)
            && content < uncut.len()
        {
            pieces.push(piece(&uncut, content..uncut.len(), Extent::Fragment));
        }
        self.begin(false);
        let frames = framed(pieces, || uncut.into());
        (!frames.is_empty() || !split.is_empty()).then(|| Data {
            chunk: Bytes::new(),
            frames,
            split,
        })
    }

    fn set_silence(&mut self, silence: Duration) {
        self.cutter.set_silence(silence);
    }
}

/// Returns the frames at `pieces` of a text, which is needed only if there are some.
fn framed(pieces: Vec<Piece>, text: impl FnOnce() -> Bytes) -> Frames {
    if pieces.is_empty() {
        return Frames::default();
    }
    Frames::new(text(), pieces)
}

fn piece(text: &[u8], place: Range<usize>, extent: Extent) -> Piece {
    Piece {
        start: place.start as u32,
        end: place.end as u32,
        extent,
        utf8: str::from_utf8(&text[place]).is_ok(),
    }
}
