//! The places of connections that are no WebSockets, or not yet. They are apart from those of
//! clients, so that a flood of connections costs no client its place.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::task::yield_now;
use tokio::time::{Instant, timeout_at};

/// Connections that have not asked yet for what they may have. One more ends another: the oldest of
/// the computer that has the most of them, so that neither silent ones nor those of one computer
/// keep others out.
const MOST_UNFINISHED: usize = 64;

/// How long such a connection has its place for certain. While all are taken, those that come wait
/// in the system until then.
const FAIR_TIME: Duration = Duration::from_millis(100);

/// Requests that are answered at once, and those of one other computer; more are answered with 503.
/// None is cut off for another.
const MOST_ANSWERED: usize = 256;
const MOST_ANSWERED_OF_ONE: usize = 32;

/// The connections that are no WebSockets, the oldest first.
#[derive(Default)]
pub(crate) struct Places {
    taken: Mutex<VecDeque<Place>>,
    /// Notified when one becomes free.
    freed: Notify,
    next: AtomicU64,
}

/// What a connection is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

struct Place {
    ticket: Ticket,
    computer: IpAddr,
    since: Instant,
    /// Ends the connection for another one; None while it is being answered.
    end: Option<oneshot::Sender<()>>,
}

impl Places {
    /// Takes a place for a connection from this computer, as soon as there is one. The connection is
    /// to end when it hears so from the receiver.
    pub(crate) async fn take(&self, computer: IpAddr) -> (Ticket, oneshot::Receiver<()>) {
        let mut has_waited = false;
        loop {
            let freed = self.freed.notified();
            let due = {
                let mut taken = self.lock();
                let Some(oldest) = oldest_of_most(&taken) else {
                    return self.put(&mut taken, computer);
                };
                let due = taken[oldest].since + FAIR_TIME;
                if has_waited && due <= Instant::now() {
                    let end = taken.remove(oldest).and_then(|place| place.end);
                    // It may be ending by itself.
                    let _ = end.map(|end| end.send(()));
                    return self.put(&mut taken, computer);
                }
                due
            };
            let _ = timeout_at(due, freed).await;
            // It may be we who were slow: who has asked meanwhile is heard first.
            yield_now().await;
            has_waited = true;
        }
    }

    /// Lets a connection that may have what it asks for stay until it has it; false when too many
    /// are being answered.
    pub(crate) fn answer(&self, ticket: Ticket) -> bool {
        let mut taken = self.lock();
        let Some(at) = taken.iter().position(|place| place.ticket == ticket) else {
            return false;
        };
        let computer = taken[at].computer;
        let answered = || taken.iter().filter(|place| place.end.is_none());
        let of_one = answered()
            .filter(|place| place.computer == computer)
            .count();
        if answered().count() >= MOST_ANSWERED
            || of_one >= MOST_ANSWERED_OF_ONE && !computer.is_loopback()
        {
            return false;
        }
        taken[at].end = None;
        self.freed.notify_waiters();
        true
    }

    /// Gives the place of a connection back.
    pub(crate) fn free(&self, ticket: Ticket) {
        self.lock().retain(|place| place.ticket != ticket);
        self.freed.notify_waiters();
    }

    fn put(
        &self,
        taken: &mut VecDeque<Place>,
        computer: IpAddr,
    ) -> (Ticket, oneshot::Receiver<()>) {
        let ticket = Ticket(self.next.fetch_add(1, Ordering::Relaxed));
        let (end, ended) = oneshot::channel();
        taken.push_back(Place {
            ticket,
            computer,
            since: Instant::now(),
            end: Some(end),
        });
        (ticket, ended)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Place>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the unfinished one is that must give way to another, if one must.
fn oldest_of_most(taken: &VecDeque<Place>) -> Option<usize> {
    let unfinished = || taken.iter().filter(|place| place.end.is_some());
    if unfinished().count() < MOST_UNFINISHED {
        return None;
    }
    let has = |at: &usize| {
        unfinished()
            .filter(|place| place.computer == taken[*at].computer)
            .count()
    };
    // Of those with the same count, `max_by_key` takes the last.
    let ends = (0..taken.len()).rev().filter(|at| taken[*at].end.is_some());
    ends.max_by_key(has)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 1, 9));

    type Taken = (Ticket, oneshot::Receiver<()>);

    async fn take(places: &Places, computer: IpAddr, count: usize) -> Vec<Taken> {
        let mut taken = Vec::new();
        for _ in 0..count {
            taken.push(places.take(computer).await);
        }
        taken
    }

    fn is_ended((_, end): &mut Taken) -> bool {
        end.try_recv().is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn one_too_many_ends_the_oldest_when_it_has_had_its_time() {
        let places = Places::default();
        let start = Instant::now();
        let mut taken = take(&places, HERE, MOST_UNFINISHED).await;
        places.free(taken[3].0);
        places.take(HERE).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
        assert!(!is_ended(&mut taken[0]));
        places.take(HERE).await;
        assert_eq!(start.elapsed(), FAIR_TIME);
        assert!(is_ended(&mut taken[0]) && !is_ended(&mut taken[1]));
        assert_eq!(places.lock().len(), MOST_UNFINISHED);
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_that_becomes_free_ends_nobody() {
        let places = Places::default();
        let start = Instant::now();
        let mut taken = take(&places, HERE, MOST_UNFINISHED).await;
        tokio::join!(places.take(HERE), async { places.free(taken[9].0) });
        tokio::join!(places.take(HERE), async { places.answer(taken[7].0) });
        assert_eq!(start.elapsed(), Duration::ZERO);
        assert!(!taken.iter_mut().any(is_ended));
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_from_one_computer_ends_its_own() {
        let places = Places::default();
        let mut first = places.take(HERE).await;
        let mut flood = take(&places, ELSEWHERE, 2 * MOST_UNFINISHED).await;
        let mut late = places.take(HERE).await;
        assert!(!is_ended(&mut first) && !is_ended(&mut late));
        let ended = flood
            .iter_mut()
            .filter_map(|one| is_ended(one).then_some(()));
        assert_eq!(ended.count(), MOST_UNFINISHED + 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_being_answered_is_bounded_and_never_ended() {
        let places = Places::default();
        let mut answered = Vec::new();
        for computer in [ELSEWHERE, HERE] {
            loop {
                let one = places.take(computer).await;
                if !places.answer(one.0) {
                    places.free(one.0);
                    break;
                }
                answered.push(one);
            }
            assert!(answered.len() == MOST_ANSWERED_OF_ONE || computer == HERE);
        }
        assert_eq!(answered.len(), MOST_ANSWERED);
        take(&places, HERE, 2 * MOST_UNFINISHED).await;
        assert!(!answered.iter_mut().any(is_ended));
        places.free(answered[0].0);
        let one = places.take(HERE).await;
        assert!(places.answer(one.0));
    }
}
