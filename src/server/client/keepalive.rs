//! Keepalive: pings clients that have been idle for the ping interval, and ends those that do not
//! answer, or that take nothing of what waits for them.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, Sleep, sleep_until};

use super::send_queue::SendQueue;
use crate::platform::Acknowledged;
use crate::server::progress::{LOOK_INTERVAL, ReportsProgress, Stall};
use crate::server::websocket::close::CloseReason;
use crate::server::websocket::frame;

/// The time without a message from the client after which it is pinged.
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(20);

/// The time that a client has to answer a ping. At the limit it is disconnected with 1008, except
/// while it is not being read.
const PONG_TIMEOUT: Duration = Duration::from_secs(20);

/// Bytes that a client may have to read before it comes to the ping, for each of which it gets another
/// second. Its system may hold megabytes that it has acknowledged.
const BYTES_PER_SECOND: u64 = 16 << 10;

/// Bytes that the system of a client may hold for it; more than it had to read do not count.
const MAX_UNREAD_BYTES: u64 = 8 << 20;

/// The time in which a client, from which nothing comes, must take something of what waits for it. At
/// the limit it is disconnected with 1008.
pub(crate) const TAKE_TIMEOUT: Duration = Duration::from_secs(40);

/// The keepalive of one client.
pub(crate) struct Keepalive {
    timer: Pin<Box<Sleep>>,
    /// The time at which something came from the client, and at which something went to it that shows
    /// others on the way that the connection is in use.
    heard: Instant,
    pinged: Instant,
    /// The first ping that the client has not answered, if there is one.
    unanswered: Option<Ping>,
    /// The bytes of the connection that the client had certainly read when it answered.
    read_bytes: u64,
    stall: Stall,
}

/// A ping on its way.
#[derive(Clone, Copy)]
struct Ping {
    /// The time from which the client can have it: that of the last look at which it was still behind
    /// something that the client had not acknowledged.
    since: Instant,
    /// The bytes of the connection before it.
    bytes: u64,
}

