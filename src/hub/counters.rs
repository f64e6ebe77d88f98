//! What has happened at a port since the start of the program, in numbers.

use std::sync::atomic::AtomicU64;

use serde::{Serialize, Serializer};

/// Numbers that only ever grow.
#[derive(Debug, Default, Serialize)]
pub struct Counters {
    /// Reads of the device that gave something.
    #[serde(serialize_with = "value")]
    pub chunks: AtomicU64,
    /// Bytes that the operating system took for the device.
    #[serde(serialize_with = "value")]
    pub written_bytes: AtomicU64,
    /// Lines that were not valid UTF-8.
    #[serde(serialize_with = "value")]
    pub invalid_lines: AtomicU64,
    /// Requests of clients that were not carried out.
    #[serde(serialize_with = "value")]
    pub refused: AtomicU64,
    /// Lines that clients missed because they were too slow.
    #[serde(serialize_with = "value")]
    pub missed_lines: AtomicU64,
    /// Bytes that clients missed because they were too slow.
    #[serde(serialize_with = "value")]
    pub missed_bytes: AtomicU64,
    /// Times that the device was opened.
    #[serde(serialize_with = "value")]
    pub opened: AtomicU64,
    /// Times that the device came back after it was lost.
    #[serde(serialize_with = "value")]
    pub reconnects: AtomicU64,
}

fn value<S: Serializer>(counter: &AtomicU64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(counter.load(std::sync::atomic::Ordering::Relaxed))
}
