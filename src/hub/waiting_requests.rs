//! The requests that wait for one port, and the order in which they go. Reads no clock, and wakes
//! nobody: that is for the queue around it.

use std::collections::{HashMap, HashSet, VecDeque};

use tokio::time::Instant;

use super::question::CurrentQuestion;
use super::requests::{Action, Lease, Request};
use super::write_lock::WriteLock;

/// Clients that have left with requests still waiting. At the limit, the requests of the one that
/// left first are dropped.
pub(super) const MAX_DEPARTED: usize = 256;

/// Urgent writes that may wait when a client leaves. Beyond them, those of the client are dropped.
pub(super) const MAX_DEPARTED_URGENT: usize = 1024;

/// Requests without turn, such as resets, that may wait when a client leaves, which they do only
/// while the system holds up opening the device. Beyond them, those of the client are dropped.
pub(super) const MAX_DEPARTED_IMMEDIATE: usize = 1024;

/// All requests that wait for one port, without the wakers of those that wait for them.
#[derive(Default)]
pub(super) struct Waiting {
    /// The requests of each client that has any.
    pub(super) requests: HashMap<u64, VecDeque<Request>>,
    /// The clients that have requests, the one to serve next in front.
    pub(super) turn: VecDeque<u64>,
    /// Requests that go before those in turn: they came before the write lock was taken or ended.
    pub(super) first: VecDeque<Request>,
    pub(super) lock: WriteLock,
    /// True if the holder of the lock asked for other settings, which may have to return.
    pub(super) has_changed: bool,
    /// The clients that left while requests of theirs were waiting, the first to leave in front.
    departed: VecDeque<u64>,
    /// Urgent writes of all clients, in the order in which they came.
    pub(super) urgent: VecDeque<Request>,
    /// Requests that wait for no write, in the order in which they came.
    pub(super) immediate: VecDeque<Request>,
    /// The question that the port has begun.
    pub(super) question: CurrentQuestion,
}

/// The next request, or when to look again where all that wait are ahead of their rate.
pub(super) type NextRequest = Result<Request, Option<Instant>>;

impl Waiting {
    /// Takes the next request that waits its turn. With `only`, those of other clients wait on.
    pub(super) fn next_in_turn(&mut self, only: Option<u64>, now: Instant) -> NextRequest {
        if !self.first.is_empty()
            && let Some(next) = self.next_of_first(only, now)
        {
            return next;
        }
        let clients = self.turn.iter().enumerate();
        let clients = clients.filter(|(_, client)| only.is_none_or(|only| only == **client));
        let heads =
            clients.filter_map(|(at, client)| Some((at, self.requests.get(client)?.front()?)));
        let at = first_due(heads, now)?;
        self.take_of(at).ok_or(None)
    }

    /// Takes the next request that need not wait for the reply to a question of this client, whose own
    /// requests keep their order. It overtakes nothing that goes before those in turn.
    pub(super) fn next_beside_question(&mut self, asker: u64) -> Option<Request> {
        let is_meant =
            |request: &Request| request.client != asker && request.action.may_overtake_question();
        if let Some(first) = self.first.front() {
            return is_meant(first).then(|| self.first.pop_front()).flatten();
        }
        let requests = &self.requests;
        let head = |client: &u64| requests.get(client)?.front();
        let mut turn = self.turn.iter();
        let at = turn.position(|client| head(client).is_some_and(is_meant))?;
        self.take_of(at)
    }

    /// Takes the next request that goes before those in turn; None if there is none, so that those in
    /// turn may go.
    fn next_of_first(&mut self, only: Option<u64>, now: Instant) -> Option<NextRequest> {
        let is_meant = |request: &Request| only.is_none_or(|only| only == request.client);
        let at = self.first.iter().position(is_meant)?;
        let due = first_due(std::iter::once((at, &self.first[at])), now);
        Some(due.and_then(|at| self.first.remove(at).ok_or(None)))
    }

    /// Has all that waits go before what comes from now on.
    pub(super) fn part(&mut self) {
        while let Some(request) = self.take_of(0) {
            self.first.push_back(request);
        }
        // These go before everything, unless their rate held them back. They are few.
        for request in &mut self.urgent {
            request.rate = None;
        }
    }

