//! `json`: each frame is a JSON value, over any number of lines. Values that are neither objects nor
//! arrays have a line of their own. What is no JSON, such as a boot log, runs to the end of its line
//! and counts as a part of a frame.
//!
//! After such a line, and where the beginning of the stream was missed, a value could be one within
//! another that was cut. So it counts only once what follows it goes on with no other, or nothing
//! follows.

use std::time::Duration;

use memchr::memchr;
use serde::de::IgnoredAny;

use super::cutter::{CutFramer, Cutter, Soundness, StreamHead};
use super::json_syntax::{Syntax, SyntaxStep};
use super::{Framing, FramingKind, GATHERING_SILENCE};

/// White space between values. RFC 7464 also begins each with a record separator.
const SPACE: &[u8] = b" \t\r\n\x1e";

/// Bytes of white space after which a value has certainly ended.
const MAX_SPACE: usize = 15;

/// The definition of the framing.
pub(super) const JSON: FramingKind = FramingKind {
    usage: "json",
    parse: |_| {
        let framer =
            |max_frame| Box::new(CutFramer::new(JsonCutter::new(max_frame), max_frame)) as _;
        let framing = Framing::new("json", framer).ends_with(Some(b'\n'));
        Ok(framing.with_encoding(|frame| {
            let frame = frame.trim_ascii();
            if is_json(frame) {
                Ok([frame, b"\n"].concat())
            } else {
                Err("the frame is no JSON value".to_owned())
            }
        }))
    },
};

fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(text).is_ok()
}

/// Finds JSON values.
struct JsonCutter {
    max_frame: usize,
    part: JsonPart,
    /// Bytes that were looked at.
    searched: usize,
    /// True if a part of the frame was cut off.
    is_rest: bool,
    /// True until the first frame of a stream whose beginning was missed.
    is_missed: bool,
    /// True if a value is certainly not within another.
    is_in_step: bool,
    silence: Duration,
}

/// The part of the stream that comes.
enum JsonPart {
    /// Between values.
    Space,
    /// An object or an array, and whether only white space stands before in its line.
    Value { syntax: Syntax, is_new_line: bool },
    /// A line with another value, or with what is none.
    Line { is_text: bool },
    /// A value that is held, with its end and that of its line.
    Pending { end: usize, taken: usize },
}

impl JsonCutter {
    fn new(max_frame: usize) -> Self {
        Self {
            max_frame,
            part: JsonPart::Space,
            searched: 0,
            is_rest: false,
            is_missed: false,
            is_in_step: true,
            silence: GATHERING_SILENCE,
        }
    }

    fn find_beginning(&mut self, uncut: &[u8]) -> StreamHead {
        let first = uncut.iter().position(|byte| !SPACE.contains(byte));
        match first {
            Some(0) => {}
            None if uncut.is_empty() => return UNFINISHED,
            at => return StreamHead::Noise(at.unwrap_or(uncut.len())),
        }
        (self.searched, self.is_rest) = (0, false);
        if matches!(uncut[0], b'{' | b'[') {
            let (syntax, is_new_line) = (Syntax::default(), false);
            self.part = JsonPart::Value {
                syntax,
                is_new_line,
            };
        } else {
            self.part = JsonPart::Line { is_text: false };
        }
        self.find(uncut)
    }

    /// Goes on with an object or an array.
    fn find_value_end(&mut self, uncut: &[u8]) -> StreamHead {
        let JsonPart::Value {
            syntax,
            is_new_line,
        } = &mut self.part
        else {
            return UNFINISHED;
        };
        for (at, &byte) in uncut.iter().enumerate().skip(self.searched) {
            match syntax.step(byte) {
                SyntaxStep::Done => return self.value(uncut, at + 1, at + 1),
                // Another value begins here, or another line.
                SyntaxStep::Wrong if byte == b'{' || *is_new_line => return self.wrong(at, at),
                SyntaxStep::Wrong => {
                    self.searched = at;
                    self.part = JsonPart::Line { is_text: true };
                    return self.find_line_end(uncut);
                }
                SyntaxStep::More => *is_new_line = byte == b'\n' || *is_new_line && byte <= b' ',
            }
        }
        self.searched = uncut.len();
        UNFINISHED
    }

