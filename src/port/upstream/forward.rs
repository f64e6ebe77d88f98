//! The requests of clients on their way to another serial-ws: each is sent as a message, and ends with the
//! reply to that. Everything that clients here ask counts as of one client there, so no more is sent
//! than one client may have waiting. Pure.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use serde_json::{Number, json};

use super::super::lease;
use crate::hub::{
    Action, DeviceQuestion, Done, Hub, Lease, Outcome, Request, RequestError, Until, Written,
};
use crate::protocol::{AskMessage, Base64, ClientMessage, Id, NO_CLIENT, ReleaseMessage};

/// Bytes of writes that may wait there, unless one message may have more.
const MAX_WAITING: usize = 64 << 10;

/// The least that a write counts for there.
const MIN_COST: usize = 64;

/// Bytes of urgent writes that may wait there.
const MAX_URGENT: usize = 256;

/// The least that an urgent write counts for there.
const MIN_URGENT_COST: usize = 4;

/// Requests that wait for no write, of which as many may wait there.
const MAX_IMMEDIATE: usize = 16;

/// The requests that were sent and not answered, with what clients here hold there.
pub(super) struct Forwarded {
    /// In the order in which they were sent, each with its number.
    sent: VecDeque<(u64, Request)>,
    /// The next one that waits its turn, for which there is no room there yet.
    held: Option<Request>,
    next: u64,
    /// The most bytes that one message may write; 0 where that is not known.
    max_message: usize,
    /// The requests that wait there.
    waiting: usize,
    urgent: usize,
    immediate: usize,
    /// The client that holds the line in the break condition.
    break_of: Option<u64>,
    /// The lease that was granted last, and the client that asked for it.
    leased: Option<(Lease, u64)>,
    /// The number that stands there for all clients here.
    own: u64,
}

impl Forwarded {
    /// Starts with a connection on which messages may write so many bytes, and whose client has this
    /// number there.
    pub(super) fn new(max_message: u64, own: Option<u64>) -> Self {
        Self {
            sent: VecDeque::new(),
            held: None,
            next: 1,
            max_message: max_message as usize,
            waiting: 0,
            urgent: 0,
            immediate: 0,
            break_of: None,
            leased: None,
            own: own.unwrap_or(NO_CLIENT),
        }
    }

    /// Returns true if another request that waits its turn may be sent.
    pub(super) fn has_room(&self) -> bool {
        self.held.is_none()
    }

    /// Takes the request for which there was no room, if there is now.
    pub(super) fn take_held(&mut self) -> Option<Request> {
        let held = self.held.take()?;
        if self.fits(&held.action) {
            return Some(held);
        }
        self.held = Some(held);
        None
    }

    fn fits(&self, action: &Action) -> bool {
        let is_in_turn = !action.is_immediate() && !action.is_urgent();
        let max = self.max_message.max(MAX_WAITING);
        !is_in_turn || self.waiting == 0 || self.waiting + cost(action) <= max
    }

    /// Returns true if another urgent write may be sent.
    pub(super) fn has_urgent_room(&self) -> bool {
        self.urgent == 0
    }

    /// Returns true if another request that waits for nothing may be sent.
    pub(super) fn has_immediate_room(&self) -> bool {
        self.immediate < MAX_IMMEDIATE
    }

    /// Returns the client to which the port is leased while it is connected.
    fn borrower(&self) -> Option<u64> {
        match self.leased? {
            (Lease::WhileConnected, client) => Some(client),
            (Lease::For(_), _) => None,
        }
    }

    /// Returns the client that holds the line in the break condition. Meanwhile others wait.
    pub(super) fn break_of(&self) -> Option<u64> {
        self.break_of
    }

