//! Backpressure: decides when the port pauses reading its device for the sake of its subscribers.
//!
//! Two reasons pause reading. Either **everyone is behind**: even the subscriber that has
//! delivered most has more than [`HIGH_WATER_MARK`] left; reading then waits up to
//! [`MAX_STALL_PAUSE`] for any of them to deliver more. Or **someone has just fallen behind**: a
//! subscriber that kept up until now has more than [`HIGH_WATER_MARK`] left; reading waits up to
//! [`MAX_PAUSE`] for it, and then counts it as slow: it is not waited for again until it has
//! caught up and [`SLOW_TIME`] has passed.
//!
//! A device with flow control thus loses nothing in a burst, while one stalled client, or a room
//! full of them, cannot hold up the device for long.

use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::sync::atomic::{AtomicU64, Ordering};

/// Bytes that a subscriber may have left to deliver before it is a reason to pause reading.
pub(super) const HIGH_WATER_MARK: u64 = 256 << 10;

/// The longest pause while everyone is behind. After it, reading goes on without them.
pub(super) const MAX_STALL_PAUSE: Duration = Duration::from_millis(200);

/// The longest pause granted to a subscriber that was keeping up. After it, the subscriber is slow.
pub(super) const MAX_PAUSE: Duration = Duration::from_millis(50);

/// The shortest time for which a slow subscriber is not waited for, so that one that stalls again
/// and again takes at most a twentieth of the others' time.
const SLOW_TIME: Duration = Duration::from_secs(1);

/// The progress of all subscribers together.
pub(super) struct Backpressure {
    /// The offset that the subscriber furthest ahead has delivered.
    delivered: AtomicU64,
    /// `delivered` when a pause for everyone ran out: until it grows, there is no other. Before the
    /// first, an offset that no stream reaches.
    stalled_at: AtomicU64,
    /// Notified when a subscriber makes progress or leaves, so that the port looks again whether it
    /// still has to pause. Only the port waits for it.
    pub progress: Notify,
}

impl Default for Backpressure {
    fn default() -> Self {
        Self {
            delivered: AtomicU64::new(0),
            stalled_at: AtomicU64::new(u64::MAX),
            progress: Notify::new(),
        }
    }
}

impl Backpressure {
    /// Records that a subscriber has delivered everything up to `offset`.
    pub(super) fn advance(&self, offset: u64) {
        let before = self.delivered.fetch_max(offset, Ordering::SeqCst);
        if before < offset {
            self.progress.notify_waiters();
        }
    }

    /// Returns true if even the subscriber furthest ahead is behind `end`, unless it was waited for
    /// in vain already.
    pub(super) fn is_stalled(&self, end: u64) -> bool {
        let delivered = self.delivered.load(Ordering::SeqCst);
        end.saturating_sub(delivered) > HIGH_WATER_MARK
            && delivered != self.stalled_at.load(Ordering::SeqCst)
    }

    /// Begins with another stream at `offset`.
    pub(super) fn restart(&self, offset: u64) {
        self.delivered.store(offset, Ordering::SeqCst);
        self.stalled_at.store(u64::MAX, Ordering::SeqCst);
    }

    /// Gives up waiting until someone delivers more.
    pub(super) fn give_up(&self) {
        let delivered = self.delivered.load(Ordering::SeqCst);
        self.stalled_at.store(delivered, Ordering::SeqCst);
    }
}

/// The progress of one subscriber.
pub(super) struct Progress {
    /// The offset up to which it had everything when it last waited for more.
    caught_up: u64,
    /// The moment at which it was counted as slow.
    slow_since: Option<Instant>,
}

impl Progress {
    /// The progress of a subscriber that has everything up to `offset`. One that has everything up
    /// to the end of all offsets is never waited for.
    pub(super) fn at(offset: u64) -> Self {
        Self {
            caught_up: offset,
            slow_since: None,
        }
    }

    /// Records that the subscriber has everything up to `offset`, and returns true if it had been
    /// behind.
    pub(super) fn catch_up(&mut self, offset: u64) -> bool {
        let was_behind = self.is_behind(offset);
        // It never goes back, so that one that is never behind stays so.
        self.caught_up = self.caught_up.max(offset);
        self.slow_since.take_if(|since| since.elapsed() > SLOW_TIME);
        was_behind
    }

    /// Begins with another stream at `offset`.
    pub(super) fn restart(&mut self, offset: u64) {
        if self.caught_up != u64::MAX {
            *self = Self::at(offset);
        }
    }

    /// Returns true if the subscriber kept up until now, and is behind `end`.
    pub(super) fn has_fallen_behind(&self, end: u64) -> bool {
        self.slow_since.is_none() && self.is_behind(end)
    }

    /// Counts the subscriber as slow if it is behind `end`.
    pub(super) fn mark_if_slow(&mut self, end: u64, now: Instant) {
        if self.is_behind(end) {
            self.slow_since = Some(now);
        }
    }

    fn is_behind(&self, end: u64) -> bool {
        end.saturating_sub(self.caught_up) > HIGH_WATER_MARK
    }
}
