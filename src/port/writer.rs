//! Carries out the requests of clients on an open device, one at a time: writes, changes of modem
//! lines, resets. Holds writes back until a board that restarts is ready for them.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::asking::Asking;
use super::device::Device;
use super::framing::Framing;
use super::modem_lines::{self, LineChange, LineState, Signalling};
use super::reply::StreamState;
use super::settle::Settle;
use super::writing::{Writing, refuse};
use crate::hub::{
    Action, Data, DeviceQuestion, Done, ErrorCode, Hub, LineSettings, Outcome, Request,
    RequestError,
};

/// The error for who writes while the line is held.
const HELD: &str =
    r#"the line is held in the break condition; to end it: {"type":"break","on":false}"#;

/// The request that is being carried out, and when the next one may begin.
pub(crate) struct Writer<'a> {
    pub(crate) settings: LineSettings,
    hub: &'a Hub,
    /// The framing of frames that are written.
    frame: &'a Framing,
    /// Holds requests after an opening or a reset, until the board listens.
    settle: Settle,
    /// True until the first request after an opening or a reset, which is held until an answer to
    /// it would begin a line.
    pub(crate) is_first: bool,
    /// The modem lines, and whether they may have restarted the board.
    pub(crate) lines: LineState,
    /// The write that is under way.
    writing: Option<Writing>,
    /// The urgent write that interrupts it.
    urgent: Option<Writing>,
    /// The question whose last byte was just written.
    asked: Option<Request>,
    /// The question whose reply is awaited.
    asking: Option<Asking>,
    /// The reason why nobody waits for the reply to the question that is being written.
    question_end: Option<RequestError>,
    signalling: Option<Signalling>,
    /// The client that holds the line in the break condition. Meanwhile others wait.
    break_of: Option<u64>,
}

impl<'a> Writer<'a> {
    /// Starts with a device that was just opened.
    pub(crate) fn new(
        settings: LineSettings,
        hub: &'a Hub,
        frame: &'a Framing,
        settle: Duration,
    ) -> Self {
        Self {
            settings,
            hub,
            frame,
            settle: Settle::new(settle, Instant::now()),
            is_first: true,
            lines: LineState::new(&settings),
            writing: None,
            urgent: None,
            asked: None,
            asking: None,
            question_end: None,
            signalling: None,
            break_of: None,
        }
    }

    /// Returns whether the next request may begin. `awaits_first` is true while an answer to it
    /// would not count as a whole line.
    pub(crate) fn is_idle(&self, awaits_first: bool) -> bool {
        let is_held = self.is_first && (awaits_first || self.lines.has_restarted);
        !self.is_busy() && self.settle.is_over() && !is_held
    }

    /// Returns true while a request is being carried out.
    pub(crate) fn is_busy(&self) -> bool {
        let is_writing = self.writing.is_some() || self.urgent.is_some();
        is_writing || self.signalling.is_some() || self.asked.is_some() || self.asking.is_some()
    }

    /// Returns true while a question is written. What came before its last byte is no reply.
    pub(crate) fn writes_question(&self) -> bool {
        let writing = self.urgent.as_ref().or(self.writing.as_ref());
        writing.is_some_and(|writing| writing.deadline().is_some())
    }

    /// Returns true from when a question was begun until it has its answer.
    pub(crate) fn has_question(&self) -> bool {
        let writing = self.writing.as_ref().and_then(Writing::deadline);
        writing.is_some() || self.asked.is_some() || self.asking.is_some()
    }

    /// Returns whether an urgent write may begin, within another one.
    pub(crate) fn may_interrupt(&self) -> bool {
        let is_held = !self.settle.is_over() || self.break_of.is_some();
        self.urgent.is_none() && self.signalling.is_none() && !is_held
    }

    /// Returns the client that holds the line in the break condition.
    pub(crate) fn break_of(&self) -> Option<u64> {
        self.break_of
    }

    /// Returns the bytes to write next.
    pub(crate) fn unwritten(&self) -> Option<&[u8]> {
        let writing = self.urgent.as_ref().or(self.writing.as_ref())?;
        Some(writing.unwritten())
    }

    /// Returns the first of these bytes, as many as there is `room` for.
    pub(crate) fn unwritten_within(&self, room: usize) -> Option<&[u8]> {
        let unwritten = self.unwritten().filter(|_| room > 0)?;
        Some(&unwritten[..unwritten.len().min(room)])
    }

