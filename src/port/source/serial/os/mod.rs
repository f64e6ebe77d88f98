//! The parts of serial ports that differ between systems, behind one interface: who holds a port,
//! who may open it, where it is plugged in, and what its driver can do beyond the ordinary.
//! Nothing here opens a port but [`is_terminal`]. The files `linux` and `unix` document each
//! function; the other systems have the same ones.

use std::io::{self, ErrorKind};

#[cfg(target_os = "linux")]
mod linux;
#[cfg(all(unix, not(target_os = "linux")))]
mod macos;
#[cfg(not(target_os = "linux"))]
mod not_linux;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

/// An open serial port in a tokio runtime.
#[cfg(not(target_os = "linux"))]
pub(crate) use tokio_serial::SerialStream;

#[cfg(target_os = "linux")]
use linux as system;
#[cfg(target_os = "linux")]
pub(crate) use linux::SerialStream;
#[cfg(all(unix, not(target_os = "linux")))]
use macos as system;
#[cfg(windows)]
use windows as system;

pub(crate) use system::{
    EarlyPort, REOPEN_TIMEOUT, access, aliases, cannot_keep_lines, cannot_list, configure,
    describe_path, discard_input, discard_output, has_hardware, has_input, holder, inputs,
    interference, is_direct, is_missing, is_silent_until, is_terminal, keep_lines_on_close,
    line_errors, missing_ports, rate, same_port, serial_group, set_low_latency, set_parity_bit,
    usb_location, write_chunk,
};

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

/// Returns true if a device that could not be read or written is as good as before.
pub(crate) fn is_transient(error: &io::Error) -> bool {
    /// `ERROR_TIMEOUT` of winerror.h: a read may time out in the pause between two bytes.
    const ERROR_TIMEOUT: i32 = 1460;

    let has_timed_out = cfg!(windows) && error.raw_os_error() == Some(ERROR_TIMEOUT);
    matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) || has_timed_out
}
