//! The devices that an agent has opened by their IDs. serial-ws closes a device soon after its last client
//! has left, and each call is a client of its own, so that each device has a task that stays.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use anyhow::anyhow;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::answer::ToolError;
use super::bridge::Bridge;
use crate::commands::client::Address;
use crate::commands::lease::with_client;

/// Receives the name of the port of a device, or the reason why it is not open.
type PortName = oneshot::Sender<anyhow::Result<String>>;

/// The devices by their IDs, with the names of their ports. A task ends when its connection is lost or the
/// agent's program has gone.
#[derive(Default)]
pub(super) struct OpenedDevices(Mutex<HashMap<String, (String, JoinHandle<()>)>>);

impl OpenedDevices {
    /// Opens a device, unless that was done before, and returns the name of its port.
    ///
    /// # Errors
    /// When serial-ws has no such device, or does not open it.
    pub(super) async fn open(
        &self,
        bridge: &Bridge,
        id: &str,
        gone: &CancellationToken,
    ) -> Result<String, ToolError> {
        if let Some(port) = self.port_of(id) {
            return Ok(port);
        }
        let address = bridge.device_address(id)?;
        let stream = address.dial().await;
        let stream = stream.map_err(|error| ToolError::unreachable(&error))?;
        let (sender, named) = oneshot::channel();
        let task = tokio::spawn(stay(address, stream, sender, gone.clone()));
        let port = named.await.map_err(|_| anyhow!("no answer from serial-ws"));
        let port = port??;
        self.all().insert(id.to_owned(), (port.clone(), task));
        Ok(port)
    }

    /// Returns the name of the port of a device that is still open.
    fn port_of(&self, id: &str) -> Option<String> {
        let all = self.all();
        let (port, task) = all.get(id)?;
        (!task.is_finished()).then(|| port.clone())
    }

    fn all(&self) -> std::sync::MutexGuard<'_, HashMap<String, (String, JoinHandle<()>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stays connected until the connection is lost or the agent's program has gone.
async fn stay(address: Address, stream: TcpStream, named: PortName, gone: CancellationToken) {
    let mut named = Some(named);
    let stayed = with_client(&address, stream, async |mut client| {
        let named = named.take();
        // Nobody waits for it any more, if the call was cancelled: then the next one opens it again.
        if named.is_none_or(|named| named.send(Ok(client.name().to_owned())).is_err()) {
            client.close().await;
            return Ok(());
        }
        tokio::select! {
            error = client.lost() => Err(error),
            () = gone.cancelled() => {
                client.close().await;
                Ok(())
            }
        }
    });
    if let Err(error) = stayed.await {
        tracing::debug!("a device is not open: {error:#}");
        let _ = named.map(|named| named.send(Err(error)));
    }
}
