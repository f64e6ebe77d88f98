//! The most recent events of a port, in a ring that is bounded in bytes whatever subscribers do.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::encodings::EncodingBudget;
use super::event::{Data, Event, Kind, Position, Timestamp};
use super::stream_item::LeftOut;
use super::{HubConfig, Start, Status, StreamItem};

/// Bytes of memory that events always may take, whatever `--history` is, so that the newest is there
/// for those who are late.
const MIN_CAPACITY: usize = 1 << 20;

/// Bytes of memory that events take at most, or `--history` if that is more. It is enough for
/// [`MAX_BYTES_BEHIND`] of line ends, read 64 at a time. At the limit the oldest event goes; a
/// subscriber that had not taken it has missed it.
pub(super) const MAX_CAPACITY: usize = 20 << 20;

/// Frames of one event. Data with more becomes several events, so that what a subscriber takes at
/// once is bounded.
pub(super) const MAX_FRAMES: usize = 256;

/// Bytes of the stream that a client may have to catch up on. At the limit it skips ahead.
pub(super) const MAX_BYTES_BEHIND: u64 = 1 << 20;

/// Events in order, each with an index that only ever grows.
pub(super) struct History {
    pub events: VecDeque<Arc<Event>>,
    /// The index of the oldest event kept.
    pub first: u64,
    /// The place in the stream after the newest event.
    pub end: Position,
    /// The part of the stream up to there that some views leave out.
    left_out: LeftOut,
    /// The bytes in all [`Kind::Written`] events.
    pub written: u64,
    /// The moment at which the wall clock last went forward, on both clocks.
    forward: (Timestamp, Instant),
    /// The run in which the stream is counted.
    pub run: HubRun,
    /// The newest status.
    pub status: Status,
    /// The memory that the events take, without their encodings.
    pub memory: usize,
    /// The index of the oldest event that late joiners are shown: it and those after it take
    /// `shown_memory`, at most `--history`.
    shown: u64,
    shown_memory: usize,
    /// The encodings that the events keep, and the index of the oldest event that keeps any.
    pub encoded: EncodingBudget,
    oldest_encoded: u64,
    pub limits: HubConfig,
}

/// The place of a subscriber.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The index of the event to take next.
    pub next: u64,
    /// The place in the stream up to which it has everything. Where the next event begins later,
    /// the rest was missed; where it begins earlier, only its end is wanted.
    pub position: Position,
}

/// The run in which a stream is counted: that of the program, or of another serial-ws.
#[derive(Default)]
pub(super) struct HubRun {
    /// True if another serial-ws counts, and tells the times.
    pub is_elsewhere: bool,
    /// Its name, where another serial-ws counts and was reached.
    pub name: Option<Arc<str>>,
    /// The number of runs before.
    pub number: u64,
    /// The place at which those begin who were here before.
    pub live: Cursor,
}

impl History {
    pub(super) fn new(limits: HubConfig, status: Status) -> Self {
        Self {
            events: VecDeque::new(),
            first: 0,
            end: Position::default(),
            left_out: LeftOut::default(),
            written: 0,
            forward: (Timestamp::default(), Instant::now()),
            run: HubRun::default(),
            status,
            memory: 0,
            shown: 0,
            shown_memory: 0,
            encoded: EncodingBudget::default(),
            oldest_encoded: 0,
            limits,
        }
    }

    /// Appends an event, or several where there is much in it, and drops what is no longer needed.
    pub(super) fn push(&mut self, at: Timestamp, kind: Kind) {
        let read = Instant::now();
        let at = if self.run.is_elsewhere {
            // Whose clock it is has seen to it.
            at
        } else {
            self.monotonic(at, read)
        };
        match kind {
            Kind::Data(data) => self.append_data((at, read), data),
            Kind::Status(status) => {
                self.status = status.clone();
                self.append((at, read), Kind::Status(status));
            }
            Kind::Written(_) | Kind::Note(_) => self.append((at, read), kind),
        }
        self.drop_oldest(read);
        self.give_up_encodings();
    }

