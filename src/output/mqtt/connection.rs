//! Keeps the connection to the broker: connects, says when the broker comes and goes, and leaves with
//! `offline`. It never fails; each attempt may.

use std::io::{self, ErrorKind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Result;
use rumqttc::{
    AsyncClient, Broker, ConnectReturnCode, ConnectionError, Event, EventLoop, LastWill,
    MqttOptions, Outgoing, Packet, Publish, PublishOptions, QoS,
};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::MqttConfig;
use super::counters::MqttCounters;
use super::stream::Connector;
use crate::log::throttled::ThrottledLog;
use crate::output::writes::WritablePorts;
use crate::platform::{self, reason};
use crate::terminal::shown;

/// Messages that wait for the broker beside those in the hub. At the limit, publishers wait.
const MAX_WAITING: usize = 64;

/// Seconds without anything to send after which the broker is asked whether it is there.
const KEEP_ALIVE_SECONDS: u16 = 20;

/// The delay before the second attempt; it doubles with each one that fails.
const MIN_DELAY: Duration = Duration::from_millis(500);

/// The longest time between two attempts.
const MAX_DELAY: Duration = Duration::from_secs(15);

/// The time that the last messages have to reach the broker when the program ends.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);

/// The bytes beside the payload that a message of the broker may have: its topic.
const TOPIC_BYTES: usize = 64 << 10;

/// The reason where the system says nothing more.
const ENDED: &str = "the connection has ended";

/// The connection to the broker.
pub(super) struct BrokerConnection {
    config: Arc<MqttConfig>,
    client: AsyncClient,
    events: EventLoop,
    /// Tells publishers the number of the connection; None while the broker is away.
    number: watch::Sender<Option<u64>>,
    writes: WritablePorts,
    counters: Arc<MqttCounters>,
    log: Arc<ThrottledLog>,
    delay: Duration,
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
        number: watch::Sender<Option<u64>>,
        writes: WritablePorts,
        counters: Arc<MqttCounters>,
        log: Arc<ThrottledLog>,
    ) -> Result<(AsyncClient, Self)> {
        let broker = &config.broker;
        // Two with one name would disconnect each other.
        let random = u64::from_le_bytes(platform::random_bytes()?);
        let id = format!("serial-ws-{random:016x}");
        let mut options = MqttOptions::new(
            id,
            Broker::tcp(broker.endpoint.host.clone(), broker.endpoint.port),
        );
        let will = LastWill::new(broker.topic("bridge"), "offline", QoS::AtLeastOnce, true);
        options
            .set_last_will(will)
            .set_keep_alive(KEEP_ALIVE_SECONDS)
            .set_clean_session(true)
            .set_max_packet_size(config.max_message + TOPIC_BYTES, usize::MAX);
        if let Some((user, password)) = &config.credentials {
            options.set_credentials(user.clone(), password.clone());
        }
        let connector = Arc::new(Connector::new(&config)?);
        options.set_socket_connector(move |_, _| {
            let connector = Arc::clone(&connector);
            async move { connector.connect().await }
        });
        let (client, events) = AsyncClient::builder(options).capacity(MAX_WAITING).build();
        let connection = Self {
            config,
            client: client.clone(),
            events,
            number,
            writes,
            counters,
            log,
            delay: MIN_DELAY,
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
        self.delay = MIN_DELAY;
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
    }

    fn on_lost(&mut self, error: &ConnectionError) {
        let was_connected = self.number.send_replace(None).is_some();
        self.counters.is_connected.store(false, Ordering::Relaxed);
        let (why, mut advice) = explain(error, &self.config);
        if why == ENDED && !was_connected {
            advice = ". Check the TCP port, and whether the connection is encrypted (mqtts://)";
        }
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

/// Says why there is no connection, and what to do.
fn explain(error: &ConnectionError, config: &MqttConfig) -> (String, &'static str) {
    match error {
        ConnectionError::Io(error) => explain_io(error),
        ConnectionError::NetworkTimeout | ConnectionError::FlushTimeout => {
            ("it does not answer".to_owned(), "")
        }
        ConnectionError::ConnectionRefused(code) => explain_refusal(*code, config),
        ConnectionError::NotConnAck(_) => (
            "it does not speak MQTT 3.1.1".to_owned(),
            ". Check the TCP port",
        ),
        ConnectionError::MqttState(_) => (ENDED.to_owned(), ""),
        other => (shown(&other.to_string()), ""),
    }
}

fn explain_io(error: &io::Error) -> (String, &'static str) {
    match error.kind() {
        ErrorKind::ConnectionRefused => (
            "nothing listens there".to_owned(),
            ". Check that the broker runs, and its TCP port",
        ),
        ErrorKind::TimedOut => ("it does not answer".to_owned(), ""),
        ErrorKind::NotFound => (
            "cannot find it in the network".to_owned(),
            ". Check the name, or use the address",
        ),
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => {
            (ENDED.to_owned(), "")
        }
        ErrorKind::InvalidData => (
            "its answer is not MQTT".to_owned(),
            ". Check the TCP port, and whether it is encrypted (mqtts://)",
        ),
        // Of our own connector.
        ErrorKind::Other => (error.to_string(), ""),
        _ => (reason(error), ""),
    }
}

fn explain_refusal(code: ConnectReturnCode, config: &MqttConfig) -> (String, &'static str) {
    match code {
        ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized
            if config.credentials.is_none() =>
        {
            (
                "it wants a user name and a password".to_owned(),
                ": --mqtt-user NAME --mqtt-password FILE",
            )
        }
        ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized => (
            "it does not let this user in".to_owned(),
            ". Check --mqtt-user and --mqtt-password, and what the broker permits that user",
        ),
        ConnectReturnCode::ServiceUnavailable => ("it is not available now".to_owned(), ""),
        ConnectReturnCode::RefusedProtocolVersion => ("it refuses MQTT 3.1.1".to_owned(), ""),
        ConnectReturnCode::BadClientId => ("it refuses the name of this client".to_owned(), ""),
        ConnectReturnCode::Success => (ENDED.to_owned(), ""),
    }
}
