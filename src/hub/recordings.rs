//! The recordings that a hub tells of: the one that is made of the port, and the one that is its
//! device.

use std::sync::Arc;

use tokio::time::Instant;

use super::sync::atomic::Ordering;
use super::{
    Hub, Kind, Playback, PlaybackChange, PlaybackControl, RecordingStatus, Status, Timestamp,
};

impl Hub {
    /// Tells everybody how the recording goes; None where there is none.
    pub fn set_recording(&self, recording: Option<RecordingStatus>) {
        *self.recording() = recording;
        self.publish_changed(Status::clone);
    }

    /// Lets clients see and change the playing of the recording that is the port's device.
    pub fn set_playback(&self, control: Arc<PlaybackControl>) {
        let _ = self.playback.set(control);
    }

    /// Changes the playing of the recording, and tells everybody.
    ///
    /// # Errors
    /// If the port plays no recording, or the change is impossible.
    pub fn change_playback(&self, change: &PlaybackChange) -> Result<(), String> {
        let control = self.playback.get();
        let control = control.ok_or("this port plays no recording: only play:FILE does")?;
        control.change(change, Instant::now())?;
        self.publish_playback();
        Ok(())
    }

    /// Tells everybody how far the recording has been played.
    pub fn publish_playback(&self) {
        let history = self.history();
        let mut status = history.status.clone();
        status.playback = self.playback();
        self.push(history, Timestamp::now(), Kind::Status(status));
    }

    /// Returns how far the recording has been played.
    pub(super) fn playback(&self) -> Option<Box<Playback>> {
        let control = self.playback.get()?;
        Some(Box::new(control.playback(Instant::now())))
    }

    /// Publishes a remark in the recording that is the device, if somebody records it again.
    pub fn publish_note(&self, text: String) {
        if self.wants_written.load(Ordering::Relaxed) > 0 {
            self.publish(Timestamp::now(), Kind::Note(text));
        }
    }
}
