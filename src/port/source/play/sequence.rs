//! The entries of all files of a recording in order, each with its place in the whole.
//!
//! Within a file, and from one file to the next that goes on exactly where it ended, the place follows
//! the times of the entries. Time in which nothing was recorded takes no time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::files::{FileReader, RecordedFile, name, open_counted};
use crate::hub::Timestamp;
use crate::platform;
use crate::recording::{ReadItem, RecordingEntry, RecordingHeader};

/// Reads files of a recording one after the other.
pub(crate) struct RecordingSequence {
    files: Arc<[RecordedFile]>,
    /// The place of the next file to open.
    next: SequenceMark,
    reader: Option<FileReader>,
    /// Remarks for the user.
    warnings: Vec<String>,
    /// The bytes that were read from the files.
    bytes_read: Arc<AtomicU64>,
}

/// A place at the beginning of a file, from which reading can go on.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct SequenceMark {
    /// The index of that file.
    file: usize,
    clock: RecordingClock,
    /// The run and the place in its stream up to which was read.
    reached: Option<(String, u64)>,
}

/// Something in a recording.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum SequenceItem {
    /// A file begins.
    File {
        /// Its first line.
        header: Box<RecordingHeader>,
        /// True if it goes on exactly where the one before ended.
        joins: bool,
        /// The place before it; None where it was appended to the file before.
        mark: Option<SequenceMark>,
    },
    /// An entry.
    Entry(RecordingEntry),
}

impl RecordingSequence {
    /// Starts at the beginning.
    pub(crate) fn new(files: Arc<[RecordedFile]>) -> Self {
        Self::at(files, SequenceMark::default())
    }

    /// Starts at a place that was reached before.
    pub(crate) fn at(files: Arc<[RecordedFile]>, mark: SequenceMark) -> Self {
        Self {
            files,
            next: mark,
            reader: None,
            warnings: Vec::new(),
            bytes_read: Arc::default(),
        }
    }

    /// Returns what comes next, with its place; None at the end.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub(crate) fn next_item(&mut self) -> Result<Option<(Duration, SequenceItem)>, String> {
        loop {
            let Some(reader) = &mut self.reader else {
                let mark = self.next.clone();
                let header = self.open_next()?;
                return Ok(header.map(|header| self.begin(header, Some(mark))));
            };
            let path = &self.files[self.next.file - 1].path;
            let item = reader.next_item();
            let warnings = reader.take_warnings().into_iter();
            self.warnings
                .extend(warnings.map(|warning| format!("{}, {warning}", name(path))));
            let item = item.map_err(|error| {
                let reason = platform::reason(&error);
                format!("cannot read {} to its end: {reason}", name(path))
            })?;
            match item {
                None => self.reader = None,
                Some(ReadItem::Header(header)) => {
                    return Ok(Some(self.begin(*header, None)));
                }
                Some(ReadItem::Entry(entry)) => {
                    self.next.count(&entry);
                    let position = self.next.clock.position(entry.t());
                    return Ok(Some((position, SequenceItem::Entry(entry))));
                }
            }
        }
    }

    /// Returns what has been found wrong since this was asked last.
    pub(crate) fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    /// Returns how many bytes were read from the files.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }

    fn open_next(&mut self) -> Result<Option<RecordingHeader>, String> {
        let Some(file) = self.files.get(self.next.file) else {
            return Ok(None);
        };
        let reader = open_counted(&file.path, Arc::clone(&self.bytes_read));
        let reader = reader.map_err(|why| format!("{}: {why}", name(&file.path)))?;
        let header = reader.header().clone();
        self.reader = Some(reader);
        self.next.file += 1;
        Ok(Some(header))
    }

    fn begin(
        &mut self,
        header: RecordingHeader,
        mark: Option<SequenceMark>,
    ) -> (Duration, SequenceItem) {
        let place = (header.run.clone(), header.offset);
        let joins = !header.run.is_empty() && self.next.reached.as_ref() == Some(&place);
        if !joins {
            self.next.clock.restart(header.t);
        }
        self.next.reached = Some(place);
        let header = Box::new(header);
        let position = self.next.clock.latest;
        let file = SequenceItem::File {
            header,
            joins,
            mark,
        };
        (position, file)
    }
}

impl SequenceMark {
    /// Counts the bytes of the device's stream.
    fn count(&mut self, entry: &RecordingEntry) {
        let Some((_, offset)) = &mut self.reached else {
            return;
        };
        *offset += match entry {
            RecordingEntry::Received { bytes, .. } => bytes.len() as u64,
            RecordingEntry::Missed { received, .. } => *received,
            _ => 0,
        };
    }
}

/// Turns times of entries into places. Places never go back.
#[derive(Clone, Debug, Default, PartialEq)]
struct RecordingClock {
    /// The time that is at the place `base`.
    origin: Timestamp,
    base: Duration,
    /// The place that was reached.
    latest: Duration,
    /// True until the first entry since the clock was started, which may be older than the header:
    /// history that was kept before recording began.
    is_new: bool,
}

impl RecordingClock {
    /// Goes on from the place that was reached, at which it is now this time.
    fn restart(&mut self, t: Timestamp) {
        (self.origin, self.base, self.is_new) = (t, self.latest, true);
    }

    fn position(&mut self, t: Timestamp) -> Duration {
        if std::mem::take(&mut self.is_new) {
            self.origin = self.origin.min(t);
        }
        let passed = Duration::from_micros(t.0.saturating_sub(self.origin.0));
        self.latest = self.latest.max(self.base.saturating_add(passed));
        self.latest
    }
}
