//! An open device at work: reads, frames and publishes; writes what clients ask; until one ends.

use std::future::poll_fn;
use std::io;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::yield_now;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::backlog::Backlog;
use super::config::PortConfig;
use super::device::Device;
use super::diagnostics::{Expectations, Hint, Hints};
use super::framing::Framer;
use super::line_watch::LineWatch;
use super::source::OpenedDevice;
use super::source::serial::os;
use super::stream_start::StreamStart;
use super::transfer::{Step, Transfer};
use super::until;
use super::writer::Writer;
use crate::hub::{Action, Data, Hub, Kind, Lease, Request, Status, Timestamp};

/// The delay before repeating a read or write that a signal interrupted, or that the device
/// refused although it was said to be ready. Long enough not to spin if that goes on.
const TRANSIENT_RETRY_DELAY: Duration = Duration::from_millis(1);

/// The reason why work with a device ended.
pub(crate) enum End {
    /// The program stops.
    Stopped,
    /// The device has gone, and why.
    Lost(String),
    /// The client of this request gets the device for another program, and hears when it is free.
    Released(Lease, Request),
}

/// An open device at work.
pub(crate) struct Connection<'a> {
    transfer: Transfer,
    writer: Writer<'a>,
    backlog: Backlog,
    framer: &'a mut dyn Framer,
    hub: &'a Hub,
    name: &'a str,
    /// The status while the device is open, without the state of the line.
    status: Status,
    hints: Hints,
    line: LineWatch,
    /// Tells which line is the first of an opening or a restart, and whether it is whole.
    start: StreamStart,
    /// The time of the last read; None before the first.
    last_read: Option<Instant>,
    /// The end of a pause of reading, for clients that are far behind.
    read_pause: Option<Instant>,
    /// The place in the stream up to which clients were looked at.
    published: u64,
    /// The time to try reading and writing again.
    retry: Option<Instant>,
}

impl<'a> Connection<'a> {
    /// Starts with a device that was just opened, and publishes its status.
    pub(crate) fn new(
        mut opened: OpenedDevice,
        status: Status,
        config: &'a PortConfig,
        hub: &'a Hub,
        framer: &'a mut dyn Framer,
    ) -> Self {
        let settings = &config.line;
        let line = LineWatch::new(&mut *opened.device, Instant::now());
        framer.begin(opened.starts_whole);
        hub.publish_status(line.complete(status.clone()));
        Self {
            writer: Writer::new(settings, hub, settings.settle.unwrap_or(opened.settle)),
            backlog: Backlog::new(settings, Instant::now()),
            transfer: Transfer::new(opened.device),
            framer,
            hub,
            name: &config.name,
            status,
            hints: Hints::new(Expectations::new(config, opened.has_rate)),
            line,
            start: StreamStart::new(opened.silence, opened.starts_whole, Instant::now()),
            last_read: None,
            read_pause: None,
            published: 0,
            retry: None,
        }
    }

    /// Works until the device is lost or released, or the program stops.
    pub(crate) async fn run(&mut self, stop: &CancellationToken) -> End {
        loop {
            self.update_read_pause();
            self.note_restart();
            let may_interrupt = self.writer.may_interrupt();
            if self.writer.unwritten().is_some()
                && may_interrupt
                && let Some(request) = self.hub.queue.try_take_urgent()
            {
                self.writer.begin(request, &mut *self.transfer.device);
                continue;
            }
            let is_idle = self.writer.is_idle(self.start.awaits_first());
            let may_transfer = self.retry.is_none();
            self.transfer.reports_silence = self.start.is_looking();
            let break_of = self.writer.break_of();
            let room = self.room();
            let deadline = self.next_deadline();
            let (hub, read_pause) = (self.hub, self.read_pause);
            let piece = self.writer.unwritten_within(room);
            let step = self.transfer.step(piece, read_pause.is_none());
            // In no fixed order, so that a device that floods does not keep clients waiting.
            tokio::select! {
                () = stop.cancelled() => return End::Stopped,
                request = hub.queue.take_immediate() => {
                    if let Some(end) = self.begin_immediate(request) {
                        return end;
                    }
                }
                step = step, if may_transfer => {
                    let has_read = matches!(step, Ok(Step::Read(_)));
                    if let Some(end) = self.transferred(step) {
                        return end;
                    }
                    self.give_way(has_read).await;
                }
                request = hub.queue.take_urgent(), if may_interrupt => {
                    self.writer.begin(request, &mut *self.transfer.device);
                }
                request = hub.queue.take(break_of), if is_idle => {
                    self.writer.begin(request, &mut *self.transfer.device);
                }
                () = wait_for_readers(hub, read_pause) => {}
                () = until(deadline) => self.on_deadline(Instant::now()),
            }
        }
    }

    /// Lets other tasks have their turn after a read or a write.
    async fn give_way(&mut self, has_read: bool) {
        if has_read {
            after_other_tasks().await;
        } else if self.writer.unwritten().is_some() {
            // Something urgent may have come, which sockets are looked at for.
            yield_now().await;
        }
    }

    /// Carries out a request that waits for no write. Returns the reason to end, if it is one.
    fn begin_immediate(&mut self, request: Request) -> Option<End> {
        let device = &mut *self.transfer.device;
        match request.action {
            Action::Release(lease) => return Some(End::Released(lease, request)),
            Action::Return => {
                self.writer.end_break(Some(request.client), device);
                request.end(Ok(0));
            }
            Action::Resume => request.end(Ok(0)),
            _ => self.writer.reset(request, device),
        }
        None
    }

