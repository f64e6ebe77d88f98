//! All ports, and what they share: the sockets and the counters.

use std::sync::Arc;

use anyhow::Result;
use tokio_util::sync::CancellationToken;

use super::listener::OscListener;
use super::sender::OscSender;
use super::targets::Targets;
use super::{OscConfig, OscCounters};
use crate::log::throttled::ThrottledLog;
use crate::output::PublishedPort;
use crate::output::writes::{MessageWriter, WritablePorts};

/// The ports that are sent by OSC, and written by it.
#[derive(Clone)]
pub(crate) struct Osc {
    pub(super) config: Arc<OscConfig>,
    pub(super) targets: Targets,
    pub(super) writable: WritablePorts,
    /// The numbers for the operator.
    pub(crate) counters: Arc<OscCounters>,
    pub(super) log: Arc<ThrottledLog>,
}

impl Osc {
    /// Opens the sockets. Returns the task that receives and looks up receivers, until `stop`.
    ///
    /// # Errors
    /// When an address cannot be listened on.
    pub(crate) fn new(
        config: OscConfig,
        stop: CancellationToken,
    ) -> Result<(Self, impl Future<Output = ()> + Send + 'static)> {
        let config = Arc::new(config);
        let osc = Self {
            targets: Targets::new(&config.targets)?,
            config,
            writable: WritablePorts::default(),
            counters: Arc::default(),
            log: Arc::default(),
        };
        let listener = OscListener::bind(&osc)?;
        let targets = osc.targets.clone();
        let task = async move {
            let both = async { tokio::join!(targets.keep_up(), listener.run()) };
            tokio::select! {
                () = stop.cancelled() => {}
                _ = both => {}
            }
        };
        Ok((osc, task))
    }

    /// Sends a port, and lets others write to it, until it is removed or the program stops.
    pub(crate) fn publish(&self, port: PublishedPort) -> impl Future<Output = ()> + Send + 'static {
        let append = port.append.filter(|_| !self.config.listen.is_empty());
        let writer = append.map(|append| {
            let incoming = self.writable.register(&port.name);
            MessageWriter::new(&port, append, incoming, "OSC", Arc::clone(&self.log))
        });
        let sender = (!self.config.targets.is_empty()).then(|| OscSender::new(self, &port));
        let (writable, name, stop) = (self.writable.clone(), port.name, port.stop);
        async move {
            let sending = async {
                if let Some(sender) = sender {
                    sender.run().await;
                }
            };
            let writing = async {
                if let Some(writer) = writer {
                    writer.run().await;
                }
            };
            tokio::select! {
                _ = async { tokio::join!(sending, writing) } => {}
                () = stop.cancelled() => {}
            }
            writable.remove(&name);
        }
    }
}
