//! Attempts to connect to a broker, and what all of them have in common: the options, and why one
//! failed in the words of a user. An attempt of `serial-ws doctor` goes no further than that.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use rumqttc::{
    AsyncClient, Broker, ConnectReturnCode, ConnectionError, Event, MqttOptions, Packet,
    StateError, mqttbytes,
};
use tokio::time::timeout;

use super::MqttConfig;
use super::stream::Connector;
use crate::platform::{self, reason};
use crate::terminal::shown;

/// Seconds without anything to send after which the broker is asked whether it is there.
const KEEP_ALIVE_SECONDS: u16 = 20;

/// The bytes beside the payload that a message of the broker may have: its topic.
const TOPIC_BYTES: usize = 64 << 10;

/// The reason where the system says nothing more.
pub(super) const ENDED: &str = "the connection has ended";

/// The advice about a broker that has never answered.
pub(super) const CHECK_PLACE: &str =
    ". Check the TCP port, and whether the connection is encrypted (mqtts://)";

/// The reason where the broker sends something else.
const NOT_MQTT: &str = "its answer is not MQTT";

/// The time that an attempt of `serial-ws doctor` may take.
const CHECK_TIMEOUT: Duration = Duration::from_secs(10);

/// Checks that the broker accepts us. Nothing is published, and there is no will.
///
/// # Errors
/// Says why not, and what to do.
pub(crate) async fn check(config: &MqttConfig) -> Result<(), String> {
    let options = options(config).map_err(|error| platform::sentence(&error))?;
    let (client, mut events) = AsyncClient::builder(options).capacity(1).build();
    let connected = timeout(CHECK_TIMEOUT, async {
        loop {
            match events.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(_))) => return Ok(()),
                Ok(_) => {}
                Err(error) => return Err(error),
            }
        }
    });
    let outcome = match connected.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => {
            let (why, advice) = explain(&error, config);
            let advice = if why == ENDED { CHECK_PLACE } else { advice };
            Err(format!("{why}{advice}"))
        }
        Err(_) => Err("it does not answer".to_owned()),
    };
    drop(client);
    outcome
}

/// Returns the options of a connection, which has no will yet.
///
/// # Errors
/// If the certificate authority cannot be used.
pub(super) fn options(config: &MqttConfig) -> Result<MqttOptions> {
    let endpoint = &config.broker.endpoint;
    // Two with one name would disconnect each other.
    let random = u64::from_le_bytes(platform::random_bytes()?);
    let id = format!("serial-ws-{random:016x}");
    let broker = Broker::tcp(endpoint.host.clone(), endpoint.port);
    let mut options = MqttOptions::new(id, broker);
    options
        .set_keep_alive(KEEP_ALIVE_SECONDS)
        .set_clean_session(true)
        .set_max_packet_size(config.max_message + TOPIC_BYTES, usize::MAX);
    if let Some((user, password)) = &config.credentials {
        options.set_credentials(user.clone(), password.clone());
    }
    let connector = Arc::new(Connector::new(config)?);
    options.set_socket_connector(move |_, _| {
        let connector = Arc::clone(&connector);
        async move { connector.connect().await }
    });
    Ok(options)
}

/// Says why there is no connection, and what to do.
pub(super) fn explain(error: &ConnectionError, config: &MqttConfig) -> (String, &'static str) {
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
        ConnectionError::MqttState(error) => explain_state(error),
        other => (shown(&other.to_string()), ""),
    }
}

/// Says why a connection ended that spoke MQTT so far.
fn explain_state(error: &StateError) -> (String, &'static str) {
    match error {
        StateError::AwaitPingResp => ("it does not answer".to_owned(), ""),
        StateError::Deserialization(mqttbytes::Error::PayloadSizeLimitExceeded(size)) => (
            format!("it sent a message of {size} bytes"),
            ", which is over --max-message",
        ),
        StateError::Deserialization(mqttbytes::Error::Io(_)) => (ENDED.to_owned(), ""),
        StateError::Deserialization(_) | StateError::ProtocolViolation(_) => {
            (NOT_MQTT.to_owned(), CHECK_PLACE)
        }
        _ => (ENDED.to_owned(), ""),
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
        ErrorKind::InvalidData => (NOT_MQTT.to_owned(), CHECK_PLACE),
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
