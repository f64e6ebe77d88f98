//! Sends the requests of one client to a port, as far as there is room for them.

use std::sync::Arc;

use futures::channel::mpsc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::question::MAX_WAITING_QUESTIONS;
use super::request_queue::RequestQueue;
use super::requests::{
    Action, Lease, MAX_IMMEDIATE, MAX_ROOM, MAX_URGENT, MAX_WAITING, MIN_COST, MIN_URGENT_COST,
    Outcome, Request, RequestLimits,
};
use super::write_lock::LockHolder;
use super::write_rate::WriteRate;

/// The room for the requests of one client of one kind.
#[derive(Clone)]
struct RequestRoom {
    free: Arc<Semaphore>,
    /// Bytes in all.
    size: usize,
    /// The least that a request counts for.
    min_cost: usize,
}

impl RequestRoom {
    fn new(size: usize, min_cost: usize) -> Self {
        let free = Arc::new(Semaphore::new(size));
        Self {
            free,
            size,
            min_cost,
        }
    }

    /// Takes so much of the room.
    fn take(&self, cost: u32) -> Result<OwnedSemaphorePermit, NoRoom> {
        let permit = Arc::clone(&self.free).try_acquire_many_owned(cost);
        permit.map_err(|_| NoRoom::Full {
            waiting: self.size - self.free.available_permits(),
            max: self.size,
            min_cost: self.min_cost,
        })
    }

    /// Returns what a request for `action` counts for.
    fn cost(&self, action: &Action) -> u32 {
        action.bytes().len().clamp(self.min_cost, self.size) as u32
    }
}

/// Room for one action in the queue.
pub struct Permit {
    room: OwnedSemaphorePermit,
    /// A place among the client's questions that wait.
    question: Option<OwnedSemaphorePermit>,
}

impl Permit {
    fn new(room: OwnedSemaphorePermit) -> Self {
        let question = None;
        Self { room, question }
    }
}

/// The reason why there is no room for a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoRoom {
    /// Another client holds the write lock, and nobody else has room.
    Locked(LockHolder),
    /// It writes more bytes than one message may.
    TooLong {
        /// The most that it may.
        max: usize,
    },
    /// Too much of the same client is waiting.
    Full {
        /// The bytes that what waits counts for.
        waiting: usize,
        /// The most that it may count for.
        max: usize,
        /// The least that a request counts for.
        min_cost: usize,
    },
}

/// Sends the requests of one client. When it is dropped, what was sent is still served, unless too
/// many others have left requests since, and what the client held comes back.
pub struct RequestSender {
    queue: Arc<RequestQueue>,
    id: u64,
    /// The name that the client gave itself.
    name: Option<Arc<str>>,
    max_message: usize,
    room: RequestRoom,
    urgent_room: RequestRoom,
    immediate_room: RequestRoom,
    question_room: RequestRoom,
    rate: Option<Arc<WriteRate>>,
    replies: mpsc::Sender<(u64, Outcome)>,
    sent: u64,
    /// True if the port may be leased to this client for as long as it is connected, or held in the
    /// break condition.
    holds_port: bool,
    /// True from when this client began the break condition until it ended it.
    holds_break: bool,
    /// True if this client has asked the device something.
    asks: bool,
}

impl RequestSender {
    pub(super) fn new(
        queue: Arc<RequestQueue>,
        id: u64,
        limits: RequestLimits,
        rate: Option<Arc<WriteRate>>,
        replies: mpsc::Sender<(u64, Outcome)>,
    ) -> Self {
        Self {
            queue,
            id,
            name: None,
            max_message: limits.max_message,
            room: RequestRoom::new(limits.max_message.clamp(MAX_WAITING, MAX_ROOM), MIN_COST),
            urgent_room: RequestRoom::new(MAX_URGENT, MIN_URGENT_COST),
            immediate_room: RequestRoom::new(MAX_IMMEDIATE, 1),
            question_room: RequestRoom::new(MAX_WAITING_QUESTIONS, 1),
            rate,
            replies,
            sent: 0,
            holds_port: false,
            holds_break: false,
            asks: false,
        }
    }

    /// The same sender, of a client of the operator if that is true.
    #[must_use]
    pub fn of_operator(self, is_operator: bool) -> Self {
        if is_operator {
            self.queue.note_operator(self.id);
        }
        self
    }

    /// Returns the number of this client, which its requests carry.
    pub fn client(&self) -> u64 {
        self.id
    }

    /// Returns the name that the client gave itself.
    pub fn name(&self) -> Option<&Arc<str>> {
        self.name.as_ref()
    }

    /// Names the client: its requests carry the name from now on.
    pub fn set_name(&mut self, name: Option<Arc<str>>) {
        self.name = name;
    }

    /// Sends a request for `action` if there is room for it, and returns its number.
    ///
    /// # Errors
    /// The reason why there is none.
    pub fn try_send(&mut self, action: Action) -> Result<u64, NoRoom> {
        let room = self.room_of(&action);
        let max = room.size.min(self.max_message);
        if action.bytes().len() > max {
            return Err(NoRoom::TooLong { max });
        }
        let question = action.is_question().then(|| self.question_room.take(1));
        let permit = Permit {
            room: room.take(room.cost(&action))?,
            question: question.transpose()?,
        };
        self.send(action, permit).map_err(NoRoom::Locked)
    }

