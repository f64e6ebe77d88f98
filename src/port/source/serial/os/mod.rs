//! The parts of serial ports that differ between systems, behind one interface: who holds a port,
//! who may open it, where it is plugged in, and what its driver can do beyond the ordinary.
//! Nothing here opens a port but [`is_terminal`].

use std::io;
use std::time::Duration;

use tokio_serial::SerialStream;

use crate::hub::LineErrors;
use crate::platform::Process;
use crate::port::Diagnostic;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(all(unix, not(target_os = "linux")))]
mod macos;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(target_os = "linux")]
use linux as system;
#[cfg(all(unix, not(target_os = "linux")))]
use macos as system;
#[cfg(windows)]
use windows as system;

/// The time for which the system may refuse a port that was closed just now.
pub(crate) const REOPEN_TIMEOUT: Duration = system::REOPEN_TIMEOUT;

/// Permission to open a port.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(
    windows,
    allow(dead_code, reason = "Windows tells only when it opens a port")
)]
pub(crate) enum Access {
    /// Both reading and writing are permitted.
    Granted,
    /// The system refuses us.
    Denied {
        /// The next step, as a sentence for the user; None where nothing useful can be said.
        hint: Option<String>,
    },
    /// The port is missing, or this system cannot tell without opening it.
    Unknown,
}

/// The kind of thing that a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PathKind {
    /// Nothing at all.
    Missing,
    /// Something that can be tried as a serial port.
    Port,
    /// Something that can never be one, in words: "a directory", "a regular file".
    NotAPort(&'static str),
}

/// The other process that holds this port; None when there is none, or when it cannot be known
/// (it belongs to another user, or the system does not tell).
pub(crate) fn holder(path: &str) -> Option<Process> {
    system::holder(path)
}

/// Tells whether we may open this port, and if not, what would help.
pub(crate) fn access(path: &str) -> Access {
    system::access(path)
}

/// Other names of this port, those by identity before those by place.
pub(crate) fn aliases(path: &str) -> Vec<String> {
    system::aliases(path)
}

/// The USB socket that the port's device is plugged into, such as `1-1.2`.
pub(crate) fn usb_location(path: &str) -> Option<String> {
    system::usb_location(path)
}

/// False for an entry behind which there is no device that anyone would want to open.
pub(crate) fn has_hardware(path: &str) -> bool {
    system::has_hardware(path)
}

/// Tells whether two spellings name the same port.
pub(crate) fn same_port(a: &str, b: &str) -> bool {
    system::same_port(a, b)
}

/// Describes what else on this system affects a port. `low_latency` says whether we would ask for
/// it. Opens nothing.
pub(crate) fn interference(path: &str, low_latency: bool) -> Vec<Diagnostic> {
    system::interference(path, low_latency)
}

/// Describes what keeps boards from having a port here. `is_missing` says whether one is missed.
pub(crate) fn missing_ports(is_missing: bool) -> Vec<Diagnostic> {
    system::missing_ports(is_missing)
}

/// Tells what a path names. Never opens it.
pub(crate) fn describe_path(path: &str) -> PathKind {
    system::describe_path(path)
}

/// Tells whether a port that could not be opened is gone. Never opens it.
pub(crate) fn is_missing(path: &str) -> bool {
    system::is_missing(path)
}

/// Tells whether a device that could not be opened as a serial port is a terminal at all. Opens it.
pub(crate) fn is_terminal(path: &str) -> bool {
    system::is_terminal(path)
}

/// The reason why ports cannot be listed here, if so.
pub(crate) fn cannot_list() -> Option<&'static str> {
    system::cannot_list()
}

/// The group that may open serial ports here, where there is one.
pub(crate) fn serial_group() -> Option<String> {
    system::serial_group()
}

/// The rate to open a port with so that it has `baud`; 0 for a port that has no rate.
pub(crate) fn rate(path: &str, baud: u32) -> u32 {
    system::rate(path, baud)
}

/// Asks the driver to hand over what it receives at once instead of gathering it for a while, and
/// returns whether it will. FTDI's adapters otherwise wait up to 16 ms.
pub(crate) fn set_low_latency(port: &SerialStream) -> bool {
    system::set_low_latency(port)
}

/// The part of `bytes` to write before asking how it went, so that only what was really written
/// counts as written.
pub(crate) fn write_chunk(bytes: &[u8]) -> &[u8] {
    system::write_chunk(bytes)
}

/// Discards what a port that was just opened had received before.
pub(crate) async fn discard_input(port: &mut SerialStream) {
    system::discard_input(port).await;
}

/// Discards what a port that stays open was given and has not sent yet.
pub(crate) fn discard_output(port: &SerialStream) {
    system::discard_output(port);
}

/// Tells whether a device that could not be read or written is as good as before.
pub(crate) fn is_transient(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, WouldBlock};
    matches!(error.kind(), Interrupted | WouldBlock) || system::is_transient(error)
}

/// Errors on the line since the device was plugged in; None where they are not counted.
pub(crate) fn line_errors(port: &SerialStream) -> Option<LineErrors> {
    system::line_errors(port)
}

/// Lets the modem lines stay as they are when this port is closed, now and until it is unplugged.
///
/// # Errors
/// Where the system or the driver has no such setting.
pub(crate) fn keep_lines_on_close(port: &SerialStream) -> io::Result<()> {
    system::keep_lines_on_close(port)
}

/// The reason why boards may restart here each time their port is opened; None where only the
/// first opening after plugging in restarts them.
pub(crate) fn cannot_keep_lines() -> Option<&'static str> {
    system::cannot_keep_lines()
}
