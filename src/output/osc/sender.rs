//! The sender of one port: sends what each line holds, and the last values again for receivers that have
//! started since.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval};

use super::targets::Targets;
use super::{Osc, OscCounters, message};
use crate::hub::{
    Kind, OutputReporter, Received, Start, StreamItem, SubscriberKind, Subscription, Taken,
};
use crate::output::PublishedPort;
use crate::values::LineValues;
use crate::view::Part;

/// The time after which the last values are sent again.
const RESEND_INTERVAL: Duration = Duration::from_secs(5);

/// Lines with other names than before whose values are sent again. A board sends few kinds of lines.
const MAX_KINDS: usize = 32;

/// The sender of one port.
pub(super) struct OscSender {
    port: String,
    subscription: Subscription,
    targets: Targets,
    /// One for each of them.
    reporters: Vec<Arc<OutputReporter>>,
    sends_lines: bool,
    counters: Arc<OscCounters>,
    /// The last datagram of each kind of line, by the names of its values.
    last: BTreeMap<String, Vec<u8>>,
}

impl OscSender {
    /// Takes a place at the end of the stream of a port.
    pub(super) fn new(osc: &Osc, port: &PublishedPort) -> Self {
        let kind = SubscriberKind::Output {
            backpressure: false,
        };
        Self {
            port: port.name.clone(),
            subscription: port.hub.subscribe(kind, Start::Live),
            reporters: osc.targets.reporters(&port.hub),
            targets: osc.targets.clone(),
            sends_lines: osc.config.sends_lines,
            counters: Arc::clone(&osc.counters),
            last: BTreeMap::new(),
        }
    }

    /// Sends for ever.
    pub(super) async fn run(self) {
        let (targets, reporters) = (self.targets.clone(), self.reporters.clone());
        tokio::join!(targets.follow(&reporters), self.send_all());
    }

    async fn send_all(mut self) {
        let mut resend = interval(RESEND_INTERVAL);
        resend.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.subscription.ready() => self.send_events(),
                _ = resend.tick() => {
                    for datagram in self.last.values() {
                        self.send(datagram, false);
                    }
                }
            }
        }
    }

    fn send_events(&mut self) {
        while let Some(next) = self.subscription.next(Instant::now()) {
            let Taken { event, had } = match next {
                Received::Event(taken) => taken,
                Received::Missed(missed) => {
                    self.reporters
                        .iter()
                        .for_each(|it| it.missed(missed.offset));
                    continue;
                }
                Received::Restarted => continue,
            };
            let Kind::Data(data) = &event.kind else {
                continue;
            };
            for (_, frame) in Part::After(had).frames(StreamItem::Line, data) {
                if self.sends_lines {
                    if let Some(datagram) = message::line(&self.port, frame.bytes) {
                        self.send(&datagram, true);
                    }
                    continue;
                }
                let values = frame.values();
                if let Some(datagram) = message::values(&self.port, &values) {
                    self.send(&datagram, true);
                    self.keep(&values, datagram);
                }
            }
        }
    }

    /// Keeps a datagram to send it again.
    fn keep(&mut self, values: &LineValues, datagram: Vec<u8>) {
        let names: Vec<_> = values
            .iter()
            .filter_map(|value| value.name.as_deref())
            .collect();
        let names = names.join("\n");
        if self.last.len() < MAX_KINDS || self.last.contains_key(&names) {
            self.last.insert(names, datagram);
        }
    }

    /// Sends a datagram. One that `is_new` is missed by those whom it does not reach.
    fn send(&self, datagram: &[u8], is_new: bool) {
        let size = datagram.len();
        self.targets.send(datagram, |index, is_sent| {
            let reporter = &self.reporters[index];
            if is_sent == Some(true) {
                self.counters.sent.fetch_add(1, Ordering::Relaxed);
                reporter.sent(size);
                return;
            }
            if is_sent == Some(false) {
                self.counters.failed.fetch_add(1, Ordering::Relaxed);
            }
            if is_new {
                reporter.missed(size as u64);
            }
        });
    }
}
