//! Carries out the requests of clients on an open device, one at a time: writes, changes of modem
//! lines, resets. Holds writes back until a board that restarts is ready for them.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::device::Device;
use super::modem_lines::{self, LineState, Signalling};
use super::settle::Settle;
use crate::hub::{Action, Data, Hub, LineSettings, Request, RequestError, Written};

/// The request that is being carried out, and when the next one may begin.
pub(crate) struct Writer<'a> {
    settings: &'a LineSettings,
    hub: &'a Hub,
    /// Holds requests after an opening or a reset, until the board listens.
    settle: Settle,
    /// True until the first request after an opening or a reset, which is held until an answer to
    /// it would begin a line.
    is_first: bool,
    /// The modem lines, and whether they may have restarted the board.
    pub(crate) lines: LineState,
    writing: Option<Writing>,
    signalling: Option<Signalling>,
}

/// A write under way.
struct Writing {
    request: Request,
    bytes: Bytes,
    written: usize,
}

impl<'a> Writer<'a> {
    /// Starts with a device that was just opened.
    pub(crate) fn new(settings: &'a LineSettings, hub: &'a Hub, settle: Duration) -> Self {
        Self {
            settings,
            hub,
            settle: Settle::new(settle, Instant::now()),
            is_first: true,
            lines: LineState::new(settings),
            writing: None,
            signalling: None,
        }
    }

    /// Returns whether the next request may begin. `awaits_first` is true while an answer to it
    /// would not count as a whole line.
    pub(crate) fn is_idle(&self, awaits_first: bool) -> bool {
        let is_held = self.is_first && (awaits_first || self.lines.has_restarted);
        self.writing.is_none() && self.signalling.is_none() && self.settle.is_over() && !is_held
    }

    /// Returns the bytes that remain of the write under way.
    pub(crate) fn unwritten(&self) -> Option<&[u8]> {
        let writing = self.writing.as_ref()?;
        Some(&writing.bytes[writing.written..])
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
        self.is_first = false;
        let sequence = match &request.action {
            Action::Write(bytes) if bytes.is_empty() => return request.end(Ok(0)),
            Action::Write(bytes) => {
                self.writing = Some(Writing {
                    bytes: bytes.clone(),
                    request,
                    written: 0,
                });
                return;
            }
            Action::Signals { dtr, rts } => modem_lines::set(*dtr, *rts),
            Action::Break(time) => modem_lines::hold_break(*time),
            Action::Reset | Action::Release(_) | Action::Resume | Action::Return => {
                return self.reset(request, device);
            }
        };
        self.signalling = Signalling::begin(request, sequence, &mut self.lines, device);
    }

    /// Resets the board and drops all writes before: they were meant for the program that ran.
    pub(crate) fn reset(&mut self, request: Request, device: &mut dyn Device) {
        let sequence = modem_lines::reset(self.settings);
        let begun = Signalling::begin(request, sequence, &mut self.lines, device);
        let Some(signalling) = begun else {
            // A device without modem lines runs on, and gets what was sent.
            return;
        };
        device.discard_output();
        self.give_up("the board was reset", device);
        self.signalling = Some(signalling);
        self.settle.restart(Instant::now());
        self.is_first = true;
    }

    /// Counts bytes that the system took of the write under way, and ends it with the last.
    pub(crate) fn wrote(&mut self, count: usize) {
        let total = &self.hub.counters.written_bytes;
        total.fetch_add(count as u64, Ordering::Relaxed);
        let Some(writing) = &mut self.writing else {
            return;
        };
        let taken = writing.written..writing.written + count;
        writing.written = taken.end;
        self.hub.publish_written(|| Written {
            bytes: writing.bytes.slice(taken),
            client: writing.request.client,
        });
        if let Some(done) = self.writing.take_if(|it| it.written == it.bytes.len()) {
            done.request.end(Ok(done.written));
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
        if let Some(writing) = self.writing.take() {
            let (written, all) = (writing.written, writing.bytes.len());
            let reason = format!("{reason} after {written} of {all} bytes");
            writing.request.end(Err(RequestError { reason, written }));
        }
        if let Some(signalling) = self.signalling.take() {
            signalling.give_up(&mut self.lines, device, reason);
        }
        while let Some(request) = self.hub.queue.try_take() {
            let reason = format!("{reason} before this could be written");
            request.end(Err(RequestError::new(reason)));
        }
    }
}
