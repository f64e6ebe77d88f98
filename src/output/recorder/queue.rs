//! The entries on their way to the thread that writes them. Nobody waits for that thread: where the
//! disk is slower than the board for too long, what has no room is counted, and marked as missing.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::hub::Timestamp;
use crate::recording::RecordingEntry;

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

/// The queue between a recording and the thread that writes it.
#[derive(Default)]
pub(super) struct RecordingQueue {
    state: Mutex<QueueState>,
    changed: Condvar,
}

#[derive(Default)]
struct QueueState {
    entries: VecDeque<RecordingEntry>,
    bytes: usize,
    /// The bytes that were left out since there was no room.
    gap: Option<Gap>,
    has_ended: bool,
}

/// The bytes that were left out.
#[derive(Default)]
struct Gap {
    t: Timestamp,
    received: u64,
    sent: u64,
    /// The last status.
    status: Option<RecordingEntry>,
}

impl RecordingQueue {
    /// Adds an entry, or counts it as left out. Returns false then.
    pub(super) fn push(&self, entry: RecordingEntry) -> bool {
        let mut state = self.state();
        let (was_idle, was_small) = (state.entries.is_empty(), state.bytes < GATHERED_BYTES);
        let has_room = state.make_room_for(&entry);
        if has_room {
            state.add(entry);
        } else {
            state.leave_out(entry);
        }
        let is_much = was_small && state.bytes >= GATHERED_BYTES;
        drop(state);
        if was_idle || is_much {
            self.changed.notify_one();
        }
        has_room
    }

    /// Lets the thread end, once it has written everything.
    pub(super) fn end(&self) {
        let mut state = self.state();
        state.close_gap();
        state.has_ended = true;
        drop(state);
        self.changed.notify_one();
    }

    /// Moves all entries to `taken`: once there are some, at `deadline`, or at the end. Returns true
    /// at the end.
    pub(super) fn take(&self, taken: &mut VecDeque<RecordingEntry>, deadline: Instant) -> bool {
        let state = self.wait_while(deadline, |state| state.entries.is_empty());
        let gathered = deadline.min(Instant::now() + GATHERING_TIME);
        drop(state);
        let mut state = self.wait_while(gathered, |state| state.bytes < GATHERED_BYTES);
        taken.append(&mut state.entries);
        state.bytes = 0;
        state.has_ended
    }

    /// Waits until `deadline`. Returns true at once at the end.
    pub(super) fn wait_for_end(&self, deadline: Instant) -> bool {
        self.wait_while(deadline, |_| true).has_ended
    }

    /// Waits as long as this is so, until `deadline` or the end.
    fn wait_while(
        &self,
        deadline: Instant,
        is_so: impl Fn(&QueueState) -> bool,
    ) -> MutexGuard<'_, QueueState> {
        let mut state = self.state();
        while !state.has_ended && is_so(&state) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.changed.wait_timeout(state, left);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        state
    }

    fn state(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl QueueState {
    /// Returns true if an entry may be added. After a gap, that is marked first.
    fn make_room_for(&mut self, entry: &RecordingEntry) -> bool {
        let limit = match self.gap {
            None => MAX_QUEUE_BYTES,
            Some(_) => MAX_QUEUE_BYTES / 2,
        };
        let has_room = self.bytes + memory(entry) <= limit;
        if has_room {
            self.close_gap();
        }
        has_room
    }

    fn add(&mut self, entry: RecordingEntry) {
        self.bytes += memory(&entry);
        self.entries.push_back(entry);
    }

    /// Marks what was left out, exactly where it belongs.
    fn close_gap(&mut self) {
        let Some(gap) = self.gap.take() else {
            return;
        };
        if gap.received + gap.sent > 0 {
            self.add(RecordingEntry::Missed {
                t: gap.t,
                received: gap.received,
                sent: gap.sent,
            });
        }
        if let Some(status) = gap.status {
            self.add(status);
        }
    }

    fn leave_out(&mut self, entry: RecordingEntry) {
        let gap = self.gap.get_or_insert_default();
        gap.t = entry.t();
        match entry {
            RecordingEntry::Received { bytes, .. } => gap.received += bytes.len() as u64,
            RecordingEntry::Sent { bytes, .. } => gap.sent += bytes.len() as u64,
            RecordingEntry::Missed { received, sent, .. } => {
                gap.received += received;
                gap.sent += sent;
            }
            RecordingEntry::Status { .. } => gap.merge(entry),
            RecordingEntry::Note { .. } => {}
        }
    }
}

impl Gap {
    /// Keeps the last status, with the settings and the device that an earlier one brought.
    fn merge(&mut self, mut entry: RecordingEntry) {
        if let RecordingEntry::Status {
            settings, device, ..
        } = &mut entry
            && let Some(RecordingEntry::Status {
                settings: earlier_settings,
                device: earlier_device,
                ..
            }) = self.status.take()
        {
            *settings = settings.take().or(earlier_settings);
            *device = device.take().or(earlier_device);
        }
        self.status = Some(entry);
    }
}

/// Returns the memory that an entry takes.
fn memory(entry: &RecordingEntry) -> usize {
    let text = match entry {
        RecordingEntry::Note { text, .. } => text.len(),
        RecordingEntry::Status { detail, hint, .. } => detail.len() + hint.len(),
        _ => entry.data_bytes(),
    };
    ENTRY_BYTES + text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(t: u64, size: usize) -> RecordingEntry {
        RecordingEntry::Received {
            t: Timestamp(t),
            d: 0,
            bytes: vec![b'x'; size].into(),
        }
    }

    fn taken(queue: &RecordingQueue) -> Vec<RecordingEntry> {
        let mut taken = VecDeque::new();
        queue.take(&mut taken, Instant::now());
        taken.into()
    }

    #[test]
    fn what_a_slow_disk_has_no_room_for_is_marked_where_it_is_missing() {
        const MANY: usize = MAX_QUEUE_BYTES / 4096 + 1;
        let queue = RecordingQueue::default();
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
        let queue = RecordingQueue::default();
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
