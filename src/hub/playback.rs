//! Playing a recording: the place that it has reached, how fast it goes, and what clients change of
//! that. Pure: it is told the time.

use std::sync::{Mutex, MutexGuard};
use std::task::Waker;
use std::time::Duration;

use futures::task::AtomicWaker;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio::time::Instant;

/// The word for a speed without pauses.
const MAX: &str = "max";

/// The speed at which a recording is played.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PlaybackSpeed {
    /// So many times as fast as it was recorded, from [`PlaybackSpeed::MIN_TIMES`] to
    /// [`PlaybackSpeed::MAX_TIMES`].
    Times(f64),
    /// As fast as the port reads.
    Max,
}

impl PlaybackSpeed {
    /// The least that a recording may be slowed down to.
    pub const MIN_TIMES: f64 = 0.01;

    /// The most that a recording may be sped up to, apart from [`PlaybackSpeed::Max`].
    pub const MAX_TIMES: f64 = 1000.0;

    /// Returns the speed for this number, or None if it is out of range.
    pub fn times(number: f64) -> Option<Self> {
        let is_possible = (Self::MIN_TIMES..=Self::MAX_TIMES).contains(&number);
        is_possible.then_some(Self::Times(number))
    }

    /// Reads a number, or `max`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            MAX => Some(Self::Max),
            text => Self::times(text.parse().ok()?),
        }
    }
}

impl Serialize for PlaybackSpeed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Max => serializer.serialize_str(MAX),
            Self::Times(number) => serialize_number(*number, serializer),
        }
    }
}

impl<'de> Deserialize<'de> for PlaybackSpeed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Speed {
            Number(f64),
            Word(String),
        }
        let speed = match Speed::deserialize(deserializer)? {
            Speed::Number(number) => Self::times(number),
            Speed::Word(word) => (word == MAX).then_some(Self::Max),
        };
        speed.ok_or_else(|| serde::de::Error::custom("no speed"))
    }
}

/// The playing of a recording at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Playback {
    /// The time in the recording that has been reached, from its beginning.
    #[serde(with = "seconds")]
    pub position: Duration,
    /// The time that the whole recording takes; None until that is known.
    #[serde(
        default,
        with = "optional_seconds",
        skip_serializing_if = "Option::is_none"
    )]
    pub length: Option<Duration>,
    /// The speed at which it is played.
    pub speed: PlaybackSpeed,
    /// True while it stands still because a client has paused it.
    pub paused: bool,
}

impl Playback {
    /// Returns true if `other` differs at most in the place that was reached by itself.
    pub(super) fn goes_on_as(&self, other: &Self) -> bool {
        (self.length, self.speed, self.paused) == (other.length, other.speed, other.paused)
    }
}

/// A client's change of the playing of a recording. Members that are absent stay as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PlaybackChange {
    /// Pauses it, or goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<bool>,
    /// Goes to this place, in seconds from the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seek: Option<f64>,
    /// Plays it at this speed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed: Option<PlaybackSpeed>,
}

/// The control of a player: clients change it, and the player obeys.
pub struct PlaybackControl {
    timeline: Mutex<Timeline>,
    /// Wakes the player after a change.
    player: AtomicWaker,
}

/// The place in a recording, as a function of time.
#[derive(Debug)]
struct Timeline {
    /// The place that was reached at `since`, or last.
    position: Duration,
    /// The moment from which time goes on; None while it stands still.
    since: Option<Instant>,
    speed: PlaybackSpeed,
    is_paused: bool,
    /// True while the player plays.
    is_running: bool,
    length: Option<Duration>,
    /// The place to go to next.
    seek: Option<Duration>,
}

impl PlaybackControl {
    /// A recording that will be played at `speed`, beginning at `from`.
    pub fn new(speed: PlaybackSpeed, from: Duration) -> Self {
        let timeline = Timeline {
            position: from,
            since: None,
            speed,
            is_paused: false,
            is_running: false,
            length: None,
            seek: Some(from),
        };
        Self {
            timeline: Mutex::new(timeline),
            player: AtomicWaker::new(),
        }
    }

