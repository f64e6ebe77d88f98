//! The settings of a port that asks its device by itself.

use std::ops::RangeInclusive;
use std::time::Duration;

use bytes::Bytes;
use clap::Error;
use serde::{Serialize, Serializer};
use serde_json::Value as Json;

use super::layers::Layer;
use super::names::{PORT_DEFAULTS, Values};
use super::value::{NONE, SettingValue};
use super::{SharedPort, escapes, units};
use crate::cli::PortArgs;
use crate::port::Poll;

/// The key of the interval.
const EVERY: &str = "every";

/// The shortest and the longest interval: USB hands over what it has once a millisecond.
const INTERVALS: RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_secs(24 * 60 * 60);

/// The text of `--poll`, without its escapes.
#[derive(Clone, Debug)]
pub(crate) struct PollText(Bytes);

impl SettingValue for Option<PollText> {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            NONE => Ok(None),
            "" => Err("expected what to write, such as A or \"*IDN?\\n\"".to_owned()),
            text => escapes::read(text).map(|bytes| Some(PollText(bytes))),
        }
    }

    fn show(&self) -> Json {
        match self {
            None => NONE.into(),
            // The bare word stands for no text at all.
            Some(PollText(bytes)) if bytes == NONE => r"\x6eone".into(),
            Some(PollText(bytes)) => escapes::show(bytes).into(),
        }
    }
}

impl Serialize for PollText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&escapes::show(&self.0))
    }
}

/// The time of `--every`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PollInterval(Duration);

impl SettingValue for PollInterval {
    fn parse(text: &str) -> Result<Self, String> {
        let time = units::time(text, 0.001).filter(|time| INTERVALS.contains(time));
        time.map(Self)
            .ok_or_else(|| "expected a time from 1ms to 24h, such as 50ms or 1s".to_owned())
    }

    fn show(&self) -> Json {
        units::show_time(self.0).into()
    }
}

impl Serialize for PollInterval {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.show().serialize(serializer)
    }
}

/// Returns what a port asks by itself, with the ending that text from clients gets.
pub(super) fn poll(args: &PortArgs) -> Option<Poll> {
    let PollText(bytes) = args.poll.value.as_ref()?;
    let bytes = args.append.complete(bytes.clone());
    Some(Poll {
        text: escapes::show(&bytes),
        bytes,
        every: args.every.0,
    })
}

/// Checks the keys that a port has of its own.
///
/// # Errors
/// If one is for a poll that it does not have.
pub(super) fn check_keys(own: &Values, is_recording: bool, has_poll: bool) -> Result<(), String> {
    if is_recording && own.contains_key("poll") {
        return Err("a recording answers no poll: nothing reaches the device".to_owned());
    }
    if own.contains_key(EVERY) && !has_poll {
        return Err("`every` is the interval of a poll: add poll=TEXT".to_owned());
    }
    Ok(())
}

/// Refuses an interval where no port has a poll.
pub(super) fn check_interval(ports: &[SharedPort], layer: &Layer) -> Result<(), Error> {
    let has_poll = ports.iter().any(|shared| shared.port.poll.is_some());
    if has_poll || layer.values.get(EVERY) == PORT_DEFAULTS.get(EVERY) {
        return Ok(());
    }
    let why = "it is the interval of a poll: add --poll TEXT";
    Err(layer.error(EVERY, 0, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_poll_is_shown_as_it_is_read() {
        for text in ["A", r"\x01\n", "none", r"\x6eone", "é,"] {
            let poll = Option::<PollText>::parse(text).unwrap();
            assert_eq!(poll.show(), text);
        }
    }
}