impl Keepalive {
    /// Starts the ping interval of a client that has just connected.
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        Self {
            timer: Box::pin(sleep_until(now + LOOK_INTERVAL)),
            heard: now,
            pinged: now,
            unanswered: None,
            read_bytes: 0,
            stall: Stall::new(Acknowledged::all(0), now),
        }
    }

    /// Records that something came from the client.
    pub(crate) fn on_activity(&mut self) {
        self.heard = Instant::now();
        self.pinged = self.heard;
        if let Some(ping) = self.unanswered.take() {
            self.read_bytes = ping.bytes;
        }
        self.look_in(LOOK_INTERVAL);
    }

    /// Waits until it is time to look at a client from which nothing comes.
    pub(crate) async fn idle(&mut self) {
        self.timer.as_mut().await;
    }

    /// Looks at a client from which nothing comes, and pings it once in a ping interval. One that is
    /// not being read (`is_read`), and so cannot answer, gets an unsolicited pong instead: sending
    /// that fails when the client has gone.
    ///
    /// # Errors
    /// When the client has not answered a ping, or takes nothing of what waits for it.
    pub(crate) fn on_idle<S: ReportsProgress>(
        &mut self,
        queue: &mut SendQueue<S>,
        is_read: bool,
    ) -> Result<(), CloseReason> {
        let now = Instant::now();
        let state = queue.get_ref().acknowledged();
        let is_waiting = state.held > 0 || !queue.is_empty();
        let stalled = self.stall.look(state, is_waiting, now);
        if stalled.min(now - self.heard) >= TAKE_TIMEOUT {
            return Err(CloseReason::TookNothing);
        }
        let can_answer = is_read && queue.is_empty();
        self.unanswered = match self.unanswered.filter(|_| can_answer) {
            Some(ping) if state.bytes < ping.bytes => Some(Ping { since: now, ..ping }),
            Some(ping) if self.is_late(ping, now) => return Err(CloseReason::NoPong),
            unanswered => unanswered,
        };
        if queue.is_empty() && now - self.pinged >= PING_INTERVAL {
            let frame = if is_read { &frame::PING } else { &frame::PONG };
            queue.push(Bytes::from_static(frame));
            self.pinged = now;
            if can_answer {
                let (since, bytes) = (now, state.bytes + state.held);
                self.unanswered.get_or_insert(Ping { since, bytes });
            }
        }
        self.look_in(LOOK_INTERVAL);
        Ok(())
    }

    /// Returns true if the answer to `ping` should have come.
    fn is_late(&self, ping: Ping, now: Instant) -> bool {
        let unread = ping.bytes.saturating_sub(self.read_bytes);
        let reading = Duration::from_secs(unread.min(MAX_UNREAD_BYTES) / BYTES_PER_SECOND);
        now - ping.since >= PONG_TIMEOUT + reading
    }

    /// Lets the next look wait for `delay`.
    pub(crate) fn look_in(&mut self, delay: Duration) {
        self.timer.as_mut().reset(Instant::now() + delay);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io;
    use std::task::{Context, Poll};

    use tokio::io::AsyncWrite;

    use super::*;

    /// A connection that takes everything from us, and whose peer acknowledges as told.
    struct Connection<'a>(&'a Cell<Acknowledged>);

    impl ReportsProgress for Connection<'_> {
        fn acknowledged(&self) -> Acknowledged {
            self.0.get()
        }
    }

    impl AsyncWrite for Connection<'_> {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// Asserts when a client is closed within an hour, and why. `behave` gets the seconds since the
    /// start, and returns what the client has acknowledged; and true if something comes from it.
    async fn check(
        behave: impl Fn(u64) -> (Acknowledged, bool),
        expected: Option<(u64, CloseReason)>,
    ) {
        let state = Cell::new(Acknowledged::all(0));
        let mut queue = SendQueue::new(Connection(&state));
        let mut keepalive = Keepalive::new();
        let start = Instant::now();
        let mut closed = None;
        while closed.is_none() && start.elapsed().as_secs() < 3600 {
            keepalive.idle().await;
            let seconds = start.elapsed().as_secs();
            let (acknowledged, is_heard) = behave(seconds);
            state.set(acknowledged);
            if is_heard {
                keepalive.on_activity();
            } else if let Err(reason) = keepalive.on_idle(&mut queue, true) {
                closed = Some((seconds, reason));
            }
            queue.send_now().await;
        }
        assert_eq!(closed, expected);
    }

    /// The state of a client that took `bytes`, and for which more waits.
    fn waiting(bytes: u64) -> Acknowledged {
        Acknowledged { bytes, held: 1000 }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_has_vanished_is_closed_within_a_minute() {
        let vanished = |_| (waiting(1000), false);
        check(vanished, Some((50, CloseReason::TookNothing))).await;
        let later = |seconds: u64| (waiting(seconds.min(100)), false);
        check(later, Some((140, CloseReason::TookNothing))).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_a_byte_now_and_then_stays() {
        check(|seconds| (waiting(seconds / 30), false), None).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_stays_while_it_sends() {
        check(|_| (waiting(1000), true), None).await;
        let falls_silent = |seconds| (waiting(1000), seconds <= 300);
        check(falls_silent, Some((350, CloseReason::TookNothing))).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_answers_no_ping_is_closed_after_40_s() {
        let reads = |seconds| (Acknowledged::all(seconds * 100), false);
        check(reads, Some((40, CloseReason::NoPong))).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_has_much_to_read_before_the_ping_may_answer_later() {
        let taken = |seconds: u64| Acknowledged::all(seconds * 100_000);
        // Two megabytes before the first ping are read in two minutes.
        check(|seconds| (taken(seconds), seconds % 140 == 0), None).await;
        let hangs = |seconds| (taken(seconds), false);
        check(hangs, Some((170, CloseReason::NoPong))).await;
    }
}
