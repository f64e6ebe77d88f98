//! One per port: hands every event to every subscriber, in one order, and remembers the latest.
//!
//! Publishing never waits. Each subscriber takes events at its own pace from one shared ring;
//! one that falls too far behind skips ahead and is told exactly what it missed.

mod event;
mod history;
mod metrics;
mod requests;
mod status;
mod subscribers;
mod utf8;

use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

pub use event::{
    Data, ENCODINGS, Event, Extent, Frame, Frames, Kind, Piece, Position, Timestamp, Unit,
};
pub use metrics::Counters;
pub use metrics::{BUCKETS, Delays};
pub use requests::{
    Action, Lease, MAX_WAITING, Outcome, Request, RequestError, RequestQueue, RequestSender,
};
pub use status::{DeviceInfo, LineErrors, State, Status};
pub use utf8::{IncompleteUtf8, unfinished};

use history::Ring;
use subscribers::Waiting;

/// Bytes of the stream that one call of [`Subscription::take`] hands out at most, beyond which
/// the rest waits for the next call, so that no subscriber holds much memory of its own.
const MOST_TAKEN: u64 = 64 << 10;

/// When even the fastest client is this many bytes behind, or one that kept up so far has not
/// caught up for as many, reading the device pauses.
const HIGH_WATER_MARK: u64 = 256 << 10;

/// How long reading pauses for the fastest client before it goes on without it.
const PATIENCE: Duration = Duration::from_millis(200);

/// How long reading pauses for a client that kept up so far. One that has not caught up then is
/// slow, and not waited for again until it has.
const GRACE: Duration = Duration::from_millis(50);

/// What a hub keeps, and for whom.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Memory in bytes that is kept for late joiners.
    pub history: usize,
    /// A client with older events than this to catch up on skips ahead.
    pub max_behind: Duration,
}

/// Where a subscriber begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With what comes next.
    Live,
    /// With the last so many, as far as history has them.
    Last(Unit, u64),
    /// Exactly after this count, or with the number of those missed.
    After(Unit, u64),
}

/// The fan-out of one port.
pub struct Hub {
    ring: Mutex<Ring>,
    /// The index of the event to come.
    head: AtomicU64,
    /// Subscribers that wait for `head` to grow.
    subscribers: Mutex<Waiting>,
    /// The offset that the fastest subscriber has delivered up to.
    delivered: AtomicU64,
    /// Told when `delivered` grows while the port waits for it.
    room: Notify,
    /// `delivered` when waiting for it was last given up.
    given_up: AtomicU64,
    /// What clients ask of the port.
    pub queue: Arc<RequestQueue>,
    /// What has happened so far.
    pub counters: Counters,
    /// From the read of the oldest of what a session sent in one go until its socket had it all.
    pub delays: Delays,
}

impl Hub {
    /// A hub without events whose port has `status`.
    pub fn new(limits: Limits, status: Status) -> Arc<Self> {
        Arc::new(Self {
            ring: Mutex::new(Ring::new(limits, status)),
            head: AtomicU64::new(0),
            subscribers: Mutex::default(),
            delivered: AtomicU64::new(0),
            room: Notify::new(),
            given_up: AtomicU64::new(u64::MAX),
            queue: Arc::default(),
            counters: Counters::default(),
            delays: Delays::default(),
        })
    }

    /// Tells all subscribers what happened.
    pub fn publish(&self, at: Timestamp, kind: Kind) {
        {
            let mut ring = self.ring();
            ring.push(at, kind);
            self.head.store(ring.head(), Ordering::SeqCst);
        }
        self.waiting().wake();
    }

    /// Tells all subscribers the port's status, unless it says what the last one said.
    pub fn publish_status(&self, status: Status) {
        if !self.status().says_the_same(&status) {
            self.publish(Timestamp::now(), Kind::Status(status));
        }
    }

    /// The port's status now.
    pub fn status(&self) -> Status {
        self.ring().status().clone()
    }

    /// The place that the stream has reached.
    pub fn end(&self) -> Position {
        self.ring().end()
    }

    /// How many subscribers there are.
    pub fn subscribers(&self) -> usize {
        self.waiting().count()
    }

    /// A subscriber that begins at `start`.
    pub fn subscribe(self: &Arc<Self>, start: Start) -> Subscription {
        let seat = self.waiting().join(self.end().offset);
        let ring = self.ring();
        let cursor = ring.cursor(start);
        self.advance(cursor.position.offset);
        Subscription {
            hub: Arc::clone(self),
            seat,
            cursor,
            joined: ring.head(),
        }
    }

