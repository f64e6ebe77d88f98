//! The encodings of an event: made by the first subscriber that wants one, shared by all, and
//! bounded in memory over all events of a port. They are only kept to save time, so they give way
//! before any event does.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

/// Bytes of encodings that the events of one port keep. At the limit, a subscriber makes its own
/// and does not share it.
pub(super) const ENCODING_CAPACITY: usize = 2 << 20;

/// The place of an encoding among those of its event. Each set has slots of its own, which an event
/// makes room for when the first of them is used: most ports have clients of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodingSlot {
    /// For clients that get messages.
    Message(usize),
    /// For clients that get one long stream.
    Stream(usize),
}

/// The bytes of encodings that a port's events keep.
#[derive(Clone, Default)]
pub(super) struct EncodingBudget(Arc<AtomicUsize>);

impl EncodingBudget {
    /// Returns true if old events must give theirs up, so that the newest have room for theirs.
    pub(super) fn is_short(&self) -> bool {
        self.used() > ENCODING_CAPACITY / 2
    }

    /// The bytes that are kept now.
    pub(super) fn used(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn fits(&self, bytes: usize) -> bool {
        self.used() + bytes <= ENCODING_CAPACITY
    }
}

/// The encodings of one event.
pub(super) struct Encodings {
    sets: [OnceLock<Box<[OnceLock<Bytes>]>>; 2],
    /// True once the event keeps no more.
    is_closed: AtomicBool,
    budget: EncodingBudget,
}

impl Encodings {
    /// None yet; those that are made count towards `budget`.
    pub(super) fn new(budget: EncodingBudget) -> Self {
        Self {
            sets: [OnceLock::new(), OnceLock::new()],
            is_closed: AtomicBool::new(false),
            budget,
        }
    }

    /// The encoding in `slot`, if it is kept.
    #[inline]
    pub(super) fn get(&self, slot: EncodingSlot) -> Option<Bytes> {
        let (set, index) = slot.place();
        self.sets[set].get()?[index].get().cloned()
    }

    /// Keeps an encoding in `slot` of a set of so many `slots`, if there is room for it.
    pub(super) fn keep(&self, slot: EncodingSlot, slots: usize, encoding: &Bytes) {
        let (set, index) = slot.place();
        let all = slots * size_of::<OnceLock<Bytes>>();
        if self.is_closed.load(Ordering::Relaxed) || !self.budget.fits(encoding.len() + all) {
            return;
        }
        let slots = self.sets[set].get_or_init(|| {
            self.budget.0.fetch_add(all, Ordering::Relaxed);
            (0..slots).map(|_| OnceLock::new()).collect()
        });
        if slots[index].set(encoding.clone()).is_ok() {
            self.budget.0.fetch_add(encoding.len(), Ordering::Relaxed);
        }
    }

    /// Keeps no more.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
    }

    /// Gives up those that are kept.
    pub(super) fn give_up(&mut self) {
        for slots in self.sets.iter_mut().filter_map(OnceLock::take) {
            let kept = slots.iter().filter_map(OnceLock::get);
            let bytes = kept.map(Bytes::len).sum::<usize>() + size_of_val(&*slots);
            self.budget.0.fetch_sub(bytes, Ordering::Relaxed);
        }
    }
}

impl EncodingSlot {
    /// The index of the set, and that in the set.
    #[inline]
    fn place(self) -> (usize, usize) {
        match self {
            Self::Message(index) => (0, index),
            Self::Stream(index) => (1, index),
        }
    }
}

impl Drop for Encodings {
    fn drop(&mut self) {
        self.give_up();
    }
}
