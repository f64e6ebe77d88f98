//! An open device at work: reads, frames and publishes; writes what clients ask; until one ends.

use std::future::poll_fn;
use std::io;
use std::task::Poll;
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::asking::beside_question;
use super::backlog::Backlog;
use super::closing::End;
use super::config::PortConfig;
use super::device::Device;
use super::diagnostics::{Expectations, Hints};
use super::framing::Framer;
use super::line_watch::LineWatch;
use super::pace::Pacer;
use super::poll::{Poller, poll_turn};
use super::rate::KnownRates;
use super::rate_tour::RateTour;
use super::settings::PortSettings;
use super::settings_change::PendingChange;
use super::source::OpenedDevice;
use super::source::serial::os;
use super::stream_start::{self, StreamStart};
use super::transfer::{Step, Transfer};
use super::wait_for_readers;
use super::writer::Writer;
use crate::deadline::until;
use crate::hub::{Action, DeviceInfo, ErrorCode, Hub, LineSettings, Request, Status};
use crate::platform;

/// The delay before repeating a read or write that a signal interrupted, or that the device
/// refused although it was said to be ready. Long enough not to spin if that goes on.
const TRANSIENT_RETRY_DELAY: Duration = Duration::from_millis(1);

/// An open device at work.
pub(crate) struct Connection<'a> {
    pub(super) transfer: Transfer,
    pub(super) writer: Writer<'a>,
    pub(super) backlog: Backlog,
    pub(super) pacer: Pacer,
    /// Asks the same again and again, where that is wanted.
    pub(super) poller: Option<Poller>,
    pub(super) framer: &'a mut dyn Framer,
    pub(super) hub: &'a Hub,
    pub(super) config: &'a PortConfig,
    pub(super) settings: &'a mut PortSettings,
    /// The change of settings under way. Nothing is written meanwhile.
    pub(super) change: Option<PendingChange>,
    /// The search for the rate, as long as it goes on.
    pub(super) tour: Option<RateTour>,
    /// A request that waits for the end of the search.
    pub(super) held: Option<Request>,
    /// The rates that were found for boards.
    pub(super) rates: KnownRates,
    /// The status while the device is open, without the state of the line.
    pub(super) status: Status,
    /// Returns the sentence of the status at a rate.
    pub(super) detail: fn(&DeviceInfo, &LineSettings) -> String,
    /// True if a rate means something to the device.
    pub(super) has_rate: bool,
    /// True if its rate can be found by listening.
    pub(super) finds_rate: bool,
    /// True if the device gathers what it receives.
    pub(super) gathers: bool,
    pub(super) hints: Hints,
    pub(super) line: LineWatch,
    /// Tells which line is the first of an opening, a restart or a change of settings, and whether it
    /// is whole.
    pub(super) start: StreamStart,
    /// The time of the last read; None before the first.
    pub(super) last_read: Option<Instant>,
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
        settings: &'a mut PortSettings,
        hub: &'a Hub,
        framer: &'a mut dyn Framer,
    ) -> Self {
        let current = settings.current();
        let now = Instant::now();
        let silence = stream_start::silence(&current, opened.gathers);
        let line = LineWatch::new(&mut *opened.device, Instant::now());
        let expected = Expectations::new(config, &current, opened.has_rate);
        let mut hints = Hints::new(expected);
        hints.await_output(now);
        let settle = current.settle.unwrap_or(opened.settle);
        framer.set_silence(silence);
        framer.begin(opened.starts_whole);
        hub.publish_status(line.complete(status.clone()));
        Self {
            writer: Writer::new(current, hub, &config.frame, settle),
            backlog: Backlog::new(&current, now),
            pacer: Pacer::new(config.pace, config.frame.line_end().unwrap_or(b'\n')),
            poller: config.poll.clone().map(|poll| Poller::new(poll, now)),
            transfer: Transfer::new(opened.device),
            framer,
            hub,
            config,
            settings,
            change: None,
            tour: None,
            held: None,
            rates: KnownRates::default(),
            status,
            detail: opened.detail,
            has_rate: opened.has_rate,
            finds_rate: opened.finds_rate,
            gathers: opened.gathers,
            hints,
            line,
            start: StreamStart::new(silence, opened.starts_whole, now),
            last_read: None,
            read_pause: None,
            published: 0,
            retry: None,
        }
    }

    /// Makes the `changes` of settings that came while the device was opened, and works until it is
    /// lost or released, or the program stops.
    pub(crate) async fn run(&mut self, changes: Vec<Request>, stop: &CancellationToken) -> End {
        if let Some(end) = self.begin_changes(changes) {
            return end;
        }
        loop {
            if let Some(end) = self.work(stop).await {
                return end;
            }
        }
    }

    /// Begins changes of settings. Refuses the rest where one gives a reason to end.
    fn begin_changes(&mut self, changes: Vec<Request>) -> Option<End> {
        let mut changes = changes.into_iter();
        while let Some(change) = changes.next() {
            if let Some(end) = self.begin(change) {
                changes.for_each(|change| PendingChange::refuse(change, end.reason()));
                return Some(end);
            }
        }
        None
    }

    /// Goes on with what is to be done next, or waits for it. Returns the reason to end, if there is
    /// one.
    async fn work(&mut self, stop: &CancellationToken) -> Option<End> {
        self.update_read_pause();
        self.note_restart();
        self.await_reply();
        self.note_poll();
        let is_changing = self.change.is_some();
        let (holds, takes) = (self.holds_writes(), self.takes_request());
        let may_interrupt = !is_changing && !holds && self.writer.may_interrupt();
        if self.writer.unwritten().is_some()
            && may_interrupt
            && let Some(request) = self.hub.queue.try_take_urgent()
        {
            self.writer.begin(request, &mut *self.transfer.device);
            return None;
        }
        let is_idle = !is_changing && self.writer.is_idle(self.start.awaits_first());
        if is_idle && let Some(request) = self.take_held() {
            return self.begin(request);
        }
        let is_idle = is_idle && !holds;
        let poll_due = self.poll_due(is_idle);
        let (has_question, asker) = (self.writer.has_question(), self.writer.asker());
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
            () = stop.cancelled() => Some(End::Stopped),
            request = hub.queue.take_immediate() => self.begin_immediate(request),
            step = step, if may_transfer => {
                let has_read = matches!(step, Ok(Step::Read(_)));
                let end = self.transferred(step);
                if end.is_none() {
                    self.give_way(has_read).await;
                }
                end
            }
            request = hub.queue.take_urgent(), if may_interrupt || takes => {
                self.begin_or_hold(request)
            }
            request = hub.queue.take(break_of), if is_idle || takes => self.begin_or_hold(request),
            () = poll_turn(hub, poll_due) => self.poll().and_then(|poll| self.begin(poll)),
            end = hub.queue.question_end(), if has_question => {
                self.writer.end_question(end.into());
                None
            }
            request = beside_question(hub, asker), if asker.is_some() && !is_changing => {
                self.begin_or_hold(request)
            }
            () = wait_for_readers(hub, read_pause) => None,
            () = until(deadline) => self.on_deadline(Instant::now()),
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
                request.done();
            }
            Action::Resume(_) => request.done(),
            _ => self.reset(request),
        }
        None
    }

    /// Resets the board, and drops what was asked before.
    fn reset(&mut self, request: Request) {
        if self.writer.reset(request, &mut *self.transfer.device)
            && let Some(change) = self.change.take_if(|change| change.is_droppable())
        {
            change.give_up("the board was reset");
        }
    }

    /// Fails all requests, and returns the device to be closed.
    pub(crate) fn into_device(mut self, end: &End) -> Box<dyn Device> {
        let reason = end.reason();
        if let Some(change) = self.change.take() {
            change.give_up(reason);
        }
        self.end_tour(reason);
        let code = Some(ErrorCode::Gone);
        self.writer
            .give_up(reason, code, &mut *self.transfer.device);
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
            self.change.as_ref().map(|change| change.due),
            self.tour.as_ref().and_then(RateTour::deadline),
            self.line.deadline(),
            self.framing_deadline(),
            self.hints.deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }

    fn backlog_deadline(&self) -> Option<Instant> {
        let deadlines = [self.backlog.deadline(), self.pacer.deadline()];
        self.writer.unwritten()?;
        deadlines.into_iter().flatten().min()
    }

    pub(super) fn framing_deadline(&self) -> Option<Instant> {
        self.framer.deadline(self.last_read?)
    }

    /// Goes on with all that is due. Returns the reason to end, if it is one.
    fn on_deadline(&mut self, now: Instant) -> Option<End> {
        self.retry.take_if(|at| *at <= now);
        self.pacer.on_deadline(now);
        self.start.on_deadline(now);
        self.writer.on_deadline(now, &mut *self.transfer.device);
        self.publish_line(now);
        if let Some(hint) = self.hints.on_silence(now) {
            self.publish_hint(hint);
        }
        self.on_framing_deadline(now);
        self.on_tour_deadline(now);
        self.go_on_changing(now)
    }

    /// Goes on after a read or a write. Returns the reason to end, if it is one.
    fn transferred(&mut self, step: io::Result<Step>) -> Option<End> {
        match step {
            Ok(Step::Read(0)) => return self.read_nothing(),
            Ok(Step::Read(count)) => self.received(count),
            Ok(Step::Wrote(count)) => {
                self.handed(count, Instant::now());
                if self.writer.writes_question() {
                    self.transfer.read_first();
                }
            }
            Ok(Step::Silent) => {
                self.start.found_silence();
                self.begin_stream(true, Instant::now());
            }
            Err(error) if os::is_transient(&error) => {
                self.retry = Some(Instant::now() + TRANSIENT_RETRY_DELAY);
            }
            Err(error) => return Some(End::Lost(platform::reason(&error))),
        }
        None
    }
}

/// Returns when every task that was ready has had its turn, so that a flood does not outrun
/// clients that could keep up, and no line waits for the next read.
pub(super) async fn after_other_tasks() {
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