    /// Returns the message for a request, unless it has ended.
    pub(super) fn send(&mut self, request: Request, hub: &Hub) -> Option<String> {
        let bytes = request.action.bytes().len();
        if self.max_message > 0 && bytes > self.max_message {
            let reason = format!(
                "{bytes} bytes are too many: the serial-ws that has the board takes {} at once",
                self.max_message
            );
            request.end(Err(RequestError::new(reason)));
            return None;
        }
        if !self.fits(&request.action) {
            self.held = Some(request);
            return None;
        }
        let message = match &request.action {
            Action::Return => return self.give_back(request),
            Action::Release(_) if self.borrower().is_some_and(|id| id != request.client) => {
                request.end(Err(lease::taken()));
                return None;
            }
            Action::Resume(Some(client)) => {
                let is_lender = self.leased.is_some_and(|(_, lender)| lender == *client);
                let released_by = Some(if is_lender { self.own } else { NO_CLIENT });
                ClientMessage::Resume { released_by }
            }
            action => message(action, &request, hub),
        };
        let text = message.to_json(&Id::from(&json!(self.next)));
        *self.room_of(&request.action) += cost(&request.action);
        if let Action::HoldBreak(on) = request.action {
            self.break_of = on.then_some(request.client);
        }
        self.sent.push_back((self.next, request));
        self.next += 1;
        Some(text)
    }

    /// Returns the message that gives back what a client held that leaves.
    fn give_back(&mut self, request: Request) -> Option<String> {
        let client = Some(request.client);
        let message = if self.borrower() == client {
            self.leased = None;
            ClientMessage::Resume { released_by: None }
        } else if self.break_of == client {
            self.break_of = None;
            hold_break(false)
        } else {
            request.end(Ok(Done::Written(0)));
            return None;
        };
        request.end(Ok(Done::Written(0)));
        // Nobody waits for the reply.
        Some(message.to_json(&Id::from(&json!(0))))
    }

    /// Ends the request to which this is the reply, and tells who wants to know what was written.
    pub(super) fn reply(
        &mut self,
        id: Option<&Id>,
        outcome: Outcome,
        hub: &Hub,
    ) -> Option<Answered> {
        let number = id?.number()?;
        let at = self.sent.iter().position(|(sent, _)| *sent == number)?;
        let (_, request) = self.sent.remove(at)?;
        let room = self.room_of(&request.action);
        *room = room.saturating_sub(cost(&request.action));
        publish(&request, &outcome, hub);
        let (client, is_done) = (request.client, outcome.is_ok());
        match &request.action {
            Action::HoldBreak(true) if !is_done => self.break_of = None,
            Action::Break(_) if is_done => self.break_of = None,
            Action::Release(lease) if is_done => self.leased = Some((*lease, client)),
            Action::Resume(_) if is_done => self.leased = None,
            _ => {}
        }
        let answered = match request.action {
            Action::SaveSettings | Action::PassLockOn if !is_done => Answered::LockRefused(client),
            Action::Resume(_) if !is_done => Answered::ResumeRefused,
            _ => Answered::Other,
        };
        request.end(outcome);
        Some(answered)
    }

    /// Ends all requests, because the connection is lost.
    pub(super) fn give_up(&mut self, reason: &str) {
        for (_, request) in self.sent.drain(..) {
            let reason = format!("{reason} before it was known whether this was done");
            request.end(Err(RequestError::new(reason)));
        }
        if let Some(request) = self.held.take() {
            let reason = format!("{reason} before this could be done");
            request.end(Err(RequestError::new(reason)));
        }
    }

    fn room_of(&mut self, action: &Action) -> &mut usize {
        if action.is_immediate() {
            &mut self.immediate
        } else if action.is_urgent() {
            &mut self.urgent
        } else {
            &mut self.waiting
        }
    }
}

/// The consequence of a reply beyond the request that it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answered {
    /// This client does not have the write lock after all.
    LockRefused(u64),
    /// The write lock there goes on.
    ResumeRefused,
    /// Nothing.
    Other,
}

/// Returns what a request counts for.
fn cost(action: &Action) -> usize {
    let bytes = action.bytes().len();
    if action.is_immediate() {
        1
    } else if action.is_urgent() {
        bytes.clamp(MIN_URGENT_COST, MAX_URGENT)
    } else {
        bytes.max(MIN_COST)
    }
}

