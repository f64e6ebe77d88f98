//! Cuts and decodes frames that are sent in an encoding of their own, as SLIP and COBS are.

use bytes::Bytes;

use super::Framer;
use crate::hub::{Data, Extent, Frames, IncompleteUtf8, Piece, incomplete_suffix};

/// Decodes a stream.
pub(super) trait Decoder: Send + Sync {
    /// Starts a new stream, at the beginning of a frame or of what is taken for one.
    fn begin(&mut self);

    /// Returns true within an encoded frame, even if nothing of it could be decoded yet.
    fn has_begun(&self) -> bool;

    /// Decodes these bytes.
    fn decode(&mut self, chunk: &[u8], frames: &mut DecodedFrames);
}

/// The frames that were decoded, and the beginning of the next.
pub(super) struct DecodedFrames {
    text: Vec<u8>,
    /// Index of the first byte of the unfinished frame, or of the rest of it.
    start: usize,
    pieces: Vec<Piece>,
    max_frame: usize,
    /// The share that the next frame is, if it ends well.
    extent: Extent,
}

impl DecodedFrames {
    fn new(max_frame: usize) -> Self {
        Self {
            text: Vec::new(),
            start: 0,
            pieces: Vec::new(),
            max_frame,
            extent: Extent::Whole,
        }
    }

    /// Returns true if nothing has come of the frame.
    pub(super) fn is_empty(&self) -> bool {
        self.start == self.text.len()
    }

    /// Adds bytes to the frame. One that gets too long is cut into pieces.
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        self.text.extend_from_slice(bytes);
        self.cut_overlong();
    }

    /// Adds a byte to the frame.
    pub(super) fn add(&mut self, byte: u8) {
        self.text.push(byte);
        self.cut_overlong();
    }

    /// Notes that the frame is damaged.
    pub(super) fn damage(&mut self) {
        self.extent = Extent::Fragment;
    }

    /// Ends the frame.
    pub(super) fn end(&mut self) {
        self.cut(self.text.len());
        self.extent = Extent::Whole;
    }

    /// Drops a frame of which nothing has come, and begins another one.
    pub(super) fn skip(&mut self) {
        self.extent = Extent::Whole;
    }

    fn cut_overlong(&mut self) {
        while self.text.len() - self.start > self.max_frame {
            if self.extent == Extent::Whole {
                self.extent = Extent::Piece;
            }
            let full = &self.text[self.start..self.start + self.max_frame];
            self.cut(self.start + full.len() - incomplete_suffix(full));
        }
    }

    fn cut(&mut self, end: usize) {
        let start = std::mem::replace(&mut self.start, end);
        self.pieces.push(Piece {
            start: start as u32,
            end: end as u32,
            extent: self.extent,
            utf8: str::from_utf8(&self.text[start..end]).is_ok(),
        });
    }

    /// Takes the frames that have ended.
    fn take(&mut self) -> Frames {
        if self.pieces.is_empty() {
            return Frames::default();
        }
        let rest = self.text.split_off(self.start);
        self.start = 0;
        // It may be kept as history, so it has no spare room.
        let text = std::mem::replace(&mut self.text, rest).into_boxed_slice();
        Frames::new(text.into(), std::mem::take(&mut self.pieces))
    }
}

/// Cuts at the frames of its decoder.
pub(super) struct DecodingFramer<D> {
    decoder: D,
    frames: DecodedFrames,
    split: IncompleteUtf8,
}

impl<D: Decoder> DecodingFramer<D> {
    /// Cuts frames longer than `max_frame` decoded bytes into pieces.
    pub(super) fn new(decoder: D, max_frame: usize) -> Self {
        Self {
            decoder,
            frames: DecodedFrames::new(max_frame),
            split: IncompleteUtf8::default(),
        }
    }
}

impl<D: Decoder> Framer for DecodingFramer<D> {
    fn begin(&mut self, starts_whole: bool) {
        self.decoder.begin();
        self.frames.extent = if starts_whole {
            Extent::Whole
        } else {
            Extent::Fragment
        };
    }

    fn push(&mut self, chunk: Bytes) -> Data {
        let split = self.split;
        self.split = split.after(&chunk);
        self.decoder.decode(&chunk, &mut self.frames);
        Data {
            frames: self.frames.take(),
            chunk,
            split,
        }
    }

    fn has_begun(&self) -> bool {
        let is_in_frame = !self.frames.is_empty() || self.decoder.has_begun();
        is_in_frame || self.frames.extent != Extent::Whole
    }

    fn cut(&mut self) -> Option<Data> {
        let split = std::mem::take(&mut self.split);
        if self.frames.start < self.frames.text.len() {
            self.frames.damage();
            self.frames.end();
        }
        self.begin(false);
        let frames = self.frames.take();
        (!frames.is_empty() || !split.is_empty()).then(|| Data {
            chunk: Bytes::new(),
            frames,
            split,
        })
    }
}
