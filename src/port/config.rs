//! What a port is told.

use super::source::spec::Spec;
use crate::settings::Settings;

/// One serial port.
#[derive(Clone, Debug)]
pub(crate) struct PortConfig {
    /// What users call it; `[A-Za-z0-9_-]+`.
    pub(crate) name: String,
    /// Which device it is.
    pub(crate) spec: Spec,
    /// How to open and show it.
    pub(crate) settings: Settings,
    /// Whether to give up, instead of waiting, when it cannot be opened.
    pub(crate) no_wait: bool,
}

/// Whether a port may have this name, which is part of an address then.
pub(crate) fn is_name(name: &str) -> bool {
    let is_name_byte = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    !name.is_empty() && name.bytes().all(is_name_byte)
}