    /// Returns when to call [`Writer::on_deadline`].
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let deadlines = [
            self.signalling.as_ref().map(|it| it.due),
            self.settle.deadline(),
            self.writing.as_ref().and_then(Writing::deadline),
            self.asking.as_ref().map(Asking::deadline),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Goes on with what is due.
    pub(crate) fn on_deadline(&mut self, now: Instant, device: &mut dyn Device) {
        self.settle.on_deadline(now);
        if let Some(due) = self.signalling.take_if(|it| it.due <= now) {
            self.signalling = due.go_on(&mut self.lines, device);
        }
        if let Some(outcome) = self.asking.as_mut().and_then(|it| it.on_deadline(now)) {
            self.answer(outcome);
        }
        let is_late = |writing: &mut Writing| writing.deadline().is_some_and(|end| end <= now);
        if let Some(late) = self.writing.take_if(is_late) {
            self.question_end = None;
            self.hub.queue.finish_question();
            let reason = "the device did not take the question in time: it stopped";
            late.give_up(reason, Some(ErrorCode::Timeout), self.hub);
        }
    }

    /// Begins a request that waited its turn.
    pub(crate) fn begin(&mut self, request: Request, device: &mut dyn Device) {
        let Some(request) = framed(request, self.frame) else {
            return;
        };
        self.is_first &= request.action.is_urgent();
        let sequence = match &request.action {
            Action::Write(bytes) | Action::WriteUrgently(bytes) if bytes.is_empty() => {
                return request.done();
            }
            Action::Write(_) | Action::Ask(_) if self.break_of.is_some() => {
                return request.end(Err(RequestError::new(HELD)));
            }
            Action::Ask(question) => {
                let question = question.clone();
                return self.ask(&question, request);
            }
            Action::Write(bytes) => {
                let bytes = bytes.clone();
                self.writing = Some(Writing::new(request, bytes));
                return;
            }
            Action::WriteUrgently(bytes) => {
                let bytes = bytes.clone();
                self.interrupt(Writing::new(request, bytes));
                return;
            }
            Action::Signals { dtr, rts } => modem_lines::set(*dtr, *rts),
            Action::Break(time) => {
                self.break_of = None;
                modem_lines::hold_break(*time)
            }
            Action::HoldBreak(on) => {
                let on = *on;
                return self.hold_break(on, request, device);
            }
            // A device has no other serial-ws.
            Action::PassLockOn => return request.end(Ok(Done::Written(0))),
            // These do not wait their turn, or are not for the device alone, or are no frames any more.
            Action::WriteFrame { .. }
            | Action::Settings(_)
            | Action::SaveSettings
            | Action::ReturnSettings
            | Action::Reset
            | Action::Release(_)
            | Action::Resume(_)
            | Action::Return => {
                return;
            }
        };
        self.signalling = Signalling::begin(request, sequence, &mut self.lines, device);
    }

    /// Begins a question, if somebody waits for its reply.
    fn ask(&mut self, question: &DeviceQuestion, request: Request) {
        let Some(request) = self.hub.queue.begin_question(request) else {
            return;
        };
        if question.bytes.is_empty() {
            self.asked = Some(request);
        } else {
            let writing = Writing::new(request, question.bytes.clone());
            self.writing = Some(writing.before(Instant::now() + question.timeout));
        }
    }

    /// Returns the client whose reply is awaited.
    pub(crate) fn asker(&self) -> Option<u64> {
        self.asking.as_ref().map(Asking::client)
    }

    /// Waits for the reply to a question whose last byte was just written.
    pub(crate) fn await_reply(&mut self, framing: &Framing, state: StreamState, now: Instant) {
        if let Some(request) = self.asked.take() {
            self.asking = Asking::new(request, framing, state, now);
        }
    }

    /// Takes what the device sent as a part of the reply that is awaited.
    pub(crate) fn collect_reply(&mut self, chunk: &Bytes, now: Instant) {
        if let Some(outcome) = self.asking.as_mut().and_then(|it| it.push(chunk, now)) {
            self.answer(outcome);
        }
    }

    /// Ends a question for another reason than a reply. What was begun is written all the same.
    pub(crate) fn end_question(&mut self, error: RequestError) {
        if self.writing.as_ref().and_then(Writing::deadline).is_some() {
            self.question_end = Some(error);
        } else {
            self.answer(Err(error));
        }
    }

    /// Ends the question that was written.
    fn answer(&mut self, outcome: Outcome) {
        let asking = self.asking.take().map(Asking::into_request);
        if let Some(request) = self.asked.take().or(asking) {
            self.hub.queue.finish_question();
            let written = request.action.bytes().len();
            request.end(outcome.map_err(|error| RequestError { written, ..error }));
        }
    }

    /// Writes something before the rest of the write under way.
    fn interrupt(&mut self, urgent: Writing) {
        if let Some(writing) = &mut self.writing {
            // What went out before is told before.
            writing.publish(self.hub);
        }
        self.urgent = Some(urgent);
    }

    /// Begins or ends the break condition.
    fn hold_break(&mut self, on: bool, request: Request, device: &mut dyn Device) {
        let change = LineChange::Break(on);
        match self.lines.change(device, change) {
            Ok(()) => {
                self.break_of = on.then_some(request.client);
                request.done();
            }
            Err(error) => {
                let reason = modem_lines::refusal(change, &error);
                request.end(Err(RequestError::new(reason)));
            }
        }
    }

    /// Ends the break condition if this client began it, or whoever did.
    pub(crate) fn end_break(&mut self, client: Option<u64>, device: &mut dyn Device) {
        let is_meant = |holder: &mut u64| client.is_none_or(|client| client == *holder);
        if self.break_of.take_if(is_meant).is_some() {
            // A device that has gone or knows no break has none to end.
            let _ = self.lines.change(device, LineChange::Break(false));
        }
    }

    /// Resets the board and drops all writes before: they were meant for the program that ran.
    /// Returns false for a device without modem lines, which runs on and gets what was sent.
    pub(crate) fn reset(&mut self, request: Request, device: &mut dyn Device) -> bool {
        let sequence = modem_lines::reset(&self.settings);
        let begun = Signalling::begin(request, sequence, &mut self.lines, device);
        let Some(signalling) = begun else {
            return false;
        };
        device.discard_output();
        self.give_up("the board was reset", None, device);
        self.signalling = Some(signalling);
        self.settle.restart(Instant::now());
        self.is_first = true;
        true
    }

    /// Counts bytes that the system took of what is to be written next, and ends a write with its
    /// last.
    pub(crate) fn wrote(&mut self, count: usize) {
        let current = if self.urgent.is_some() {
            &mut self.urgent
        } else {
            &mut self.writing
        };
        if let Some(writing) = current {
            writing.advance(count, self.hub);
        }
        let done = current.take_if(|writing| writing.is_done());
        let Some(question) = done.and_then(Writing::end) else {
            return;
        };
        self.asked = Some(question);
        if let Some(error) = self.question_end.take() {
            self.answer(Err(error));
        }
    }

    /// Notes what the board says, unless it is just being reset.
    pub(crate) fn heard(&mut self, data: &Data, now: Instant) {
        if self.signalling.is_none() {
            self.settle.heard(data, now);
        }
    }

    /// Ends the request under way and all that wait, with the `reason` as their error.
    pub(crate) fn give_up(
        &mut self,
        reason: &str,
        code: Option<ErrorCode>,
        device: &mut dyn Device,
    ) {
        self.end_break(None, device);
        let writings = [self.urgent.take(), self.writing.take()];
        for writing in writings.into_iter().flatten() {
            writing.give_up(reason, code, self.hub);
        }
        let error = RequestError::new(format!("{reason} before the reply came"));
        self.answer(Err(error.with_code(code)));
        self.question_end = None;
        self.hub.queue.finish_question();
        if let Some(signalling) = self.signalling.take() {
            signalling.give_up(&mut self.lines, device, reason);
        }
        while let Some(request) = self.hub.queue.try_take() {
            refuse(request, reason, code);
        }
    }
}

/// Returns a request to write a frame as one to write its bytes, and others as they are. Ends one for
/// which the framing has no bytes.
fn framed(mut request: Request, framing: &Framing) -> Option<Request> {
    let Action::WriteFrame { bytes, urgent } = &request.action else {
        return Some(request);
    };
    match framing.encode(bytes) {
        Ok(encoded) if *urgent => request.action = Action::WriteUrgently(encoded.into()),
        Ok(encoded) => request.action = Action::Write(encoded.into()),
        Err(why) => {
            let reason = format!("this is no frame of --frame {framing}: {why}");
            request.end(Err(RequestError::new(reason)));
            return None;
        }
    }
    Some(request)
}
