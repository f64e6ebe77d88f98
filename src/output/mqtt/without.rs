//! A build without MQTT, whose configuration has no broker.

use std::convert::Infallible;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{MqttConfig, MqttCounters};
use crate::output::PublishedPort;

/// The publishers of all ports to a broker, of which there is none.
#[derive(Clone)]
pub(crate) struct Mqtt {
    /// The numbers for the operator.
    pub(crate) counters: Arc<MqttCounters>,
    never: Infallible,
}

impl Mqtt {
    /// Returns an error.
    pub(crate) fn new(
        config: MqttConfig,
        _stop: CancellationToken,
    ) -> anyhow::Result<(Self, std::future::Pending<()>)> {
        anyhow::bail!(
            "cannot publish to {}: this build has no MQTT",
            config.broker
        )
    }

    /// Is never called.
    pub(crate) fn publish(&self, _port: PublishedPort) -> std::future::Pending<()> {
        match self.never {}
    }
}
