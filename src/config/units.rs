//! Times and sizes as users type them: `500ms`, `2s`, `64KiB`, or a plain number.

use std::time::Duration;

/// The end of a sentence that says how to write a time.
pub(crate) const TIME: &str = "a time such as 500ms, 2s or 5m";

/// The end of a sentence that says how to write a size.
pub(crate) const SIZE: &str = "a size such as 65536, 64KiB or 1MB";

/// Reads a time such as `500ms`, `1.5m` or `10`, a number without a unit being seconds.
///
/// # Errors
/// The sentence for the user.
pub(crate) fn parse_time(text: &str) -> Result<Duration, String> {
    time(text, 1.0).ok_or_else(|| format!("expected {TIME}"))
}

/// Reads a time, in which a number without a unit counts `bare_seconds` each. Returns `None` for
/// what is no time, and for times beyond all measure.
pub(crate) fn time(text: &str, bare_seconds: f64) -> Option<Duration> {
    let (number, unit) = split(text);
    let seconds = match unit {
        "" => bare_seconds,
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    let number: f64 = number.parse().ok()?;
    Duration::try_from_secs_f64(number * seconds).ok()
}

/// Writes a time as [`time`] reads it.
pub(crate) fn show_time(time: Duration) -> String {
    if time.subsec_nanos() == 0 {
        format!("{}s", time.as_secs())
    } else {
        format!("{}ms", time.as_secs_f64() * 1000.0)
    }
}

/// Reads a size in bytes such as `65536`, `64KiB` or `1.5MB`.
pub(crate) fn size(text: &str) -> Option<u64> {
    let (number, unit) = split(text);
    let bytes: u32 = match unit {
        "" | "B" => 1,
        "kB" | "KB" => 1000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    if let Ok(number) = number.parse::<u64>() {
        return number.checked_mul(bytes.into());
    }
    let number: f64 = number.parse().ok().filter(|_| bytes > 1)?;
    Some((number * f64::from(bytes)) as u64)
}

/// Writes a size as [`size`] reads it.
pub(crate) fn show_size(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let mut units = units.into_iter();
    let unit = units.find(|(bits, _)| bytes > 0 && bytes.trailing_zeros() >= *bits);
    let (bits, unit) = unit.unwrap_or((0, "B"));
    format!("{}{unit}", bytes >> bits)
}

/// Splits the unit from a number of digits and points.
fn split(text: &str) -> (&str, &str) {
    let is_digit = |c: char| c.is_ascii_digit() || c == '.';
    let end = text.find(|c| !is_digit(c)).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, milliseconds: u64) {
        let time = Duration::from_millis(milliseconds);
        assert_eq!(parse_time(text), Ok(time));
        assert_eq!(parse_time(&show_time(time)), Ok(time));
    }

    #[track_caller]
    fn refused(text: &str) {
        assert!(parse_time(text).is_err(), "{text:?} was taken for a time");
        assert_eq!(size(text), None, "{text:?} was taken for a size");
    }

    #[test]
    fn a_unit_follows_the_number() {
        check("500ms", 500);
        check("2s", 2_000);
        check("1m", 60_000);
        check("1h", 3_600_000);
    }

    #[test]
    fn a_plain_number_is_seconds() {
        check("0", 0);
        check("10", 10_000);
    }

    #[test]
    fn a_plain_number_may_be_milliseconds_where_it_always_was() {
        assert_eq!(time("500", 0.001), Some(Duration::from_millis(500)));
        assert_eq!(time("2s", 0.001), Some(Duration::from_secs(2)));
    }

    #[test]
    fn fractions_are_understood() {
        check("0.25", 250);
        check("1.5m", 90_000);
        assert_eq!(size("1.5KiB"), Some(1536));
        assert_eq!(size("0.5"), None);
    }

    #[test]
    fn a_size_is_in_bytes_or_in_powers_of_ten_or_two() {
        assert_eq!(size("0"), Some(0));
        assert_eq!(size("1048576"), Some(1 << 20));
        assert_eq!(size("1MB"), Some(1_000_000));
        assert_eq!(size("64KiB"), Some(64 << 10));
        assert_eq!(size("2GiB"), Some(2 << 30));
        for bytes in [0, 16, 1 << 10, 1500, 3 << 20, 1 << 30] {
            assert_eq!(size(&show_size(bytes)), Some(bytes));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "", "s", ".", "1.2.3", "-1s", "+1s", "1 s", "1e3", "nan", "inf", "2d", "2S", "٣s",
        ] {
            refused(text);
        }
    }

    #[test]
    fn what_is_beyond_all_measure_is_refused_and_not_a_panic() {
        refused("99999999999999999999999s");
        assert_eq!(size("99999999999999999999999"), None);
        assert_eq!(size("99999999999GiB"), None);
    }

    #[test]
    fn an_error_shows_how_to_write_a_time() {
        let sentence = "expected a time such as 500ms, 2s or 5m".to_owned();
        assert_eq!(parse_time("soon"), Err(sentence));
    }
}
