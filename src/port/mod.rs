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
mod writer;
mod writing;

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::hub::{Hub, Status};
use claims::ClaimedDevice;

pub(crate) use claims::Claims;
pub use closing::Closed;
pub(crate) use config::{DataKind, FixedSettings, MAX_LINE_LIMIT, PortConfig, is_name};
pub(crate) use diagnostics::{Diagnostic, Severity};
pub(crate) use pace::Pace;
pub(crate) use settings::PortSettings;
pub(crate) use source::serial::open::{denied, in_use};
pub(crate) use supervisor::Supervisor;

/// The delay before trying again to open a device that is there: when it has just come, the system
/// may take a moment to hand it out.
const QUICK_RETRY_DELAY: Duration = Duration::from_millis(50);

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

/// Waits until the moment; for ever if there is none.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Waits until clients have caught up, at most until the deadline; for ever if there is none.
async fn wait_for_readers(hub: &Hub, deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => hub.wait_for_readers(deadline).await,
        None => std::future::pending().await,
    }
}
