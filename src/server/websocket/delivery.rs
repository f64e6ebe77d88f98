//! Delivery: takes a port's events for one client, and puts what its view shows into its send queue.
//! A slow client that the hub made skip ahead is told what it missed.

use std::sync::atomic::Ordering;
use std::time::Instant;

use super::frame;
use super::latest::Latest;
use super::params::StreamParams;
use super::protocol::ClientProtocol;
use super::send_queue::SendQueue;
use crate::hub::{Hub, Position, Subscription, Taken};
use crate::view::{Part, View};

/// The way of events to one client.
pub(crate) struct Delivery {
    pub(crate) subscription: Subscription,
    protocol: &'static dyn ClientProtocol,
    view: View,
    /// The events just taken from the hub; kept for its memory only.
    taken: Vec<Taken>,
    pub(crate) latest: Latest,
    /// The start of the session, and the time at which the oldest data was read that the socket has
    /// not taken. History does not count, nor what waits because the client wants it seldom.
    began: Instant,
    oldest: Option<Instant>,
    /// True if the client must still be told that it missed something, however much.
    owes_missed: bool,
}

impl Delivery {
    /// Delivers what comes by `subscription`.
    pub(crate) fn new(
        subscription: Subscription,
        protocol: &'static dyn ClientProtocol,
        params: &StreamParams,
    ) -> Self {
        Self {
            subscription,
            protocol,
            view: params.view,
            taken: Vec::new(),
            latest: Latest::new(params.latest),
            began: Instant::now(),
            oldest: None,
            owes_missed: params.from_other_run,
        }
    }

    /// Takes what is ready from the hub and queues it for the socket.
    pub(crate) fn fill<S>(&mut self, queue: &mut SendQueue<S>, hub: &Hub) {
        if self.latest.is_wanted() {
            return self.fill_latest(queue, hub);
        }
        let mut taken = std::mem::take(&mut self.taken);
        self.take(&mut taken, queue, hub);
        for Taken { event, had } in taken.drain(..) {
            let frames = self.protocol.event(self.view, &event, Part::After(had));
            if self.oldest.is_none() && !frames.is_empty() && event.read >= self.began {
                self.oldest = Some(event.read);
            }
            queue.push(frames);
        }
        self.taken = taken;
    }

    /// Records that the socket has taken everything.
    pub(crate) fn delivered(&mut self, hub: &Hub) {
        self.subscription.delivered();
        if let Some(oldest) = self.oldest.take() {
            hub.delays.record(oldest.elapsed());
        }
    }

    /// Passes over all but the newest frame, and queues it when its time has come.
    fn fill_latest<S>(&mut self, queue: &mut SendQueue<S>, hub: &Hub) {
        let mut taken = std::mem::take(&mut self.taken);
        while !self.subscription.is_up_to_date() {
            self.take(&mut taken, queue, hub);
            for Taken { event, .. } in taken.drain(..) {
                if event.is_status() {
                    queue.push(self.protocol.event(self.view, &event, Part::Newest));
                } else if self.view.has_newest(&event) {
                    self.latest.event = Some(event);
                }
            }
        }
        self.taken = taken;
        if let Some(event) = self.latest.take_due() {
            queue.push(self.protocol.event(self.view, &event, Part::Newest));
        }
    }

    /// Takes what is ready. If something before it was passed over, counts that, and tells a client
    /// that can be told, together with the status now: a change of it may have been passed over too.
    fn take<S>(&mut self, taken: &mut Vec<Taken>, queue: &mut SendQueue<S>, hub: &Hub) {
        let skipped = self.subscription.take(taken);
        let owes_missed = std::mem::take(&mut self.owes_missed);
        if skipped.is_none() && !owes_missed {
            return;
        }
        let missed = skipped.unwrap_or_default();
        let (lines, bytes) = (&hub.counters.missed_lines, &hub.counters.missed_bytes);
        lines.fetch_add(missed.line, Ordering::Relaxed);
        bytes.fetch_add(missed.offset, Ordering::Relaxed);
        let is_told = owes_missed || missed != Position::default();
        let notice = is_told.then(|| self.protocol.missed(missed)).flatten();
        let status = self.protocol.status(&self.subscription.status());
        for text in notice.into_iter().chain(status) {
            queue.push_answer(frame::text(&text));
        }
    }
}
