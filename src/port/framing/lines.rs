//! Cuts a byte stream into lines, the same lines however its bytes arrive. The framings that differ
//! only in what ends a line share this.

use std::ops::Range;

use bytes::Bytes;
use memchr::memchr;

use super::Framer;
use super::lf::Lf;
use crate::hub::{Data, Extent, Frames, IncompleteUtf8, Piece, incomplete_suffix};

/// The bytes that end a line.
pub trait Terminator: Clone + Send + Sync + 'static {
    /// Returns the byte that completes a terminator. A chunk without it completes no line.
    fn last_byte(&self) -> u8;

    /// Returns how many bytes before a chunk may be the beginning of a terminator that it completes.
    fn overlap(&self) -> usize {
        0
    }

    /// Returns the places of all terminators, none of which overlap.
    fn find<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = Range<usize>> + 'a;

    /// Returns how much of a line is its content: less than all where bytes before the terminator
    /// belong to the line end, or may prove to while the line is not ended.
    fn content(&self, line: &[u8], is_ended: bool) -> usize {
        let _ = is_ended;
        line.len()
    }

    /// Returns what of the bytes after a terminator belongs to the line end as well. A line is
    /// delivered at its terminator, so this may come in a later chunk.
    fn follow(&self, rest: &[u8]) -> Follow {
        let _ = rest;
        Follow::default()
    }
}

/// The bytes after a terminator that belong to the line end.
#[derive(Clone, Copy, Debug, Default)]
pub struct Follow {
    /// The number of them.
    pub bytes: usize,
    /// True if the bytes to come may belong to it as well.
    pub may_go_on: bool,
}

/// Cuts at terminators, which do not belong to the lines.
///
/// A line longer than the limit is cut into pieces, so that a device that never ends a line costs
/// bounded memory.
pub struct LineFramer<T = Lf> {
    terminator: T,
    max_line: usize,
    line: Vec<u8>,
    /// True if a line end came last, and the bytes to come may belong to it.
    may_follow: bool,
    /// The share of its line that the next frame is, if the line ends well: a piece if others have
    /// been delivered already, a fragment if its beginning was not seen.
    extent: Extent,
    split: IncompleteUtf8,
}

impl<T: Terminator> Framer for LineFramer<T> {
    fn begin(&mut self, starts_whole: bool) {
        self.may_follow = false;
        self.extent = if starts_whole {
            Extent::Whole
        } else {
            Extent::Fragment
        };
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
        !self.line.is_empty() || self.extent != Extent::Whole
    }

    fn cut(&mut self) -> Option<Data> {
        let line = std::mem::take(&mut self.line);
        let split = std::mem::take(&mut self.split);
        if line.is_empty() && split.is_empty() {
            return None;
        }
        let mut pieces = Vec::new();
        if !line.is_empty() {
            self.extent = Extent::Fragment;
            pieces.push(self.piece(&line, 0, line.len()));
        }
        let frames = Frames::new(line.into(), pieces);
        Some(Data {
            chunk: Bytes::new(),
            frames,
            split,
        })
    }
}

impl LineFramer {
    /// Ends lines with `\n` and every `\r` beside it; delivers lines longer than `max_line` bytes in
    /// pieces.
    pub fn new(max_line: usize) -> Self {
        Self::with_terminator(Lf, max_line)
    }
}

impl<T: Terminator> LineFramer<T> {
    /// Ends lines with `terminator`; delivers lines longer than `max_line` bytes in pieces.
    pub(super) fn with_terminator(terminator: T, max_line: usize) -> Self {
        Self {
            terminator,
            max_line,
            line: Vec::new(),
            may_follow: false,
            extent: Extent::Whole,
            split: IncompleteUtf8::default(),
        }
    }

