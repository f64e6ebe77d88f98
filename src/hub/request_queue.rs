//! The requests that wait for one port: each client's in order, and the clients in turn, so that one
//! that sends much does not keep the others waiting. Urgent writes go before all of them, and what
//! must work while a write is stuck waits for none of them.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use futures::channel::mpsc;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::requests::{Action, Lease, MAX_REPLIES, Outcome, Request, RequestLimits, RequestSender};

/// Clients that have left with requests still waiting. At the limit, the requests of the one that
/// left first are dropped.
pub(super) const MAX_DEPARTED: usize = 256;

/// Urgent writes that may wait when a client leaves. Beyond them, those of the client are dropped.
pub(super) const MAX_DEPARTED_URGENT: usize = 1024;

/// Requests without turn, such as resets, that may wait when a client leaves, which they do only
/// while the system holds up opening the device. Beyond them, those of the client are dropped.
pub(super) const MAX_DEPARTED_IMMEDIATE: usize = 1024;

/// All requests that are waiting for one port.
#[derive(Default)]
pub struct RequestQueue {
    limits: RequestLimits,
    waiting: Mutex<Waiting>,
    filled: Notify,
    urgent: Notify,
    immediate: Notify,
    next_client: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    /// The requests of each client that has any.
    requests: HashMap<u64, VecDeque<Request>>,
    /// The clients that have requests, the one to serve next in front.
    turn: VecDeque<u64>,
    /// The clients that left while requests of theirs were waiting, the first to leave in front.
    departed: VecDeque<u64>,
    /// Urgent writes of all clients, in the order in which they came.
    urgent: VecDeque<Request>,
    /// Requests that wait for no write, in the order in which they came.
    immediate: VecDeque<Request>,
}

/// The next request, or when to look again where all that wait are ahead of their rate.
type NextRequest = Result<Request, Option<Instant>>;

impl Waiting {
    /// Takes the next request that waits its turn. With `only`, those of other clients wait on.
    fn next_in_turn(&mut self, only: Option<u64>, now: Instant) -> NextRequest {
        let clients = self.turn.iter().enumerate();
        let clients = clients.filter(|(_, client)| only.is_none_or(|only| only == **client));
        let heads =
            clients.filter_map(|(at, client)| Some((at, self.requests.get(client)?.front()?)));
        let at = first_due(heads, now)?;
        self.take_of(at).ok_or(None)
    }

    /// Takes the first request of the client at this place of the turn, which goes to the end.
    fn take_of(&mut self, at: usize) -> Option<Request> {
        let client = self.turn.remove(at)?;
        let requests = self.requests.get_mut(&client)?;
        let request = requests.pop_front()?;
        if requests.is_empty() {
            self.requests.remove(&client);
        } else {
            self.turn.push_back(client);
        }
        Some(request)
    }

    /// Takes the next urgent write.
    fn next_urgent(&mut self, now: Instant) -> NextRequest {
        let at = first_due(self.urgent.iter().enumerate(), now)?;
        self.urgent.remove(at).ok_or(None)
    }

    /// Records that a client has left.
    fn leave(&mut self, id: u64) {
        let requests = &self.requests;
        self.departed.retain(|client| requests.contains_key(client));
        if requests.contains_key(&id) {
            self.departed.push_back(id);
        }
        if self.departed.len() > MAX_DEPARTED
            && let Some(first) = self.departed.pop_front()
        {
            self.requests.remove(&first);
            self.turn.retain(|client| *client != first);
        }
        if self.urgent.len() > MAX_DEPARTED_URGENT {
            self.urgent.retain(|request| request.client != id);
        }
        if self.immediate.len() > MAX_DEPARTED_IMMEDIATE {
            self.drop_immediate(id);
        }
    }

    /// Drops the immediate requests of a client, but for the return of what it was given before.
    fn drop_immediate(&mut self, client: u64) {
        let asks = Action::Release(Lease::WhileConnected);
        let is_asking = |request: &Request| request.client == client && request.action == asks;
        let returns_nothing = self.immediate.iter().any(is_asking);
        self.immediate.retain(|request| {
            let is_needed = request.action == Action::Return && !returns_nothing;
            request.client != client || is_needed
        });
    }

    /// Drops the breaks that a client wants to begin, since nobody will end them.
    fn drop_breaks(&mut self, client: u64) {
        if let Some(requests) = self.requests.get_mut(&client) {
            requests.retain(|request| request.action != Action::HoldBreak(true));
            if requests.is_empty() {
                self.requests.remove(&client);
                self.turn.retain(|other| *other != client);
            }
        }
    }
}

