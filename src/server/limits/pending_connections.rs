//! The limit on connections that are not WebSockets, or not yet.
//!
//! A connection is pending until its request is allowed. Then it is promoted: it stays until it has
//! its answer, under a limit of its own, or it becomes a client and leaves.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::task::yield_now;
use tokio::time::{Instant, timeout_at};

/// Connections whose request is not allowed yet. At the limit, a new connection evicts the oldest
/// one of the address that has the most, so that neither silent connections nor those of one
/// address keep others out.
pub(super) const MAX_PENDING: usize = 64;

/// Time for which a pending connection cannot be evicted. While all places are taken by such
/// connections, new ones wait in the system's backlog.
const MIN_GRACE: Duration = Duration::from_millis(100);

/// Requests that are being answered; more are answered with 503. None is cut off for another.
pub(super) const MAX_ANSWERING: usize = 256;

/// The same limit for one address of another computer.
const MAX_ANSWERING_PER_ADDRESS: usize = 32;

/// The connections that are not WebSockets, the oldest first.
#[derive(Default)]
pub(crate) struct PendingConnections {
    connections: Mutex<VecDeque<PendingConnection>>,
    /// Notified when a place becomes free.
    released: Notify,
    next_id: AtomicU64,
}

/// A connection's number, by which its request can be promoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConnectionId(u64);

/// The place of a connection, released when dropped.
pub(crate) struct ConnectionPermit {
    limit: Arc<PendingConnections>,
    id: ConnectionId,
}

struct PendingConnection {
    id: ConnectionId,
    address: IpAddr,
    since: Instant,
    /// Tells the connection to end because another one takes its place. None once it is promoted.
    evict: Option<oneshot::Sender<()>>,
}

impl PendingConnections {
    /// Waits for a place for a connection from `address`. The receiver tells the connection to end
    /// because it is evicted.
    pub(crate) async fn acquire(
        self: &Arc<Self>,
        address: IpAddr,
    ) -> (ConnectionPermit, oneshot::Receiver<()>) {
        let mut has_waited = false;
        loop {
            let released = self.released.notified();
            let due = {
                let mut connections = self.lock();
                let Some(candidate) = eviction_candidate(&connections) else {
                    return self.push(&mut connections, address);
                };
                let due = connections[candidate].since + MIN_GRACE;
                if has_waited && due <= Instant::now() {
                    let evicted = connections.remove(candidate);
                    let evict = evicted.and_then(|connection| connection.evict);
                    // It may be ending by itself.
                    let _ = evict.map(|evict| evict.send(()));
                    return self.push(&mut connections, address);
                }
                due
            };
            let _ = timeout_at(due, released).await;
            // If we were the slow ones, requests that came meanwhile are served first.
            yield_now().await;
            has_waited = true;
        }
    }

    /// Lets a connection stay until it has its answer. Returns false when too many requests are
    /// being answered already.
    pub(crate) fn promote(&self, id: ConnectionId) -> bool {
        let mut connections = self.lock();
        let Some(index) = connections.iter().position(|one| one.id == id) else {
            return false;
        };
        let address = connections[index].address;
        let answering = || connections.iter().filter(|one| one.evict.is_none());
        let of_address = answering().filter(|one| one.address == address).count();
        if answering().count() >= MAX_ANSWERING
            || of_address >= MAX_ANSWERING_PER_ADDRESS && !address.is_loopback()
        {
            return false;
        }
        connections[index].evict = None;
        self.released.notify_waiters();
        true
    }

