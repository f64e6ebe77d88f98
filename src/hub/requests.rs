//! What clients ask of a port, bounded for each client and served in turn.
//!
//! Each client has a lane. A lane holds its client's requests in order; the port takes one request
//! from each lane in turn, so that a client that sends much does not keep the others waiting.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use futures::channel::mpsc;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// Bytes that one client may have waiting for the port. At the limit a request is refused, or its
/// client is not read any further until there is room.
pub const MAX_WAITING: usize = 64 << 10;

/// Bytes that a request counts for at least, so that small ones are bounded in number too.
const LEAST_COST: usize = 64;

/// Requests that can be waiting for one client.
pub(crate) const MOST_REQUESTS: usize = MAX_WAITING / LEAST_COST;

/// Clients that have gone, and whose requests still wait for the port. At the limit, what the first
/// of them left is given up.
const MOST_GONE: usize = 256;

/// What may be asked of a port.
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
    /// Take the port back, whoever has it.
    Resume,
    /// Take the port back if it is lent to this client, which is leaving.
    Return,
}

/// How long a port is lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// For so long, unless it is resumed before.
    For(Duration),
    /// While the client that asked for it is connected.
    WhileConnected,
}

impl Action {
    /// Whether it goes before all that waits: it must work when a write is stuck.
    fn is_urgent(&self) -> bool {
        matches!(
            self,
            Self::Reset | Self::Release(_) | Self::Resume | Self::Return
        )
    }
}

/// How a request ended: the bytes that the operating system took, or why not all.
pub type Outcome = Result<usize, RequestError>;

/// Why a request was not carried out, or not to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestError {
    /// A sentence for the client.
    pub reason: String,
    /// Bytes that the operating system took before.
    pub written: usize,
}

impl RequestError {
    /// A refusal before anything was written.
    pub fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            written: 0,
        }
    }
}

/// An action on its way to the port.
pub struct Request {
    /// What to do.
    pub action: Action,
    /// The lane of the client that asks.
    pub client: u64,
    /// Which of its client's requests it is.
    number: u64,
    /// The client's end hears how it ended; a client that has gone does not mind.
    replies: mpsc::Sender<(u64, Outcome)>,
    _room: OwnedSemaphorePermit,
}

impl Request {
    /// Tells the client how it ended.
    pub fn end(mut self, outcome: Outcome) {
        // There is room for as many replies as requests; only a client that has gone misses one.
        let _ = self.replies.try_send((self.number, outcome));
    }
}

/// All requests that wait for one port.
#[derive(Default)]
pub struct RequestQueue {
    lanes: Mutex<Lanes>,
    filled: Notify,
    urgent: Notify,
    next_lane: AtomicU64,
}

#[derive(Default)]
struct Lanes {
    requests: HashMap<u64, VecDeque<Request>>,
    /// The lanes that have requests, the one to serve next in front.
    turn: VecDeque<u64>,
    /// The lanes that had requests when their clients went, the first to go in front.
    gone: VecDeque<u64>,
    urgent: VecDeque<Request>,
}

impl Lanes {
    /// Takes note that the client of a lane has gone.
    fn leave(&mut self, id: u64) {
        let requests = &self.requests;
        self.gone.retain(|gone| requests.contains_key(gone));
        if requests.contains_key(&id) {
            self.gone.push_back(id);
        }
        if self.gone.len() > MOST_GONE
            && let Some(first) = self.gone.pop_front()
        {
            self.requests.remove(&first);
            self.turn.retain(|lane| *lane != first);
        }
    }
}

impl RequestQueue {
    /// A lane for one client, and where it hears how its requests ended.
    pub fn lane(self: &Arc<Self>) -> (RequestSender, mpsc::Receiver<(u64, Outcome)>) {
        // Most clients never ask: this channel takes memory only for replies that wait.
        let (replies, receiver) = mpsc::channel(MOST_REQUESTS);
        let lane = RequestSender {
            queue: Arc::clone(self),
            id: self.next_lane.fetch_add(1, Ordering::Relaxed),
            room: Arc::new(Semaphore::new(MAX_WAITING)),
            replies,
            sent: 0,
            borrows: false,
        };
        (lane, receiver)
    }

    /// Waits for the next request. Cancelling the wait loses nothing.
    pub async fn take(&self) -> Request {
        loop {
            let filled = self.filled.notified();
            if let Some(request) = self.try_take() {
                return request;
            }
            filled.await;
        }
    }

    /// Waits for the next request that does not wait its turn. Cancelling loses nothing.
    pub async fn take_urgent(&self) -> Request {
        loop {
            let filled = self.urgent.notified();
            if let Some(request) = self.lanes().urgent.pop_front() {
                return request;
            }
            filled.await;
        }
    }

    /// The next request that waits its turn, if there is one.
    pub fn try_take(&self) -> Option<Request> {
        let mut lanes = self.lanes();
        let lane = lanes.turn.pop_front()?;
        let waiting = lanes.requests.get_mut(&lane)?;
        let request = waiting.pop_front()?;
        if waiting.is_empty() {
            lanes.requests.remove(&lane);
        } else {
            lanes.turn.push_back(lane);
        }
        Some(request)
    }

    fn put(&self, request: Request) {
        if request.action.is_urgent() {
            self.lanes().urgent.push_back(request);
            return self.urgent.notify_one();
        }
        {
            let mut lanes = self.lanes();
            let client = request.client;
            let waiting = lanes.requests.entry(client).or_default();
            waiting.push_back(request);
            if waiting.len() == 1 {
                lanes.turn.push_back(client);
            }
        }
        self.filled.notify_one();
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes
            .lock()
            .expect("nothing panics while it holds the lanes")
    }
}

