//! Writes entries to segments: begins a new one when one is full, pauses where the disk is full or
//! has gone, and goes on when it is back. It keeps what it could not write, and takes the time as an
//! argument.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use super::storage::{SegmentFile, Storage};
use crate::config::units::show_size;
use crate::hub::Timestamp;
use crate::platform::reason;
use crate::recording::{RecordingEntry, RecordingHeader};

/// Bytes that are written at once, apart from the last entry.
const MAX_WRITE: usize = 256 << 10;

/// The time for which what was written may not be on the disk yet.
const SYNC_INTERVAL: Duration = Duration::from_secs(5);

/// The time until something that failed is tried again.
pub(super) const RETRY_DELAY: Duration = Duration::from_secs(10);

/// Bytes that are written between two looks at the room on the disk.
const RESERVE_CHECK_BYTES: u64 = 1 << 20;

/// The longest time between two of them.
const RESERVE_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The sizes to keep to.
#[derive(Clone, Copy, Debug)]
pub(super) struct SegmentLimits {
    /// Bytes of a segment, apart from its last entry.
    pub(super) segment: u64,
    /// Bytes that must stay free.
    pub(super) reserve: u64,
}

/// Writes the entries of one recording.
pub(super) struct SegmentWriter<S: Storage> {
    storage: S,
    limits: SegmentLimits,
    /// The header of a segment that would begin now.
    header: RecordingHeader,
    segment: Option<Segment<S::File>>,
    /// The text of what is written at once.
    text: Vec<u8>,
    /// Bytes in all segments.
    written: u64,
    /// The moment at which it was last looked whether there is room, and the bytes since.
    checked: Option<(Instant, u64)>,
    /// The reason why nothing is written, and when to try again.
    problem: Option<(String, Instant)>,
}

struct Segment<F> {
    file: F,
    length: u64,
    /// The moment of the first write that the disk may not have yet.
    unsynced: Option<Instant>,
}

impl<S: Storage> SegmentWriter<S> {
    /// A writer of what comes after `header`.
    pub(super) fn new(storage: S, limits: SegmentLimits, header: RecordingHeader) -> Self {
        Self {
            storage,
            limits,
            header,
            segment: None,
            text: Vec::new(),
            written: 0,
            checked: None,
            problem: None,
        }
    }

    /// Begins the first segment, before there are entries.
    ///
    /// # Errors
    /// In words for people.
    pub(super) fn begin(&mut self, now: Instant) -> Result<(), String> {
        let begun = self.create(now);
        self.problem = begun.clone().err().map(|why| (why, now + RETRY_DELAY));
        begun
    }

    /// Writes entries, and removes those that are written. Where that fails, it is tried again by a
    /// call after [`retry_at`](Self::retry_at).
    pub(super) fn write(&mut self, entries: &mut VecDeque<RecordingEntry>, now: Instant) {
        if self.retry_at().is_none_or(|due| now >= due) {
            let outcome = self.try_write(entries, now);
            self.problem = outcome.err().map(|why| (why, now + RETRY_DELAY));
        }
    }

    /// Waits for the disk to have what was written, if that is due.
    pub(super) fn sync_if_due(&mut self, now: Instant) {
        if self.sync_due().is_some_and(|due| now >= due)
            && let Err(why) = self.sync()
        {
            self.problem = Some((why, now + RETRY_DELAY));
        }
    }

    /// Returns when [`sync_if_due`](Self::sync_if_due) has something to do.
    pub(super) fn sync_due(&self) -> Option<Instant> {
        let unsynced = self.segment.as_ref()?.unsynced?;
        Some(unsynced + SYNC_INTERVAL)
    }

    /// Ends the recording: tries once more to write what is left. What remains in `entries` is lost.
    pub(super) fn end(&mut self, entries: &mut VecDeque<RecordingEntry>, now: Instant) {
        let outcome = self.try_write(entries, now).and_then(|()| self.sync());
        self.problem = outcome.err().map(|why| (why, now));
        self.segment = None;
    }

