//! Judges whether the bytes that come at a rate are lines of text.

use super::runs::Runs;
use crate::port::settle;

/// Bytes by which a rate is judged in the first round of a tour. Each round asks for more: a
/// receiver that joins a stream without pauses may take some time to be in step.
const MIN_SAMPLE: usize = 32;

/// The round after which it asks for no more.
pub(super) const MAX_ROUND: u32 = 4;

/// The most bytes by which a rate is judged.
const MAX_SAMPLE: usize = 256;

/// Bytes in one burst for which the first rate may be left: boards send noise when they are reset.
const MIN_NOISE: usize = 4;

/// Bursts after which they are judged all the same.
const MIN_BURSTS: usize = 2;

/// Bursts without a line end after which a tour goes on: at too low a rate, a line may be one
/// character.
const MAX_BURSTS: usize = 3;

/// Bytes before a line end that are judged where the beginning of the line was not seen. The
/// receiver may not have been in step before.
const TAIL: usize = 12;

/// Lines of text after which the rate is certain.
const MIN_LINES: usize = 3;

/// ASCII characters that these lines have at least, and different ones. By chance, there are not so
/// many without others between.
const MIN_TEXT: usize = 24;
const MIN_KINDS: u32 = 4;

/// Bytes of text without line ends after which it is taken for right.
const ENDLESS: usize = 128;

/// Different bytes in it at least. At a rate that is a multiple or a fraction of the board's, the same
/// few come time and again.
const MIN_VARIETY: usize = 6;

/// Lines with errors, one after another, after which text is none: at a rate that is a little too
/// high, every character has one.
const MAX_DAMAGED: usize = 2;

/// Bytes of a line to look at.
const MAX_LINE: usize = 256;

/// The judgement on the bytes that came at one rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opinion {
    /// There is too little to say, or text.
    Fits,
    /// This is no text.
    Unlike,
    /// This is text without doubt.
    Certain,
}

/// The bytes that came at one rate.
pub(super) struct Evidence {
    /// The round of the tour; 0 before it.
    round: u32,
    /// True until a silence: the first of them may be the rest of what began before.
    is_rest: bool,
    /// The byte that ends a line.
    line_end: u8,
    /// The lengths of what the line did within them.
    pub(super) runs: Runs,
    /// The bytes since the last judgement in favour of text.
    sample: Vec<u8>,
    bursts: usize,
    /// The line that has begun.
    line: Vec<u8>,
    /// True if its beginning was seen.
    is_whole: bool,
    /// True if the driver counted an error in it.
    is_damaged: bool,
    /// The lines with errors that came one after another.
    damaged: usize,
    /// The lines of text that came one after another, and their bytes.
    lines: usize,
    text: usize,
    /// The ASCII characters in them, one bit each.
    kinds: u128,
    has_text: bool,
}

impl Evidence {
    /// Begins in this round of a tour; 0 is the time before it.
    pub(super) fn new(round: u32, line_end: u8) -> Self {
        Self {
            round,
            is_rest: true,
            line_end,
            runs: Runs::default(),
            sample: Vec::new(),
            bursts: 0,
            line: Vec::new(),
            is_whole: false,
            is_damaged: false,
            damaged: 0,
            lines: 0,
            text: 0,
            kinds: 0,
            has_text: false,
        }
    }

    /// Notes that nothing came for a while, so that what comes now begins a burst.
    pub(super) fn begins(&mut self) {
        self.is_rest = false;
        self.is_whole |= self.line.is_empty();
    }

    fn is_tour(&self) -> bool {
        self.round > 0
    }

    /// Returns true if text comes.
    pub(super) fn has_text(&self) -> bool {
        self.has_text
    }

    /// Returns true if there is something to judge.
    pub(super) fn has_sample(&self) -> bool {
        !self.sample.is_empty()
    }

    /// Adds bytes. The driver has counted errors in some of them, if it `has_errors`; None is for one
    /// that counts none.
    pub(super) fn add(&mut self, bytes: &[u8], has_errors: Option<bool>) -> Opinion {
        let counts = has_errors.is_some();
        let has_errors = has_errors == Some(true);
        self.is_damaged |= has_errors;
        let enough = MIN_SAMPLE << self.round.clamp(1, MAX_ROUND) >> 1;
        for &byte in bytes {
            self.runs.add(byte);
            if self.sample.len() < MAX_SAMPLE {
                self.sample.push(byte);
            }
            if byte == self.line_end {
                if self.end_line(has_errors, counts) {
                    return Opinion::Certain;
                }
            } else if self.line.len() < MAX_LINE {
                self.line.push(byte);
            }
            if self.sample.len() >= enough && self.judge() == Opinion::Unlike {
                return Opinion::Unlike;
            }
        }
        Opinion::Fits
    }

    /// Notes the end of a burst.
    pub(super) fn pause(&mut self) -> Opinion {
        if self.sample.is_empty() {
            return Opinion::Fits;
        }
        if std::mem::take(&mut self.is_rest) && !self.has_text {
            // What comes after the silence tells more.
            *self = Self::new(self.round, self.line_end);
            self.begins();
            return Opinion::Fits;
        }
        self.bursts += 1;
        if !self.is_tour() && self.sample.len() < MIN_NOISE && self.bursts < MIN_BURSTS {
            return Opinion::Fits;
        }
        self.judge()
    }

