//! Collects the reply to a question from what the device sends after the question's last byte, until
//! the reply is complete or its time is over. Pure: it is told the time and what the device says.
//!
//! A line that had begun before is no part of a reply that is made of lines, nor of one that ends with
//! a text; but a prompt, after which the device had fallen silent, is no line that goes on.

use std::time::Duration;

use bytes::Bytes;
use memchr::memmem;
use tokio::time::Instant;

use super::framing::{Framer, Framing};
use crate::hub::{DeviceQuestion, Extent, Frame, MAX_REPLY_BYTES, Until};

/// The silence after which a line is not about to go on: USB adapters gather what they receive for up
/// to 16 ms.
pub(super) const PAUSE: Duration = Duration::from_millis(20);

/// The state of the device's stream when the question's last byte was written.
#[derive(Clone, Copy, Debug)]
pub(super) struct StreamState {
    /// True if a line had begun.
    pub(super) has_begun: bool,
    /// The time of the last read; None before the first.
    pub(super) last_read: Option<Instant>,
}

/// The reason why there is no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoReply {
    /// The time is over, and so many bytes had come.
    Late(usize),
    /// It has more than [`MAX_REPLY_BYTES`].
    TooLong,
}

/// The end of a reply: all of it, or the reason why there is none.
pub(super) type ReplyEnd = Result<Bytes, NoReply>;

/// A reply of which not all has come.
pub(super) struct PendingReply {
    collector: Collector,
    timeout: Instant,
    last_read: Option<Instant>,
    /// Bytes that came, of the reply or not.
    received: usize,
}

/// A way to know the end of a reply, with what has come of it.
enum Collector {
    Lines(Lines),
    Bytes { wanted: usize, reply: Vec<u8> },
    Text(TextEnd),
    Gap { time: Duration, reply: Vec<u8> },
    FrameOrGap { time: Duration, frame: Lines },
}

impl PendingReply {
    /// Begins with the first byte after the question, which was written at `now`.
    pub(super) fn new(
        question: &DeviceQuestion,
        framing: &Framing,
        state: StreamState,
        now: Instant,
    ) -> Self {
        let reply = Vec::new();
        let collector = match &question.until {
            Until::Lines(count) => Collector::Lines(Lines::new(*count, framing, state)),
            Until::FrameOrGap(time) => Collector::FrameOrGap {
                time: *time,
                frame: Lines::new(1, framing, state),
            },
            Until::Bytes(wanted) => Collector::Bytes {
                wanted: *wanted,
                reply,
            },
            Until::Text(texts) => Collector::Text(TextEnd::new(texts, framing, state, now)),
            Until::Gap(time) => Collector::Gap { time: *time, reply },
        };
        Self {
            collector,
            timeout: now + question.timeout,
            last_read: None,
            received: 0,
        }
    }

    /// Takes what the device sent. Returns the end of the reply, if this is it.
    pub(super) fn push(&mut self, chunk: &Bytes, now: Instant) -> Option<ReplyEnd> {
        self.last_read = Some(now);
        self.received += chunk.len();
        let reply = match &mut self.collector {
            Collector::Lines(lines) | Collector::FrameOrGap { frame: lines, .. } => {
                lines.push(chunk)
            }
            Collector::Text(text) => text.push(chunk).map(Ok),
            Collector::Bytes { wanted, reply } => {
                let missing = *wanted - reply.len();
                reply.extend_from_slice(&chunk[..chunk.len().min(missing)]);
                let is_whole = reply.len() == *wanted;
                is_whole.then(|| Ok(Bytes::from(std::mem::take(reply))))
            }
            Collector::Gap { reply, .. } => {
                reply.extend_from_slice(chunk);
                None
            }
        };
        let is_too_long = self.collector.length() > MAX_REPLY_BYTES;
        reply.or_else(|| is_too_long.then_some(Err(NoReply::TooLong)))
    }

    /// Returns when to call [`PendingReply::on_deadline`].
    pub(super) fn deadline(&self) -> Instant {
        self.silence_end()
            .map_or(self.timeout, |end| end.min(self.timeout))
    }

    /// Returns the end of the reply, if silence or the timeout ends it now.
    pub(super) fn on_deadline(&mut self, now: Instant) -> Option<ReplyEnd> {
        if self.silence_end().is_some_and(|end| end <= now) {
            let reply = match &mut self.collector {
                Collector::Lines(lines) => lines.cut(),
                Collector::Text(text) => Some(Ok(text.take(text.reply.len()))),
                Collector::Gap { reply, .. } => Some(Ok(std::mem::take(reply).into())),
                Collector::FrameOrGap { frame, .. } => frame.cut().or(Some(Ok(Bytes::new()))),
                Collector::Bytes { .. } => None,
            };
            if reply.is_some() {
                return reply;
            }
        }
        let late = NoReply::Late(self.received);
        (self.timeout <= now).then_some(Err(late))
    }

