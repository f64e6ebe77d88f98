//! `start:HEX:HEX`: a frame stands between two marks, as `02` and `03` or as `$` and a line feed.
//! Bytes outside the marks belong to no frame. A mark of the beginning within a frame begins a new
//! one, since the end of the first was lost. If both marks are the same, one may do for the end of a
//! frame and the beginning of the next.

use memchr::memmem::Finder;

use super::cutter::{CutFramer, Cutter, Soundness, StreamHead};
use super::delim::{self, contains, digits};
use super::{Framing, FramingKind};

/// The definition of the framing.
pub(super) const START: FramingKind = FramingKind {
    usage: "start:HEX:HEX",
    parse: |marks| {
        let (first, last) = marks.split_once(':').unwrap_or((marks, ""));
        let marks = delim::bytes(first).zip(delim::bytes(last));
        let (first, last) = marks.ok_or(
            "expected the bytes that begin a frame and those that end it, in hex, such as \
             start:02:03",
        )?;
        let text = format!("start:{}:{}", digits(&first), digits(&last));
        let (begin, end) = (first.clone(), last.clone());
        let framer = move |max_frame| {
            let marks = MarkCutter::new(&begin, &end);
            Box::new(CutFramer::new(marks, max_frame)) as _
        };
        let framing = Framing::new(text, framer).of_bytes();
        Ok(framing.with_encoding(move |frame| encode(&first, frame, &last)))
    },
};

/// Returns the frame between its marks.
fn encode(first: &[u8], frame: &[u8], last: &[u8]) -> Result<Vec<u8>, String> {
    for mark in [first, last] {
        // The mark may also begin within the frame and end with the one after it.
        let marked = [frame, &last[..last.len() - 1]].concat();
        if contains(&marked, mark) {
            return Err(format!(
                "the frame contains {}, which would begin or end a frame",
                digits(mark)
            ));
        }
    }
    if frame.is_empty() && first == last {
        return Err("a frame between equal marks is never empty".to_owned());
    }
    Ok([first, frame, last].concat())
}

/// Finds frames between marks.
struct MarkCutter {
    first: Finder<'static>,
    last: Finder<'static>,
    is_same: bool,
    /// True after the mark of the beginning.
    is_inside: bool,
    /// True if a part of the frame was cut off with its mark.
    is_rest: bool,
    /// Bytes in which no mark ends.
    searched: usize,
}

impl MarkCutter {
    fn new(first: &[u8], last: &[u8]) -> Self {
        Self {
            first: Finder::new(first).into_owned(),
            last: Finder::new(last).into_owned(),
            is_same: first == last,
            is_inside: false,
            is_rest: false,
            searched: 0,
        }
    }

    /// Returns the bytes of the mark at the beginning of what is uncut.
    fn mark(&self) -> usize {
        if self.is_rest {
            0
        } else {
            self.first.needle().len()
        }
    }

    /// Looks for the mark of the beginning.
    fn find_beginning(&mut self, uncut: &[u8]) -> StreamHead {
        match self.first.find(uncut) {
            Some(0) => {
                self.is_inside = true;
                self.is_rest = false;
                self.searched = self.mark();
                self.find_end(uncut)
            }
            Some(at) => StreamHead::Noise(at),
            None => {
                let begun = begun(self.first.needle(), uncut);
                let noise = uncut.len() - begun;
                if noise > 0 {
                    return StreamHead::Noise(noise);
                }
                StreamHead::Unfinished {
                    content: uncut.len(),
                    begins: true,
                }
            }
        }
    }

    /// Looks for the mark that ends the frame: the first that is complete.
    fn find_end(&mut self, uncut: &[u8]) -> StreamHead {
        let content = self.mark();
        let longest = self.first.needle().len().max(self.last.needle().len());
        let from = self.searched.saturating_sub(longest - 1).max(content);
        let find = |mark: &Finder<'_>| {
            let at = from + mark.find(&uncut[from..])?;
            Some((at, at + mark.needle().len()))
        };
        let last = find(&self.last);
        let until = last.map_or(uncut.len(), |(_, end)| end - 1);
        let first = (!self.is_same).then(|| {
            let at = from + self.first.find(&uncut[from..until])?;
            Some((at, at + self.first.needle().len()))
        });
        let first = first.flatten();
        let Some((at, end)) = first.or(last) else {
            self.searched = uncut.len();
            return StreamHead::Unfinished {
                content,
                begins: true,
            };
        };
        let ends = first.is_none();
        let taken = if ends && !self.is_same { end } else { at };
        self.is_inside = false;
        if at == content && (!ends || self.is_same) && !self.is_rest {
            return StreamHead::Noise(at);
        }
        StreamHead::Frame {
            content: content..at,
            taken,
            soundness: Soundness { begins: true, ends },
        }
    }
}

impl Cutter for MarkCutter {
    fn begin(&mut self, _starts_whole: bool) {
        self.is_inside = false;
    }

    fn find(&mut self, uncut: &[u8]) -> StreamHead {
        if self.is_inside {
            self.find_end(uncut)
        } else {
            self.find_beginning(uncut)
        }
    }

    fn overlap(&self) -> usize {
        self.first.needle().len().max(self.last.needle().len()) - 1
    }

    fn cut_piece(&mut self, bytes: usize) {
        self.searched = self.searched.saturating_sub(bytes);
        self.is_rest = true;
    }
}

/// Returns how many bytes at the end of `text` may begin the `mark`.
pub(super) fn begun(mark: &[u8], text: &[u8]) -> usize {
    let longest = text.len().min(mark.len() - 1);
    let mut lengths = (1..=longest).rev();
    lengths
        .find(|&length| text.ends_with(&mark[..length]))
        .unwrap_or(0)
}