    /// Checks that nobody else alone may write.
    ///
    /// # Errors
    /// The other client that has the write lock, or the operator.
    pub fn check_lock(&self) -> Result<(), LockHolder> {
        self.queue.lock_against(self.id).map_or(Ok(()), Err)
    }

    /// Waits until there is room for an action of this size.
    pub async fn reserve(&self, action: &Action) -> Permit {
        let room = self.room_of(action);
        let acquired = Arc::clone(&room.free).acquire_many_owned(room.cost(action));
        Permit::new(acquired.await.expect("the room is never closed"))
    }

    /// Sends a request for `action`, for which room was reserved, and returns its number.
    ///
    /// # Errors
    /// The other client that holds the write lock. What a client holds it may give back all the same.
    pub fn send(&mut self, action: Action, permit: Permit) -> Result<u64, LockHolder> {
        let number = self.sent + 1;
        let gives_back =
            action == Action::Return || (self.holds_break && action == Action::HoldBreak(false));
        let holds = [
            Action::Release(Lease::WhileConnected),
            Action::HoldBreak(true),
        ];
        let holds_port = self.holds_port || holds.contains(&action);
        let holds_break = match action {
            Action::HoldBreak(on) => on,
            _ => self.holds_break,
        };
        let asks = self.asks || action.is_question();
        let request = Request {
            action,
            client: self.id,
            name: self.name.clone(),
            term: None,
            number,
            replies: self.replies.clone(),
            rate: self.rate.clone(),
            _room: permit.room,
            waiting: permit.question,
        };
        self.queue.push(request, gives_back)?;
        (self.sent, self.asks) = (number, asks);
        (self.holds_port, self.holds_break) = (holds_port, holds_break);
        Ok(number)
    }

    /// Gives back what this client holds for as long as it is connected: the port if it was leased
    /// to it, and the break condition.
    pub fn return_port(&mut self) {
        // Nothing fits even where there is no room.
        let room = Arc::clone(&self.immediate_room.free).try_acquire_many_owned(0);
        if let (true, Ok(room)) = (std::mem::take(&mut self.holds_port), room) {
            self.queue.drop_breaks(self.id);
            let sent = self.send(Action::Return, Permit::new(room));
            debug_assert!(sent.is_ok(), "the write lock keeps nobody from giving back");
        }
    }

    fn room_of(&self, action: &Action) -> &RequestRoom {
        if action.is_immediate() {
            &self.immediate_room
        } else if action.is_urgent() {
            &self.urgent_room
        } else {
            &self.room
        }
    }
}

impl Drop for RequestSender {
    fn drop(&mut self) {
        self.queue.end_lock(Some(self.id));
        self.return_port();
        if self.asks {
            self.queue.drop_questions(self.id);
        }
        self.queue.leave(self.id);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::hub::waiting_requests::MAX_DEPARTED;
    use crate::hub::{ClientNumbers, Done};

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
        let queue = RequestQueue::new(RequestLimits::default(), ClientNumbers::default());
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
        let queue = RequestQueue::new(RequestLimits::default(), ClientNumbers::default());
        let (mut sender, _replies) = queue.register();
        let half = Action::Write(Bytes::from(vec![0; MAX_WAITING / 2]));
        sender.try_send(half.clone()).unwrap();
        sender.try_send(half.clone()).unwrap();
        let full = NoRoom::Full {
            waiting: MAX_WAITING,
            max: MAX_WAITING,
            min_cost: MIN_COST,
        };
        assert_eq!(sender.try_send(write("x")), Err(full));
        drop(queue.try_take());
        sender.try_send(half).unwrap();
    }

    #[test]
    fn small_requests_are_bounded_in_number() {
        let queue = RequestQueue::new(RequestLimits::default(), ClientNumbers::default());
        let (mut sender, _replies) = queue.register();
        let taken = (0..)
            .take_while(|_| sender.try_send(write("")).is_ok())
            .count();
        assert_eq!(taken, MAX_WAITING / MIN_COST);
    }

    #[test]
    fn the_last_clients_that_left_are_still_served() {
        let queue = RequestQueue::new(RequestLimits::default(), ClientNumbers::default());
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
        assert!(queue.is_empty());
    }

    #[tokio::test]
    async fn a_client_that_holds_a_lease_returns_it_on_leaving_however_full_its_queue() {
        let queue = RequestQueue::new(RequestLimits::default(), ClientNumbers::default());
        let (mut sender, _replies) = queue.register();
        sender
            .try_send(Action::Release(Lease::WhileConnected))
            .unwrap();
        while sender.try_send(write("x")).is_ok() {}
        drop(sender);
        let release = queue.take_immediate().await;
        let back = queue.take_immediate().await;
        assert_eq!(back.action, Action::Return);
        assert_eq!(back.client, release.client);
    }

    #[tokio::test]
    async fn the_client_gets_the_outcome_of_each_request() {
        let queue = RequestQueue::new(RequestLimits::default(), ClientNumbers::default());
        let (mut sender, mut replies) = queue.register();
        let number = sender.try_send(write("x")).unwrap();
        queue.take(None).await.end(Ok(Done::Written(1)));
        assert_eq!(replies.recv().await, Ok((number, Ok(Done::Written(1)))));
    }
}