    /// Changes the playing as a client wants it.
    ///
    /// # Errors
    /// If it wants to go where the recording is not.
    pub fn change(&self, change: &PlaybackChange, now: Instant) -> Result<(), String> {
        self.timeline().change(change, now)?;
        self.player.wake();
        Ok(())
    }

    /// Returns the state of the playing.
    pub fn playback(&self, now: Instant) -> Playback {
        let timeline = self.timeline();
        Playback {
            position: timeline.position_at(now),
            length: timeline.length,
            speed: timeline.speed,
            paused: timeline.is_paused,
        }
    }

    /// Has this task woken after the next change.
    pub fn wake_after_change(&self, player: &Waker) {
        self.player.register(player);
    }

    /// Returns the place to go to, once.
    pub fn take_seek(&self) -> Option<Duration> {
        self.timeline().seek.take()
    }

    /// Returns when what is at `position` is due; None while the recording stands still.
    pub fn due(&self, position: Duration, now: Instant) -> Option<Instant> {
        self.timeline().due(position, now)
    }

    /// Notes that what is at `position` was played.
    pub fn played(&self, position: Duration) {
        let mut timeline = self.timeline();
        if timeline.speed == PlaybackSpeed::Max {
            timeline.position = position;
        }
    }

    /// Returns true if the place that was reached does not follow from the time.
    pub fn is_irregular(&self) -> bool {
        let timeline = self.timeline();
        timeline.speed == PlaybackSpeed::Max && timeline.since.is_some()
    }

    /// Goes on from where the recording stands.
    pub fn start(&self, now: Instant) {
        self.timeline().set_running(true, now);
    }

    /// Stands still, as at the end and while the port is released.
    pub fn stop(&self, now: Instant) {
        self.timeline().set_running(false, now);
    }

    /// Goes to the beginning.
    pub fn rewind(&self, now: Instant) {
        let mut timeline = self.timeline();
        timeline.jump(Duration::ZERO, now);
    }

    /// Notes how long the recording is.
    pub fn set_length(&self, length: Duration) {
        self.timeline().length = Some(length);
    }

    fn timeline(&self) -> MutexGuard<'_, Timeline> {
        self.timeline
            .lock()
            .expect("nothing panics while it holds the timeline")
    }
}

impl Timeline {
    fn position_at(&self, now: Instant) -> Duration {
        let reached = match (self.since, self.speed) {
            (Some(since), PlaybackSpeed::Times(speed)) => {
                self.position + scaled(now.saturating_duration_since(since), speed)
            }
            _ => self.position,
        };
        self.length.map_or(reached, |length| reached.min(length))
    }

    fn due(&self, position: Duration, now: Instant) -> Option<Instant> {
        let since = self.since?;
        let PlaybackSpeed::Times(speed) = self.speed else {
            return Some(now);
        };
        let rest = position.saturating_sub(self.position);
        // A time beyond all measure is never due.
        since.checked_add(scaled(rest, 1.0 / speed))
    }

    fn change(&mut self, change: &PlaybackChange, now: Instant) -> Result<(), String> {
        let seek = change.seek.map(|seconds| self.place(seconds)).transpose()?;
        self.settle(now);
        self.speed = change.speed.unwrap_or(self.speed);
        self.is_paused = change.pause.unwrap_or(self.is_paused);
        if let Some(place) = seek {
            self.seek = Some(place);
            self.position = place;
        }
        self.settle(now);
        Ok(())
    }

