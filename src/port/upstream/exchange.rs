//! Sends and receives on the WebSocket to another serial-ws, and notices when that one has died: it is
//! asked for a sign of life after some silence.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::connect::UpstreamWebSocket;
use crate::platform::reason;

/// The silence after which the other end is asked for a sign of life.
const PING_DELAY: Duration = Duration::from_secs(10);

/// The time that it has to give one.
const PONG_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest time to wait until the other end knows that this one leaves.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(200);

/// The WebSocket with what waits to be sent.
pub(super) struct Exchange<'a> {
    ws: UpstreamWebSocket<'a>,
    output: VecDeque<Message>,
    /// True while something that the library has may not have been sent.
    is_unflushed: bool,
    heard: Instant,
    is_pinged: bool,
}

impl<'a> Exchange<'a> {
    /// Starts with a connection on which the greeting has come.
    pub(super) fn new(ws: UpstreamWebSocket<'a>) -> Self {
        Self {
            ws,
            output: VecDeque::new(),
            is_unflushed: false,
            heard: Instant::now(),
            is_pinged: false,
        }
    }

    /// Sends a text message, in its turn.
    pub(super) fn send(&mut self, text: String) {
        self.output.push_back(Message::text(text));
    }

    /// Sends what waits, and returns the next message. Cancelling the wait loses nothing.
    ///
    /// # Errors
    /// The reason why the connection is lost.
    pub(super) async fn next(&mut self, may_read: bool) -> Result<Message, String> {
        let message = poll_fn(|cx| self.poll_next(may_read, cx)).await?;
        self.heard = Instant::now();
        self.is_pinged = false;
        // The answer to a ping is with the library.
        self.is_unflushed |= matches!(message, Message::Ping(_));
        Ok(message)
    }

    fn poll_next(&mut self, may_read: bool, cx: &mut Context<'_>) -> Poll<Result<Message, String>> {
        self.poll_output(cx).map_err(|error| explained(&error))?;
        if !may_read {
            return Poll::Pending;
        }
        self.ws.poll_next_unpin(cx).map(|next| match next {
            Some(Ok(message)) => Ok(message),
            Some(Err(error)) => Err(explained(&error)),
            None => Err("it closed the connection".to_owned()),
        })
    }

    fn poll_output(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        while !self.output.is_empty() && self.ws.poll_ready_unpin(cx)?.is_ready() {
            if let Some(message) = self.output.pop_front() {
                self.ws.start_send_unpin(message)?;
                self.is_unflushed = true;
            }
        }
        if self.is_unflushed && self.ws.poll_flush_unpin(cx)?.is_ready() {
            self.is_unflushed = false;
        }
        Ok(())
    }

    /// Returns when to call [`Exchange::on_silence`].
    pub(super) fn deadline(&self) -> Instant {
        let pong = if self.is_pinged {
            PONG_TIMEOUT
        } else {
            Duration::ZERO
        };
        self.heard + PING_DELAY + pong
    }

    /// Asks for a sign of life.
    ///
    /// # Errors
    /// If it was asked before, and none has come.
    pub(super) fn on_silence(&mut self) -> Result<(), String> {
        if std::mem::replace(&mut self.is_pinged, true) {
            return Err("it does not answer any more".to_owned());
        }
        self.output.push_back(Message::Ping(Vec::new().into()));
        Ok(())
    }

    /// Tells the other end that this one leaves.
    pub(super) async fn close(&mut self) {
        // Without an answer, it notices by itself.
        let _ = timeout(CLOSE_TIMEOUT, self.ws.close(None)).await;
    }
}

/// Says in words for people why a connection ended.
fn explained(error: &Error) -> String {
    match error {
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
            "it broke off the connection".to_owned()
        }
        Error::Io(error) => reason(error),
        error => {
            tracing::debug!(%error, "cannot understand a message");
            "it sent something that this version does not understand".to_owned()
        }
    }
}
