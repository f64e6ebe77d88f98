//! Lending a port: it is closed, so that another program can use it, and then taken back.

use tokio::time::Instant;

use super::{Closed, Idle, Port};
use crate::hub::{Lease, Outcome, Refusal, State, Status};

/// What the client hears that asked for the port.
pub(super) fn answer(closed: Closed) -> Outcome {
    match closed {
        Closed::Free => Ok(0),
        Closed::Stuck => Err(Refusal::new(
            "the port is released, but the system still holds it for output that the device does \
             not take. Unplug the device, or wait up to 30 s",
        )),
    }
}

impl Port {
    /// Leaves the port to others until the lease ends.
    pub(super) async fn lend(&self, mut lease: Lease) {
        loop {
            let (detail, end) = match lease {
                Lease::For(time) => (
                    format!("lent to another program for {} s", time.as_secs()),
                    Some(time),
                ),
                Lease::WhileConnected => ("lent to another program".to_owned(), None),
            };
            let device = self.hub.status().device;
            let status = Status::new(State::Released, detail)
                .with_hint("serial-ws resume takes it back")
                .with_device(device);
            tracing::info!(port = self.config.name, "{}", status.sentence());
            self.hub.publish_status(status);
            match self.idle(end.map(|time| Instant::now() + time)).await {
                Idle::Over => return,
                Idle::Lent(next) => lease = next,
            }
        }
    }
}
