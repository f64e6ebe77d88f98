//! Below the hub: opens the device of a port, reads and writes it, and publishes its status.
//!
//! | file | what it does |
//! |---|---|
//! | `supervisor` | keeps the port open: opening, retry after a loss, lease |
//! | `source/` | the kinds of device: how a serial port is found and opened, simulated boards |
//! | `connection` | works with an open device until it is lost |
//! | `reception` | frames, hints and statuses from what a device sends |
//! | `transfer`, `writer`, `writing` | reading and writing; the requests of clients |
//! | `asking`, `reply` | questions to the device, and collecting their replies |
//! | `settings`, `settings_change` | which line settings are in force, and changing them |
//! | `pace` | pauses between bytes, lines or messages that are written |
//! | `poll` | asking the same again and again |
//! | `backlog` | how much of a write is handed to the system at once |
//! | `stream_start` | whether the first line after an opening or a restart is whole |
//! | `settle` | when a board that restarts is ready for writes |
//! | `framing/` | cuts what was read into frames |
//! | `rate/`, `rate_tour` | finding the rate of a board by listening at several |
//! | `line_watch` | errors on the line and the modem's inputs |
//! | `modem_lines` | DTR, RTS, break and reset |
//! | `claims` | the devices of this program's ports, so that none takes another's |
//! | `closed` | what is answered while the port is closed |
//! | `closing`, `lease` | closing a device, and leaving it to another program |
//! | `upstream/` | a port of another serial-ws, which takes none of the above |
//! | `diagnostics` | hints about settings that do not fit the board |

mod asking;
mod backlog;
mod claims;
mod closed;
mod closing;
mod config;
mod connection;
pub(crate) mod device;
mod diagnostics;
#[cfg(test)]
mod fake_uart;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod first_lines;
pub(crate) mod framing;
mod lease;
mod line_watch;
mod modem_lines;
mod pace;
mod poll;
mod rate;
mod rate_tour;
mod reception;
mod reply;
mod settings;
mod settings_change;
mod settle;
pub(crate) mod source;
mod stream_start;
mod supervisor;
mod transfer;
pub(crate) mod upstream;
mod writer;
mod writing;

use std::time::Duration;

use tokio::time::Instant;

use std::sync::Arc;

use anyhow::Result;
use tokio_util::sync::CancellationToken;

use crate::hub::{Hub, Status};
use claims::ClaimedDevice;
use source::spec::Spec;
use upstream::UpstreamPort;

pub(crate) use claims::Claims;
pub use closing::Closed;
pub(crate) use config::{DataKind, FixedSettings, MAX_LINE_LIMIT, PortConfig, is_name};
pub(crate) use diagnostics::{Diagnostic, Severity};
pub(crate) use pace::Pace;
pub(crate) use poll::Poll;
pub(crate) use settings::PortSettings;
pub(crate) use source::serial::open::{denied, in_use};
pub(crate) use supervisor::Supervisor;

/// The delay before trying again to open a device that is there: when it has just come, the system
/// may take a moment to hand it out.
const QUICK_RETRY_DELAY: Duration = Duration::from_millis(50);

/// The task that keeps a port open, whatever its device is.
pub(crate) enum PortTask {
    /// That of a device.
    Device(Box<Supervisor>),
    /// That of a port of another serial-ws.
    Upstream(Box<UpstreamPort>),
}

impl From<Supervisor> for PortTask {
    fn from(supervisor: Supervisor) -> Self {
        Self::Device(Box::new(supervisor))
    }
}

impl PortTask {
    /// Prepares a port. `own_run` is that of this program, and `history` the memory for it.
    pub(crate) fn new(
        config: PortConfig,
        hub: Arc<Hub>,
        claims: &Claims,
        (own_run, history): (&str, usize),
    ) -> Self {
        match config.spec.clone() {
            Spec::Upstream(address) => {
                let port = UpstreamPort::new(config, address, hub, own_run, history);
                Self::Upstream(Box::new(port))
            }
            _ => Supervisor::new(config, hub, claims).into(),
        }
    }

    /// Keeps the port open until the program stops.
    ///
    /// # Errors
    /// If the first attempt shows that the port can never be opened.
    pub(crate) async fn run(self, stop: CancellationToken) -> Result<Closed> {
        match self {
            Self::Device(supervisor) => supervisor.run(stop).await,
            Self::Upstream(port) => port.run(stop).await,
        }
    }
}

/// Finds the path of the device that a port means, one of `ports`, without opening it.
///
/// # Errors
/// If there is none: why, in words for the user.
pub(crate) fn find(port: &PortConfig, ports: &[PortConfig]) -> Result<String, Box<Status>> {
    let others = ports.iter().filter(|other| other.name != port.name);
    let claims: Vec<_> = others
        .map(|other| ClaimedDevice::new(&other.name, &other.spec))
        .collect();
    source::serial::find::find(&port.spec, None, &claims)
        .map(|found| found.path)
        .map_err(|failure| failure.status)
}

/// Waits until clients have caught up, at most until the deadline; for ever if there is none.
async fn wait_for_readers(hub: &Hub, deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => hub.wait_for_readers(deadline).await,
        None => std::future::pending().await,
    }
}
