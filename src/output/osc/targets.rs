//! The receivers, whose names are looked up again and again, and the sockets to reach them.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::future::join_all;
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::time::sleep;

use super::OscTarget;
use crate::hub::{Hub, OutputReporter, OutputState};
use crate::terminal::shown;

/// The time between two lookups of a name. A receiver may have come back with another address.
const LOOKUP_INTERVAL: Duration = Duration::from_secs(30);

/// The problem of a receiver until its name was looked up for the first time.
const LOOKING_UP: &str = "its name is being looked up";

/// The problem of a receiver whose name is unknown.
const NOT_FOUND: &str = "cannot find it in the network. Check the name";

/// The receivers, and the sockets to reach them.
#[derive(Clone)]
pub(super) struct Targets {
    targets: Arc<[OscTarget]>,
    /// The address of each; None where it is not known.
    addresses: Arc<watch::Sender<Option<Vec<Option<SocketAddr>>>>>,
    v4: Arc<UdpSocket>,
    /// None where the system lacks IPv6.
    v6: Option<Arc<UdpSocket>>,
}

impl Targets {
    /// Opens the sockets.
    ///
    /// # Errors
    /// When the system has none.
    pub(super) fn new(targets: &[OscTarget]) -> Result<Self> {
        let open = |address: SocketAddr| {
            let socket = std::net::UdpSocket::bind(address)?;
            socket.set_nonblocking(true)?;
            UdpSocket::from_std(socket)
        };
        let v4 = open((Ipv4Addr::UNSPECIFIED, 0).into());
        Ok(Self {
            targets: targets.into(),
            addresses: Arc::new(watch::channel(None).0),
            v4: Arc::new(v4.context("cannot send OSC")?),
            v6: open((Ipv6Addr::UNSPECIFIED, 0).into()).ok().map(Arc::new),
        })
    }

    /// Looks the names up, and again after a while, for ever.
    pub(super) async fn keep_up(&self) {
        let mut missing: Vec<&OscTarget> = Vec::new();
        loop {
            let found = join_all(self.targets.iter().map(look_up)).await;
            for (target, found) in self.targets.iter().zip(&found) {
                if found.is_some() {
                    missing.retain(|other| *other != target);
                } else if !missing.contains(&target) {
                    let shown = shown(&target.to_string());
                    tracing::warn!(
                        "cannot find {shown} in the network, so no OSC is sent there. Check the name"
                    );
                    missing.push(target);
                }
            }
            self.addresses.send_replace(Some(found));
            sleep(LOOKUP_INTERVAL).await;
        }
    }

    /// Sends a datagram to all receivers. Tells of each, by its index, whether the system took it; None
    /// where its address is not known.
    pub(super) fn send(&self, datagram: &[u8], mut tell: impl FnMut(usize, Option<bool>)) {
        for (index, address) in self.addresses.borrow().iter().flatten().enumerate() {
            tell(
                index,
                address.map(|address| self.send_to(datagram, address)),
            );
        }
    }

    fn send_to(&self, datagram: &[u8], address: SocketAddr) -> bool {
        let socket = match address {
            SocketAddr::V4(_) => Some(&self.v4),
            SocketAddr::V6(_) => self.v6.as_ref(),
        };
        // Where there is no room, or nobody listens, the next one may arrive.
        let sent = socket.map(|socket| socket.try_send_to(datagram, address));
        matches!(sent, Some(Ok(_)))
    }

    /// Adds the receivers to the outputs of a port.
    pub(super) fn reporters(&self, hub: &Arc<Hub>) -> Vec<Arc<OutputReporter>> {
        let add = |target: &OscTarget| {
            let state = OutputState::Waiting(LOOKING_UP.into());
            hub.add_output("osc", target.to_string(), state)
        };
        self.targets.iter().map(add).collect()
    }

    /// Tells the reporters of a port which receivers are found, for ever.
    pub(super) async fn follow(&self, reporters: &[Arc<OutputReporter>]) {
        let mut addresses = self.addresses.subscribe();
        loop {
            let found = addresses.borrow_and_update().clone();
            for (reporter, address) in reporters.iter().zip(found.into_iter().flatten()) {
                reporter.set(match address {
                    Some(_) => OutputState::Open,
                    None => OutputState::Waiting(NOT_FOUND.into()),
                });
            }
            if addresses.changed().await.is_err() {
                return;
            }
        }
    }
}

/// Returns the address that the name of a receiver has now.
async fn look_up(OscTarget(endpoint): &OscTarget) -> Option<SocketAddr> {
    let found = endpoint.look_up().await.ok()?;
    // Programs for OSC listen on IPv4 unless they are told otherwise.
    let v4 = found.iter().find(|address| address.is_ipv4());
    v4.or(found.first()).copied()
}
