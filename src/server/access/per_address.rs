//! How many clients each other computer has, so that none takes the places of all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Clients of one other computer; one more is told so by a Close with 1013.
pub(crate) const MOST_OF_ONE: usize = 32;

/// The number of clients by the computer that they are on.
#[derive(Clone, Default)]
pub(crate) struct Crowd(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// A place among the clients of one computer, given back when dropped.
pub(crate) struct Member {
    crowd: Crowd,
    computer: IpAddr,
}

impl Crowd {
    /// Takes a place for a client of this computer, if it has one left.
    pub(crate) fn join(&self, computer: IpAddr) -> Option<Member> {
        let mut crowd = self.lock();
        let count = crowd.entry(computer).or_default();
        if *count >= MOST_OF_ONE {
            return None;
        }
        *count += 1;
        Some(Member {
            crowd: self.clone(),
            computer,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut crowd = self.crowd.lock();
        let count = crowd.entry(self.computer).or_default();
        *count = count.saturating_sub(1);
        if *count == 0 {
            crowd.remove(&self.computer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_computer_has_so_many_places_and_gets_them_back() {
        let crowd = Crowd::default();
        let [one, other] = ["10.0.0.1", "10.0.0.2"].map(|address| address.parse().unwrap());
        let mut members: Vec<_> = (0..MOST_OF_ONE).map(|_| crowd.join(one).unwrap()).collect();
        assert!(crowd.join(one).is_none());
        assert!(crowd.join(other).is_some());
        members.pop();
        assert!(crowd.join(one).is_some());
        members.clear();
        assert!(crowd.lock().is_empty());
    }
}
