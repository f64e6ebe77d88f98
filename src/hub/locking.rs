//! Taking, giving and ending the write lock of a port, and what becomes of the requests that wait then.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::futures::Notified;

use super::question::QuestionEnd;
use super::request_queue::RequestQueue;
use super::requests::{Action, PROGRAM, Request};
use super::waiting_requests::Waiting;
use super::write_lock::LockHolder;
use super::{Hub, Status};

/// Stands for nobody who has the write lock.
const UNLOCKED: u64 = 0;

/// Stands for the operator, who alone may write. No client ever gets this number.
const OPERATOR_ONLY: u64 = u64::MAX;

impl Hub {
    /// Gives the write lock to a client, and tells everybody.
    ///
    /// # Errors
    /// The other client that has it.
    pub fn lock(&self, client: u64, name: Option<String>) -> Result<(), LockHolder> {
        self.queue.take_lock(LockHolder { client, name })?;
        self.publish_changed(Status::clone);
        Ok(())
    }

    /// Gives the write lock to a client for the operator, and tells everybody. Returns false if the client
    /// has left.
    pub fn give_lock(&self, client: u64) -> bool {
        let is_given = self.queue.give_lock(client);
        self.publish_changed(Status::clone);
        is_given
    }

    /// Ends the write lock if this client has it, or whoever does, and tells everybody. Returns true
    /// if somebody had it.
    pub fn unlock(&self, client: Option<u64>) -> bool {
        let has_ended = self.queue.end_lock(client);
        if has_ended {
            self.publish_changed(Status::clone);
        }
        has_ended
    }

    /// Waits until the port may ask the device by itself: while somebody is subscribed to hear the
    /// reply, and no client has taken the write lock.
    pub async fn may_poll(&self) {
        loop {
            // Made before looking, so that no change in between is missed.
            let subscribed = self.subscribers_changed.notified();
            let lock_changed = self.queue.lock_changed();
            if self.queue.may_poll() && self.subscribers().has_any() {
                return;
            }
            tokio::select! {
                () = subscribed => {}
                () = lock_changed => {}
            }
        }
    }
}

impl RequestQueue {
    /// Gives the write lock to a client. What others sent before goes out before anything that the
    /// client sends from now on, but for their questions, which are refused: their replies might take
    /// long.
    ///
    /// # Errors
    /// The other client that has it.
    pub(super) fn take_lock(&self, wanted: LockHolder) -> Result<(), LockHolder> {
        let client = wanted.client;
        let questions = {
            let mut waiting = self.waiting();
            waiting.lock.take(wanted.clone())?;
            self.begin_term(&mut waiting, &wanted, |other| other != client)
        };
        self.refuse(questions, &wanted);
        Ok(())
    }

    /// Gives the write lock to a client for the operator, who takes it from whoever has it. Returns false
    /// if the client has left.
    pub(super) fn give_lock(&self, client: u64) -> bool {
        self.end_lock(None);
        let given = LockHolder { client, name: None };
        let questions = {
            let mut waiting = self.waiting();
            if !waiting.lock.give(client) {
                return false;
            }
            let is_other = |other| other != client && other != PROGRAM;
            self.begin_term(&mut waiting, &given, is_other)
        };
        self.refuse(questions, &given);
        self.lock_changed.notify_waiters();
        true
    }

    /// Parts what was sent before a term of the lock from what comes in it. Ends the questions of the
    /// clients that `is_other` says, and returns those that waited.
    fn begin_term(
        &self,
        waiting: &mut Waiting,
        holder: &LockHolder,
        is_other: impl Fn(u64) -> bool + Copy,
    ) -> Vec<Request> {
        let questions = waiting.take_questions(is_other);
        waiting.part();
        let end = QuestionEnd::Locked(holder.clone());
        if waiting.question.end_if(is_other, end) {
            self.question_ended.notify_one();
        }
        self.note_lock(waiting);
        questions
    }

    /// Refuses questions because of the write lock, and lets what else waits go on.
    fn refuse(&self, questions: Vec<Request>, holder: &LockHolder) {
        for question in questions {
            question.end(Err(holder.clone().into()));
        }
        self.filled.notify_one();
        self.urgent.notify_one();
    }

    /// Notes who may write, for those who only need to know whether anybody is kept from it.
    pub(super) fn note_lock(&self, waiting: &Waiting) {
        let writer = waiting.lock.writer().map(|writer| writer.client);
        let locked_by = match writer {
            None => UNLOCKED,
            Some(PROGRAM) => OPERATOR_ONLY,
            Some(client) => client,
        };
        self.locked_by.store(locked_by, Ordering::Relaxed);
    }

    /// Ends the write lock if this client has it, or whoever does. What it sent before goes out before
    /// anything that others send from now on. Returns true if somebody had it.
    pub(super) fn end_lock(&self, client: Option<u64>) -> bool {
        if client.is_some_and(|client| !self.has_lock(client)) {
            return false;
        }
        {
            let mut waiting = self.waiting();
            if !waiting.lock.end(client) {
                return false;
            }
            waiting.part();
            if std::mem::take(&mut waiting.has_changed) {
                let last = Request::of_nobody(Action::ReturnSettings);
                waiting.first.push_back(last);
            }
            self.note_lock(&waiting);
        }
        self.lock_changed.notify_waiters();
        self.filled.notify_one();
        self.urgent.notify_one();
        true
    }

    /// Returns the client that has the write lock.
    pub fn lock_holder(&self) -> Option<LockHolder> {
        match self.locked_by.load(Ordering::Relaxed) {
            UNLOCKED | OPERATOR_ONLY => None,
            _ => self.waiting().lock.holder().cloned(),
        }
    }

    /// Returns the one client that may write, or the operator if only that one may.
    pub(super) fn writer(&self) -> Option<LockHolder> {
        match self.locked_by.load(Ordering::Relaxed) {
            UNLOCKED => None,
            _ => self.waiting().lock.writer(),
        }
    }

    /// Returns who keeps this client from writing.
    pub(super) fn lock_against(&self, client: u64) -> Option<LockHolder> {
        match self.locked_by.load(Ordering::Relaxed) {
            UNLOCKED => None,
            _ => self.waiting().lock.other_than(client),
        }
    }

    /// Returns true if the program may ask the device by itself.
    pub(super) fn may_poll(&self) -> bool {
        self.waiting().lock.may_poll()
    }

    /// Returns the next change of the write lock that may let the program ask again.
    pub(super) fn lock_changed(&self) -> Notified<'_> {
        self.lock_changed.notified()
    }

    /// Returns the number of the present term of the write lock; None while nobody has it.
    pub fn lock_term(&self) -> Option<u64> {
        self.waiting().lock.term()
    }

    /// Returns whether this client has the write lock.
    pub fn has_lock(&self, client: u64) -> bool {
        self.locked_by.load(Ordering::Relaxed) == client
    }

    /// Returns the time without a request after which the write lock ends.
    pub fn lock_idle(&self) -> Option<Duration> {
        self.limits.lock_idle
    }
}
