//! A hub whose numbers and times are those of another serial-ws: it takes over the run of that one, and
//! begins anew when that one does.

use std::sync::{Arc, PoisonError, RwLock};

use serde_json::{Map, Value};

use super::event::{Data, Kind, Position, Timestamp};
use super::sync::atomic::{AtomicU64, Ordering};
use super::{ClientNumbers, Hub, HubConfig, RequestLimits, Status};

/// The run of another serial-ws, with what it says of the port there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UpstreamRun {
    /// The name of the run.
    pub name: String,
    /// The settings of the port that are none of the line: `frame`, `maxLine`, `poll`, `every`, `fixed`
    /// and `readOnly`.
    pub settings: Map<String, Value>,
}

/// The part of a hub that has to do with another serial-ws.
#[derive(Default)]
pub(super) struct Upstream {
    run: RwLock<Option<Arc<UpstreamRun>>>,
    /// The number of runs before this one.
    pub(super) number: AtomicU64,
}

impl Hub {
    /// A hub that counts as another serial-ws does, which has not been reached yet.
    pub fn of_upstream(
        limits: HubConfig,
        requests: RequestLimits,
        numbers: ClientNumbers,
        status: Status,
    ) -> Arc<Self> {
        let hub = Self::with_request_limits(limits, requests, numbers, status);
        hub.history().run.is_elsewhere = true;
        hub
    }

    /// Returns true if another serial-ws counts what comes.
    pub fn is_upstream(&self) -> bool {
        self.history().run.is_elsewhere
    }

