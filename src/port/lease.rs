//! Lending a port: it is closed, so that another program can use it, and then taken back.

use tokio::time::Instant;

use super::{Closed, Idle, Port};
use crate::hub::{Lease, Outcome, Request, RequestError, State, Status};

/// What a client hears that asks for a port while another one is using it.
pub(super) const TAKEN: &str = "the port is lent to another program, which has not ended yet. To \
                                take it from there: serial-ws resume";

impl Port {
    /// Leaves the port to others until the lease ends. The client that asked for it hears that it
    /// is free when all clients could know.
    pub(super) async fn lend(&mut self, mut lease: Lease, mut request: Request) {
        loop {
            let (detail, end, borrower) = match lease {
                Lease::For(time) => (
                    format!("lent to another program for {} s", time.as_secs_f64()),
                    Some(Instant::now() + time),
                    None,
                ),
                Lease::WhileConnected => (
                    "lent to another program".to_owned(),
                    None,
                    Some(request.client),
                ),
            };
            let device = self.hub.status().device;
            let status = Status::new(State::Released, detail)
                .with_hint("serial-ws resume takes it back")
                .with_device(device);
            tracing::info!(port = self.config.name, "{}", status.sentence());
            self.hub.publish_status(status);
            request.end(self.freed());
            match self.idle(end, borrower).await {
                Idle::Over => break,
                Idle::Lent(next, from) => (lease, request) = (next, from),
            }
        }
        // Only now may the device be another one, or another port's.
        self.wanted.let_go(false);
    }

    /// What the client hears that asked for the port.
    fn freed(&mut self) -> Outcome {
        match self.closed() {
            Closed::Free => Ok(0),
            Closed::Stuck => Err(RequestError::new(
                "the port is released, but the system still holds it for output that the device \
                 does not take. Unplug the device, or wait up to 30 s",
            )),
        }
    }
}
