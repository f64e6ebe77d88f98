//! The status of a port in messages.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::seconds;
use crate::hub::{self, LineErrors, ModemInputs, Timestamp};

/// The status of a port.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatusMessage<'a> {
    /// A word such as `open`; later versions may have others.
    pub state: Cow<'a, str>,
    /// One sentence about it, for people.
    pub detail: Cow<'a, str>,
    /// The next step, for people; empty where there is nothing to do.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub hint: Cow<'a, str>,
    /// The setting that would help, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<Cow<'a, hub::Advice>>,
    /// Characters that the driver received with a fault since the device was opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors: Option<LineErrors>,
    /// The modem's inputs, where the open device has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<ModemInputs>,
    /// The client that has the write lock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writer: Option<Cow<'a, hub::LockHolder>>,
    /// The playing of the recording that is the device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub playback: Option<Box<hub::Playback>>,
    /// The recording that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording: Option<Box<RecordingMessage<'a>>>,
    /// The outputs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<OutputMessage<'a>>,
    /// The line settings in force, where nothing else has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<Map<String, Value>>,
}

/// A recording that runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordingMessage<'a> {
    /// The name of the file that is written; empty where there is none yet.
    pub file: Cow<'a, str>,
    /// Bytes in all files of the recording at the time of this message.
    pub bytes: u64,
    /// The time at which the recording begins, in seconds since 1970.
    #[serde(with = "seconds")]
    pub since: Timestamp,
    /// The reason why nothing is recorded at the moment, for people; empty if all is.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub problem: Cow<'a, str>,
}

/// An output: a program, a file or another computer that gets what the device sends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutputMessage<'a> {
    /// The setting that makes it, such as `tcp`; later versions may have others.
    pub kind: Cow<'a, str>,
    /// The value of that setting, where others need to know it.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub at: Cow<'a, str>,
    /// A word: `open`, `waiting` or `off`; later versions may have others.
    pub state: Cow<'a, str>,
    /// The reason why it does not work at the moment, for people; empty if it does.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub problem: Cow<'a, str>,
    /// Programs that are connected, where programs connect to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clients: Option<u64>,
    /// Bytes that it sent.
    pub sent: u64,
    /// Bytes that were to be sent and never will be.
    pub missed: u64,
    /// Times that it worked again after it did not.
    pub reconnects: u64,
}

impl<'a> From<&'a hub::OutputStatus> for OutputMessage<'a> {
    fn from(output: &'a hub::OutputStatus) -> Self {
        let load = |total: &AtomicU64| total.load(Ordering::Relaxed);
        let totals = &output.totals;
        Self {
            kind: output.kind.into(),
            at: (&*output.place).into(),
            state: output.state.word().into(),
            problem: output.state.problem().into(),
            clients: totals.clients.as_ref().map(load),
            sent: load(&totals.sent),
            missed: load(&totals.missed),
            reconnects: load(&totals.reconnects),
        }
    }
}

impl<'a> From<&'a hub::Status> for StatusMessage<'a> {
    fn from(status: &'a hub::Status) -> Self {
        Self {
            state: status.state.word().into(),
            detail: (&*status.detail).into(),
            hint: (&*status.hint).into(),
            advice: status.advice.as_deref().map(Cow::Borrowed),
            errors: status.errors,
            inputs: status.inputs,
            writer: status.writer.as_deref().map(Cow::Borrowed),
            playback: status.playback.clone(),
            recording: status
                .recording
                .as_deref()
                .map(|recording| Box::new(recording.into())),
            outputs: status.outputs.iter().map(OutputMessage::from).collect(),
            settings: None,
        }
    }
}

impl<'a> From<&'a hub::RecordingStatus> for RecordingMessage<'a> {
    fn from(recording: &'a hub::RecordingStatus) -> Self {
        Self {
            file: (&*recording.file).into(),
            bytes: recording.bytes.load(Ordering::Relaxed),
            since: recording.since,
            problem: (&*recording.problem).into(),
        }
    }
}

impl StatusMessage<'_> {
    /// Returns the message about a status on its own, which has the settings too.
    pub fn complete(status: &hub::Status) -> StatusMessage<'_> {
        StatusMessage {
            settings: Some(status.settings.to_json()),
            ..status.into()
        }
    }
}
