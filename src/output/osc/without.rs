//! A build without OSC, whose configuration has no receivers.

use std::convert::Infallible;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{OscConfig, OscCounters};
use crate::output::PublishedPort;

/// The ports that are sent by OSC, of which there are none.
#[derive(Clone)]
pub(crate) struct Osc {
    /// The numbers for the operator.
    pub(crate) counters: Arc<OscCounters>,
    never: Infallible,
}

impl Osc {
    /// Returns an error.
    pub(crate) fn new(
        _config: OscConfig,
        _stop: CancellationToken,
    ) -> anyhow::Result<(Self, std::future::Pending<()>)> {
        anyhow::bail!("this build has no OSC")
    }

    /// Is never called.
    pub(crate) fn publish(&self, _port: PublishedPort) -> std::future::Pending<()> {
        match self.never {}
    }
}
