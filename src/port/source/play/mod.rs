//! `play:FILE`: a recording as a device. It sends what the device of the recording sent, with the same
//! pauses, and is lost and opened when that was. What clients write is dropped. What they wrote when it
//! was recorded, and their notes, are told again.
//!
//! | file | what it does |
//! |---|---|
//! | `spec` | the words behind `play:`, and the settings of playing |
//! | `files` | finds the files of a recording, and opens them |
//! | `sequence` | their entries in order, each with its place |
//! | `cue` | what is to be played, read ahead on a thread |
//! | `player` | hands it out when it is due |
//! | `device` | the open device |

mod cue;
mod device;
pub(crate) mod files;
mod player;
pub(crate) mod sequence;
mod spec;

use std::future::poll_fn;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{OpenFailure, OpenedDevice, Opening, Source};
use crate::hub::{DeviceInfo, Hub, LineSettings, PlaybackControl, State, Status};
use crate::port::config::PortConfig;
use crate::port::device::DeviceStatus;
use crate::recording::RecordingEntry;
use crate::terminal::shown;
use cue::{Cue, Scene};
use device::{PlayDevice, SharedPlayer};
use files::{RecordedFile, RecordedFiles, name};
use player::Player;
use sequence::{RecordingSequence, SequenceItem};

pub(crate) use spec::{PLAY, PlayFiles, PlayOptions};

/// Entries among which the first opening of the device is looked for. Before it, there are only statuses.
const MAX_ENTRIES_BEFORE_OPENING: usize = 100;

/// The advice when the recording has ended.
const ENDED_HINT: &str = "To play it again, go to an earlier place on the page, or start serial-ws \
    with ,loop after the file";

/// The source of a recording.
pub(crate) struct PlaySource {
    files: PlayFiles,
    options: PlayOptions,
    /// The name of the port.
    port: String,
    hub: Arc<Hub>,
    control: Arc<PlaybackControl>,
    /// The player with what the recording says of its device, once the files were found.
    loaded: Option<Loaded>,
}

/// A recording whose files were found.
struct Loaded {
    player: SharedPlayer,
    info: DeviceInfo,
    settings: LineSettings,
}

impl PlaySource {
    /// Lets clients control the playing. Opens no file yet.
    pub(crate) fn new(files: &PlayFiles, config: &PortConfig, hub: &Arc<Hub>) -> Self {
        let PlayOptions { speed, from, .. } = config.play;
        let control = Arc::new(PlaybackControl::new(speed, from));
        hub.set_playback(Arc::clone(&control));
        Self {
            files: files.clone(),
            options: config.play,
            port: config.name.clone(),
            hub: Arc::clone(hub),
            control,
            loaded: None,
        }
    }

    /// Finds the files, once.
    async fn load(&mut self) -> Result<(), OpenFailure> {
        if self.loaded.is_some() {
            return Ok(());
        }
        let (paths, port) = (self.files.paths.clone(), self.port.clone());
        let found = tokio::task::spawn_blocking(move || {
            let RecordedFiles { files, remarks } = find(&paths, &port)?;
            let files: Arc<[RecordedFile]> = files.into();
            Ok((identity(&files), files, remarks))
        });
        let found = found.await;
        let found = found.unwrap_or_else(|_| Err("serial-ws is stopping".to_owned()));
        let (info, files, remarks) =
            found.map_err(|why: String| OpenFailure::permanent(self.cannot_play(&why), ""))?;
        for remark in &remarks {
            tracing::warn!(port = self.port, "{remark}");
        }
        let settings = LineSettings::from_json(&files[0].header.settings);
        let (control, hub) = (Arc::clone(&self.control), Arc::clone(&self.hub));
        let player = Player::new(files, control, hub, &self.port, self.options.repeats);
        self.loaded = Some(Loaded {
            player: SharedPlayer::new(player),
            info: info.unwrap_or_else(|| DeviceInfo {
                path: self.files.to_string(),
                board: None,
                usb: None,
                low_latency: false,
            }),
            settings,
        });
        Ok(())
    }

    fn cannot_play(&self, why: &str) -> String {
        let advice = match &self.files.paths[..] {
            [_, _, ..] if self.files.paths.iter().any(|path| !path.exists()) => {
                "; a name with blanks stands between quotes"
            }
            _ => "",
        };
        format!(
            "cannot play {}: {why}{advice}",
            shown(&self.files.to_string())
        )
    }

