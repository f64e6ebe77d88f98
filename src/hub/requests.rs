//! The requests of clients on their way to a port, bounded for each client and served in turn.
//!
//! The queue holds each client's requests in order, and the port takes one from each client in
//! turn, so that a client that sends much does not keep the others waiting. Urgent requests go
//! before all of them.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use futures::channel::mpsc;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// Bytes that one client may have waiting for the port. At the limit a request is refused, or the
/// client is not read any further until there is room.
pub const MAX_WAITING: usize = 64 << 10;

/// The least that a request counts for, in bytes, so that small ones are bounded in number too.
const MIN_COST: usize = 64;

/// Requests that one client may have waiting; a consequence of the two limits above.
pub(crate) const MAX_REQUESTS: usize = MAX_WAITING / MIN_COST;

/// Clients that have left with requests still waiting. At the limit, the requests of the one that
/// left first are dropped.
const MAX_DEPARTED: usize = 256;

/// The things that a client may ask of a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Write these bytes, contiguously.
    Write(Bytes),
    /// Set modem lines.
    Signals {
        /// Data Terminal Ready.
        dtr: Option<bool>,
        /// Request To Send.
        rts: Option<bool>,
    },
    /// Hold the line in the break condition.
    Break(Duration),
    /// Restart the board by its modem lines.
    Reset,
    /// Close the port so that another program can use it.
    Release(Lease),
    /// Take the port back from whoever has it.
    Resume,
    /// Take the port back if it is leased to this client, which is leaving.
    Return,
}

/// The time for which a port is released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// For so long, unless it is resumed before.
    For(Duration),
    /// While the client that asked for it is connected.
    WhileConnected,
}

impl Action {
    /// Returns true for what goes before all that waits: it must work while a write is stuck.
    fn is_urgent(&self) -> bool {
        matches!(
            self,
            Self::Reset | Self::Release(_) | Self::Resume | Self::Return
        )
    }
}

/// The outcome of a request: the bytes that the system took, or the reason why not all.
pub type Outcome = Result<usize, RequestError>;

/// The reason why a request was not carried out, or not to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestError {
    /// A sentence for the client.
    pub reason: String,
    /// Bytes that the system had taken by then.
    pub written: usize,
}

impl RequestError {
    /// An error before anything was written.
    pub fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            written: 0,
        }
    }
}

/// One request, with the way back for its outcome.
pub struct Request {
    /// The action to carry out.
    pub action: Action,
    /// The number of the client that asks.
    pub client: u64,
    /// The number of the request among those of its client.
    number: u64,
    /// Takes the outcome to the client, which may have left.
    replies: mpsc::Sender<(u64, Outcome)>,
    _room: OwnedSemaphorePermit,
}

impl Request {
    /// Sends the outcome to the client.
    pub fn end(mut self, outcome: Outcome) {
        // There is room for as many replies as requests; only a client that has left misses one.
        let _ = self.replies.try_send((self.number, outcome));
    }
}

/// All requests that are waiting for one port.
#[derive(Default)]
pub struct RequestQueue {
    waiting: Mutex<Waiting>,
    filled: Notify,
    urgent: Notify,
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
    urgent: VecDeque<Request>,
}

impl Waiting {
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
    }
}

impl RequestQueue {
    /// Registers a client: the sender of its requests, and the receiver of their numbers and outcomes.
    pub fn register(self: &Arc<Self>) -> (RequestSender, mpsc::Receiver<(u64, Outcome)>) {
        // Most clients never ask: this channel takes memory only for replies that wait.
        let (replies, receiver) = mpsc::channel(MAX_REQUESTS);
        let sender = RequestSender {
            queue: Arc::clone(self),
            id: self.next_client.fetch_add(1, Ordering::Relaxed),
            room: Arc::new(Semaphore::new(MAX_WAITING)),
            replies,
            sent: 0,
            holds_lease: false,
        };
        (sender, receiver)
    }

    /// Waits for the next request. Cancelling the wait loses nothing.
    pub async fn take(&self) -> Request {
        next(&self.filled, || self.try_take()).await
    }

    /// Waits for the next request that does not wait its turn. Cancelling loses nothing.
    pub async fn take_urgent(&self) -> Request {
        next(&self.urgent, || self.waiting().urgent.pop_front()).await
    }

    /// The next request that waits its turn, if there is one.
    pub fn try_take(&self) -> Option<Request> {
        let mut waiting = self.waiting();
        let client = waiting.turn.pop_front()?;
        let requests = waiting.requests.get_mut(&client)?;
        let request = requests.pop_front()?;
        if requests.is_empty() {
            waiting.requests.remove(&client);
        } else {
            waiting.turn.push_back(client);
        }
        Some(request)
    }

    fn push(&self, request: Request) {
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

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting
            .lock()
            .expect("nothing panics while it holds the requests")
    }
}

/// Waits until `try_take` returns a request. `filled` is notified of each one that comes.
async fn next(filled: &Notify, try_take: impl Fn() -> Option<Request>) -> Request {
    loop {
        let filled = filled.notified();
        if let Some(request) = try_take() {
            return request;
        }
        filled.await;
    }
}

/// Room for one action in the queue.
pub struct Permit(OwnedSemaphorePermit);

/// Sends the requests of one client. When it is dropped, what was sent is still served, unless too
/// many others have left requests since, and a port that was leased to the client comes back.
pub struct RequestSender {
    queue: Arc<RequestQueue>,
    id: u64,
    room: Arc<Semaphore>,
    replies: mpsc::Sender<(u64, Outcome)>,
    sent: u64,
    /// True if the port may be leased to this client for as long as it is connected.
    holds_lease: bool,
}

