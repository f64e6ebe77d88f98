//! The subscribers of a hub: who they are, and which of them wait for the next event.

use std::task::Waker;

use tokio::time::Instant;

use super::backpressure::Progress;

/// The kind of a subscriber, which says how it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriberKind {
    /// A client: it is counted as one, and takes part in backpressure.
    Client,
    /// An output, such as a recorder or a broker: it is not counted as a client.
    Output {
        /// True if reading the device pauses for it as it does for a client.
        backpressure: bool,
    },
}

impl SubscriberKind {
    /// Returns true if reading the device pauses for subscribers of this kind.
    pub(super) fn takes_part_in_backpressure(self) -> bool {
        match self {
            Self::Client => true,
            Self::Output { backpressure } => backpressure,
        }
    }
}

/// All subscribers, each in a slot that it keeps until it leaves.
#[derive(Default)]
pub(super) struct Subscribers {
    /// None in a free slot.
    slots: Vec<Option<Slot>>,
    free: Vec<usize>,
}

struct Slot {
    kind: SubscriberKind,
    waker: Option<Waker>,
    is_waiting: bool,
    progress: Progress,
}

impl Subscribers {
    /// Registers a subscriber that has everything up to `offset`, and returns its slot.
    pub(super) fn register(&mut self, kind: SubscriberKind, offset: u64) -> usize {
        // One that reading does not pause for is never behind.
        let takes_part = kind.takes_part_in_backpressure();
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.slots[index] = Some(Slot {
            kind,
            waker: None,
            is_waiting: false,
            progress: Progress::at(if takes_part { offset } else { u64::MAX }),
        });
        index
    }

    /// Frees the slot of a subscriber that leaves.
    pub(super) fn remove(&mut self, slot: usize) {
        self.slots[slot] = None;
        self.free.push(slot);
    }

    /// Returns the number of clients.
    pub(super) fn clients(&self) -> usize {
        let is_client = |slot: &&Slot| slot.kind == SubscriberKind::Client;
        self.slots.iter().flatten().filter(is_client).count()
    }

    /// Returns true if there is any subscriber.
    pub(super) fn has_any(&self) -> bool {
        self.slots.iter().any(Option::is_some)
    }

    /// Returns true if there is anyone for whom reading could pause.
    pub(super) fn has_anyone_to_wait_for(&self) -> bool {
        let mut slots = self.slots.iter().flatten();
        slots.any(|slot| slot.kind.takes_part_in_backpressure())
    }

    /// Wakes `waker` once, at the next event: its subscriber has everything up to `offset`.
    /// Returns true if the subscriber had been behind.
    pub(super) fn wait(&mut self, slot: usize, waker: &Waker, offset: u64) -> bool {
        let slot = self.slots[slot]
            .as_mut()
            .expect("a subscriber keeps its slot until it leaves");
        slot.is_waiting = true;
        match &mut slot.waker {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
        slot.progress.catch_up(offset)
    }

    /// Returns true if a subscriber that kept up until now is behind `end`.
    pub(super) fn has_anyone_fallen_behind(&self, end: u64) -> bool {
        let mut slots = self.slots.iter().flatten();
        slots.any(|slot| slot.progress.has_fallen_behind(end))
    }

    /// Counts those who are behind `end` as slow.
    pub(super) fn mark_slow(&mut self, end: u64) {
        let now = Instant::now();
        for slot in self.slots.iter_mut().flatten() {
            slot.progress.mark_if_slow(end, now);
        }
    }

    /// Has all begin with another stream at `offset`.
    pub(super) fn restart(&mut self, offset: u64) {
        for slot in self.slots.iter_mut().flatten() {
            slot.progress.restart(offset);
        }
    }

    /// Wakes all who wait.
    pub(super) fn wake(&mut self) {
        for slot in self.slots.iter_mut().flatten() {
            if let (true, Some(waker)) = (std::mem::take(&mut slot.is_waiting), &slot.waker) {
                waker.wake_by_ref();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_waiting_subscriber_is_woken_once_and_one_that_has_left_is_not() {
        let (stays, leaves) = (Arc::<Woken>::default(), Arc::<Woken>::default());
        let mut subscribers = Subscribers::default();
        let mut register = || subscribers.register(SubscriberKind::Client, 0);
        let (first, second) = (register(), register());
        subscribers.wait(first, &Arc::clone(&stays).into(), 0);
        subscribers.wait(second, &Arc::clone(&leaves).into(), 0);
        subscribers.remove(second);
        subscribers.wake();
        subscribers.wake();
        assert_eq!(stays.0.load(Ordering::Relaxed), 1);
        assert_eq!(leaves.0.load(Ordering::Relaxed), 0);
        assert_eq!(subscribers.clients(), 1);
        let third = subscribers.register(SubscriberKind::Client, 0);
        assert_eq!(third, second, "a free slot is used again");
    }
}
