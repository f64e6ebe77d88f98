//! The numbers of a port since the start of the program: totals, and a histogram of delays.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;

/// Totals, which only ever grow.
#[derive(Debug, Default, Serialize)]
pub struct Counters {
    /// Reads of the device that returned bytes.
    pub chunks: AtomicU64,
    /// Bytes that the operating system took for the device.
    pub written_bytes: AtomicU64,
    /// Bytes that clients wrote to a recording, which takes and drops them.
    pub dropped_bytes: AtomicU64,
    /// Lines that were not valid UTF-8.
    pub invalid_lines: AtomicU64,
    /// Requests of clients that were refused.
    pub refused: AtomicU64,
    /// Questions that the port asked by itself (`--poll`).
    pub polls: AtomicU64,
    /// Those of them that got no reply.
    pub unanswered_polls: AtomicU64,
    /// Lines that clients missed because they were too slow.
    pub missed_lines: AtomicU64,
    /// Bytes that clients missed because they were too slow.
    pub missed_bytes: AtomicU64,
    /// Times that the device was opened.
    pub opened: AtomicU64,
    /// Times that the device came back after it was lost.
    pub reconnects: AtomicU64,
}

/// The upper bounds of the buckets in microseconds: from what a quiet computer takes to the default
/// of `--max-behind`, after which a client skips ahead.
pub const BUCKETS: [u64; 17] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000,
];

/// A histogram of delays. Recording is two additions, and neither waits nor allocates.
#[derive(Debug, Default)]
pub struct Delays {
    /// The number of delays in each bucket; the last one is for those beyond all bounds.
    counts: [AtomicU64; BUCKETS.len() + 1],
    /// The sum of all delays in microseconds.
    sum: AtomicU64,
}

impl Delays {
    /// Adds one delay.
    pub fn record(&self, delay: Duration) {
        let micros = delay.as_micros() as u64;
        let bucket = BUCKETS.partition_point(|&end| end < micros);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(micros, Ordering::Relaxed);
    }

    /// The number of delays up to each bound, and then of all of them.
    pub fn totals(&self) -> [u64; BUCKETS.len() + 1] {
        let mut total = 0;
        std::array::from_fn(|bucket| {
            total += self.counts[bucket].load(Ordering::Relaxed);
            total
        })
    }

    /// The sum of all delays.
    pub fn sum(&self) -> Duration {
        Duration::from_micros(self.sum.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_counts_in_every_bucket_whose_bound_it_is_not_above() {
        let delays = Delays::default();
        for micros in [0, 50, 51, 10_000_000, 10_000_001] {
            delays.record(Duration::from_micros(micros));
        }
        let totals = delays.totals();
        assert_eq!(totals[..2], [2, 3]);
        assert_eq!(totals[BUCKETS.len() - 1..], [4, 5]);
        assert_eq!(delays.sum(), Duration::from_micros(20_000_102));
    }
}
