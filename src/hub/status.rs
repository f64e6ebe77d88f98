//! The status of a port at one moment, in words for people and programs.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use serde::{Deserialize, Serialize};

use super::{LineSettings, LockHolder, OutputStatus, Parity, Playback, Timestamp};

/// The state of a port, with what to say about it.
#[derive(Clone, Debug)]
pub struct Status {
    /// The state, for programs.
    pub state: State,
    /// A sentence about it, such as `cannot open /dev/ttyACM0: permission denied`.
    pub detail: String,
    /// The next step for the user; empty where there is nothing to do.
    pub hint: String,
    /// The setting that would help, where it is one.
    pub advice: Option<Arc<Advice>>,
    /// The line errors since the device was opened, where its driver counts them.
    pub errors: Option<LineErrors>,
    /// The modem's inputs, where the open device has them.
    pub inputs: Option<ModemInputs>,
    /// The line settings in force, or to be used at the next opening.
    pub settings: LineSettings,
    /// The device that is or was last behind the port.
    pub device: Option<Arc<DeviceInfo>>,
    /// The client that has the write lock. The hub fills it in.
    pub writer: Option<Box<LockHolder>>,
    /// The playing of the recording that is the device. The hub fills it in.
    pub playback: Option<Box<Playback>>,
    /// The recording that runs. The hub fills it in.
    pub recording: Option<Box<RecordingStatus>>,
    /// The outputs. The hub fills them in.
    pub outputs: Arc<[OutputStatus]>,
}

/// A recording that runs.
#[derive(Clone, Debug)]
pub struct RecordingStatus {
    /// The name of the file that is written.
    pub file: String,
    /// The time at which the recording begins.
    pub since: Timestamp,
    /// The reason why nothing is written at the moment; empty if it is.
    pub problem: String,
    /// Bytes in all its files, as they grow.
    pub bytes: Arc<AtomicU64>,
}

/// Two statuses of a recording are equal if a reader would learn nothing new but its size.
impl PartialEq for RecordingStatus {
    fn eq(&self, other: &Self) -> bool {
        (&self.file, self.since, &self.problem) == (&other.file, other.since, &other.problem)
    }
}

/// The states of a port: open, or the reason why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The device is open.
    Open,
    /// The device is not there yet.
    Waiting,
    /// The device was there and has gone.
    Lost,
    /// The port is leased to another program.
    Released,
    /// The system does not permit opening the device.
    Denied,
    /// Another program holds the device.
    Busy,
}

impl State {
    /// All states.
    pub const ALL: [Self; 6] = [
        Self::Open,
        Self::Waiting,
        Self::Lost,
        Self::Released,
        Self::Denied,
        Self::Busy,
    ];

    /// The word for this state in the protocol.
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

/// The device behind a port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceInfo {
    /// The system's name for it, such as `/dev/ttyACM0` or `COM3`.
    pub path: String,
    /// The name of the board, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub board: Option<String>,
    /// Its USB identity in the form that `--port` takes: `usb:2341:0043:SERIAL`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usb: Option<String>,
    /// True if its driver hands over at once what it receives, instead of gathering it.
    #[serde(rename = "lowLatency", default, skip_serializing_if = "is_false")]
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
            advice: None,
            errors: None,
            inputs: None,
            settings: LineSettings::default(),
            device: None,
            writer: None,
            playback: None,
            recording: None,
            outputs: Arc::default(),
        }
    }

    /// The same status with the next step for the user.
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: hint.into(),
            ..self
        }
    }

    /// The same status with other words.
    pub fn with_told(self, detail: String, hint: String) -> Self {
        Self {
            detail,
            hint,
            advice: None,
            ..self
        }
    }

    /// The same status with the setting that would help.
    pub fn with_advice(self, advice: Option<Advice>) -> Self {
        let advice = advice.map(Arc::new);
        Self { advice, ..self }
    }

    /// The same status about `device`.
    pub fn with_device(self, device: Option<Arc<DeviceInfo>>) -> Self {
        Self { device, ..self }
    }

    /// The same status with line settings.
    pub fn with_settings(self, settings: LineSettings) -> Self {
        Self { settings, ..self }
    }

    /// The same status with line errors.
    pub fn with_errors(self, errors: Option<LineErrors>) -> Self {
        Self { errors, ..self }
    }

    /// The same status with the modem's inputs.
    pub fn with_inputs(self, inputs: Option<ModemInputs>) -> Self {
        Self { inputs, ..self }
    }

    /// The detail and the hint in one text.
    pub fn sentence(&self) -> String {
        if self.hint.is_empty() {
            return self.detail.clone();
        }
        format!("{}. {}", self.detail, self.hint)
    }

    /// Returns true if a reader would learn nothing new from `other`.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let what = |it: &Self| (it.state, it.errors, it.inputs, it.settings);
        what(self) == what(other)
            && (&self.detail, &self.hint) == (&other.detail, &other.hint)
            && (&self.advice, &self.writer) == (&other.advice, &other.writer)
            && match (&self.playback, &other.playback) {
                (Some(playback), Some(other)) => playback.goes_on_as(other),
                (playback, other) => playback == other,
            }
            && (&self.recording, &self.outputs) == (&other.recording, &other.outputs)
    }
}

/// A setting that would help, as clients could offer it by a button. The others are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Advice {
    /// The baud rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baud: Option<u32>,
    /// Data bits per character.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_bits: Option<u8>,
    /// The parity bit of each character.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parity: Option<Parity>,
    /// The framing, as `--frame` takes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame: Option<String>,
    /// The view for clients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view: Option<String>,
    /// Bytes of the longest line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_line: Option<usize>,
}

/// The number of characters that a driver received with an error, or lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineErrors {
    /// Characters without a stop bit where one was due: most often the rate is wrong.
    pub framing: u32,
    /// Characters with the wrong parity bit.
    pub parity: u32,
    /// Characters lost because the chip or the driver had no room for them.
    pub overrun: u32,
}

/// The inputs of a modem: the levels of the lines that the device drives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModemInputs {
    /// Clear To Send.
    pub cts: bool,
    /// Data Set Ready.
    pub dsr: bool,
    /// Data Carrier Detect.
    pub dcd: bool,
    /// Ring Indicator.
    pub ri: bool,
}

impl LineErrors {
    /// The errors that came after `earlier`.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            framing: self.framing.wrapping_sub(earlier.framing),
            parity: self.parity.wrapping_sub(earlier.parity),
            overrun: self.overrun.wrapping_sub(earlier.overrun),
        }
    }
}