    /// Returns how many bytes may be handed to the system now.
    fn room(&mut self) -> usize {
        if self.writer.unwritten().is_none() {
            return 0;
        }
        let device = &self.transfer.device;
        self.backlog.room(Instant::now(), || device.unsent())
    }

    /// Fails all requests, and returns the device to be closed.
    pub(crate) fn into_device(mut self, end: &End) -> Box<dyn Device> {
        let reason = match end {
            End::Stopped => "serial-ws is stopping",
            End::Lost(_) => "the device was lost",
            End::Released(..) => "the port was released to another program",
        };
        self.writer.give_up(reason, &mut *self.transfer.device);
        self.transfer.device
    }

    /// Begins, prolongs or ends the pause of reading for clients that are far behind. Nobody falls
    /// behind while nothing is published, so that writes alone do not look at all clients.
    fn update_read_pause(&mut self) {
        let end = self.hub.end().offset;
        if std::mem::replace(&mut self.published, end) == end && self.read_pause.is_none() {
            return;
        }
        self.read_pause = self.hub.read_pause().map(|time| {
            let end = Instant::now() + time;
            self.read_pause.map_or(end, |earlier| end.min(earlier))
        });
    }

    /// Returns when to call [`Connection::on_deadline`].
    fn next_deadline(&self) -> Option<Instant> {
        let deadlines = [
            self.retry,
            self.start.deadline(),
            self.writer.deadline(),
            self.backlog_deadline(),
            self.line.deadline(),
            self.framing_deadline(),
            self.hints.deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }

    fn backlog_deadline(&self) -> Option<Instant> {
        self.writer.unwritten().and(self.backlog.deadline())
    }

    fn framing_deadline(&self) -> Option<Instant> {
        self.framer.deadline(self.last_read?)
    }

    /// Goes on with all that is due.
    fn on_deadline(&mut self, now: Instant) {
        self.retry.take_if(|at| *at <= now);
        self.start.on_deadline(now);
        self.writer.on_deadline(now, &mut *self.transfer.device);
        self.publish_line(now);
        if let Some(hint) = self.hints.on_silence(now) {
            self.publish_hint(hint);
        }
        if self.framing_deadline().is_some_and(|end| end <= now)
            && let Some(data) = self.framer.cut()
        {
            self.publish(Timestamp::now(), data, now);
        }
    }

    /// Goes on after a read or a write. Returns the reason to end, if it is one.
    fn transferred(&mut self, step: io::Result<Step>) -> Option<End> {
        match step {
            Ok(Step::Read(0)) => return Some(End::Lost(self.transfer.device.end_reason())),
            Ok(Step::Read(count)) => self.received(count),
            Ok(Step::Wrote(count)) => {
                self.backlog.handed(count, Instant::now());
                self.writer.wrote(count);
            }
            Ok(Step::Silent) => {
                self.start.found_silence();
                self.begin_stream(true, Instant::now());
            }
            Err(error) if os::is_transient(&error) => {
                self.retry = Some(Instant::now() + TRANSIENT_RETRY_DELAY);
            }
            Err(error) => return Some(End::Lost(error.to_string())),
        }
        None
    }

    /// Frames and publishes the bytes that were read.
    fn received(&mut self, count: usize) {
        let (at, now) = (Timestamp::now(), Instant::now());
        self.last_read = Some(now);
        let chunk = Bytes::copy_from_slice(self.transfer.read(count));
        let data = self.framer.push(chunk);
        if self.start.read(!data.frames.is_empty(), now) {
            self.writer.heard(&data, now);
        }
        self.hub.counters.chunks.fetch_add(1, Ordering::Relaxed);
        self.publish(at, data, now);
    }

    /// Parts what comes now from what the board said before it may have restarted. What waits to
    /// be read came before.
    fn note_restart(&mut self) {
        if self.writer.lines.has_restarted && !self.transfer.device.has_input() {
            self.writer.lines.has_restarted = false;
            let now = Instant::now();
            let starts_whole = self.start.restarted(now);
            self.begin_stream(starts_whole, now);
        }
    }

    /// Ends the line that has begun, which gets no end any more, and starts with a new one.
    fn begin_stream(&mut self, starts_whole: bool, now: Instant) {
        if let Some(cut) = self.framer.cut() {
            self.publish(Timestamp::now(), cut, now);
        }
        self.framer.begin(starts_whole);
    }

    fn publish(&mut self, at: Timestamp, data: Data, now: Instant) {
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
    fn publish_hint(&mut self, Hint { text, advice }: Hint) {
        tracing::warn!(port = self.name, "{text}");
        self.status = self.status.clone().with_hint(text).with_advice(advice);
        let status = self.line.complete(self.status.clone());
        self.hub.publish_status(status);
    }

    /// Publishes the state of the line, if it is time to look and it has changed.
    fn publish_line(&mut self, now: Instant) {
        let wants_inputs = self.hub.wants_inputs();
        if self
            .line
            .look(&mut *self.transfer.device, wants_inputs, now)
        {
            let status = self.line.complete(self.status.clone());
            let (errors, inputs) = (status.errors, status.inputs);
            tracing::debug!(port = self.name, ?errors, ?inputs, "the line has changed");
            self.hub.publish_status(status);
        }
    }
}

/// Waits until clients have caught up, at most until the deadline; for ever if there is none.
async fn wait_for_readers(hub: &Hub, deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => hub.wait_for_readers(deadline).await,
        None => std::future::pending().await,
    }
}

/// Returns when every task that was ready has had its turn, so that a flood does not outrun
/// clients that could keep up, and no line waits for the next read.
async fn after_other_tasks() {
    let mut has_waited = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
