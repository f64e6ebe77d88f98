//! Times in a recording: seconds since 1970 with six decimals. A float would neither keep trailing
//! zeros nor every microsecond.

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::hub::Timestamp;

/// The end of the year 9999.
const MAX_SECONDS: u64 = 253_402_300_800;

pub(super) fn serialize<S: Serializer>(t: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    let raw = RawValue::from_string(t.to_string()).map_err(S::Error::custom)?;
    raw.serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Timestamp, D::Error> {
    let raw = <&RawValue>::deserialize(d)?;
    let micros = micros(raw.get());
    let micros = micros.ok_or_else(|| D::Error::custom("expected seconds since 1970"))?;
    Ok(Timestamp(micros))
}

/// Returns the microseconds that a JSON number of seconds has.
fn micros(text: &str) -> Option<u64> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_plain = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    let micros = if is_plain(seconds) && is_plain(fraction) {
        let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(6);
        let fraction = digits.fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
        let seconds: u64 = seconds.parse().ok()?;
        seconds.checked_mul(1_000_000)? + fraction
    } else {
        let seconds: f64 = text.parse().ok().filter(|seconds| *seconds >= 0.0)?;
        (seconds * 1e6).round() as u64
    };
    (micros < MAX_SECONDS * 1_000_000).then_some(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_seconds_have_exact_microseconds() {
        for (text, expected) in [
            ("1795169621.402847", Some(1_795_169_621_402_847)),
            ("253402300799.999999", Some(253_402_300_799_999_999)),
            ("253402300800", None),
            ("99999999999999999999", None),
            ("0.1", Some(100_000)),
            ("1.0000019", Some(1_000_001)),
            ("12", Some(12_000_000)),
            ("1.5e3", Some(1_500_000_000)),
            ("1e300", None),
            ("-1", None),
            ("-0.0", Some(0)),
            ("\"1\"", None),
            ("null", None),
        ] {
            assert_eq!(micros(text), expected, "{text}");
        }
    }
}
