//! Opens a serial port with its settings (baud rate, data bits, parity, flow control), or says why
//! that is not possible.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use serialport::ErrorKind;

use super::enumerate::{self, PortInfo};
use super::find::FoundDevice;
use super::library;
use super::os::{self, Access, SerialStream};
use super::select::{SelectError, select};
use crate::hub::{LineSettings, ModemLine, State, Status};
use crate::platform::{Process, reason};
use crate::port::device::Device;
use crate::port::source::OpenFailure;
use crate::port::source::spec::Spec;
use crate::port::{QUICK_RETRY_DELAY, modem_lines, stream_start};
use crate::terminal::shown;

/// The hint about something that is not a serial port.
pub(crate) const LIST_HINT: &str = "To see the serial ports: serial-ws list";

/// A serial port that was just opened.
pub(crate) struct OpenPort {
    /// The port.
    pub(crate) stream: SerialStream,
    /// True if its driver hands over at once what it receives, because it was asked to.
    pub(crate) low_latency: bool,
    /// True if it gathers what it receives for a while.
    pub(crate) gathers: bool,
    /// True if the device was seen to be silent for so long since it was opened.
    pub(crate) was_silent: bool,
}

/// Opens a serial port, and sets its modem lines as the user wants them. `discards` tells whether
/// something may wait in the system that was received before. With `are_chosen`, the port is not
/// opened unless its driver takes the settings as they are.
///
/// # Errors
/// If it cannot be opened now: why, and what to do about it.
pub(crate) fn open(
    found: &FoundDevice,
    settings: LineSettings,
    are_chosen: bool,
    discards: bool,
) -> Result<OpenPort, OpenFailure> {
    let path = &found.path;
    let early = os::EarlyPort::open(path, settings.baud, discards);
    let direct_silence = stream_start::silence(&settings, false);
    let was_silent_early = early
        .as_ref()
        .map(|port| port.is_silent_for(direct_silence));
    let mut stream = open_with_settings(path, settings)?;
    if are_chosen {
        confirm(&mut stream, path, settings)?;
    }
    if discards && early.is_none() {
        // It would pass for news. Before the lines are set, lest an answer to that goes as well.
        os::discard_input(&mut stream);
    }
    set_lines(&mut stream, path, settings);
    let low_latency = settings.low_latency && os::set_low_latency(&stream);
    let speaks_usb = found.listed.as_ref().is_some_and(PortInfo::speaks_usb);
    let is_direct = early.is_some() || low_latency || speaks_usb || os::is_direct(path);
    let silence = stream_start::silence(&settings, !is_direct);
    let was_silent =
        was_silent_early.unwrap_or_else(|| os::is_silent_until(&stream, Instant::now() + silence));
    Ok(OpenPort {
        stream,
        low_latency,
        gathers: !is_direct,
        was_silent,
    })
}

/// Checks that the driver took the settings as they are. The lines are set later.
fn confirm(
    stream: &mut SerialStream,
    path: &str,
    settings: LineSettings,
) -> Result<(), OpenFailure> {
    let lines_kept = LineSettings {
        dtr: ModemLine::Keep,
        rts: ModemLine::Keep,
        ..settings
    };
    stream.configure(&lines_kept).map_err(|error| {
        let path = shown(path);
        OpenFailure::settings(format!("cannot open {path}: {}", reason(&error)), "")
    })
}

fn open_with_settings(path: &str, settings: LineSettings) -> Result<SerialStream, OpenFailure> {
    let builder = serialport::new(path, os::rate(path, settings.baud))
        .data_bits(library::data_bits(&settings))
        .parity(library::parity(&settings))
        .stop_bits(library::stop_bits(&settings))
        .flow_control(library::flow_control(&settings));
    let stream = open_within(os::REOPEN_TIMEOUT, || {
        SerialStream::open(&builder).map_err(|e| explain(&e, path, settings))
    })?;
    let bit = settings.parity.constant();
    os::set_parity_bit(&stream, bit).map_err(|error| no_parity_bit(path, &error))?;
    Ok(stream)
}

fn set_lines(stream: &mut SerialStream, path: &str, settings: LineSettings) {
    if settings.no_reset
        && let Err(error) = os::keep_lines_on_close(stream)
    {
        tracing::debug!(path, %error, "cannot keep the modem lines after closing");
    }
    for (_, change) in modem_lines::opening(&settings) {
        if let Err(error) = stream.change_line(change) {
            // Pseudo-terminals and some adapters have no modem lines.
            tracing::debug!(path, ?change, %error, "cannot set the modem line");
        }
    }
}