    /// Takes the questions of the clients that `is_meant` says.
    pub(super) fn take_questions(&mut self, is_meant: impl Fn(u64) -> bool) -> Vec<Request> {
        let is_meant = |it: &Request| it.action.is_question() && is_meant(it.client);
        let mut taken = Vec::new();
        for requests in self.requests.values_mut().chain([&mut self.first]) {
            let all = std::mem::take(requests).into_iter();
            let (questions, others): (VecDeque<_>, _) = all.partition(is_meant);
            *requests = others;
            taken.extend(questions);
        }
        self.requests.retain(|_, requests| !requests.is_empty());
        let requests = &self.requests;
        self.turn.retain(|client| requests.contains_key(client));
        taken
    }

    /// Takes the next request that is not immediate, whatever its client's rate, with or without
    /// the return of settings.
    pub(super) fn pop(&mut self, with_return: bool) -> Option<Request> {
        let urgent = self.urgent.pop_front();
        let first = || {
            if with_return {
                self.first.pop_front()
            } else {
                self.pop_first()
            }
        };
        let first = urgent.or_else(first);
        first.or_else(|| self.take_of(0))
    }

    /// Takes the first of those that go before those in turn, but leaves the return of settings, which
    /// nothing cancels.
    fn pop_first(&mut self) -> Option<Request> {
        let is_return = |request: &&Request| request.action == Action::ReturnSettings;
        let returns = self.first.iter().take_while(is_return).count();
        // One is as good as several.
        let kept = returns.min(1);
        self.first.drain(kept..returns);
        self.first.remove(kept)
    }

    /// Keeps those clients that left which have requests that wait for their turn, and adds this one
    /// if it has.
    fn note_departed(&mut self, id: u64) {
        let first: HashSet<u64> = self.first.iter().map(|request| request.client).collect();
        let requests = &self.requests;
        let has_requests = |id: &u64| requests.contains_key(id) || first.contains(id);
        self.departed.retain(has_requests);
        self.departed.extend(has_requests(&id).then_some(id));
    }

    /// Takes the first request of the client at this place of the turn, which goes to the end.
    fn take_of(&mut self, at: usize) -> Option<Request> {
        let client = self.turn.remove(at)?;
        let requests = self.requests.get_mut(&client)?;
        let request = requests.pop_front()?;
        if requests.is_empty() {
            self.requests.remove(&client);
        } else {
            self.turn.push_back(client);
        }
        Some(request)
    }

    /// Takes the next urgent write.
    pub(super) fn next_urgent(&mut self, now: Instant) -> NextRequest {
        let at = first_due(self.urgent.iter().enumerate(), now)?;
        self.urgent.remove(at).ok_or(None)
    }

    /// Records that a client has left.
    pub(super) fn leave(&mut self, id: u64) {
        self.note_departed(id);
        if self.departed.len() > MAX_DEPARTED
            && let Some(first) = self.departed.pop_front()
        {
            self.requests.remove(&first);
            self.first.retain(|request| request.client != first);
            self.turn.retain(|client| *client != first);
        }
        if self.urgent.len() > MAX_DEPARTED_URGENT {
            self.urgent.retain(|request| request.client != id);
        }
        if self.immediate.len() > MAX_DEPARTED_IMMEDIATE {
            self.drop_immediate(id);
        }
    }

    /// Drops the immediate requests of a client, but for the return of what it was given before.
    fn drop_immediate(&mut self, client: u64) {
        let asks = Action::Release(Lease::WhileConnected);
        let is_asking = |request: &Request| request.client == client && request.action == asks;
        let returns_nothing = self.immediate.iter().any(is_asking);
        self.immediate.retain(|request| {
            let is_needed = request.action == Action::Return && !returns_nothing;
            request.client != client || is_needed
        });
    }

    /// Drops the breaks that a client wants to begin, since nobody will end them.
    pub(super) fn drop_breaks(&mut self, client: u64) {
        let is_break = |request: &Request| {
            request.client == client && request.action == Action::HoldBreak(true)
        };
        self.first.retain(|request| !is_break(request));
        if let Some(requests) = self.requests.get_mut(&client) {
            requests.retain(|request| request.action != Action::HoldBreak(true));
            if requests.is_empty() {
                self.requests.remove(&client);
                self.turn.retain(|other| *other != client);
            }
        }
    }
}

/// Returns the place of the first request that its client's rate lets out now, and counts it there;
/// otherwise when one will be let out, if there is any.
fn first_due<'a>(
    requests: impl Iterator<Item = (usize, &'a Request)>,
    now: Instant,
) -> Result<usize, Option<Instant>> {
    let mut earliest = None;
    for (at, request) in requests {
        match request.take_turn(now) {
            Ok(()) => return Ok(at),
            Err(due) => earliest = Some(earliest.map_or(due, |other: Instant| due.min(other))),
        }
    }
    Err(earliest)
}
