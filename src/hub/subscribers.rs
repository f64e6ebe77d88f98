//! Who waits for the next event, and who has not for long.

use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use super::HIGH_WATER_MARK;

/// How long a client that was slow is not waited for at least, so that one that stalls again and
/// again takes a twentieth of the others' time at most.
const SLOW_FOR: Duration = Duration::from_secs(1);

/// The wakers of subscribers, each in a seat of its own.
#[derive(Default)]
pub(super) struct Waiting {
    seats: Vec<Seat>,
    free: Vec<usize>,
}

struct Seat {
    waker: Option<Waker>,
    waits: bool,
    /// The offset up to which the subscriber had everything when it last waited.
    caught_up: u64,
    /// When it was found to be slow.
    slow_since: Option<Instant>,
}

impl Seat {
    /// A seat of a subscriber that has everything up to `offset`.
    fn at(offset: u64) -> Self {
        Self {
            waker: None,
            waits: false,
            caught_up: offset,
            slow_since: None,
        }
    }

    fn is_behind(&self, end: u64) -> bool {
        end.saturating_sub(self.caught_up) > HIGH_WATER_MARK
    }
}

impl Waiting {
    /// A seat for a subscriber, until it leaves; `end` is the offset that the stream has reached.
    pub(crate) fn join(&mut self, end: u64) -> usize {
        let seat = self.free.pop().unwrap_or(self.seats.len());
        match self.seats.get_mut(seat) {
            Some(free) => *free = Seat::at(end),
            None => self.seats.push(Seat::at(end)),
        }
        seat
    }

    pub(crate) fn leave(&mut self, seat: usize) {
        // Nobody is behind on a free seat.
        self.seats[seat] = Seat::at(u64::MAX);
        self.free.push(seat);
    }

    /// How many subscribers there are.
    pub(crate) fn count(&self) -> usize {
        self.seats.len() - self.free.len()
    }

    /// Wakes `waker` once, at the next event: its subscriber has everything up to `offset`. Says
    /// whether it had been behind.
    pub(crate) fn wait(&mut self, seat: usize, waker: &Waker, offset: u64) -> bool {
        let seat = &mut self.seats[seat];
        seat.waits = true;
        match &mut seat.waker {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
        let was_behind = seat.is_behind(offset);
        seat.caught_up = offset;
        seat.slow_since.take_if(|since| since.elapsed() > SLOW_FOR);
        was_behind
    }

    /// Whether anyone who kept up so far has not caught up for long.
    pub(crate) fn is_anyone_behind(&self, end: u64) -> bool {
        self.seats
            .iter()
            .any(|seat| seat.slow_since.is_none() && seat.is_behind(end))
    }

    /// Takes those who are behind for slow.
    pub(crate) fn give_up(&mut self, end: u64) {
        let now = Instant::now();
        for seat in &mut self.seats {
            if seat.is_behind(end) {
                seat.slow_since = Some(now);
            }
        }
    }

    /// Wakes all who wait.
    pub(crate) fn wake(&mut self) {
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
        let (first, second) = (waiting.join(0), waiting.join(0));
        waiting.wait(first, &Arc::clone(&stays).into(), 0);
        waiting.wait(second, &Arc::clone(&leaves).into(), 0);
        waiting.leave(second);
        waiting.wake();
        waiting.wake();
        assert_eq!(stays.0.load(Ordering::Relaxed), 1);
        assert_eq!(leaves.0.load(Ordering::Relaxed), 0);
        assert_eq!(waiting.count(), 1);
        assert_eq!(waiting.join(0), second, "a free seat is taken again");
    }
}
