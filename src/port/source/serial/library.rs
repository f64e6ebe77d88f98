//! The library for serial ports: its words for settings, and its calls that panic instead of
//! returning an error.

use std::cell::Cell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use anyhow::{Context, Result, anyhow};
use serialport::SerialPortInfo;

use crate::hub::{self, LineSettings};

thread_local! {
    /// True while this thread is in the library: a panic is an error then, and no news for users.
    #[allow(
        clippy::missing_const_for_thread_local,
        reason = "it is const, but on Windows clippy sees what the macro makes of it"
    )]
    static IS_IN_LIBRARY: Cell<bool> = const { Cell::new(false) };
}

pub(super) fn data_bits(settings: &LineSettings) -> serialport::DataBits {
    match settings.data_bits {
        5 => serialport::DataBits::Five,
        6 => serialport::DataBits::Six,
        7 => serialport::DataBits::Seven,
        _ => serialport::DataBits::Eight,
    }
}

/// Returns the parity; none for a bit that is always the same, which the library does not know.
pub(super) fn parity(settings: &LineSettings) -> serialport::Parity {
    match settings.parity {
        hub::Parity::None | hub::Parity::Mark | hub::Parity::Space => serialport::Parity::None,
        hub::Parity::Odd => serialport::Parity::Odd,
        hub::Parity::Even => serialport::Parity::Even,
    }
}

pub(super) fn stop_bits(settings: &LineSettings) -> serialport::StopBits {
    match settings.stop_bits {
        2 => serialport::StopBits::Two,
        _ => serialport::StopBits::One,
    }
}

pub(super) fn flow_control(settings: &LineSettings) -> serialport::FlowControl {
    match settings.flow_control {
        hub::FlowControl::None => serialport::FlowControl::None,
        hub::FlowControl::Software => serialport::FlowControl::Software,
        hub::FlowControl::Hardware => serialport::FlowControl::Hardware,
    }
}

/// Returns an error of the library without its words. What the library has no kind for is a device that
/// cannot do what it was asked for, such as a pseudo-terminal without modem lines.
pub(super) fn io_error(error: &serialport::Error) -> io::Error {
    let kind = match error.kind() {
        serialport::ErrorKind::Io(kind) => kind,
        serialport::ErrorKind::InvalidInput => io::ErrorKind::InvalidInput,
        serialport::ErrorKind::NoDevice => return io::Error::other("the device has gone"),
        serialport::ErrorKind::Unknown => io::ErrorKind::Unsupported,
    };
    kind.into()
}

/// Returns the ports as the library lists them.
///
/// # Errors
/// If the system cannot list them. On Linux the library panics then, so when there are too many
/// open files (serialport 4.10, `available_ports`).
pub(super) fn available_ports() -> Result<Vec<SerialPortInfo>> {
    catch_panic(serialport::available_ports)?.context("cannot list serial ports")
}

fn catch_panic<T>(call: impl FnOnce() -> T) -> Result<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !IS_IN_LIBRARY.get() {
                report(panic);
            }
        }));
    });
    IS_IN_LIBRARY.set(true);
    // What the library leaves half done is dropped with it.
    let outcome = catch_unwind(AssertUnwindSafe(call));
    IS_IN_LIBRARY.set(false);
    outcome.map_err(|panic| {
        let text = panic.downcast_ref::<String>();
        tracing::debug!(?text, "the library for serial ports panicked");
        anyhow!("cannot list serial ports: the system refuses to tell, perhaps for now")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_the_library_is_an_error() {
        let error = catch_panic(|| panic!("too many {}", "files")).unwrap_err();
        assert!(error.to_string().starts_with("cannot list serial ports"));
        assert_eq!(catch_panic(|| 1).unwrap(), 1);
    }
}
