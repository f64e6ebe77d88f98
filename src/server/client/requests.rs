//! The requests of one client: those that the port has not answered, with the identifiers that the
//! client gave them, and one that waits for room.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::StreamExt;
use futures::channel::mpsc;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::time::Instant;

use crate::deadline::until;
use crate::hub::{
    Action, Done, Hub, LockHolder, NoRoom, Outcome, Permit, PlaybackChange, RequestError,
    RequestSender,
};
use crate::output::recorder::{Recorder, RecorderAction};
use crate::protocol::Id;
use crate::server::Rights;

/// Requests of a client that may wait for the recorder. At the limit, another one is an error.
const MAX_RECORDER_REQUESTS: usize = 16;

/// The reason why nothing can be recorded.
pub(crate) const NO_RECORDER: &str =
    "there is no folder for recordings: start serial-ws with --record DIR";

/// One client's requests.
pub(crate) struct Requests {
    hub: Arc<Hub>,
    sender: RequestSender,
    /// The port sends the number of each request with its outcome: in the order of asking, except
    /// for urgent ones.
    replies: mpsc::Receiver<(u64, Outcome)>,
    /// The identifiers of requests without an outcome yet, by number.
    ids: VecDeque<(u64, Id)>,
    /// A request for which there is no room yet. While there is one, the client is not read.
    held: Option<Action>,
    /// Requests without an outcome yet.
    pending: usize,
    /// Requests of the recorder without an outcome yet.
    recorder: FuturesUnordered<BoxFuture<'static, Reply>>,
    /// The time at which the client's write lock ends, if it has one and asks for nothing until then.
    lock_end: Option<Instant>,
}

/// The end of a request.
pub(crate) struct Reply {
    pub(crate) id: Option<Id>,
    pub(crate) outcome: Outcome,
}

impl Requests {
    /// Registers a client with these rights that has no requests yet.
    pub(crate) fn new(hub: &Arc<Hub>, rights: Rights) -> Self {
        let (sender, replies) = hub.queue.register();
        Self {
            hub: Arc::clone(hub),
            sender: sender.of_operator(rights.are_operators()),
            replies,
            ids: VecDeque::new(),
            held: None,
            pending: 0,
            recorder: FuturesUnordered::new(),
            lock_end: None,
        }
    }

    /// The same with the name that the client gave itself.
    pub(crate) fn named(mut self, name: Option<Arc<str>>) -> Self {
        self.sender.set_name(name);
        self
    }

    /// Returns the number of the client, which no other one of this run has.
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
        self.pending += 1;
        if self.lock_end.is_some() {
            self.prolong_lock();
        }
        Ok(())
    }

    /// Asks the recorder of the port for something.
    ///
    /// # Errors
    /// The reason why that cannot be asked.
    pub(crate) fn ask_recorder(
        &mut self,
        recorder: Option<&Recorder>,
        action: RecorderAction,
        id: Option<Id>,
    ) -> Result<(), String> {
        self.sender
            .check_lock()
            .map_err(|holder| holder.refusal())?;
        let recorder = recorder.ok_or(NO_RECORDER)?.clone();
        if self.recorder.len() >= MAX_RECORDER_REQUESTS {
            return Err(format!(
                "{MAX_RECORDER_REQUESTS} such requests of yours already wait for the recorder"
            ));
        }
        self.recorder.push(Box::pin(async move {
            let outcome = recorder.perform(action).await;
            let outcome = outcome.map(|()| Done::Written(0));
            let outcome = outcome.map_err(RequestError::new);
            Reply { id, outcome }
        }));
        Ok(())
    }

    /// Keeps a request until there is room for it.
    ///
    /// # Errors
    /// The other client that has the write lock.
    pub(crate) fn hold(&mut self, action: Action) -> Result<(), LockHolder> {
        self.sender.check_lock()?;
        self.held = Some(action);
        Ok(())
    }

    /// Returns true if the client has the write lock.
    pub(crate) fn has_lock(&self) -> bool {
        self.hub.queue.has_lock(self.sender.client())
    }

    /// Takes the write lock under this name.
    ///
    /// # Errors
    /// The other client that has it.
    pub(crate) fn lock(&mut self, name: Option<String>) -> Result<(), LockHolder> {
        let name = name.or_else(|| self.sender.name().map(|name| name.to_string()));
        self.hub.lock(self.sender.client(), name)?;
        self.prolong_lock();
        Ok(())
    }

    /// Ends the write lock.
    ///
    /// # Errors
    /// The other client that has it.
    pub(crate) fn unlock(&mut self) -> Result<(), LockHolder> {
        self.lock_end = None;
        self.hub.unlock(Some(self.sender.client()));
        self.hub.queue.lock_holder().map_or(Ok(()), Err)
    }

    /// Changes the playing of the recording that is the port's device.
    ///
    /// # Errors
    /// If another client has the write lock, or the change is impossible.
    pub(crate) fn change_playback(&mut self, change: &PlaybackChange) -> Result<(), String> {
        self.sender
            .check_lock()
            .map_err(|holder| holder.refusal())?;
        if self.lock_end.is_some() {
            self.prolong_lock();
        }
        self.hub.change_playback(change)
    }

    fn prolong_lock(&mut self) {
        let idle = self.hub.queue.lock_idle();
        self.lock_end = idle.map(|idle| Instant::now() + idle);
    }

    /// Ends the write lock of a client that has asked for nothing for long, unless it waits for
    /// something.
    fn on_lock_idle(&mut self) {
        if self.pending > 0 {
            self.prolong_lock();
        } else {
            self.lock_end = None;
            self.hub.unlock(Some(self.sender.client()));
        }
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
            Some(reply) = self.recorder.next(), if !self.recorder.is_empty() => return Some(reply),
            permit = room(&self.sender, self.held.as_ref()) => return self.send_held(permit),
            () = until(self.lock_end), if self.lock_end.is_some() => {
                self.on_lock_idle();
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

    /// Sends the request that was held, for which there is room now, unless another client has taken
    /// the write lock meanwhile.
    fn send_held(&mut self, permit: Permit) -> Option<Reply> {
        let action = self.held.take()?;
        if let Err(holder) = self.sender.send(action, permit) {
            let outcome = Err(holder.into());
            return Some(Reply { id: None, outcome });
        }
        self.pending += 1;
        None
    }

    fn reply(&mut self, number: u64, outcome: Outcome) -> Reply {
        self.pending = self.pending.saturating_sub(1);
        let found = self.ids.binary_search_by_key(&number, |(asked, _)| *asked);
        let id = found.ok().and_then(|at| self.ids.remove(at));
        let id = id.map(|(_, id)| id);
        Reply { id, outcome }
    }

    /// Gives back what the client holds for as long as it is connected.
    pub(crate) fn return_port(&mut self) {
        self.hub.unlock(Some(self.sender.client()));
        self.sender.return_port();
    }
}

impl Drop for Requests {
    fn drop(&mut self) {
        self.hub.unlock(Some(self.sender.client()));
    }
}

/// Waits until there is room for the request that is held; forever if there is none.
async fn room(sender: &RequestSender, held: Option<&Action>) -> Permit {
    match held {
        Some(action) => sender.reserve(action).await,
        None => std::future::pending().await,
    }
}
