//! One write under way: what the system took of it, and what subscribers and its client hear.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use tokio::time::Instant;

use crate::hub::{Done, ErrorCode, Hub, Request, RequestError, Written};

/// Bytes of a long write after which subscribers hear of them. It goes out in small pieces, and an
/// event for each would push everything else out of the history.
const MIN_PUBLISHED_BYTES: usize = 1024;

/// A write under way.
pub(crate) struct Writing {
    request: Request,
    bytes: Bytes,
    written: usize,
    /// Bytes of which subscribers have heard.
    published: usize,
    /// The time by which the device has to take a question; None for any other write.
    deadline: Option<Instant>,
}

impl Writing {
    /// Begins the write that is asked for.
    pub(crate) fn new(request: Request, bytes: Bytes) -> Self {
        Self {
            request,
            bytes,
            written: 0,
            published: 0,
            deadline: None,
        }
    }

    /// The same write, which the device has to take by `deadline`.
    pub(crate) fn before(self, deadline: Instant) -> Self {
        let deadline = Some(deadline);
        Self { deadline, ..self }
    }

    /// Returns the time by which the device has to take a question; `None` for any other write.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Returns the bytes that remain.
    pub(crate) fn unwritten(&self) -> &[u8] {
        &self.bytes[self.written..]
    }

    /// Counts bytes that the system took.
    pub(crate) fn advance(&mut self, count: usize, hub: &Hub) {
        let total = &hub.counters.written_bytes;
        total.fetch_add(count as u64, Ordering::Relaxed);
        self.written += count;
        if self.is_done() || self.written - self.published >= MIN_PUBLISHED_BYTES {
            self.publish(hub);
        }
    }

    /// Returns true once the system took all.
    pub(crate) fn is_done(&self) -> bool {
        self.written == self.bytes.len()
    }

    /// Tells subscribers of all that the system took so far.
    pub(crate) fn publish(&mut self, hub: &Hub) {
        let news = std::mem::replace(&mut self.published, self.written)..self.written;
        if !news.is_empty() {
            hub.publish_written(|| Written {
                bytes: self.bytes.slice(news),
                client: self.request.client,
                name: self.request.name.clone(),
            });
        }
    }

    /// Tells the client that all was written. A question is returned instead, for its reply.
    pub(crate) fn end(self) -> Option<Request> {
        if self.request.action.is_question() {
            return Some(self.request);
        }
        self.request.end(Ok(Done::Written(self.written)));
        None
    }

    /// Tells the client why not all was written.
    pub(crate) fn give_up(mut self, reason: &str, code: Option<ErrorCode>, hub: &Hub) {
        self.publish(hub);
        let (written, all) = (self.written, self.bytes.len());
        let reason = format!("{reason} after {written} of {all} bytes");
        self.request.end(Err(RequestError {
            reason,
            written,
            code,
        }));
    }
}

/// Ends a request that was not begun, with the `reason` as its error.
pub(crate) fn refuse(request: Request, reason: &str, code: Option<ErrorCode>) {
    let what = match request.action.bytes() {
        [] => "done",
        _ => "written",
    };
    let error = RequestError::new(format!("{reason} before this could be {what}"));
    request.end(Err(error.with_code(code)));
}
