//! Watches an open device's line apart from its data: errors, and the modem's inputs.

use std::time::Duration;

use tokio::time::Instant;

use super::device::Device;
use crate::hub::{LineErrors, ModemInputs, Status};

/// The time between two looks at the line.
const INTERVAL: Duration = Duration::from_secs(1);

/// The time between two looks at the inputs while a client wants to know.
const INPUTS_INTERVAL: Duration = Duration::from_millis(20);

/// The least time between two looks at the inputs, as a multiple of what a look takes: some USB
/// adapters are asked over the bus, and reading waits meanwhile.
const MAX_SHARE: u32 = 50;

/// The state of the line as it was told last.
#[derive(Default)]
pub(crate) struct LineWatch {
    /// The errors; None where the driver does not count them.
    errors: Option<ErrorCount>,
    /// The inputs; None where the device has none.
    inputs: Option<ModemInputs>,
    /// The time to look again; None where there is nothing to look at.
    due: Option<Instant>,
    errors_due: Option<Instant>,
}

/// The errors on the line that the driver counts.
struct ErrorCount {
    at_opening: LineErrors,
    last: LineErrors,
}

impl LineWatch {
    /// Looks at a device that was just opened.
    pub(crate) fn new(device: &mut dyn Device, now: Instant) -> Self {
        let errors = device.line_errors().map(|errors| ErrorCount {
            at_opening: errors,
            last: errors,
        });
        let inputs = device.inputs();
        let errors_due = errors.as_ref().map(|_| now + INTERVAL);
        let due = errors_due.or_else(|| inputs.map(|_| now + INTERVAL));
        Self {
            errors,
            inputs,
            due,
            errors_due,
        }
    }

    /// Returns when to look again.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// Looks again if it is due, and returns whether something has changed. `wants_inputs` is true
    /// while a client wants to know of the inputs soon.
    pub(crate) fn look(
        &mut self,
        device: &mut dyn Device,
        wants_inputs: bool,
        now: Instant,
    ) -> bool {
        if self.due.is_none_or(|due| due > now) {
            return false;
        }
        let mut has_changed = false;
        if self.errors_due.take_if(|due| *due <= now).is_some() {
            self.errors_due = Some(now + INTERVAL);
            if let (Some(count), Some(errors)) = (&mut self.errors, device.line_errors()) {
                has_changed |= std::mem::replace(&mut count.last, errors) != errors;
            }
        }
        let mut interval = INTERVAL;
        if self.inputs.is_some() {
            let start = std::time::Instant::now();
            let inputs = device.inputs();
            let share = start.elapsed() * MAX_SHARE;
            if inputs.is_some() {
                has_changed |= std::mem::replace(&mut self.inputs, inputs) != inputs;
            }
            if wants_inputs {
                interval = share.clamp(INPUTS_INTERVAL, INTERVAL);
            }
        }
        self.due = Some(now + interval);
        has_changed
    }

    /// Returns `status` with the state of the line.
    pub(crate) fn complete(&self, status: Status) -> Status {
        let errors = self.errors.as_ref();
        let errors = errors.map(|count| count.last.since(count.at_opening));
        status.with_errors(errors).with_inputs(self.inputs)
    }
}
