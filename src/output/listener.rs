//! Listens for the connections of an output.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use futures::future::select_all;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::connection::ConnectionReader;
use super::connection_log::ConnectionLog;
use super::session::OutputSession;
use super::{OutputAddress, OutputConfig, OutputKind};
use crate::hub::{Hub, OutputReporter};
use crate::log::throttled::ThrottledLog;
use crate::platform::{self, reason, tcp_listener};
use crate::terminal::shown;

/// Connections of one output. More are closed at once.
const MAX_CONNECTIONS: usize = 32;

/// Connections that the system holds until they are accepted.
const MAX_BACKLOG: u32 = 64;

/// The delay before accepting again when the system lacks something, such as descriptors.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// An output that listens.
pub(crate) struct OutputListener {
    config: OutputConfig,
    listeners: Vec<TcpListener>,
    reporter: Arc<OutputReporter>,
}

impl OutputListener {
    /// Listens at the place of an output.
    ///
    /// # Errors
    /// When that is not possible.
    pub(super) fn bind(
        config: OutputConfig,
        address: OutputAddress,
        port: &str,
        hub: &Arc<Hub>,
    ) -> Result<Self> {
        let listeners = listen(&config.kind, address)?;
        let places: Vec<_> = listeners.iter().map(local_address).collect();
        let (places, kind) = (places.join(" and "), config.kind.name());
        let rights = if config.may_write { "" } else { ", read only" };
        tracing::info!(port, "{kind} clients may connect to {places}{rights}");
        Ok(Self {
            reporter: hub.add_listening_output(kind, config.kind.place()),
            config,
            listeners,
        })
    }

    /// Serves those who connect until the port is removed or the program stops.
    pub(super) async fn run(self, port: String, hub: Arc<Hub>, stop: CancellationToken) {
        let mut sessions = JoinSet::new();
        let log = Arc::new(ThrottledLog::default());
        loop {
            let accepts = self.listeners.iter().map(|one| Box::pin(one.accept()));
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                Some(_) = sessions.join_next() => continue,
                (accepted, ..) = select_all(accepts) => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let log = ConnectionLog::of_peer(&log, &port, &self.config.kind, peer);
                    if sessions.len() < MAX_CONNECTIONS {
                        let told = (log, Arc::clone(&self.reporter));
                        let session = OutputSession::new(&self.config, told, &hub, stop.clone());
                        prepare(&stream);
                        let (reader, writer) = stream.into_split();
                        sessions.spawn(session.run(ConnectionReader::Tcp(reader), writer));
                    } else {
                        let text =
                            format_args!("refused {}: {MAX_CONNECTIONS} are connected", log.name);
                        log.warn("refused", text);
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "cannot accept a connection");
                    sleep(ACCEPT_RETRY_DELAY).await;
                }
            }
        }
        while sessions.join_next().await.is_some() {}
    }
}

/// Listens at the addresses of an output.
///
/// # Errors
/// When that is not possible.
pub(super) fn listen(kind: &OutputKind, address: OutputAddress) -> Result<Vec<TcpListener>> {
    let addresses = address.addresses();
    let mut listeners = Vec::new();
    for address in &addresses {
        match platform::listen(*address, addresses.len() > 1, MAX_BACKLOG) {
            Ok(listener) => listeners.push(listener),
            // The other family may be there.
            Err(error) if addresses.len() > 1 && platform::lacks_address_family(&error) => {}
            Err(error) => bail!(
                "cannot listen on {address} for {}: {}",
                kind,
                explained(&error, *address)
            ),
        }
    }
    ensure!(
        !listeners.is_empty(),
        "cannot listen for {}: this system has neither 127.0.0.1 nor [::1]",
        kind
    );
    Ok(listeners)
}

fn explained(error: &io::Error, address: SocketAddr) -> String {
    match error.kind() {
        ErrorKind::AddrInUse => {
            let by =
                tcp_listener(address).map(|it| format!(" by {} (pid {})", shown(&it.name), it.pid));
            format!(
                "the TCP port is in use{}. Choose another",
                by.unwrap_or_default()
            )
        }
        ErrorKind::AddrNotAvailable => "this computer does not have that address".to_owned(),
        _ => reason(error),
    }
}

fn local_address(listener: &TcpListener) -> String {
    let address = listener.local_addr();
    address.map_or_else(|_| String::new(), |address| address.to_string())
}

/// Prepares a connection that was accepted.
fn prepare(stream: &TcpStream) {
    // Without either, it only works less well.
    let _ = stream.set_nodelay(true);
    if let Err(error) = platform::keep_alive(stream) {
        tracing::debug!(%error, "cannot watch the connection");
    }
}