impl RequestQueue {
    /// Returns an empty queue.
    pub(super) fn new(limits: RequestLimits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            ..Self::default()
        })
    }

    /// Registers a client: the sender of its requests, and the receiver of their numbers and outcomes.
    pub fn register(self: &Arc<Self>) -> (RequestSender, mpsc::Receiver<(u64, Outcome)>) {
        // Most clients never ask: this channel takes memory only for replies that wait.
        let (replies, receiver) = mpsc::channel(MAX_REPLIES);
        let id = self.next_client.fetch_add(1, Ordering::Relaxed);
        let sender = RequestSender::new(Arc::clone(self), id, self.limits, replies);
        (sender, receiver)
    }

    /// Waits for the next request. With `only`, those of other clients wait on. Cancelling the wait
    /// loses nothing.
    pub async fn take(&self, only: Option<u64>) -> Request {
        next(&self.filled, || {
            self.waiting().next_in_turn(only, Instant::now())
        })
        .await
    }

    /// Waits for the next urgent write. Cancelling the wait loses nothing.
    pub async fn take_urgent(&self) -> Request {
        next(&self.urgent, || self.waiting().next_urgent(Instant::now())).await
    }

    /// Takes the next urgent write, if there is one.
    pub fn try_take_urgent(&self) -> Option<Request> {
        self.waiting().next_urgent(Instant::now()).ok()
    }

    /// Waits for the next request that waits for no write. Cancelling the wait loses nothing.
    pub async fn take_immediate(&self) -> Request {
        next(&self.immediate, || {
            self.waiting().immediate.pop_front().ok_or(None)
        })
        .await
    }

    /// Waits for the next request that is not immediate, as [`RequestQueue::try_take`] finds it.
    pub async fn take_any(&self) -> Request {
        loop {
            let (filled, urgent) = (self.filled.notified(), self.urgent.notified());
            if let Some(request) = self.try_take() {
                return request;
            }
            tokio::select! {
                () = filled => {}
                () = urgent => {}
            }
        }
    }

    /// Takes a request that waits, urgent ones first, whatever its client's rate; immediate
    /// ones stay.
    pub fn try_take(&self) -> Option<Request> {
        let mut waiting = self.waiting();
        waiting.urgent.pop_front().or_else(|| waiting.take_of(0))
    }

    pub(super) fn push(&self, request: Request) {
        if request.action.is_immediate() {
            self.waiting().immediate.push_back(request);
            return self.immediate.notify_one();
        }
        if request.action.is_urgent() {
            self.waiting().urgent.push_back(request);
            return self.urgent.notify_one();
        }
        {
            let mut waiting = self.waiting();
            let client = request.client;
            let requests = waiting.requests.entry(client).or_default();
            requests.push_back(request);
            if requests.len() == 1 {
                waiting.turn.push_back(client);
            }
        }
        self.filled.notify_one();
    }

    pub(super) fn leave(&self, client: u64) {
        self.waiting().leave(client);
    }

    pub(super) fn drop_breaks(&self, client: u64) {
        self.waiting().drop_breaks(client);
    }

    /// Returns whether no client has requests that wait their turn.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.waiting().requests.is_empty()
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting
            .lock()
            .expect("nothing panics while it holds the requests")
    }
}

/// Returns the place of the first request that its client's rate lets out now, and counts it there;
/// otherwise when one will be let out, if there is any.
fn first_due<'a>(
    requests: impl Iterator<Item = (usize, &'a Request)>,
    now: Instant,
) -> Result<usize, Option<Instant>> {
    let mut earliest = None;
    for (at, request) in requests {
        match request.take_turn(now) {
            Ok(()) => return Ok(at),
            Err(due) => earliest = Some(earliest.map_or(due, |other: Instant| due.min(other))),
        }
    }
    Err(earliest)
}

/// Waits until `try_take` returns a request. `filled` is notified of each one that comes.
async fn next(filled: &Notify, try_take: impl Fn() -> NextRequest) -> Request {
    loop {
        let filled = filled.notified();
        match try_take() {
            Ok(request) => return request,
            Err(None) => filled.await,
            Err(Some(due)) => tokio::select! {
                () = filled => {}
                () = sleep_until(due) => {}
            },
        }
    }
}
