//! The limit on clients connected at once: in total (`--max-clients`), and per address of another
//! computer, so that none takes every place.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Clients from one address; one more is rejected by a Close frame with code 1013.
const MAX_CLIENTS_PER_ADDRESS: usize = 32;

/// Counts the clients that are connected.
pub(crate) struct ClientLimit {
    max: usize,
    clients: Clients,
}

/// The connected clients by the address of their computer; None for this computer.
#[derive(Clone, Default)]
struct Clients(Arc<Mutex<HashMap<Option<IpAddr>, usize>>>);

/// A client's place under both limits, released when dropped.
pub(crate) struct ClientPermit {
    clients: Clients,
    address: Option<IpAddr>,
}

impl ClientLimit {
    /// Returns a limit of `max` clients, none of which is connected yet.
    pub(crate) fn new(max: usize) -> Self {
        let clients = Clients::default();
        Self { max, clients }
    }

    /// Returns the number of clients that are connected.
    pub(crate) fn connected(&self) -> usize {
        self.clients.lock().values().sum()
    }

    /// Takes a place for a client from `address`; clients of this computer have none, and are
    /// limited in total only.
    ///
    /// # Errors
    /// The reason, short enough for a Close frame, when a limit is reached.
    pub(crate) fn try_acquire(&self, address: Option<IpAddr>) -> Result<ClientPermit, String> {
        let max = self.max;
        let mut clients = self.clients.lock();
        if clients.values().sum::<usize>() >= max {
            return Err(format!(
                "{max} clients are connected already (--max-clients {max})"
            ));
        }
        let count = clients.entry(address).or_default();
        if address.is_some() && *count >= MAX_CLIENTS_PER_ADDRESS {
            return Err(format!(
                "{MAX_CLIENTS_PER_ADDRESS} clients of your computer are connected already"
            ));
        }
        *count += 1;
        let clients = self.clients.clone();
        Ok(ClientPermit { clients, address })
    }
}

impl Clients {
    fn lock(&self) -> MutexGuard<'_, HashMap<Option<IpAddr>, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ClientPermit {
    fn drop(&mut self) {
        let mut clients = self.clients.lock();
        let count = clients.entry(self.address).or_default();
        *count = count.saturating_sub(1);
        if *count == 0 {
            clients.remove(&self.address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_limited_number_of_places_and_gets_them_back() {
        let limit = ClientLimit::new(usize::MAX);
        let [one, other] = ["10.0.0.1", "10.0.0.2"].map(|address| Some(address.parse().unwrap()));
        let all = (0..MAX_CLIENTS_PER_ADDRESS).map(|_| limit.try_acquire(one).unwrap());
        let mut permits: Vec<_> = all.collect();
        assert!(limit.try_acquire(one).is_err());
        assert!(limit.try_acquire(other).is_ok());
        permits.pop();
        assert!(limit.try_acquire(one).is_ok());
        permits.clear();
        assert!(limit.clients.lock().is_empty());
    }
}
