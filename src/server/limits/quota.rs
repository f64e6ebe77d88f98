//! A limit on places, in total and for each address of another computer, so that none takes all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A limited number of places, and who has them.
pub(crate) struct Quota {
    max: usize,
    max_per_address: usize,
    taken: PermitCounts,
}

/// The places that are taken, by the address of their computer; None for this computer.
#[derive(Clone, Default)]
struct PermitCounts(Arc<Mutex<HashMap<Option<IpAddr>, usize>>>);

/// A place under both limits, released when dropped.
pub(crate) struct QuotaPermit {
    taken: PermitCounts,
    address: Option<IpAddr>,
}

/// The limit that is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QuotaError {
    /// The limit in total.
    InTotal(usize),
    /// The limit for the address.
    ForAddress(usize),
}

impl Quota {
    /// Returns so many places, all of them free.
    pub(crate) fn new(max: usize, max_per_address: usize) -> Self {
        Self {
            max,
            max_per_address,
            taken: PermitCounts::default(),
        }
    }

    /// Returns the number of places that are taken.
    pub(crate) fn taken(&self) -> usize {
        self.taken.lock().values().sum()
    }

    /// Takes a place for `address`; this computer has none, and is limited in total only.
    ///
    /// # Errors
    /// When a limit is reached.
    pub(crate) fn try_acquire(&self, address: Option<IpAddr>) -> Result<QuotaPermit, QuotaError> {
        let mut taken = self.taken.lock();
        if taken.values().sum::<usize>() >= self.max {
            return Err(QuotaError::InTotal(self.max));
        }
        let count = taken.get(&address).copied().unwrap_or_default();
        if address.is_some() && count >= self.max_per_address {
            return Err(QuotaError::ForAddress(self.max_per_address));
        }
        taken.insert(address, count + 1);
        let taken = self.taken.clone();
        Ok(QuotaPermit { taken, address })
    }
}

impl PermitCounts {
    fn lock(&self) -> MutexGuard<'_, HashMap<Option<IpAddr>, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for QuotaPermit {
    fn drop(&mut self) {
        let mut taken = self.taken.lock();
        let count = taken.entry(self.address).or_default();
        *count = count.saturating_sub(1);
        if *count == 0 {
            taken.remove(&self.address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_limited_number_of_places_and_gets_them_back() {
        let quota = Quota::new(40, 32);
        let [one, other] = ["10.0.0.1", "10.0.0.2"].map(|address| Some(address.parse().unwrap()));
        let all = (0..32).map(|_| quota.try_acquire(one).unwrap());
        let mut all: Vec<_> = all.collect();
        assert_eq!(
            quota.try_acquire(one).err(),
            Some(QuotaError::ForAddress(32))
        );
        assert!(quota.try_acquire(other).is_ok());
        all.pop();
        assert!(quota.try_acquire(one).is_ok());
        all.extend((0..9).map(|_| quota.try_acquire(None).unwrap()));
        assert_eq!(quota.try_acquire(None).err(), Some(QuotaError::InTotal(40)));
        assert_eq!(quota.taken(), 40);
        all.clear();
        assert!(quota.taken.lock().is_empty());
    }
}
