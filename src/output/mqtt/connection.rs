//! Keeps the connection to the broker: connects, says when the broker comes and goes, and leaves with
//! `offline`. It never fails; each attempt may.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Result;
use rumqttc::{
    AsyncClient, ConnectionError, Event, EventLoop, LastWill, Outgoing, Packet, Publish,
    PublishOptions, QoS,
};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::MqttConfig;
use super::attempt::{CHECK_PLACE, ENDED, explain, options};
use super::counters::MqttCounters;
use crate::hub::OutputState;
use crate::log::throttled::ThrottledLog;
use crate::output::writes::WritablePorts;
use crate::terminal::shown;

/// Messages that wait for the broker beside those in the hub. At the limit, publishers wait.
const MAX_WAITING: usize = 64;

/// The delay before the second attempt; it doubles with each one that fails.
const MIN_DELAY: Duration = Duration::from_millis(500);

/// The longest time between two attempts.
const MAX_DELAY: Duration = Duration::from_secs(15);

/// The time that a connection has to last for the delay to begin anew: there are brokers that accept
/// everyone, and disconnect who may not publish.
const MIN_LASTING: Duration = Duration::from_secs(5);

/// The time that the last messages have to reach the broker when the program ends, which has less than
/// 2 s for all that it does then. At the limit the connection breaks, and the broker publishes the will.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(1);

/// The connection to the broker.
pub(super) struct BrokerConnection {
    config: Arc<MqttConfig>,
    client: AsyncClient,
    events: EventLoop,
    /// Tells publishers the number of the connection; None while the broker is away.
    number: watch::Sender<Option<u64>>,
    /// Tells whether the broker is connected, and why not.
    state: watch::Sender<OutputState>,
    writes: WritablePorts,
    counters: Arc<MqttCounters>,
    log: Arc<ThrottledLog>,
    delay: Duration,
    connected_at: Instant,
    /// The last reason why there is no connection. It is logged once.
    trouble: String,
}

impl BrokerConnection {
    /// Prepares a connection. Nothing is sent before it runs.
    ///
    /// # Errors
    /// If the certificate authority cannot be used.
    pub(super) fn new(
        config: Arc<MqttConfig>,
        (number, state): (watch::Sender<Option<u64>>, watch::Sender<OutputState>),
        writes: WritablePorts,
        counters: Arc<MqttCounters>,
        log: Arc<ThrottledLog>,
    ) -> Result<(AsyncClient, Self)> {
        let topic = config.broker.topic("bridge");
        let mut options = options(&config)?;
        // What waits goes out by one call of the system: a line is several messages.
        options.set_max_request_batch(MAX_WAITING);
        options.set_last_will(LastWill::new(topic, "offline", QoS::AtLeastOnce, true));
        let (client, events) = AsyncClient::builder(options).capacity(MAX_WAITING).build();
        let connection = Self {
            config,
            client: client.clone(),
            events,
            number,
            state,
            writes,
            counters,
            log,
            delay: MIN_DELAY,
            connected_at: Instant::now(),
            trouble: String::new(),
        };
        Ok((client, connection))
    }

    /// Keeps the connection until `stop`, and leaves then.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        loop {
            let polled = tokio::select! {
                () = stop.cancelled() => break,
                polled = self.events.poll() => polled,
            };
            match polled {
                Ok(Event::Incoming(Packet::ConnAck(_))) => self.on_connected(),
                Ok(Event::Incoming(Packet::Publish(message))) => self.write(message),
                Ok(_) => {}
                Err(error) => {
                    self.on_lost(&error);
                    tokio::select! {
                        () = stop.cancelled() => break,
                        () = sleep(self.delay) => {}
                    }
                    self.delay = (self.delay * 2).min(MAX_DELAY);
                }
            }
        }
        // The publishers end with the channel.
        if self.number.send_replace(None).is_some() {
            let _ = timeout(LEAVE_TIMEOUT, self.leave()).await;
        }
    }

    fn on_connected(&mut self) {
        self.connected_at = Instant::now();
        self.trouble.clear();
        let broker = &self.config.broker;
        tracing::info!("publishes to {broker}");
        let number = self.counters.connections.fetch_add(1, Ordering::Relaxed);
        self.counters.is_connected.store(true, Ordering::Relaxed);
        // There is room: these do not wait behind the messages of publishers, which wait for us.
        let online = PublishOptions::new(QoS::AtLeastOnce).retain(true);
        if let Err(error) = self
            .client
            .try_publish(broker.topic("bridge"), "online", online)
        {
            tracing::debug!(%error, "cannot tell the broker that we are here");
        }
        if self.config.may_write {
            let topics = broker.topic("+/write");
            if let Err(error) = self.client.try_subscribe(topics, QoS::AtMostOnce) {
                tracing::debug!(%error, "cannot subscribe");
            }
        }
        self.number.send_replace(Some(number));
        self.state.send_replace(OutputState::Open);
    }

    fn on_lost(&mut self, error: &ConnectionError) {
        let was_connected = self.number.send_replace(None).is_some();
        if was_connected && self.connected_at.elapsed() >= MIN_LASTING {
            self.delay = MIN_DELAY;
        }
        self.counters.is_connected.store(false, Ordering::Relaxed);
        let (why, mut advice) = explain(error, &self.config);
        if why == ENDED && !was_connected {
            advice = CHECK_PLACE;
        }
        let problem = format!("{why}{advice}");
        self.state
            .send_replace(OutputState::Waiting(problem.into()));
        if was_connected || why != self.trouble {
            let what = if was_connected {
                "lost the broker"
            } else {
                "cannot publish to"
            };
            tracing::warn!("{what} {}: {why}{advice}", self.config.broker);
            self.trouble = why;
        }
    }

    /// Passes a message of the broker on to its port.
    fn write(&self, message: Publish) {
        let topic = String::from_utf8_lossy(&message.topic);
        let prefix = &self.config.broker.prefix;
        let port = topic
            .strip_prefix(&**prefix)
            .and_then(|rest| rest.strip_prefix('/')?.strip_suffix("/write"));
        let port = port.unwrap_or(&topic);
        let max = self.config.max_message;
        let passed = if message.retain {
            Err("the broker had kept it: publish without the flag retain".to_owned())
        } else if message.dup {
            Err("the broker repeats it, and it may have been written already".to_owned())
        } else if message.payload.len() > max {
            let size = message.payload.len();
            Err(format!("{size} bytes are too many (--max-message {max})"))
        } else {
            self.writes.write(port, message.payload)
        };
        if let Err(why) = passed {
            self.counters.dropped_writes.fetch_add(1, Ordering::Relaxed);
            self.log
                .dropped(&shown(port), &format!("from the MQTT broker: {why}"));
        }
    }

    /// Tells the broker that we leave: it publishes the will only of those that vanish.
    async fn leave(&mut self) {
        let offline = PublishOptions::new(QoS::AtLeastOnce).retain(true);
        let topic = self.config.broker.topic("bridge");
        let client = self.client.clone();
        let mut saying = pin!(async move {
            client.publish(topic, "offline", offline).await?;
            client.disconnect().await
        });
        let mut has_said = false;
        loop {
            tokio::select! {
                said = &mut saying, if !has_said => {
                    has_said = true;
                    if said.is_err() {
                        return;
                    }
                }
                polled = self.events.poll() => match polled {
                    Ok(Event::Outgoing(Outgoing::Disconnect)) | Err(_) => return,
                    Ok(_) => {}
                },
            }
        }
    }
}
