//! The settings of recordings: their folder, and how much of them is kept.

use serde_json::Value as Json;

use super::units;
use super::value::SettingValue;
use crate::cli::PortArgs;
use crate::output::recorder::RecorderConfig;

/// The value that keeps all recordings.
const ALL: &str = "all";

/// Returns the recordings that a port has by its settings.
pub(super) fn recorder(args: &PortArgs) -> Option<RecorderConfig> {
    Some(RecorderConfig {
        folder: args.record.value.clone()?,
        segment: args.record_segment.0,
        keep: *args.record_keep,
        reserve: args.record_reserve.0,
        line_end: args.frame.line_end().unwrap_or(b'\n'),
    })
}

/// A size, or no limit.
impl SettingValue for Option<u64> {
    fn parse(text: &str) -> Result<Self, String> {
        if text == ALL {
            return Ok(None);
        }
        let size = units::size(text).filter(|size| *size > 0).map(Some);
        size.ok_or_else(|| format!("expected {ALL} or {}", units::SIZE))
    }

    fn show(&self) -> Json {
        self.map_or_else(|| ALL.to_owned(), units::show_size).into()
    }
}
