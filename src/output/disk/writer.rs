//! Writes entries to files: begins a new one when one is full, pauses where the disk is full or has
//! gone, and goes on when it is back. It keeps what it could not write, and takes the time as an
//! argument.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use crate::config::units::show_size;
use crate::hub::Timestamp;
use crate::platform::reason;

/// Bytes that are written at once, apart from the last entry.
const MAX_WRITE: usize = 256 << 10;

/// The time for which what was written may not be on the disk yet.
const SYNC_INTERVAL: Duration = Duration::from_secs(5);

/// The time until something that failed is tried again.
const RETRY_DELAY: Duration = Duration::from_secs(10);

/// Bytes that are written between two looks at the room on the disk.
const RESERVE_CHECK_BYTES: u64 = 1 << 20;

/// The longest time between two of them.
const RESERVE_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The place of the files of one port: a folder, or what stands for it in tests.
pub(in crate::output) trait Storage: Send + 'static {
    /// A file that is written.
    type File: StoredFile;

    /// Opens the file for what comes from `t` on.
    ///
    /// # Errors
    /// In words for people.
    fn open(&mut self, t: Timestamp) -> Result<Self::File, String>;

    /// Returns the bytes that may still be written.
    fn free_bytes(&self) -> io::Result<u64>;

    /// Tells that a file was closed because it is full.
    fn closed_one(&mut self);
}

/// A file that is written.
pub(in crate::output) trait StoredFile: Send {
    /// Returns its name.
    fn name(&self) -> &str;

    /// Returns the bytes in it.
    fn length(&self) -> u64;

    /// Appends all of these bytes, or none.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Waits until the disk has what was appended.
    fn sync(&mut self) -> io::Result<()>;

    /// Returns false if nobody would find the file under its name any more.
    fn is_there(&self) -> bool;
}

/// The text of entries.
pub(in crate::output) trait EntryFormat: Send + 'static {
    /// A piece that is written whole.
    type Entry: Send;

    /// Prepares the header of a file whose first entry is this one.
    fn begin_before(&mut self, entry: &Self::Entry);

    /// Returns the time at which a file would begin now.
    fn start(&self) -> Timestamp;

    /// Writes what a file begins with.
    fn write_header(&self, text: &mut Vec<u8>);

    /// Writes an entry.
    fn write(&self, entry: &Self::Entry, text: &mut Vec<u8>);

    /// Tells that an entry is in the file.
    fn written(&mut self, entry: &Self::Entry);

    /// Returns the bytes of the port in an entry.
    fn data_bytes(entry: &Self::Entry) -> u64;
}

/// The sizes to keep to.
#[derive(Clone, Copy, Debug)]
pub(in crate::output) struct FileLimits {
    /// Bytes of a file, apart from its last entry.
    pub(in crate::output) size: u64,
    /// Bytes that must stay free.
    pub(in crate::output) reserve: u64,
}

/// Writes the entries of one output.
pub(in crate::output) struct DiskWriter<S: Storage, F> {
    storage: S,
    limits: FileLimits,
    format: F,
    open: Option<CurrentFile<S::File>>,
    /// The text of what is written at once.
    text: Vec<u8>,
    /// Bytes in all files.
    written: u64,
    /// The moment at which it was last looked whether there is room, and the bytes since.
    checked: Option<(Instant, u64)>,
    /// The reason why nothing is written, and when to try again.
    problem: Option<(String, Instant)>,
}

struct CurrentFile<F> {
    file: F,
    /// The moment of the first write that the disk may not have yet.
    unsynced: Option<Instant>,
}

impl<S: Storage, F: EntryFormat> DiskWriter<S, F> {
    /// A writer that has opened no file yet.
    pub(in crate::output) fn new(storage: S, limits: FileLimits, format: F) -> Self {
        Self {
            storage,
            limits,
            format,
            open: None,
            text: Vec::new(),
            written: 0,
            checked: None,
            problem: None,
        }
    }

