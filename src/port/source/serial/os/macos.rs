//! macOS, and a guess for the other Unix systems: `lsof` finds the holder of a port, and every port
//! has two nodes, of which `/dev/cu.*` is the one to open.

use std::fs;
use std::io;
use std::path::PathBuf;

use serialport::SerialPort;

use super::{Access, SerialStream, unix};
use crate::hub::LineSettings;
use crate::platform::{Process, find_by_lsof};
use crate::port::Diagnostic;
use crate::port::source::serial::library;

pub(crate) use super::not_linux::{
    EarlyPort, aliases, cannot_list, interference, line_errors, serial_group, set_low_latency,
    usb_location,
};
pub(crate) use super::unix::{
    REOPEN_TIMEOUT, describe_path, discard_input, discard_output, has_input, inputs, is_missing,
    is_silent_until, is_terminal, keep_lines_on_close, write_chunk,
};

/// Services of the system itself that look like serial ports.
const NOT_FOR_USERS: [&str; 3] = ["Bluetooth-Incoming-Port", "debug-console", "wlan-debug"];

/// The node that waits for a modem's carrier before it opens.
const CALL_IN: &str = "/dev/tty.";

/// The beginning of the names of pseudo-terminals; those of serial ports have a dot there.
const PTY: &str = "/dev/ttys";

/// The beginning of the names that the system's own driver gives to devices that speak USB's
/// protocol for modems (CDC-ACM), as boards do.
const USB_MODEM: &str = "/dev/cu.usbmodem";

/// The node of the same port that opens at once.
const CALL_OUT: &str = "/dev/cu.";

pub(crate) fn holder(path: &str) -> Option<Process> {
    let twin = path.strip_prefix(CALL_OUT);
    let twin = twin.map(|name| format!("{CALL_IN}{name}"));
    find_by_lsof(["--", path].into_iter().chain(twin.as_deref()))
}

pub(crate) fn missing_ports(is_missing: bool) -> Vec<Diagnostic> {
    let text = "a board that is listed under USB in System Information, but has no port, lacks its \
                driver: get it from the maker of its chip";
    Vec::from_iter(is_missing.then(|| Diagnostic::note(text)))
}

pub(crate) fn access(path: &str) -> Access {
    unix::access(path, |group| {
        format!("sudo dseditgroup -o edit -a $USER -t user {group}")
    })
}

pub(crate) fn has_hardware(path: &str) -> bool {
    !path.starts_with(CALL_IN) && !NOT_FOR_USERS.iter().any(|name| path.ends_with(name))
}

pub(crate) fn same_port(a: &str, b: &str) -> bool {
    unix::same_port(&call_out(a), &call_out(b))
}

fn call_out(path: &str) -> String {
    match path.strip_prefix(CALL_IN) {
        Some(name) => format!("{CALL_OUT}{name}"),
        None => path.to_owned(),
    }
}

/// Returns 0 for pseudo-terminals, on which setting a rate fails: 0 leaves it out.
pub(crate) fn rate(path: &str, baud: u32) -> u32 {
    if is_named(path, &[PTY]) { 0 } else { baud }
}

pub(crate) fn is_direct(path: &str) -> bool {
    is_named(path, &[PTY, USB_MODEM])
}

/// Returns whether the name of the node that `path` leads to begins with one of `beginnings`.
fn is_named(path: &str, beginnings: &[&str]) -> bool {
    let node = fs::canonicalize(path).unwrap_or_else(|_| PathBuf::from(path));
    let begins = |name: &str| {
        beginnings
            .iter()
            .any(|beginning| name.starts_with(beginning))
    };
    node.to_str().is_some_and(|name| begins(&call_out(name)))
}

/// Fails for such a bit: termios has none here.
pub(crate) fn set_parity_bit(_port: &SerialStream, bit: Option<bool>) -> io::Result<()> {
    let error = || io::Error::new(io::ErrorKind::Unsupported, "this system has no such parity");
    bit.map_or(Ok(()), |_| Err(error()))
}

/// Changes rate, format and flow control of a port that stays open. The rate comes last: each of the
/// library's other calls sets the one before again.
///
/// # Errors
/// If the driver refuses one of them. Some of the settings may have changed then.
pub(crate) fn configure(port: &mut SerialStream, settings: &LineSettings) -> io::Result<()> {
    if settings.parity.constant().is_some() {
        return set_parity_bit(port, settings.parity.constant());
    }
    port.set_data_bits(library::data_bits(settings))?;
    port.set_parity(library::parity(settings))?;
    port.set_stop_bits(library::stop_bits(settings))?;
    port.set_flow_control(library::flow_control(settings))?;
    match rate(&port.name().unwrap_or_default(), settings.baud) {
        // A pseudo-terminal has none.
        0 => Ok(()),
        baud => Ok(port.set_baud_rate(baud)?),
    }
}

/// Returns a reason: each opening asserts the lines anew, which restarts no board only if the driver
/// left them asserted.
pub(crate) fn cannot_keep_lines() -> Option<&'static str> {
    Some("on this system, the driver decides whether a board restarts when its port is opened")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twins_and_services_are_not_for_users() {
        assert!(has_hardware("/dev/cu.usbmodem14201"));
        assert!(!has_hardware("/dev/tty.usbmodem14201"));
        assert!(!has_hardware("/dev/cu.Bluetooth-Incoming-Port"));
        assert!(same_port("/dev/cu.usbmodem1", "/dev/tty.usbmodem1"));
    }

    #[test]
    fn boards_and_pseudo_terminals_hand_over_at_once() {
        assert!(is_direct("/dev/cu.usbmodem14201"));
        assert!(is_direct("/dev/tty.usbmodem14201"));
        assert!(is_direct("/dev/ttys004"));
        assert!(!is_direct("/dev/cu.usbserial-1420"));
    }

    #[test]
    fn a_pseudo_terminal_is_opened_without_a_rate() {
        assert_eq!(rate("/dev/ttys004", 9600), 0);
        assert_eq!(rate("/dev/cu.usbmodem1", 9600), 9600);
        assert_eq!(rate("/dev/tty.usbserial-1", 9600), 9600);
    }
}
