//! Judges a sample of bytes: text, text of another encoding or character format, or neither.

use crate::hub::{Data, Parity};

/// Bytes to look at. At the limit the sample changes no more.
const MAX_BYTES: usize = 4096;

/// Bytes, and different ones among them, from which parity is judged. By chance alone, so many do
/// not have the same.
const ENOUGH: [(usize, usize); 2] = [(32, 5), (128, 3)];

/// Times that a control character must come to be taken for what ends each message.
const MIN_ENDS: usize = 3;

/// Times that CR and LF must come, as often as each other, to show that the rate is right.
const MIN_LINE_ENDS: u16 = 8;

/// Different control characters that mark messages of text at most. Binary data has more.
const MAX_MARKS: usize = 4;

/// The count of each byte among those that did not come in ordinary lines.
pub(super) struct Sample {
    counts: [u16; 256],
    total: usize,
    /// Bytes of characters that take several in UTF-8.
    multibyte: usize,
}

impl Default for Sample {
    fn default() -> Self {
        Self {
            counts: [0; 256],
            total: 0,
            multibyte: 0,
        }
    }
}

impl Sample {
    /// Adds a chunk, as far as there is room.
    pub(super) fn add(&mut self, data: &Data) {
        let room = MAX_BYTES - self.total;
        let chunk = &data.chunk[..data.chunk.len().min(room)];
        self.total += chunk.len();
        for byte in chunk {
            self.counts[usize::from(*byte)] += 1;
        }
        let text = [data.split.as_bytes(), chunk].concat();
        let valid = text.utf8_chunks().flat_map(|part| part.valid().bytes());
        self.multibyte += valid.filter(|byte| !byte.is_ascii()).count();
    }

    /// Returns true if it changes no more.
    pub(super) fn is_full(&self) -> bool {
        self.total == MAX_BYTES
    }

    /// Returns true if most of it is text, apart from control characters that mark messages.
    pub(super) fn is_text(&self) -> bool {
        let text = self.count(is_printable) + self.count(is_space) + self.multibyte;
        let is_mark = |byte: &u8| byte.is_ascii_control() && !is_space(*byte);
        let marks = self.count(|byte| is_mark(&byte));
        let is_frequent =
            |byte: &u8| usize::from(self.counts[usize::from(*byte)]) * 50 > self.total;
        let kinds = (0..=0x7f).filter(is_mark).filter(is_frequent).count();
        text * 10 >= (self.total - marks) * 7 && text * 4 >= self.total && kinds <= MAX_MARKS
    }

    /// Returns true for text without control characters that is mostly ASCII, as in Latin-1, or whose
    /// lines end with CR LF, as in KOI8. Bytes at a wrong rate are everything.
    pub(super) fn is_other_encoding(&self) -> bool {
        let (printable, high) = (self.count(is_printable), self.high());
        let controls =
            self.count(|byte| byte.is_ascii_control() && !is_space(byte) && byte != 0x1b);
        let [returns, feeds] = [b'\r', b'\n'].map(|byte| self.counts[usize::from(byte)]);
        let has_line_ends = feeds >= MIN_LINE_ENDS && returns.abs_diff(feeds) * 8 <= feeds;
        controls * 100 <= self.total && (printable * 4 >= printable + high || has_line_ends)
    }

    /// Returns true if nearly all bytes are beyond ASCII, which no text is, and few bytes of other
    /// kinds of data.
    pub(super) fn is_high(&self) -> bool {
        self.high() * 4 >= self.total * 3
    }

    /// Returns true if most bytes but those of all ones are ASCII. Text at a lower rate than that at
    /// which it was sent has mostly ones.
    pub(super) fn is_low_beside_ones(&self) -> bool {
        let ones = usize::from(self.counts[0xff]);
        (self.high() - ones) * 2 < self.total - ones
    }

    /// Returns the most frequent byte beyond ASCII.
    pub(super) fn usual_high(&self) -> u8 {
        let bytes = 0x80..=u8::MAX;
        let most = bytes.max_by_key(|byte| self.counts[usize::from(*byte)]);
        most.unwrap_or(u8::MAX)
    }

    /// Returns the parity of characters with 7 data bits, if these bytes may be such characters:
    /// text but for the top bit, which makes the parity of each byte the same, or is always set.
    pub(super) fn seven_bits(&self) -> Option<Parity> {
        let is_text = |byte: u8| {
            let low = byte & 0x7f;
            is_printable(low) || is_space(low) || matches!(low, 0x02 | 0x03)
        };
        if !self.are_nearly_all(is_text) {
            return None;
        }
        let (high, low) = (self.high(), self.total - self.high());
        if low == 0 {
            let has_line_end = self.counts[0x8a] > 0 || self.counts[0x8d] > 0;
            return has_line_end.then_some(Parity::None);
        }
        let are_both = high * 20 >= self.total && low * 20 >= self.total;
        let is_even = |byte: u8| byte.count_ones().is_multiple_of(2);
        if are_both && self.are_nearly_all(is_even) {
            Some(Parity::Even)
        } else if are_both && self.are_nearly_all(|byte| !is_even(byte)) {
            Some(Parity::Odd)
        } else {
            None
        }
    }

    /// Returns true if there are enough bytes to be sure of [`Sample::seven_bits`].
    pub(super) fn is_enough(&self) -> bool {
        let values = self.counts.iter().filter(|count| **count > 0).count();
        let mut enough = ENOUGH.iter();
        enough.any(|(total, least)| self.total >= *total && values >= *least)
    }

    /// Returns the control character that comes time and again, if there is one apart from those
    /// that begin messages.
    pub(super) fn usual_control(&self) -> Option<u8> {
        let begins = |byte: u8| matches!(byte, b'\t' | 0x01 | 0x02 | 0x1b);
        let mut controls = (0..0x20)
            .filter(|byte| !begins(*byte))
            .filter(|byte| self.counts[usize::from(*byte)] > 0);
        let control = controls.next().filter(|_| controls.next().is_none())?;
        (usize::from(self.counts[usize::from(control)]) >= MIN_ENDS).then_some(control)
    }

    fn high(&self) -> usize {
        self.count(|byte| !byte.is_ascii())
    }

    /// One byte in fifty may be wrong, such as the one that was under way at opening.
    fn are_nearly_all(&self, is_so: impl Fn(u8) -> bool) -> bool {
        (self.total - self.count(is_so)) * 50 <= self.total
    }

    fn count(&self, is_so: impl Fn(u8) -> bool) -> usize {
        let counted = (0..=u8::MAX).filter(|byte| is_so(*byte));
        counted
            .map(|byte| usize::from(self.counts[usize::from(byte)]))
            .sum()
    }
}

fn is_printable(byte: u8) -> bool {
    matches!(byte, b' '..=b'~')
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\r')
}
