//! `crlf`: only `\r\n` ends a line; a `\r` or a `\n` alone belongs to it.

use super::delim::{self, Delimiter};
use super::lines::LineFramer;
use super::{Framing, FramingKind};

/// The definition of the framing.
pub(super) const CRLF: FramingKind = FramingKind {
    usage: "crlf",
    parse: |_| {
        let framer = |max_line| {
            let delimiter = Delimiter::new(b"\r\n".to_vec());
            Box::new(LineFramer::with_terminator(delimiter, max_line)) as _
        };
        let framing = Framing::new("crlf", framer).ends_with(Some(b'\n'));
        Ok(framing.with_encoding(|line| delim::ended(line, b"\r\n")))
    },
};
