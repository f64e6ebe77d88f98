//! Limits on connections and clients, so that a flood from one place costs nobody else a place.
//!
//! Connections that are not WebSockets yet and clients are counted apart: however many connections
//! come in, a client keeps its place. Each place is a permit that is released when it is dropped.

mod descriptors;
mod pending_connections;
mod quota;

use std::sync::Arc;

use tokio::sync::Semaphore;

pub(crate) use descriptors::Descriptors;
pub(crate) use pending_connections::{ConnectionId, PendingConnections};
pub(crate) use quota::{Quota, QuotaError, QuotaPermit};

/// Clients that are being told at one time why they were rejected, by a Close frame; beyond the
/// limit, a rejected client gets an HTTP error instead, which a web page cannot read.
const MAX_REJECTED_CLIENTS: usize = 64;

/// Downloads at one time; more are answered with 503. They are fewer than the requests that may be
/// answered at one time, so that downloads that nobody reads keep no place from the pages, `/healthz`
/// and the API.
const MAX_DOWNLOADS: usize = 128;

/// The same limit for one address of another computer.
const MAX_DOWNLOADS_PER_ADDRESS: usize = 16;

/// HTTP requests that write at one time; more are answered with 503. They are fewer than the requests
/// that may be answered at one time, so that a device that takes nothing does not keep others from the
/// request that would help it, such as a reset.
const MAX_WRITES: usize = 128;

/// The same limit for one address of another computer.
const MAX_WRITES_PER_ADDRESS: usize = 16;

/// All limits of the server.
pub(crate) struct Limits {
    /// Connections that are not WebSockets, or not yet.
    pub(crate) pending: Arc<PendingConnections>,
    /// Clients: WebSockets, and streams by HTTP.
    pub(crate) clients: Quota,
    /// Downloads that do not fit into the buffer of a connection, and so may last.
    pub(crate) downloads: Quota,
    /// HTTP requests that write, each of which lasts until the device has taken its bytes.
    pub(crate) writes: Quota,
    /// The descriptors that the system permits to be open at once.
    pub(crate) descriptors: Descriptors,
    /// Clients that are being told why they were rejected.
    pub(crate) rejected: Arc<Semaphore>,
}

impl Limits {
    /// Returns limits with nothing in use, which admit `max_clients` clients. Raises the limit on
    /// descriptors for them.
    pub(crate) fn new(max_clients: usize, max_clients_per_address: usize) -> Self {
        Self {
            pending: Arc::default(),
            clients: Quota::new(max_clients, max_clients_per_address),
            downloads: Quota::new(MAX_DOWNLOADS, MAX_DOWNLOADS_PER_ADDRESS),
            writes: Quota::new(MAX_WRITES, MAX_WRITES_PER_ADDRESS),
            descriptors: Descriptors::raise(max_clients),
            rejected: Arc::new(Semaphore::new(MAX_REJECTED_CLIENTS)),
        }
    }
}
