//! Keepalive: pings clients that have been idle for the ping interval, and ends those that do not
//! answer.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, Sleep, sleep_until};

use super::close::CloseReason;
use super::frame;
use super::send_queue::SendQueue;

/// The time without a message from the client after which it is pinged, and in which it then has
/// to answer. At the limit it is disconnected with 1008, except while it is not being read.
const PING_INTERVAL: Duration = Duration::from_secs(20);

/// The keepalive of one client.
pub(crate) struct Keepalive {
    timer: Pin<Box<Sleep>>,
    awaits_pong: bool,
}

impl Keepalive {
    /// Starts the ping interval of a client that has just connected.
    pub(crate) fn new() -> Self {
        Self {
            timer: Box::pin(sleep_until(Instant::now() + PING_INTERVAL)),
            awaits_pong: false,
        }
    }

    /// Records that something came from the client.
    pub(crate) fn on_activity(&mut self) {
        self.awaits_pong = false;
        self.reset();
    }

    /// Waits until nothing has come for the ping interval.
    pub(crate) async fn idle(&mut self) {
        self.timer.as_mut().await;
    }

    /// Pings a client that is idle. One that is not being read (`is_read`), and so cannot answer,
    /// gets an unsolicited pong instead: sending that fails when the client has gone.
    ///
    /// # Errors
    /// When the client has not answered the last ping.
    pub(crate) fn on_idle<S>(
        &mut self,
        queue: &mut SendQueue<S>,
        is_read: bool,
    ) -> Result<(), CloseReason> {
        let can_answer = is_read && queue.is_empty();
        if self.awaits_pong && can_answer {
            return Err(CloseReason::NoPong);
        }
        self.awaits_pong = can_answer;
        if queue.is_empty() {
            let frame = if is_read { &frame::PING } else { &frame::PONG };
            queue.push(Bytes::from_static(frame));
        }
        self.reset();
        Ok(())
    }

    /// Starts the ping interval anew.
    pub(crate) fn reset(&mut self) {
        self.timer.as_mut().reset(Instant::now() + PING_INTERVAL);
    }
}
