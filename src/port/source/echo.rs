//! `loop`: a device that sends back every byte, in order.

use tokio::io::DuplexStream;

use super::sim::{Simulation, plug_in};
use super::spec::Spec;

/// Returns the source of a device that sends back what it is sent. A client that writes without
/// reading has to wait after a few kilobytes.
pub(crate) fn source() -> Simulation {
    Simulation {
        path: Spec::Loop.to_string(),
        power_up: Box::new(|| plug_in(echo)),
    }
}

/// Sends back what comes, until the other end of `line` is gone. A full buffer holds the writer
/// back: whoever does not read the echo cannot send more.
async fn echo(line: DuplexStream) {
    let (mut receiver, mut sender) = tokio::io::split(line);
    // The only error is that the other end is gone, and that is how it ends.
    let _ = tokio::io::copy(&mut receiver, &mut sender).await;
}
