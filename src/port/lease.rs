//! The lease of a port to another program: the port is closed for it, and then opened again.

use tokio::time::Instant;

use super::closing::Closed;
use super::supervisor::{Next, Supervisor};
use crate::hub::{Done, ErrorCode, Lease, Outcome, Request, RequestError, State, Status};

/// Returns the error for a client that asks for a port while another program still uses it.
pub(super) fn taken() -> RequestError {
    let reason = "the port is released to another program that is still running. To take it back: \
                  serial-ws resume";
    RequestError::new(reason).with_code(Some(ErrorCode::Released))
}

/// Returns the error for a client that takes back only what it has released itself.
pub(super) fn released_by_another() -> RequestError {
    let reason = "another client released the port, to a program that may still be running. To take it \
                  back all the same: serial-ws resume";
    RequestError::new(reason).with_code(Some(ErrorCode::Released))
}

impl Supervisor {
    /// Leaves the port to another program until the lease ends, or the next one begins. The client
    /// that asked for it hears that it is free after all clients could know.
    pub(super) async fn lease(&mut self, lease: Lease, request: Request) -> Next {
        let (mut detail, end) = match lease {
            Lease::For(time) => (
                format!("released to another program for {} s", time.as_secs_f64()),
                Some(Instant::now() + time),
            ),
            Lease::WhileConnected => ("released to another program".to_owned(), None),
        };
        if let Some(name) = &request.name {
            detail += &format!(" by {name:?}");
        }
        let leased = Some((lease, request.client));
        let status = Status::new(State::Released, detail)
            .with_hint("To take it back: serial-ws resume")
            .with_device(self.status.device.clone());
        tracing::info!(port = self.config.name, "{}", status.sentence());
        self.publish_status(status);
        request.end(self.freed());
        let next = self.wait_closed(end, leased).await;
        if matches!(next, Next::Open(_)) {
            // Only now may the device be another one, or another port's.
            self.source.release(false);
        }
        next
    }

    /// Returns the reply to the client that asked for the port.
    fn freed(&mut self) -> Outcome {
        match self.closing.state() {
            Closed::Free => Ok(Done::Written(0)),
            Closed::Stuck => Err(RequestError::new(
                "the port is released, but the system still holds it, because the device does not \
                 accept its output. Unplug the device, or wait up to 30 s",
            )),
        }
    }
}
