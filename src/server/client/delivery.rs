//! Delivery: takes a port's events for one client, and puts what its encoder makes of them into its send
//! queue.
//! A slow client that the hub made skip ahead is told what it missed.

use std::sync::atomic::Ordering;
use std::time::Instant;

use bytes::Bytes;

use super::latest::Latest;
use super::params::StreamParams;
use super::send_queue::{MAX_SLICES, SendQueue};
use crate::hub::{Event, Hub, Kind, Position, Received, Status, Subscription, Taken};
use crate::view::{Part, View};

/// Encoded bytes of the port's data that are queued for one client at once. More waits in the hub,
/// which every client shares.
const MAX_QUEUED_BYTES: usize = 64 << 10;

/// The form in which a client gets what happens to its port. Where it gets nothing, what a method returns
/// is empty.
pub(crate) trait Encoder {
    /// Returns the part of an event.
    fn event(&self, event: &Event, part: Part) -> Bytes;

    /// Returns that so much is missing before `place`.
    fn missed(&self, missed: Position, place: Position) -> Bytes;

    /// Returns the port's status now, for a client that may have missed a change.
    fn status(&self, status: &Status) -> Bytes;

    /// Returns true if the client is told the numbers of lines or bytes.
    fn has_numbers(&self) -> bool;
}

/// The way of events to one client.
pub(crate) struct Delivery<E> {
    pub(crate) subscription: Subscription,
    pub(crate) encoder: E,
    view: View,
    pub(crate) latest: Latest,
    /// The start of the session, and the time at which the oldest data was read that the socket has
    /// not taken. History does not count, nor what waits because the client wants it seldom.
    began: Instant,
    oldest: Option<Instant>,
    /// True if the client must still be told that it missed something, however much.
    owes_missed: bool,
    /// True if the numbers that the client was told mean nothing any more: they have begun anew.
    pub(crate) has_ended: bool,
}

impl<E: Encoder> Delivery<E> {
    /// Delivers what comes by `subscription`.
    pub(crate) fn new(subscription: Subscription, encoder: E, params: &StreamParams) -> Self {
        Self {
            subscription,
            encoder,
            view: params.view,
            latest: Latest::new(params.latest),
            began: Instant::now(),
            oldest: None,
            owes_missed: params.from_other_run,
            has_ended: false,
        }
    }

    /// Takes what is ready from the hub and queues it for the socket, as much as may wait there.
    pub(crate) fn fill<S>(&mut self, queue: &mut SendQueue<S>, hub: &Hub) {
        if self.latest.is_wanted() {
            return self.fill_latest(queue, hub);
        }
        let (now, mut room) = (Instant::now(), QueueRoom::default());
        while !room.is_used()
            && !self.has_ended
            && let Some(next) = self.next(now, queue, hub)
        {
            let Received::Event(Taken { event, had }) = next else {
                continue;
            };
            let frames = self.encoder.event(&event, Part::After(had));
            if self.oldest.is_none() && !frames.is_empty() && event.read >= self.began {
                self.oldest = Some(event.read);
            }
            room.use_for(&frames);
            queue.push(frames);
        }
    }

    /// Records that the socket has taken everything.
    #[inline]
    pub(crate) fn delivered(&mut self, hub: &Hub) {
        self.subscription.delivered();
        if let Some(oldest) = self.oldest.take() {
            hub.delays.record(oldest.elapsed());
        }
    }

    /// Passes over all but the newest line or chunk, and queues it when its time has come.
    fn fill_latest<S>(&mut self, queue: &mut SendQueue<S>, hub: &Hub) {
        let (now, mut room) = (Instant::now(), QueueRoom::default());
        let mut newest = None;
        while !room.is_used()
            && !self.has_ended
            && let Some(next) = self.next(now, queue, hub)
        {
            let Received::Event(Taken { event, .. }) = next else {
                continue;
            };
            if let Some(part) = self.view.newest(&event) {
                newest = Some((event, part));
            } else if matches!(event.kind, Kind::Status(_) | Kind::Written(_)) {
                let frames = self.encoder.event(&event, Part::WHOLE);
                room.use_for(&frames);
                queue.push(frames);
            }
        }
        if let Some((event, part)) = newest {
            self.latest.frames = Some(self.encoder.event(&event, part));
        }
        if let Some(frames) = self.latest.take_due() {
            queue.push(frames);
        }
    }

    /// Takes what comes next. If something before it was passed over, says so.
    #[inline(always)]
    fn next<S>(&mut self, now: Instant, queue: &mut SendQueue<S>, hub: &Hub) -> Option<Received> {
        let next = self.subscription.next(now);
        if matches!(next, Some(Received::Restarted)) {
            self.has_ended = self.encoder.has_numbers();
        } else if self.owes_missed || matches!(next, Some(Received::Missed(_))) {
            self.tell_missed(&next, queue, hub);
        }
        next
    }

    /// Counts what was passed over before `next`, and tells a client that can be told, together
    /// with the status now: a change of it may have been passed over too.
    #[cold]
    fn tell_missed<S>(&mut self, next: &Option<Received>, queue: &mut SendQueue<S>, hub: &Hub) {
        let missed = match next {
            Some(Received::Missed(missed)) => *missed,
            _ => Position::default(),
        };
        count_missed(missed, hub);
        let is_told = std::mem::take(&mut self.owes_missed) || missed != Position::default();
        if is_told {
            queue.push_answer(self.encoder.missed(missed, self.place_before(next)));
        }
        queue.push_answer(self.encoder.status(&self.subscription.status()));
    }

    /// Returns the place in the stream at which the client is when it gets `next`.
    fn place_before(&self, next: &Option<Received>) -> Position {
        match next {
            Some(Received::Event(Taken { event, had })) => Position {
                line: event.before.line + had.line,
                offset: event.before.offset + had.offset,
            },
            _ => self.subscription.position(),
        }
    }
}

/// Counts what a client of the port missed.
pub(crate) fn count_missed(missed: Position, hub: &Hub) {
    let (lines, bytes) = (&hub.counters.missed_lines, &hub.counters.missed_bytes);
    lines.fetch_add(missed.line, Ordering::Relaxed);
    bytes.fetch_add(missed.offset, Ordering::Relaxed);
}

/// The room in a send queue for data of the port. It is used up before the data that does not fit,
/// so that the socket is given one event more at most.
#[derive(Default)]
pub(crate) struct QueueRoom {
    bytes: usize,
    events: usize,
}

impl QueueRoom {
    pub(crate) fn use_for(&mut self, frames: &Bytes) {
        self.bytes += frames.len();
        self.events += usize::from(!frames.is_empty());
    }

    pub(crate) fn is_used(&self) -> bool {
        self.bytes >= MAX_QUEUED_BYTES || self.events >= MAX_SLICES
    }
}
