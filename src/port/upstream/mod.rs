//! `ws://HOST[:PORT]/ports/NAME`: a port of another serial-ws, shared on. This one cuts and counts nothing
//! itself: lines, numbers, times and statuses are those of the other one, and what clients ask goes there.
//! So a client may come back to either with the number of its last line.
//!
//! | file | what it does |
//! |---|---|
//! | `address` | where the port is |
//! | `connect` | from there to the greeting, or why there is none |
//! | `session` | one connection at work |
//! | `exchange` | sending and receiving, and whether the other end is still there |
//! | `earlier` | the history of the other one, until all of it is here |
//! | `decode` | what the other one says, as this one publishes it |
//! | `forward` | what clients ask, on its way there and back |

pub(crate) mod address;
mod connect;
mod decode;
mod earlier;
mod exchange;
mod forward;
mod session;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Result, bail};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::closing::Closed;
use super::config::PortConfig;
use super::source::network::Backoff;
use crate::deadline::until;
use crate::hub::{Action, Done, Hub, Request, RequestError, RequestSender, State, Status};
use crate::protocol::HelloMessage;
use address::UpstreamAddress;
use connect::{ConnectFailure, Retry, Since, UpstreamStream, UpstreamWebSocket};
use session::{SessionEnd, UpstreamSession};

pub(crate) use connect::UpstreamAccess;

/// Bytes of history that are taken from the other serial-ws for each byte of memory for it here: lines of
/// the usual length take eight times as much memory as they have bytes.
const HISTORY_SHARE: usize = 8;

/// A port of another serial-ws, and all that keeps the connection to it.
pub(crate) struct UpstreamPort {
    config: PortConfig,
    address: UpstreamAddress,
    hub: Arc<Hub>,
    /// The run of this program, by which a way back to it is known.
    own_run: String,
    max_history: usize,
    backoff: Backoff,
    /// The sender of nothing, whose number stands for all clients of the other serial-ws.
    others: RequestSender,
    /// True if the connection was lost since it was there last.
    was_lost: bool,
    /// The client that asked for the next attempt.
    asked_by: Option<Request>,
}

impl UpstreamPort {
    /// Prepares a port. Connects to nothing yet.
    pub(crate) fn new(
        config: PortConfig,
        address: UpstreamAddress,
        hub: Arc<Hub>,
        own_run: &str,
        history: usize,
    ) -> Self {
        Self {
            others: hub.queue.register().0.of_operator(true),
            max_history: (history / HISTORY_SHARE).max(1),
            own_run: own_run.to_owned(),
            backoff: Backoff::new(),
            was_lost: false,
            asked_by: None,
            config,
            address,
            hub,
        }
    }

