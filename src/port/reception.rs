//! Receiving from an open device: cuts what it sends into frames, looks at it for hints, and publishes
//! it, with the state of its line.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use tokio::time::Instant;

use super::closing::End;
use super::connection::Connection;
use super::device::RecordedChange;
use super::diagnostics::{Expectations, Hint, Hints};
use super::stream_start::{self, StreamStart};
use crate::hub::{Data, Kind, LineSettings, State, Status, Timestamp};

impl Connection<'_> {
    /// Frames and publishes the bytes that were read.
    pub(super) fn received(&mut self, count: usize) {
        let (at, now) = (Timestamp::now(), Instant::now());
        self.last_read = Some(now);
        let chunk = Bytes::copy_from_slice(self.transfer.read(count));
        self.hub.counters.chunks.fetch_add(1, Ordering::Relaxed);
        if self.tour.is_some() {
            self.receive_in_search(chunk.clone(), at, now);
        } else {
            self.receive(chunk.clone(), at, now);
        }
        self.writer.collect_reply(&chunk, now);
    }

    /// Frames and publishes these bytes.
    pub(super) fn receive(&mut self, chunk: Bytes, at: Timestamp, now: Instant) {
        let data = self.framer.push(chunk);
        if self.start.read(!data.frames.is_empty(), now) {
            self.writer.heard(&data, now);
        }
        self.publish(at, data, now);
    }

    /// Goes on after a read that returned nothing. Returns the reason to end, if it is one.
    pub(super) fn read_nothing(&mut self) -> Option<End> {
        let device = &mut self.transfer.device;
        let Some(RecordedChange {
            starts_whole,
            status,
        }) = device.recorded_change()
        else {
            return Some(End::Lost(device.end_reason()));
        };
        if let Some(starts_whole) = starts_whole {
            self.begin_stream(starts_whole, Instant::now());
        }
        let status = status?;
        if status.state != State::Open {
            return Some(End::Recorded(status));
        }
        self.settings.adopt(status.settings);
        self.status = self
            .status
            .clone()
            .with_told(status.detail, status.hint)
            .with_settings(self.settings.current());
        self.publish_status();
        None
    }

    /// Parts what comes now from what the board said before it may have restarted. What waits to
    /// be read came before.
    pub(super) fn note_restart(&mut self) {
        if self.writer.lines.has_restarted && !self.transfer.device.has_input() {
            self.writer.lines.has_restarted = false;
            let now = Instant::now();
            let starts_whole = self.start.restarted(now);
            self.begin_stream(starts_whole, now);
        }
    }

    /// Ends the line that has begun, which gets no end any more, and starts with a new one.
    pub(super) fn begin_stream(&mut self, starts_whole: bool, now: Instant) {
        if let Some(cut) = self.framer.cut() {
            self.publish(Timestamp::now(), cut, now);
        }
        self.framer.begin(starts_whole);
    }

    /// Lets silence end a frame. What waits to be read came before its deadline, for all we know.
    pub(super) fn on_framing_deadline(&mut self, now: Instant) {
        let Some(last_read) = self.last_read else {
            return;
        };
        if self.framing_deadline().is_none_or(|end| end > now) {
            return;
        }
        if self.transfer.device.has_input() {
            self.last_read = Some(now);
        } else if let Some(data) = self.framer.on_silence() {
            // Its last byte came before the silence.
            let at = Timestamp::now().before(now - last_read);
            self.publish(at, data, now);
        }
    }

    /// Goes on with lines after a change of settings: what comes now joins nothing from before.
    pub(super) fn begin_lines(
        &mut self,
        settings: &LineSettings,
        starts_whole: bool,
        now: Instant,
    ) {
        self.begin_stream(starts_whole, now);
        let silence = stream_start::silence(settings, self.gathers);
        self.framer.set_silence(silence);
        self.start = StreamStart::new(silence, starts_whole, now);
        self.hints = Hints::new(Expectations::new(self.config, settings, self.has_rate));
    }

    /// Returns a status with these settings, and with the sentence about the device at them.
    pub(super) fn at_settings(&self, mut status: Status, settings: LineSettings) -> Status {
        if let Some(device) = &status.device {
            status.detail = (self.detail)(device, &settings);
        }
        status.with_settings(settings)
    }

    pub(super) fn publish(&mut self, at: Timestamp, data: Data, now: Instant) {
        let invalid = data.frames.iter().filter(|frame| !frame.utf8).count();
        if invalid > 0 {
            let counter = &self.hub.counters.invalid_lines;
            counter.fetch_add(invalid as u64, Ordering::Relaxed);
        }
        let hint = self.hints.look(&data, now);
        self.hub.publish(at, Kind::Data(data));
        if let Some(hint) = hint {
            self.publish_hint(hint);
        }
    }

    /// Shows a hint in the terminal, and to clients until the device is opened again.
    pub(super) fn publish_hint(&mut self, Hint { text, advice }: Hint) {
        tracing::warn!(port = self.config.name, "{text}");
        self.status = self.status.clone().with_hint(text).with_advice(advice);
        self.publish_status();
    }

    /// Publishes the status of the open device, with the state of its line.
    pub(super) fn publish_status(&self) {
        let status = self.line.complete(self.status.clone());
        self.hub.publish_status(status);
    }

    /// Publishes the state of the line, if it is time to look and it has changed.
    pub(super) fn publish_line(&mut self, now: Instant) {
        let wants_inputs = self.hub.wants_inputs();
        if self
            .line
            .look(&mut *self.transfer.device, wants_inputs, now)
        {
            let status = self.line.complete(self.status.clone());
            let (errors, inputs) = (status.errors, status.inputs);
            tracing::debug!(
                port = self.config.name,
                ?errors,
                ?inputs,
                "the line has changed"
            );
            self.hub.publish_status(status);
        }
    }
}
