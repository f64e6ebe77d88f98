//! The publishers of all ports, and the one connection that they share.

use std::sync::Arc;

use rumqttc::AsyncClient;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::connection::BrokerConnection;
use super::publisher::Publisher;
use super::{MqttConfig, MqttCounters};
use crate::log::throttled::ThrottledLog;
use crate::output::PublishedPort;
use crate::output::writes::{MessageWriter, WritablePorts};

/// The publishers of all ports to one broker.
#[derive(Clone)]
pub(crate) struct Mqtt {
    pub(super) config: Arc<MqttConfig>,
    pub(super) client: AsyncClient,
    /// The number of the connection; None while the broker is away.
    pub(super) connection: watch::Receiver<Option<u64>>,
    writes: WritablePorts,
    /// The numbers for the operator.
    pub(crate) counters: Arc<MqttCounters>,
    log: Arc<ThrottledLog>,
}

impl Mqtt {
    /// Prepares the connection to the broker. Returns the task that keeps it until `stop`, which takes
    /// the last statuses along.
    ///
    /// # Errors
    /// If the files of the configuration cannot be used.
    pub(crate) fn new(
        config: MqttConfig,
        stop: CancellationToken,
    ) -> anyhow::Result<(Self, impl Future<Output = ()> + Send + 'static)> {
        let config = Arc::new(config);
        let (connected, number) = watch::channel(None);
        let (writes, counters) = (WritablePorts::default(), Arc::<MqttCounters>::default());
        let log = Arc::<ThrottledLog>::default();
        let (client, connection) = BrokerConnection::new(
            Arc::clone(&config),
            connected,
            writes.clone(),
            Arc::clone(&counters),
            Arc::clone(&log),
        )?;
        let mqtt = Self {
            config,
            client,
            connection: number,
            writes,
            counters,
            log,
        };
        Ok((mqtt, connection.run(stop)))
    }

    /// Publishes a port until it is removed or the program stops.
    pub(crate) fn publish(&self, port: PublishedPort) -> impl Future<Output = ()> + Send + 'static {
        let append = port.append.filter(|_| self.config.may_write);
        let writer = append.map(|append| {
            let incoming = self.writes.register(&port.name);
            MessageWriter::new(
                &port,
                append,
                incoming,
                "the MQTT broker",
                Arc::clone(&self.log),
            )
        });
        let publisher = Publisher::new(self, &port);
        let (writes, name, stop) = (self.writes.clone(), port.name, port.stop);
        async move {
            let writing = async {
                match writer {
                    Some(writer) => writer.run().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = publisher.run() => {}
                () = writing => {}
                () = stop.cancelled() => {}
            }
            writes.remove(&name);
        }
    }
}
