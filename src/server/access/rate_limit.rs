//! The rate limit on wrong tokens. The same wrong token counts once, since a page that was left open
//! repeats it.
//!
//! They are counted per address and origin, so that a page of any web site in the operator's browser
//! cannot lock out the operator's own. A program can name any origin, so they are counted per address
//! as well; there, whoever has shown the right token is spared.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Time for which wrong tokens count, from the first one of an address on.
const FAILURE_INTERVAL: Duration = Duration::from_secs(60);

/// Different wrong tokens of one address and origin within that time. At the limit, none of their
/// tokens is looked at until the time is over.
const MAX_FAILURES: usize = 30;

/// Different wrong tokens of one address and all origins within that time. At the limit, only those
/// tokens are looked at whose address and origin have shown the right one.
const MAX_FAILURES_OF_ADDRESS: usize = 300;

/// Time for which an address and origin are spared that limit after they have shown the right token.
const TRUST_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// Addresses that are remembered, and addresses with their origins that have shown the right token.
/// At the limit, the oldest is forgotten.
const MAX_REMEMBERED: usize = 1024;

/// Limits attempts to guess the operator's own token.
#[derive(Default)]
pub(crate) struct RateLimit {
    attempts: Mutex<Attempts>,
    /// Seeded at random for each run of the program, so that no hash reveals a token.
    hashes: RandomState,
}

/// The place that a token comes from: an address, and the origin that the request names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenSource<'a> {
    /// The address by which limits count.
    pub(crate) address: IpAddr,
    /// The page, as [`super::Caller::origin_or_site`] has it; empty for a program.
    pub(crate) origin: &'a [u8],
}

#[derive(Default)]
struct Attempts {
    by_address: HashMap<IpAddr, WrongTokens>,
    /// The time at which an address and the hash of an origin have last shown the right token.
    right: HashMap<(IpAddr, u64), Instant>,
}

/// The wrong tokens of an address.
struct WrongTokens {
    /// The time of the first one.
    since: Instant,
    /// The hashes of the origin and of the token.
    tokens: Vec<(u64, u64)>,
}

impl RateLimit {
    /// Returns true if no token from there is to be looked at now.
    pub(crate) fn is_limited(&self, source: TokenSource<'_>, now: Instant) -> bool {
        let origin = self.hash(source.origin);
        let attempts = self.lock();
        let failures = attempts.by_address.get(&source.address);
        failures.is_some_and(|failures| {
            let of_origin = failures.tokens.iter().filter(|(of, _)| *of == origin);
            let is_trusted = || attempts.is_trusted((source.address, origin), now);
            failures.count_at(now)
                && (of_origin.count() >= MAX_FAILURES
                    || failures.tokens.len() >= MAX_FAILURES_OF_ADDRESS && !is_trusted())
        })
    }

    /// Counts a wrong token, unless it was counted before.
    pub(crate) fn record_failure(&self, source: TokenSource<'_>, token: &str, now: Instant) {
        let token = (self.hash(source.origin), self.hash(token));
        let mut attempts = self.lock();
        let by_address = &mut attempts.by_address;
        forget_oldest(by_address, &source.address, |failures| failures.since);
        let new = || WrongTokens {
            since: now,
            tokens: Vec::new(),
        };
        let failures = by_address.entry(source.address).or_insert_with(new);
        if !failures.count_at(now) {
            *failures = new();
        }
        if !failures.tokens.contains(&token) {
            failures.tokens.push(token);
        }
    }

    /// Remembers that the right token came from there.
    pub(crate) fn record_success(&self, source: TokenSource<'_>, now: Instant) {
        let key = (source.address, self.hash(source.origin));
        let right = &mut self.lock().right;
        forget_oldest(right, &key, |shown| *shown);
        right.insert(key, now);
    }

    fn hash(&self, value: impl Hash) -> u64 {
        self.hashes.hash_one(value)
    }