    /// Returns the run of the other serial-ws; None for a hub that counts itself, and before the other
    /// one was reached.
    pub fn upstream_run(&self) -> Option<Arc<UpstreamRun>> {
        let run = self.upstream.run.read();
        run.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes what the other serial-ws says of its port.
    pub fn describe_upstream(&self, run: UpstreamRun) {
        let mut known = self.upstream.run.write();
        **known.as_mut().unwrap_or_else(|error| error.get_mut()) = Some(Arc::new(run));
    }

    /// Begins anew with a run of the other serial-ws at `start`. What came `earlier` is for those who ask
    /// for it; those who are connected get what comes from now on.
    pub fn begin_run(
        &self,
        run: UpstreamRun,
        start: Position,
        earlier: impl IntoIterator<Item = (Position, Timestamp, Data)>,
        status: Status,
    ) {
        let name: Arc<str> = run.name.as_str().into();
        let end = {
            let mut history = self.history();
            history.begin_run(name, start);
            self.describe_upstream(run);
            for (place, at, data) in earlier {
                if place != history.end {
                    history.skip_to(place);
                }
                history.push(at, Kind::Data(data));
            }
            history.begin_live();
            self.upstream
                .number
                .store(history.run.number, Ordering::SeqCst);
            let status = self.filled_in(status);
            history.push(Timestamp::now(), Kind::Status(status));
            self.head.store(history.head(), Ordering::SeqCst);
            history.end.offset
        };
        self.backpressure.restart(end);
        let mut subscribers = self.subscribers();
        subscribers.restart(end);
        subscribers.wake();
    }

    /// Notes that what comes before `place` is lost: the other serial-ws has it no longer. The status
    /// is told again, as after everything that is missed.
    pub fn skip_to(&self, place: Position) {
        let mut history = self.history();
        history.skip_to(place);
        let status = history.status.clone();
        self.push(history, Timestamp::now(), Kind::Status(status));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::hub::{
        Extent, Frames, Piece, Received, Start, State, StreamItem, SubscriberKind, Subscription,
        Unit,
    };

    fn hub() -> Arc<Hub> {
        let limits = HubConfig {
            history: 1 << 20,
            max_behind: std::time::Duration::from_secs(10),
        };
        let status = Status::new(State::Waiting, "");
        Hub::of_upstream(
            limits,
            RequestLimits::default(),
            ClientNumbers::default(),
            status,
        )
    }

    fn run(name: &str) -> UpstreamRun {
        UpstreamRun {
            name: name.to_owned(),
            ..UpstreamRun::default()
        }
    }

    fn open() -> Status {
        Status::new(State::Open, "")
    }

    /// A line of three bytes, with its end.
    fn line(text: &'static str) -> Data {
        let piece = Piece {
            start: 0,
            end: text.len() as u32 - 1,
            extent: Extent::Whole,
            utf8: true,
        };
        Data {
            chunk: text.into(),
            frames: Frames::new(text.into(), vec![piece]),
            ..Data::default()
        }
    }

    fn place(line: u64) -> Position {
        Position {
            line,
            offset: line * 3,
        }
    }

    fn publish(hub: &Hub, text: &'static str) {
        hub.publish(Timestamp(7), Kind::Data(line(text)));
    }

    /// What a subscriber gets, in words.
    fn all(subscription: &mut Subscription) -> Vec<String> {
        let mut words = Vec::new();
        while let Some(received) = subscription.next(Instant::now()) {
            words.push(match received {
                Received::Missed(missed) => format!("missed {} {}", missed.line, missed.offset),
                Received::Restarted => "restarted".to_owned(),
                Received::Event(taken) => match &taken.event.kind {
                    Kind::Data(data) => {
                        let text = String::from_utf8_lossy(&data.chunk);
                        format!("{} {}", taken.event.before.line + 1, text.trim())
                    }
                    _ => "status".to_owned(),
                },
            });
        }
        words
    }

    fn subscribe(hub: &Arc<Hub>, start: Start) -> Subscription {
        hub.subscribe(SubscriberKind::Client, start)
    }

    #[test]
    fn who_waits_for_the_run_goes_on_where_it_was_and_others_begin_anew() {
        let hub = hub();
        assert_eq!(hub.upstream_run(), None);
        let resume = |name, line| {
            let start = Start::After(Unit::Lines, line);
            subscribe(&hub, Start::Live).in_run(name, Some(start))
        };
        let (mut here, mut gone) = (resume("a", 11), resume("a", 5));
        let (mut other, mut live) = (resume("b", 11), subscribe(&hub, Start::Live));
        let earlier = [
            (place(10), Timestamp(5), line("aa\n")),
            (place(11), Timestamp(6), line("bb\n")),
        ];
        hub.begin_run(run("a"), place(10), earlier, open());
        publish(&hub, "cc\n");
        assert_eq!(all(&mut here), ["12 bb", "status", "13 cc"]);
        assert_eq!(
            all(&mut gone),
            ["missed 5 0", "11 aa", "12 bb", "status", "13 cc"]
        );
        assert_eq!(all(&mut other), ["restarted", "status", "13 cc"]);
        assert_eq!(all(&mut live), ["restarted", "status", "13 cc"]);
        let mut late = resume("a", 12);
        assert_eq!(all(&mut late), ["13 cc"]);
        assert_eq!(all(&mut resume("b", 12)), ["restarted", "status", "13 cc"]);
        let mut last = subscribe(&hub, Start::Last(StreamItem::Line, 2)).in_run("a", None);
        assert_eq!(all(&mut last), ["12 bb", "13 cc"]);
    }

    #[test]
    fn what_is_lost_on_the_way_is_missed_and_not_counted_by_history() {
        let hub = hub();
        hub.begin_run(run("a"), place(10), [], open());
        let mut live = subscribe(&hub, Start::Live);
        publish(&hub, "aa\n");
        hub.skip_to(place(500));
        publish(&hub, "bb\n");
        assert_eq!(
            all(&mut live),
            ["11 aa", "missed 489 1467", "status", "501 bb"]
        );
        let mut two = subscribe(&hub, Start::Last(StreamItem::Line, 2));
        assert_eq!(all(&mut two), ["11 aa", "missed 489 1467", "501 bb"]);
        let mut bytes = subscribe(&hub, Start::Last(StreamItem::Byte, 3));
        assert_eq!(all(&mut bytes), ["501 bb"]);
        let mut exact = subscribe(&hub, Start::AfterPlace(place(11)));
        assert_eq!(all(&mut exact), ["missed 489 1467", "501 bb"]);
        let mut none = subscribe(&hub, Start::AfterPlace(place(501)));
        assert!(all(&mut none).is_empty());
    }

    #[test]
    fn another_run_may_begin_with_smaller_numbers() {
        let hub = hub();
        hub.begin_run(run("a"), place(1000), [], open());
        let mut live = subscribe(&hub, Start::Live);
        publish(&hub, "aa\n");
        assert_eq!(all(&mut live), ["1001 aa"]);
        hub.begin_run(run("b"), place(0), [], open());
        publish(&hub, "bb\n");
        assert_eq!(all(&mut live), ["restarted", "status", "1 bb"]);
        live.delivered();
        assert_eq!(hub.read_pause(), None);
        assert_eq!(hub.upstream_run().unwrap().name, "b");
    }

    #[test]
    fn times_are_those_of_the_other_clock() {
        let hub = hub();
        hub.begin_run(run("a"), place(0), [], open());
        let mut live = subscribe(&hub, Start::Live);
        publish(&hub, "aa\n");
        let Some(Received::Event(taken)) = live.next(Instant::now()) else {
            panic!("there is a line");
        };
        assert_eq!(taken.event.at, Timestamp(7));
    }
}
