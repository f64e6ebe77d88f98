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
use crate::terminal::shown;

/// The time between two lookups of a name. A receiver may have come back with another address.
const LOOKUP_INTERVAL: Duration = Duration::from_secs(30);

/// The receivers, and the sockets to reach them.
#[derive(Clone)]
pub(super) struct Targets {
    targets: Arc<[OscTarget]>,
    addresses: Arc<watch::Sender<Vec<SocketAddr>>>,
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
            addresses: Arc::new(watch::channel(Vec::new()).0),
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
            self.addresses
                .send_replace(found.into_iter().flatten().collect());
            sleep(LOOKUP_INTERVAL).await;
        }
    }

    /// Sends a datagram to all receivers. Returns how many the system took, and how many not.
    pub(super) fn send(&self, datagram: &[u8]) -> (u64, u64) {
        let (mut sent, mut failed) = (0, 0);
        for address in self.addresses.borrow().iter() {
            let socket = match address {
                SocketAddr::V4(_) => Some(&self.v4),
                SocketAddr::V6(_) => self.v6.as_ref(),
            };
            // Where there is no room, or nobody listens, the next one may arrive.
            match socket.map(|socket| socket.try_send_to(datagram, *address)) {
                Some(Ok(_)) => sent += 1,
                _ => failed += 1,
            }
        }
        (sent, failed)
    }
}

/// Returns the address that the name of a receiver has now.
async fn look_up(OscTarget(endpoint): &OscTarget) -> Option<SocketAddr> {
    let found = endpoint.look_up().await.ok()?;
    // Programs for OSC listen on IPv4 unless they are told otherwise.
    let v4 = found.iter().find(|address| address.is_ipv4());
    v4.or(found.first()).copied()
}
