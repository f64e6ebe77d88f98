//! How much is measured.

use std::time::Duration;

/// How much to measure.
#[derive(Clone, Copy)]
pub struct Effort {
    /// How often each subject is measured; medians are taken over these.
    pub rounds: usize,
    /// How long lines flow in one measurement.
    pub time: Duration,
    /// Whether the whole is to take about a minute.
    pub is_short: bool,
}
