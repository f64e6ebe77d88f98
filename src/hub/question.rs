//! Questions to a device: what is written, how its reply ends, and the bounds on both.

use std::time::Duration;

use bytes::Bytes;

use super::requests::RequestError;
use super::write_lock::LockHolder;

/// Bytes of a reply. A longer one ends the question with an error.
pub const MAX_REPLY_BYTES: usize = 64 << 10;

/// The longest time to wait for a reply. A question that asks for more is refused, since others wait
/// meanwhile.
pub const MAX_REPLY_TIMEOUT: Duration = Duration::from_secs(30);

/// The time to wait for a reply where nothing else is said.
pub const DEFAULT_REPLY_TIMEOUT: Duration = Duration::from_secs(2);

/// The shortest silence that may end a reply. USB hands over what it has once a millisecond, and a
/// busy computer some milliseconds late.
pub const MIN_REPLY_GAP: Duration = Duration::from_millis(5);

/// Lines of a reply. A question that asks for more is refused.
pub const MAX_REPLY_LINES: usize = 1000;

/// Texts any of which ends a reply. A question with more is refused.
pub const MAX_REPLY_TEXTS: usize = 16;

/// Bytes of each of these texts. A question with a longer one is refused.
pub const MAX_REPLY_TEXT_BYTES: usize = 256;

/// Questions of one client that may wait for their turn. At the limit one is refused.
pub(super) const MAX_WAITING_QUESTIONS: usize = 16;

/// A question to the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceQuestion {
    /// The bytes to write.
    pub bytes: Bytes,
    /// The end of its reply.
    pub until: Until,
    /// The time in which the reply has to be complete, from the question's last byte on. The device
    /// has to take the question within the same time.
    pub timeout: Duration,
    /// True if the client takes text for an answer.
    pub is_text: bool,
}

/// The end of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Until {
    /// So many whole lines, not counting empty ones.
    Lines(usize),
    /// So many bytes.
    Bytes(usize),
    /// The end of the line in which the first of these texts stands.
    Text(Vec<Bytes>),
    /// So long a silence after the first byte.
    Gap(Duration),
    /// A whole frame, or so long a silence after the first byte.
    FrameOrGap(Duration),
}

/// The reply to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceReply {
    /// Its bytes.
    pub bytes: Bytes,
    /// True if it is to be shown as text.
    pub is_text: bool,
}

/// The reason why nobody waits for a reply any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuestionEnd {
    /// Another client took the write lock.
    Locked(LockHolder),
    /// The client has left.
    Left,
}

impl From<QuestionEnd> for RequestError {
    fn from(end: QuestionEnd) -> Self {
        match end {
            QuestionEnd::Locked(holder) => holder.into(),
            QuestionEnd::Left => Self::new("the client has left"),
        }
    }
}

/// The question that the port has begun, as far as others may end it.
#[derive(Debug, Default)]
pub(super) struct CurrentQuestion {
    /// The client that asks.
    client: Option<u64>,
    end: Option<QuestionEnd>,
}

impl CurrentQuestion {
    /// Notes that the port has begun a question of this client.
    pub(super) fn begin(&mut self, client: u64) {
        *self = Self {
            client: Some(client),
            end: None,
        };
    }

    /// Notes that it has an answer.
    pub(super) fn finish(&mut self) {
        *self = Self::default();
    }

    /// Ends it if `is_meant` says so of the client that asks. Returns true if it is ended.
    pub(super) fn end_if(&mut self, is_meant: impl Fn(u64) -> bool, end: QuestionEnd) -> bool {
        let is_ended = self.client.is_some_and(is_meant) && self.end.is_none();
        if is_ended {
            self.end = Some(end);
        }
        is_ended
    }

    /// Returns the reason why it was ended, once.
    pub(super) fn take_end(&mut self) -> Option<QuestionEnd> {
        self.end.take()
    }
}
