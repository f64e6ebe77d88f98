//! Limits on connections and clients, so that a flood from one place costs nobody else a place.
//!
//! Connections that are not WebSockets yet and clients are counted apart: however many connections
//! come in, a client keeps its place. Each place is a permit that is released when it is dropped.

mod clients;
mod descriptors;
mod pending_connections;

use std::sync::Arc;

use tokio::sync::Semaphore;

pub(crate) use clients::{ClientLimit, ClientPermit};
pub(crate) use descriptors::Descriptors;
pub(crate) use pending_connections::{ConnectionId, PendingConnections};

/// Clients that are being told at one time why they were rejected, by a Close frame; beyond the
/// limit, a rejected client gets an HTTP error instead, which a web page cannot read.
const MAX_REJECTED_CLIENTS: usize = 64;

/// All limits of the server.
pub(crate) struct Limits {
    /// Connections that are not WebSockets, or not yet.
    pub(crate) pending: Arc<PendingConnections>,
    /// WebSocket clients.
    pub(crate) clients: ClientLimit,
    /// What the system permits to be open at once.
    pub(crate) descriptors: Descriptors,
    /// Clients that are being told why they were rejected.
    pub(crate) rejected: Arc<Semaphore>,
}

impl Limits {
    /// Returns limits with nothing in use, which admit `max_clients` clients. Raises the limit on
    /// descriptors for them.
    pub(crate) fn new(max_clients: usize) -> Self {
        Self {
            pending: Arc::default(),
            clients: ClientLimit::new(max_clients),
            descriptors: Descriptors::raise(max_clients),
            rejected: Arc::new(Semaphore::new(MAX_REJECTED_CLIENTS)),
        }
    }
}
