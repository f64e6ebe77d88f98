//! Publishes all ports to an MQTT broker (MQTT 3.1.1), so that viewers of any number never reach this
//! computer.
//!
//! | topic, below the prefix | payload | QoS | retained |
//! |---|---|---|---|
//! | `bridge` | `online`, or `offline` as the will | 1 | yes |
//! | `PORT/status` | the status, as in the json view | 1 | yes |
//! | `PORT/line` | a line | 0 | no |
//! | `PORT/json` | the objects of the json view, with numbers and times | 0 | no |
//! | `PORT/json` | `hello`, with the run and the last number, once a connection | 1 | yes |
//! | `PORT/values` | the values of a line that has any | 0 | one a second |
//! | `PORT/raw` | the bytes as they were read, if that was asked for | 0 | no |
//! | `PORT/write` | what others write, if that is permitted | 0 | ignored |
//!
//! `publishers` has all ports, `connection` keeps the connection to the broker, `attempt` is how it begins,
//! `publisher` has a place in the stream of one port, and `topics` makes its messages. While the broker is
//! away, or slower than the device, events wait in the history of the hub, which every subscriber shares:
//! what it no longer has when the broker takes more is said to be missed, in `json`.

#[cfg(feature = "mqtt")]
mod attempt;
mod broker;
#[cfg(feature = "mqtt")]
mod connection;
mod counters;
#[cfg(feature = "mqtt")]
mod publisher;
#[cfg(feature = "mqtt")]
mod publishers;
#[cfg(feature = "mqtt")]
mod stream;
#[cfg(feature = "mqtt")]
mod topics;

use std::path::PathBuf;

#[cfg(feature = "mqtt")]
pub(crate) use attempt::check;
pub(crate) use broker::BrokerUrl;
pub(crate) use counters::MqttCounters;
#[cfg(feature = "mqtt")]
pub(crate) use publishers::Mqtt;

/// The publishers of all ports to a broker, which this build lacks.
#[cfg(not(feature = "mqtt"))]
pub(crate) type Mqtt = super::absent::Absent<MqttConfig, MqttCounters>;

/// The configuration of the connection to a broker.
#[derive(Clone, Debug)]
pub(crate) struct MqttConfig {
    /// The broker, and the beginning of all topics.
    pub(crate) broker: BrokerUrl,
    /// The user and the password; the latter is empty for none.
    pub(crate) credentials: Option<(String, String)>,
    /// A certificate authority to trust beside those of the system.
    #[cfg_attr(
        not(feature = "tls"),
        allow(dead_code, reason = "nothing is encrypted")
    )]
    pub(crate) ca: Option<PathBuf>,
    /// True if others may write to the ports by the broker.
    pub(crate) may_write: bool,
    /// True if the bytes are published as they were read, too.
    pub(crate) has_raw: bool,
    /// Bytes that one message may write.
    pub(crate) max_message: usize,
}
