//! `crlf`: only `\r\n` ends a line; a `\r` or a `\n` alone belongs to it.

use super::delim::Delimiter;
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
        Ok(Framing::new("crlf", framer))
    },
};
