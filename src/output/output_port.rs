//! The port as one connection of an output sees it: asks for actions in order, remembers what is to
//! be answered to each, and holds the write lock.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;

use tokio::time::Instant;

use super::connection_log::ConnectionLog;
use crate::hub::{Action, Hub, Permit, RequestError, RequestSender, Status};
use crate::rfc2217::ComPortMessage;

/// The reason why nothing is written for a connection.
const READ_ONLY: &str = "this output only reads";

/// The port as a connection sees it.
pub(super) struct OutputPort {
    pub(super) hub: Arc<Hub>,
    /// None if the connection only reads.
    sender: Option<RequestSender>,
    /// The actions that wait for room in the port's queue, each with the message that is answered
    /// when it was carried out.
    pub(super) waiting: VecDeque<(Action, Option<ComPortMessage>)>,
    /// The requests that were sent, likewise.
    asked: VecDeque<(u64, Option<ComPortMessage>)>,
    /// The time of the last request.
    last_asked: Instant,
    /// True if what the device has sent by now is to be skipped.
    pub(super) skips_data: bool,
    pub(super) log: ConnectionLog,
    /// True once the log has told that something was not carried out.
    has_warned: bool,
}

impl OutputPort {
    /// Starts with nothing asked. Without a `sender`, the connection only reads.
    pub(super) fn new(hub: &Arc<Hub>, sender: Option<RequestSender>, log: ConnectionLog) -> Self {
        Self {
            hub: Arc::clone(hub),
            sender,
            waiting: VecDeque::new(),
            asked: VecDeque::new(),
            last_asked: Instant::now(),
            skips_data: false,
            log,
            has_warned: false,
        }
    }

    /// Returns the status of the port now.
    pub(super) fn status(&self) -> Status {
        self.hub.status()
    }

    /// Asks the port for an action, after all before. The `message` is answered then.
    pub(super) fn ask(&mut self, action: Action, message: Option<ComPortMessage>) {
        if self.sender.is_some() {
            self.last_asked = Instant::now();
            self.waiting.push_back((action, message));
        } else {
            self.warn(READ_ONLY);
        }
    }

    /// Takes the write lock of the port.
    ///
    /// # Errors
    /// If the connection may not, or another client has it.
    pub(super) fn lock(&mut self) -> Result<(), String> {
        let sender = self.sender.as_ref().ok_or(READ_ONLY)?;
        let taken = self.hub.lock(sender.client(), Some(self.log.name.clone()));
        taken.map_err(|holder| holder.refusal())
    }

    /// Returns when the write lock ends because nothing was asked, if the connection has it.
    pub(super) fn lock_due(&self) -> Option<Instant> {
        let client = self.sender.as_ref()?.client();
        let idle = self.hub.queue.lock_idle()?;
        let is_idle = self.waiting.is_empty() && self.asked.is_empty();
        (is_idle && self.hub.queue.has_lock(client)).then(|| self.last_asked + idle)
    }

    /// Ends the write lock if the connection has it.
    pub(super) fn unlock(&self) {
        if let Some(sender) = &self.sender {
            self.hub.unlock(Some(sender.client()));
        }
    }

    /// Tells the operator, once for each connection, that something was not carried out.
    pub(super) fn warn(&mut self, why: &str) {
        if !std::mem::replace(&mut self.has_warned, true) {
            let text = format_args!("{}: dropped what it sent: {why}", self.log.name);
            self.log.warn(why, text);
        }
    }

    /// Waits until there is room for the action that waits longest.
    pub(super) async fn reserve(&self) -> Permit {
        match (&self.sender, self.waiting.front()) {
            (Some(sender), Some((action, _))) => sender.reserve(action).await,
            _ => pending().await,
        }
    }

    /// Sends the action that waits longest. Returns its message, if it has one, where another client
    /// has the write lock.
    pub(super) fn send(&mut self, permit: Permit) -> Option<(ComPortMessage, RequestError)> {
        let sender = self.sender.as_mut()?;
        let (action, message) = self.waiting.pop_front()?;
        match sender.send(action, permit) {
            Ok(number) => {
                self.asked.push_back((number, message));
                None
            }
            Err(holder) => {
                let why = holder.refusal();
                self.warn(&why);
                Some((message?, RequestError::new(why)))
            }
        }
    }

    /// Returns the message of a request that is over.
    pub(super) fn answered(&mut self, number: u64) -> Option<ComPortMessage> {
        let index = self.asked.iter().position(|(one, _)| *one == number)?;
        self.asked.remove(index)?.1
    }
}
