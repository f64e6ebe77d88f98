//! Opening a serial port, or a sentence on why that is not possible.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use serialport::ErrorKind;
use tokio_serial::{SerialPortBuilderExt, SerialStream};

use super::enumerate;
use super::os::{self, Access};
use crate::hub::{FlowControl, LineSettings, Parity};
use crate::hub::{State, Status};
use crate::platform::Process;
use crate::port::source::spec::{Spec, choose};
use crate::port::{TRY_AGAIN, modem_lines};
use crate::terminal::shown;

/// What to do about something that is no serial port.
pub(crate) const LIST: &str = "serial-ws list shows the serial ports";

/// Why a device could not be opened.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What to tell clients and the operator.
    pub(crate) status: Status,
    /// Whether trying again is pointless.
    pub(crate) is_final: bool,
    /// Whether no device is there, so that one that comes starts anew.
    pub(crate) is_absent: bool,
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self {
            status,
            is_final: false,
            is_absent: false,
        }
    }
}

impl Failure {
    /// It may be possible later.
    pub(crate) fn waiting(detail: impl Into<String>) -> Self {
        Status::new(State::Waiting, detail).into()
    }

    /// It is not there.
    pub(crate) fn absent(detail: impl Into<String>) -> Self {
        Self {
            is_absent: true,
            ..Self::waiting(detail)
        }
    }

    /// Trying again is pointless.
    pub(crate) fn hopeless(detail: String, hint: &str) -> Self {
        Self {
            status: Status::new(State::Waiting, detail).with_hint(hint),
            is_final: true,
            is_absent: false,
        }
    }
}

/// Opens the serial port at `path`.
///
/// # Errors
/// Why it cannot be opened now.
pub(crate) fn open(path: &str, settings: LineSettings) -> Result<SerialStream, Failure> {
    let builder = tokio_serial::new(path, os::rate(path, settings.baud))
        .data_bits(match settings.data_bits {
            5 => serialport::DataBits::Five,
            6 => serialport::DataBits::Six,
            7 => serialport::DataBits::Seven,
            _ => serialport::DataBits::Eight,
        })
        .parity(match settings.parity {
            Parity::None => serialport::Parity::None,
            Parity::Odd => serialport::Parity::Odd,
            Parity::Even => serialport::Parity::Even,
        })
        .stop_bits(match settings.stop_bits {
            2 => serialport::StopBits::Two,
            _ => serialport::StopBits::One,
        })
        .flow_control(match settings.flow_control {
            FlowControl::None => serialport::FlowControl::None,
            FlowControl::Software => serialport::FlowControl::Software,
            FlowControl::Hardware => serialport::FlowControl::Hardware,
        });
    let mut device = patiently(os::REOPEN_TIMEOUT, || {
        let opened = builder.clone().open_native_async();
        opened.map_err(|e| explain(&e, path, settings))
    })?;
    if settings.no_reset
        && let Err(error) = os::keep_lines_on_close(&device)
    {
        tracing::debug!(path, %error, "cannot keep the modem lines after closing");
    }
    for (_, act) in modem_lines::opening(&settings) {
        if let Err(error) = modem_lines::act(&mut device, act) {
            // Pseudo-terminals and some adapters have no modem lines.
            tracing::debug!(path, ?act, %error, "cannot set the modem line");
        }
    }
    Ok(device)
}

/// Opens a port that may only seem to be in use, because the system is still closing it.
fn patiently<T>(
    closing: Duration,
    mut open: impl FnMut() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let deadline = Instant::now() + closing;
    loop {
        match open() {
            Err(failure) if failure.status.state == State::Busy && Instant::now() < deadline => {
                thread::sleep(TRY_AGAIN);
            }
            opened => return opened,
        }
    }
}

/// Why a port could not be opened, and what to do about it.
fn explain(error: &serialport::Error, path: &str, settings: LineSettings) -> Failure {
    let shown_path = shown(path);
    match error.kind() {
        ErrorKind::Io(io::ErrorKind::PermissionDenied) => {
            let hint = match os::access(path) {
                Access::Denied { hint } => hint,
                Access::Granted => None,
                // Where ports are nobody's in particular, only another program can be in the way.
                Access::Unknown => return busy(path),
            };
            denied(path, hint).into()
        }
        // The library says "no device" also of one that another program holds.
        ErrorKind::NoDevice if !os::is_missing(path) => busy(path),
        ErrorKind::NoDevice | ErrorKind::Io(io::ErrorKind::NotFound) => absent(path),
        ErrorKind::InvalidInput | ErrorKind::Io(io::ErrorKind::InvalidInput) => Failure::hopeless(
            format!(
                "cannot open {shown_path} at {} baud: the driver refuses it",
                settings.baud
            ),
            "Common rates are 9600 and 115200; see also --data-bits, --parity, --stop-bits",
        ),
        ErrorKind::Unknown if !os::is_terminal(path) => {
            let detail = format!("cannot open {shown_path}: it is not a serial port");
            Failure::hopeless(detail, LIST)
        }
        ErrorKind::Io(_) | ErrorKind::Unknown => Failure::waiting(format!(
            "cannot open {shown_path}: {}",
            shown(&error.description)
        )),
    }
}

/// Says which ports are there instead.
fn absent(path: &str) -> Failure {
    let ports = enumerate::ports().unwrap_or_default();
    match choose(&Spec::Path(path.to_owned()), &ports) {
        Err(undecided) => Failure::absent(undecided.to_string()),
        Ok(_) => Failure::absent(format!("no port {}", shown(path))),
    }
}

fn busy(path: &str) -> Failure {
    in_use(path, os::holder(path).as_ref()).into()
}

/// What it means that the system does not let us open a port.
pub(crate) fn denied(path: &str, hint: Option<String>) -> Status {
    let detail = format!("cannot open {}: permission denied", shown(path));
    Status::new(State::Denied, detail).with_hint(hint.unwrap_or_default())
}

/// What it means that another program has a port; which, where that is known.
pub(crate) fn in_use(path: &str, holder: Option<&Process>) -> Status {
    let (holder, hint) = match holder {
        Some(holder) => {
            let name = shown(&holder.name);
            let hint = if name == env!("CARGO_PKG_NAME") {
                "Run: serial-ws release"
            } else {
                "Close the port there; in the Arduino IDE, close the Serial Monitor"
            };
            (format!("{name} (pid {})", holder.pid), hint)
        }
        None => (
            "another program".to_owned(),
            "Close the port there, such as the Serial Monitor of the Arduino IDE",
        ),
    };
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
        let opened = patiently(LONG, || match refusals {
            0 => Ok(()),
            _ => {
                refusals -= 1;
                Err(busy("COM3"))
            }
        });
        assert!(opened.is_ok());
        // Whatever else is the matter is told at once.
        let absent = patiently::<()>(LONG, || Err(Failure::absent("no port COM3")));
        assert!(absent.is_err_and(|failure| failure.is_absent));
        let busy = patiently::<()>(Duration::ZERO, || Err(busy("COM3")));
        assert!(busy.is_err_and(|failure| failure.status.state == State::Busy));
    }
}
