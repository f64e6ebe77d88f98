//! The answers of systems that tell less about serial ports than Linux does.

use std::time::Duration;

use super::SerialStream;
use crate::hub::LineErrors;
use crate::port::Diagnostic;

/// Ports are opened by the library alone.
pub(crate) enum EarlyPort {}

impl EarlyPort {
    pub(crate) fn open(_path: &str, _baud: u32, _discards: bool) -> Option<Self> {
        None
    }

    pub(crate) fn is_silent_for(&self, _silence: Duration) -> bool {
        match *self {}
    }
}

pub(crate) fn aliases(_path: &str) -> Vec<String> {
    Vec::new()
}

pub(crate) fn cannot_list() -> Option<String> {
    None
}

pub(crate) fn interference(_path: &str, _low_latency: bool) -> Vec<Diagnostic> {
    Vec::new()
}

pub(crate) fn line_errors(_port: &SerialStream) -> Option<LineErrors> {
    None
}

/// Returns None: everybody may open serial ports.
pub(crate) fn serial_group() -> Option<String> {
    None
}

pub(crate) fn set_low_latency(_port: &SerialStream) -> bool {
    false
}

pub(crate) fn usb_location(_path: &str) -> Option<String> {
    None
}