/// Tries again for a while if a port seems to be in use: the system may still be closing it.
fn open_within<T>(
    closing: Duration,
    mut open: impl FnMut() -> Result<T, OpenFailure>,
) -> Result<T, OpenFailure> {
    let deadline = Instant::now() + closing;
    loop {
        match open() {
            Err(failure) if failure.status.state == State::Busy && Instant::now() < deadline => {
                thread::sleep(QUICK_RETRY_DELAY);
            }
            opened => return opened,
        }
    }
}

/// Returns why a port could not be opened, and what to do about it.
fn explain(error: &serialport::Error, path: &str, settings: LineSettings) -> OpenFailure {
    let shown_path = shown(path);
    match error.kind() {
        ErrorKind::Io(io::ErrorKind::PermissionDenied) => {
            let hint = match os::access(path) {
                Access::Denied { hint } => hint,
                Access::Granted => None,
                // Where no permissions protect a port, only another program can be in the way.
                Access::Unknown => return busy(path),
            };
            denied(path, hint).into()
        }
        // The library says "no device" also of one that another program holds.
        ErrorKind::NoDevice if !os::is_missing(path) => busy(path),
        ErrorKind::NoDevice | ErrorKind::Io(io::ErrorKind::NotFound) => absent(path),
        ErrorKind::InvalidInput | ErrorKind::Io(io::ErrorKind::InvalidInput) => {
            OpenFailure::settings(
                format!(
                    "cannot open {shown_path} at {} baud: the driver refuses these settings",
                    settings.baud
                ),
                "Common baud rates are 9600 and 115200; see also --data-bits, --parity, --stop-bits",
            )
        }
        ErrorKind::Unknown if !os::is_terminal(path) => {
            let detail = format!("cannot open {shown_path}: it is not a serial port");
            OpenFailure::permanent(detail, LIST_HINT)
        }
        ErrorKind::Io(_) | ErrorKind::Unknown => OpenFailure::waiting(format!(
            "cannot open {shown_path}: {}",
            shown(&error.description)
        )),
    }
}

/// Returns a failure that names the ports that are there instead.
fn absent(path: &str) -> OpenFailure {
    let ports = enumerate::ports().unwrap_or_default();
    match select(&Spec::Path(path.to_owned()), &ports) {
        Err(SelectError::Absent(detail) | SelectError::Several(detail)) => {
            OpenFailure::absent(detail)
        }
        Ok(_) => OpenFailure::absent(format!("no port {}", shown(path))),
    }
}

fn no_parity_bit(path: &str, error: &io::Error) -> OpenFailure {
    let path = shown(path);
    match error.kind() {
        io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput => OpenFailure::settings(
            format!(
                "cannot open {path} with mark or space parity: {}",
                reason(error)
            ),
            "Use --parity none, odd or even",
        ),
        // The device may just have gone.
        _ => OpenFailure::waiting(format!("cannot open {path}: {}", reason(error))),
    }
}

fn busy(path: &str) -> OpenFailure {
    in_use(path, os::holder(path).as_ref()).into()
}

/// Returns the status of a port that the system does not let us open.
pub(crate) fn denied(path: &str, hint: Option<String>) -> Status {
    let detail = format!("cannot open {}: permission denied", shown(path));
    Status::new(State::Denied, detail).with_hint(hint.unwrap_or_default())
}

/// Returns the status of a port that another program has open; names the program if it is known.
pub(crate) fn in_use(path: &str, holder: Option<&Process>) -> Status {
    let hint = if holder.is_some_and(|holder| holder.name == env!("CARGO_PKG_NAME")) {
        "Run: serial-ws release"
    } else {
        "Close the port there; in the Arduino IDE, close the Serial Monitor"
    };
    let name = |holder: &Process| format!("{} (pid {})", shown(&holder.name), holder.pid);
    let holder = holder.map_or_else(|| "another program".to_owned(), name);
    let detail = format!("cannot open {}: in use by {holder}", shown(path));
    Status::new(State::Busy, detail).with_hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_the_system_is_still_closing_is_not_in_use() {
        const LONG: Duration = Duration::from_secs(60);
        let mut refusals = 2;
        let opened = open_within(LONG, || match refusals {
            0 => Ok(()),
            _ => {
                refusals -= 1;
                Err(busy("COM3"))
            }
        });
        assert!(opened.is_ok());
        // Any other failure is reported at once.
        let absent = open_within::<()>(LONG, || Err(OpenFailure::absent("no port COM3")));
        assert!(absent.is_err_and(|failure| failure.is_absent));
        let busy = open_within::<()>(Duration::ZERO, || Err(busy("COM3")));
        assert!(busy.is_err_and(|failure| failure.status.state == State::Busy));
    }
}
