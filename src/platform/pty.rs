//! Pseudo-terminals, of which one side is ours and the other a program's: one that we start, or one
//! that opens a path as a serial port. Windows has none.

#[cfg(unix)]
mod link;
#[cfg(unix)]
mod pair;
#[cfg(unix)]
mod reader;
#[cfg(unix)]
mod shared;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(super) use pair::{PtyPair, open_pty, set_raw};
#[cfg(unix)]
pub(crate) use {reader::TerminalReader, shared::SharedTerminal};
#[cfg(windows)]
pub(crate) use {windows::SharedTerminal, windows::TerminalReader};

use crate::hub::SettingsChange;

/// A read from a program that has a terminal open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TerminalInput {
    /// The settings that it has changed, before it wrote what was read.
    pub(crate) settings: Option<SettingsChange>,
    /// True if it has discarded what it had not read yet.
    pub(crate) is_flushed: bool,
    /// The bytes that were read.
    pub(crate) count: usize,
}
