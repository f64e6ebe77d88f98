//! `delim:HEX`: the bytes HEX end a line, and do not belong to it.

use std::fmt::Write;
use std::ops::Range;
use std::sync::Arc;

use memchr::memmem::{self, Finder};

use super::lines::{LineFramer, Terminator};
use super::{Framing, FramingKind};

/// Bytes of the longest delimiter; a longer one is refused.
const MAX_BYTES: usize = 16;

/// The definition of the framing.
pub(super) const DELIM: FramingKind = FramingKind {
    usage: "delim:HEX",
    parse: |hex| {
        let bytes = bytes(hex).ok_or_else(|| {
            format!("expected 1 to {MAX_BYTES} bytes in hex, such as delim:3b or delim:0d0a")
        })?;
        Ok(framing(bytes))
    },
};

/// Returns the framing by these bytes.
pub(super) fn framing(bytes: Vec<u8>) -> Framing {
    let text = shown(&bytes);
    let end = bytes.clone();
    let framing = Framing::new(text, move |max_line| {
        let delimiter = Delimiter::new(bytes.clone());
        Box::new(LineFramer::with_terminator(delimiter, max_line)) as _
    });
    framing
        .ends_with(end.last().copied())
        .with_encoding(move |frame| ended(frame, &end))
}

/// Returns the frame with these bytes at its end, which it may not contain.
pub(super) fn ended(frame: &[u8], end: &[u8]) -> Result<Vec<u8>, String> {
    let ended = [frame, end].concat();
    if contains(&ended[..ended.len() - 1], end) {
        return Err(format!(
            "the frame contains {}, which would end it",
            digits(end)
        ));
    }
    Ok(ended)
}

pub(super) fn contains(text: &[u8], bytes: &[u8]) -> bool {
    memmem::find(text, bytes).is_some()
}

/// Returns how the framing by these bytes is written.
pub(super) fn shown(bytes: &[u8]) -> String {
    format!("delim:{}", digits(bytes))
}

/// Returns these bytes in hex.
pub(super) fn digits(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Returns true for bytes in hex without `delim:`, which users may leave out.
pub(super) fn is_hex(text: &str) -> bool {
    bytes(text).is_some()
}

/// Returns the bytes that this is in hex, at least one.
pub(super) fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes();
    let is_right = !digits.is_empty()
        && digits.len() <= 2 * MAX_BYTES
        && digits.len().is_multiple_of(2)
        && digits.iter().all(u8::is_ascii_hexdigit);
    let pairs = digits.chunks(2).filter(|_| is_right);
    let bytes = pairs.map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok());
    bytes.collect::<Option<Vec<_>>>().filter(|_| is_right)
}

/// Ends lines with a sequence of bytes.
#[derive(Clone)]
pub(super) struct Delimiter {
    last: u8,
    finder: Arc<Finder<'static>>,
}

impl Delimiter {
    /// Ends lines with these bytes, of which there is at least one.
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self {
            last: bytes.last().copied().unwrap_or_default(),
            finder: Arc::new(Finder::new(&bytes).into_owned()),
        }
    }
}

impl Terminator for Delimiter {
    fn last_byte(&self) -> u8 {
        self.last
    }

    fn overlap(&self) -> usize {
        self.finder.needle().len() - 1
    }

    fn find<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = Range<usize>> + 'a {
        let length = self.finder.needle().len();
        self.finder
            .find_iter(text)
            .map(move |start| start..start + length)
    }

    fn content(&self, line: &[u8], is_ended: bool) -> usize {
        let needle = self.finder.needle();
        let longest = line.len().min(needle.len() - 1);
        let mut lengths = (1..=longest).rev();
        let is_begun = |len: &usize| line.ends_with(&needle[..*len]);
        let begun = lengths.find(is_begun).filter(|_| !is_ended);
        line.len() - begun.unwrap_or(0)
    }
}