/// Tells subscribers, and the counters, what the other serial-ws wrote.
fn publish(request: &Request, outcome: &Outcome, hub: &Hub) {
    let written = match outcome {
        Ok(Done::Written(written)) => *written,
        Ok(Done::Replied(_)) => request.action.bytes().len(),
        Err(error) => error.written,
    };
    let total = &hub.counters.written_bytes;
    total.fetch_add(written as u64, Ordering::Relaxed);
    if let Action::WriteFrame { .. } = &request.action {
        // What the framing makes of it is known there alone.
        return;
    }
    let bytes = request.action.bytes();
    let written = &bytes[..written.min(bytes.len())];
    if written.is_empty() {
        return;
    }
    hub.publish_written(|| Written {
        bytes: Bytes::copy_from_slice(written),
        client: request.client,
        name: request.name.clone(),
    });
}

/// Returns the message for an action.
fn message(action: &Action, request: &Request, hub: &Hub) -> ClientMessage {
    let write = |bytes: &Bytes, urgent| ClientMessage::Write {
        urgent,
        text: None,
        bytes: Some(Base64(bytes.to_vec().into())),
        frame: None,
    };
    let lock = |restore| ClientMessage::Lock {
        name: hub
            .queue
            .lock_holder()
            .filter(|holder| holder.client == request.client)
            .and_then(|holder| holder.name),
        restore,
    };
    match action {
        Action::Write(bytes) => write(bytes, false),
        Action::WriteUrgently(bytes) => write(bytes, true),
        Action::WriteFrame { bytes, urgent } => ClientMessage::Write {
            urgent: *urgent,
            text: None,
            bytes: None,
            frame: Some(Base64(bytes.to_vec().into())),
        },
        Action::Ask(question) => ClientMessage::Ask(ask(question)),
        Action::Signals { dtr, rts } => ClientMessage::Signals {
            dtr: *dtr,
            rts: *rts,
        },
        Action::Break(time) => ClientMessage::Break {
            ms: Number::from_f64(time.as_secs_f64() * 1000.0),
            on: None,
        },
        Action::HoldBreak(on) => hold_break(*on),
        Action::Settings(change) => ClientMessage::Settings(*change),
        Action::SaveSettings => lock(true),
        Action::PassLockOn => lock(false),
        Action::ReturnSettings => ClientMessage::Unlock,
        Action::Reset => ClientMessage::Reset,
        Action::Release(lease) => ClientMessage::Release(match lease {
            Lease::For(time) => ReleaseMessage {
                seconds: Some(time.as_secs_f64()),
                r#while: None,
            },
            Lease::WhileConnected => ReleaseMessage {
                seconds: None,
                r#while: Some("connected".to_owned()),
            },
        }),
        Action::Resume(released_by) => ClientMessage::Resume {
            released_by: *released_by,
        },
        Action::Return => ClientMessage::Resume { released_by: None },
    }
}

/// Returns the message for a question. Its text has its ending already.
fn ask(question: &DeviceQuestion) -> AskMessage {
    let text = str::from_utf8(&question.bytes).ok();
    let text = text.filter(|_| question.is_text).map(str::to_owned);
    let bytes = text
        .is_none()
        .then(|| Base64(question.bytes.to_vec().into()));
    let (until, lines) = match &question.until {
        Until::Lines(count) => (None, Some(Number::from(*count))),
        Until::Bytes(count) => (Some(json!({ "bytes": count })), None),
        Until::Text(texts) => {
            let texts = texts.iter().map(|text| String::from_utf8_lossy(text));
            (Some(json!({ "text": texts.collect::<Vec<_>>() })), None)
        }
        Until::Gap(time) | Until::FrameOrGap(time) => {
            (Some(json!({ "gap": time.as_secs_f64() * 1000.0 })), None)
        }
    };
    AskMessage {
        text,
        bytes,
        until,
        lines,
        timeout: Number::from_f64(question.timeout.as_secs_f64() * 1000.0),
    }
}

fn hold_break(on: bool) -> ClientMessage {
    ClientMessage::Break {
        ms: None,
        on: Some(on),
    }
}
