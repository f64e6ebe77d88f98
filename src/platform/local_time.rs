//! The clock of this computer, in the time zone that it is set to.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Returns a time, in microseconds since 1970, as this computer's clock shows it: in ISO 8601, with its
/// distance from UTC. None for what no clock shows.
pub(crate) fn local_time(micros: u64) -> Option<String> {
    let moment = i64::try_from(micros).ok();
    let moment = Timestamp::from_microsecond(moment?).ok()?;
    let zoned = moment.to_zoned_datetime(TimeZone::system());
    Some(zoned.strftime("%Y-%m-%dT%H:%M:%S%.6f%:z").to_string())
}
