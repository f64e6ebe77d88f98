//! Wrong secrets, slowed down: so many a minute from each address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::names::network;

/// How long wrong secrets count.
const WITHIN: Duration = Duration::from_secs(60);

/// Wrong secrets of one address within that time; after them no secret of it is looked at.
const MOST: u32 = 5;

/// Addresses that are remembered; of more, the oldest are forgotten.
const MOST_ADDRESSES: usize = 1024;

/// Who guessed how often.
#[derive(Default)]
pub struct Guesses(Mutex<HashMap<IpAddr, (Instant, u32)>>);

impl Guesses {
    /// Whether this address has guessed too often.
    pub fn are_over(&self, address: IpAddr, now: Instant) -> bool {
        let guesses = self.lock();
        guesses
            .get(&network(address))
            .is_some_and(|(since, count)| *count >= MOST && now.duration_since(*since) < WITHIN)
    }

    /// Counts one wrong secret.
    pub fn count(&self, address: IpAddr, now: Instant) {
        let mut guesses = self.lock();
        if guesses.len() >= MOST_ADDRESSES {
            guesses.retain(|_, (since, _)| now.duration_since(*since) < WITHIN);
        }
        if guesses.len() >= MOST_ADDRESSES {
            let oldest = guesses.iter().min_by_key(|(_, (since, _))| *since);
            let oldest = oldest.map(|(address, _)| *address);
            oldest.and_then(|oldest| guesses.remove(&oldest));
        }
        let (since, count) = guesses.entry(network(address)).or_insert((now, 0));
        if now.duration_since(*since) >= WITHIN {
            (*since, *count) = (now, 0);
        }
        *count += 1;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, (Instant, u32)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_wrong_secrets_a_minute_are_looked_at() {
        let guesses = Guesses::default();
        let (start, one) = (Instant::now(), "10.0.0.1".parse().unwrap());
        for _ in 0..MOST {
            assert!(!guesses.are_over(one, start));
            guesses.count(one, start);
        }
        assert!(guesses.are_over(one, start + WITHIN / 2));
        assert!(!guesses.are_over("10.0.0.2".parse().unwrap(), start));
        assert!(!guesses.are_over(one, start + WITHIN));
        guesses.count(one, start + WITHIN);
        assert!(!guesses.are_over(one, start + WITHIN));
    }

    #[test]
    fn one_network_is_one_address() {
        let guesses = Guesses::default();
        let now = Instant::now();
        for n in 0..MOST {
            guesses.count(format!("fd00::{n}").parse().unwrap(), now);
        }
        assert!(guesses.are_over("fd00::ffff".parse().unwrap(), now));
    }

    #[test]
    fn many_addresses_cost_little_memory() {
        let guesses = Guesses::default();
        for n in 0..3 * MOST_ADDRESSES as u32 {
            guesses.count(std::net::Ipv4Addr::from(n).into(), Instant::now());
        }
        assert!(guesses.lock().len() <= MOST_ADDRESSES);
    }
}
