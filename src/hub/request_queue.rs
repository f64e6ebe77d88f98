//! The requests that wait for one port: each client's in order, and the clients in turn, so that one
//! that sends much does not keep the others waiting. Urgent writes go before all of them, and what
//! must work while a write is stuck waits for none of them.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use futures::channel::mpsc;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::question::QuestionEnd;
use super::request_sender::RequestSender;
use super::requests::{MAX_REPLIES, Outcome, Request, RequestLimits};
use super::waiting_requests::{NextRequest, Waiting};
use super::write_lock::{LockHolder, WriteLock};
use super::write_rate::{WriteRate, WriteRates};

/// The numbers of clients, each used once, whatever its port.
#[derive(Clone, Default)]
pub struct ClientNumbers(Arc<AtomicU64>);

impl ClientNumbers {
    /// Returns the next number. The first is 1.
    pub fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// All requests that are waiting for one port.
#[derive(Default)]
pub struct RequestQueue {
    pub(super) limits: RequestLimits,
    waiting: Mutex<Waiting>,
    pub(super) filled: Notify,
    pub(super) urgent: Notify,
    immediate: Notify,
    pub(super) question_ended: Notify,
    pub(super) lock_changed: Notify,
    numbers: ClientNumbers,
    /// The rates of clients that come anew for each write.
    rates: WriteRates,
    /// The number of the client that has the write lock, [`UNLOCKED`] or [`OPERATOR_ONLY`]. Changes
    /// together with the lock itself.
    pub(super) locked_by: AtomicU64,
}

impl RequestQueue {
    /// Returns an empty queue.
    pub(super) fn new(limits: RequestLimits, numbers: ClientNumbers) -> Arc<Self> {
        let queue = Self {
            limits,
            numbers,
            ..Self::default()
        };
        queue.waiting().lock = WriteLock::new(limits.lock);
        queue.note_lock(&queue.waiting());
        Arc::new(queue)
    }

    /// Registers a client: the sender of its requests, and the receiver of their numbers and outcomes.
    pub fn register(self: &Arc<Self>) -> (RequestSender, mpsc::Receiver<(u64, Outcome)>) {
        let rate = WriteRate::new(self.limits.max_write_rate).map(Arc::new);
        self.register_with(rate)
    }

    /// Registers a client that comes anew for each write: all from one address share their rate.
    pub fn register_at(
        self: &Arc<Self>,
        address: IpAddr,
    ) -> (RequestSender, mpsc::Receiver<(u64, Outcome)>) {
        let max = self.limits.max_write_rate;
        self.register_with(self.rates.of(address, max, Instant::now()))
    }

    fn register_with(
        self: &Arc<Self>,
        rate: Option<Arc<WriteRate>>,
    ) -> (RequestSender, mpsc::Receiver<(u64, Outcome)>) {
        // Most clients never ask: this channel takes memory only for replies that wait.
        let (replies, receiver) = mpsc::channel(MAX_REPLIES);
        let id = self.numbers.next();
        self.waiting().lock.add_client(id, false);
        let sender = RequestSender::new(Arc::clone(self), id, self.limits, rate, replies);
        (sender, receiver)
    }

    /// Notes that a client is one of the operator, who may write while no client has the lock.
    pub(super) fn note_operator(&self, client: u64) {
        self.waiting().lock.add_client(client, true);
    }

    /// Waits for the next request. With `only`, those of other clients wait on. Cancelling the wait
    /// loses nothing.
    pub async fn take(&self, only: Option<u64>) -> Request {
        next(&self.filled, || {
            self.waiting().next_in_turn(only, Instant::now())
        })
        .await
    }

    /// Waits for the next request that need not wait for the reply to a question of this client.
    /// Cancelling the wait loses nothing.
    pub async fn take_beside_question(&self, asker: u64) -> Request {
        next(&self.filled, || {
            self.waiting().next_beside_question(asker).ok_or(None)
        })
        .await
    }

    /// Waits for the next urgent write. Cancelling the wait loses nothing.
    pub async fn take_urgent(&self) -> Request {
        next(&self.urgent, || self.waiting().next_urgent(Instant::now())).await
    }

    /// Takes the next urgent write, if there is one.
    pub fn try_take_urgent(&self) -> Option<Request> {
        self.waiting().next_urgent(Instant::now()).ok()
    }

