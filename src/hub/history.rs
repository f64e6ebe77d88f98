//! The most recent events of a port, bounded in memory whatever the number of subscribers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::event::{Event, Kind, Position, Timestamp};
use super::{Limits, Start, Status};

/// Memory in bytes that is kept for clients that are a little behind, whatever `--history` is.
/// At the limit the oldest event goes; who had not taken it has missed it.
const WINDOW: usize = 4 << 20;

/// A client with more bytes of the stream than this to catch up on skips ahead.
const MAX_BEHIND: u64 = 1 << 20;

/// Events in order, each with an index that only ever grows.
pub(super) struct Ring {
    events: VecDeque<Arc<Event>>,
    /// The index of the oldest event kept.
    first: u64,
    /// The place in the stream after the newest event.
    end: Position,
    /// When the wall clock last went forward: what it said, and the same on the monotonic clock.
    forward: (Timestamp, Instant),
    status: Status,
    charge: usize,
    encoded: Arc<AtomicUsize>,
    limits: Limits,
}

/// Where a subscriber stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The index of the event to take next.
    pub next: u64,
    /// The place in the stream up to which it has everything. Where the next event begins later,
    /// the rest was missed; where it begins earlier, only its end is wanted.
    pub position: Position,
}

impl Ring {
    pub(crate) fn new(limits: Limits, status: Status) -> Self {
        Self {
            events: VecDeque::new(),
            first: 0,
            end: Position::default(),
            forward: (Timestamp::default(), Instant::now()),
            status,
            charge: 0,
            encoded: Arc::default(),
            limits,
        }
    }

    /// Appends an event and drops the oldest ones over the limit.
    pub(crate) fn push(&mut self, at: Timestamp, kind: Kind) {
        let read = Instant::now();
        let at = self.never_back(at, read);
        if let Kind::Status(status) = &kind {
            self.status = status.clone();
        }
        let event = Event::new(self.end, (at, read), kind, Arc::clone(&self.encoded));
        self.end = event.after();
        self.charge += event.charge();
        self.events.push_back(Arc::new(event));
        let limit = self.limits.history.max(WINDOW);
        while self.charge + self.encoded.load(Ordering::Relaxed) > limit && self.events.len() > 1 {
            self.drop_oldest();
        }
    }

    /// The time of an event that came when the wall clock said `at`. That may be set back, but the
    /// times of a stream never go back: until it has caught up, the monotonic clock counts.
    fn never_back(&mut self, at: Timestamp, read: Instant) -> Timestamp {
        if self.events.back().is_none_or(|last| at >= last.at) {
            self.forward = (at, read);
        }
        let (at, since) = self.forward;
        Timestamp(at.0 + read.duration_since(since).as_micros() as u64)
    }

    /// The index of the oldest event kept.
    pub(crate) fn oldest(&self) -> u64 {
        self.first
    }

    /// The bytes of all encodings alive.
    #[cfg(test)]
    pub(crate) fn encoded(&self) -> usize {
        self.encoded.load(Ordering::Relaxed)
    }

    fn drop_oldest(&mut self) {
        if let Some(event) = self.events.pop_front() {
            self.charge -= event.charge();
            self.first += 1;
        }
    }

    pub(crate) fn status(&self) -> &Status {
        &self.status
    }

    pub(crate) fn end(&self) -> Position {
        self.end
    }

    /// The index of the event to come.
    pub(crate) fn head(&self) -> u64 {
        self.first + self.events.len() as u64
    }

    /// The event with this index, if it is still kept.
    pub(crate) fn event(&self, index: u64) -> Option<&Arc<Event>> {
        self.events.get(index.checked_sub(self.first)? as usize)
    }

    /// Where a new subscriber begins.
    pub(crate) fn cursor(&self, start: Start) -> Cursor {
        let (unit, wanted) = match start {
            Start::Live => {
                return Cursor {
                    next: self.head(),
                    position: self.end,
                };
            }
            Start::Last(unit, count) => (unit, self.end.count(unit).saturating_sub(count)),
            Start::After(unit, count) => (unit, count.min(self.end.count(unit))),
        };
        let reached = self
            .events
            .partition_point(|event| event.after().count(unit) <= wanted);
        let at = reached.max(self.oldest_history());
        let before = self.events.get(at).map_or(self.end, |event| event.before);
        let position = match start {
            Start::After(..) => before.with(unit, wanted),
            _ => before.with(unit, wanted.max(before.count(unit))),
        };
        Cursor {
            next: self.first + at as u64,
            position,
        }
    }

    /// How many of the oldest kept events are older than `--history` allows to show.
    fn oldest_history(&self) -> usize {
        let mut left = self.limits.history;
        let newest_first = self.events.iter().rev();
        let shown = newest_first.take_while(|event| {
            let affordable = event.charge() <= left;
            left = left.saturating_sub(event.charge());
            affordable
        });
        self.events.len() - shown.count()
    }

    /// Where a live subscriber at `next` goes on: there, unless that is too old or too far behind.
    /// The newest data is for all, however old.
    pub(crate) fn oldest_live(&self, next: u64, now: Instant) -> u64 {
        let is_behind = |event: &Arc<Event>| {
            now.duration_since(event.read) > self.limits.max_behind
                || self.end.offset - event.before.offset > MAX_BEHIND
        };
        let next = next.max(self.first);
        if !self.event(next).is_some_and(is_behind) {
            return next;
        }
        let recent = self.events.partition_point(is_behind);
        let is_data = |event: &Arc<Event>| matches!(event.kind, Kind::Data(_));
        let newest = self.events.iter().rposition(is_data);
        next.max(self.first + newest.map_or(recent, |newest| recent.min(newest)) as u64)
    }
}