    /// Keeps the connection until the program stops.
    ///
    /// # Errors
    /// If the first attempt fails, and the user does not want to wait.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> Result<Closed> {
        let mut is_first = true;
        loop {
            let attempt = self.attempt(std::mem::take(&mut is_first), &stop);
            let failure = match attempt.await {
                Ok(()) => return Ok(Closed::Free),
                Err(failure) => failure,
            };
            if self.config.no_wait && self.hub.upstream_run().is_none() {
                bail!(failure.status.sentence());
            }
            let retry = failure.retry;
            self.report(failure);
            if let Some(request) = self.asked_by.take() {
                request.end(Ok(Done::Written(0)));
            }
            let waiting = self.wait(retry);
            if stop.run_until_cancelled(waiting).await.is_none() {
                return Ok(Closed::Free);
            }
        }
    }

    /// Connects and works until the connection is lost. Returns when the program stops.
    ///
    /// # Errors
    /// The reason why there is no connection any more.
    async fn attempt(
        &mut self,
        is_first: bool,
        stop: &CancellationToken,
    ) -> Result<(), ConnectFailure> {
        let since = self.hub.upstream_run();
        let since = since.map(|run| (run.name.clone(), self.hub.end()));
        // Until it has succeeded.
        self.backoff.ended();
        let (address, access) = (self.address.clone(), self.config.upstream.clone());
        let mut stream: Option<UpstreamStream> = None;
        let hub = Arc::clone(&self.hub);
        let connecting = async {
            let stream = stream.insert(connect::dial(&address, &access).await?);
            greet(&address, &access, since.as_ref(), stream).await
        };
        let (ws, hello) = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            connected = connecting => connected?,
            // At the start, requests wait for the outcome.
            never = refuse_all(&hub), if !is_first => match never {},
        };
        self.check_run(&hello)?;
        self.note_connected();
        tracing::info!(
            port = self.config.name,
            "the board at {address}: {}",
            hello.status.detail
        );
        let others = (self.others.client(), self.max_history);
        let session = UpstreamSession::new(&address, &hub, ws, &hello, others);
        if let Some(request) = self.asked_by.take() {
            request.end(Ok(Done::Written(0)));
        }
        let end = session.run(stop).await;
        self.backoff.ended();
        match end {
            SessionEnd::Stopped => Ok(()),
            SessionEnd::Lost(reason) => Err(self.lost(&reason)),
            SessionEnd::Closed(failure) => Err(*failure),
        }
    }

    /// Checks that the connection does not lead back to this program.
    fn check_run(&self, hello: &HelloMessage<'_>) -> Result<(), ConnectFailure> {
        let run = hello.run.split('.').next().unwrap_or_default();
        if run != self.own_run {
            return Ok(());
        }
        Err(ConnectFailure::new(
            format!("{} leads back to this serial-ws", self.address),
            "Give the address of the serial-ws that has the board",
        ))
    }

    fn note_connected(&mut self) {
        self.backoff.succeeded();
        let counters = &self.hub.counters;
        counters.opened.fetch_add(1, Ordering::Relaxed);
        if std::mem::take(&mut self.was_lost) {
            counters.reconnects.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn lost(&mut self, reason: &str) -> ConnectFailure {
        self.was_lost = true;
        let detail = format!("the connection to {} was lost: {reason}", self.address);
        let status = Status::new(State::Lost, detail).with_hint("It is made again by itself");
        ConnectFailure {
            status: Box::new(status),
            retry: Retry::Soon,
            is_absent: false,
        }
    }

    /// Publishes why there is no connection, once for each new reason.
    fn report(&mut self, failure: ConnectFailure) {
        let last = self.hub.status();
        let status = failure.status.with_device(last.device.clone());
        let status = status.with_settings(last.settings).with_inputs(None);
        // That it cannot be reached is no news after the connection was lost.
        let is_news = !(failure.is_absent && last.state == State::Lost && self.was_lost);
        if is_news && !last.says_the_same(&status) {
            tracing::warn!(port = self.config.name, "{}", status.sentence());
            self.hub.publish_status(status);
        }
    }

    /// Refuses what clients ask until the next attempt, which one of them may ask for.
    async fn wait(&mut self, retry: Retry) {
        let due = match retry {
            Retry::Soon => Some(Instant::now() + self.backoff.delay()),
            Retry::Slowly => {
                self.backoff.slow_down();
                Some(Instant::now() + self.backoff.delay())
            }
            Retry::WhenAsked => None,
        };
        let hub = Arc::clone(&self.hub);
        loop {
            let request = tokio::select! {
                () = until(due) => return,
                request = hub.queue.take_immediate() => request,
                request = hub.queue.take_any() => request,
            };
            if matches!(request.action, Action::Resume(_)) {
                self.asked_by = Some(request);
                return;
            }
            refuse(&hub, request);
        }
    }
}

/// Makes a WebSocket of a connection, and waits for the greeting.
async fn greet<'a>(
    address: &UpstreamAddress,
    access: &UpstreamAccess,
    since: Option<&Since>,
    stream: &'a mut UpstreamStream,
) -> Result<(UpstreamWebSocket<'a>, Box<HelloMessage<'static>>), ConnectFailure> {
    let mut ws = connect::upgrade(address, access, since, stream).await?;
    let hello = connect::hello(address, &mut ws).await?;
    Ok((ws, hello))
}

/// Refuses what clients ask while there is no connection.
async fn refuse_all(hub: &Hub) -> Infallible {
    loop {
        let request = tokio::select! {
            request = hub.queue.take_immediate() => request,
            request = hub.queue.take_any() => request,
        };
        refuse(hub, request);
    }
}

fn refuse(hub: &Hub, request: Request) {
    match request.action {
        Action::Return | Action::ReturnSettings => return request.end(Ok(Done::Written(0))),
        Action::SaveSettings | Action::PassLockOn => {
            hub.unlock(Some(request.client));
        }
        _ => {}
    }
    let reason = format!("the port is not open: {}", hub.status().detail);
    request.end(Err(RequestError::new(reason)));
}