    /// Opens the first file, before there are entries.
    ///
    /// # Errors
    /// In words for people.
    pub(in crate::output) fn begin(&mut self, now: Instant) -> Result<(), String> {
        let begun = self.open(now);
        self.problem = begun.clone().err().map(|why| (why, now + RETRY_DELAY));
        begun
    }

    /// Opens the file again under its name, at once also where it was to be tried later.
    pub(super) fn reopen(&mut self, now: Instant) {
        let outcome = self.sync().and_then(|()| self.open(now));
        self.problem = outcome.err().map(|why| (why, now + RETRY_DELAY));
    }

    /// Writes entries, and removes those that are written. Where that fails, it is tried again by a
    /// call after [`retry_at`](Self::retry_at).
    pub(in crate::output) fn write(&mut self, entries: &mut VecDeque<F::Entry>, now: Instant) {
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
        let unsynced = self.open.as_ref()?.unsynced?;
        Some(unsynced + SYNC_INTERVAL)
    }

    /// Ends the output: tries once more to write what is left. What remains in `entries` is lost.
    pub(in crate::output) fn end(&mut self, entries: &mut VecDeque<F::Entry>, now: Instant) {
        let outcome = self.try_write(entries, now).and_then(|()| self.sync());
        self.problem = outcome.err().map(|why| (why, now));
        self.open = None;
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
        self.open.as_ref().map(|open| open.file.name())
    }

    /// Returns the bytes that were written to all files.
    pub(in crate::output) fn written(&self) -> u64 {
        self.written
    }

    fn try_write(&mut self, entries: &mut VecDeque<F::Entry>, now: Instant) -> Result<(), String> {
        if entries.is_empty() && self.open.is_none() && self.problem.is_some() {
            // Only that tells whether it goes on.
            self.open(now)?;
        }
        while let Some(first) = entries.front() {
            // Somebody may have removed the file, or its folder.
            self.open.take_if(|open| !open.file.is_there());
            if self.open.is_none() {
                self.format.begin_before(first);
                self.open(now)?;
            }
            self.text.clear();
            let count = self.encode(entries);
            self.append(now)?;
            for entry in entries.drain(..count) {
                self.format.written(&entry);
            }
            self.close_if_full()?;
        }
        Ok(())
    }

    /// Opens a file.
    fn open(&mut self, now: Instant) -> Result<(), String> {
        self.open = None;
        self.check_reserve(now)?;
        self.open = Some(CurrentFile {
            file: self.storage.open(self.format.start())?,
            unsynced: None,
        });
        self.text.clear();
        self.format.write_header(&mut self.text);
        let begun = self.append(now);
        if begun.is_err() {
            self.open = None;
        }
        begun
    }

    /// Encodes as many entries as have room in the file, one at least. Returns their number.
    fn encode(&mut self, entries: &VecDeque<F::Entry>) -> usize {
        let length = self.open.as_ref().map_or(0, |open| open.file.length());
        let room = self.limits.size.saturating_sub(length);
        let room = room.min(MAX_WRITE as u64);
        let mut count = 0;
        for entry in entries {
            self.format.write(entry, &mut self.text);
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
        let Some(open) = self.open.as_mut().filter(|_| !self.text.is_empty()) else {
            return Ok(());
        };
        let written = open.file.append(&self.text);
        written.map_err(|error| about(&open.file, &error))?;
        let length = self.text.len() as u64;
        open.unsynced.get_or_insert(now);
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
        let limit = self.limits.size;
        let open = self.open.as_ref();
        if open.is_some_and(|open| open.file.length() >= limit) {
            self.sync()?;
            self.open = None;
            self.storage.closed_one();
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), String> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        if open.unsynced.take().is_some() {
            let synced = open.file.sync();
            synced.map_err(|error| about(&open.file, &error))?;
        }
        Ok(())
    }
}

fn about(file: &impl StoredFile, error: &io::Error) -> String {
    format!("cannot write to {}: {}", file.name(), reason(error))
}

#[cfg(test)]
mod tests;
