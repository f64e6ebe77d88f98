//! The cues of a recording, in order, each with its place. A thread reads it from the files ahead of
//! the player.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use super::files::RecordedFile;
use super::sequence::{RecordingSequence, SequenceItem, SequenceMark};
use crate::hub::{Hub, LineSettings, State, Written};
use crate::port::device::DeviceStatus;
use crate::recording::RecordingEntry;

/// Cues that are handed over at once.
const BATCH_CUES: usize = 256;

/// Bytes of cues that are handed over at once.
const BATCH_BYTES: usize = 64 << 10;

/// Batches that wait for the player. At the limit the thread waits.
pub(super) const BATCHES_AHEAD: usize = 2;

/// Something to play.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cue {
    /// Playing begins here: the bytes that follow join nothing from before.
    Jump(Scene),
    /// The bytes that follow join nothing from before.
    Gap(Scene),
    /// The device sent something.
    Bytes(Bytes),
    /// Somebody sent something to the device.
    Sent(Written),
    /// Somebody made a remark.
    Note(String),
    /// The status of the port changed.
    Status(DeviceStatus),
}

/// The state of the device at a place of the recording.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Scene {
    /// True if the next byte begins a line.
    pub(super) starts_whole: bool,
    /// The status before it, if there was one.
    pub(super) status: Option<DeviceStatus>,
    /// The settings before it.
    pub(super) settings: LineSettings,
}

impl Cue {
    /// Publishes what is no business of the device. Returns the cue if it is.
    pub(super) fn publish(self, hub: &Hub) -> Option<Self> {
        match self {
            Self::Sent(written) => hub.publish_written(|| written),
            Self::Note(text) => hub.publish_note(text),
            cue => return Some(cue),
        }
        None
    }
}

/// Something to play at its place.
#[derive(Debug)]
pub(super) struct TimedCue {
    pub(super) at: Duration,
    pub(super) cue: Cue,
}

/// Reads cues and hands them over.
struct CueReader {
    sequence: RecordingSequence,
    /// The place to begin at.
    from: Duration,
    /// True once it was reached.
    has_begun: bool,
    scene: Scene,
    batch: Vec<TimedCue>,
    batch_bytes: usize,
    sender: mpsc::Sender<Vec<TimedCue>>,
    /// The port, for the log.
    port: String,
}

/// The reason to read no further.
enum Stop {
    /// Nobody listens any more.
    Left,
    /// A file cannot be read.
    Failed(String),
}

/// Reads the cues from the place `from` on, beginning at a mark before it, until the end or until
/// nobody listens. Blocks.
pub(super) fn read(
    files: Arc<[RecordedFile]>,
    mark: SequenceMark,
    from: Duration,
    port: String,
    sender: mpsc::Sender<Vec<TimedCue>>,
) {
    let mut reader = CueReader {
        sequence: RecordingSequence::at(files, mark),
        from,
        has_begun: false,
        scene: Scene {
            starts_whole: true,
            ..Scene::default()
        },
        batch: Vec::new(),
        batch_bytes: 0,
        sender,
        port,
    };
    if let Err(Stop::Failed(why)) = reader.run() {
        tracing::warn!(port = reader.port, "{why}");
        // What was read before is played.
        let _ = reader.flush();
    }
}

impl CueReader {
    fn run(&mut self) -> Result<(), Stop> {
        let mut end = Duration::ZERO;
        loop {
            let item = self.sequence.next_item();
            for warning in self.sequence.take_warnings() {
                tracing::warn!(port = self.port, "{warning}");
            }
            let Some((at, item)) = item.map_err(Stop::Failed)? else {
                break;
            };
            end = at;
            if at >= self.from && !self.has_begun && !matches!(item, SequenceItem::File { .. }) {
                self.begin(at)?;
            } else if self.sender.is_closed() {
                return Err(Stop::Left);
            }
            match item {
                SequenceItem::File { header, joins, .. } => {
                    self.file(at, &header.settings, joins)?
                }
                SequenceItem::Entry(entry) => self.entry(at, entry)?,
            }
        }
        if !self.has_begun {
            if self.from > end {
                let (from, end) = (self.from.as_secs_f64(), end.as_secs_f64());
                tracing::warn!(
                    port = self.port,
                    "there is nothing at {from} s: the recording ends after {end} s"
                );
            }
            self.begin(end)?;
        }
        self.flush()
    }

    /// Begins to play here.
    fn begin(&mut self, at: Duration) -> Result<(), Stop> {
        self.has_begun = true;
        let at = at.min(self.from);
        self.push(at, Cue::Jump(self.scene.clone()))
    }

    fn file(
        &mut self,
        at: Duration,
        settings: &Map<String, Value>,
        joins: bool,
    ) -> Result<(), Stop> {
        self.scene.settings = LineSettings::from_json(settings);
        if joins {
            return Ok(());
        }
        self.scene.starts_whole = true;
        self.scene.status = None;
        self.push(at, Cue::Gap(self.scene.clone()))
    }

    fn entry(&mut self, at: Duration, entry: RecordingEntry) -> Result<(), Stop> {
        match entry {
            RecordingEntry::Received { bytes, .. } => {
                self.scene.starts_whole = bytes.ends_with(b"\n");
                self.push(at, Cue::Bytes(bytes))
            }
            RecordingEntry::Missed { received, .. } if received > 0 => {
                self.scene.starts_whole = false;
                self.push(at, Cue::Gap(self.scene.clone()))
            }
            RecordingEntry::Status {
                state,
                detail,
                hint,
                settings,
                ..
            } => {
                // Later versions may have other states.
                let states = State::ALL.into_iter();
                let Some(state) = states.into_iter().find(|it| it.word() == state) else {
                    return Ok(());
                };
                if let Some(settings) = settings {
                    self.scene.settings = LineSettings::from_json(&settings);
                }
                let settings = self.scene.settings;
                let status = DeviceStatus {
                    state,
                    detail,
                    hint,
                    settings,
                };
                // Whatever comes after a loss begins anew.
                self.scene.starts_whole |= state != State::Open;
                self.scene.status = Some(status.clone());
                self.push(at, Cue::Status(status))
            }
            RecordingEntry::Sent { bytes, client, .. } => {
                let client = client.unwrap_or_default();
                self.push(
                    at,
                    Cue::Sent(Written {
                        bytes,
                        client,
                        name: None,
                    }),
                )
            }
            RecordingEntry::Note { text, .. } => self.push(at, Cue::Note(text)),
            RecordingEntry::Missed { .. } => Ok(()),
        }
    }

    fn push(&mut self, at: Duration, cue: Cue) -> Result<(), Stop> {
        if !self.has_begun {
            return Ok(());
        }
        self.batch_bytes += match &cue {
            Cue::Bytes(bytes) | Cue::Sent(Written { bytes, .. }) => bytes.len(),
            Cue::Note(text) => text.len(),
            Cue::Jump(_) | Cue::Gap(_) | Cue::Status(_) => 0,
        };
        self.batch.push(TimedCue { at, cue });
        if self.batch.len() >= BATCH_CUES || self.batch_bytes >= BATCH_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Stop> {
        self.batch_bytes = 0;
        let batch = std::mem::take(&mut self.batch);
        let sent = batch.is_empty() || self.sender.blocking_send(batch).is_ok();
        if sent { Ok(()) } else { Err(Stop::Left) }
    }
}
