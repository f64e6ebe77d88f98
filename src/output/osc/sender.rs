//! The sender of one port: sends what each line holds, and the last values again for receivers that have
//! started since.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval};

use super::targets::Targets;
use super::{Osc, OscCounters, message};
use crate::hub::{Kind, Received, Start, StreamItem, SubscriberKind, Subscription, Taken};
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
            targets: osc.targets.clone(),
            sends_lines: osc.config.sends_lines,
            counters: Arc::clone(&osc.counters),
            last: BTreeMap::new(),
        }
    }

    /// Sends for ever.
    pub(super) async fn run(mut self) {
        let mut resend = interval(RESEND_INTERVAL);
        resend.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.subscription.ready() => self.send_events(),
                _ = resend.tick() => {
                    for datagram in self.last.values() {
                        self.send(datagram);
                    }
                }
            }
        }
    }

    fn send_events(&mut self) {
        while let Some(next) = self.subscription.next(Instant::now()) {
            let Received::Event(Taken { event, had }) = next else {
                continue;
            };
            let Kind::Data(data) = &event.kind else {
                continue;
            };
            for (_, frame) in Part::After(had).frames(StreamItem::Line, data) {
                if self.sends_lines {
                    if let Some(datagram) = message::line(&self.port, frame.bytes) {
                        self.send(&datagram);
                    }
                    continue;
                }
                let values = frame.values();
                if let Some(datagram) = message::values(&self.port, &values) {
                    self.send(&datagram);
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

    fn send(&self, datagram: &[u8]) {
        let (sent, failed) = self.targets.send(datagram);
        self.counters.sent.fetch_add(sent, Ordering::Relaxed);
        self.counters.failed.fetch_add(failed, Ordering::Relaxed);
    }
}
