//! Random interleavings of all that happens to the requests of a port, against a model that keeps
//! them in plain lists.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::channel::mpsc;
use proptest::prelude::*;
use tokio::time::{Instant, advance};

use super::model_tests::few_cases;
use super::question::MAX_WAITING_QUESTIONS;
use super::requests::{MAX_IMMEDIATE, MAX_URGENT, MIN_COST, MIN_URGENT_COST, PROGRAM};
use super::waiting_requests::{MAX_DEPARTED, MAX_DEPARTED_IMMEDIATE, MAX_DEPARTED_URGENT};
use super::*;

/// Clients that come and go; each step is about one of them.
const CLIENTS: usize = 4;

/// The rate of each client where there is one, in bytes a second.
const RATE: u32 = 1000;

#[derive(Clone, Debug)]
enum Step {
    /// A client sends so many requests for an action.
    Send(usize, Action, usize),
    /// The port takes the next request in turn, of everyone or of one client only.
    Take(Option<usize>),
    /// A client wants the write lock.
    Lock(usize),
    /// The lock of a client ends, or that of whoever has it.
    Unlock(Option<usize>),
    /// The port takes what need not wait for the reply to a question of a client.
    TakeBesideQuestion(usize),
    TakeUrgent,
    TakeImmediate,
    /// The port takes what there is, whatever the rates.
    TakeAny,
    /// The same to cancel it, which leaves the return of settings.
    TakeToCancel,
    /// One leaves, and another one comes.
    Leave(usize),
    /// So many come, send a request each, and leave.
    Visitors(usize, Action),
    /// Time passes, in milliseconds.
    Pass(u64),
}

