//! Keeps a port open: opens its device, and opens it again after a loss or a lease. The supervisor
//! never gives up; each attempt to open and each connection may fail at any time.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::claims::Claims;
use super::closing::{Closed, Closing};
use super::config::PortConfig;
use super::connection::{Connection, End};
use super::framing::Framer;
use super::source::serial::os;
use super::source::{self, OpenFailure, OpenedDevice, Source};
use super::{QUICK_RETRY_DELAY, diagnostics, lease, modem_lines, until};
use crate::hub::{Action, Hub, Kind, Lease, Request, RequestError, State, Status, Timestamp};

/// The time for which a device that is there may fail to open before clients are told: the system
/// may be about to hand it out, or another program to close it.
const FAILURE_REPORT_DELAY: Duration = Duration::from_secs(1);

/// The detail of a status while a closed device is not free.
const STILL_HELD: &str =
    "the system still holds the port, because the device does not accept its output";

/// A port and all that keeps it open.
pub(crate) struct Supervisor {
    pub(super) config: PortConfig,
    hub: Arc<Hub>,
    pub(super) source: Box<dyn Source>,
    framer: Box<dyn Framer>,
    pub(super) closing: Closing,
    /// The status that clients know.
    pub(super) status: Status,
    /// True if the device was lost since it was open last.
    was_lost: bool,
    /// The state in which the device that is there could not be opened last, and since when.
    open_failing_since: Option<(State, Instant)>,
}

/// The next thing to do with a port.
pub(super) enum Next {
    /// Opens the device, for the client of this request if one asked for it.
    Open(Option<Request>),
    /// Waits so long before it opens the device.
    Wait(Duration),
    /// Leaves the device to another program.
    Lease(Lease, Request),
    /// Ends, because the program stops.
    Stop,
}

impl Supervisor {
    /// Prepares a port, and claims its device. Opens nothing yet.
    pub(crate) fn new(config: PortConfig, hub: Arc<Hub>, claims: &Claims) -> Self {
        let source = source::source(&config, claims);
        let framer = config.frame.framer(config.max_line);
        Self::with_parts(config, hub, source, framer)
    }

    pub(super) fn with_parts(
        config: PortConfig,
        hub: Arc<Hub>,
        source: Box<dyn Source>,
        framer: Box<dyn Framer>,
    ) -> Self {
        Self {
            status: hub.status(),
            config,
            hub,
            source,
            framer,
            closing: Closing::default(),
            was_lost: false,
            open_failing_since: None,
        }
    }

