//! The publishers of all ports, and the one connection that they share.

use std::sync::Arc;

use rumqttc::AsyncClient;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::connection::BrokerConnection;
use super::publisher::Publisher;
use super::{MqttConfig, MqttCounters};
use crate::hub::{OutputReporter, OutputState};
use crate::log::throttled::ThrottledLog;
use crate::output::PublishedPort;
use crate::output::writes::{MessageWriter, WritablePorts};

/// The state until the first attempt to connect has succeeded or failed.
const CONNECTING: &str = "connecting";

/// The publishers of all ports to one broker.
#[derive(Clone)]
pub(crate) struct Mqtt {
    pub(super) config: Arc<MqttConfig>,
    pub(super) client: AsyncClient,
    /// The number of the connection; None while the broker is away.
    pub(super) connection: watch::Receiver<Option<u64>>,
    /// Tells whether the broker is connected, and why not.
    state: watch::Receiver<OutputState>,
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
        let (told, state) = watch::channel(OutputState::Waiting(CONNECTING.into()));
        let (writes, counters) = (WritablePorts::default(), Arc::<MqttCounters>::default());
        let log = Arc::<ThrottledLog>::default();
        let (client, connection) = BrokerConnection::new(
            Arc::clone(&config),
            (connected, told),
            writes.clone(),
            Arc::clone(&counters),
            Arc::clone(&log),
        )?;
        let mqtt = Self {
            config,
            client,
            connection: number,
            state,
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
        let state = self.state.clone();
        let (kind, place) = ("mqtt", self.config.broker.to_string());
        let reporter = port.hub.add_output(kind, place, state.borrow().clone());
        let publisher = Publisher::new(self, &port, Arc::clone(&reporter));
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
                () = follow(state, &reporter) => {}
                () = stop.cancelled() => {}
            }
            writes.remove(&name);
        }
    }
}

/// Tells the reporter of a port how the connection is, until it ends with the program.
async fn follow(mut state: watch::Receiver<OutputState>, reporter: &OutputReporter) {
    loop {
        let now = state.borrow_and_update().clone();
        reporter.set(now);
        if state.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
