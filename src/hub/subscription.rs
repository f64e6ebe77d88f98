//! One subscriber's place in a port's stream: takes events from the shared history at its own pace.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use super::history::{Cursor, History};
use super::last_values;
use super::sync::atomic::Ordering;
use super::{Event, Hub, Kind, Position, Start, Status, StreamItem, SubscriberKind};

/// A subscriber's place in a port's stream; dropping it unsubscribes.
pub struct Subscription {
    hub: Arc<Hub>,
    kind: SubscriberKind,
    /// Its slot among the hub's subscribers.
    slot: usize,
    cursor: Cursor,
    /// The index of the first event after the subscriber joined.
    joined: u64,
    /// The number of the run to which the cursor belongs.
    run: u64,
    /// The place in a run of another serial-ws where the subscriber wants to begin once it is reached.
    resume: Option<(Box<str>, Start)>,
    /// The items that it delivers.
    item: StreamItem,
    wants_written: bool,
    wants_inputs: bool,
    wants_bytes: bool,
    /// The bytes in [`Kind::Written`] events up to its place, if it wants those.
    written: u64,
    /// Those of them that were skipped since it was asked.
    missed_written: u64,
    /// True once it was asked for what comes next.
    has_begun: bool,
}

/// The next thing that a subscriber gets.
pub enum Received {
    /// An event.
    Event(Taken),
    /// The distance that was skipped before what comes next: none where it was only statuses.
    Missed(Position),
    /// Another serial-ws that counts the stream has begun to count anew. What comes next has no place
    /// among the numbers before.
    Restarted,
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
        hub.subscribers_changed.notify_waiters();
        let start = match start {
            Start::Last(StreamItem::Values, count) => last_values::start(hub, count),
            start => start,
        };
        let history = hub.history();
        let subscription = Self {
            hub: Arc::clone(hub),
            kind,
            slot,
            cursor: history.cursor(start),
            joined: history.head(),
            run: history.run.number,
            resume: None,
            item: StreamItem::Byte,
            wants_written: false,
            written: 0,
            missed_written: 0,
            has_begun: false,
            wants_inputs: false,
            wants_bytes: false,
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

    /// The same subscription of somebody who knows the numbers of this run of another serial-ws. If
    /// that one has not been reached yet, it begins at `start` once it is.
    #[must_use]
    pub fn in_run(mut self, name: &str, start: Option<Start>) -> Self {
        let history = self.hub.history();
        let is_other = history.run.name.as_deref().is_some_and(|run| run != name);
        let number = history.run.number;
        if is_other {
            // It has begun anew just now, as the subscriber is about to hear.
            self.run = number.wrapping_sub(1);
        } else if let (Some(_), Some(start)) = (&history.run.name, start) {
            self.cursor = history.cursor(start);
        } else {
            self.resume = start.map(|start| (name.into(), start));
        }
        drop(history);
        self
    }

    /// The same subscription with [`Kind::Written`] events.
    #[must_use]
    pub fn with_written(mut self) -> Self {
        if !std::mem::replace(&mut self.wants_written, true) {
            self.hub.wants_written.fetch_add(1, Ordering::Relaxed);
            self.written = self.hub.history().written_before(self.cursor.next);
        }
        self
    }

    /// The same subscription, which is told soon when the modem's inputs change. Otherwise the port
    /// looks at them once a second.
    #[must_use]
    pub fn with_inputs(mut self) -> Self {
        if !std::mem::replace(&mut self.wants_inputs, true) {
            self.hub.wants_inputs.fetch_add(1, Ordering::Relaxed);
        }
        self
    }

    /// The same subscription of a client that wants the bytes as they are read, so that no other rate
    /// is tried.
    #[must_use]
    pub fn with_bytes(mut self) -> Self {
        if !std::mem::replace(&mut self.wants_bytes, true) {
            self.hub.wants_bytes.fetch_add(1, Ordering::Relaxed);
        }
        self
    }

    /// Returns when there is something to take.
    #[inline]
    pub fn ready(&mut self) -> impl Future<Output = ()> {
        poll_fn(|cx| self.poll_ready(cx))
    }

    #[inline(always)]
    fn poll_ready(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.is_up_to_date() {
            let offset = self.offset();
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
    }

    /// Takes what comes next, if it is ready. `now` tells what has become too old.
    #[inline]
    pub fn next(&mut self, now: Instant) -> Option<Received> {
        // Even where there is no event, something before the beginning may be missed.
        if std::mem::replace(&mut self.has_begun, true) && self.is_up_to_date() {
            return None;
        }
        self.next_of_history(now)
    }

    fn next_of_history(&mut self, now: Instant) -> Option<Received> {
        let history = self.hub.history();
        if self.run != history.run.number {
            (self.run, self.joined) = (history.run.number, history.run.live.next);
            let restarted = enter_run(&mut self.cursor, &mut self.resume, &history);
            if restarted.is_some() {
                return restarted;
            }
        }
        let wanted = self.cursor.next;
        let mut next = if wanted >= self.joined {
            history.oldest_live(wanted, self.item, now)
        } else {
            wanted.max(history.first)
        };
        let had = self.cursor.position;
        let before = history
            .event(next)
            .map_or(history.end, |event| event.before);
        let missed = before.since(had);
        if next > wanted || missed != Position::default() {
            let is_missed = missed != Position::default();
            let position = if is_missed { before } else { had };
            self.cursor = Cursor { next, position };
            if self.wants_written {
                let written = history.written_before(next);
                self.missed_written += written.saturating_sub(self.written);
                self.written = written;
            }
            return Some(Received::Missed(missed));
        }
        while let Some(event) = history.event(next) {
            next += 1;
            let had = self.cursor.position.since(event.before);
            let position = event.after();
            self.cursor = Cursor { next, position };
            if self.wants_written {
                self.written = event.written_after();
            }
            let is_wanted = match event.kind {
                Kind::Data(_) => true,
                // The greeting has told the status at joining; older ones would only confuse.
                Kind::Status(_) => next > self.joined,
                Kind::Written(_) => self.wants_written,
                // Notes are for recordings.
                Kind::Note(_) => self.wants_written && self.kind != SubscriberKind::Client,
            };
            if is_wanted {
                let event = Arc::clone(event);
                return Some(Received::Event(Taken { event, had }));
            }
        }
        None
    }

    /// Appends all events that are ready to `taken`. If it had to skip events, returns what was
    /// missed with those: nothing where they were only statuses.
    pub fn take(&mut self, taken: &mut Vec<Taken>) -> Option<Position> {
        let mut missed = None;
        let now = Instant::now();
        while let Some(next) = self.next(now) {
            match next {
                Received::Event(event) => taken.push(event),
                Received::Restarted => {}
                Received::Missed(more) => {
                    let all: &mut Position = missed.get_or_insert_default();
                    all.line += more.line;
                    all.offset += more.offset;
                }
            }
        }
        missed
    }

    /// Returns the bytes in [`Kind::Written`] events that were skipped since this was asked last.
    pub fn take_missed_written(&mut self) -> u64 {
        std::mem::take(&mut self.missed_written)
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
            self.hub.backpressure.advance(self.offset());
        }
    }

    /// The bytes before the place up to which everything was taken; none while that is in a run that
    /// is over.
    #[inline(always)]
    fn offset(&self) -> u64 {
        let is_over = self.run != self.hub.upstream.number.load(Ordering::Relaxed);
        if is_over {
            0
        } else {
            self.cursor.position.offset
        }
    }

    /// The port's status now.
    pub fn status(&self) -> Status {
        self.hub.status()
    }
}

/// Goes on in the run that has begun: at the place in it that was waited for, or else with what is live.
/// Only the first of the two is no news.
#[cold]
fn enter_run(
    cursor: &mut Cursor,
    resume: &mut Option<(Box<str>, Start)>,
    history: &History,
) -> Option<Received> {
    let resume = resume.take();
    let resume = resume.filter(|(name, _)| Some(&**name) == history.run.name.as_deref());
    match resume {
        Some((_, start)) => {
            *cursor = history.cursor(start);
            None
        }
        None => {
            *cursor = history.run.live;
            Some(Received::Restarted)
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if self.wants_written {
            self.hub.wants_written.fetch_sub(1, Ordering::Relaxed);
        }
        if self.wants_inputs {
            self.hub.wants_inputs.fetch_sub(1, Ordering::Relaxed);
        }
        if self.wants_bytes {
            self.hub.wants_bytes.fetch_sub(1, Ordering::Relaxed);
        }
        self.hub.subscribers().remove(self.slot);
        self.hub.subscribers_changed.notify_waiters();
        self.hub.backpressure.progress.notify_waiters();
    }
}
