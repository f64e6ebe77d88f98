//! The rate limit on failed token attempts, per address. The same wrong token counts once, since a
//! page that was left open repeats it.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Time for which failed attempts count, from the first one on.
const FAILURE_INTERVAL: Duration = Duration::from_secs(60);

/// Different wrong tokens of one address within that time. At the limit, no token from the address
/// is looked at until the time is over.
const MAX_FAILURES: usize = 5;

/// Addresses that are remembered. At the limit, the one whose first attempt is the oldest is
/// forgotten.
const MAX_ADDRESSES: usize = 1024;

/// Limits failed token attempts per address.
#[derive(Default)]
pub(crate) struct RateLimit {
    by_address: Mutex<HashMap<IpAddr, Failures>>,
    /// Seeded at random for each run of the program, so that no hash reveals a token.
    hashes: RandomState,
}

/// The time of an address's first failed attempt, and the hashes of its wrong tokens.
type Failures = (Instant, Vec<u64>);

impl RateLimit {
    /// Returns true if this address has failed too often.
    pub(crate) fn is_limited(&self, address: IpAddr, now: Instant) -> bool {
        let failures = self.lock();
        failures.get(&address).is_some_and(|(since, tokens)| {
            tokens.len() >= MAX_FAILURES && now.duration_since(*since) < FAILURE_INTERVAL
        })
    }

    /// Counts a wrong token, unless it was counted before.
    pub(crate) fn record_failure(&self, address: IpAddr, token: &str, now: Instant) {
        let mut failures = self.lock();
        if failures.len() >= MAX_ADDRESSES {
            failures.retain(|_, (since, _)| now.duration_since(*since) < FAILURE_INTERVAL);
        }
        if failures.len() >= MAX_ADDRESSES {
            let oldest = failures.iter().min_by_key(|(_, (since, _))| *since);
            let oldest = oldest.map(|(address, _)| *address);
            oldest.and_then(|oldest| failures.remove(&oldest));
        }
        let new = || (now, Vec::new());
        let (since, tokens) = failures.entry(address).or_insert_with(new);
        if now.duration_since(*since) >= FAILURE_INTERVAL {
            (*since, *tokens) = new();
        }
        let hash = self.hashes.hash_one(token);
        if !tokens.contains(&hash) {
            tokens.push(hash);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Failures>> {
        self.by_address
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_five_failed_attempts_a_minute() {
        let limit = RateLimit::default();
        let (start, one) = (Instant::now(), "10.0.0.1".parse().unwrap());
        for n in 0..MAX_FAILURES {
            assert!(!limit.is_limited(one, start));
            limit.record_failure(one, &n.to_string(), start);
        }
        assert!(limit.is_limited(one, start + FAILURE_INTERVAL / 2));
        assert!(!limit.is_limited("10.0.0.2".parse().unwrap(), start));
        assert!(!limit.is_limited(one, start + FAILURE_INTERVAL));
        limit.record_failure(one, "6", start + FAILURE_INTERVAL);
        assert!(!limit.is_limited(one, start + FAILURE_INTERVAL));
    }

    #[test]
    fn the_same_wrong_token_counts_once() {
        let limit = RateLimit::default();
        let (now, one) = (Instant::now(), "10.0.0.1".parse().unwrap());
        for _ in 0..2 * MAX_FAILURES {
            limit.record_failure(one, "old", now);
        }
        assert!(!limit.is_limited(one, now));
    }

    #[test]
    fn many_addresses_cost_little_memory() {
        let limit = RateLimit::default();
        for n in 0..3 * MAX_ADDRESSES as u32 {
            limit.record_failure(std::net::Ipv4Addr::from(n).into(), "wrong", Instant::now());
        }
        assert!(limit.lock().len() <= MAX_ADDRESSES);
    }
}
