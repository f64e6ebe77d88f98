//! Who waits for the next event.

use std::task::Waker;

/// The wakers of subscribers, each in a seat of its own.
#[derive(Default)]
pub(super) struct Waiting {
    seats: Vec<Seat>,
    free: Vec<usize>,
}

#[derive(Default)]
struct Seat {
    waker: Option<Waker>,
    waits: bool,
}

impl Waiting {
    /// A seat for a subscriber, until it leaves.
    pub fn join(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.seats.push(Seat::default());
            self.seats.len() - 1
        })
    }

    pub fn leave(&mut self, seat: usize) {
        self.seats[seat] = Seat::default();
        self.free.push(seat);
    }

    /// How many subscribers there are.
    pub fn count(&self) -> usize {
        self.seats.len() - self.free.len()
    }

    /// Wakes `waker` once, at the next event.
    pub fn wait(&mut self, seat: usize, waker: &Waker) {
        let seat = &mut self.seats[seat];
        seat.waits = true;
        match &mut seat.waker {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }

    /// Wakes all who wait.
    pub fn wake(&mut self) {
        for seat in &mut self.seats {
            if let (true, Some(waker)) = (std::mem::take(&mut seat.waits), &seat.waker) {
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
    fn who_waits_is_woken_once_and_who_has_left_is_not() {
        let (stays, leaves) = (Arc::<Woken>::default(), Arc::<Woken>::default());
        let mut waiting = Waiting::default();
        let (first, second) = (waiting.join(), waiting.join());
        waiting.wait(first, &Arc::clone(&stays).into());
        waiting.wait(second, &Arc::clone(&leaves).into());
        waiting.leave(second);
        waiting.wake();
        waiting.wake();
        assert_eq!(stays.0.load(Ordering::Relaxed), 1);
        assert_eq!(leaves.0.load(Ordering::Relaxed), 0);
        assert_eq!(waiting.count(), 1);
        assert_eq!(waiting.join(), second, "a free seat is taken again");
    }
}
