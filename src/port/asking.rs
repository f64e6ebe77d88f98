//! A question whose last byte was written, until its client has an answer.

use bytes::Bytes;
use tokio::time::Instant;

use super::connection::Connection;
use super::framing::Framing;
use super::reply::{NoReply, PendingReply, ReplyEnd, StreamState};
use crate::hub::{
    Action, DeviceQuestion, DeviceReply, Done, ErrorCode, Hub, MAX_REPLY_BYTES, Outcome, Request,
    RequestError, Until,
};

/// A question whose reply is awaited.
pub(super) struct Asking {
    request: Request,
    question: DeviceQuestion,
    reply: PendingReply,
}

impl Asking {
    /// Waits for the reply to the question of this request; returns `None` for any other request.
    pub(super) fn new(
        request: Request,
        framing: &Framing,
        state: StreamState,
        now: Instant,
    ) -> Option<Self> {
        let Action::Ask(question) = request.action.clone() else {
            return None;
        };
        let reply = PendingReply::new(&question, framing, state, now);
        Some(Self {
            request,
            question,
            reply,
        })
    }

    /// Returns the client that asks.
    pub(super) fn client(&self) -> u64 {
        self.request.client
    }

    /// Takes what the device sent. Returns the outcome, if this ends the reply.
    pub(super) fn push(&mut self, chunk: &Bytes, now: Instant) -> Option<Outcome> {
        let end = self.reply.push(chunk, now)?;
        Some(self.outcome(end))
    }

    /// Returns when to call [`Asking::on_deadline`].
    pub(super) fn deadline(&self) -> Instant {
        self.reply.deadline()
    }

    /// Returns the outcome, if silence or the timeout ends the reply now.
    pub(super) fn on_deadline(&mut self, now: Instant) -> Option<Outcome> {
        let end = self.reply.on_deadline(now)?;
        Some(self.outcome(end))
    }

    /// Returns the request, to be ended.
    pub(super) fn into_request(self) -> Request {
        self.request
    }

    fn outcome(&self, end: ReplyEnd) -> Outcome {
        let bytes = match end {
            Ok(bytes) => bytes,
            Err(why) => {
                return Err(RequestError {
                    reason: self.reason(why),
                    written: self.question.bytes.len(),
                    code: matches!(why, NoReply::Late(_)).then_some(ErrorCode::Timeout),
                });
            }
        };
        let is_text = self.question.is_text && str::from_utf8(&bytes).is_ok();
        Ok(Done::Replied(DeviceReply { bytes, is_text }))
    }

    fn reason(&self, why: NoReply) -> String {
        let timeout = self.question.timeout.as_millis();
        match (why, &self.question.until) {
            (NoReply::TooLong, _) => {
                format!(
                    "the reply is longer than {MAX_REPLY_BYTES} bytes, the most that there may be"
                )
            }
            (NoReply::Late(0), _) => format!("no reply within {timeout} ms"),
            (NoReply::Late(count), Until::Lines(1)) => format!(
                "no whole line within {timeout} ms, only {count} bytes; a reply without a line end is \
                 taken by until {{\"gap\":50}}"
            ),
            (NoReply::Late(count), _) => {
                format!("no whole reply within {timeout} ms, only {count} bytes")
            }
        }
    }
}

impl Connection<'_> {
    /// Waits for the reply to a question whose last byte was just written.
    pub(super) fn await_reply(&mut self) {
        let state = StreamState {
            has_begun: self.framer.has_begun(),
            last_read: self.last_read,
        };
        self.writer
            .await_reply(&self.config.frame, state, Instant::now());
    }
}

/// Waits for a request that need not wait for the reply to this client; for ever if there is none.
pub(super) async fn beside_question(hub: &Hub, asker: Option<u64>) -> Request {
    match asker {
        Some(asker) => hub.queue.take_beside_question(asker).await,
        None => std::future::pending().await,
    }
}
