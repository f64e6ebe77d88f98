//! Below the hub: opens a device, reads and writes it, and says how it is.
//!
//! [`run`] never gives a port up; each attempt to open and each open device may end at any time.

mod config;
mod connection;
pub(crate) mod device;
mod diagnostics;
#[cfg(test)]
mod faults;
pub(crate) mod framing;
mod lease;
mod modem_lines;
pub(crate) mod source;

use std::convert::Infallible;
use std::future::ready;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::sync::oneshot::{self, error::TryRecvError};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::hub::LineErrors;
use crate::hub::{Action, Hub, Kind, Lease, Request, RequestError, State, Status, Timestamp};
use connection::{End, Link};
use device::Device;
use framing::lines::Framer;
use source::serial::identity::Identity;
use source::serial::open::Failure;
use source::serial::os;
use source::serial::selector::{Opened, Wanted};
use source::spec::Spec;

pub(crate) use config::{PortConfig, is_name};
pub(crate) use source::serial::open::{denied, in_use};

/// How long to wait before looking again for a device that is not there or cannot be opened.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// How soon to try again to open a device that is there: when it has just come, the system may
/// take a moment to hand it out.
const TRY_AGAIN: Duration = Duration::from_millis(50);

/// How long it may take the system to hand out a device that has just come, or another program to
/// have done with it, before clients are told.
const HANDING_OUT: Duration = Duration::from_secs(1);

/// How long a device has to close before it is left to the system.
const CLOSE_WITHIN: Duration = Duration::from_millis(500);

/// The path of the device that is meant by one of the `ports`, without opening it.
///
/// # Errors
/// Why there is none, in words for the user.
pub(crate) fn find(port: &PortConfig, ports: &[PortConfig]) -> Result<String, Status> {
    let mut others = claims(ports);
    others.retain(|claim| claim.port != port.name);
    let found = source::serial::find::find(&port.spec, None, &others);
    found
        .map(|target| target.path)
        .map_err(|failure| failure.status)
}

/// What this program's ports hold or wait for, so that none takes another's device.
pub(crate) type Claims = Arc<Mutex<Vec<Claim>>>;

/// What one port holds or waits for.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    /// The name of the port.
    port: String,
    /// Which device it wants.
    spec: Spec,
    /// The path of the device that it has open.
    path: Option<String>,
    /// The device that it has open, or had last.
    identity: Option<Identity>,
}

/// The claims of these ports before any is opened.
fn claims(ports: &[PortConfig]) -> Vec<Claim> {
    ports.iter().map(Claim::new).collect()
}

impl Claim {
    fn new(port: &PortConfig) -> Self {
        Self {
            port: port.name.clone(),
            spec: port.spec.clone(),
            path: None,
            identity: None,
        }
    }
}

/// Claims the device of a port before it is opened.
pub(crate) fn claim(claims: &Claims, port: &PortConfig) {
    with_claims(claims, |claims| claims.push(Claim::new(port)));
}

/// Gives up the claim of the port called `name`.
pub(crate) fn unclaim(claims: &Claims, name: &str) {
    with_claims(claims, |claims| claims.retain(|claim| claim.port != name));
}

/// Whether a port that was to be closed is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// It is.
    Free,
    /// The system still holds it, for output that the device does not take.
    Stuck,
}

/// Keeps a port open until the program stops.
///
/// # Errors
/// At the first attempt only: what is no serial port, settings that the device refuses, or,
/// where the user does not want to wait, any device that cannot be opened.
pub(crate) async fn run(
    config: PortConfig,
    hub: Arc<Hub>,
    held: Claims,
    stop: CancellationToken,
) -> Result<Closed> {
    for hint in diagnostics::of_settings(&config, os::cannot_keep_lines()) {
        tracing::warn!(port = config.name, "{hint}");
    }
    let framer = Framer::new(config.max_line);
    let wanted = Wanted::new(&config, held);
    Port {
        config,
        hub,
        wanted,
        framer,
        closing: None,
        trouble: None,
    }
    .keep_open(&stop)
    .await
}

