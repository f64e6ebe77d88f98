//! The settings of a port that plays a recording.

use std::time::Duration;

use clap::{ArgAction, Args};
use serde::{Deserialize, Serialize};

use super::names::Values;
use super::value::{Setting, SettingValue};
use crate::hub::PlaybackSpeed;
use crate::port::source::play::PlayOptions;

/// The place that fixes the line settings of a recording.
pub(super) const RECORDING: &str = "the recording";

/// The keys of [`PlayArgs`].
pub(super) const PLAY_KEYS: [&str; 3] = ["speed", "from", "loop"];

/// The settings that only a recording has.
#[derive(Args, Clone, Copy, Debug, Deserialize, Serialize)]
pub(super) struct PlayArgs {
    /// The speed, as a multiple of that at which it was recorded.
    #[arg(long, default_value = "1")]
    speed: Setting<PlaybackSpeed>,
    /// The place at which it begins.
    #[arg(long, default_value = "0s")]
    from: Setting<Duration>,
    /// Begins again at its end.
    #[arg(long = "loop", action = ArgAction::SetTrue)]
    #[serde(default, rename = "loop")]
    repeats: Setting<bool>,
}

impl PlayArgs {
    /// Returns them as the source takes them.
    pub(super) fn options(self) -> PlayOptions {
        PlayOptions {
            speed: *self.speed,
            from: *self.from,
            repeats: *self.repeats,
        }
    }
}

/// Refuses the settings of a recording for anything else.
pub(super) fn check_keys(port: &Values, is_recording: bool) -> Result<(), String> {
    let mut keys = PLAY_KEYS.into_iter();
    match keys.find(|key| port.contains_key(*key)) {
        Some(key) if !is_recording => Err(format!("`{key}` is for a recording alone, play:FILE")),
        _ => Ok(()),
    }
}

impl SettingValue for PlaybackSpeed {
    fn parse(text: &str) -> Result<Self, String> {
        Self::parse(text).ok_or_else(|| {
            let (least, most) = (Self::MIN_TIMES, Self::MAX_TIMES);
            format!("expected a number from {least} to {most} such as 2, or max")
        })
    }
}