    fn judge(&mut self) -> Opinion {
        let (len, unlike) = (self.sample.len(), unlike_text(&self.sample));
        let is_endless = len >= ENDLESS && self.bursts < MAX_BURSTS;
        let is_varied = variety(&self.sample) >= MIN_VARIETY;
        if self.has_text || (is_endless && is_varied && unlike == 0) {
            self.found_text();
        }
        let is_late = is_endless || (self.is_tour() && self.bursts >= MAX_BURSTS);
        let has_no_line = !self.has_text && is_late && (self.is_tour() || !is_varied);
        if !self.is_tour() && is_seven_bits(&self.sample) {
            return Opinion::Fits;
        }
        if unlike * 100 >= len * self.most_unlike() || self.damaged >= MAX_DAMAGED || has_no_line {
            self.has_text = false;
            return Opinion::Unlike;
        }
        Opinion::Fits
    }

    /// Returns the share of bytes, in percent, that text has not got. The first rate is given some
    /// time: what was under way when the device was opened may be noise.
    fn most_unlike(&self) -> usize {
        match self.sample.len() {
            0..8 if !self.is_tour() => 50,
            8..MIN_SAMPLE if !self.is_tour() => 30,
            _ => 10,
        }
    }

    fn found_text(&mut self) {
        self.has_text = true;
        self.sample.clear();
        self.bursts = 0;
    }

    /// Ends a line. Returns true if it is the last that was needed.
    fn end_line(&mut self, has_errors: bool, counts: bool) -> bool {
        let line = std::mem::take(&mut self.line);
        let is_whole = std::mem::replace(&mut self.is_whole, true);
        let is_damaged = std::mem::replace(&mut self.is_damaged, has_errors);
        let line = trim_returns(&line);
        if line.trim_ascii().is_empty() {
            return false;
        }
        let tail = &line[line.len().saturating_sub(TAIL)..];
        self.damaged = if is_damaged { self.damaged + 1 } else { 0 };
        if is_damaged || !is_text(if is_whole { line } else { tail }) {
            (self.lines, self.text, self.kinds) = (0, 0, 0);
            return false;
        }
        self.found_text();
        // Without errors on the line, other encodings are no proof.
        let is_proof = counts || std::str::from_utf8(line).is_ok();
        if is_whole && is_proof && !settle::is_boot_log(line) {
            self.lines += 1;
            for byte in line.iter().filter(|byte| byte.is_ascii()) {
                self.text += 1;
                self.kinds |= 1 << byte;
            }
        }
        let is_varied = self.kinds.count_ones() >= MIN_KINDS;
        self.lines >= MIN_LINES && self.text >= MIN_TEXT && is_varied
    }
}

/// Leaves out the carriage returns that belong to the line ends before and after a line.
fn trim_returns(line: &[u8]) -> &[u8] {
    let line = line.strip_prefix(b"\r").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Returns how many different bytes there are.
fn variety(bytes: &[u8]) -> usize {
    let mut seen = [false; 256];
    bytes
        .iter()
        .for_each(|byte| seen[usize::from(*byte)] = true);
    seen.iter().filter(|seen| **seen).count()
}

/// Returns how many of these bytes are no part of text in UTF-8.
fn unlike_text(bytes: &[u8]) -> usize {
    let chunk = |chunk: std::str::Utf8Chunk<'_>| {
        let valid = chunk.valid().bytes();
        let controls = valid.filter(|byte| byte.is_ascii() && !is_like_text(*byte));
        controls.count() + chunk.invalid().len()
    };
    bytes.utf8_chunks().map(chunk).sum()
}

/// Returns true for text of seven bits with a parity bit, which another rate would not help.
fn is_seven_bits(bytes: &[u8]) -> bool {
    /// Fewer bytes may have the same parity by chance.
    const MIN_PARITY_BYTES: usize = 12;
    /// So few different ones come time and again at many rates.
    const MIN_PARITY_VARIETY: usize = 5;

    let odd = bytes
        .iter()
        .filter(|byte| byte.count_ones() % 2 == 1)
        .count();
    let is_text = bytes.iter().all(|byte| is_like_text(byte & 0x7f));
    let is_enough = bytes.len() >= MIN_PARITY_BYTES && variety(bytes) >= MIN_PARITY_VARIETY;
    is_enough && is_text && (odd == 0 || odd == bytes.len())
}

fn is_like_text(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n' | 0x1b)
}

/// Returns true for UTF-8 without control characters, and for text with few characters of another
/// encoding, each by itself.
fn is_text(line: &[u8]) -> bool {
    let is_control =
        |byte: &u8| byte.is_ascii() && (!is_like_text(*byte) || b"\r\n".contains(byte));
    let high = line.iter().filter(|byte| !byte.is_ascii()).count();
    let is_alone = || {
        !line
            .windows(2)
            .any(|pair| pair.iter().all(|byte| !byte.is_ascii()))
    };
    let is_utf8 = || std::str::from_utf8(line).is_ok();
    !line.iter().any(is_control) && ((high * 8 <= line.len() && is_alone()) || is_utf8())
}