    fn find_line_end(&mut self, uncut: &[u8]) -> StreamHead {
        let Some(end) = memchr(b'\n', &uncut[self.searched..]) else {
            self.searched = uncut.len();
            return UNFINISHED;
        };
        let end = self.searched + end;
        let line = &uncut[..end];
        let content = line.len() - usize::from(line.ends_with(b"\r"));
        let is_short = !self.is_rest && content <= self.max_frame;
        let is_text = matches!(self.part, JsonPart::Line { is_text: true });
        if is_text || self.is_missed || !is_short || !is_json(&line[..content]) {
            return self.wrong(content, end + 1);
        }
        self.value(uncut, content, end + 1)
    }

    /// Returns a value, or holds it as long as it may be within another.
    fn value(&mut self, uncut: &[u8], end: usize, taken: usize) -> StreamHead {
        if self.is_in_step {
            return self.frame(end, taken, true);
        }
        if self.is_rest || end > self.max_frame {
            return self.wrong(end, taken);
        }
        let after = &uncut[taken..];
        let after = &after[..after.len().min(MAX_SPACE)];
        match after.iter().find(|byte| !SPACE.contains(byte)) {
            Some(b',' | b']' | b'}' | b':') => self.wrong(end, taken),
            None if after.len() < MAX_SPACE => {
                self.part = JsonPart::Pending { end, taken };
                UNFINISHED
            }
            _ => {
                self.is_in_step = true;
                self.frame(end, taken, true)
            }
        }
    }

    /// Returns what is no value.
    fn wrong(&mut self, end: usize, taken: usize) -> StreamHead {
        self.is_in_step = false;
        self.frame(end, taken, false)
    }

    fn frame(&mut self, end: usize, taken: usize, ends: bool) -> StreamHead {
        self.part = JsonPart::Space;
        self.is_missed = false;
        StreamHead::Frame {
            content: 0..end,
            taken,
            soundness: Soundness { begins: true, ends },
        }
    }
}

const UNFINISHED: StreamHead = StreamHead::Unfinished {
    content: 0,
    begins: true,
};

impl Cutter for JsonCutter {
    fn begin(&mut self, starts_whole: bool) {
        self.part = JsonPart::Space;
        self.is_missed = !starts_whole;
        self.is_in_step = starts_whole;
    }

    fn find(&mut self, uncut: &[u8]) -> StreamHead {
        match self.part {
            JsonPart::Space => self.find_beginning(uncut),
            JsonPart::Value { .. } => self.find_value_end(uncut),
            JsonPart::Line { .. } => self.find_line_end(uncut),
            JsonPart::Pending { end, taken } => self.value(uncut, end, taken),
        }
    }

    fn overlap(&self) -> usize {
        // The white space that is held with a value.
        MAX_SPACE + 2
    }

    fn cut_piece(&mut self, bytes: usize) {
        self.searched = self.searched.saturating_sub(bytes);
        self.is_rest = true;
    }

    fn is_missed(&self) -> bool {
        self.is_missed
    }

    fn silence(&self, _uncut: &[u8]) -> Option<Duration> {
        matches!(self.part, JsonPart::Pending { .. }).then_some(self.silence)
    }

    fn on_silence(&mut self, _uncut: &[u8]) -> StreamHead {
        let JsonPart::Pending { end, taken } = self.part else {
            return StreamHead::Noise(0);
        };
        self.is_in_step = true;
        self.frame(end, taken, true)
    }

    fn set_silence(&mut self, silence: Duration) {
        self.silence = silence;
    }
}
