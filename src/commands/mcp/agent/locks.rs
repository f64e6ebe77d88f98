//! The write locks that an agent holds. A lock ends with its connection, so that each has a task that
//! keeps one open, and everything that the agent writes there goes through it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, anyhow};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};

use super::answer::ToolError;
use super::bridge::Bridge;
use super::remedy;
use crate::commands::client::Address;
use crate::commands::lease::bridge_client::BridgeClient;
use crate::commands::lease::with_client;
use crate::protocol::{ClientMessage, Content};

/// Requests that may wait for the task. More wait for room.
const QUEUE_CAPACITY: usize = 16;

/// A request that was carried out.
pub(super) struct Exchanged {
    /// The number of the client that asked for it; None at an older bridge, which tells none.
    pub(super) client: Option<u64>,
    /// The reply of the device, if it was a question.
    pub(super) reply: Option<Content<'static>>,
}

/// The outcome of a request.
type RequestOutcome = Result<Exchanged>;

/// A request for the task of a lock.
struct LockRequest {
    message: ClientMessage,
    /// The longest time to wait for its answer.
    limit: Duration,
    /// Receives the answer. Nobody waits for it any more if this is closed.
    answer: oneshot::Sender<RequestOutcome>,
}

/// The locks by the names of their ports. A task ends when its sender is dropped or the connection is
/// lost, and its lock with it.
#[derive(Default)]
pub(super) struct Locks(Mutex<HashMap<String, mpsc::Sender<LockRequest>>>);

impl Locks {
    /// Sends a request by the connection that holds the lock of the client's port, or by that of the
    /// client if there is none.
    ///
    /// # Errors
    /// When it is not carried out, and why.
    pub(super) async fn exchange(
        &self,
        client: &mut BridgeClient<'_>,
        message: ClientMessage,
        limit: Duration,
    ) -> RequestOutcome {
        let Some(requests) = self.of(client.name()) else {
            return exchange(client, &message, limit).await;
        };
        send(&requests, message, limit).await
    }

    /// Takes the lock of the client's port.
    ///
    /// # Errors
    /// When it is not to be had, and why.
    pub(super) async fn take(
        &self,
        bridge: &Bridge,
        port: &str,
        limit: Duration,
    ) -> Result<(), ToolError> {
        let requests = match self.of(port) {
            Some(requests) => requests,
            None => {
                let address = bridge.address(Some(port), &["latest=1".to_owned()])?;
                let stream = address.dial().await;
                let stream = stream.map_err(|error| ToolError::unreachable(&error))?;
                let (requests, received) = mpsc::channel(QUEUE_CAPACITY);
                tokio::spawn(keep(address, stream, received));
                requests
            }
        };
        // Others see the name of the client.
        let lock = ClientMessage::Lock {
            name: None,
            restore: false,
        };
        send(&requests, lock, limit).await?;
        self.all().insert(port.to_owned(), requests);
        Ok(())
    }

    /// Ends the lock of a port. Returns false if there is none.
    ///
    /// # Errors
    /// When the connection is lost, which ends it as well.
    pub(super) async fn end(&self, port: &str, limit: Duration) -> Result<bool> {
        let Some(requests) = self.of(port) else {
            return Ok(false);
        };
        self.all().remove(port);
        send(&requests, ClientMessage::Unlock, limit).await?;
        Ok(true)
    }

    fn of(&self, port: &str) -> Option<mpsc::Sender<LockRequest>> {
        let requests = self.all().get(port).cloned();
        requests.filter(|requests| !requests.is_closed())
    }

    fn all(&self) -> std::sync::MutexGuard<'_, HashMap<String, mpsc::Sender<LockRequest>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends a request, and waits for its answer.
async fn exchange(
    client: &mut BridgeClient<'_>,
    message: &ClientMessage,
    limit: Duration,
) -> RequestOutcome {
    let outcome = client.exchange(message, limit).await;
    let reply = outcome.map_err(|error| remedy::of_refusal(error, client.status_message()))?;
    let client = client.number();
    Ok(Exchanged { client, reply })
}

/// Hands a request to the task of a lock, and waits for its answer.
async fn send(
    requests: &mpsc::Sender<LockRequest>,
    message: ClientMessage,
    limit: Duration,
) -> RequestOutcome {
    let gone = || anyhow!("the connection that held the write lock was lost, and the lock with it");
    let (answer, answered) = oneshot::channel();
    let request = LockRequest {
        message,
        limit,
        answer,
    };
    requests.send(request).await.map_err(|_| gone())?;
    answered.await.map_err(|_| gone())?
}

/// Keeps a connection, and carries out what is received, until nobody can send any more or the
/// connection is lost. What is waiting then gets no answer.
async fn keep(address: Address, stream: TcpStream, mut requests: mpsc::Receiver<LockRequest>) {
    let kept = with_client(&address, stream, async |mut client| {
        loop {
            let request = tokio::select! {
                request = requests.recv() => request,
                error = client.lost() => return Err(error),
            };
            let Some(LockRequest {
                message,
                limit,
                mut answer,
            }) = request
            else {
                client.close().await;
                return Ok(());
            };
            tokio::select! {
                outcome = exchange(&mut client, &message, limit) => {
                    // Nobody waits for it any more.
                    let _ = answer.send(outcome);
                }
                () = answer.closed() => {}
            }
        }
    });
    if let Err(error) = kept.await {
        tracing::debug!("a write lock has ended: {error:#}");
    }
}
