//! The rate at which one client may write (`--max-write-rate`): a token bucket that holds what the
//! rate allows for a second. Pure: the time is an argument.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

/// The time whose bytes a client may write at once after it was silent.
const BURST: Duration = Duration::from_secs(1);

/// The rate of one client, and how far it is ahead of it. Urgent writes are counted on their own, so that what a
/// client wrote before never delays them.
pub(super) struct WriteRate {
    bytes_per_second: u32,
    ahead: Mutex<Ahead>,
}

/// The moments up to which a client has used its rate; None where it has not written.
#[derive(Default)]
struct Ahead {
    ordinary: Option<Instant>,
    urgent: Option<Instant>,
}

impl WriteRate {
    /// Returns the rate of a client that has not written yet; `None` for no limit.
    pub(super) fn new(bytes_per_second: u32) -> Option<Self> {
        let ahead = Mutex::default();
        (bytes_per_second > 0).then_some(Self {
            bytes_per_second,
            ahead,
        })
    }

    /// Returns when the client's next write may begin, if not now. A write begins whatever its
    /// length; one that is longer than the burst delays the next the more.
    pub(super) fn due(&self, is_urgent: bool, now: Instant) -> Option<Instant> {
        let used = *self.ahead().of(is_urgent);
        used.map(|used| used - BURST).filter(|due| *due > now)
    }

    /// Counts a write that begins.
    pub(super) fn count(&self, bytes: usize, is_urgent: bool, now: Instant) {
        let mut ahead = self.ahead();
        let used = ahead.of(is_urgent);
        let time = Duration::from_secs_f64(bytes as f64 / f64::from(self.bytes_per_second));
        *used = Some(used.map_or(now, |used| used.max(now)) + time);
    }

    /// Returns true while something that was written still counts.
    fn is_ahead(&self, now: Instant) -> bool {
        let Ahead { ordinary, urgent } = *self.ahead();
        ordinary.max(urgent).is_some_and(|used| used > now)
    }

    fn ahead(&self) -> MutexGuard<'_, Ahead> {
        self.ahead
            .lock()
            .expect("nothing panics while it holds the rate")
    }
}

/// Addresses whose rates are kept. At the limit, what an address more writes counts on its own.
const MAX_ADDRESSES: usize = 1024;

/// The rates of clients that come anew for each write, by their address: what one of them wrote before
/// counts for the next.
#[derive(Default)]
pub(super) struct WriteRates(Mutex<HashMap<IpAddr, Arc<WriteRate>>>);

impl WriteRates {
    /// Returns the rate of an address; `None` for no limit. Forgets those that nobody has used up.
    pub(super) fn of(
        &self,
        address: IpAddr,
        bytes_per_second: u32,
        now: Instant,
    ) -> Option<Arc<WriteRate>> {
        let new = Arc::new(WriteRate::new(bytes_per_second)?);
        let mut rates = self
            .0
            .lock()
            .expect("nothing panics while it holds the rates");
        rates.retain(|_, rate| Arc::strong_count(rate) > 1 || rate.is_ahead(now));
        if rates.len() >= MAX_ADDRESSES && !rates.contains_key(&address) {
            return Some(new);
        }
        Some(Arc::clone(rates.entry(address).or_insert(new)))
    }
}

impl Ahead {
    fn of(&mut self, is_urgent: bool) -> &mut Option<Instant> {
        if is_urgent {
            &mut self.urgent
        } else {
            &mut self.ordinary
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RATE: u32 = 1000;

    #[test]
    fn a_client_may_write_a_second_ahead() {
        let (rate, now) = (WriteRate::new(RATE).unwrap(), Instant::now());
        for _ in 0..=10 {
            assert_eq!(rate.due(false, now), None);
            rate.count(100, false, now);
        }
        let due = now + Duration::from_millis(100);
        assert_eq!(rate.due(false, now), Some(due));
        assert_eq!(rate.due(false, due), None);
    }

    #[test]
    fn an_urgent_write_is_not_delayed_by_what_the_client_wrote_before() {
        let (rate, now) = (WriteRate::new(RATE).unwrap(), Instant::now());
        rate.count(60_000, false, now);
        assert_eq!(rate.due(false, now), Some(now + Duration::from_secs(59)));
        assert_eq!(rate.due(true, now), None);
        rate.count(60_000, true, now);
        assert_eq!(rate.due(true, now), Some(now + Duration::from_secs(59)));
    }

    #[test]
    fn an_address_keeps_its_rate_as_long_as_it_matters() {
        let (rates, now) = (WriteRates::default(), Instant::now());
        let [one, other] = ["10.0.0.1", "10.0.0.2"].map(|address| address.parse().unwrap());
        rates.of(one, RATE, now).unwrap().count(3000, false, now);
        let due = now + Duration::from_secs(2);
        assert_eq!(rates.of(one, RATE, now).unwrap().due(false, now), Some(due));
        assert_eq!(rates.of(other, RATE, now).unwrap().due(false, now), None);
        let later = now + Duration::from_secs(3);
        rates.of(other, RATE, later);
        assert_eq!(rates.0.lock().unwrap().len(), 1);
        assert!(rates.of(one, 0, now).is_none());
    }

    #[test]
    fn no_rate_is_no_limit() {
        assert!(WriteRate::new(0).is_none());
    }

    proptest! {
        /// However a client writes, after any time it has written no more than its rate, the burst
        /// and the one write that was let through allow.
        #[test]
        fn no_client_writes_more_than_its_rate_for_long(
            writes in prop::collection::vec((1_usize..5000, 0_u64..3000), 1..50)
        ) {
            let (rate, start) = (WriteRate::new(RATE).unwrap(), Instant::now());
            let (mut now, mut total, mut longest) = (start, 0, 0);
            for (bytes, pause) in writes {
                now += Duration::from_millis(pause);
                now = rate.due(false, now).unwrap_or(now);
                rate.count(bytes, false, now);
                (total, longest) = (total + bytes, longest.max(bytes));
                let allowed = (now - start + BURST).as_secs_f64() * f64::from(RATE);
                prop_assert!(total as f64 <= allowed + longest as f64 + 1.0);
            }
        }
    }
}