    /// Returns the frames that end in `chunk`, and keeps what is unfinished.
    fn frames(&mut self, chunk: &Bytes) -> Frames {
        let known = self.line.len();
        if known > 0 && self.ends_nothing(chunk) {
            self.line.extend_from_slice(chunk);
            return Frames::default();
        }
        let text = if known == 0 {
            chunk.clone()
        } else {
            joined(&self.line, chunk)
        };
        let mut pieces = Vec::new();
        let rest = self.cut_lines(&text, known, &mut pieces);
        if pieces.is_empty() {
            self.line.extend_from_slice(&chunk[rest..]);
            return Frames::default();
        }
        self.line.clear();
        self.line.extend_from_slice(&text[rest..]);
        Frames::new(text.slice(..rest), pieces)
    }

    /// Returns true if no line ends in this chunk and it makes none too long, so that a long line
    /// in many chunks is not looked at from its beginning each time.
    fn ends_nothing(&self, chunk: &[u8]) -> bool {
        self.line.len() + chunk.len() <= self.max_line
            && memchr(self.terminator.last_byte(), chunk).is_none()
    }

    /// Appends what `text` completes to `pieces`; no line ends before `known`. Returns where the
    /// unfinished rest begins.
    fn cut_lines(&mut self, text: &[u8], known: usize, pieces: &mut Vec<Piece>) -> usize {
        let mut start = self.after_line_end(text, 0);
        let from = known.saturating_sub(self.terminator.overlap()).max(start);
        let terminator = self.terminator.clone();
        for end in terminator.find(&text[from..]) {
            let line_end = from + end.start;
            if line_end - start > self.max_line {
                start = self.cut_overlong(text, start..line_end, true, pieces);
            }
            let content = terminator.content(&text[start..line_end], true);
            pieces.push(self.piece(text, start, start + content));
            self.extent = Extent::Whole;
            let follow = terminator.follow(&text[from + end.end..]);
            self.may_follow = follow.may_go_on;
            start = from + end.end + follow.bytes;
        }
        self.cut_overlong(text, start..text.len(), false, pieces)
    }

    /// Returns where the line begins that follows a line end at `start`: behind the bytes that
    /// belong to the line end as well.
    fn after_line_end(&mut self, text: &[u8], start: usize) -> usize {
        if !self.may_follow {
            return start;
        }
        let follow = self.terminator.follow(&text[start..]);
        self.may_follow = follow.may_go_on;
        start + follow.bytes
    }

    /// Cuts full pieces off a line of `text`; returns where its rest begins.
    fn cut_overlong(
        &mut self,
        text: &[u8],
        mut line: Range<usize>,
        is_ended: bool,
        pieces: &mut Vec<Piece>,
    ) -> usize {
        while self.is_over_long(&text[line.clone()], is_ended) {
            if self.extent == Extent::Whole {
                self.extent = Extent::Piece;
            }
            let full = &text[line.start..line.start + self.max_line];
            let cut = line.start + full.len() - incomplete_suffix(full);
            pieces.push(self.piece(text, line.start, cut));
            line.start = cut;
        }
        line.start
    }

    /// Returns true for a line over the limit. Bytes that may belong to the line end do not count,
    /// unless they are too many themselves.
    fn is_over_long(&self, line: &[u8], is_ended: bool) -> bool {
        line.len() > self.max_line && {
            let content = self.terminator.content(line, is_ended);
            content > self.max_line || line.len() - content > self.max_line
        }
    }

    fn piece(&self, text: &[u8], start: usize, end: usize) -> Piece {
        Piece {
            start: start as u32,
            end: end as u32,
            extent: self.extent,
            utf8: std::str::from_utf8(&text[start..end]).is_ok(),
        }
    }
}

/// Both parts in an allocation without spare room, since it may be kept as history.
fn joined(line: &[u8], chunk: &[u8]) -> Bytes {
    let mut text = Vec::with_capacity(line.len() + chunk.len());
    text.extend_from_slice(line);
    text.extend_from_slice(chunk);
    text.into()
}
