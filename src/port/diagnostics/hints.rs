//! Decides when the bytes of an open device deserve a hint. A hint is true, or there is none.

use std::mem::{Discriminant, discriminant};
use std::time::Duration;

use tokio::time::Instant;

use super::expectations::Expectations;
use super::finding::{Finding, Hint, enough};
use super::frame_guess::FrameGuess;
use super::pauses::Pauses;
use super::sample::Sample;
use crate::hub::{Data, Extent, Frame, Parity};
use crate::port::config::DataKind;
use crate::port::framing::Framing;

/// Bytes without a line end before a hint says that they are not text.
const MIN_BYTES: usize = 256;

/// Time without a line end before a hint says so.
const NO_LINE_END_DELAY: Duration = Duration::from_secs(2);

/// Time for which a program with pipes may write nothing before a hint says why that may be.
const FIRST_OUTPUT_DELAY: Duration = Duration::from_secs(3);

/// Lines to see before their encoding is judged.
const MIN_LINES: usize = 8;

/// Lines that are not UTF-8 to see before an encoding is named. Fewer may be errors on the line.
const MIN_INVALID: usize = 3;

/// Lines after which older ones count half, so that a change is noticed.
const RECENT_LINES: usize = 256;

/// Pauses in text without a line end before a hint says so: a prompt has none.
const MIN_TEXT_PAUSES: u32 = 3;

/// Bytes of such text before a hint says so: what somebody types at a prompt comes back in as many
/// pieces.
const MIN_TEXT_BYTES: usize = 24;

/// The lines and bytes seen since the device was opened. Each hint is given once.
pub(crate) struct Hints {
    expected: Expectations,
    /// Recent lines.
    lines: usize,
    /// Those of them that are not UTF-8.
    invalid: usize,
    has_seen_line_end: bool,
    /// The time of the first byte since the last line end, and the number of bytes since.
    unfinished: Option<(Instant, usize)>,
    /// The length of a line that was cut into pieces, as far as it came.
    long_line: usize,
    last_read: Option<Instant>,
    /// The time to say that nothing has come yet.
    first_output: Option<Instant>,
    /// True if nothing was judged since the last read.
    is_news: bool,
    pauses: Pauses,
    sample: Sample,
    guess: FrameGuess,
    given: Vec<Discriminant<Finding>>,
    /// The longest line that the last hint about long lines allows.
    suggested: usize,
}

impl Hints {
    /// Starts with a device that was just opened.
    pub(crate) fn new(expected: Expectations) -> Self {
        Self {
            expected,
            lines: 0,
            invalid: 0,
            has_seen_line_end: false,
            unfinished: None,
            long_line: 0,
            last_read: None,
            first_output: None,
            is_news: false,
            pauses: Pauses::default(),
            sample: Sample::default(),
            guess: FrameGuess::default(),
            given: Vec::new(),
            suggested: 0,
        }
    }

    /// Waits for the first output of a program with pipes.
    pub(crate) fn await_output(&mut self, now: Instant) {
        self.first_output = self.expected.is_piped.then(|| now + FIRST_OUTPUT_DELAY);
    }

    /// Looks at what was read, and returns a hint for the user.
    pub(crate) fn look(&mut self, data: &Data, now: Instant) -> Option<Hint> {
        self.first_output = None;
        if self.expected.kind == DataKind::Bytes || data.chunk.is_empty() {
            return None;
        }
        let last_read = self.last_read.replace(now);
        if last_read.is_some_and(|last| now - last >= self.expected.min_pause) {
            self.pauses.pause();
        }
        self.pauses.read(&data.chunk);
        let (is_usual, long_line) = self.count_lines(data, now);
        if is_usual {
            self.guess.restart();
        }
        if is_usual && self.sample.is_full() {
            self.sample = Sample::default();
        }
        let finding = if is_usual {
            None
        } else {
            self.examine(data, now)
        };
        self.give(finding.or(long_line)?)
    }

