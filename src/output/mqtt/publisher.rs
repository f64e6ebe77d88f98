//! The publisher of one port: takes its events at the pace of the broker, and publishes what each view
//! shows of them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rumqttc::{AsyncClient, ClientError, PublishOptions, QoS};
use tokio::sync::watch;

use super::Mqtt;
use super::counters::MqttCounters;
use crate::hub::{
    Event, Hub, Kind, OutputReporter, Position, Received, Start, SubscriberKind, Taken, Unit,
};
use crate::output::PublishedPort;
use crate::protocol::{ServerMessage, StatusMessage};
use crate::view::{Part, Payload, View};

/// The time between two values that the broker keeps for those who subscribe later. To keep each would
/// cost it a write to its database.
const RETAIN_INTERVAL: Duration = Duration::from_secs(1);

/// The publisher of one port.
pub(super) struct Publisher {
    client: AsyncClient,
    connection: watch::Receiver<Option<u64>>,
    hub: Arc<Hub>,
    /// The place in the stream up to which everything was handed to the connection.
    position: Position,
    topics: Vec<Topic>,
    status_topic: String,
    json_topic: String,
    counters: Arc<MqttCounters>,
    reporter: Arc<OutputReporter>,
    /// The time at which the broker was last given values to keep.
    retained_at: Option<Instant>,
}

/// A topic for each payload of a view.
struct Topic {
    name: String,
    view: View,
}

/// A message to be published.
struct Outgoing {
    topic: String,
    payload: Bytes,
    is_retained: bool,
}

impl Publisher {
    /// Takes a place at the end of the stream of a port.
    pub(super) fn new(mqtt: &Mqtt, port: &PublishedPort, reporter: Arc<OutputReporter>) -> Self {
        let topic = |rest: &str| mqtt.config.broker.topic(&format!("{}/{rest}", port.name));
        let mut views = vec![
            ("line", View::Lines),
            ("json", View::JsonLines),
            ("values", View::Values),
        ];
        if mqtt.config.has_raw {
            views.push(("raw", View::Raw));
        }
        let topics = views.into_iter().map(|(name, view)| Topic {
            name: topic(name),
            view,
        });
        Self {
            client: mqtt.client.clone(),
            connection: mqtt.connection.clone(),
            hub: Arc::clone(&port.hub),
            position: port.hub.end(),
            topics: topics.collect(),
            status_topic: topic("status"),
            json_topic: topic("json"),
            counters: Arc::clone(&mqtt.counters),
            reporter,
            retained_at: None,
        }
    }

    /// Publishes until the program stops or the port is removed.
    pub(super) async fn run(mut self) {
        loop {
            // Ends with the connection, which ends with the program.
            let Ok(number) = self
                .connection
                .wait_for(Option::is_some)
                .await
                .map(|it| *it)
            else {
                return;
            };
            if self.publish_status().await.is_err() || self.publish_events(number).await.is_err() {
                return;
            }
        }
    }

    /// Publishes events while the connection is that of this number.
    async fn publish_events(&mut self, number: Option<u64>) -> Result<(), ClientError> {
        // A slow broker delays nobody.
        let kind = SubscriberKind::Output {
            backpressure: false,
        };
        // What history still has is not late, however long the broker was away.
        let start = Start::After(Unit::Bytes, self.position.offset);
        let mut subscription = self.hub.subscribe(kind, start);
        loop {
            tokio::select! {
                () = subscription.ready() => {}
                ended = self.connection.wait_for(|now| *now != number) => {
                    drop(ended);
                    return Ok(());
                }
            }
            while *self.connection.borrow() == number
                && let Some(next) = subscription.next(Instant::now())
            {
                let position = subscription.position();
                self.publish_next(next, position).await?;
                self.position = position;
            }
        }
    }

    /// Publishes what comes next, up to `position`.
    async fn publish_next(
        &mut self,
        next: Received,
        position: Position,
    ) -> Result<(), ClientError> {
        match next {
            Received::Event(Taken { event, had }) => {
                for message in self.messages(&event, Part::After(had)) {
                    self.publish(message).await?;
                }
                if let Kind::Status(_) = event.kind {
                    self.publish_status().await?;
                }
            }
            // The hub does not know the line at which the subscription before this one ended.
            Received::Missed(_) if position != self.position => {
                let missed = position.since(self.position);
                let (lines, bytes) = (missed.line, missed.offset);
                self.counters
                    .missed_lines
                    .fetch_add(lines, Ordering::Relaxed);
                self.reporter.missed(bytes);
                let missed = ServerMessage::Missed { lines, bytes };
                let message = Outgoing {
                    topic: self.json_topic.clone(),
                    payload: missed.to_json().into(),
                    is_retained: false,
                };
                self.publish(message).await?;
            }
            Received::Missed(_) | Received::Restarted => {}
        }
        Ok(())
    }

    /// Returns the messages about an event.
    fn messages(&mut self, event: &Event, part: Part) -> Vec<Outgoing> {
        let mut messages = Vec::new();
        for Topic { name, view } in &self.topics {
            if view.is_blank(event) {
                continue;
            }
            view.encode(event, part, &mut |payload, _| {
                let (Payload::Text(bytes) | Payload::Binary(bytes)) = payload;
                let is_retained = *view == View::Values && is_due(&mut self.retained_at);
                messages.push(Outgoing {
                    topic: name.clone(),
                    payload: Bytes::copy_from_slice(bytes),
                    is_retained,
                });
            });
        }
        messages
    }

    /// Waits for room, which there is once the broker has taken enough of what came before.
    async fn publish(&self, message: Outgoing) -> Result<(), ClientError> {
        let options = PublishOptions::new(QoS::AtMostOnce).retain(message.is_retained);
        let size = message.payload.len();
        self.client
            .publish(message.topic, message.payload, options)
            .await?;
        self.counters.sent.fetch_add(1, Ordering::Relaxed);
        self.reporter.sent(size);
        Ok(())
    }

    /// Publishes the status of the port, for the broker to keep.
    async fn publish_status(&self) -> Result<(), ClientError> {
        let status = self.hub.status();
        let message = ServerMessage::Status(StatusMessage::complete(&status)).to_json();
        let options = PublishOptions::new(QoS::AtLeastOnce).retain(true);
        let (topic, size) = (self.status_topic.clone(), message.len());
        self.client.publish(topic, message, options).await?;
        self.counters.sent.fetch_add(1, Ordering::Relaxed);
        self.reporter.sent(size);
        Ok(())
    }
}

/// Returns true, and notes the time, if the broker is to keep the next values.
fn is_due(retained_at: &mut Option<Instant>) -> bool {
    let now = Instant::now();
    let is_due = retained_at.is_none_or(|at| now.duration_since(at) >= RETAIN_INTERVAL);
    if is_due {
        *retained_at = Some(now);
    }
    is_due
}
