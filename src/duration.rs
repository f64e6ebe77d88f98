//! Times as users type them on the command line: `500ms`, `2s`, `1m`, or a plain number of seconds.

use std::time::Duration;

/// Reads a time such as `500ms`, `2s`, `1.5m`, `1h` or `10`, a number without a unit being seconds.
///
/// The error names what was typed and says how a time is written.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let split = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit_seconds = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(misspelt(text)),
    };
    let number: f64 = number.parse().map_err(|_| misspelt(text))?;
    Duration::try_from_secs_f64(number * unit_seconds)
        .map_err(|_| format!("{text} is longer than this program can wait"))
}

fn misspelt(text: &str) -> String {
    format!("{text:?} is not a time. Write it like 500ms, 10s or 2m")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, milliseconds: u64) {
        assert_eq!(parse(text), Ok(Duration::from_millis(milliseconds)));
    }

    #[track_caller]
    fn refused(text: &str) {
        assert!(parse(text).is_err(), "{text:?} was taken for a time");
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
    fn fractions_are_understood() {
        check("0.25", 250);
        check("1.5m", 90_000);
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
    fn a_time_beyond_all_measure_is_refused_and_not_a_panic() {
        refused("99999999999999999999999s");
    }

    #[test]
    fn an_error_shows_how_to_write_a_time() {
        assert_eq!(
            parse("soon"),
            Err("\"soon\" is not a time. Write it like 500ms, 10s or 2m".to_owned())
        );
    }
}
