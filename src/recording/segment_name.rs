//! Names of recordings: `PORT-YYYYMMDDTHHMMSSZ.jsonl`.

use std::fmt;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::hub::Timestamp;

/// The form of the time in a name, in UTC.
const TIME_FORMAT: &str = "%Y%m%dT%H%M%SZ";

/// Characters of a time in that form.
const TIME_LENGTH: usize = "20261201T101141Z".len();

/// The end of the name of a file that is written, or was.
const PLAIN_SUFFIX: &str = ".jsonl";

/// The end of the name of a complete file.
const COMPRESSED_SUFFIX: &str = ".jsonl.gz";

/// The name of a recording: of one segment of it, where it has several. Names in the order of
/// [`Ord`] are in the order of time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SegmentName {
    /// The port.
    pub port: String,
    /// Seconds since 1970 at which it begins.
    pub seconds: i64,
    /// 0, or a number from 2 on where names before were taken: it stands behind `_`.
    pub number: u32,
    /// True for a complete, compressed file.
    pub is_compressed: bool,
}

impl SegmentName {
    /// The name of a file of `port` that begins at `t`.
    pub fn new(port: &str, t: Timestamp) -> Self {
        Self {
            port: port.to_owned(),
            seconds: (t.0 / 1_000_000) as i64,
            number: 0,
            is_compressed: false,
        }
    }

    /// Returns the next name to try where this one is taken.
    #[must_use]
    pub fn successor(self) -> Self {
        let number = self.number.max(1) + 1;
        Self { number, ..self }
    }

    /// Returns the name of the same recording when it is complete.
    #[must_use]
    pub fn compressed(self) -> Self {
        Self {
            is_compressed: true,
            ..self
        }
    }

    /// Returns the name that `file_name` is; None if it is none of a recording.
    pub fn parse(file_name: &str) -> Option<Self> {
        let compressed = file_name.strip_suffix(COMPRESSED_SUFFIX);
        let name = compressed.or_else(|| file_name.strip_suffix(PLAIN_SUFFIX))?;
        let (name, number) = match name.rsplit_once('_') {
            Some((name, number)) if name.ends_with('Z') && is_number(number) => {
                (name, number.parse().ok().filter(|number| *number > 1)?)
            }
            _ => (name, 0),
        };
        let at = name.len().checked_sub(TIME_LENGTH)?;
        let (port, time) = (name.get(..at)?.strip_suffix('-')?, name.get(at..)?);
        let time = DateTime::strptime(TIME_FORMAT, time).ok()?;
        let time = TimeZone::UTC.to_timestamp(time).ok()?;
        let name = Self {
            port: port.to_owned(),
            seconds: time.as_second(),
            number,
            is_compressed: compressed.is_some(),
        };
        (name.to_string() == file_name).then_some(name)
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = jiff::Timestamp::from_second(self.seconds).map_err(|_| fmt::Error)?;
        write!(f, "{}-{}", self.port, time.strftime(TIME_FORMAT))?;
        if self.number > 0 {
            write!(f, "_{:03}", self.number)?;
        }
        f.write_str(if self.is_compressed {
            COMPRESSED_SUFFIX
        } else {
            PLAIN_SUFFIX
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expected: Option<(&str, u32, bool)>) {
        let parsed = SegmentName::parse(name);
        let found = parsed
            .as_ref()
            .map(|it| (it.port.as_str(), it.number, it.is_compressed));
        assert_eq!(found, expected, "{name}");
        if let Some(parsed) = parsed {
            assert_eq!(parsed.to_string(), name);
        }
    }

    #[test]
    fn names_read_back_and_others_are_none() {
        check("uno-20261201T101141Z.jsonl", Some(("uno", 0, false)));
        check("uno-20261201T101141Z_002.jsonl", Some(("uno", 2, false)));
        check("uno-20261201T101141Z.jsonl.gz", Some(("uno", 0, true)));
        check(
            "a_b-c-20261201T101141Z_1234.jsonl.gz",
            Some(("a_b-c", 1234, true)),
        );
        // A port that is called as a recording of another one.
        let name = "uno-20261201T101141Z-20261201T101142Z.jsonl";
        check(name, Some(("uno-20261201T101141Z", 0, false)));
        check("20261201T101141Z.jsonl", None);
        check("uno-20261201T101141Z", None);
        check("uno-20261201T101141Z.json", None);
        check("uno-20261201T101141Z_2.jsonl", None);
        check("uno-20261201T101141Z_001.jsonl", None);
        check("uno-20261301T101141Z.jsonl", None);
        check("uno-20261201T101141.jsonl", None);
        check("notes.jsonl", None);
        check(".jsonl", None);
        check("é-20261201T101141Z.jsonl.gz", Some(("é", 0, true)));
    }

    #[test]
    fn the_successor_of_a_name_comes_after_it_in_any_listing() {
        let first = SegmentName::new("uno", Timestamp(1_796_119_901_500_000));
        assert_eq!(first.to_string(), "uno-20261201T101141Z.jsonl");
        let second = first.clone().successor();
        assert_eq!(second.to_string(), "uno-20261201T101141Z_002.jsonl");
        assert!(first < second && first.to_string() < second.to_string());
        let third = second.clone().successor();
        assert!(second < third && second.to_string() < third.to_string());
    }
}
