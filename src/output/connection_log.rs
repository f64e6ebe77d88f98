//! The log of one connection of an output. Connections of the same kind from the same address share
//! its limit, so that a page which connects again and again does not fill it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use super::OutputKind;
use crate::log::throttled::ThrottledLog;

/// The log of one connection.
pub(super) struct ConnectionLog {
    log: Arc<ThrottledLog>,
    port: String,
    /// The name of the connection.
    pub(super) name: String,
    /// The part of its name that others from the same address share.
    group: String,
}

impl ConnectionLog {
    /// Starts with nothing logged of a connection to `port`. Those of the same `group` share a limit.
    pub(super) fn new(log: &Arc<ThrottledLog>, port: &str, name: String, group: String) -> Self {
        Self {
            log: Arc::clone(log),
            port: port.to_owned(),
            name,
            group,
        }
    }

    /// Does the same for a TCP connection.
    pub(super) fn of_peer(
        log: &Arc<ThrottledLog>,
        port: &str,
        kind: &OutputKind,
        peer: SocketAddr,
    ) -> Self {
        let (kind, ip) = (kind.name(), peer.ip());
        Self::new(log, port, format!("{kind} {peer}"), format!("{kind} {ip}"))
    }

    /// Says what the connection did.
    pub(super) fn say(&self, what: &str) {
        let key = format!("{what}: {}", self.group);
        let text = format_args!("{what}: {}", self.name);
        self.log.connection(&self.port, &key, text);
    }

    /// Warns of the connection; the same `reason` is the same warning.
    pub(super) fn warn(&self, reason: &str, text: fmt::Arguments<'_>) {
        let key = format!("{}: {reason}", self.group);
        self.log.trouble(&self.port, &key, text);
    }
}
