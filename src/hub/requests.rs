//! The requests of clients on their way to a port, bounded for each client.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::channel::mpsc;
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::question::{DeviceQuestion, DeviceReply};
use super::settings::{BaudChange, SettingsChange};
use super::write_lock::{LockHolder, LockPolicy};
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
pub(super) const MAX_ROOM: usize = 1 << 30;

/// The number of the program itself among its clients, which begin at 1.
pub(super) const PROGRAM: u64 = 0;

/// The bounds on what clients ask of a port.
#[derive(Clone, Copy, Debug)]
pub struct RequestLimits {
    /// Bytes that one message may write. A longer one is refused.
    pub max_message: usize,
    /// Bytes a second that one client may write; 0 for no limit. Beyond it, its writes wait.
    pub max_write_rate: u32,
    /// The time without a request after which the write lock ends; None for no limit.
    pub lock_idle: Option<Duration>,
    /// Says who may write while nobody has the write lock.
    pub lock: LockPolicy,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            max_message: MAX_WAITING,
            max_write_rate: 0,
            lock_idle: Some(DEFAULT_LOCK_IDLE),
            lock: LockPolicy::default(),
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
    /// Write a question and wait for its reply. Meanwhile what waits its turn waits on.
    Ask(DeviceQuestion),
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
    /// Take the write lock of the other serial-ws that has the board for this client too, which has
    /// that of the port.
    PassLockOn,
    /// Put settings in force again that a client was to change for the time of its write lock, which
    /// has ended: fixed ones, and all that it saved.
    ReturnSettings,
    /// Restart the board by its modem lines.
    Reset,
    /// Close the port so that another program can use it.
    Release(Lease),
    /// Take the port back from whoever has it; with a client's number, unless another client has
    /// released it.
    Resume(Option<u64>),
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
            Self::Ask(question) => &question.bytes,
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

    /// Returns true for what waits for a reply of the device.
    pub fn is_question(&self) -> bool {
        matches!(self, Self::Ask(_))
    }

    /// Returns true for what may have to return when the write lock of its client ends.
    pub(super) fn is_settings(&self) -> bool {
        matches!(
            self,
            Self::Settings(_) | Self::SaveSettings | Self::PassLockOn
        )
    }

    /// Returns true for what need not wait for the reply to a question.
    pub(super) fn may_overtake_question(&self) -> bool {
        self.is_settings() || *self == Self::ReturnSettings
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
            Self::Reset | Self::Release(_) | Self::Resume(_) | Self::Return
        )
    }
}

/// The outcome of a request: what came of it, or the reason why it was not carried out.
pub type Outcome = Result<Done, RequestError>;

/// The result of a request that was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// The system took so many bytes.
    Written(usize),
    /// The device replied.
    Replied(DeviceReply),
}

/// The reason why a request was not carried out, or not to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestError {
    /// A sentence for the client.
    pub reason: String,
    /// Bytes that the system had taken by then.
    pub written: usize,
    /// The reason for programs, where it is one of these.
    pub code: Option<ErrorCode>,
}

/// The reasons for errors that programs may want to tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ErrorCode {
    /// No reply came in time.
    Timeout,
    /// The device was lost, or the port was released to another program.
    Gone,
    /// Another client has the write lock, or only the operator may write.
    Locked,
    /// Another client has released the port to a program that may still be running.
    Released,
    /// The setting was given where serial-ws was started. The holder of the write lock may change it.
    Fixed,
    /// A code of a later version.
    #[serde(other)]
    Unknown,
}

impl RequestError {
    /// An error before anything was written.
    pub fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            written: 0,
            code: None,
        }
    }

    /// The same error with a code.
    pub fn with_code(self, code: Option<ErrorCode>) -> Self {
        Self { code, ..self }
    }
}

impl From<String> for RequestError {
    fn from(reason: String) -> Self {
        Self::new(reason)
    }
}

impl From<LockHolder> for RequestError {
    fn from(holder: LockHolder) -> Self {
        Self::new(holder.refusal()).with_code(Some(ErrorCode::Locked))
    }
}

/// One request, with the way back for its outcome.
pub struct Request {
    /// The action to carry out.
    pub action: Action,
    /// The number of the client that asks.
    pub client: u64,
    /// The name that the client gave itself.
    pub name: Option<Arc<str>>,
    /// The term of the write lock in which its client, which held it, asked.
    pub term: Option<u64>,
    /// The number of the request among those of its client.
    pub(super) number: u64,
    /// Takes the outcome to the client, which may have left.
    pub(super) replies: mpsc::Sender<(u64, Outcome)>,
    /// The rate of its client; None for no limit.
    pub(super) rate: Option<Arc<WriteRate>>,
    pub(super) _room: OwnedSemaphorePermit,
    /// The place among the client's questions that wait, until this one begins.
    pub(super) waiting: Option<OwnedSemaphorePermit>,
}

impl Request {
    /// A request of the program itself, whose outcome nobody waits for.
    pub(super) fn of_nobody(action: Action) -> Self {
        Self::of_program(action, mpsc::channel(0).0)
    }

    /// A request of the program itself, whose outcome goes to `replies`.
    pub fn of_program(action: Action, replies: mpsc::Sender<(u64, Outcome)>) -> Self {
        let room = Arc::new(Semaphore::new(0)).try_acquire_many_owned(0);
        Self {
            action,
            client: PROGRAM,
            name: None,
            term: None,
            number: 0,
            replies,
            rate: None,
            _room: room.expect("no room is needed"),
            waiting: None,
        }
    }

    /// Sends the outcome to the client.
    pub fn end(mut self, outcome: Outcome) {
        // There is room for as many replies as requests; only a client that has left misses one.
        let _ = self.replies.try_send((self.number, outcome));
    }

    /// Tells the client that it was carried out, and wrote nothing.
    pub fn done(self) {
        self.end(Ok(Done::Written(0)));
    }

    /// Notes that its turn has come: it counts no longer among those that wait.
    pub(super) fn begin(&mut self) {
        self.waiting = None;
    }

    /// Returns true if nobody is there to hear the outcome.
    pub(super) fn is_orphaned(&self) -> bool {
        self.replies.is_closed()
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
