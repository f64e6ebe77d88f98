//! Random interleavings of all that happens to a hub, against a model that keeps everything.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::FutureExt;
use proptest::prelude::*;

use super::backpressure::{HIGH_WATER_MARK, MAX_PAUSE, MAX_STALL_PAUSE};
use super::encodings::ENCODING_CAPACITY;
use super::history::{MAX_BYTES_BEHIND, MAX_CAPACITY, MAX_FRAMES};
use super::*;
use crate::port::framing::{Framer, lines::LineFramer};

const MAX_BEHIND: Duration = Duration::from_secs(10);

/// Subscribers that come and go; each step is about one of them.
const SUBSCRIBERS: usize = 4;

#[derive(Clone, Debug)]
enum Step {
    /// The device sends so many times such bytes.
    Read(&'static [u8], usize),
    Status,
    /// One leaves, if it was there, and comes back.
    Join(usize, Start),
    Leave(usize),
    /// One takes so many events, after that much time without taking any.
    Take(usize, usize, Duration),
    /// One takes everything, encodes it, and waits for more.
    CatchUp(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0..SUBSCRIBERS;
    let parts: &[&[u8]] = &[b"\n", b"1,2\n", b"\xc3\xa9", b"a line of some length\n"];
    let start = prop_oneof![
        2 => Just(Start::Live),
        1 => (0_u64..3000).prop_map(|count| Start::Last(StreamItem::Line, count)),
        1 => (0_u64..9000).prop_map(|count| Start::After(Unit::Lines, count)),
        1 => (0_u64..90_000).prop_map(|count| Start::After(Unit::Bytes, count)),
    ];
    let late = prop_oneof![9 => Just(0_u64), 1 => Just(9), 1 => Just(11)];
    let late = late.prop_map(Duration::from_secs);
    prop_oneof![
        4 => (prop::sample::select(parts), 1_usize..4000).prop_map(|(part, n)| Step::Read(part, n)),
        1 => prop::sample::select(&[20_000_usize, 400_000]).prop_map(|n| Step::Read(b"12345\n", n / 6)),
        1 => Just(Step::Status),
        1 => (who.clone(), start).prop_map(|(who, start)| Step::Join(who, start)),
        1 => who.clone().prop_map(Step::Leave),
        4 => (who.clone(), 0_usize..60, late).prop_map(|(who, n, late)| Step::Take(who, n, late)),
        2 => who.prop_map(Step::CatchUp),
    ]
}

/// A subscriber, with what it must get.
struct Member {
    subscription: Subscription,
    unit: Unit,
    /// The place up to which it has been accounted for, in its unit.
    accounted: u64,
    /// True once it has what came before it joined, so that it must not lose more than a late one.
    is_live: bool,
    /// The offset up to which it had everything when it last waited.
    caught_up: u64,
}

/// The hub with everything that was ever published.
struct Model {
    hub: Arc<Hub>,
    framer: LineFramer,
    members: [Option<Member>; SUBSCRIBERS],
    /// The beginning of each event of data, and the time of reading it.
    reads: Vec<(Position, Instant)>,
    statuses: u32,
    /// The furthest offset that anyone has delivered.
    delivered: u64,
}

impl Model {
    fn new(history: usize) -> Self {
        let max_behind = MAX_BEHIND;
        let limits = HubConfig {
            history,
            max_behind,
        };
        Self {
            hub: Hub::new(limits, Status::new(State::Waiting, "")),
            framer: LineFramer::new(999),
            members: [const { None }; SUBSCRIBERS],
            reads: Vec::new(),
            statuses: 0,
            delivered: 0,
        }
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Read(part, times) => self.read(&part.repeat(times)),
            Step::Status => {
                self.statuses += 1;
                let detail = self.statuses.to_string();
                self.hub.publish_status(Status::new(State::Open, detail));
            }
            Step::Join(who, start) => self.join(who, start),
            Step::Leave(who) => self.members[who] = None,
            Step::Take(who, count, late) => self.take(who, count, Instant::now() + late),
            Step::CatchUp(who) => self.catch_up(who),
        }
        self.check();
    }

    fn read(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(4096) {
            self.reads.push((self.hub.end(), Instant::now()));
            let data = self.framer.push(Bytes::copy_from_slice(chunk));
            self.hub.publish(Timestamp::now(), Kind::Data(data));
        }
    }

    fn join(&mut self, who: usize, start: Start) {
        self.members[who] = None;
        let end = self.hub.end();
        let subscription = self.hub.subscribe(SubscriberKind::Client, start);
        let unit = match start {
            Start::Live => Unit::Lines,
            Start::Last(item, _) => item.unit(),
            Start::After(unit, _) => unit,
            Start::AfterPlace(_) => Unit::Bytes,
        };
        let accounted = subscription.position().count(unit);
        match start {
            Start::Live => assert_eq!(subscription.position(), end),
            Start::Last(_, count) => assert!(end.count(unit) - accounted <= count),
            Start::AfterPlace(place) => {
                let reached = end.reaches(place);
                assert_eq!(accounted, if reached { place } else { end }.offset);
            }
            Start::After(_, count) => assert_eq!(accounted, count.min(end.count(unit))),
        }
        self.delivered = self.delivered.max(subscription.position().offset);
        self.members[who] = Some(Member {
            subscription,
            unit,
            accounted,
            is_live: matches!(start, Start::Live),
            caught_up: end.offset,
        });
    }

    fn take(&mut self, who: usize, count: usize, now: Instant) {
        let Some(member) = &mut self.members[who] else {
            return;
        };
        for _ in 0..count {
            let place = member.subscription.position();
            match member.subscription.next(now) {
                None => {
                    assert_eq!(member.accounted, self.hub.end().count(member.unit));
                    member.is_live = true;
                    break;
                }
                Some(Received::Restarted) => unreachable!("it counts on its own"),
                Some(Received::Missed(missed)) => {
                    member.accounted += missed.count(member.unit);
                    let behind = self.hub.end().since(place);
                    let unread = self
                        .reads
                        .partition_point(|(before, _)| before.offset < place.offset);
                    let oldest = self.reads.get(unread.saturating_sub(1));
                    let is_late = oldest.is_some_and(|(_, read)| now - *read > MAX_BEHIND);
                    // These reads are large, so that nobody is out of memory before that.
                    let may_skip = behind.offset > MAX_BYTES_BEHIND || is_late;
                    assert!(
                        may_skip || !member.is_live,
                        "{behind:?} behind, and {missed:?} missed"
                    );
                }
                Some(Received::Event(Taken { event, had })) => {
                    if let Kind::Data(data) = &event.kind {
                        assert!(data.frames.len() <= MAX_FRAMES);
                        let begins = event.before.count(member.unit) + had.count(member.unit);
                        assert_eq!(begins, member.accounted, "nothing is doubled or left out");
                        member.accounted = event.after().count(member.unit);
                        // As large as json can be.
                        let size = 70 * data.frames.len() + 6 * data.chunk.len();
                        let encoding = || Bytes::from(vec![0; size]);
                        assert_eq!(
                            event
                                .encoding(EncodingSlot::Message(who), SUBSCRIBERS, encoding)
                                .len(),
                            size
                        );
                    }
                }
            }
        }
        member.subscription.delivered();
        self.delivered = self.delivered.max(member.subscription.position().offset);
    }

    fn catch_up(&mut self, who: usize) {
        self.take(who, usize::MAX, Instant::now());
        if let Some(member) = &mut self.members[who] {
            assert!(member.subscription.ready().now_or_never().is_none());
            let offset = member.subscription.position().offset;
            member.caught_up = member.caught_up.max(offset);
        }
    }

    /// Checks what holds at any time: the bounds on memory, and the pause of reading.
    fn check(&self) {
        let history = self.hub.history();
        let most = MAX_CAPACITY.max(history.limits.history);
        assert!(history.memory <= most, "{} bytes of events", history.memory);
        assert!(history.encoded.used() <= ENCODING_CAPACITY);
        drop(history);
        let end = self.hub.end().offset;
        let mut members = self.members.iter().flatten();
        let is_behind = |offset: u64| end.saturating_sub(offset) > HIGH_WATER_MARK;
        let expected = if is_behind(self.delivered) && members.clone().next().is_some() {
            Some(MAX_STALL_PAUSE)
        } else {
            let has_slow = members.any(|member| is_behind(member.caught_up));
            has_slow.then_some(MAX_PAUSE)
        };
        assert_eq!(self.hub.read_pause(), expected);
    }
}

/// A quarter of the usual number of cases, each of which is long.
pub(super) fn few_cases() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig {
        cases: usual.cases / 4,
        ..usual
    }
}

proptest! {
    #![proptest_config(few_cases())]

    #[test]
    fn whatever_happens_each_gets_everything_or_is_told_exactly_what_it_missed(
        steps in prop::collection::vec(step(), 1..60),
        history in prop::sample::select(&[0_usize, 100_000, 1 << 20]),
    ) {
        let mut model = Model::new(history);
        for step in steps {
            model.run(step);
        }
        for who in 0..SUBSCRIBERS {
            model.catch_up(who);
        }
    }
}