impl RequestSender {
    /// Sends a request for `action` if there is room for it, and returns its number.
    ///
    /// # Errors
    /// The bytes that are waiting already, where there is no room.
    pub fn try_send(&mut self, action: Action) -> Result<u64, usize> {
        let waiting = MAX_WAITING - self.room.available_permits();
        let cost = match &action {
            Action::Write(bytes) if bytes.len() > MAX_WAITING => return Err(waiting),
            action => cost(action),
        };
        let room = Arc::clone(&self.room)
            .try_acquire_many_owned(cost)
            .map_err(|_| waiting)?;
        Ok(self.send(action, Permit(room)))
    }

    /// Waits until there is room for an action of this size. One that is larger than all the room
    /// waits until it is alone.
    pub async fn reserve(&self, action: &Action) -> Permit {
        let acquired = Arc::clone(&self.room)
            .acquire_many_owned(cost(action))
            .await;
        Permit(acquired.expect("the room is never closed"))
    }

    /// Sends a request for `action`, for which room was reserved, and returns its number.
    pub fn send(&mut self, action: Action, Permit(room): Permit) -> u64 {
        self.sent += 1;
        self.holds_lease |= action == Action::Release(Lease::WhileConnected);
        self.queue.push(Request {
            action,
            client: self.id,
            number: self.sent,
            replies: self.replies.clone(),
            _room: room,
        });
        self.sent
    }

    /// Returns the port if it was leased to this client for as long as it is connected.
    pub fn return_lease(&mut self) {
        // Nothing fits even where there is no room.
        let room = Arc::clone(&self.room).try_acquire_many_owned(0);
        if let (true, Ok(room)) = (std::mem::take(&mut self.holds_lease), room) {
            self.send(Action::Return, Permit(room));
        }
    }
}

impl Drop for RequestSender {
    fn drop(&mut self) {
        self.return_lease();
        self.queue.waiting().leave(self.id);
    }
}

fn cost(action: &Action) -> u32 {
    let bytes = match action {
        Action::Write(bytes) => bytes.len(),
        _ => 0,
    };
    bytes.clamp(MIN_COST, MAX_WAITING) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(text: &'static str) -> Action {
        Action::Write(Bytes::from_static(text.as_bytes()))
    }

    #[track_caller]
    fn check_order(queue: &RequestQueue, expected: &[&'static str]) {
        let order: Vec<Action> = std::iter::from_fn(|| queue.try_take())
            .map(|r| r.action)
            .collect();
        assert_eq!(
            order,
            expected.iter().map(|text| write(text)).collect::<Vec<_>>()
        );
    }

    #[test]
    fn clients_are_served_in_turn_and_each_in_order() {
        let queue = Arc::new(RequestQueue::default());
        let (mut busy, _busy_replies) = queue.register();
        let (mut calm, _calm_replies) = queue.register();
        for text in ["b1", "b2", "b3"] {
            busy.try_send(write(text)).unwrap();
        }
        calm.try_send(write("c1")).unwrap();
        drop(calm);
        check_order(&queue, &["b1", "c1", "b2", "b3"]);
    }

    #[test]
    fn a_client_may_have_only_so_many_bytes_waiting() {
        let queue = Arc::new(RequestQueue::default());
        let (mut sender, _replies) = queue.register();
        let half = Action::Write(Bytes::from(vec![0; MAX_WAITING / 2]));
        sender.try_send(half.clone()).unwrap();
        sender.try_send(half.clone()).unwrap();
        assert_eq!(sender.try_send(write("x")), Err(MAX_WAITING));
        drop(queue.try_take());
        sender.try_send(half).unwrap();
    }

    #[test]
    fn small_requests_are_bounded_in_number() {
        let queue = Arc::new(RequestQueue::default());
        let (mut sender, _replies) = queue.register();
        let taken = (0..)
            .take_while(|_| sender.try_send(write("")).is_ok())
            .count();
        assert_eq!(taken, MAX_REQUESTS);
    }

    #[test]
    fn the_last_clients_that_left_are_still_served() {
        let queue = Arc::new(RequestQueue::default());
        let (mut stays, _replies) = queue.register();
        stays.try_send(write("stays")).unwrap();
        for _ in 0..2 {
            queue.register().0.try_send(write("first")).unwrap();
        }
        // Nothing is left of a client that was served before.
        assert_eq!(queue.try_take().map(|it| it.action), Some(write("stays")));
        assert_eq!(queue.try_take().map(|it| it.action), Some(write("first")));
        stays.try_send(write("stays")).unwrap();
        for _ in 0..MAX_DEPARTED {
            queue.register().0.try_send(write("last")).unwrap();
        }
        check_order(&queue, &[&["stays"], &["last"; MAX_DEPARTED][..]].concat());
        assert!(queue.waiting().requests.is_empty());
    }

    #[tokio::test]
    async fn a_client_that_holds_a_lease_returns_it_on_leaving_however_full_its_queue() {
        let queue = Arc::new(RequestQueue::default());
        let (mut sender, _replies) = queue.register();
        sender
            .try_send(Action::Release(Lease::WhileConnected))
            .unwrap();
        while sender.try_send(write("x")).is_ok() {}
        drop(sender);
        let release = queue.take_urgent().await;
        let back = queue.take_urgent().await;
        assert_eq!(back.action, Action::Return);
        assert_eq!(back.client, release.client);
    }

    #[tokio::test]
    async fn the_client_gets_the_outcome_of_each_request() {
        let queue = Arc::new(RequestQueue::default());
        let (mut sender, mut replies) = queue.register();
        let number = sender.try_send(write("x")).unwrap();
        queue.take().await.end(Ok(1));
        assert_eq!(replies.recv().await, Ok((number, Ok(1))));
    }
}