/// A port and what it has to do with.
struct Port {
    config: PortConfig,
    hub: Arc<Hub>,
    wanted: Wanted,
    framer: Framer,
    /// The end of a close that takes its time is heard here.
    closing: Option<oneshot::Receiver<()>>,
    /// Why a device that is there could not be opened last, and since when.
    trouble: Option<(State, Instant)>,
}

/// What happened while a port was not open.
enum Idle {
    /// It is time to look for the device again.
    Over,
    /// The port is lent, to the client that asks for it.
    Lent(Lease, Request),
}

impl Port {
    async fn keep_open(mut self, stop: &CancellationToken) -> Result<Closed> {
        let (mut may_give_up, mut is_lost) = (true, false);
        loop {
            // Opening would wait in the system, where it can hear nobody.
            let is_stuck = self.closed() == Closed::Stuck;
            let opened = tokio::select! {
                () = stop.cancelled() => return Ok(self.closed()),
                opened = self.wanted.open(), if !is_stuck => opened,
                () = ready(()), if is_stuck => Err(still_closing()),
                // What is asked for before the first attempt has ended waits for it.
                never = refuse_all(&self.hub), if !may_give_up => match never {},
            };
            let mut lent = None;
            let mut pause = LOOK_AGAIN;
            match opened {
                Ok(opened) => {
                    if std::mem::take(&mut is_lost) {
                        let reconnects = &self.hub.counters.reconnects;
                        reconnects.fetch_add(1, Ordering::Relaxed);
                    }
                    match self.hold(opened, stop).await {
                        End::Stopped => return Ok(self.closed()),
                        End::Lost(_) => is_lost = true,
                        End::Released(lease, request) => lent = Some((lease, request)),
                    }
                }
                Err(failure) if may_give_up && (failure.is_final || self.config.no_wait) => {
                    bail!(failure.status.sentence());
                }
                Err(failure) => pause = self.tell(failure, may_give_up),
            }
            may_give_up = false;
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.wait(lent, pause) => {}
            }
            if stop.is_cancelled() {
                return Ok(self.closed());
            }
        }
    }

    /// Holds an open device until it is lost, lent, or the program stops, and closes it.
    async fn hold(&mut self, opened: Opened, stop: &CancellationToken) -> End {
        let Self {
            config,
            hub,
            framer,
            trouble,
            ..
        } = self;
        *trouble = None;
        if hub.counters.opened.fetch_add(1, Ordering::Relaxed) > 0 {
            // What was asked for before is not for a board that has just started.
            while let Some(request) = hub.queue.try_take() {
                refuse(hub, request);
            }
        }
        let detail = opened.sentence(&config.line);
        let info = Some(Arc::new(opened.info));
        tracing::info!(port = config.name, "{detail}");
        // A device whose driver counts what goes wrong begins with none of it.
        let errors = opened.device.line_errors().map(|_| LineErrors::default());
        let status = Status::new(State::Open, detail).with_errors(errors);
        hub.publish_status(status.with_device(info.clone()));
        let mut link = Link::new(opened.device, config, hub, framer, opened.settle);
        let end = link.run(opened.starts_whole, stop).await;
        let device = link.into_device(&end);
        if let Some(rest) = framer.cut() {
            hub.publish(Timestamp::now(), Kind::Data(rest));
        }
        if let End::Lost(reason) = &end {
            let path = info
                .as_ref()
                .map_or_else(String::new, |info| info.path.clone());
            let status = Status::new(State::Lost, format!("{path} was lost: {reason}"));
            tracing::warn!(port = config.name, "{}", status.detail);
            hub.publish_status(status.with_hint("Plug it in again").with_device(info));
        }
        self.close(device).await;
        // A device that is lent stays this port's own.
        if !matches!(end, End::Released(..)) {
            self.wanted.let_go(matches!(end, End::Lost(_)));
        }
        end
    }

    /// Waits until it is time to open the port again: at once after a lease, else after a pause.
    async fn wait(&mut self, lent: Option<(Lease, Request)>, pause: Duration) {
        let look_again = Some(Instant::now() + pause);
        let (lease, request) = match lent {
            Some(lent) => lent,
            None => match self.idle(look_again, None).await {
                Idle::Over => return,
                Idle::Lent(lease, request) => (lease, request),
            },
        };
        self.lend(lease, request).await;
    }

    /// Answers requests while the port is not open, until the deadline. A client to which the port
    /// is lent for as long as it is connected is its `borrower`.
    async fn idle(&self, deadline: Option<Instant>, borrower: Option<u64>) -> Idle {
        loop {
            tokio::select! {
                biased;
                () = until(deadline) => return Idle::Over,
                request = self.hub.queue.take_urgent() => match request.action {
                    Action::Release(_) if borrower.is_some_and(|id| id != request.client) => {
                        request.end(Err(RequestError::new(lease::TAKEN)));
                    }
                    Action::Release(lease) => return Idle::Lent(lease, request),
                    Action::Return if borrower != Some(request.client) => request.end(Ok(0)),
                    Action::Resume | Action::Return => {
                        request.end(Ok(0));
                        return Idle::Over;
                    }
                    _ => refuse(&self.hub, request),
                },
                request = self.hub.queue.take() => refuse(&self.hub, request),
            }
        }
    }

    /// Closes a device on a thread of its own: the system may keep the caller waiting for output
    /// that the device does not take.
    async fn close(&mut self, mut device: Box<dyn Device>) {
        let script = modem_lines::closing(&self.config.line);
        let (done, mut closed) = oneshot::channel();
        tokio::task::spawn_blocking(move || {
            // A device that has gone or has no modem lines has nothing to release.
            let _ = script
                .into_iter()
                .try_for_each(|(_, act)| modem_lines::act(&mut *device, act));
            device.close();
            // Nobody may be waiting any longer.
            let _ = done.send(());
        });
        self.closing = None;
        if timeout(CLOSE_WITHIN, &mut closed).await.is_err() {
            let name = &self.config.name;
            tracing::warn!(
                port = name,
                "the system still holds the port for output that the device does not take"
            );
            self.closing = Some(closed);
        }
    }

    /// Whether the device that was open last is closed by now.
    fn closed(&mut self) -> Closed {
        let closing = self.closing.as_mut().map(oneshot::Receiver::try_recv);
        match closing {
            Some(Err(TryRecvError::Empty)) => Closed::Stuck,
            _ => Closed::Free,
        }
    }

    /// Says why the device could not be opened, once for each new reason, and returns how long to
    /// wait before the next attempt.
    fn tell(&mut self, failure: Failure, is_first: bool) -> Duration {
        let state = failure.status.state;
        let now = Instant::now();
        let trouble = self.trouble.take();
        let last = self.hub.status();
        // A board that was lent may just be starting.
        let may_pass = !failure.is_absent || last.state == State::Released;
        if may_pass {
            let since = trouble.filter(|(before, _)| *before == state);
            let since = since.map_or(now, |(_, since)| since);
            self.trouble = Some((state, since));
            if !is_first && now - since < HANDING_OUT {
                return TRY_AGAIN;
            }
        }
        let status = failure.status.with_device(last.device.clone());
        // Of a device that was lost it is no news that it is absent.
        let is_news = !(failure.is_absent && last.state == State::Lost);
        if is_news && !last.says_the_same(&status) {
            tracing::warn!(port = self.config.name, "{}", status.sentence());
            self.hub.publish_status(status);
        }
        LOOK_AGAIN
    }
}

/// Why a device cannot be opened that the system has not closed yet.
fn still_closing() -> Failure {
    let detail = "the system still holds the port for output that the device does not take";
    let status = Status::new(State::Busy, detail);
    status
        .with_hint("Unplug the device, or wait up to 30 s")
        .into()
}

/// Refuses what waits its turn while the port is not open. The rest is for the open port.
async fn refuse_all(hub: &Hub) -> Infallible {
    loop {
        let request = hub.queue.take().await;
        refuse(hub, request);
    }
}

fn refuse(hub: &Hub, request: Request) {
    let detail = hub.status().detail;
    request.end(Err(RequestError::new(format!(
        "the port is not open: {detail}"
    ))));
}

/// Waits until the moment; for ever if there is none.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Reads or changes what is held; a panic elsewhere does not spoil the list.
fn with_claims<T>(held: &Claims, change: impl FnOnce(&mut Vec<Claim>) -> T) -> T {
    change(&mut held.lock().unwrap_or_else(PoisonError::into_inner))
}
