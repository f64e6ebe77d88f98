//! Carries out the requests of clients on an open device, one at a time: writes, changes of modem
//! lines, resets. Holds writes back until a board that restarts is ready for them.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::device::Device;
use super::modem_lines::{self, Signalling};
use crate::hub::{Action, Hub, LineSettings, Request, RequestError, Written};

/// The request that is being carried out, and when the next one may begin.
pub(crate) struct Writer<'a> {
    settings: &'a LineSettings,
    hub: &'a Hub,
    /// The longest time to hold requests after an opening or a reset, until the device speaks.
    settle: Duration,
    /// The time at which requests may begin; None if they may now.
    settled: Option<Instant>,
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
        let mut writer = Self {
            settings,
            hub,
            settle,
            settled: None,
            writing: None,
            signalling: None,
        };
        writer.hold();
        writer
    }

    fn hold(&mut self) {
        self.settled = (self.settle > Duration::ZERO).then(|| Instant::now() + self.settle);
    }

    /// Returns whether the next request may begin.
    pub(crate) fn is_idle(&self) -> bool {
        self.writing.is_none() && self.signalling.is_none() && self.settled.is_none()
    }

    /// Returns the bytes that remain of the write under way.
    pub(crate) fn unwritten(&self) -> Option<&[u8]> {
        let writing = self.writing.as_ref()?;
        Some(&writing.bytes[writing.written..])
    }

    /// Returns when to call [`Writer::on_deadline`].
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let signal = self.signalling.as_ref().map(|it| it.due);
        [signal, self.settled].into_iter().flatten().min()
    }

    /// Goes on with what is due.
    pub(crate) fn on_deadline(&mut self, now: Instant, device: &mut dyn Device) {
        self.settled.take_if(|at| *at <= now);
        if let Some(due) = self.signalling.take_if(|it| it.due <= now) {
            self.signalling = due.go_on(device);
        }
    }

    /// Begins a request that waited its turn.
    pub(crate) fn begin(&mut self, request: Request, device: &mut dyn Device) {
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
        self.signalling = Signalling::begin(request, sequence, device);
    }

    /// Resets the board and drops all writes before: they were meant for the program that ran.
    pub(crate) fn reset(&mut self, request: Request, device: &mut dyn Device) {
        let sequence = modem_lines::reset(self.settings);
        let Some(signalling) = Signalling::begin(request, sequence, device) else {
            // A device without modem lines runs on, and gets what was sent.
            return;
        };
        device.discard_output();
        self.give_up("the board was reset", device);
        self.signalling = Some(signalling);
        self.hold();
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

    /// Notes that the device speaks, so that it is ready, unless it is just being reset.
    pub(crate) fn device_spoke(&mut self) {
        if self.signalling.is_none() {
            self.settled = None;
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
            signalling.give_up(device, reason);
        }
        while let Some(request) = self.hub.queue.try_take() {
            let reason = format!("{reason} before this could be written");
            request.end(Err(RequestError::new(reason)));
        }
    }
}
