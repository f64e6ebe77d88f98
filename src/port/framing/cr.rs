//! `cr`: a line ends with `\r`. A `\n` right after it belongs to the line end.

use std::ops::Range;

use memchr::memchr_iter;

use super::lines::{Follow, LineFramer, Terminator};
use super::{Framing, FramingKind, delim};

/// The definition of the framing.
pub(super) const CR: FramingKind = FramingKind {
    usage: "cr",
    parse: |_| {
        let framer = |max_line| Box::new(LineFramer::with_terminator(Cr, max_line)) as _;
        let framing = Framing::new("cr", framer).ends_with(Some(b'\r'));
        // A line feed at the beginning would belong to the line before.
        Ok(framing.with_encoding(|line| match line {
            [b'\n', ..] => {
                Err("the line begins with 0a, which would end the one before".to_owned())
            }
            line => delim::ended(line, b"\r"),
        }))
    },
};

/// Ends lines with `\r` and the `\n` after it.
#[derive(Clone, Copy)]
struct Cr;

impl Terminator for Cr {
    fn last_byte(&self) -> u8 {
        b'\r'
    }

    fn find<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = Range<usize>> + 'a {
        memchr_iter(b'\r', text).map(|at| at..at + 1)
    }

    fn follow(&self, rest: &[u8]) -> Follow {
        Follow {
            bytes: usize::from(rest.starts_with(b"\n")),
            may_go_on: rest.is_empty(),
        }
    }
}