    /// Returns when the reply ends if nothing more comes.
    fn silence_end(&self) -> Option<Instant> {
        let last_read = self.last_read?;
        match &self.collector {
            Collector::Lines(lines) => lines.framer.deadline(last_read),
            Collector::Text(text) => text.found.map(|_| last_read + PAUSE),
            Collector::Gap { time, .. } | Collector::FrameOrGap { time, .. } => {
                Some(last_read + *time)
            }
            Collector::Bytes { .. } => None,
        }
    }
}

impl Collector {
    /// Returns how many bytes of the reply have come.
    fn length(&self) -> usize {
        match self {
            Self::Lines(lines) | Self::FrameOrGap { frame: lines, .. } => lines.reply.len(),
            Self::Text(text) => text.reply.len(),
            Self::Bytes { reply, .. } | Self::Gap { reply, .. } => reply.len(),
        }
    }
}

/// A reply of whole lines, cut as the port cuts them.
struct Lines {
    framer: Box<dyn Framer>,
    /// The number of lines to come.
    missing: usize,
    /// The lines, with `\n` between them.
    reply: Vec<u8>,
    /// True once a line has come: the first may follow without `\n`.
    has_lines: bool,
}

impl Lines {
    fn new(count: usize, framing: &Framing, state: StreamState) -> Self {
        let mut framer = framing.framer(MAX_REPLY_BYTES);
        framer.begin(!state.has_begun);
        Self {
            framer,
            missing: count,
            reply: Vec::new(),
            has_lines: false,
        }
    }

    fn push(&mut self, chunk: &Bytes) -> Option<ReplyEnd> {
        let data = self.framer.push(chunk.clone());
        data.frames.iter().find_map(|frame| self.add(frame))
    }

    fn cut(&mut self) -> Option<ReplyEnd> {
        let data = self.framer.cut()?;
        data.frames.iter().find_map(|frame| self.add(frame))
    }

    /// Adds a line. Returns the reply with its last one.
    fn add(&mut self, frame: Frame<'_>) -> Option<ReplyEnd> {
        match frame.extent {
            Extent::Fragment => return None,
            Extent::Piece => return Some(Err(NoReply::TooLong)),
            Extent::Whole if frame.bytes.is_empty() => return None,
            Extent::Whole => {}
        }
        if std::mem::replace(&mut self.has_lines, true) {
            self.reply.push(b'\n');
        }
        self.reply.extend_from_slice(frame.bytes);
        self.missing -= 1;
        (self.missing == 0).then(|| Ok(std::mem::take(&mut self.reply).into()))
    }
}

/// A reply that ends with the line in which one of these texts stands, or with the text itself where
/// no line end follows.
struct TextEnd {
    texts: Vec<Bytes>,
    /// The last byte of a line end; None for a framing without.
    line_end: Option<u8>,
    /// True until the end of a line that had begun before the question.
    skips_line: bool,
    reply: Vec<u8>,
    /// The end of the text that was found.
    found: Option<usize>,
}

impl TextEnd {
    fn new(texts: &[Bytes], framing: &Framing, state: StreamState, now: Instant) -> Self {
        let is_silent = state.last_read.is_some_and(|read| now - read >= PAUSE);
        let line_end = framing.line_end();
        Self {
            texts: texts.to_vec(),
            line_end,
            skips_line: state.has_begun && !is_silent && line_end.is_some(),
            reply: Vec::new(),
            found: None,
        }
    }

    fn push(&mut self, mut chunk: &[u8]) -> Option<Bytes> {
        if self.skips_line {
            let end = chunk.iter().position(|byte| Some(*byte) == self.line_end)?;
            self.skips_line = false;
            chunk = &chunk[end + 1..];
        }
        let known = self.reply.len();
        self.reply.extend_from_slice(chunk);
        if self.found.is_none() {
            self.found = self
                .texts
                .iter()
                .filter_map(|text| self.find(text, known))
                .min();
        }
        let found = self.found?;
        let Some(line_end) = self.line_end else {
            return Some(self.take(found));
        };
        let is_ended = self.reply[..found].last() == Some(&line_end);
        // The text itself may be, or have, the end of the line.
        let from = if is_ended { found - 1 } else { found };
        let end = self.reply[from..].iter().position(|byte| *byte == line_end);
        end.map(|end| self.take(from + end))
    }

    /// Returns the end of `text` in the reply, of which `known` bytes have been searched.
    fn find(&self, text: &[u8], known: usize) -> Option<usize> {
        let from = known.saturating_sub(text.len() - 1);
        let at = memmem::find(&self.reply[from..], text)?;
        Some(from + at + text.len())
    }

    /// Takes the reply up to this place, without line ends around it.
    fn take(&mut self, end: usize) -> Bytes {
        let reply = std::mem::take(&mut self.reply);
        let is_line_end =
            |byte: &u8| matches!(*byte, b'\r' | b'\n') || Some(*byte) == self.line_end;
        let end = reply[..end]
            .iter()
            .rposition(|byte| !is_line_end(byte))
            .map_or(0, |at| at + 1);
        let start = reply[..end]
            .iter()
            .position(|byte| !is_line_end(byte))
            .unwrap_or(end);
        Bytes::from(reply).slice(start..end)
    }
}

#[cfg(test)]
mod tests;
