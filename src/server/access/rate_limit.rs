//! Wrong secrets, slowed down: so many a minute from each computer. One that comes again, as with a
//! page that nobody has closed, is no new guess.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long wrong secrets count.
const WITHIN: Duration = Duration::from_secs(60);

/// Different wrong secrets of one computer within that time; after them no secret of it is looked at.
const MOST: usize = 5;

/// Computers that are remembered; of more, the oldest are forgotten.
const MOST_COMPUTERS: usize = 1024;

/// Who guessed what.
#[derive(Default)]
pub(crate) struct Guesses {
    by_computer: Mutex<HashMap<IpAddr, Wrong>>,
    /// Random for each start of the program.
    hashes: RandomState,
}

/// When the first came, and the hashes of all.
type Wrong = (Instant, Vec<u64>);

impl Guesses {
    /// Whether this computer has guessed too often.
    pub(crate) fn are_over(&self, computer: IpAddr, now: Instant) -> bool {
        let guesses = self.lock();
        guesses.get(&computer).is_some_and(|(since, wrong)| {
            wrong.len() >= MOST && now.duration_since(*since) < WITHIN
        })
    }

    /// Counts a wrong secret, unless it was counted before.
    pub(crate) fn count(&self, computer: IpAddr, secret: &str, now: Instant) {
        let mut guesses = self.lock();
        if guesses.len() >= MOST_COMPUTERS {
            guesses.retain(|_, (since, _)| now.duration_since(*since) < WITHIN);
        }
        if guesses.len() >= MOST_COMPUTERS {
            let oldest = guesses.iter().min_by_key(|(_, (since, _))| *since);
            let oldest = oldest.map(|(computer, _)| *computer);
            oldest.and_then(|oldest| guesses.remove(&oldest));
        }
        let new = || (now, Vec::new());
        let (since, wrong) = guesses.entry(computer).or_insert_with(new);
        if now.duration_since(*since) >= WITHIN {
            (*since, *wrong) = new();
        }
        let hash = self.hashes.hash_one(secret);
        if !wrong.contains(&hash) {
            wrong.push(hash);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Wrong>> {
        self.by_computer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_wrong_secrets_a_minute_are_looked_at() {
        let guesses = Guesses::default();
        let (start, one) = (Instant::now(), "10.0.0.1".parse().unwrap());
        for n in 0..MOST {
            assert!(!guesses.are_over(one, start));
            guesses.count(one, &n.to_string(), start);
        }
        assert!(guesses.are_over(one, start + WITHIN / 2));
        assert!(!guesses.are_over("10.0.0.2".parse().unwrap(), start));
        assert!(!guesses.are_over(one, start + WITHIN));
        guesses.count(one, "6", start + WITHIN);
        assert!(!guesses.are_over(one, start + WITHIN));
    }

    #[test]
    fn the_same_wrong_secret_counts_once() {
        let guesses = Guesses::default();
        let (now, one) = (Instant::now(), "10.0.0.1".parse().unwrap());
        for _ in 0..2 * MOST {
            guesses.count(one, "old", now);
        }
        assert!(!guesses.are_over(one, now));
    }

    #[test]
    fn many_computers_cost_little_memory() {
        let guesses = Guesses::default();
        for n in 0..3 * MOST_COMPUTERS as u32 {
            guesses.count(std::net::Ipv4Addr::from(n).into(), "wrong", Instant::now());
        }
        assert!(guesses.lock().len() <= MOST_COMPUTERS);
    }
}
