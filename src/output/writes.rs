//! Writes what comes by a broker or by OSC, each message in one piece. What cannot wait is dropped.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::StreamExt;
use futures::channel::mpsc as replies;
use tokio::sync::mpsc;

use super::PublishedPort;
use crate::hub::{Action, Outcome, RequestSender};
use crate::log::throttled::ThrottledLog;
use crate::view::LineEnding;

/// Messages that may wait for one port. At the limit, more are dropped.
const MAX_WAITING: usize = 16;

/// The ports to which others may write, by their names.
#[derive(Clone, Default)]
pub(super) struct WritablePorts(Arc<Mutex<HashMap<String, mpsc::Sender<Bytes>>>>);

impl WritablePorts {
    /// Adds a port, and returns what is written to it.
    pub(super) fn register(&self, port: &str) -> mpsc::Receiver<Bytes> {
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        self.ports().insert(port.to_owned(), sender);
        receiver
    }

    /// Removes a port.
    pub(super) fn remove(&self, port: &str) {
        self.ports().remove(port);
    }

    /// Passes a message on to the port.
    ///
    /// # Errors
    /// Says why it is dropped.
    pub(super) fn write(&self, port: &str, bytes: Bytes) -> Result<(), String> {
        let ports = self.ports();
        let sender = ports
            .get(port)
            .ok_or("there is no such port, or it is read-only")?;
        sender.try_send(bytes).map_err(|_| {
            format!("{MAX_WAITING} messages wait for the port already: publish more slowly")
        })
    }

    fn ports(&self) -> MutexGuard<'_, HashMap<String, mpsc::Sender<Bytes>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The writer of one port.
pub(super) struct MessageWriter {
    port: String,
    append: LineEnding,
    incoming: mpsc::Receiver<Bytes>,
    sender: RequestSender,
    outcomes: replies::Receiver<(u64, Outcome)>,
    /// The origin of the messages, in the log.
    from: &'static str,
    log: Arc<ThrottledLog>,
}

impl MessageWriter {
    /// Becomes one of those who write to the port.
    pub(super) fn new(
        port: &PublishedPort,
        append: LineEnding,
        incoming: mpsc::Receiver<Bytes>,
        from: &'static str,
        log: Arc<ThrottledLog>,
    ) -> Self {
        let (sender, outcomes) = port.hub.queue.register();
        Self {
            port: port.name.clone(),
            append,
            incoming,
            sender,
            outcomes,
            from,
            log,
        }
    }

    /// Writes until the port is removed.
    pub(super) async fn run(mut self) {
        loop {
            tokio::select! {
                bytes = self.incoming.recv() => match bytes {
                    Some(bytes) => self.write(bytes).await,
                    None => return,
                },
                Some((_, outcome)) = self.outcomes.next() => {
                    if let Err(error) = outcome {
                        self.warn(&error.reason);
                    }
                }
            }
        }
    }

    /// Waits for room, and writes.
    async fn write(&mut self, bytes: Bytes) {
        let action = Action::Write(self.append.complete(bytes));
        let permit = self.sender.reserve(&action).await;
        if let Err(holder) = self.sender.send(action, permit) {
            self.warn(&holder.refusal());
        }
    }

    fn warn(&self, why: &str) {
        let why = format!("from {}: {why}", self.from);
        self.log.dropped(&self.port, &why);
    }
}
