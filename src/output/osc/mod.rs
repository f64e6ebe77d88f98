//! Sends all ports by OSC (Open Sound Control 1.0) in UDP datagrams, to Max, TouchDesigner, SuperCollider
//! and their like, and writes what they send.
//!
//! | address | arguments |
//! |---|---|
//! | `/serial/PORT/NAME` | a value that has a name, one message each, all of a line in a bundle |
//! | `/serial/PORT` | the values of a line, where they have none |
//! | `/serial` | the name of the port and the line, if lines were asked for |
//! | `/send` | the name of a port and what is to be written there |
//!
//! `ports` has all ports, `message` makes and reads messages, `sender` follows one port, `targets` looks
//! receivers up, and `listener` receives. UDP tells nobody whether something arrived.

#[cfg(feature = "osc")]
mod listener;
#[cfg(feature = "osc")]
mod message;
#[cfg(feature = "osc")]
mod ports;
#[cfg(feature = "osc")]
mod sender;
mod target;
#[cfg(feature = "osc")]
mod targets;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

#[cfg(feature = "osc")]
pub(crate) use ports::Osc;
pub(crate) use target::OscTarget;

/// The ports that are sent by OSC, which this build lacks.
#[cfg(not(feature = "osc"))]
pub(crate) type Osc = super::absent::Absent<OscConfig, OscCounters>;

/// The configuration of OSC.
#[derive(Clone, Debug)]
pub(crate) struct OscConfig {
    /// The receivers.
    pub(crate) targets: Vec<OscTarget>,
    /// True if lines are sent, instead of values.
    pub(crate) sends_lines: bool,
    /// The addresses at which messages to be written are received.
    pub(crate) listen: Vec<SocketAddr>,
    /// Bytes that one message may write.
    pub(crate) max_message: usize,
}

/// The numbers of OSC, for `/metrics`.
#[derive(Default)]
pub(crate) struct OscCounters {
    sent: AtomicU64,
    failed: AtomicU64,
    dropped_writes: AtomicU64,
}

impl OscCounters {
    /// Returns each number with its name and its help, as metrics have them.
    pub(crate) fn metrics(&self) -> [(&'static str, &'static str, u64); 3] {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        [
            (
                "osc_datagrams_total",
                "OSC datagrams sent",
                load(&self.sent),
            ),
            (
                "osc_failed_total",
                "OSC datagrams that the system did not send",
                load(&self.failed),
            ),
            (
                "osc_dropped_writes_total",
                "OSC messages that were not written",
                load(&self.dropped_writes),
            ),
        ]
    }
}