    fn push(
        self: &Arc<Self>,
        connections: &mut VecDeque<PendingConnection>,
        address: IpAddr,
    ) -> (ConnectionPermit, oneshot::Receiver<()>) {
        let id = ConnectionId(self.next_id.fetch_add(1, Ordering::Relaxed));
        let (evict, evicted) = oneshot::channel();
        connections.push_back(PendingConnection {
            id,
            address,
            since: Instant::now(),
            evict: Some(evict),
        });
        let limit = Arc::clone(self);
        (ConnectionPermit { limit, id }, evicted)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<PendingConnection>> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConnectionPermit {
    /// Returns the connection's number. Not a public field, of which a closure would capture only
    /// the copy, and not keep the permit.
    pub(crate) fn id(&self) -> ConnectionId {
        self.id
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.limit.lock().retain(|one| one.id != self.id);
        self.limit.released.notify_waiters();
    }
}

/// Returns the index of the pending connection that must give way to a new one, if one must.
fn eviction_candidate(connections: &VecDeque<PendingConnection>) -> Option<usize> {
    let pending = || connections.iter().filter(|one| one.evict.is_some());
    if pending().count() < MAX_PENDING {
        return None;
    }
    let of_same_address = |index: &usize| {
        pending()
            .filter(|one| one.address == connections[*index].address)
            .count()
    };
    // Of those with the same count, `max_by_key` takes the last.
    let newest_first = (0..connections.len()).rev();
    newest_first
        .filter(|index| connections[*index].evict.is_some())
        .max_by_key(of_same_address)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const REMOTE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 1, 9));

    type Acquired = (ConnectionPermit, oneshot::Receiver<()>);

    async fn acquire(
        pending: &Arc<PendingConnections>,
        address: IpAddr,
        count: usize,
    ) -> Vec<Acquired> {
        let mut acquired = Vec::new();
        for _ in 0..count {
            acquired.push(pending.acquire(address).await);
        }
        acquired
    }

    fn is_evicted((_, evicted): &mut Acquired) -> bool {
        evicted.try_recv().is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn one_too_many_evicts_the_oldest_after_its_grace() {
        let pending = Arc::<PendingConnections>::default();
        let start = Instant::now();
        let mut all = acquire(&pending, LOCAL, MAX_PENDING).await;
        drop(all.remove(3));
        let _last = pending.acquire(LOCAL).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
        assert!(!is_evicted(&mut all[0]));
        let _one_too_many = pending.acquire(LOCAL).await;
        assert_eq!(start.elapsed(), MIN_GRACE);
        assert!(is_evicted(&mut all[0]) && !is_evicted(&mut all[1]));
        assert_eq!(pending.lock().len(), MAX_PENDING);
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_that_becomes_free_evicts_nobody() {
        let pending = Arc::<PendingConnections>::default();
        let start = Instant::now();
        let mut all = acquire(&pending, LOCAL, MAX_PENDING).await;
        let leaves = all.remove(9);
        let (_next, ()) = tokio::join!(pending.acquire(LOCAL), async { drop(leaves) });
        let (_next, _) = tokio::join!(pending.acquire(LOCAL), async {
            pending.promote(all[7].0.id())
        });
        assert_eq!(start.elapsed(), Duration::ZERO);
        assert!(!all.iter_mut().any(is_evicted));
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_from_one_address_evicts_its_own() {
        let pending = Arc::<PendingConnections>::default();
        let mut first = pending.acquire(LOCAL).await;
        let mut flood = acquire(&pending, REMOTE, 2 * MAX_PENDING).await;
        let mut late = pending.acquire(LOCAL).await;
        assert!(!is_evicted(&mut first) && !is_evicted(&mut late));
        let evicted = flood
            .iter_mut()
            .filter_map(|one| is_evicted(one).then_some(()));
        assert_eq!(evicted.count(), MAX_PENDING + 2);
    }

    #[tokio::test(start_paused = true)]
    async fn requests_being_answered_are_limited_and_never_evicted() {
        let pending = Arc::<PendingConnections>::default();
        let mut answering = Vec::new();
        for address in [REMOTE, LOCAL] {
            loop {
                let one = pending.acquire(address).await;
                if !pending.promote(one.0.id()) {
                    break;
                }
                answering.push(one);
            }
            assert!(answering.len() == MAX_ANSWERING_PER_ADDRESS || address == LOCAL);
        }
        assert_eq!(answering.len(), MAX_ANSWERING);
        acquire(&pending, LOCAL, 2 * MAX_PENDING).await;
        assert!(!answering.iter_mut().any(is_evicted));
        drop(answering.remove(0));
        let (one, _) = pending.acquire(LOCAL).await;
        assert!(pending.promote(one.id()));
    }
}
