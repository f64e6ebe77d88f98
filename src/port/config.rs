//! The configuration of a port.

use super::framing::Framing;
use super::source::spec::Spec;
use crate::hub::LineSettings;

/// Bytes of the longest line that `--max-line` permits.
pub(crate) const MAX_LINE_LIMIT: usize = 1 << 20;

/// One serial port.
#[derive(Clone, Debug)]
pub(crate) struct PortConfig {
    /// The name that users give it; `[A-Za-z0-9_-]+`.
    pub(crate) name: String,
    /// The device that it wants.
    pub(crate) spec: Spec,
    /// The settings with which it is opened.
    pub(crate) line: LineSettings,
    /// The way to cut what it sends into lines.
    pub(crate) frame: Framing,
    /// Bytes of a line beyond which it is cut into pieces.
    pub(crate) max_line: usize,
    /// The kind of data that most clients see. A device that sends something else deserves a hint.
    pub(crate) expects: DataKind,
    /// Ends the program, instead of waiting, if the device cannot be opened at first.
    pub(crate) no_wait: bool,
}

/// A kind of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DataKind {
    /// Lines of text.
    Lines,
    /// Text with or without lines.
    Text,
    /// Any bytes.
    Bytes,
}

/// Returns whether a port may have this name. It becomes part of addresses.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(is_name_char)
}

/// Returns whether this character may be in the name of a port.
pub(super) fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}