    /// Begins with another run, at `start`. Everything of the run before is forgotten.
    pub(super) fn begin_run(&mut self, name: Arc<str>, start: Position) {
        self.first = self.head();
        self.events.clear();
        (self.memory, self.shown, self.shown_memory) = (0, self.first, 0);
        (self.end, self.left_out) = (start, LeftOut::default());
        self.run.name = Some(name);
        self.run.number += 1;
    }

    /// Has those who join the run live begin with what comes next.
    pub(super) fn begin_live(&mut self) {
        self.run.live = Cursor {
            next: self.head(),
            position: self.end,
        };
    }

    /// Notes that what comes before `place` never came.
    pub(super) fn skip_to(&mut self, place: Position) {
        self.left_out = self.left_out.after_missed(place.since(self.end));
        self.end = place;
    }

    /// Returns the bytes in all [`Kind::Written`] events before this one.
    pub(super) fn written_before(&self, next: u64) -> u64 {
        let event = self.event(next);
        event.map_or(self.written, |event| event.written_before)
    }

    fn append_data(&mut self, moment: (Timestamp, Instant), mut data: Data) {
        while let Some(rest) = data.split_off(MAX_FRAMES) {
            self.append(moment, Kind::Data(data));
            data = rest;
        }
        self.append(moment, Kind::Data(data));
    }

    fn append(&mut self, moment: (Timestamp, Instant), kind: Kind) {
        let place = (self.end, self.left_out, self.written);
        let event = Event::new(place, moment, kind, self.encoded.clone());
        self.end = event.after();
        self.left_out = event.left_out_after();
        self.written = event.written_after();
        self.memory += event.memory_cost();
        self.shown_memory += event.memory_cost();
        self.events.push_back(Arc::new(event));
        while self.shown_memory > self.limits.history {
            self.hide_oldest();
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

    /// Drops the oldest events that are not shown to late joiners, unless they are few or somebody
    /// who is a little behind may still want them.
    fn drop_oldest(&mut self, now: Instant) {
        while self.first < self.shown && self.memory > MIN_CAPACITY {
            let is_wanted =
                |oldest: &Arc<Event>| !self.is_behind(oldest, now) && self.memory <= MAX_CAPACITY;
            if self.events.front().is_none_or(is_wanted) {
                break;
            }
            if let Some(event) = self.events.pop_front() {
                self.memory -= event.memory_cost();
                self.first += 1;
            }
        }
    }

    /// Has the oldest events give up their encodings where there is little room for others.
    fn give_up_encodings(&mut self) {
        while self.encoded.is_short() && self.oldest_encoded < self.head() {
            let index = self.oldest_encoded.saturating_sub(self.first) as usize;
            if let Some(event) = self.events.get_mut(index) {
                Event::give_up_encodings(event);
            }
            self.oldest_encoded = self.first + index as u64 + 1;
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

    /// The number of the line before the oldest event that late joiners are shown.
    pub(super) fn first_line(&self) -> u64 {
        self.event(self.shown)
            .map_or(self.end, |event| event.before)
            .line
    }

    /// At most so many of the events before this index that late joiners are shown, newest first.
    pub(super) fn shown_before(&self, next: u64, count: u64) -> Vec<Arc<Event>> {
        let first = next.saturating_sub(count).max(self.shown);
        let indices = (first..next).rev();
        indices
            .filter_map(|index| self.event(index).cloned())
            .collect()
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
            Start::AfterPlace(place) => {
                let has = |event: &Arc<Event>| place.reaches(event.after());
                let at = self.events.partition_point(has);
                let at = at.max((self.shown - self.first) as usize);
                let before = self.events.get(at).map_or(self.end, |event| event.before);
                let is_within = self.end.reaches(place);
                (at, if is_within { place } else { before })
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
        let is_behind = |event: &Arc<Event>| self.is_behind(event, now);
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

    /// Returns true if somebody who has not taken this event is too far behind, or too late.
    fn is_behind(&self, event: &Event, now: Instant) -> bool {
        now.duration_since(event.read) > self.limits.max_behind
            || self.end.offset - event.before.offset > MAX_BYTES_BEHIND
    }
}
