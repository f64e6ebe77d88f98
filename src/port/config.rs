//! What a port is told.

use super::source::spec::Spec;
use crate::hub::LineSettings;

/// One serial port.
#[derive(Clone, Debug)]
pub(crate) struct PortConfig {
    /// What users call it; `[A-Za-z0-9_-]+`.
    pub(crate) name: String,
    /// Which device it is.
    pub(crate) spec: Spec,
    /// How to open it.
    pub(crate) line: LineSettings,
    /// Bytes of a line beyond which it is cut into pieces.
    pub(crate) max_line: usize,
    /// Whether most clients will see lines, so that a device that sends none deserves a hint.
    pub(crate) expects_lines: bool,
    /// Whether to give up, instead of waiting, when it cannot be opened.
    pub(crate) no_wait: bool,
}

/// Whether a port may have this name, which is part of an address then.
pub(crate) fn is_name(name: &str) -> bool {
    let is_name_byte = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    !name.is_empty() && name.bytes().all(is_name_byte)
}
