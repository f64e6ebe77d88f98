//! `len:N`: each frame has N bytes. They are counted from the beginning of the stream, or from a
//! pause if that was missed.

use std::time::Duration;

use super::cutter::{CutFramer, Cutter, Soundness, StreamHead};
use super::{Framing, FramingKind, GATHERING_SILENCE};
use crate::port::MAX_LINE_LIMIT;

/// The definition of the framing.
pub(super) const LEN: FramingKind = FramingKind {
    usage: "len:N",
    parse: |bytes| {
        let length = bytes.parse().ok();
        let length = length.filter(|length| (1..=MAX_LINE_LIMIT).contains(length));
        let length = length.ok_or_else(|| {
            format!("expected the bytes of a frame, 1 to {MAX_LINE_LIMIT}, such as len:12")
        })?;
        let framer = move |_| Box::new(CutFramer::new(LengthCutter::new(length), length)) as _;
        let framing = Framing::new(format!("len:{length}"), framer).of_bytes();
        Ok(framing.with_encoding(move |frame| {
            if frame.len() != length {
                return Err(format!(
                    "a frame has {length} bytes, and this one {}",
                    frame.len()
                ));
            }
            Ok(frame.to_vec())
        }))
    },
};

/// Counts the bytes of frames.
struct LengthCutter {
    length: usize,
    /// True if it is known where a frame begins.
    is_aligned: bool,
    silence: Duration,
}

impl LengthCutter {
    fn new(length: usize) -> Self {
        Self {
            length,
            is_aligned: true,
            silence: GATHERING_SILENCE,
        }
    }
}

impl Cutter for LengthCutter {
    fn begin(&mut self, starts_whole: bool) {
        self.is_aligned = starts_whole;
    }

    fn find(&mut self, uncut: &[u8]) -> StreamHead {
        let begins = self.is_aligned;
        if uncut.len() < self.length {
            return StreamHead::Unfinished { content: 0, begins };
        }
        StreamHead::Frame {
            content: 0..self.length,
            taken: self.length,
            soundness: Soundness { begins, ends: true },
        }
    }

    fn is_missed(&self) -> bool {
        !self.is_aligned
    }

    fn silence(&self, _uncut: &[u8]) -> Option<Duration> {
        (!self.is_aligned).then_some(self.silence)
    }

    fn on_silence(&mut self, uncut: &[u8]) -> StreamHead {
        self.is_aligned = true;
        if uncut.is_empty() {
            return StreamHead::Noise(0);
        }
        StreamHead::Frame {
            content: 0..uncut.len(),
            taken: uncut.len(),
            soundness: Soundness {
                begins: false,
                ends: true,
            },
        }
    }

    fn set_silence(&mut self, silence: Duration) {
        self.silence = silence;
    }
}
