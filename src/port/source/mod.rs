//! The kinds of device that a port can be opened from.
//!
//! A new kind is a file here that implements [`Source`], a variant of [`Spec`], and an arm of
//! [`source`].

pub(crate) mod echo;
pub(crate) mod exec;
pub(crate) mod network;
pub(crate) mod play;
pub(crate) mod rfc2217;
pub(crate) mod serial;
pub(crate) mod shell_words;
pub(crate) mod sim;
pub(crate) mod spec;
pub(crate) mod tcp;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::claims::Claims;
use super::config::PortConfig;
use super::device::Device;
use crate::hub::{DeviceInfo, Hub, LineSettings, State, Status};
use spec::Spec;

/// The delay before looking again for a device that is not there or cannot be opened.
const RETRY_DELAY: Duration = Duration::from_millis(200);

/// Opens the device of a port, as often as it has to be opened again.
pub(crate) trait Source: Send + Sync {
    /// Opens the device.
    fn open(&mut self) -> Opening<'_>;

    /// Returns true if opening may take any time, and may be given up without a loss. Others open at
    /// once or fail.
    fn may_be_left(&self) -> bool {
        false
    }

    /// Sets the line settings for the next opening. With `are_chosen`, they are not what the user
    /// gave: a device that does not take them as they are is not opened.
    fn set_settings(&mut self, settings: LineSettings, are_chosen: bool) {
        let _ = (settings, are_chosen);
    }

    /// Notes that the device is closed, and whether it has gone. Until then it is kept for this
    /// port, also while another program uses it.
    fn release(&mut self, has_gone: bool) {
        let _ = has_gone;
    }

    /// Returns how long to wait before the next attempt to open.
    fn retry_delay(&self) -> Duration {
        RETRY_DELAY
    }

    /// Returns true if the device ends soon after each opening, again and again.
    fn keeps_ending(&self) -> bool {
        false
    }

    /// Returns what the user can do when the device was lost; empty if nothing.
    fn lost_hint(&self) -> &'static str {
        ""
    }
}

/// The outcome of [`Source::open`], or why the device cannot be opened now.
pub(crate) type Opening<'a> =
    Pin<Box<dyn Future<Output = Result<OpenedDevice, OpenFailure>> + Send + 'a>>;

/// Returns the source that a port's SPEC names, and claims its device. A recording makes itself known
/// to the hub of the port.
pub(crate) fn source(config: &PortConfig, hub: &Arc<Hub>, claims: &Claims) -> Box<dyn Source> {
    match &config.spec {
        Spec::Path(_) | Spec::Usb { .. } | Spec::Device(_) | Spec::Auto => {
            Box::new(serial::DeviceSelector::new(config, claims))
        }
        Spec::Sim(sim::Pattern::Uart(baud)) => {
            Box::new(sim::UartSimulation::new(*baud, config.line))
        }
        Spec::Sim(pattern) => Box::new(sim::source(*pattern)),
        Spec::Loop => Box::new(echo::source()),
        Spec::Rfc2217(endpoint) => Box::new(rfc2217::Rfc2217Source::new(endpoint, config)),
        Spec::Tcp(endpoint) => Box::new(tcp::TcpSource::new(endpoint)),
        Spec::Upstream(_) => unreachable!("a port of another serial-ws has a task of its own"),
        Spec::Exec(command) => Box::new(exec::ProgramSource::new(command, &config.name)),
        Spec::Play(files) => Box::new(play::PlaySource::new(files, config, hub)),
    }
}

/// A device that was just opened.
pub(crate) struct OpenedDevice {
    /// The device.
    pub(crate) device: Box<dyn Device>,
    /// Its path, board and identity.
    pub(crate) info: DeviceInfo,
    /// Returns one sentence about it for people with these settings, such as `/dev/ttyACM0 is open
    /// (Arduino Uno, 9600 baud)`.
    pub(crate) detail: fn(&DeviceInfo, &LineSettings) -> String,
    /// True if its first byte begins a line: nothing came before it, or it was seen to be silent.
    pub(crate) starts_whole: bool,
    /// True if it gathers what it receives for a while, instead of handing it over at once.
    pub(crate) gathers: bool,
    /// True if a baud rate means something to it: not to native USB and simulated boards.
    pub(crate) has_rate: bool,
    /// True if it is a UART whose rate can be found by listening at others.
    pub(crate) finds_rate: bool,
    /// The longest time to hold writes until the board listens, unless the user sets another.
    pub(crate) settle: Duration,
}

/// The reason why a device could not be opened.
#[derive(Debug)]
pub(crate) struct OpenFailure {
    /// The status for clients and the user.
    pub(crate) status: Box<Status>,
    /// True if trying again is pointless.
    pub(crate) is_permanent: bool,
    /// True if other line settings may be taken.
    pub(crate) refuses_settings: bool,
    /// True if no device is there, so that one that comes starts anew.
    pub(crate) is_absent: bool,
    /// True if the reason says more than that the device was lost.
    pub(crate) explains_loss: bool,
    /// True if there are several devices that could be meant.
    pub(crate) is_ambiguous: bool,
    /// True if a recording tells it, which is published at once.
    pub(crate) is_recorded: bool,
}

impl From<Status> for OpenFailure {
    fn from(status: Status) -> Self {
        Self {
            status: Box::new(status),
            is_permanent: false,
            refuses_settings: false,
            is_absent: false,
            explains_loss: false,
            is_ambiguous: false,
            is_recorded: false,
        }
    }
}

impl OpenFailure {
    /// A failure that may pass.
    pub(crate) fn waiting(detail: impl Into<String>) -> Self {
        Status::new(State::Waiting, detail).into()
    }

    /// A device that is not there.
    pub(crate) fn absent(detail: impl Into<String>) -> Self {
        Self {
            is_absent: true,
            ..Self::waiting(detail)
        }
    }

    /// Several devices that could be meant.
    pub(crate) fn several(detail: impl Into<String>) -> Self {
        Self {
            is_ambiguous: true,
            ..Self::waiting(detail)
        }
    }

    /// A failure that will not pass.
    pub(crate) fn permanent(detail: String, hint: &str) -> Self {
        Self {
            is_permanent: true,
            ..Status::new(State::Waiting, detail).with_hint(hint).into()
        }
    }

    /// Line settings that the device does not take.
    pub(crate) fn settings(detail: String, hint: &str) -> Self {
        Self {
            refuses_settings: true,
            ..Self::permanent(detail, hint)
        }
    }
}
