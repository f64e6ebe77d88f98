//! An output that this build lacks, in place of its own type.

use std::convert::Infallible;
use std::future::Pending;
use std::marker::PhantomData;
use std::sync::Arc;

use anyhow::{Result, bail};
use tokio_util::sync::CancellationToken;

use super::PublishedPort;

/// An output of which there is none: its configuration is refused where settings are read.
pub(crate) struct Absent<Config, Counters> {
    /// The numbers for the operator.
    pub(crate) counters: Arc<Counters>,
    never: Infallible,
    config: PhantomData<Config>,
}

impl<Config, Counters> Absent<Config, Counters> {
    /// Returns an error.
    pub(crate) fn new(_config: Config, _stop: CancellationToken) -> Result<(Self, Pending<()>)> {
        bail!("this build lacks an output that is configured")
    }

    /// Is never called.
    pub(crate) fn publish(&self, _port: PublishedPort) -> Pending<()> {
        match self.never {}
    }
}

impl<Config, Counters> Clone for Absent<Config, Counters> {
    fn clone(&self) -> Self {
        match self.never {}
    }
}
