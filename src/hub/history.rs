//! The most recent events of a port, in a ring that is bounded in bytes whatever the number of
//! subscribers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::event::{Event, Kind, Position, Timestamp};
use super::stream_item::LeftOut;
use super::{HubConfig, Start, Status, StreamItem};

/// Bytes of memory that are kept for clients that are a little behind, whatever `--history` is. At
/// the limit the oldest event goes; a subscriber that had not taken it has missed it.
const MIN_CAPACITY: usize = 4 << 20;

/// Bytes of the stream that a client may have to catch up on. At the limit it skips ahead.
const MAX_BYTES_BEHIND: u64 = 1 << 20;

/// Events in order, each with an index that only ever grows.
pub(super) struct History {
    events: VecDeque<Arc<Event>>,
    /// The index of the oldest event kept.
    pub first: u64,
    /// The place in the stream after the newest event.
    pub end: Position,
    /// The part of the stream up to there that some views leave out.
    left_out: LeftOut,
    /// The moment at which the wall clock last went forward, on both clocks.
    forward: (Timestamp, Instant),
    /// The newest status.
    pub status: Status,
    /// The memory that the events take, without their encodings.
    memory: usize,
    /// The index of the oldest event that late joiners are shown: it and those after it take
    /// `shown_memory`, at most `--history`.
    shown: u64,
    shown_memory: usize,
    /// The memory that all encodings alive take.
    pub encoded: Arc<AtomicUsize>,
    limits: HubConfig,
}

/// The place of a subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The index of the event to take next.
    pub next: u64,
    /// The place in the stream up to which it has everything. Where the next event begins later,
    /// the rest was missed; where it begins earlier, only its end is wanted.
    pub position: Position,
}

impl History {
    pub(super) fn new(limits: HubConfig, status: Status) -> Self {
        Self {
            events: VecDeque::new(),
            first: 0,
            end: Position::default(),
            left_out: LeftOut::default(),
            forward: (Timestamp::default(), Instant::now()),
            status,
            memory: 0,
            shown: 0,
            shown_memory: 0,
            encoded: Arc::default(),
            limits,
        }
    }

    /// Appends an event and drops the oldest ones over the limit.
    pub(super) fn push(&mut self, at: Timestamp, kind: Kind) {
        let read = Instant::now();
        let at = self.monotonic(at, read);
        if let Kind::Status(status) = &kind {
            self.status = status.clone();
        }
        let place = (self.end, self.left_out);
        let event = Event::new(place, (at, read), kind, Arc::clone(&self.encoded));
        self.end = event.after();
        self.left_out = event.left_out_after();
        self.memory += event.memory_cost();
        self.shown_memory += event.memory_cost();
        self.events.push_back(Arc::new(event));
        while self.shown_memory > self.limits.history {
            self.hide_oldest();
        }
        let limit = self.limits.history.max(MIN_CAPACITY);
        while self.memory + self.encoded.load(Ordering::Relaxed) > limit && self.events.len() > 1 {
            self.drop_oldest();
        }
    }

    /// The time of an event that came at `at` of the wall clock. That may be set back, but the times
    /// of a stream never go back: until the wall clock has caught up, the monotonic one counts.
    fn monotonic(&mut self, at: Timestamp, read: Instant) -> Timestamp {
        if self.events.back().is_none_or(|last| at >= last.at) {
            self.forward = (at, read);
        }
        let (at, since) = self.forward;
        Timestamp(at.0 + read.duration_since(since).as_micros() as u64)
    }

    /// No longer shows the oldest event to late joiners.
    fn hide_oldest(&mut self) {
        let cost = self
            .event(self.shown)
            .map_or(0, |event| event.memory_cost());
        self.shown_memory -= cost;
        self.shown += 1;
    }

    fn drop_oldest(&mut self) {
        if self.shown == self.first {
            self.hide_oldest();
        }
        if let Some(event) = self.events.pop_front() {
            self.memory -= event.memory_cost();
            self.first += 1;
        }
    }

    /// The index of the next event.
    pub(super) fn head(&self) -> u64 {
        self.first + self.events.len() as u64
    }

    /// The event with this index, if it is still kept.
    pub(super) fn event(&self, index: u64) -> Option<&Arc<Event>> {
        self.events.get(index.checked_sub(self.first)? as usize)
    }

    /// The place at which a new subscriber begins.
    pub(super) fn cursor(&self, start: Start) -> Cursor {
        let (at, position) = match start {
            Start::Live => (self.events.len(), self.end),
            Start::Last(item, count) => {
                let end = self.left_out.count(item, self.end);
                let wanted = end.saturating_sub(count);
                let at = self.find(wanted, end, |event| event.items_before(item));
                let place = |event: &Arc<Event>| event.place_of(item, wanted);
                (at, self.events.get(at).map_or(self.end, place))
            }
            Start::After(unit, count) => {
                let end = self.end.count(unit);
                let wanted = count.min(end);
                let at = self.find(wanted, end, |event| event.before.count(unit));
                let before = self.events.get(at).map_or(self.end, |event| event.before);
                (at, before.with(unit, wanted))
            }
        };
        Cursor {
            next: self.first + at as u64,
            position,
        }
    }

    /// Finds the kept event after whose beginning `wanted` is reached, where `before` counts up to
    /// the beginning of an event, and `end` is the count of everything. The result is at least the
    /// first event that late joiners are shown.
    fn find(&self, wanted: u64, end: u64, before: impl Fn(&Event) -> u64) -> usize {
        let found = if wanted < end {
            let begun = self.events.partition_point(|event| before(event) <= wanted);
            begun.saturating_sub(1)
        } else {
            self.events.len()
        };
        found.max((self.shown - self.first) as usize)
    }

    /// The event with which a live subscriber at `next` goes on: that one, unless it is too old or
    /// too far behind. The newest that it is delivered is for everyone, however old.
    pub(super) fn oldest_live(&self, next: u64, item: StreamItem, now: Instant) -> u64 {
        let is_behind = |event: &Arc<Event>| {
            now.duration_since(event.read) > self.limits.max_behind
                || self.end.offset - event.before.offset > MAX_BYTES_BEHIND
        };
        let next = next.max(self.first);
        if !self.event(next).is_some_and(is_behind) {
            return next;
        }
        let recent = self.events.partition_point(is_behind);
        let end = self.left_out.count(item, self.end);
        let with_items = |event: &Arc<Event>| event.items_before(item) < end;
        let newest = self.events.partition_point(with_items).checked_sub(1);
        next.max(self.first + newest.map_or(recent, |newest| recent.min(newest)) as u64)
    }
}
