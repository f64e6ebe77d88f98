//! Below the hub: opens a device, reads and writes it, and says how it is.
//!
//! [`run`] never gives a port up; each attempt to open and each open device may end at any time.

pub mod boards;
pub mod device;
pub mod enumerate;
pub mod framer;
mod hints;
pub mod identity;
mod link;
mod open;
pub mod select;
pub mod sim;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::config::PortConfig;
use crate::hub::{Hub, Kind, Refusal, State, Status, Timestamp};
use framer::Framer;
use link::{End, Link};
use open::{Failure, Opened, Wanted};

/// How long to wait before looking again for a device that is not there or cannot be opened.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// How long a device has to close before it is left to the system.
const CLOSE_WITHIN: Duration = Duration::from_millis(500);

/// The paths that this program's ports hold, so that none takes another's device.
pub type Held = Arc<Mutex<Vec<String>>>;

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
pub async fn run(
    config: PortConfig,
    hub: Arc<Hub>,
    held: Held,
    stop: CancellationToken,
) -> Result<Closed> {
    let mut wanted = Wanted::new(&config, held);
    let mut framer = Framer::new(config.settings.max_line);
    let mut may_give_up = true;
    loop {
        let opened = tokio::select! {
            () = stop.cancelled() => return Ok(Closed::Free),
            opened = wanted.open() => opened,
        };
        match opened {
            Ok(opened) => {
                let (end, closed) = hold(opened, &config, &hub, &mut framer, &stop).await;
                if let End::Stopped = end {
                    return Ok(closed);
                }
                wanted.let_go();
            }
            Err(failure) if may_give_up && (failure.is_final || config.no_wait) => {
                bail!(failure.status.sentence());
            }
            Err(failure) => tell(&config.name, &hub, failure),
        }
        may_give_up = false;
        tokio::select! {
            () = stop.cancelled() => return Ok(Closed::Free),
            () = refuse_until(Instant::now() + LOOK_AGAIN, &hub) => {}
        }
    }
}

/// Holds an open device until it is lost or the program stops, and closes it.
async fn hold(
    opened: Opened,
    config: &PortConfig,
    hub: &Arc<Hub>,
    framer: &mut Framer,
    stop: &CancellationToken,
) -> (End, Closed) {
    let name = &*config.name;
    let detail = opened.sentence(&config.settings);
    let info = Some(Arc::new(opened.info));
    tracing::info!(port = name, "{detail}");
    hub.counters.opened.fetch_add(1, Ordering::Relaxed);
    hub.publish_status(Status::new(State::Open, detail).with_device(info.clone()));
    let mut link = Link::new(opened.device, config, hub, framer, opened.settle);
    let end = link.run(opened.starts_whole, stop).await;
    let device = link.into_device(&end);
    if let Some(rest) = framer.cut() {
        hub.publish(Timestamp::now(), Kind::Data(rest));
    }
    let closed = close(device).await;
    if let End::Lost(reason) = &end {
        let path = info
            .as_ref()
            .map_or_else(|| config.spec.to_string(), |info| info.path.clone());
        let status = Status::new(State::Lost, format!("{path} was lost: {reason}"));
        tracing::warn!(port = name, "{}", status.detail);
        hub.publish_status(status.with_hint("plug it in again").with_device(info));
    }
    (end, closed)
}

/// Closes a device on a thread of its own: the system may keep the caller waiting for output
/// that the device does not take.
async fn close(device: Box<dyn device::Device>) -> Closed {
    let (done, closed) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        device.close();
        // Nobody may be waiting any longer.
        let _ = done.send(());
    });
    if tokio::time::timeout(CLOSE_WITHIN, closed).await.is_err() {
        tracing::warn!("the system still holds the port for output that the device does not take");
        return Closed::Stuck;
    }
    Closed::Free
}

/// Publishes why a device could not be opened, once for each new reason.
fn tell(name: &str, hub: &Hub, failure: Failure) {
    let last = hub.status();
    let status = failure.status.with_device(last.device.clone());
    if !last.says_the_same(&status) {
        if last.state == State::Lost && status.state == State::Waiting {
            // It is still lost; that it is also absent is no news.
            return;
        }
        let sentence = status.sentence();
        tracing::warn!(port = name, "{sentence}");
        hub.publish_status(status);
    }
}

/// Refuses what clients ask of a port that is not open.
async fn refuse_until(deadline: Instant, hub: &Hub) {
    let deadline = sleep_until(deadline);
    tokio::pin!(deadline);
    loop {
        tokio::select! {
            biased;
            () = &mut deadline => return,
            request = hub.queue.take() => {
                let detail = hub.status().detail;
                request.end(Err(Refusal::new(format!("the port is not open: {detail}"))));
            }
        }
    }
}

/// Adds or removes paths that are held; a panic elsewhere does not spoil the list.
fn with_held<T>(held: &Held, change: impl FnOnce(&mut Vec<String>) -> T) -> T {
    change(&mut held.lock().unwrap_or_else(PoisonError::into_inner))
}