    /// Returns when to call [`Hints::on_silence`] if nothing is read until then.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.first_output.or_else(|| self.line_end_deadline())
    }

    fn line_end_deadline(&self) -> Option<Instant> {
        let (since, _) = self.unfinished?;
        if self.has_seen_line_end || !self.is_news || self.expected.kind != DataKind::Lines {
            return None;
        }
        let silent = self.last_read? + self.expected.min_pause;
        Some(silent.max(since + NO_LINE_END_DELAY))
    }

    /// Judges what came before a silence, and returns a hint for the user.
    pub(crate) fn on_silence(&mut self, now: Instant) -> Option<Hint> {
        if self.deadline().is_none_or(|at| at > now) {
            return None;
        }
        if self.first_output.take().is_some() {
            return self.give(Finding::Buffered);
        }
        self.is_news = false;
        self.pauses.pause();
        let finding = self.judge(now)?;
        self.give(finding)
    }

    /// Counts the lines that ended. Returns true if there is nothing unusual about these bytes, and
    /// a long line that ended.
    fn count_lines(&mut self, data: &Data, now: Instant) -> (bool, Option<Finding>) {
        let (mut invalid, mut long_line) = (0, None);
        let mut has_line_end = false;
        for frame in data.frames.iter() {
            invalid += usize::from(!frame.utf8);
            has_line_end |= frame.extent == Extent::Whole;
            if frame.extent != Extent::Whole || self.long_line > 0 {
                let (is_end, finding) = self.count_piece(frame);
                has_line_end |= is_end;
                long_line = finding.or(long_line);
            }
        }
        if !has_line_end {
            let (_, bytes) = self.unfinished.get_or_insert((now, 0));
            *bytes += data.chunk.len();
            // The usual beginning of a line, while lines come.
            let is_usual = self.has_seen_line_end && *bytes < MIN_BYTES;
            return (is_usual && invalid == 0, long_line);
        }
        self.has_seen_line_end = true;
        self.unfinished = None;
        self.pauses.in_line = 0;
        self.lines += data.frames.len();
        self.invalid += invalid;
        if self.lines > RECENT_LINES {
            self.lines /= 2;
            self.invalid /= 2;
        }
        let last = data.chunk.last();
        let is_ended = last.is_none_or(|last| !last.is_ascii_control() || b"\r\n".contains(last));
        (invalid == 0 && is_ended, long_line)
    }

    /// Counts a frame of a line that may be too long. Returns true if the line ends with it, and the
    /// line if it was cut.
    fn count_piece(&mut self, frame: Frame<'_>) -> (bool, Option<Finding>) {
        // A piece is shorter than the limit only by the beginning of a character.
        let is_full = frame.bytes.len() + 3 >= self.expected.max_line;
        if is_full && frame.extent != Extent::Whole {
            // How long a line is whose beginning was missed is not known.
            let is_known = frame.extent == Extent::Piece;
            self.long_line += if is_known { frame.bytes.len() } else { 0 };
            return (false, None);
        }
        let rest = if frame.extent == Extent::Whole {
            0
        } else {
            frame.bytes.len()
        };
        let length = std::mem::take(&mut self.long_line);
        let is_cut = length > 0 && self.expected.kind == DataKind::Lines;
        (true, is_cut.then_some(Finding::LongLine(length + rest)))
    }

    fn examine(&mut self, data: &Data, now: Instant) -> Option<Finding> {
        self.is_news = true;
        if !self.sample.is_full() {
            self.sample.add(data);
        }
        self.guess.add(&data.chunk);
        let frames = self.guess.framing().map(Finding::Frames);
        frames.or_else(|| self.judge(now))
    }

    /// Returns what does not fit, as far as it is sure.
    fn judge(&mut self, now: Instant) -> Option<Finding> {
        if self.is_done() {
            return None;
        }
        match self
            .sample
            .seven_bits()
            .filter(|_| self.expected.has_eight_bits)
        {
            Some(parity) if self.sample.is_enough() => return Some(Finding::SevenBits(parity)),
            // What else it may be shows later.
            Some(_) => return None,
            None => {}
        }
        self.judge_lines().or_else(|| self.judge_line_end(now))
    }

    fn judge_lines(&self) -> Option<Finding> {
        if self.lines < MIN_LINES {
            return None;
        }
        let (lines, invalid) = (self.lines, self.invalid);
        if self.expected.was_searched && invalid * 2 > lines {
            // Text of another encoding would have been found.
            return Some(Finding::NoText);
        }
        if invalid >= MIN_INVALID && invalid * 8 >= lines && self.sample.is_other_encoding() {
            return Some(Finding::Encoding(self.sample.usual_high()));
        }
        let is_unlike = invalid * 2 > lines && !self.sample.is_other_encoding();
        is_unlike.then(|| self.unlike_text())?
    }

    fn judge_line_end(&self, now: Instant) -> Option<Finding> {
        let has_lines = self.has_seen_line_end;
        let is_text = self.sample.is_text();
        if is_text && self.expected.frame == "json" {
            // Line ends and pauses mean nothing to JSON.
            return None;
        }
        if is_text && has_lines {
            return self.terminator(true);
        }
        let (since, bytes) = self.unfinished?;
        let is_late = now - since >= NO_LINE_END_DELAY;
        if !is_text {
            let is_due = is_late || bytes >= MIN_BYTES;
            return self.judge_bytes().filter(|_| is_due);
        }
        if self.expected.kind != DataKind::Lines || !is_late {
            return None;
        }
        let is_endless = bytes >= 4 * self.expected.max_line;
        let has_pauses = self.pauses.in_line >= MIN_TEXT_PAUSES
            && bytes >= MIN_TEXT_BYTES
            && !self.pauses.is_unfinished();
        let is_text = (is_endless || has_pauses).then_some(Finding::Text);
        self.terminator(false).or(is_text)
    }

    fn judge_bytes(&self) -> Option<Finding> {
        if self.expected.kind != DataKind::Lines {
            return self.unlike_text();
        }
        let end = self.pauses.binary_terminator();
        let end = end.filter(|_| self.sample.is_low_beside_ones());
        let end = end.map(|end| Finding::Terminator(end.to_vec()));
        end.or(Some(Finding::Bytes(self.sample.is_high())))
    }

    /// Returns what to say about bytes that are no text.
    fn unlike_text(&self) -> Option<Finding> {
        if self.expected.was_searched {
            return Some(Finding::NoText);
        }
        self.expected.has_rate.then_some(Finding::Rate)
    }

    fn terminator(&self, has_lines: bool) -> Option<Finding> {
        let control = self.sample.usual_control().filter(|_| !has_lines);
        let end = self.pauses.terminator(has_lines).map(<[u8]>::to_vec);
        let end = end.or(control.map(|control| vec![control]))?;
        // The line ends of UTF-16 are none of a framing, which would leave the rest as it is.
        if end.contains(&0) && end.iter().any(|byte| b"\r\n".contains(byte)) {
            return None;
        }
        let is_other = self.expected.frame != Framing::ended_by(&end).to_string();
        is_other.then_some(Finding::Terminator(end))
    }

    /// After these hints, others would be about the same.
    fn is_done(&self) -> bool {
        let last = [
            Finding::SevenBits(Parity::None),
            Finding::Rate,
            Finding::NoText,
            Finding::Bytes(false),
            Finding::Frames(String::new()),
        ];
        last.iter().any(|finding| self.is_given(finding))
    }

    fn is_given(&self, finding: &Finding) -> bool {
        self.given.contains(&discriminant(finding))
    }

    /// Returns the hint, if it is new.
    fn give(&mut self, finding: Finding) -> Option<Hint> {
        let is_new = match finding {
            Finding::LongLine(length) => length > self.suggested,
            _ => !self.is_given(&finding),
        };
        if !is_new {
            return None;
        }
        if let Finding::LongLine(length) = finding {
            self.suggested = enough(length).max(length);
        }
        self.given.push(discriminant(&finding));
        Some(finding.hint(&self.expected))
    }
}

#[cfg(test)]
mod tests;
