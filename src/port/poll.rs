//! Asks a device the same again and again (`--poll`), once for all who watch: one question at a time,
//! while somebody watches. The schedule is pure: the time is an argument.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures::channel::mpsc;
use tokio::time::Instant;

use super::connection::Connection;
use super::diagnostics::Hint;
use super::reply::PAUSE;
use crate::deadline::until;
use crate::hub::{
    Action, DEFAULT_REPLY_TIMEOUT, DeviceQuestion, ErrorCode, Hub, Outcome, Request, Until,
};

/// Polls in a row without a reply after which the user is told.
const SILENT_POLLS: u32 = 3;

/// A question that is repeated, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Poll {
    /// The bytes to write.
    pub(crate) bytes: Bytes,
    /// The same as the user sees them, with escapes.
    pub(crate) text: String,
    /// The time from one poll to the next.
    pub(crate) every: Duration,
}

/// The times at which one device is polled.
struct Schedule {
    every: Duration,
    /// The time at which the next poll is due.
    next: Instant,
}

impl Schedule {
    /// Begins now.
    fn new(every: Duration, now: Instant) -> Self {
        Self { every, next: now }
    }

    /// Notes a poll. The next one keeps to the interval, unless this one was later than that.
    fn polled(&mut self, now: Instant) {
        let next = self.next + self.every;
        self.next = if next > now { next } else { now + self.every };
    }
}

/// Polls one open device.
pub(super) struct Poller {
    poll: Poll,
    schedule: Schedule,
    /// Takes the outcome of the last poll; None once it is known.
    outcome: Option<mpsc::Receiver<(u64, Outcome)>>,
    /// Polls in a row that got no reply.
    silent: u32,
}

impl Poller {
    /// Polls a device that was just opened.
    pub(super) fn new(poll: Poll, now: Instant) -> Self {
        Self {
            schedule: Schedule::new(poll.every, now),
            poll,
            outcome: None,
            silent: 0,
        }
    }

    /// Returns when the next poll is due; `None` until the last one has its reply, or its error.
    fn due(&self) -> Option<Instant> {
        self.outcome.is_none().then_some(self.schedule.next)
    }

    /// Returns the request for a poll that is due.
    fn request(&mut self, now: Instant) -> Request {
        self.schedule.polled(now);
        let question = DeviceQuestion {
            bytes: self.poll.bytes.clone(),
            until: Until::FrameOrGap(PAUSE),
            timeout: DEFAULT_REPLY_TIMEOUT,
            is_text: false,
        };
        let (outcome, receiver) = mpsc::channel(0);
        self.outcome = Some(receiver);
        Request::of_program(Action::Ask(question), outcome)
    }

    /// Takes the outcome of the last poll, if it has just come.
    fn take_outcome(&mut self) -> Option<Outcome> {
        let (_, outcome) = self.outcome.as_mut()?.try_recv().ok()?;
        self.outcome = None;
        Some(outcome)
    }

    /// Notes whether a poll got a reply. Returns a hint when that is worth one.
    fn note(&mut self, outcome: &Outcome) -> Option<Hint> {
        match outcome {
            Ok(_) => self.silent = 0,
            Err(error) if error.code == Some(ErrorCode::Timeout) => self.silent += 1,
            Err(_) => {}
        }
        (self.silent == SILENT_POLLS).then(|| {
            let Poll { text, bytes, .. } = &self.poll;
            let advice = if bytes.ends_with(b"\n") || bytes.ends_with(b"\r") {
                ""
            } else {
                r"; one that reads whole lines needs their end, such as \n behind the text"
            };
            let seconds = DEFAULT_REPLY_TIMEOUT.as_secs();
            let text =
                format!("the device does not answer --poll {text} within {seconds} s{advice}");
            Hint { text, advice: None }
        })
    }
}

impl Connection<'_> {
    /// Returns when the next poll is due, if the writer is idle and there is anything to poll.
    pub(super) fn poll_due(&self, is_idle: bool) -> Option<Instant> {
        let may_write = is_idle && self.writer.break_of().is_none();
        self.poller.as_ref().filter(|_| may_write)?.due()
    }

    /// Returns the request for a poll that is due.
    pub(super) fn poll(&mut self) -> Option<Request> {
        let poller = self.poller.as_mut()?;
        self.hub.counters.polls.fetch_add(1, Ordering::Relaxed);
        Some(poller.request(Instant::now()))
    }

    /// Notes the outcome of the last poll, if it has just come.
    pub(super) fn note_poll(&mut self) {
        let Some(poller) = &mut self.poller else {
            return;
        };
        let Some(outcome) = poller.take_outcome() else {
            return;
        };
        if outcome.is_err() {
            let unanswered = &self.hub.counters.unanswered_polls;
            unanswered.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(hint) = poller.note(&outcome) {
            self.publish_hint(hint);
        }
    }
}

/// Waits until a poll is due and somebody watches; for ever if none is due.
pub(super) async fn poll_turn(hub: &Hub, due: Option<Instant>) {
    until(due).await;
    hub.may_poll().await;
}

#[cfg(test)]
mod tests;