fn action() -> impl Strategy<Value = Action> {
    let bytes = |len: usize| Bytes::from(vec![b'x'; len]);
    let sizes = prop_oneof![6 => 0_usize..200, 1 => 1000_usize..MAX_WAITING + 2];
    prop_oneof![
        8 => sizes.prop_map(move |len| Action::Write(bytes(len))),
        3 => (0_usize..MAX_URGENT + 2).prop_map(move |len| Action::WriteUrgently(bytes(len))),
        1 => Just(Action::Signals { dtr: Some(true), rts: None }),
        1 => any::<bool>().prop_map(Action::HoldBreak),
        2 => Just(Action::Reset),
        1 => Just(Action::Resume(None)),
        1 => Just(Action::Resume(Some(1))),
        1 => Just(Action::Release(Lease::WhileConnected)),
        2 => Just(Action::Settings(SettingsChange::default())),
        4 => (0_usize..200).prop_map(move |len| Action::Ask(DeviceQuestion {
            bytes: bytes(len),
            until: Until::Lines(1),
            timeout: DEFAULT_REPLY_TIMEOUT,
            is_text: true,
        })),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0..CLIENTS;
    let count = prop_oneof![5 => 1_usize..4, 1 => 10_usize..1200];
    prop_oneof![
        8 => (who.clone(), action(), count).prop_map(|(who, action, n)| Step::Send(who, action, n)),
        6 => prop::option::of(who.clone()).prop_map(Step::Take),
        2 => who.clone().prop_map(Step::TakeBesideQuestion),
        2 => Just(Step::TakeUrgent),
        2 => Just(Step::TakeImmediate),
        3 => Just(Step::TakeAny),
        2 => Just(Step::TakeToCancel),
        3 => who.clone().prop_map(Step::Lock),
        3 => prop::option::of(who.clone()).prop_map(Step::Unlock),
        2 => who.prop_map(Step::Leave),
        1 => (1_usize..400, action()).prop_map(|(n, action)| Step::Visitors(n, action)),
        2 => (0_u64..3000).prop_map(Step::Pass),
    ]
}

/// A request as the model keeps it.
#[derive(Clone, Debug, PartialEq)]
struct Asked {
    client: u64,
    number: u64,
    action: Action,
    term: Option<u64>,
    /// True if no rate holds it back.
    is_free: bool,
}

impl Asked {
    fn new(client: u64, number: u64, action: Action, term: Option<u64>) -> Self {
        Self {
            client,
            number,
            action,
            term,
            is_free: false,
        }
    }
}

/// A client with what it has used of its bounds.
struct Member {
    id: u64,
    sender: RequestSender,
    replies: mpsc::Receiver<(u64, Outcome)>,
    sent: u64,
    holds: bool,
    holds_break: bool,
}

/// The moments up to which a client has used its rate, for ordinary and for urgent writes.
type Used = [Option<Instant>; 2];

struct Model {
    queue: Arc<RequestQueue>,
    has_rate: bool,
    members: Vec<Member>,
    clients: u64,
    /// The requests that wait, for each client that has any, in the order in which they are served.
    turn: VecDeque<(u64, VecDeque<Asked>)>,
    /// The requests that go before those in turn.
    first: VecDeque<Asked>,
    /// The holder of the write lock.
    holder: Option<u64>,
    /// Its terms so far.
    terms: u64,
    has_changed: bool,
    urgent: VecDeque<Asked>,
    immediate: VecDeque<Asked>,
    departed: VecDeque<u64>,
    used: BTreeMap<u64, Used>,
}

impl Model {
    fn new(has_rate: bool) -> Self {
        let queue = RequestQueue::new(
            RequestLimits {
                max_write_rate: if has_rate { RATE } else { 0 },
                ..RequestLimits::default()
            },
            ClientNumbers::default(),
        );
        let mut model = Self {
            queue,
            has_rate,
            members: Vec::new(),
            clients: 0,
            turn: VecDeque::new(),
            first: VecDeque::new(),
            holder: None,
            terms: 0,
            has_changed: false,
            urgent: VecDeque::new(),
            immediate: VecDeque::new(),
            departed: VecDeque::new(),
            used: BTreeMap::new(),
        };
        for _ in 0..CLIENTS {
            let member = model.join();
            model.members.push(member);
        }
        model
    }

    async fn run(&mut self, step: Step) {
        match step {
            Step::Send(who, action, count) => {
                for _ in 0..count {
                    self.send(who, &action);
                }
            }
            Step::Take(only) => {
                let only = only.map(|who| self.members[who].id);
                let taken = self.queue.take(only).now_or_never();
                let is_meant = |client: u64| only.is_none_or(|only| only == client);
                let first = self.first.iter().position(|asked| is_meant(asked.client));
                let expected = if let Some(at) = first {
                    let is_due = self.is_due(&self.first[at]);
                    is_due.then(|| self.first.remove(at)).flatten()
                } else {
                    let mut turn = self.turn.iter();
                    let at = turn.position(|(client, waiting)| {
                        is_meant(*client) && self.is_due(&waiting[0])
                    });
                    at.map(|at| self.serve(at))
                };
                self.check(taken, expected, true);
            }
            Step::Lock(who) => {
                let client = self.members[who].id;
                let wanted = LockHolder { client, name: None };
                let taken = self.queue.take_lock(wanted).map_err(|other| other.client);
                match self.holder.filter(|holder| *holder != client) {
                    Some(other) => assert_eq!(taken, Err(other)),
                    None => {
                        assert_eq!(taken, Ok(()));
                        self.terms += u64::from(self.holder.is_none());
                        self.holder = Some(client);
                        self.drop_questions(|other| other != client, Some(client));
                        self.part();
                    }
                }
            }
            Step::Unlock(who) => {
                let client = who.map(|who| self.members[who].id);
                let ends = self
                    .holder
                    .is_some_and(|holder| client.is_none_or(|id| id == holder));
                assert_eq!(self.queue.end_lock(client), ends);
                self.end_lock(ends);
            }
            Step::TakeBesideQuestion(who) => {
                let asker = self.members[who].id;
                let taken = self.queue.take_beside_question(asker).now_or_never();
                let is_meant = |asked: &Asked| {
                    let settings = [
                        Action::Settings(SettingsChange::default()),
                        Action::ReturnSettings,
                    ];
                    asked.client != asker && settings.contains(&asked.action)
                };
                let expected = if self.first.is_empty() {
                    let mut turn = self.turn.iter();
                    let at = turn.position(|(_, waiting)| is_meant(&waiting[0]));
                    at.map(|at| self.serve(at))
                } else {
                    let is_meant = self.first.front().is_some_and(is_meant);
                    is_meant.then(|| self.first.pop_front()).flatten()
                };
                self.check(taken, expected, false);
            }
            Step::TakeUrgent => {
                let taken = self.queue.take_urgent().now_or_never();
                let at = self.urgent.iter().position(|asked| self.is_due(asked));
                let expected = at.and_then(|at| self.urgent.remove(at));
                self.check(taken, expected, true);
            }
            Step::TakeImmediate => {
                let taken = self.queue.take_immediate().now_or_never();
                let expected = self.immediate.pop_front();
                self.check(taken, expected, false);
            }
            Step::TakeAny => {
                let taken = self.queue.take_any().now_or_never();
                let urgent = self.urgent.pop_front();
                let first = urgent.or_else(|| self.first.pop_front());
                let expected = first.or_else(|| self.serve_next());
                self.check(taken, expected, false);
            }
            Step::TakeToCancel => {
                let taken = self.queue.try_take();
                let urgent = self.urgent.pop_front();
                let first = urgent.or_else(|| {
                    let mut first = self.first.iter();
                    let returns = first.position(|asked| asked.action != Action::ReturnSettings);
                    let returns = returns.unwrap_or(self.first.len());
                    // One is as good as several.
                    let kept = returns.min(1);
                    self.first.drain(kept..returns);
                    self.first.remove(kept)
                });
                let expected = first.or_else(|| self.serve_next());
                self.check(taken, expected, false);
            }
            Step::Leave(who) => {
                let new = self.join();
                let old = std::mem::replace(&mut self.members[who], new);
                self.leave(old);
            }
            Step::Visitors(count, action) => {
                for _ in 0..count {
                    let one = self.join();
                    self.members.push(one);
                    self.send(CLIENTS, &action);
                    let one = self.members.pop().expect("it was pushed");
                    self.leave(one);
                }
            }
            Step::Pass(time) => advance(Duration::from_millis(time)).await,
        }
        self.check_bounds();
    }

    fn join(&mut self) -> Member {
        let (sender, replies) = self.queue.register();
        let id = self.clients + 1;
        self.clients += 1;
        Member {
            id,
            sender,
            replies,
            sent: 0,
            holds: false,
            holds_break: false,
        }
    }

    fn send(&mut self, who: usize, action: &Action) {
        let id = self.members[who].id;
        let len = action.bytes().len();
        let kind = kind(action);
        let (size, min_cost) = [
            (MAX_IMMEDIATE, 1),
            (MAX_URGENT, MIN_URGENT_COST),
            (MAX_WAITING, MIN_COST),
        ][kind];
        let ordinary = self.turn.iter().flat_map(|(_, waiting)| waiting);
        let ordinary = ordinary.chain(&self.first);
        let all = self.immediate.iter().chain(&self.urgent).chain(ordinary);
        let mine = all.filter(|asked| asked.client == id && self::kind(&asked.action) == kind);
        // What gives back what it held takes no room.
        let mine = mine.filter(|asked| asked.action != Action::Return);
        let waiting: usize = mine
            .map(|asked| asked.action.bytes().len().max(min_cost))
            .sum();
        let questions = self.questions_of(id);
        let member = &mut self.members[who];
        let sent = member.sender.try_send(action.clone());
        if len > size {
            return assert_eq!(sent, Err(NoRoom::TooLong { max: size }));
        }
        if waiting + len.max(min_cost) > size {
            let full = NoRoom::Full {
                waiting,
                max: size,
                min_cost,
            };
            return assert_eq!(sent, Err(full));
        }
        if action.is_question() && questions == MAX_WAITING_QUESTIONS {
            let full = NoRoom::Full {
                waiting: questions,
                max: MAX_WAITING_QUESTIONS,
                min_cost: 1,
            };
            return assert_eq!(sent, Err(full));
        }
        let gives_back = member.holds_break && *action == Action::HoldBreak(false);
        let other = self.holder.filter(|holder| *holder != id && !gives_back);
        if let Some(client) = other {
            let other = LockHolder { client, name: None };
            return assert_eq!(sent, Err(NoRoom::Locked(other)));
        }
        member.sent += 1;
        assert_eq!(sent, Ok(member.sent));
        if let Action::HoldBreak(on) = action {
            member.holds_break = *on;
        }
        let holding = [
            Action::Release(Lease::WhileConnected),
            Action::HoldBreak(true),
        ];
        member.holds |= holding.contains(action);
        let number = member.sent;
        let term = (self.holder == Some(id)).then_some(self.terms);
        self.has_changed |= term.is_some() && matches!(action, Action::Settings(_));
        self.keep(Asked::new(id, number, action.clone(), term));
    }

    /// Returns how many questions of a client wait for their turn.
    fn questions_of(&self, id: u64) -> usize {
        let ordinary = self.turn.iter().flat_map(|(_, waiting)| waiting);
        let ordinary = ordinary.chain(&self.first);
        let mine = ordinary.filter(|asked| asked.client == id && asked.action.is_question());
        mine.count()
    }

    /// Drops the questions of the clients that `is_meant` says. Those who are there are told, if they
    /// are `refused` for the sake of this client.
    fn drop_questions(&mut self, is_meant: impl Fn(u64) -> bool, refused: Option<u64>) {
        let mut dropped = Vec::new();
        let mut keep = |asked: &Asked| {
            let is_dropped = asked.action.is_question() && is_meant(asked.client);
            if is_dropped {
                dropped.push((asked.client, asked.number));
            }
            !is_dropped
        };
        self.first.retain(&mut keep);
        for (_, waiting) in &mut self.turn {
            waiting.retain(&mut keep);
        }
        self.turn.retain(|(_, waiting)| !waiting.is_empty());
        let Some(client) = refused else { return };
        let refusal = RequestError::from(LockHolder { client, name: None });
        let mut told = Vec::new();
        for member in &mut self.members {
            while let Ok((number, outcome)) = member.replies.try_recv() {
                assert_eq!(outcome, Err(refusal.clone()));
                told.push((member.id, number));
            }
        }
        let ids: Vec<_> = self.members.iter().map(|member| member.id).collect();
        dropped.retain(|(client, _)| ids.contains(client));
        told.sort_unstable();
        dropped.sort_unstable();
        assert_eq!(told, dropped);
    }

    /// Has all that waits go before what comes from now on.
    fn part(&mut self) {
        while let Some(asked) = self.serve_next() {
            self.first.push_back(asked);
        }
        for asked in &mut self.urgent {
            asked.is_free = true;
        }
    }

    fn end_lock(&mut self, ends: bool) {
        if !ends {
            return;
        }
        self.holder = None;
        self.part();
        if std::mem::take(&mut self.has_changed) {
            let last = Asked::new(PROGRAM, 0, Action::ReturnSettings, None);
            self.first.push_back(last);
        }
    }

    fn keep(&mut self, asked: Asked) {
        match kind(&asked.action) {
            0 => self.immediate.push_back(asked),
            1 => self.urgent.push_back(asked),
            _ => match self
                .turn
                .iter_mut()
                .find(|(client, _)| *client == asked.client)
            {
                Some((_, waiting)) => waiting.push_back(asked),
                None => self.turn.push_back((asked.client, [asked].into())),
            },
        }
    }

    fn leave(&mut self, member: Member) {
        let Member {
            id,
            sender,
            sent,
            holds,
            ..
        } = member;
        drop(sender);
        self.end_lock(self.holder == Some(id));
        if holds {
            self.first
                .retain(|asked| asked.client != id || asked.action != Action::HoldBreak(true));
            // Nobody would end a break that has not begun.
            for (client, waiting) in &mut self.turn {
                waiting.retain(|asked| *client != id || asked.action != Action::HoldBreak(true));
            }
            self.turn.retain(|(_, waiting)| !waiting.is_empty());
            self.keep(Asked::new(id, sent + 1, Action::Return, None));
        }
        self.drop_questions(|other| other == id, None);
        let (turn, first) = (&self.turn, &self.first);
        let is_waiting = |id: &u64| {
            let mut first = first.iter();
            turn.iter().any(|(client, _)| client == id) || first.any(|asked| asked.client == *id)
        };
        self.departed.retain(is_waiting);
        self.departed.extend(is_waiting(&id).then_some(id));
        if self.departed.len() > MAX_DEPARTED {
            let first = self.departed.pop_front();
            self.turn.retain(|(client, _)| Some(*client) != first);
            self.first.retain(|asked| Some(asked.client) != first);
        }
        if self.urgent.len() > MAX_DEPARTED_URGENT {
            self.urgent.retain(|asked| asked.client != id);
        }
        if self.immediate.len() > MAX_DEPARTED_IMMEDIATE {
            let asks = Action::Release(Lease::WhileConnected);
            let mut all = self.immediate.iter();
            let asks = all.any(|asked| asked.client == id && asked.action == asks);
            self.immediate
                .retain(|asked| asked.client != id || (asked.action == Action::Return && !asks));
        }
    }

    /// Takes the next request of the client at this place of the turn, which goes to the end.
    fn serve(&mut self, at: usize) -> Asked {
        let (client, mut waiting) = self.turn.remove(at).expect("it was found there");
        let asked = waiting.pop_front().expect("whoever waits has something");
        if !waiting.is_empty() {
            self.turn.push_back((client, waiting));
        }
        asked
    }

    fn serve_next(&mut self) -> Option<Asked> {
        (!self.turn.is_empty()).then(|| self.serve(0))
    }

    fn is_due(&self, asked: &Asked) -> bool {
        let used = self.used.get(&asked.client).copied().unwrap_or_default();
        let used = used[usize::from(asked.action.is_urgent())];
        let is_free = asked.is_free || !self.has_rate || asked.action.bytes().is_empty();
        is_free || used.is_none_or(|used| used <= Instant::now() + Duration::from_secs(1))
    }

    /// Compares what the port took with what it should have taken, and answers it.
    fn check(&mut self, taken: Option<Request>, expected: Option<Asked>, is_counted: bool) {
        let Some(expected) = expected else {
            return assert!(taken.is_none(), "there is nothing to take");
        };
        let taken = taken.expect("there is something to take");
        assert_eq!(
            (taken.client, &taken.action, taken.term),
            (expected.client, &expected.action, expected.term)
        );
        let bytes = taken.action.bytes().len();
        if is_counted && self.has_rate && bytes > 0 && !expected.is_free {
            let used = self.used.entry(expected.client).or_default();
            let used = &mut used[usize::from(expected.action.is_urgent())];
            let time = Duration::from_secs_f64(bytes as f64 / f64::from(RATE));
            *used = Some(used.map_or(Instant::now(), |used| used.max(Instant::now())) + time);
        }
        taken.end(Ok(Done::Written(bytes)));
        let mut members = self.members.iter_mut();
        if let Some(member) = members.find(|member| member.id == expected.client) {
            let reply = member.replies.try_recv();
            assert_eq!(
                reply.ok(),
                Some((expected.number, Ok(Done::Written(bytes))))
            );
            assert!(member.replies.try_recv().is_err(), "each is answered once");
        }
    }

    /// Checks that what those who left have waiting is bounded.
    fn check_bounds(&self) {
        let ids: Vec<u64> = self.members.iter().map(|member| member.id).collect();
        let has_left = |client: &u64| !ids.contains(client);
        let in_turn = self.turn.iter().map(|(client, _)| *client);
        let first = self.first.iter().map(|asked| asked.client);
        let waiting = in_turn.chain(first.filter(|client| *client != PROGRAM));
        let departed: BTreeSet<u64> = waiting.filter(has_left).collect();
        assert!(departed.len() <= MAX_DEPARTED);
        let most = MAX_DEPARTED_URGENT + (CLIENTS + 1) * MAX_URGENT / MIN_URGENT_COST;
        assert!(self.urgent.len() <= most);
        let most = MAX_DEPARTED_IMMEDIATE + (CLIENTS + 1) * (MAX_IMMEDIATE + 1);
        assert!(
            self.immediate.len() <= most,
            "{} immediate",
            self.immediate.len()
        );
    }
}

/// The list in which a request for an action waits.
fn kind(action: &Action) -> usize {
    match action {
        action if action.is_immediate() => 0,
        action if action.is_urgent() => 1,
        _ => 2,
    }
}

proptest! {
    #![proptest_config(few_cases())]

    #[test]
    fn requests_are_served_in_their_order_within_their_bounds_whatever_happens(
        steps in prop::collection::vec(step(), 1..80),
        has_rate in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut model = Model::new(has_rate);
            for step in steps {
                model.run(step).await;
            }
            // In the end everything is served.
            advance(Duration::from_secs(1_000_000)).await;
            for _ in 0..100_000 {
                let waiting = [&model.first, &model.urgent, &model.immediate];
                if model.turn.is_empty() && waiting.iter().all(|list| list.is_empty()) {
                    return;
                }
                model.run(Step::TakeAny).await;
                model.run(Step::TakeImmediate).await;
            }
            panic!("something is never served");
        });
    }
}
