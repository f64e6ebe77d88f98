//! The requests of clients on their way to a port, bounded for each client.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::channel::mpsc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::request_queue::RequestQueue;
use super::settings::{BaudChange, SettingsChange};
use super::write_lock::LockHolder;
use super::write_rate::WriteRate;

/// Bytes that one client may have waiting for the port, unless one message may have more. At the
/// limit a request is refused, or the client is not read any further until there is room.
pub const MAX_WAITING: usize = 64 << 10;

/// The least that a request counts for, in bytes, so that small ones are bounded in number too.
pub(super) const MIN_COST: usize = 64;

/// Bytes that one client may have waiting in urgent writes. At the limit one is refused. They keep
/// all others waiting, so they are few.
pub(super) const MAX_URGENT: usize = 256;

/// The least that an urgent write counts for, in bytes.
pub(super) const MIN_URGENT_COST: usize = 4;

/// Requests of one client that wait for no write, and may wait for the port. At the limit one is
/// refused.
pub(super) const MAX_IMMEDIATE: usize = 16;

/// Replies that one client may have waiting: as many as requests, however long a message may be.
pub(super) const MAX_REPLIES: usize =
    MAX_ROOM / MIN_COST + MAX_URGENT / MIN_URGENT_COST + MAX_IMMEDIATE + 1;

/// The time without a request after which the write lock ends, unless the user sets another.
const DEFAULT_LOCK_IDLE: Duration = Duration::from_secs(300);

/// The most bytes that one client may have waiting, however long a message may be.
const MAX_ROOM: usize = 1 << 30;

/// The bounds on what clients ask of a port.
#[derive(Clone, Copy, Debug)]
pub struct RequestLimits {
    /// Bytes that one message may write. A longer one is refused.
    pub max_message: usize,
    /// Bytes a second that one client may write; 0 for no limit. Beyond it, its writes wait.
    pub max_write_rate: u32,
    /// The time without a request after which the write lock ends; None for no limit.
    pub lock_idle: Option<Duration>,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            max_message: MAX_WAITING,
            max_write_rate: 0,
            lock_idle: Some(DEFAULT_LOCK_IDLE),
        }
    }
}

/// The things that a client may ask of a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Write these bytes, contiguously but for urgent writes.
    Write(Bytes),
    /// Write these bytes before everything that waits, also within another write.
    WriteUrgently(Bytes),
    /// Write these bytes as a frame of the port's framing.
    WriteFrame {
        /// The bytes without what the framing adds.
        bytes: Bytes,
        /// True if it goes before everything that waits.
        urgent: bool,
    },
    /// Set modem lines.
    Signals {
        /// Data Terminal Ready.
        dtr: Option<bool>,
        /// Request To Send.
        rts: Option<bool>,
    },
    /// Hold the line in the break condition for a time.
    Break(Duration),
    /// Begin or end the break condition.
    HoldBreak(bool),
    /// Change line settings.
    Settings(SettingsChange),
    /// Keep the settings and lines as they are, to put them in force again when the write lock of this
    /// client ends.
    SaveSettings,
    /// Put settings in force again that a client was to change for the time of its write lock, which
    /// has ended: fixed ones, and all that it saved.
    ReturnSettings,
    /// Restart the board by its modem lines.
    Reset,
    /// Close the port so that another program can use it.
    Release(Lease),
    /// Take the port back from whoever has it.
    Resume,
    /// Take the port back if it is leased to this client, and end its break: it is leaving.
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
    /// Returns the bytes that this writes, a frame without what its framing adds.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Write(bytes) | Self::WriteUrgently(bytes) | Self::WriteFrame { bytes, .. } => {
                bytes
            }
            _ => &[],
        }
    }

    /// Returns true for what goes before all that waits its turn.
    pub fn is_urgent(&self) -> bool {
        matches!(
            self,
            Self::WriteUrgently(_) | Self::WriteFrame { urgent: true, .. }
        )
    }

    /// Returns true for what may have to return when the write lock of its client ends.
    pub(super) fn is_settings(&self) -> bool {
        matches!(self, Self::Settings(_) | Self::SaveSettings)
    }

    /// Returns what a change of settings says of the rate.
    pub fn baud_change(&self) -> Option<BaudChange> {
        match self {
            Self::Settings(change) => change.baud,
            _ => None,
        }
    }

    /// Returns true for what waits for no write: it must work while one is stuck.
    pub fn is_immediate(&self) -> bool {
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
    /// The term of the write lock in which its client, which held it, asked.
    pub term: Option<u64>,
    /// The number of the request among those of its client.
    number: u64,
    /// Takes the outcome to the client, which may have left.
    replies: mpsc::Sender<(u64, Outcome)>,
    /// The rate of its client; None for no limit.
    pub(super) rate: Option<Arc<WriteRate>>,
    _room: OwnedSemaphorePermit,
}

