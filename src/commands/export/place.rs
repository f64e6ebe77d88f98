//! `--from` and `--to`: places in a recording. Pure.

use std::str::FromStr;
use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::config::units;
use crate::hub::Timestamp;

/// A place in a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RangeEnd {
    /// The time since the beginning.
    After(Duration),
    /// A time of the clock.
    At(Timestamp),
}

/// A part of a recording.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    from: Option<RangeEnd>,
    to: Option<RangeEnd>,
}

impl FromStr for RangeEnd {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(time) = units::time(text, 1.0) {
            return Ok(Self::After(time));
        }
        let moment = text.parse::<jiff::Timestamp>().ok().or_else(|| {
            let local: DateTime = text.parse().ok()?;
            TimeZone::system().to_timestamp(local).ok()
        });
        let micros = moment.and_then(|moment| u64::try_from(moment.as_microsecond()).ok());
        micros
            .map(|micros| Self::At(Timestamp(micros)))
            .ok_or_else(|| {
                "expected a time since the beginning such as 90s, or a date and time such as \
             2026-12-01T10:11:41"
                    .to_owned()
            })
    }
}

impl RangeEnd {
    /// Returns true if an entry comes before it.
    fn is_after(self, position: Duration, t: Timestamp) -> bool {
        match self {
            Self::After(place) => position < place,
            Self::At(moment) => t < moment,
        }
    }
}

impl Range {
    /// The part between two places, or from the beginning or to the end.
    pub(super) fn new(from: Option<RangeEnd>, to: Option<RangeEnd>) -> Self {
        Self { from, to }
    }

    /// Returns true if an entry does not come before it.
    pub(super) fn has_begun(self, position: Duration, t: Timestamp) -> bool {
        self.from.is_none_or(|from| !from.is_after(position, t))
    }

    /// Returns the time at which it begins, by the place of an entry; None for the beginning.
    pub(super) fn start(self, position: Duration, t: Timestamp) -> Option<Timestamp> {
        match self.from? {
            RangeEnd::At(moment) => Some(moment),
            RangeEnd::After(place) => {
                let since = position.saturating_sub(place).as_micros();
                Some(Timestamp(t.0.saturating_sub(since as u64)))
            }
        }
    }

    /// Returns true if an entry comes after it.
    pub(super) fn is_over(self, position: Duration, t: Timestamp) -> bool {
        self.to.is_some_and(|to| !to.is_after(position, t))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_time_since_the_beginning_or_of_the_clock() {
        let after = |text: &str| text.parse::<RangeEnd>();
        assert_eq!(after("90s"), Ok(RangeEnd::After(Duration::from_secs(90))));
        assert_eq!(after("1.5m"), Ok(RangeEnd::After(Duration::from_secs(90))));
        let at = RangeEnd::At(Timestamp(1_796_119_901_500_000));
        assert_eq!(after("2026-12-01T10:11:41.5Z"), Ok(at));
        assert_eq!(after("2026-12-01T12:11:41.5+02:00"), Ok(at));
        assert!(matches!(after("2026-12-01 10:11"), Ok(RangeEnd::At(_))));
        for wrong in [
            "",
            "soon",
            "-1s",
            "2026",
            "2026-13-01T00:00:00",
            "1969-01-01T00:00:00Z",
        ] {
            let found = after(wrong);
            let is_time = wrong == "2026";
            assert_eq!(found.is_ok(), is_time, "{wrong}: {found:?}");
        }
    }

    #[test]
    fn a_range_begins_with_its_first_place_and_ends_before_its_last() {
        let range = Range::new(Some("1s".parse().unwrap()), Some("2s".parse().unwrap()));
        let t = Timestamp(0);
        let is_in = |ms| {
            let position = Duration::from_millis(ms);
            range.has_begun(position, t) && !range.is_over(position, t)
        };
        assert_eq!(
            [999, 1000, 1999, 2000].map(is_in),
            [false, true, true, false]
        );
    }
}
