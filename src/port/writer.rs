//! Carries out the requests of clients on an open device, one at a time: writes, changes of modem
//! lines, resets. Holds writes back until a board that restarts is ready for them.

use std::time::Duration;

use tokio::time::Instant;

use super::device::Device;
use super::framing::Framing;
use super::modem_lines::{self, LineChange, LineState, Signalling};
use super::settle::Settle;
use super::writing::Writing;
use crate::hub::{Action, Data, Hub, LineSettings, Request, RequestError};

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
            signalling: None,
            break_of: None,
        }
    }

    /// Returns whether the next request may begin. `awaits_first` is true while an answer to it
    /// would not count as a whole line.
    pub(crate) fn is_idle(&self, awaits_first: bool) -> bool {
        let is_held = self.is_first && (awaits_first || self.lines.has_restarted);
        let is_writing = self.writing.is_some() || self.urgent.is_some();
        !is_writing && self.signalling.is_none() && self.settle.is_over() && !is_held
    }

    /// Returns true while a request is being carried out.
    pub(crate) fn is_busy(&self) -> bool {
        self.writing.is_some() || self.urgent.is_some() || self.signalling.is_some()
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
        let signal = self.signalling.as_ref().map(|it| it.due);
        [signal, self.settle.deadline()].into_iter().flatten().min()
    }

    /// Goes on with what is due.
    pub(crate) fn on_deadline(&mut self, now: Instant, device: &mut dyn Device) {
        self.settle.on_deadline(now);
        if let Some(due) = self.signalling.take_if(|it| it.due <= now) {
            self.signalling = due.go_on(&mut self.lines, device);
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
                return request.end(Ok(0));
            }
            Action::Write(_) if self.break_of.is_some() => {
                return request.end(Err(RequestError::new(HELD)));
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
            // These do not wait their turn, or are not for the device alone, or are no frames any more.
            Action::WriteFrame { .. }
            | Action::Settings(_)
            | Action::SaveSettings
            | Action::ReturnSettings
            | Action::Reset
            | Action::Release(_)
            | Action::Resume
            | Action::Return => {
                return;
            }
        };
        self.signalling = Signalling::begin(request, sequence, &mut self.lines, device);
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
                request.end(Ok(0));
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
        self.give_up("the board was reset", device);
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
        if let Some(done) = current.take_if(|writing| writing.is_done()) {
            done.end();
        }
    }

    /// Notes what the board says, unless it is just being reset.
    pub(crate) fn heard(&mut self, data: &Data, now: Instant) {
        if self.signalling.is_none() {
            self.settle.heard(data, now);
        }
    }

    /// Ends the request under way and all that wait, with the `reason` as their error.
    pub(crate) fn give_up(&mut self, reason: &str, device: &mut dyn Device) {
        self.end_break(None, device);
        let writings = [self.urgent.take(), self.writing.take()];
        for writing in writings.into_iter().flatten() {
            writing.give_up(reason, self.hub);
        }
        if let Some(signalling) = self.signalling.take() {
            signalling.give_up(&mut self.lines, device, reason);
        }
        while let Some(request) = self.hub.queue.try_take() {
            refuse(request, reason);
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

/// Ends a request that was not begun, with the `reason` as its error.
pub(crate) fn refuse(request: Request, reason: &str) {
    let what = match request.action.bytes() {
        [] => "done",
        _ => "written",
    };
    let reason = format!("{reason} before this could be {what}");
    request.end(Err(RequestError::new(reason)));
}