    /// Waits until the device of the recording is open.
    async fn open_recorded(&mut self) -> Result<OpenedDevice, OpenFailure> {
        self.load().await?;
        let Some(loaded) = &self.loaded else {
            return Err(OpenFailure::waiting(self.cannot_play("it is not loaded")));
        };
        let player = loaded.player.clone();
        if !player.lock().has_ended() {
            self.control.start(Instant::now());
        }
        loop {
            let cue = poll_fn(|cx| player.lock().poll_cue(cx)).await;
            // At the end, until somebody goes to an earlier place.
            let Some(cue) = cue else {
                continue;
            };
            self.control.start(Instant::now());
            let Some(cue) = cue.publish(&self.hub) else {
                continue;
            };
            let status = match cue {
                Cue::Status(status) => status,
                Cue::Jump(scene) | Cue::Gap(scene) => loaded.status(scene),
                Cue::Bytes(_) | Cue::Sent(_) | Cue::Note(_) => {
                    player.lock().put_back(cue);
                    loaded.status(Scene::default())
                }
            };
            if status.state != State::Open {
                return Err(told(status));
            }
            let (control, hub) = (Arc::clone(&self.control), Arc::clone(&self.hub));
            let device = PlayDevice::new(player, control, hub, status);
            return Ok(loaded.opened(device));
        }
    }
}

impl Loaded {
    /// Returns the status of the device at a place of the recording.
    fn status(&self, scene: Scene) -> DeviceStatus {
        scene.status.unwrap_or_else(|| DeviceStatus {
            state: State::Open,
            detail: sentence(&self.info, &self.settings),
            hint: String::new(),
            settings: self.settings,
        })
    }

    fn opened(&self, device: PlayDevice) -> OpenedDevice {
        OpenedDevice {
            device: Box::new(device),
            info: self.info.clone(),
            detail: sentence,
            starts_whole: true,
            gathers: false,
            has_rate: false,
            finds_rate: false,
            settle: Duration::ZERO,
        }
    }
}

impl Source for PlaySource {
    fn open(&mut self) -> Opening<'_> {
        Box::pin(self.open_recorded())
    }

    /// A recording that has ended waits for somebody who goes to an earlier place.
    fn may_be_left(&self) -> bool {
        self.loaded.is_some()
    }

    /// A recording says itself when it is open again.
    fn retry_delay(&self) -> Duration {
        Duration::ZERO
    }

    fn lost_hint(&self) -> &'static str {
        ENDED_HINT
    }
}

/// Returns the files of a port: of the one that is called as this port, or of the first.
fn find(paths: &[PathBuf], port: &str) -> Result<RecordedFiles, String> {
    RecordedFiles::find(paths, Some(port)).or_else(|_| RecordedFiles::find(paths, None))
}

/// Returns the device that was recorded, if the recording tells it. Blocks.
fn identity(files: &Arc<[RecordedFile]>) -> Option<DeviceInfo> {
    let header = &files.first()?.header;
    if let Some(path) = header.path.clone() {
        return Some(DeviceInfo {
            path,
            board: header.board.clone(),
            usb: header.usb.clone(),
            low_latency: false,
        });
    }
    // It began before its device was open.
    let mut sequence = RecordingSequence::new(Arc::clone(files));
    for _ in 0..MAX_ENTRIES_BEFORE_OPENING {
        let (_, item) = sequence.next_item().ok()??;
        if let SequenceItem::Entry(RecordingEntry::Status {
            device: Some(device),
            ..
        }) = item
        {
            return Some(*device);
        }
    }
    None
}

/// Returns the files of a recording for people, or why it cannot be played.
///
/// # Errors
/// Says why it cannot be played.
pub(crate) fn check(files: &PlayFiles, port: &str) -> Result<String, String> {
    let found = find_files(files, port)?;
    let names = found.iter().map(|path| name(path));
    Ok(names.collect::<Vec<_>>().join(", "))
}

/// Returns the files that would be played.
///
/// # Errors
/// Says why they cannot be.
pub(crate) fn find_files(files: &PlayFiles, port: &str) -> Result<Vec<PathBuf>, String> {
    let found = find(&files.paths, port)?;
    Ok(found.files.into_iter().map(|file| file.path).collect())
}

/// Returns the sentence about an open device that is recorded.
fn sentence(info: &DeviceInfo, settings: &LineSettings) -> String {
    let board = info.board.as_ref().map(|board| format!("{board}, "));
    format!(
        "{} is open (recording, {}{})",
        info.path,
        board.unwrap_or_default(),
        settings.rate_for_people()
    )
}

/// Returns what a recording tells of a device that is not open.
fn told(status: DeviceStatus) -> OpenFailure {
    let DeviceStatus {
        state,
        detail,
        hint,
        ..
    } = status;
    OpenFailure {
        is_recorded: true,
        ..Status::new(state, detail).with_hint(hint).into()
    }
}

#[cfg(test)]
mod tests;
