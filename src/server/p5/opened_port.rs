//! A port that a sketch has open: what comes from it, and what the sketch writes to it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::{SketchClient, message};
use crate::hub::{Kind, Received, State, Subscription};
use crate::server::Port;
use crate::server::client::delivery::{QueueRoom, count_missed};
use crate::server::client::requests::{Reply, Requests};
use crate::server::client::send_queue::SendQueue;
use crate::server::client_list::ListedClient;

/// A port that a sketch has open. It leaves the port when this is dropped.
pub(super) struct OpenedPort {
    sketch: SketchClient,
    listed: ListedClient,
    pub(super) port: Arc<Port>,
    subscription: Subscription,
    pub(super) requests: Requests,
    /// The time at which the oldest data was read that the socket has not taken.
    oldest: Option<Instant>,
}

/// The news of a port, apart from a request that was held and has been sent.
pub(super) enum PortNews {
    /// There is something to take.
    Ready,
    /// A request has ended.
    Reply(Option<Reply>),
    /// It was removed.
    Removed,
}

impl OpenedPort {
    /// Makes `sketch` a client of a port, whose events `subscription` gets.
    pub(super) fn new(sketch: SketchClient, port: Arc<Port>, subscription: Subscription) -> Self {
        let requests = Requests::new(&port.hub, sketch.rights);
        Self {
            listed: sketch.list(&port, requests.client()),
            requests,
            sketch,
            port,
            subscription,
            oldest: None,
        }
    }

    /// Says in the log what happens between the sketch and the port.
    pub(super) fn log(&self, what: &str) {
        self.sketch.log(&self.listed, what);
    }

    /// Waits for news. Only those who can `take` more are told that there is something.
    pub(super) async fn news(&mut self, can_take: bool) -> PortNews {
        tokio::select! {
            biased;
            () = self.port.stop.cancelled() => PortNews::Removed,
            reply = self.requests.next() => PortNews::Reply(reply),
            () = self.subscription.ready(), if can_take => PortNews::Ready,
        }
    }

    /// Takes what is ready from the hub and queues it for the socket, as much as may wait there.
    /// Returns true if the device has gone.
    pub(super) fn fill<S>(&mut self, queue: &mut SendQueue<S>) -> bool {
        let (now, mut room) = (Instant::now(), QueueRoom::default());
        while !room.is_used()
            && let Some(received) = self.subscription.next(now)
        {
            match received {
                Received::Missed(missed) => {
                    count_missed(missed, &self.port.hub);
                    // A change of status may have been passed over, too.
                    if self.subscription.status().state == State::Lost {
                        return true;
                    }
                }
                Received::Event(taken) => match &taken.event.kind {
                    Kind::Data(data) => {
                        let new = data.chunk.get(taken.had.offset as usize..);
                        let frames = message::data(new.unwrap_or_default());
                        self.oldest = self.oldest.or(Some(taken.event.read));
                        room.use_for(&frames);
                        queue.push(frames);
                    }
                    Kind::Status(status) if status.state == State::Lost => return true,
                    Kind::Status(_) | Kind::Written(_) | Kind::Note(_) => {}
                },
                Received::Restarted => {}
            }
        }
        false
    }

    /// Records that the socket has taken everything.
    pub(super) fn delivered(&mut self) {
        self.subscription.delivered();
        if let Some(oldest) = self.oldest.take() {
            self.port.hub.delays.record(oldest.elapsed());
        }
    }

    /// Counts and logs that something the sketch wrote was not written.
    pub(super) fn dropped(&self, reason: &str) {
        let Port { name, hub, .. } = &*self.port;
        self.sketch.app.log.dropped(name, reason);
        hub.counters.refused.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for OpenedPort {
    fn drop(&mut self) {
        self.log("left");
    }
}
