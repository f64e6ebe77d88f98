//! The entries on their way to the thread that writes them. Nobody waits for that thread: where the
//! disk is slower than the board for too long, what has no room is counted, and marked as missing.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Memory in bytes of entries that wait for the disk. At the limit, entries are left out until half of
/// it is free again.
const MAX_QUEUE_BYTES: usize = 8 << 20;

/// The memory that an entry takes beside its bytes.
const ENTRY_BYTES: usize = 128;

/// Entries that are written at once are gathered for so long, so that there is no system call for each
/// line.
const GATHERING_TIME: Duration = Duration::from_millis(20);

/// Bytes for which the thread waits no longer.
const GATHERED_BYTES: usize = 256 << 10;

/// Something to be written.
pub(in crate::output) trait QueueEntry: Send + Sized + 'static {
    /// The entries that were left out since there was no room for them.
    type Gap: Default + Send;

    /// Returns the bytes of memory that it has allocated.
    fn memory(&self) -> usize;

    /// Counts it as left out.
    fn leave_out(self, gap: &mut Self::Gap);

    /// Returns the entries that mark a gap.
    fn mark(gap: Self::Gap) -> impl Iterator<Item = Self>;
}

/// The queue between an output and the thread that writes for it.
pub(in crate::output) struct DiskQueue<E: QueueEntry> {
    state: Mutex<QueueState<E>>,
    changed: Condvar,
}

struct QueueState<E: QueueEntry> {
    entries: VecDeque<E>,
    bytes: usize,
    /// The entries that were left out since there was no room.
    gap: Option<E::Gap>,
    /// True once the file is to be opened again.
    reopens: bool,
    has_ended: bool,
}

impl<E: QueueEntry> Default for DiskQueue<E> {
    fn default() -> Self {
        let state = QueueState {
            entries: VecDeque::new(),
            bytes: 0,
            gap: None,
            reopens: false,
            has_ended: false,
        };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }
}

impl<E: QueueEntry> DiskQueue<E> {
    /// Adds an entry, or counts it as left out. Returns false then.
    pub(in crate::output) fn push(&self, entry: E) -> bool {
        let mut state = self.state();
        let (was_idle, was_small) = (state.entries.is_empty(), state.bytes < GATHERED_BYTES);
        let has_room = state.make_room_for(&entry);
        if has_room {
            state.add(entry);
        } else {
            entry.leave_out(state.gap.get_or_insert_default());
        }
        let is_much = was_small && state.bytes >= GATHERED_BYTES;
        drop(state);
        if was_idle || is_much {
            self.changed.notify_one();
        }
        has_room
    }

    /// Has the thread open the file again.
    pub(in crate::output) fn reopen(&self) {
        self.state().reopens = true;
        self.changed.notify_one();
    }

    /// Lets the thread end, once it has written everything.
    pub(in crate::output) fn end(&self) {
        let mut state = self.state();
        state.close_gap();
        state.has_ended = true;
        drop(state);
        self.changed.notify_one();
    }

    /// Moves all entries to `taken`: once there are some, at `deadline`, at the end, or to open the
    /// file again. Returns true at the end.
    pub(super) fn take(&self, taken: &mut VecDeque<E>, deadline: Instant) -> bool {
        let state = self.wait_while(deadline, |state| state.entries.is_empty());
        let gathered = deadline.min(Instant::now() + GATHERING_TIME);
        drop(state);
        let mut state = self.wait_while(gathered, |state| state.bytes < GATHERED_BYTES);
        taken.append(&mut state.entries);
        state.bytes = 0;
        state.has_ended
    }

    /// Waits until `deadline`, or until the file is to be opened again. Returns true at once at the
    /// end.
    pub(super) fn wait_for_end(&self, deadline: Instant) -> bool {
        self.wait_while(deadline, |_| true).has_ended
    }

    /// Returns true once for each time that the file is to be opened again.
    pub(super) fn take_reopening(&self) -> bool {
        std::mem::take(&mut self.state().reopens)
    }

    /// Waits as long as this is so, until `deadline` or the end.
    fn wait_while(
        &self,
        deadline: Instant,
        is_so: impl Fn(&QueueState<E>) -> bool,
    ) -> MutexGuard<'_, QueueState<E>> {
        let mut state = self.state();
        while !state.has_ended && !state.reopens && is_so(&state) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.changed.wait_timeout(state, left);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        state
    }

    fn state(&self) -> MutexGuard<'_, QueueState<E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<E: QueueEntry> QueueState<E> {
    /// Returns true if an entry may be added. After a gap, that is marked first.
    fn make_room_for(&mut self, entry: &E) -> bool {
        let limit = match self.gap {
            None => MAX_QUEUE_BYTES,
            Some(_) => MAX_QUEUE_BYTES / 2,
        };
        let has_room = self.bytes + ENTRY_BYTES + entry.memory() <= limit;
        if has_room {
            self.close_gap();
        }
        has_room
    }

    fn add(&mut self, entry: E) {
        self.bytes += ENTRY_BYTES + entry.memory();
        self.entries.push_back(entry);
    }

    /// Marks what was left out, exactly where it belongs.
    fn close_gap(&mut self) {
        if let Some(gap) = self.gap.take() {
            E::mark(gap).for_each(|entry| self.add(entry));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::Timestamp;
    use crate::recording::RecordingEntry;

    fn received(t: u64, size: usize) -> RecordingEntry {
        RecordingEntry::Received {
            t: Timestamp(t),
            d: 0,
            bytes: vec![b'x'; size].into(),
        }
    }

    fn taken(queue: &DiskQueue<RecordingEntry>) -> Vec<RecordingEntry> {
        let mut taken = VecDeque::new();
        queue.take(&mut taken, Instant::now());
        taken.into()
    }

    #[test]
    fn what_a_slow_disk_has_no_room_for_is_marked_where_it_is_missing() {
        const MANY: usize = MAX_QUEUE_BYTES / 4096 + 1;
        let queue = DiskQueue::default();
        let mut t = 0;
        let mut push = |size| {
            t += 1;
            queue.push(received(t, size))
        };
        let kept = (0..MANY).take_while(|_| push(4096)).count();
        assert!(kept < MANY, "there is always room");
        assert!(!push(1), "until half of it is free, there is none");
        let last = RecordingEntry::Sent {
            t: Timestamp(7_000_000),
            d: 0,
            bytes: "H\n".into(),
            client: None,
        };
        assert!(!queue.push(last.clone()));
        assert_eq!(taken(&queue).len(), kept);
        assert!(queue.push(received(8_000_000, 5)));
        let missed = RecordingEntry::Missed {
            t: last.t(),
            received: 4096 + 1,
            sent: 2,
        };
        assert_eq!(taken(&queue), [missed, received(8_000_000, 5)]);
    }

    #[test]
    fn a_gap_at_the_end_is_marked_too_with_the_last_status() {
        let queue = DiskQueue::default();
        while queue.push(received(1, 4096)) {}
        let status = |t, state: &str| RecordingEntry::Status {
            t: Timestamp(t),
            state: state.to_owned(),
            detail: String::new(),
            hint: String::new(),
            settings: None,
            device: None,
        };
        queue.push(status(2, "lost"));
        queue.push(status(3, "open"));
        queue.end();
        let taken = taken(&queue);
        let missed = RecordingEntry::Missed {
            t: Timestamp(3),
            received: 4096,
            sent: 0,
        };
        assert!(taken.ends_with(&[missed, status(3, "open")]));
    }
}