    fn lock(&self) -> MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempts {
    fn is_trusted(&self, key: (IpAddr, u64), now: Instant) -> bool {
        let shown = self.right.get(&key);
        shown.is_some_and(|shown| now.duration_since(*shown) < TRUST_INTERVAL)
    }
}

impl WrongTokens {
    fn count_at(&self, now: Instant) -> bool {
        now.duration_since(self.since) < FAILURE_INTERVAL
    }
}

/// Makes room for a new key, if there is none.
fn forget_oldest<K: Copy + Eq + Hash, V>(
    map: &mut HashMap<K, V>,
    new: &K,
    time: impl Fn(&V) -> Instant,
) {
    if map.len() < MAX_REMEMBERED || map.contains_key(new) {
        return;
    }
    let oldest = map.iter().min_by_key(|(_, value)| time(value));
    if let Some(oldest) = oldest.map(|(key, _)| *key) {
        map.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes so many wrong guesses, all different; none is limited before.
    #[track_caller]
    fn guess(limit: &RateLimit, source: TokenSource<'_>, count: usize, now: Instant) {
        for n in 0..count {
            assert!(!limit.is_limited(source, now), "{n}");
            limit.record_failure(source, &n.to_string(), now);
        }
    }

    fn at<'a>(address: &str, origin: &'a str) -> TokenSource<'a> {
        TokenSource {
            address: address.parse().unwrap(),
            origin: origin.as_bytes(),
        }
    }

    #[test]
    fn an_origin_of_an_address_has_30_failures_a_minute() {
        let (limit, start) = (RateLimit::default(), Instant::now());
        let page = at("10.0.0.1", "https://evil.example");
        guess(&limit, page, MAX_FAILURES, start);
        // Also once it has shown the right one.
        limit.record_success(page, start);
        assert!(limit.is_limited(page, start + FAILURE_INTERVAL / 2));
        for other in [at("10.0.0.1", ""), at("10.0.0.2", "https://evil.example")] {
            assert!(!limit.is_limited(other, start));
        }
        assert!(!limit.is_limited(page, start + FAILURE_INTERVAL));
        guess(&limit, page, 1, start + FAILURE_INTERVAL);
    }

    #[test]
    fn a_program_that_names_many_origins_has_300_and_costs_those_with_the_token_nothing() {
        let (limit, start) = (RateLimit::default(), Instant::now());
        let own = at("10.0.0.1", "http://10.0.0.1");
        limit.record_success(own, start);
        let later = start + FAILURE_INTERVAL;
        for n in 0..MAX_FAILURES_OF_ADDRESS {
            guess(&limit, at("10.0.0.1", &n.to_string()), 1, later);
        }
        assert!(limit.is_limited(at("10.0.0.1", "one more"), later));
        assert!(limit.is_limited(at("10.0.0.1", ""), later));
        assert!(!limit.is_limited(own, later));
        assert!(!limit.is_limited(at("10.0.0.2", ""), later));
        // For a day.
        let tomorrow = start + TRUST_INTERVAL;
        for n in 0..MAX_FAILURES_OF_ADDRESS {
            guess(&limit, at("10.0.0.1", &n.to_string()), 1, tomorrow);
        }
        assert!(limit.is_limited(own, tomorrow));
    }

    #[test]
    fn the_same_wrong_token_counts_once() {
        let (limit, now) = (RateLimit::default(), Instant::now());
        let one = at("10.0.0.1", "");
        for _ in 0..2 * MAX_FAILURES_OF_ADDRESS {
            limit.record_failure(one, "old", now);
        }
        assert!(!limit.is_limited(one, now));
    }

    #[test]
    fn many_addresses_cost_little_memory() {
        let (limit, now) = (RateLimit::default(), Instant::now());
        for n in 0..3 * MAX_REMEMBERED as u32 {
            let address = std::net::Ipv4Addr::from(n).into();
            let source = TokenSource {
                address,
                origin: b"",
            };
            limit.record_failure(source, "wrong", now);
            limit.record_success(source, now);
        }
        let attempts = limit.lock();
        assert_eq!(attempts.by_address.len(), MAX_REMEMBERED);
        assert_eq!(attempts.right.len(), MAX_REMEMBERED);
    }
}
