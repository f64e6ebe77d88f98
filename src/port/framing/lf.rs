//! `lf`: a line ends with `\n`, and every `\r` beside it on either side belongs to the line end. So
//! boards that send `\r\n`, `\n\r` or `\r\r\n` give the same lines.

use std::ops::Range;

use memchr::memchr;

use super::lines::{Follow, LineFramer, Terminator};
use super::{Framing, FramingKind};

/// The definition of the framing.
pub(super) const LF: FramingKind = FramingKind {
    usage: "lf",
    parse: |_| {
        let framer = |max_line| Box::new(LineFramer::new(max_line)) as _;
        Ok(Framing::new("lf", framer))
    },
};

/// Ends lines with `\n` and what is beside it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lf;

impl Terminator for Lf {
    fn last_byte(&self) -> u8 {
        b'\n'
    }

    fn find(&self, text: &[u8]) -> Option<Range<usize>> {
        memchr(b'\n', text).map(|at| at..at + 1)
    }

    fn content(&self, line: &[u8], _is_ended: bool) -> usize {
        let last = line.iter().rposition(|byte| *byte != b'\r');
        last.map_or(0, |last| last + 1)
    }

    fn follow(&self, rest: &[u8]) -> Follow {
        let bytes = rest.iter().take_while(|byte| **byte == b'\r').count();
        Follow {
            bytes,
            may_go_on: bytes == rest.len(),
        }
    }
}