/// One client's way to the port. What was put in is still served after it is dropped, as long as
/// not too many others have left requests since, and a port that was lent to the client comes back.
pub struct RequestSender {
    queue: Arc<RequestQueue>,
    id: u64,
    room: Arc<Semaphore>,
    replies: mpsc::Sender<(u64, Outcome)>,
    sent: u64,
    /// Whether the port may be lent to this client for as long as it is connected.
    borrows: bool,
}

impl RequestSender {
    /// Asks for `action` if there is room for it, and returns its number.
    ///
    /// # Errors
    /// The bytes that wait already, when there is no room.
    pub fn offer(&mut self, action: Action) -> Result<u64, usize> {
        let waiting = MAX_WAITING - self.room.available_permits();
        let cost = match &action {
            Action::Write(bytes) if bytes.len() > MAX_WAITING => return Err(waiting),
            action => cost(action),
        };
        let room = Arc::clone(&self.room)
            .try_acquire_many_owned(cost)
            .map_err(|_| waiting)?;
        Ok(self.put(action, room))
    }

    /// Whether `action` would wait for room.
    pub fn is_full_for(&self, action: &Action) -> bool {
        self.room.available_permits() < cost(action) as usize
    }

    /// Waits until there is room for an action that costs as much as this one. An action larger
    /// than all the room waits until it is alone.
    pub async fn room_for(&self, action: &Action) -> OwnedSemaphorePermit {
        let acquired = Arc::clone(&self.room)
            .acquire_many_owned(cost(action))
            .await;
        acquired.expect("a lane's room is never closed")
    }

    /// Asks for `action`, for which there is `room`, and returns its number.
    pub fn put(&mut self, action: Action, room: OwnedSemaphorePermit) -> u64 {
        self.sent += 1;
        self.borrows |= action == Action::Release(Lease::WhileConnected);
        self.queue.put(Request {
            action,
            client: self.id,
            number: self.sent,
            replies: self.replies.clone(),
            _room: room,
        });
        self.sent
    }

    /// Gives the port back if it was lent to this client for as long as it is connected.
    pub fn give_back(&mut self) {
        // A full lane, too, has room for nothing.
        let room = Arc::clone(&self.room).try_acquire_many_owned(0);
        if let (true, Ok(room)) = (std::mem::take(&mut self.borrows), room) {
            self.put(Action::Return, room);
        }
    }
}

impl Drop for RequestSender {
    fn drop(&mut self) {
        self.give_back();
        self.queue.lanes().leave(self.id);
    }
}

fn cost(action: &Action) -> u32 {
    let bytes = match action {
        Action::Write(bytes) => bytes.len(),
        _ => 0,
    };
    bytes.clamp(LEAST_COST, MAX_WAITING) as u32
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
        let (mut busy, _busy_replies) = queue.lane();
        let (mut calm, _calm_replies) = queue.lane();
        for text in ["b1", "b2", "b3"] {
            busy.offer(write(text)).unwrap();
        }
        calm.offer(write("c1")).unwrap();
        drop(calm);
        check_order(&queue, &["b1", "c1", "b2", "b3"]);
    }

    #[test]
    fn a_client_may_have_only_so_much_waiting() {
        let queue = Arc::new(RequestQueue::default());
        let (mut lane, _replies) = queue.lane();
        let half = Action::Write(Bytes::from(vec![0; MAX_WAITING / 2]));
        lane.offer(half.clone()).unwrap();
        lane.offer(half.clone()).unwrap();
        assert_eq!(lane.offer(write("x")), Err(MAX_WAITING));
        assert!(lane.is_full_for(&write("x")));
        drop(queue.try_take());
        lane.offer(half).unwrap();
    }

    #[test]
    fn small_requests_are_bounded_in_number() {
        let queue = Arc::new(RequestQueue::default());
        let (mut lane, _replies) = queue.lane();
        let taken = (0..).take_while(|_| lane.offer(write("")).is_ok()).count();
        assert_eq!(taken, MOST_REQUESTS);
    }

    #[test]
    fn of_clients_that_have_gone_the_last_ones_are_still_served() {
        let queue = Arc::new(RequestQueue::default());
        let (mut stays, _replies) = queue.lane();
        stays.offer(write("stays")).unwrap();
        for _ in 0..2 {
            queue.lane().0.offer(write("first")).unwrap();
        }
        // Of one that was served before, nothing is left.
        assert_eq!(queue.try_take().map(|it| it.action), Some(write("stays")));
        assert_eq!(queue.try_take().map(|it| it.action), Some(write("first")));
        stays.offer(write("stays")).unwrap();
        for _ in 0..MOST_GONE {
            queue.lane().0.offer(write("last")).unwrap();
        }
        check_order(&queue, &[&["stays"], &["last"; MOST_GONE][..]].concat());
        assert!(queue.lanes().requests.is_empty());
    }

    #[tokio::test]
    async fn a_client_that_borrowed_the_port_gives_it_back_on_leaving_however_full_its_lane() {
        let queue = Arc::new(RequestQueue::default());
        let (mut lane, _replies) = queue.lane();
        lane.offer(Action::Release(Lease::WhileConnected)).unwrap();
        while lane.offer(write("x")).is_ok() {}
        drop(lane);
        let release = queue.take_urgent().await;
        let back = queue.take_urgent().await;
        assert_eq!(back.action, Action::Return);
        assert_eq!(back.client, release.client);
    }

    #[tokio::test]
    async fn the_client_hears_how_each_request_ended() {
        let queue = Arc::new(RequestQueue::default());
        let (mut lane, mut replies) = queue.lane();
        let number = lane.offer(write("x")).unwrap();
        queue.take().await.end(Ok(1));
        assert_eq!(replies.recv().await, Ok((number, Ok(1))));
    }
}
