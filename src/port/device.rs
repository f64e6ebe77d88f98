//! An open device: a byte stream with modem lines.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use super::modem_lines::LineChange;
use crate::hub::{LineErrors, LineSettings, ModemInputs, State};

/// The longest time that a device may take to close, if it says nothing else.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// An event of a recorded device beside its bytes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RecordedChange {
    /// True or false if what comes now joins nothing from before: whether it begins a line.
    pub(crate) starts_whole: Option<bool>,
    /// The status of the port from now on, if it has changed.
    pub(crate) status: Option<DeviceStatus>,
}

impl RecordedChange {
    /// Returns true if the device is open no longer.
    pub(crate) fn is_loss(&self) -> bool {
        let status = self.status.as_ref();
        status.is_some_and(|status| status.state != State::Open)
    }
}

/// The status of a port as a recording tells it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DeviceStatus {
    /// The state.
    pub(crate) state: State,
    /// A sentence about it.
    pub(crate) detail: String,
    /// The next step for the user; empty where there is none.
    pub(crate) hint: String,
    /// The settings in force.
    pub(crate) settings: LineSettings,
}

/// A byte stream with modem lines.
///
/// Never flush or shut down a device: for a serial port that blocks the runtime until the last
/// byte has left, which may be never.
pub(crate) trait Device: AsyncRead + AsyncWrite + Unpin + Send {
    /// Changes a modem line, or begins or ends the break condition.
    ///
    /// # Errors
    /// If the device has no such line, or has gone.
    fn change_line(&mut self, change: LineChange) -> io::Result<()> {
        let _ = change;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Changes rate, format and flow control at once, while the device stays open. The modem lines
    /// stay as they are, which is what `settings` has for them. A device without a UART takes
    /// anything: it means nothing to it.
    ///
    /// # Errors
    /// If the device refuses them or has gone. Some of them may have changed then, and the settings
    /// before must be set again.
    fn configure(&mut self, settings: &LineSettings) -> io::Result<()> {
        let _ = settings;
        Ok(())
    }

    /// Returns true while it is not known whether the device has taken the settings: the other end of
    /// a connection has not answered.
    fn awaits_settings(&mut self) -> bool {
        false
    }

    /// Returns the settings in force after these were wanted, as far as the device tells.
    fn settings_in_force(&mut self, wanted: &LineSettings) -> LineSettings {
        *wanted
    }

    /// Returns true if the system has something to read that a read may not have found yet.
    fn has_input(&self) -> bool {
        false
    }

    /// Returns how many bytes that were written the system has not sent yet; None where it cannot
    /// tell.
    fn unsent(&self) -> Option<usize> {
        None
    }

    /// Returns the errors on the line since the device was plugged in; None where nobody counts
    /// them.
    fn line_errors(&self) -> Option<LineErrors> {
        None
    }

    /// Returns the modem's inputs; None where the device has none.
    fn inputs(&mut self) -> Option<ModemInputs> {
        None
    }

    /// Returns what the device tells beside bytes: when it was just opened, and when a read returned
    /// nothing. If it tells nothing then, that is its end.
    fn recorded_change(&mut self) -> Option<RecordedChange> {
        None
    }

    /// Returns why the device ended, once a read returned nothing.
    fn end_reason(&self) -> String {
        "it was unplugged".to_owned()
    }

    /// Discards what was written and not sent yet, as far as the system can.
    fn discard_output(&mut self) {}

    /// Returns how long closing may take. After it, the device is left to the system.
    fn close_timeout(&self) -> Duration {
        CLOSE_TIMEOUT
    }

    /// Discards what was not sent, and closes. May block.
    fn close(self: Box<Self>) {}
}
