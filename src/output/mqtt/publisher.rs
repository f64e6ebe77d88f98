//! The publisher of one port: takes its events at the pace of the broker, and publishes what each view
//! shows of them.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use rumqttc::AsyncClient;
use tokio::sync::watch;

use super::Mqtt;
use super::counters::MqttCounters;
use super::topics::{Outgoing, Topics};
use crate::hub::{
    Hub, Kind, OutputReporter, Position, Received, Start, SubscriberKind, Subscription, Taken,
};
use crate::output::PublishedPort;
use crate::view::Part;

/// The publisher of one port.
pub(super) struct Publisher {
    client: AsyncClient,
    /// Tells the number of the connection; None while the broker is away.
    connection: watch::Receiver<Option<u64>>,
    hub: Arc<Hub>,
    topics: Topics,
    /// The run of a port that counts itself.
    own_run: String,
    /// The run of another serial-ws to which `position` belongs; empty before it was reached.
    upstream_run: String,
    /// The place in the stream up to which everything was handed to the connection, or waits for it.
    position: Position,
    /// The messages that wait for the connection to have room: at most those about one event.
    waiting: VecDeque<Outgoing>,
    /// True if the broker has the run to which the next line belongs.
    has_told_run: bool,
    /// True if the broker has the status of the port.
    has_told_status: bool,
    counters: Arc<MqttCounters>,
    reporter: Arc<OutputReporter>,
}

/// The reason why no more can be published.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PublishError {
    /// The connection has ended, and there may be another one.
    BrokerLost,
    /// The program stops.
    Stopped,
}

impl Publisher {
    /// Takes a place at the end of the stream of a port.
    pub(super) fn new(mqtt: &Mqtt, port: &PublishedPort, reporter: Arc<OutputReporter>) -> Self {
        let topic = |rest: &str| mqtt.config.broker.topic(&format!("{}/{rest}", port.name));
        Self {
            client: mqtt.client.clone(),
            connection: mqtt.connection.clone(),
            hub: Arc::clone(&port.hub),
            topics: Topics::new(topic, mqtt.config.has_raw),
            own_run: port.run.clone(),
            upstream_run: String::new(),
            position: port.hub.end(),
            waiting: VecDeque::new(),
            has_told_run: false,
            has_told_status: false,
            counters: Arc::clone(&mqtt.counters),
            reporter,
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
            (self.has_told_run, self.has_told_status) = (false, false);
            let Err(error) = self.publish_events(number).await;
            if error == PublishError::Stopped {
                return;
            }
        }
    }

    /// Publishes events while the connection is that of this number.
    async fn publish_events(&mut self, number: Option<u64>) -> Result<Infallible, PublishError> {
        let mut subscription = self.subscribe();
        loop {
            self.hand_over_all(number).await?;
            if let Some(next) = subscription.next(Instant::now()) {
                self.take(next);
                self.position = subscription.position();
                continue;
            }
            tokio::select! {
                () = subscription.ready() => {}
                ended = self.connection.wait_for(|now| *now != number) => {
                    drop(ended);
                    return Err(PublishError::BrokerLost);
                }
            }
        }
    }

    /// Goes on where the connection before has ended.
    fn subscribe(&self) -> Subscription {
        // A slow broker delays nobody.
        let kind = SubscriberKind::Output {
            backpressure: false,
        };
        // What history still has is not late, however long the broker was away. A count of bytes is not
        // enough: a read of many lines is several events, and its bytes are in the last one.
        let start = Start::AfterPlace(self.position);
        let subscription = self.hub.subscribe(kind, start);
        if self.hub.is_upstream() {
            subscription.in_run(&self.upstream_run, Some(start))
        } else {
            subscription
        }
    }

    /// Makes messages of what comes next.
    fn take(&mut self, next: Received) {
        match next {
            Received::Event(Taken { event, had }) => {
                let (part, now) = (Part::After(had), Instant::now());
                self.topics.encode(&event, part, now, &mut self.waiting);
                if let Kind::Status(_) = event.kind {
                    self.has_told_status = false;
                }
            }
            // Else it was only statuses.
            Received::Missed(missed) if missed != Position::default() => {
                self.counters
                    .missed_lines
                    .fetch_add(missed.line, Ordering::Relaxed);
                self.reporter.missed(missed.offset);
                self.waiting
                    .push_back(self.topics.missed(self.position, missed));
            }
            Received::Missed(_) => {}
            Received::Restarted => {
                let run = self.hub.upstream_run();
                self.upstream_run = run.map(|run| run.name.clone()).unwrap_or_default();
                self.has_told_run = false;
            }
        }
    }

    /// Hands over all that there is so far.
    async fn hand_over_all(&mut self, number: Option<u64>) -> Result<(), PublishError> {
        if !self.has_told_status {
            let status = self.topics.status(&self.hub.status());
            self.hand_over(status, number).await?;
            self.has_told_status = true;
        }
        if !self.has_told_run {
            self.hand_over(self.hello(), number).await?;
            self.has_told_run = true;
        }
        while let Some(next) = self.waiting.front() {
            self.hand_over(next.clone(), number).await?;
            self.waiting.pop_front();
        }
        Ok(())
    }

    /// Hands a message to the connection once there is room, which there is when the broker has taken
    /// enough of what came before.
    async fn hand_over(
        &mut self,
        message: Outgoing,
        number: Option<u64>,
    ) -> Result<(), PublishError> {
        if *self.connection.borrow() != number {
            return Err(PublishError::BrokerLost);
        }
        let size = message.payload.len();
        let topic = &*message.topic;
        tokio::select! {
            // Whether it was handed over must be certain, or it would be published twice.
            biased;
            published = self.client.publish(topic, message.payload, message.options) => {
                published.map_err(|_| PublishError::Stopped)?;
            }
            ended = self.connection.wait_for(|now| *now != number) => {
                drop(ended);
                return Err(PublishError::BrokerLost);
            }
        }
        self.counters.sent.fetch_add(1, Ordering::Relaxed);
        self.reporter.sent(size);
        Ok(())
    }

    /// Tells the run, and the line after which the next one comes.
    fn hello(&self) -> Outgoing {
        let next = self.waiting.iter().find_map(|next| next.lines_before);
        let run = match &*self.upstream_run {
            "" => &self.own_run,
            run => run,
        };
        self.topics.hello(run, next.unwrap_or(self.position.line))
    }
}
