//! The bytes before each pause: where they are always the same, they end the messages.

/// Bytes to remember of what came last.
const TAIL_BYTES: usize = 4;

/// Pauses after the same punctuation mark before it is taken for the end of a message. A control
/// character needs one.
const MIN_PAUSES: u32 = 3;

/// Punctuation that ends the messages of radios, instruments and modems. Other marks end what goes
/// on (`.`, `,`, `:`), or belong to the message (`}`, `%`).
const MARKS: &[u8] = b";>#*!$|~&@^/\\";

/// The bytes before pauses.
#[derive(Default)]
pub(super) struct Pauses {
    /// The last bytes that came.
    tail: Tail,
    /// True if the pause after them was counted.
    is_counted: bool,
    /// The bytes that the last pauses all followed.
    end: Tail,
    /// The number of pauses that followed it without one that did not.
    same: u32,
    /// The pauses since the last line end.
    pub(super) in_line: u32,
}

/// The last bytes of something, at most [`TAIL_BYTES`].
#[derive(Clone, Copy, Default)]
struct Tail {
    bytes: [u8; TAIL_BYTES],
    len: usize,
}

impl Pauses {
    /// Notes what was read.
    pub(super) fn read(&mut self, chunk: &[u8]) {
        self.is_counted = false;
        self.tail.push(chunk);
    }

    /// Notes that nothing came for a while.
    pub(super) fn pause(&mut self) {
        if self.tail.len == 0 || std::mem::replace(&mut self.is_counted, true) {
            return;
        }
        self.in_line += 1;
        let common = self.end.common(&self.tail);
        let is_same = self.same > 0 && common.len > 0;
        self.same = if is_same { self.same + 1 } else { 1 };
        self.end = if is_same { common } else { self.tail };
        self.tail.len = 0;
    }

    /// Returns the bytes that end each message, if every pause follows them. Where lines come,
    /// only a control character after the line end counts.
    pub(super) fn terminator(&self, has_lines: bool) -> Option<&[u8]> {
        let end = self.end.as_bytes();
        let last = *end.last().filter(|_| self.same > 0)?;
        let is_control =
            |byte: &u8| byte.is_ascii_control() && !matches!(byte, b'\t' | 0x1b | 0x7f);
        if is_control(&last) {
            let start = end.iter().rposition(|byte| !is_control(byte));
            let controls = &end[start.map_or(0, |start| start + 1)..];
            let is_sure = !has_lines || (self.same >= MIN_PAUSES && !b"\r\n".contains(&last));
            return is_sure.then_some(controls);
        }
        let is_sure = self.same >= MIN_PAUSES && !has_lines;
        if MARKS.contains(&last) && is_sure {
            return Some(&end[end.len() - 1..]);
        }
        None
    }

    /// Returns the bytes that end each message of binary data: three that are all ones, as displays
    /// send them.
    pub(super) fn binary_terminator(&self) -> Option<&[u8]> {
        let end = self.end.as_bytes();
        let ones = end
            .strip_suffix(b"\xff\xff\xff")
            .map(|rest| &end[rest.len()..]);
        ones.filter(|_| self.same >= MIN_PAUSES)
    }

    /// Returns true if text seems to go on after the last pause.
    pub(super) fn is_unfinished(&self) -> bool {
        self.end.as_bytes().ends_with(b".")
    }
}

impl Tail {
    fn as_bytes(&self) -> &[u8] {
        &self.bytes[TAIL_BYTES - self.len..]
    }

    /// Keeps the last of these bytes and those before them.
    fn push(&mut self, chunk: &[u8]) {
        let new = &chunk[chunk.len().saturating_sub(TAIL_BYTES)..];
        self.bytes.rotate_left(new.len() % TAIL_BYTES);
        self.bytes[TAIL_BYTES - new.len()..].copy_from_slice(new);
        self.len = TAIL_BYTES.min(self.len + new.len());
    }

    /// Returns the bytes with which both end.
    fn common(&self, other: &Self) -> Self {
        let pairs = self
            .as_bytes()
            .iter()
            .rev()
            .zip(other.as_bytes().iter().rev());
        let len = pairs.take_while(|(a, b)| a == b).count();
        Self {
            bytes: self.bytes,
            len,
        }
    }
}