impl Request {
    /// A request of the program itself, whose outcome nobody waits for.
    pub(super) fn of_nobody(action: Action) -> Self {
        let room = Arc::new(Semaphore::new(0)).try_acquire_many_owned(0);
        Self {
            action,
            client: u64::MAX,
            term: None,
            number: 0,
            replies: mpsc::channel(0).0,
            rate: None,
            _room: room.expect("no room is needed"),
        }
    }

    /// Sends the outcome to the client.
    pub fn end(mut self, outcome: Outcome) {
        // There is room for as many replies as requests; only a client that has left misses one.
        let _ = self.replies.try_send((self.number, outcome));
    }

    /// Counts the request in its client's rate if it may be taken now.
    ///
    /// # Errors
    /// The moment at which it may be taken.
    pub(super) fn take_turn(&self, now: Instant) -> Result<(), Instant> {
        let bytes = self.action.bytes().len();
        let Some(rate) = self.rate.as_ref().filter(|_| bytes > 0) else {
            return Ok(());
        };
        let is_urgent = self.action.is_urgent();
        match rate.due(is_urgent, now) {
            Some(due) => Err(due),
            None => {
                rate.count(bytes, is_urgent, now);
                Ok(())
            }
        }
    }
}

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

    /// Returns what a request for `action` counts for.
    fn cost(&self, action: &Action) -> u32 {
        action.bytes().len().clamp(self.min_cost, self.size) as u32
    }
}

/// Room for one action in the queue.
pub struct Permit(OwnedSemaphorePermit);

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
    max_message: usize,
    room: RequestRoom,
    urgent_room: RequestRoom,
    immediate_room: RequestRoom,
    rate: Option<Arc<WriteRate>>,
    replies: mpsc::Sender<(u64, Outcome)>,
    sent: u64,
    /// True if the port may be leased to this client for as long as it is connected, or held in the
    /// break condition.
    holds_port: bool,
    /// True from when this client began the break condition until it ended it.
    holds_break: bool,
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
            max_message: limits.max_message,
            room: RequestRoom::new(limits.max_message.clamp(MAX_WAITING, MAX_ROOM), MIN_COST),
            urgent_room: RequestRoom::new(MAX_URGENT, MIN_URGENT_COST),
            immediate_room: RequestRoom::new(MAX_IMMEDIATE, 1),
            rate,
            replies,
            sent: 0,
            holds_port: false,
            holds_break: false,
        }
    }

    /// Returns the number of this client, which its requests carry.
    pub fn client(&self) -> u64 {
        self.id
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
        let permit = Arc::clone(&room.free).try_acquire_many_owned(room.cost(&action));
        let permit = permit.map_err(|_| NoRoom::Full {
            waiting: room.size - room.free.available_permits(),
            max: room.size,
            min_cost: room.min_cost,
        })?;
        self.send(action, Permit(permit)).map_err(NoRoom::Locked)
    }

    /// Checks that no other client holds the write lock.
    ///
    /// # Errors
    /// The other client that does.
    pub fn check_lock(&self) -> Result<(), LockHolder> {
        let other = self.queue.lock_holder();
        other
            .filter(|holder| holder.client != self.id)
            .map_or(Ok(()), Err)
    }

    /// Waits until there is room for an action of this size.
    pub async fn reserve(&self, action: &Action) -> Permit {
        let room = self.room_of(action);
        let acquired = Arc::clone(&room.free).acquire_many_owned(room.cost(action));
        Permit(acquired.await.expect("the room is never closed"))
    }

    /// Sends a request for `action`, for which room was reserved, and returns its number.
    ///
    /// # Errors
    /// The other client that holds the write lock. What a client holds it may give back all the same.
    pub fn send(&mut self, action: Action, Permit(room): Permit) -> Result<u64, LockHolder> {
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
        let request = Request {
            action,
            client: self.id,
            term: None,
            number,
            replies: self.replies.clone(),
            rate: self.rate.clone(),
            _room: room,
        };
        self.queue.push(request, gives_back)?;
        (self.sent, self.holds_port, self.holds_break) = (number, holds_port, holds_break);
        Ok(number)
    }

    /// Gives back what this client holds for as long as it is connected: the port if it was leased
    /// to it, and the break condition.
    pub fn return_port(&mut self) {
        // Nothing fits even where there is no room.
        let room = Arc::clone(&self.immediate_room.free).try_acquire_many_owned(0);
        if let (true, Ok(room)) = (std::mem::take(&mut self.holds_port), room) {
            self.queue.drop_breaks(self.id);
            let sent = self.send(Action::Return, Permit(room));
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
        self.queue.leave(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::ClientNumbers;
    use crate::hub::waiting_requests::MAX_DEPARTED;

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
        queue.take(None).await.end(Ok(1));
        assert_eq!(replies.recv().await, Ok((number, Ok(1))));
    }
}
