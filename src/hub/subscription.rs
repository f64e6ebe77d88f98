//! One subscriber's place in a port's stream: takes events from the shared history at its own pace.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Instant;

use super::history::Cursor;
use super::{Event, Hub, Kind, Position, Start, Status, StreamItem, SubscriberKind};

/// The bytes of the stream that one call of [`Subscription::take`] hands out at most. The rest waits
/// for the next call, so that no subscriber holds much memory of its own.
const MAX_TAKEN_BYTES: u64 = 64 << 10;

/// A subscriber's place in a port's stream; dropping it unsubscribes.
pub struct Subscription {
    hub: Arc<Hub>,
    kind: SubscriberKind,
    /// Its slot among the hub's subscribers.
    slot: usize,
    cursor: Cursor,
    /// The index of the first event after the subscriber joined.
    joined: u64,
    /// The items that it delivers.
    item: StreamItem,
    wants_written: bool,
}

/// An event as one subscriber takes it.
pub struct Taken {
    /// The event, shared with all other subscribers.
    pub event: Arc<Event>,
    /// The lines and bytes at the event's beginning that the subscriber already has.
    pub had: Position,
}

impl Subscription {
    pub(super) fn new(hub: &Arc<Hub>, kind: SubscriberKind, start: Start) -> Self {
        let slot = hub.subscribers().register(kind, hub.end().offset);
        let history = hub.history();
        let subscription = Self {
            hub: Arc::clone(hub),
            kind,
            slot,
            cursor: history.cursor(start),
            joined: history.head(),
            item: StreamItem::Byte,
            wants_written: false,
        };
        subscription.delivered();
        subscription
    }

    /// The same subscription of somebody who delivers these items; else it is bytes. The newest of
    /// them is never skipped.
    #[must_use]
    pub fn of(mut self, item: StreamItem) -> Self {
        self.item = item;
        self
    }

    /// The same subscription with [`Kind::Written`] events.
    #[must_use]
    pub fn with_written(mut self) -> Self {
        if !std::mem::replace(&mut self.wants_written, true) {
            self.hub.wants_written.fetch_add(1, Ordering::Relaxed);
        }
        self
    }

    /// Returns when there is something to take.
    pub async fn ready(&mut self) {
        poll_fn(|cx| {
            if self.is_up_to_date() {
                let offset = self.cursor.position.offset;
                let was_behind = self.hub.subscribers().wait(self.slot, cx.waker(), offset);
                if was_behind {
                    self.hub.backpressure.progress.notify_waiters();
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

    /// Appends the events that are ready to `taken`. If it had to skip events before them, returns
    /// what was missed with those: nothing where they were only statuses.
    pub fn take(&mut self, taken: &mut Vec<Taken>) -> Option<Position> {
        let history = self.hub.history();
        let wanted = self.cursor.next;
        let mut next = if wanted >= self.joined {
            history.oldest_live(wanted, self.item, Instant::now())
        } else {
            wanted.max(history.first)
        };
        let has_skipped = next > wanted;
        let before = history
            .event(next)
            .map_or(history.end, |event| event.before);
        let missed = before.since(self.cursor.position);
        let mut position = self.cursor.position;
        if missed != Position::default() {
            position = before;
        }
        let enough = position.offset + MAX_TAKEN_BYTES;
        while let Some(event) = history.event(next).filter(|_| position.offset < enough) {
            let is_wanted = match event.kind {
                Kind::Data(_) => true,
                // The greeting has told the status at joining; older ones would only confuse.
                Kind::Status(_) => next >= self.joined,
                Kind::Written(_) => self.wants_written,
            };
            if is_wanted {
                taken.push(Taken {
                    event: Arc::clone(event),
                    had: position.since(event.before),
                });
            }
            position = event.after();
            next += 1;
        }
        self.cursor = Cursor { next, position };
        (has_skipped || missed != Position::default()).then_some(missed)
    }

    /// The place in the stream up to which everything was taken.
    pub fn position(&self) -> Position {
        self.cursor.position
    }

    /// Returns true if there is nothing to take at the moment.
    pub fn is_up_to_date(&self) -> bool {
        self.hub.head.load(Ordering::SeqCst) <= self.cursor.next
    }

    /// Records that all that was taken has been delivered, such as to the client's socket.
    pub fn delivered(&self) {
        if self.kind.takes_part_in_backpressure() {
            self.hub.backpressure.advance(self.cursor.position.offset);
        }
    }

    /// The port's status now.
    pub fn status(&self) -> Status {
        self.hub.status()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if self.wants_written {
            self.hub.wants_written.fetch_sub(1, Ordering::Relaxed);
        }
        self.hub.subscribers().remove(self.slot);
        self.hub.backpressure.progress.notify_waiters();
    }
}
