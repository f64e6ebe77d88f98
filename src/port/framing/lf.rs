//! `lf`: a line ends with `\n`, and every `\r` beside it on either side belongs to the line end. So
//! boards that send `\r\n`, `\n\r` or `\r\r\n` give the same lines.

use std::ops::Range;

use memchr::memchr_iter;

use super::lines::{Follow, LineFramer, Terminator};
use super::{Framing, FramingKind, delim};

/// The definition of the framing.
pub(super) const LF: FramingKind = FramingKind {
    usage: "lf",
    parse: |_| {
        let framer = |max_line| Box::new(LineFramer::new(max_line)) as _;
        let framing = Framing::new("lf", framer).ends_with(Some(b'\n'));
        Ok(framing.with_encoding(|line| {
            if line.starts_with(b"\r") || line.ends_with(b"\r") {
                return Err("0d at its beginning or its end would belong to a line end".to_owned());
            }
            delim::ended(line, b"\n")
        }))
    },
};

/// Ends lines with `\n` and what is beside it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lf;

impl Terminator for Lf {
    fn last_byte(&self) -> u8 {
        b'\n'
    }

    fn find<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = Range<usize>> + 'a {
        memchr_iter(b'\n', text).map(|at| at..at + 1)
    }

    fn content(&self, line: &[u8], _is_ended: bool) -> usize {
        let mut content = line;
        while let [before @ .., b'\r'] = content {
            content = before;
        }
        content.len()
    }

    fn follow(&self, rest: &[u8]) -> Follow {
        let mut after = rest;
        while let [b'\r', next @ ..] = after {
            after = next;
        }
        Follow {
            bytes: rest.len() - after.len(),
            may_go_on: after.is_empty(),
        }
    }
}
