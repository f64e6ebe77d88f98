//! The limit on clients connected at once, in total (`--max-clients`) and per address.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::clients_per_address::{AddressPermit, ClientsPerAddress, MAX_CLIENTS_PER_ADDRESS};

/// Counts the clients that are connected.
pub(crate) struct ClientLimit {
    max: usize,
    available: Arc<Semaphore>,
    per_address: ClientsPerAddress,
}

/// A client's place under both limits, released when dropped.
pub(crate) struct ClientPermit {
    _total: OwnedSemaphorePermit,
    _address: Option<AddressPermit>,
}

impl ClientLimit {
    /// Returns a limit of `max` clients, none of which is connected yet.
    pub(crate) fn new(max: usize) -> Self {
        // No limit is reached beyond what a semaphore can count.
        let max = max.min(Semaphore::MAX_PERMITS);
        Self {
            max,
            available: Arc::new(Semaphore::new(max)),
            per_address: ClientsPerAddress::default(),
        }
    }

    /// Returns the number of clients that are connected.
    pub(crate) fn connected(&self) -> usize {
        self.max - self.available.available_permits()
    }

    /// Takes a place for a client from `address`; clients of this computer have none, and are
    /// limited in total only.
    ///
    /// # Errors
    /// The reason, short enough for a Close frame, when a limit is reached.
    pub(crate) fn try_acquire(&self, address: Option<IpAddr>) -> Result<ClientPermit, String> {
        let max = self.max;
        let total = Arc::clone(&self.available).try_acquire_owned();
        let total = total
            .map_err(|_| format!("{max} clients are connected already (--max-clients {max})"))?;
        let address = address.map(|address| self.per_address.try_acquire(address));
        let address = address.map(|permit| {
            permit.ok_or_else(|| {
                format!("{MAX_CLIENTS_PER_ADDRESS} clients of your computer are connected already")
            })
        });
        Ok(ClientPermit {
            _total: total,
            _address: address.transpose()?,
        })
    }
}