    /// Keeps the port open until the program stops.
    ///
    /// # Errors
    /// If the first attempt shows that the port can never be opened: it is no serial port, the
    /// device refuses its settings, or the user does not want to wait for a device.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> Result<Closed> {
        for hint in diagnostics::of_settings(&self.config, os::cannot_keep_lines()) {
            tracing::warn!(port = self.config.name, "{hint}");
        }
        let mut next = self.open_first(&stop).await?;
        loop {
            next = match next {
                Next::Open(request) => self.open(request, &stop).await,
                Next::Wait(time) => {
                    let waiting = self.wait_closed(Some(Instant::now() + time), None);
                    stop.run_until_cancelled(waiting)
                        .await
                        .unwrap_or(Next::Stop)
                }
                Next::Lease(lease, request) => {
                    let leasing = self.lease(lease, request);
                    stop.run_until_cancelled(leasing)
                        .await
                        .unwrap_or(Next::Stop)
                }
                Next::Stop => return Ok(self.closing.state()),
            };
        }
    }

    /// Opens the device for the first time. Requests that come before wait for the outcome.
    async fn open_first(&mut self, stop: &CancellationToken) -> Result<Next> {
        match stop.run_until_cancelled(self.source.open()).await {
            None => Ok(Next::Stop),
            Some(Ok(opened)) => Ok(self.serve_device(opened, None, stop).await),
            Some(Err(failure)) if failure.is_permanent || self.config.no_wait => {
                bail!(failure.status.sentence());
            }
            Some(Err(failure)) => {
                self.report(failure);
                Ok(Next::Wait(self.source.retry_delay()))
            }
        }
    }

    /// Opens the device again. The client that asked for it hears of the outcome.
    async fn open(&mut self, request: Option<Request>, stop: &CancellationToken) -> Next {
        if self.closing.state() == Closed::Stuck {
            // Opening would block in the system, and nobody would be answered.
            let status = Status::new(State::Busy, STILL_HELD);
            let status = status.with_hint("Unplug the device, or wait up to 30 s");
            return self.open_failed(status.into(), request);
        }
        let may_wait = self.may_requests_wait();
        let opened = tokio::select! {
            () = stop.cancelled() => return Next::Stop,
            opened = self.source.open() => opened,
            never = refuse_all(&self.hub, &self.status), if !may_wait => match never {},
        };
        match opened {
            Ok(opened) => self.serve_device(opened, request, stop).await,
            Err(failure) => self.open_failed(failure, request),
        }
    }

    fn open_failed(&mut self, failure: OpenFailure, request: Option<Request>) -> Next {
        let next = self.report_open_failure(failure);
        if let Some(request) = request {
            request.end(Ok(0));
        }
        next
    }

    /// Returns true if what is asked for before the device is open is for that device: at the
    /// start, and when it comes back from another program.
    fn may_requests_wait(&self) -> bool {
        let is_first = self.hub.counters.opened.load(Ordering::Relaxed) == 0;
        is_first || self.status.state == State::Released
    }

    /// Works with an open device until it is lost or released, or the program stops, and closes it.
    async fn serve_device(
        &mut self,
        opened: OpenedDevice,
        request: Option<Request>,
        stop: &CancellationToken,
    ) -> Next {
        self.note_opening();
        let status = Status::new(State::Open, &opened.detail)
            .with_settings(self.config.line)
            .with_device(Some(Arc::new(opened.info.clone())));
        tracing::info!(port = self.config.name, "{}", status.detail);
        self.status = status.clone();
        let (config, hub, framer) = (&self.config, &self.hub, &mut *self.framer);
        let mut connection = Connection::new(opened, status, config, hub, framer);
        if let Some(request) = request {
            request.end(Ok(0));
        }
        let end = connection.run(stop).await;
        let device = connection.into_device(&end);
        if let Some(rest) = self.framer.cut() {
            self.hub.publish(Timestamp::now(), Kind::Data(rest));
        }
        if let End::Lost(reason) = &end {
            self.report_loss(reason);
        }
        let lines = modem_lines::closing(&self.config.line);
        if self.closing.close(device, lines).await == Closed::Stuck {
            tracing::warn!(port = self.config.name, "{STILL_HELD}");
        }
        match end {
            End::Stopped => {
                self.source.release(false);
                Next::Stop
            }
            End::Lost(_) => {
                self.source.release(true);
                Next::Wait(self.source.retry_delay())
            }
            // A device that is leased stays this port's own.
            End::Released(lease, request) => Next::Lease(lease, request),
        }
    }

    /// Counts an opening, and refuses what was asked for before: it is not for a board that has
    /// just started.
    fn note_opening(&mut self) {
        self.open_failing_since = None;
        let counters = &self.hub.counters;
        if std::mem::take(&mut self.was_lost) {
            counters.reconnects.fetch_add(1, Ordering::Relaxed);
        }
        let may_wait = self.may_requests_wait();
        counters.opened.fetch_add(1, Ordering::Relaxed);
        if !may_wait {
            while let Some(request) = self.hub.queue.try_take() {
                refuse(&self.status, request);
            }
        }
    }

    fn report_loss(&mut self, reason: &str) {
        self.was_lost = true;
        let device = self.status.device.clone();
        let path = device.as_ref().map_or("", |device| &device.path);
        let status = Status::new(State::Lost, format!("{path} was lost: {reason}"));
        tracing::warn!(port = self.config.name, "{}", status.detail);
        let hint = self.source.lost_hint();
        self.publish_status(status.with_hint(hint).with_device(device));
    }

    /// Answers requests while the port is closed, until the deadline or a request to open it. The
    /// `borrower` is the client to which the port is leased while it is connected.
    pub(super) async fn wait_closed(
        &self,
        deadline: Option<Instant>,
        borrower: Option<u64>,
    ) -> Next {
        loop {
            tokio::select! {
                biased;
                () = until(deadline) => return Next::Open(None),
                request = self.hub.queue.take_immediate() => match request.action {
                    Action::Release(_) if borrower.is_some_and(|id| id != request.client) => {
                        request.end(Err(RequestError::new(lease::TAKEN)));
                    }
                    Action::Release(lease) => return Next::Lease(lease, request),
                    Action::Return if borrower != Some(request.client) => request.end(Ok(0)),
                    Action::Resume | Action::Return => return Next::Open(Some(request)),
                    _ => refuse(&self.status, request),
                },
                request = self.hub.queue.take_any() => refuse(&self.status, request),
            }
        }
    }

    /// Reports that the device cannot be opened, unless that may pass, and tells when to try again.
    fn report_open_failure(&mut self, failure: OpenFailure) -> Next {
        let state = failure.status.state;
        let failing = self.open_failing_since.take();
        // A board that was leased may just be starting.
        if !failure.is_absent || self.status.state == State::Released {
            let now = Instant::now();
            let since = failing.filter(|(before, _)| *before == state);
            let since = since.map_or(now, |(_, since)| since);
            self.open_failing_since = Some((state, since));
            if now - since < FAILURE_REPORT_DELAY {
                return Next::Wait(QUICK_RETRY_DELAY);
            }
        }
        self.report(failure);
        Next::Wait(self.source.retry_delay())
    }

    /// Publishes why the device cannot be opened, once for each new reason.
    fn report(&mut self, failure: OpenFailure) {
        let last = &self.status;
        let status = (*failure.status).with_device(last.device.clone());
        // That a device is absent is no news after it was lost.
        let is_news = !(failure.is_absent && last.state == State::Lost);
        let status = status.with_settings(self.config.line);
        if is_news && !last.says_the_same(&status) {
            tracing::warn!(port = self.config.name, "{}", status.sentence());
            self.publish_status(status);
        }
    }

    pub(super) fn publish_status(&mut self, status: Status) {
        self.status = status.with_settings(self.config.line);
        self.hub.publish_status(self.status.clone());
    }
}

/// Refuses what waits its turn while the port is not open. Immediate requests are for the open port.
async fn refuse_all(hub: &Hub, status: &Status) -> Infallible {
    loop {
        refuse(status, hub.queue.take_any().await);
    }
}

fn refuse(status: &Status, request: Request) {
    let reason = format!("the port is not open: {}", status.detail);
    request.end(Err(RequestError::new(reason)));
}