    /// Waits for the next request that waits for no write. Cancelling the wait loses nothing.
    pub async fn take_immediate(&self) -> Request {
        next(&self.immediate, || {
            self.waiting().immediate.pop_front().ok_or(None)
        })
        .await
    }

    /// Waits for the next request that is not immediate, as [`RequestQueue::try_take`] finds it, or
    /// for the return of settings.
    pub async fn take_any(&self) -> Request {
        loop {
            let (filled, urgent) = (self.filled.notified(), self.urgent.notified());
            let next = self.waiting().pop(true);
            if let Some(request) = next {
                return request;
            }
            tokio::select! {
                () = filled => {}
                () = urgent => {}
            }
        }
    }

    /// Takes a request that waits, urgent ones first, whatever its client's rate; immediate
    /// ones stay, and so does the return of settings.
    pub fn try_take(&self) -> Option<Request> {
        self.waiting().pop(false)
    }

    /// Begins a question whose turn has come, unless nobody may wait for its reply any more.
    pub fn begin_question(&self, mut request: Request) -> Option<Request> {
        if request.is_orphaned() {
            return None;
        }
        request.begin();
        let mut waiting = self.waiting();
        if let Some(other) = waiting.lock.other_than(request.client) {
            request.end(Err(other.into()));
            return None;
        }
        waiting.question.begin(request.client);
        drop(waiting);
        Some(request)
    }

    /// Waits until the question that was begun is ended by somebody else than the device. Cancelling
    /// the wait loses nothing.
    pub async fn question_end(&self) -> QuestionEnd {
        loop {
            let ended = self.question_ended.notified();
            if let Some(end) = self.waiting().question.take_end() {
                return end;
            }
            ended.await;
        }
    }

    /// Notes that the question that was begun has its answer.
    pub fn finish_question(&self) {
        self.waiting().question.finish();
    }

    /// Drops the questions of a client that leaves: nobody would hear the replies.
    pub(super) fn drop_questions(&self, client: u64) {
        let mut waiting = self.waiting();
        drop(waiting.take_questions(|other| other == client));
        let is_meant = |other| other == client;
        if waiting.question.end_if(is_meant, QuestionEnd::Left) {
            self.question_ended.notify_one();
        }
    }

    /// Adds a request, unless another client has the write lock and it gives nothing back.
    ///
    /// # Errors
    /// The other client.
    pub(super) fn push(&self, mut request: Request, gives_back: bool) -> Result<(), LockHolder> {
        let filled = {
            let mut waiting = self.waiting();
            let client = request.client;
            if let Some(other) = waiting.lock.other_than(client).filter(|_| !gives_back) {
                return Err(other);
            }
            request.term = waiting.lock.term_of(client);
            if request.action.is_immediate() {
                waiting.immediate.push_back(request);
                &self.immediate
            } else if request.action.is_urgent() {
                waiting.urgent.push_back(request);
                &self.urgent
            } else {
                waiting.has_changed |= request.term.is_some() && request.action.is_settings();
                let requests = waiting.requests.entry(client).or_default();
                requests.push_back(request);
                if requests.len() == 1 {
                    waiting.turn.push_back(client);
                }
                &self.filled
            }
        };
        filled.notify_one();
        Ok(())
    }

    pub(super) fn leave(&self, client: u64) {
        let mut waiting = self.waiting();
        waiting.lock.remove_client(client);
        waiting.leave(client);
    }

    pub(super) fn drop_breaks(&self, client: u64) {
        self.waiting().drop_breaks(client);
    }

    /// Returns whether no client has requests that wait their turn.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        let waiting = self.waiting();
        waiting.requests.is_empty() && waiting.first.is_empty()
    }

    pub(super) fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting
            .lock()
            .expect("nothing panics while it holds the requests")
    }
}

/// Waits until `try_take` returns a request. `filled` is notified of each one that comes.
async fn next(filled: &Notify, try_take: impl Fn() -> NextRequest) -> Request {
    loop {
        let filled = filled.notified();
        match try_take() {
            Ok(request) => return request,
            Err(None) => filled.await,
            Err(Some(due)) => tokio::select! {
                () = filled => {}
                () = sleep_until(due) => {}
            },
        }
    }
}