    /// Returns the place so many seconds after the beginning.
    fn place(&self, seconds: f64) -> Result<Duration, String> {
        let place = Duration::try_from_secs_f64(seconds)
            .map_err(|_| r#""seek" must be a time in seconds such as 90"#)?;
        match self.length {
            Some(length) if place > length => Err(format!(
                r#""seek" must be from 0 to {}, where the recording ends"#,
                length.as_secs_f64()
            )),
            _ => Ok(place),
        }
    }

    fn set_running(&mut self, is_running: bool, now: Instant) {
        self.settle(now);
        self.is_running = is_running;
        self.settle(now);
    }

    fn jump(&mut self, place: Duration, now: Instant) {
        self.position = place;
        self.since = None;
        self.settle(now);
    }

    /// Counts from now on.
    fn settle(&mut self, now: Instant) {
        self.position = self.position_at(now);
        self.since = (self.is_running && !self.is_paused).then_some(now);
    }
}

/// Returns a time as it is at another speed. At the speed of the recording it stays exactly the same.
fn scaled(time: Duration, factor: f64) -> Duration {
    if factor == 1.0 {
        return time;
    }
    Duration::try_from_secs_f64(time.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}

/// Writes a whole number without a fraction.
fn serialize_number<S: Serializer>(number: f64, serializer: S) -> Result<S::Ok, S::Error> {
    if number.fract() == 0.0 && number.abs() < 1e15 {
        serializer.serialize_i64(number as i64)
    } else {
        serializer.serialize_f64(number)
    }
}

/// Seconds, to the millisecond.
mod seconds {
    use super::*;

    pub(super) fn serialize<S: Serializer>(
        time: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serialize_number(time.as_millis() as f64 / 1000.0, serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
        let seconds = f64::deserialize(d)?;
        Duration::try_from_secs_f64(seconds).map_err(serde::de::Error::custom)
    }
}

/// The same for a time that may not be known.
mod optional_seconds {
    use super::*;

    pub(super) fn serialize<S: Serializer>(
        time: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => seconds::serialize(time, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        d: D,
    ) -> Result<Option<Duration>, D::Error> {
        seconds::deserialize(d).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn control(speed: PlaybackSpeed, now: Instant) -> PlaybackControl {
        let control = PlaybackControl::new(speed, Duration::ZERO);
        control.set_length(seconds(100));
        control.start(now);
        control
    }

    fn pause(is_paused: bool) -> PlaybackChange {
        PlaybackChange {
            pause: Some(is_paused),
            ..PlaybackChange::default()
        }
    }

    fn seek(seconds: f64) -> PlaybackChange {
        PlaybackChange {
            seek: Some(seconds),
            ..PlaybackChange::default()
        }
    }

    #[test]
    fn the_place_follows_the_time_at_every_speed() {
        let start = Instant::now();
        let now = start + seconds(10);
        for (speed, position) in [(1.0, 10.0), (2.0, 20.0), (0.5, 5.0), (1000.0, 100.0)] {
            let control = control(PlaybackSpeed::Times(speed), start);
            let reached = control.playback(now).position;
            assert_eq!(reached, Duration::from_secs_f64(position), "{speed}");
        }
    }

    #[test]
    fn what_is_due_keeps_its_distance_exactly() {
        let start = Instant::now();
        let control = control(PlaybackSpeed::Times(1.0), start);
        for micros in [0, 1, 10_054, 59_999_999] {
            let gap = Duration::from_micros(micros);
            assert_eq!(control.due(gap, start), Some(start + gap));
        }
        let change = PlaybackChange {
            speed: PlaybackSpeed::times(4.0),
            ..PlaybackChange::default()
        };
        let now = start + seconds(10);
        control.change(&change, now).unwrap();
        assert_eq!(control.due(seconds(30), now), Some(now + seconds(5)));
        // What is late is due at once, not in the past of the change.
        assert_eq!(control.due(seconds(9), now), Some(now));
    }

    #[test]
    fn nothing_is_due_while_it_is_paused() {
        let start = Instant::now();
        let control = control(PlaybackSpeed::Times(1.0), start);
        control.change(&pause(true), start + seconds(10)).unwrap();
        let later = start + seconds(50);
        assert_eq!(control.due(seconds(11), later), None);
        assert_eq!(control.playback(later).position, seconds(10));
        control.change(&pause(false), later).unwrap();
        let due = control.due(seconds(11), later);
        assert_eq!(due, Some(later + seconds(1)));
    }

    #[test]
    fn a_place_is_sought_once_also_while_it_is_paused() {
        let start = Instant::now();
        let control = control(PlaybackSpeed::Times(1.0), start);
        assert_eq!(control.take_seek(), Some(Duration::ZERO));
        assert_eq!(control.take_seek(), None);
        control.change(&pause(true), start).unwrap();
        control.change(&seek(90.5), start).unwrap();
        let place = Duration::from_millis(90_500);
        assert_eq!(control.take_seek(), Some(place));
        assert_eq!(control.playback(start + seconds(9)).position, place);
    }

    #[test]
    fn a_place_outside_of_the_recording_is_an_error_that_changes_nothing() {
        let now = Instant::now();
        let control = control(PlaybackSpeed::Times(1.0), now);
        control.take_seek();
        for wrong in [-1.0, f64::NAN, f64::INFINITY, 1e300] {
            let error = control.change(&seek(wrong), now).unwrap_err();
            assert!(error.contains("in seconds such as 90"), "{error}");
        }
        let beyond = PlaybackChange {
            pause: Some(true),
            ..seek(100.5)
        };
        let error = control.change(&beyond, now).unwrap_err();
        assert!(error.contains("from 0 to 100, where"), "{error}");
        assert!(!control.playback(now).paused);
        assert_eq!(control.take_seek(), None);
    }

    #[test]
    fn without_pauses_the_place_is_where_the_player_is() {
        let start = Instant::now();
        let control = control(PlaybackSpeed::Max, start);
        let later = start + seconds(50);
        assert_eq!(control.due(seconds(90), later), Some(later));
        control.played(seconds(90));
        assert_eq!(control.playback(later).position, seconds(90));
        assert!(control.is_irregular());
        control.stop(later);
        assert!(!control.is_irregular());
    }

    #[test]
    fn it_stands_still_while_the_player_is_stopped() {
        let start = Instant::now();
        let control = control(PlaybackSpeed::Times(1.0), start);
        control.stop(start + seconds(3));
        let later = start + seconds(60);
        assert_eq!(control.due(seconds(4), later), None);
        control.start(later);
        assert_eq!(control.due(seconds(4), later), Some(later + seconds(1)));
        control.rewind(later + seconds(1));
        let due = control.due(seconds(4), later);
        assert_eq!(due, Some(later + seconds(5)));
    }

    #[test]
    fn a_playback_is_written_in_seconds_and_read_back() {
        let playback = Playback {
            position: Duration::from_millis(12_345),
            length: Some(seconds(300)),
            speed: PlaybackSpeed::Times(2.0),
            paused: true,
        };
        let text = serde_json::to_string(&playback).unwrap();
        assert_eq!(
            text,
            r#"{"position":12.345,"length":300,"speed":2,"paused":true}"#
        );
        assert_eq!(serde_json::from_str::<Playback>(&text).unwrap(), playback);
        let max: Playback =
            serde_json::from_str(r#"{"position":0,"speed":"max","paused":false}"#).unwrap();
        assert_eq!((max.speed, max.length), (PlaybackSpeed::Max, None));
    }

    #[test]
    fn a_speed_is_a_number_within_limits_or_max() {
        assert_eq!(PlaybackSpeed::parse("max"), Some(PlaybackSpeed::Max));
        assert_eq!(PlaybackSpeed::parse("0.5"), Some(PlaybackSpeed::Times(0.5)));
        for wrong in ["", "0", "-1", "1001", "NaN", "inf", "fast", "2x", "0.001"] {
            assert_eq!(PlaybackSpeed::parse(wrong), None, "{wrong}");
        }
    }
}
