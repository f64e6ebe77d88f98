//! Asks clients that have fallen silent for a sign of life.

use std::pin::Pin;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep, sleep_until};

use super::close::Farewell;
use super::send_queue::Outbox;
use crate::view;

/// How long a client may be silent before it is asked for a sign of life, and how long it then has.
/// At the limit it is disconnected, except while it is we who do not read.
const PING_EVERY: Duration = Duration::from_secs(20);

/// What is known of a client's life.
pub(crate) struct Pulse {
    alarm: Pin<Box<Sleep>>,
    is_asked: bool,
}

impl Pulse {
    /// Of a client that has just come.
    pub(crate) fn new() -> Self {
        Self {
            alarm: Box::pin(sleep_until(Instant::now() + PING_EVERY)),
            is_asked: false,
        }
    }

    /// Takes note of a sign of life.
    pub(crate) fn beat(&mut self) {
        self.is_asked = false;
        self.wind();
    }

    /// Waits until there has been none for too long.
    pub(crate) async fn silence(&mut self) {
        self.alarm.as_mut().await;
    }

    /// Asks for one after a silence. Where it is we who do not read (`is_read`), the client is not
    /// asked, but sent one: that fails when it has gone.
    ///
    /// # Errors
    /// When the client was asked before, and did not answer.
    pub(crate) fn ask<S>(&mut self, outbox: &mut Outbox<S>, is_read: bool) -> Result<(), Farewell>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let can_answer = is_read && outbox.is_empty();
        if self.is_asked && can_answer {
            return Err(Farewell::Silent);
        }
        self.is_asked = can_answer;
        if outbox.is_empty() {
            outbox.push(if is_read { view::ping() } else { view::pong() });
        }
        self.wind();
        Ok(())
    }

    fn wind(&mut self) {
        self.alarm.as_mut().reset(Instant::now() + PING_EVERY);
    }
}
