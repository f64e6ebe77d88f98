//! What is known about a port at one moment, in words for people and programs.

use std::sync::Arc;

use serde::Serialize;

/// The state of a port, with what to say about it.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Whether bytes can flow, and if not, why.
    pub state: State,
    /// One sentence about it, such as `cannot open /dev/ttyACM0: permission denied`.
    pub detail: String,
    /// What to do about it; empty where there is nothing to do.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub hint: String,
    /// What went wrong on the line since the device was opened, where its driver counts it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<LineErrors>,
    /// The device that is or was last behind the port.
    #[serde(skip)]
    pub device: Option<Arc<DeviceInfo>>,
}

/// Whether bytes can flow, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The device is open.
    Open,
    /// The device is not there yet.
    Waiting,
    /// The device was there and has gone.
    Lost,
    /// The port was lent to another program.
    Released,
    /// The system does not permit opening the device.
    Denied,
    /// Another program holds the device.
    Busy,
}

impl State {
    /// All that there are.
    pub const ALL: [Self; 6] = [
        Self::Open,
        Self::Waiting,
        Self::Lost,
        Self::Released,
        Self::Denied,
        Self::Busy,
    ];

    /// The word for it on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Waiting => "waiting",
            Self::Lost => "lost",
            Self::Released => "released",
            Self::Denied => "denied",
            Self::Busy => "busy",
        }
    }
}

/// Which device is behind a port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DeviceInfo {
    /// What the system calls it, such as `/dev/ttyACM0` or `COM3`.
    pub path: String,
    /// The name of the board, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub board: Option<String>,
    /// Its USB identity in the form that `--port` takes: `usb:2341:0043:SERIAL`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usb: Option<String>,
    /// Whether its driver hands over at once what it receives, instead of gathering it.
    #[serde(rename = "lowLatency", skip_serializing_if = "is_false")]
    pub low_latency: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

impl Status {
    /// A status without a hint.
    pub fn new(state: State, detail: impl Into<String>) -> Self {
        Self {
            state,
            detail: detail.into(),
            hint: String::new(),
            errors: None,
            device: None,
        }
    }

    /// The same with what to do about it.
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: hint.into(),
            ..self
        }
    }

    /// The same about `device`.
    pub fn with_device(self, device: Option<Arc<DeviceInfo>>) -> Self {
        Self { device, ..self }
    }

    /// The same with what went wrong on the line.
    pub fn with_errors(self, errors: Option<LineErrors>) -> Self {
        Self { errors, ..self }
    }

    /// What happened, and what to do about it.
    pub fn sentence(&self) -> String {
        if self.hint.is_empty() {
            return self.detail.clone();
        }
        format!("{}. {}", self.detail, self.hint)
    }

    /// Whether a reader would learn nothing new from `other`.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let what = |status: &Self| (status.state, status.errors);
        what(self) == what(other) && self.detail == other.detail && self.hint == other.hint
    }
}

/// Characters that a driver received with a fault, or could not keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LineErrors {
    /// Without a stop bit where one was due: most often the rate is wrong.
    pub framing: u32,
    /// With the wrong parity bit.
    pub parity: u32,
    /// Lost, because the chip or the driver had no room for them.
    pub overrun: u32,
}

impl LineErrors {
    /// Those that came after `earlier`.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            framing: self.framing.wrapping_sub(earlier.framing),
            parity: self.parity.wrapping_sub(earlier.parity),
            overrun: self.overrun.wrapping_sub(earlier.overrun),
        }
    }
}
