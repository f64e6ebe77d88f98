//! The length of a measurement.

use std::time::Duration;

/// The number and length of the measurements in each scenario.
#[derive(Clone, Copy)]
pub struct Effort {
    /// The number of measurements of each subject, over which medians are taken.
    pub rounds: usize,
    /// The time for which lines flow in one measurement.
    pub time: Duration,
    /// True if all scenarios together should take about a minute.
    pub is_short: bool,
}
