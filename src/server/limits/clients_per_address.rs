//! The limit on clients per address of another computer, so that none takes every place.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Clients from one address; one more is rejected by a Close frame with code 1013.
pub(super) const MAX_CLIENTS_PER_ADDRESS: usize = 32;

/// Counts clients by the address of their computer.
#[derive(Clone, Default)]
pub(super) struct ClientsPerAddress(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// A place among the clients of one address, released when dropped.
pub(super) struct AddressPermit {
    clients: ClientsPerAddress,
    address: IpAddr,
}

impl ClientsPerAddress {
    /// Takes a place for a client from `address`. Returns `None` at the limit.
    pub(super) fn try_acquire(&self, address: IpAddr) -> Option<AddressPermit> {
        let mut clients = self.lock();
        let count = clients.entry(address).or_default();
        if *count >= MAX_CLIENTS_PER_ADDRESS {
            return None;
        }
        *count += 1;
        Some(AddressPermit {
            clients: self.clone(),
            address,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for AddressPermit {
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
        let clients = ClientsPerAddress::default();
        let [one, other] = ["10.0.0.1", "10.0.0.2"].map(|address| address.parse().unwrap());
        let all = (0..MAX_CLIENTS_PER_ADDRESS).map(|_| clients.try_acquire(one).unwrap());
        let mut permits: Vec<_> = all.collect();
        assert!(clients.try_acquire(one).is_none());
        assert!(clients.try_acquire(other).is_some());
        permits.pop();
        assert!(clients.try_acquire(one).is_some());
        permits.clear();
        assert!(clients.lock().is_empty());
    }
}
