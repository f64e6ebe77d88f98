//! Keeps a port open: opens its device, and opens it again after a loss or a lease. The supervisor
//! never gives up; each attempt to open and each connection may fail at any time.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::claims::Claims;
use super::closed::{answer_immediate, refuse_all, sort_out};
use super::closing::End;
use super::closing::{Closed, Closing};
use super::config::PortConfig;
use super::connection::Connection;
use super::device::Device;
use super::framing::Framer;
use super::rate::KnownRates;
use super::rate_tour::RateTour;
use super::settings::PortSettings;
use super::source::serial::os;
use super::source::{self, OpenFailure, OpenedDevice, Source};
use super::{QUICK_RETRY_DELAY, diagnostics, modem_lines};
use crate::hub::{Hub, Kind, Lease, Request, State, Status, Timestamp};
use crate::log::throttled::ThrottledLog;

/// The time for which a device that is there may fail to open before clients are told: the system
/// may be about to hand it out, or another program to close it.
const FAILURE_REPORT_DELAY: Duration = Duration::from_secs(1);

/// The detail of a status while a closed device is not free.
const STILL_HELD: &str =
    "the system still holds the port, because the device does not accept its output";

/// A port and all that keeps it open.
pub(crate) struct Supervisor {
    pub(super) config: PortConfig,
    pub(super) settings: PortSettings,
    pub(super) hub: Arc<Hub>,
    pub(super) source: Box<dyn Source>,
    framer: Box<dyn Framer>,
    pub(super) closing: Closing,
    /// The status that clients know.
    pub(super) status: Status,
    /// The reason why a device has other settings than those that clients chose last, until it is told.
    refusal: Option<String>,
    /// The rates that were found for boards.
    rates: KnownRates,
    /// True if the device was lost since it was open last.
    pub(super) was_lost: bool,
    /// The state in which the device that is there could not be opened last, and since when.
    open_failing_since: Option<(State, Instant)>,
    /// The log of a device that is lost soon after each opening.
    pub(super) log: ThrottledLog,
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
        let source = source::source(&config, &hub, claims);
        let framer = config.frame.framer(config.max_line);
        Self {
            rates: claims.rates.clone(),
            ..Self::with_parts(config, hub, source, framer)
        }
    }

    pub(super) fn with_parts(
        config: PortConfig,
        hub: Arc<Hub>,
        source: Box<dyn Source>,
        framer: Box<dyn Framer>,
    ) -> Self {
        Self {
            status: hub.status(),
            settings: PortSettings::new(&config),
            config,
            hub,
            source,
            framer,
            closing: Closing::default(),
            refusal: None,
            rates: KnownRates::default(),
            was_lost: false,
            open_failing_since: None,
            log: ThrottledLog::default(),
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
            Some(Ok(opened)) => Ok(self.serve_device(opened, None, Vec::new(), stop).await),
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
        self.return_settings();
        self.settings.ask_again();
        self.source
            .set_settings(self.settings.current(), self.settings.are_chosen());
        let mut changes = Vec::new();
        let may_be_left = self.source.may_be_left();
        let mut opening = self.source.open();
        let opened = loop {
            tokio::select! {
                () = stop.cancelled() => return Next::Stop,
                opened = &mut opening => break opened,
                never = refuse_all(&self.hub, &self.status, &self.settings, &mut changes),
                    if !may_wait => match never {},
                immediate = self.hub.queue.take_immediate(), if may_be_left => {
                    if let Some(next) = answer_immediate(immediate, &self.status) {
                        return next;
                    }
                }
            }
        };
        drop(opening);
        match opened {
            Ok(opened) => self.serve_device(opened, request, changes, stop).await,
            Err(failure) => {
                for change in changes {
                    self.answer_closed(change);
                }
                self.open_failed(failure, request)
            }
        }
    }

    fn open_failed(&mut self, failure: OpenFailure, request: Option<Request>) -> Next {
        if failure.refuses_settings && self.settings.fall_back() {
            let refusal = format!("{}; the settings before are used", failure.status.detail);
            tracing::warn!(port = self.config.name, "{refusal}");
            self.publish_status(self.status.clone().with_hint(refusal.clone()));
            self.refusal = Some(refusal);
            return Next::Open(request);
        }
        let next = self.report_open_failure(failure);
        if let Some(request) = request {
            request.done();
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
    /// The `changes` of settings came while it was opened.
    async fn serve_device(
        &mut self,
        mut opened: OpenedDevice,
        request: Option<Request>,
        mut changes: Vec<Request>,
        stop: &CancellationToken,
    ) -> Next {
        self.note_opening(&mut changes);
        let tour = RateTour::begin(&self.config, &mut self.settings, &self.rates, &mut opened);
        self.acknowledge_settings(&mut *opened.device);
        let told = opened.device.recorded_change().and_then(|told| told.status);
        if let Some(told) = &told {
            self.settings.adopt(told.settings);
        }
        let current = self.settings.current();
        let (detail, hint) = match told {
            Some(told) => (told.detail, told.hint),
            None => {
                let hint = self.refusal.take().unwrap_or_default();
                ((opened.detail)(&opened.info, &current), hint)
            }
        };
        let status = Status::new(State::Open, detail)
            .with_hint(hint)
            .with_settings(current)
            .with_device(Some(Arc::new(opened.info.clone())));
        self.say(&status);
        self.status = status.clone();
        let (config, hub, framer) = (&self.config, &self.hub, &mut *self.framer);
        let settings = &mut self.settings;
        settings.prove();
        let mut connection = Connection::new(opened, status, config, settings, hub, framer);
        connection.tour = tour;
        connection.rates = self.rates.clone();
        if let Some(request) = request {
            request.done();
        }
        let end = connection.run(changes, stop).await;
        let device = connection.into_device(&end);
        self.close_device(device, end).await
    }

    /// Puts in force what the device says it has, and tells where that is not what was asked for.
    fn acknowledge_settings(&mut self, device: &mut dyn Device) {
        let asked = self.settings.current();
        let in_force = device.settings_in_force(&asked);
        if self.settings.acknowledge(in_force) {
            let hint = format!("It was asked for {asked}, and has {in_force}");
            tracing::warn!(port = self.config.name, "{hint}");
            self.refusal.get_or_insert(hint);
        }
    }

    /// Closes the device with which work ended, and tells what to do next.
    async fn close_device(&mut self, device: Box<dyn Device>, end: End) -> Next {
        if let Some(rest) = self.framer.cut() {
            self.hub.publish(Timestamp::now(), Kind::Data(rest));
        }
        match &end {
            End::Lost(reason) => self.report_loss(reason),
            End::Recorded(status) => self.report_told(status.clone()),
            End::Stopped | End::Released(..) => {}
        }
        let lines = modem_lines::closing(&self.settings.current());
        if self.closing.close(device, lines).await == Closed::Stuck {
            tracing::warn!(port = self.config.name, "{STILL_HELD}");
        }
        match end {
            End::Stopped => {
                self.source.release(false);
                Next::Stop
            }
            End::Lost(_) | End::Recorded(_) => {
                self.source.release(true);
                Next::Wait(self.source.retry_delay())
            }
            // A device that is leased stays this port's own.
            End::Released(lease, request) => Next::Lease(lease, request),
        }
    }

    /// Counts an opening, and refuses what was asked for before: it is not for a board that has
    /// just started. Only `changes` of settings are kept.
    fn note_opening(&mut self, changes: &mut Vec<Request>) {
        self.open_failing_since = None;
        let counters = &self.hub.counters;
        if std::mem::take(&mut self.was_lost) {
            counters.reconnects.fetch_add(1, Ordering::Relaxed);
        }
        let may_wait = self.may_requests_wait();
        counters.opened.fetch_add(1, Ordering::Relaxed);
        if !may_wait {
            while let Some(request) = self.hub.queue.try_take() {
                sort_out(request, &self.status, &self.settings, changes);
            }
        }
    }

    /// Reports that the device cannot be opened, unless that may pass, and tells when to try again.
    fn report_open_failure(&mut self, failure: OpenFailure) -> Next {
        if failure.is_recorded {
            let device = self.status.device.clone();
            self.publish_status(failure.status.with_device(device));
            return Next::Wait(self.source.retry_delay());
        }
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
        // That a device is absent is no news after it was lost, but the reason may be.
        let is_still_lost = failure.is_absent && last.state == State::Lost;
        let status = if !is_still_lost {
            (*failure.status).with_device(last.device.clone())
        } else if failure.explains_loss {
            last.clone().with_hint(failure.status.sentence())
        } else {
            return;
        };
        let status = status.with_settings(self.settings.current());
        if !last.says_the_same(&status) {
            tracing::warn!(port = self.config.name, "{}", status.sentence());
            self.publish_status(status);
        }
    }

    pub(super) fn publish_status(&mut self, status: Status) {
        self.status = status.with_settings(self.settings.current());
        self.hub.publish_status(self.status.clone());
    }
}