    /// Returns when to write again, where it has failed.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.problem.as_ref().map(|(_, due)| *due)
    }

    /// Returns the reason why nothing is written.
    pub(super) fn problem(&self) -> &str {
        self.problem.as_ref().map_or("", |(why, _)| why)
    }

    /// Returns the name of the file that is written, if there is one.
    pub(super) fn file_name(&self) -> Option<&str> {
        self.segment.as_ref().map(|segment| segment.file.name())
    }

    /// Returns the bytes that were written to all segments.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    fn try_write(
        &mut self,
        entries: &mut VecDeque<RecordingEntry>,
        now: Instant,
    ) -> Result<(), String> {
        while let Some(first) = entries.front() {
            // Somebody may have removed the file, or its folder.
            self.segment.take_if(|segment| !segment.file.is_there());
            if self.segment.is_none() {
                self.header.t = first_byte_time(first);
                self.create(now)?;
            }
            self.text.clear();
            let count = self.encode(entries);
            self.append(now)?;
            let written = entries.drain(..count);
            written.for_each(|entry| follow(&mut self.header, &entry));
            self.close_if_full()?;
        }
        Ok(())
    }

    /// Begins a segment.
    fn create(&mut self, now: Instant) -> Result<(), String> {
        self.check_reserve(now)?;
        self.segment = Some(Segment {
            file: self.storage.create(self.header.t)?,
            length: 0,
            unsynced: None,
        });
        self.text.clear();
        self.header.write(&mut self.text);
        let begun = self.append(now);
        if begun.is_err() {
            self.segment = None;
        }
        begun
    }

    /// Encodes as many entries as have room in the segment, one at least. Returns their number.
    fn encode(&mut self, entries: &VecDeque<RecordingEntry>) -> usize {
        let length = self.segment.as_ref().map_or(0, |segment| segment.length);
        let room = self.limits.segment.saturating_sub(length);
        let room = room.min(MAX_WRITE as u64);
        let mut count = 0;
        for entry in entries {
            entry.write(&mut self.text);
            count += 1;
            if self.text.len() as u64 >= room {
                break;
            }
        }
        count
    }

    /// Writes what was encoded.
    fn append(&mut self, now: Instant) -> Result<(), String> {
        self.check_reserve(now)?;
        let Some(segment) = &mut self.segment else {
            return Ok(());
        };
        let written = segment.file.append(&self.text);
        written.map_err(|error| about(&segment.file, &error))?;
        let length = self.text.len() as u64;
        segment.length += length;
        segment.unsynced.get_or_insert(now);
        self.written += length;
        if let Some((_, since)) = &mut self.checked {
            *since += length;
        }
        Ok(())
    }

    /// Looks from time to time whether enough room is left on the disk.
    fn check_reserve(&mut self, now: Instant) -> Result<(), String> {
        let is_recent = |(at, bytes): (Instant, u64)| {
            bytes < RESERVE_CHECK_BYTES && now.duration_since(at) < RESERVE_CHECK_INTERVAL
        };
        if self.limits.reserve == 0 || self.checked.is_some_and(is_recent) {
            return Ok(());
        }
        // Where the system does not know, writing shows it.
        let is_short = self
            .storage
            .free_bytes()
            .is_ok_and(|free| free < self.limits.reserve);
        self.checked = (!is_short).then_some((now, 0));
        if is_short {
            let reserve = show_size(self.limits.reserve);
            return Err(format!(
                "less than {reserve} are free on the disk (--record-reserve)"
            ));
        }
        Ok(())
    }

    fn close_if_full(&mut self) -> Result<(), String> {
        let limit = self.limits.segment;
        if self.segment.as_ref().is_some_and(|it| it.length >= limit) {
            self.sync()?;
            self.segment = None;
            self.storage.closed_one();
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), String> {
        let Some(segment) = &mut self.segment else {
            return Ok(());
        };
        if segment.unsynced.take().is_some() {
            let synced = segment.file.sync();
            synced.map_err(|error| about(&segment.file, &error))?;
        }
        Ok(())
    }
}

fn about(file: &impl SegmentFile, error: &io::Error) -> String {
    format!("cannot write to {}: {}", file.name(), reason(error))
}

/// Returns the time of the first byte of an entry.
fn first_byte_time(entry: &RecordingEntry) -> Timestamp {
    let (t, d) = match entry {
        RecordingEntry::Received { t, d, .. } | RecordingEntry::Sent { t, d, .. } => (*t, *d),
        entry => (entry.t(), 0),
    };
    Timestamp(t.0.saturating_sub(d * 1000))
}

/// Lets the header of the next segment follow an entry.
fn follow(header: &mut RecordingHeader, entry: &RecordingEntry) {
    match entry {
        RecordingEntry::Received { bytes, .. } => header.offset += bytes.len() as u64,
        RecordingEntry::Missed { received, .. } => header.offset += received,
        RecordingEntry::Status {
            settings, device, ..
        } => {
            if let Some(settings) = settings {
                header.settings.clone_from(settings);
            }
            if let Some(device) = device {
                header.path = Some(device.path.clone());
                header.board.clone_from(&device.board);
                header.usb.clone_from(&device.usb);
            }
        }
        RecordingEntry::Sent { .. } | RecordingEntry::Note { .. } => {}
    }
}

#[cfg(test)]
mod tests;