    /// Returns when there is no more reason for [`Hub::patience`], or when it has ended at
    /// `deadline`. Cancelling the wait and waiting again does not prolong it.
    ///
    /// A device with flow control thus loses nothing to a burst, while one whose clients have all
    /// stalled, or one of them, is read on.
    pub async fn room(&self, deadline: tokio::time::Instant) {
        let wait = async {
            loop {
                let told = self.room.notified();
                if self.patience().is_none() {
                    return;
                }
                told.await;
            }
        };
        if tokio::time::timeout_at(deadline, wait).await.is_err() {
            self.given_up
                .store(self.delivered.load(Ordering::SeqCst), Ordering::SeqCst);
            let end = self.end().offset;
            self.waiting().give_up(end);
        }
    }

    /// How long reading the device may pause for its clients, if any of them is worth that: the
    /// fastest one, unless it is known to be stalled, or one that kept up until a moment ago.
    pub fn patience(&self) -> Option<Duration> {
        let end = self.end().offset;
        let delivered = self.delivered.load(Ordering::SeqCst);
        let waiting = self.waiting();
        let is_fastest_behind = end.saturating_sub(delivered) > HIGH_WATER_MARK
            && delivered != self.given_up.load(Ordering::SeqCst)
            && waiting.count() > 0;
        if is_fastest_behind {
            Some(PATIENCE)
        } else {
            waiting.is_anyone_behind(end).then_some(GRACE)
        }
    }

    fn advance(&self, offset: u64) {
        let before = self.delivered.fetch_max(offset, Ordering::SeqCst);
        if before < offset {
            self.room.notify_waiters();
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.subscribers
            .lock()
            .expect("waking a task does not panic")
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring
            .lock()
            .expect("nothing panics while it holds the ring")
    }
}

/// One subscriber's place in a port's stream.
pub struct Subscription {
    hub: Arc<Hub>,
    /// Its own among those who wait.
    seat: usize,
    cursor: history::Cursor,
    /// The index of the first event after the subscriber joined.
    joined: u64,
}

/// An event as one subscriber takes it.
pub struct Taken {
    /// The event.
    pub event: Arc<Event>,
    /// What the subscriber has of it already: leave out so many lines and bytes at its beginning.
    pub had: Position,
}

impl Subscription {
    /// Returns when there is something to take.
    pub async fn ready(&mut self) {
        poll_fn(|cx| {
            if self.is_up_to_date() {
                let offset = self.cursor.position.offset;
                let was_behind = self.hub.waiting().wait(self.seat, cx.waker(), offset);
                if was_behind {
                    self.hub.room.notify_waiters();
                }
                // It may have come in between.
                if self.is_up_to_date() {
                    return Poll::Pending;
                }
            }
            Poll::Ready(())
        })
        .await;
    }

    /// Appends what is ready to `taken`. If events before it were passed over, returns what was
    /// missed with them: nothing where they were only statuses.
    pub fn take(&mut self, taken: &mut Vec<Taken>) -> Option<Position> {
        let ring = self.hub.ring();
        let wanted = self.cursor.next;
        let mut next = if wanted >= self.joined {
            ring.oldest_live(wanted, Instant::now())
        } else {
            wanted.max(ring.oldest())
        };
        let has_skipped = next > wanted;
        let before = ring.event(next).map_or(ring.end(), |event| event.before);
        let missed = before.since(self.cursor.position);
        let mut position = self.cursor.position;
        if missed != Position::default() {
            position = before;
        }
        let enough = position.offset + MOST_TAKEN;
        while let Some(event) = ring.event(next).filter(|_| position.offset < enough) {
            // The greeting has told the status at joining; older ones would only confuse.
            if next >= self.joined || matches!(event.kind, Kind::Data(_)) {
                taken.push(Taken {
                    event: Arc::clone(event),
                    had: position.since(event.before),
                });
            }
            position = event.after();
            next += 1;
        }
        self.cursor = history::Cursor { next, position };
        (has_skipped || missed != Position::default()).then_some(missed)
    }

    /// The place in the stream up to which everything was taken.
    pub fn position(&self) -> Position {
        self.cursor.position
    }

    /// Whether there is nothing to take at the moment.
    pub fn is_up_to_date(&self) -> bool {
        self.hub.head.load(Ordering::SeqCst) <= self.cursor.next
    }

    /// Says that all that was taken has been handed to the client's socket.
    pub fn delivered(&self) {
        self.hub.advance(self.cursor.position.offset);
    }

    /// The port's status now.
    pub fn status(&self) -> Status {
        self.hub.status()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.hub.waiting().leave(self.seat);
        self.hub.room.notify_waiters();
    }
}

#[cfg(test)]
mod tests;
