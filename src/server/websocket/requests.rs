//! The requests of one client: those that the port has not answered, with the identifiers that the
//! client gave them, and one that waits for room.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::channel::mpsc;

use crate::hub::{Action, NoRoom, Outcome, Permit, RequestQueue, RequestSender};
use crate::protocol::Id;

/// One client's requests.
pub(crate) struct Requests {
    sender: RequestSender,
    /// The port sends the number of each request with its outcome: in the order of asking, except
    /// for urgent ones.
    replies: mpsc::Receiver<(u64, Outcome)>,
    /// The identifiers of requests without an outcome yet, by number.
    ids: VecDeque<(u64, Id)>,
    /// A request for which there is no room yet. While there is one, the client is not read.
    held: Option<Action>,
}

/// The end of a request.
pub(crate) struct Reply {
    pub(crate) id: Option<Id>,
    pub(crate) outcome: Outcome,
}

impl Requests {
    /// Registers a client that has no requests yet.
    pub(crate) fn new(queue: &Arc<RequestQueue>) -> Self {
        let (sender, replies) = queue.register();
        Self {
            sender,
            replies,
            ids: VecDeque::new(),
            held: None,
        }
    }

    /// Returns the number of the client among those of its port.
    pub(crate) fn client(&self) -> u64 {
        self.sender.client()
    }

    /// Asks the port at once.
    ///
    /// # Errors
    /// When there is no room: the reason, and the identifier.
    pub(crate) fn try_send(
        &mut self,
        action: Action,
        id: Option<Id>,
    ) -> Result<(), (NoRoom, Option<Id>)> {
        match self.sender.try_send(action) {
            Ok(number) => self.ids.extend(id.map(|id| (number, id))),
            Err(reason) => return Err((reason, id)),
        }
        Ok(())
    }

    /// Keeps a request until there is room for it.
    pub(crate) fn hold(&mut self, action: Action) {
        self.held = Some(action);
    }

    /// Drops the request that waits for room, if there is one.
    pub(crate) fn drop_held(&mut self) -> bool {
        self.held.take().is_some()
    }

    /// Returns true if a request waits for room.
    pub(crate) fn is_holding(&self) -> bool {
        self.held.is_some()
    }

    /// Waits until a request has ended, or until the one that was held has been sent, which returns
    /// nothing. Cancelling the wait loses nothing.
    pub(crate) async fn next(&mut self) -> Option<Reply> {
        let (number, outcome) = tokio::select! {
            biased;
            Ok(reply) = self.replies.recv() => reply,
            permit = room(&self.sender, self.held.as_ref()) => {
                if let Some(action) = self.held.take() {
                    self.sender.send(action, permit);
                }
                return None;
            }
        };
        Some(self.reply(number, outcome))
    }

    /// Returns the end of a request that has ended, without waiting.
    pub(crate) fn ready(&mut self) -> Option<Reply> {
        let (number, outcome) = self.replies.try_recv().ok()?;
        Some(self.reply(number, outcome))
    }

    fn reply(&mut self, number: u64, outcome: Outcome) -> Reply {
        let found = self.ids.binary_search_by_key(&number, |(asked, _)| *asked);
        let id = found.ok().and_then(|at| self.ids.remove(at));
        let id = id.map(|(_, id)| id);
        Reply { id, outcome }
    }

    /// Gives back what the client holds for as long as it is connected.
    pub(crate) fn return_port(&mut self) {
        self.sender.return_port();
    }
}

/// Waits until there is room for the request that is held; forever if there is none.
async fn room(sender: &RequestSender, held: Option<&Action>) -> Permit {
    match held {
        Some(action) => sender.reserve(action).await,
        None => std::future::pending().await,
    }
}
