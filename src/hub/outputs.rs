//! The outputs of a port as others are told of them: how each one is, and how much it has sent and
//! missed. An output holds the reporter that [`Hub::add_output`] gives it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::sync::MutexGuard;
use super::{Hub, Status};

/// The state of an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputState {
    /// It works.
    Open,
    /// It does not work at the moment, for this reason, and tries again.
    Waiting(Arc<str>),
    /// Nobody has started it.
    Off,
}

/// An output, and how it is.
#[derive(Clone, Debug)]
pub struct OutputStatus {
    /// The setting that makes it, such as `tcp`.
    pub kind: &'static str,
    /// The value of that setting; empty if nobody needs to know it.
    pub place: Arc<str>,
    /// The state.
    pub state: OutputState,
    /// The numbers, as they grow.
    pub totals: Arc<OutputTotals>,
    /// True once it has worked.
    has_worked: bool,
}

/// The numbers of an output since the start of the port.
#[derive(Debug, Default)]
pub struct OutputTotals {
    /// Bytes that it sent.
    pub sent: AtomicU64,
    /// Bytes that were to be sent and never will be.
    pub missed: AtomicU64,
    /// Times that it worked again after it did not.
    pub reconnects: AtomicU64,
    /// Programs that are connected; None for one that programs do not connect to.
    pub clients: Option<AtomicU64>,
}

/// The reporter of one output.
pub struct OutputReporter {
    hub: Arc<Hub>,
    index: usize,
    totals: Arc<OutputTotals>,
}

/// A program that is connected to an output, until this is dropped.
pub struct ConnectedProgram(Arc<OutputTotals>);

impl OutputState {
    /// Returns the word for this state in the protocol.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Waiting(_) => "waiting",
            Self::Off => "off",
        }
    }

    /// Returns the reason why it does not work; empty if it does.
    pub fn problem(&self) -> &str {
        match self {
            Self::Waiting(why) => why,
            Self::Open | Self::Off => "",
        }
    }
}

/// Two statuses of an output are equal if a reader would learn nothing new but its numbers.
impl PartialEq for OutputStatus {
    fn eq(&self, other: &Self) -> bool {
        (self.kind, &self.place, &self.state) == (other.kind, &other.place, &other.state)
    }
}

impl Hub {
    /// Adds an output of the port.
    pub fn add_output(
        self: &Arc<Self>,
        kind: &'static str,
        place: impl Into<Arc<str>>,
        state: OutputState,
    ) -> Arc<OutputReporter> {
        self.add(kind, place.into(), state, OutputTotals::default())
    }

    /// Adds an output that programs connect to.
    pub fn add_listening_output(
        self: &Arc<Self>,
        kind: &'static str,
        place: impl Into<Arc<str>>,
    ) -> Arc<OutputReporter> {
        let totals = OutputTotals {
            clients: Some(AtomicU64::new(0)),
            ..OutputTotals::default()
        };
        self.add(kind, place.into(), OutputState::Open, totals)
    }

    fn add(
        self: &Arc<Self>,
        kind: &'static str,
        place: Arc<str>,
        state: OutputState,
        totals: OutputTotals,
    ) -> Arc<OutputReporter> {
        let totals = Arc::new(totals);
        let status = OutputStatus {
            kind,
            place,
            has_worked: state == OutputState::Open,
            state,
            totals: Arc::clone(&totals),
        };
        let index = {
            let mut outputs = self.outputs();
            *outputs = outputs.iter().cloned().chain([status]).collect();
            outputs.len() - 1
        };
        self.publish_changed(Status::clone);
        let hub = Arc::clone(self);
        Arc::new(OutputReporter { hub, index, totals })
    }

    pub(super) fn outputs(&self) -> MutexGuard<'_, Arc<[OutputStatus]>> {
        self.outputs
            .lock()
            .expect("nothing panics while it holds the outputs")
    }
}

impl OutputReporter {
    /// Counts bytes that were sent.
    pub fn sent(&self, bytes: usize) {
        self.totals.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts bytes that will never be sent.
    pub fn missed(&self, bytes: u64) {
        self.totals.missed.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Changes the state, and tells everybody if that is new.
    pub fn set(&self, state: OutputState) {
        if self.note(state) {
            self.hub.publish_changed(Status::clone);
        }
    }

    /// Changes the state; everybody is told with the next status. Returns true if it is new.
    pub fn note(&self, state: OutputState) -> bool {
        let mut outputs = self.hub.outputs();
        if outputs[self.index].state == state {
            return false;
        }
        // Statuses that were published keep the list as it was.
        let mut changed = outputs.to_vec();
        let output = &mut changed[self.index];
        if state == OutputState::Open {
            let was_waiting = matches!(output.state, OutputState::Waiting(_));
            if std::mem::replace(&mut output.has_worked, true) && was_waiting {
                self.totals.reconnects.fetch_add(1, Ordering::Relaxed);
            }
        }
        output.state = state;
        *outputs = changed.into();
        true
    }

    /// Counts a program that has connected.
    pub fn connected(&self) -> ConnectedProgram {
        if let Some(clients) = &self.totals.clients {
            clients.fetch_add(1, Ordering::Relaxed);
        }
        ConnectedProgram(Arc::clone(&self.totals))
    }
}

impl Drop for ConnectedProgram {
    fn drop(&mut self) {
        if let Some(clients) = &self.0.clients {
            clients.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::hub::{HubConfig, State};

    #[test]
    fn it_reconnects_when_it_works_again_after_it_did_not() {
        let limits = HubConfig {
            history: 1 << 16,
            max_behind: Duration::from_secs(10),
        };
        let hub = Hub::new(limits, Status::new(State::Open, "open"));
        let waiting = || OutputState::Waiting("no".into());
        let reporter = hub.add_output("mqtt", "mqtt://localhost", waiting());
        let reconnects = || {
            hub.status().outputs[0]
                .totals
                .reconnects
                .load(Ordering::Relaxed)
        };
        reporter.set(OutputState::Open);
        assert_eq!(reconnects(), 0, "the first time");
        for count in 1..3 {
            reporter.set(waiting());
            reporter.set(OutputState::Open);
            assert_eq!(reconnects(), count);
        }
        reporter.set(OutputState::Off);
        reporter.set(OutputState::Open);
        assert_eq!(reconnects(), 2, "somebody switched it off and on");
    }
}
