//! Times and dates, which stand in many lines and are no values.

/// Bytes of a time with its date, zone and fraction. A longer word is none.
const MAX_BYTES: usize = 40;

/// Returns true for a time of day, a date, or both in one word, such as `2025-10-31T18:35:45Z`.
pub(super) fn is_time(word: &str) -> bool {
    if word.len() > MAX_BYTES {
        return false;
    }
    let word = without_zone(word);
    if is_time_of_day(word) || is_date(word) {
        return true;
    }
    let joints = word.match_indices(['T', '-', '_', '/']);
    joints
        .map(|(at, _)| (&word[..at], &word[at + 1..]))
        .any(|(date, time)| is_date(date) && is_time_of_day(time))
}

/// Returns true for the halves of a day, as in `6:35 PM`.
pub(super) fn is_half_of_day(word: &str) -> bool {
    matches!(word, "AM" | "PM" | "am" | "pm" | "a.m." | "p.m.")
}

/// Takes away `Z`, or an offset such as `+01:00` after a time of day.
fn without_zone(word: &str) -> &str {
    if let Some(word) = word.strip_suffix('Z') {
        return word;
    }
    let is_offset = |zone: &str| {
        let digits = zone.replace(':', "");
        digits.len() == 4 && is_digits(&digits, 4..=4)
    };
    match word.rsplit_once(['+', '-']) {
        Some((time, zone)) if time.contains(':') && is_offset(zone) => time,
        _ => word,
    }
}

/// `18:35`, `18:35:45`, `18:35:45.123`.
fn is_time_of_day(word: &str) -> bool {
    let (clock, fraction) = word.split_once('.').unwrap_or((word, "0"));
    let mut parts = clock.split(':');
    let has_hour = parts.next().is_some_and(|hour| is_digits(hour, 1..=2));
    let count = parts.clone().count();
    let is_clock = has_hour && (1..=3).contains(&count);
    is_clock && parts.all(|part| is_digits(part, 2..=3)) && is_digits(fraction, 1..=9)
}

/// `2025-10-31`, `31.10.2025`, `10/31/25`.
fn is_date(word: &str) -> bool {
    ['-', '/', '.'].into_iter().any(|mark| {
        let parts: Vec<_> = word.split(mark).take(4).collect();
        let [first, month, last] = parts[..] else {
            return false;
        };
        let year_first = is_digits(first, 4..=4) && is_digits(last, 1..=2);
        let year_last =
            is_digits(first, 1..=2) && (is_digits(last, 4..=4) || is_digits(last, 2..=2));
        is_digits(month, 1..=2) && (year_first || year_last)
    })
}

fn is_digits(text: &str, length: std::ops::RangeInclusive<usize>) -> bool {
    length.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_dates_are_told_from_other_words() {
        for time in [
            "18:35",
            "18:35:45.123",
            "2025-10-31",
            "31.10.2025",
            "10/31/25",
            "2025-10-31-18:35:45",
            "2025-10-31T18:35:45Z",
            "2025-10-31T18:35:45.5+01:00",
        ] {
            assert!(is_time(time), "{time}");
        }
        for word in [
            "192.168.1.5",
            "1.2.3.4",
            "24:0A:C4",
            "1-2",
            "18",
            "1:5",
            "3ffe:20",
        ] {
            assert!(!is_time(word), "{word}");
        }
    }
}
