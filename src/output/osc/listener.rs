//! Receives messages to be written. A browser cannot send such a datagram: whatever it sends by UDP begins
//! with the header of WebRTC or QUIC, which is no address of OSC.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Result, anyhow};
use futures::future::join_all;
use tokio::net::UdpSocket;
use tokio::time::sleep;

use super::{Osc, message};
use crate::output::writes::WritablePorts;
use crate::platform::{self, reason};

/// The largest datagram of UDP.
const MAX_DATAGRAM: usize = 65_535;

/// The delay before receiving again when the system refuses it.
const RETRY_DELAY: Duration = Duration::from_millis(100);

/// The sockets at which messages to be written arrive.
pub(super) struct OscListener {
    sockets: Vec<UdpSocket>,
    writable: WritablePorts,
    osc: Osc,
}

impl OscListener {
    /// Listens on the configured addresses.
    ///
    /// # Errors
    /// When that is not possible.
    pub(super) fn bind(osc: &Osc) -> Result<Self> {
        let mut sockets = Vec::new();
        let addresses = &osc.config.listen;
        for address in addresses {
            match bind(*address) {
                Ok(socket) => sockets.push(socket),
                Err(error) if addresses.len() > 1 && platform::lacks_address_family(&error) => {}
                Err(error) => {
                    let why = match error.kind() {
                        io::ErrorKind::AddrInUse => {
                            "the UDP port is in use. Choose another".to_owned()
                        }
                        _ => reason(&error),
                    };
                    return Err(anyhow!("cannot listen on {address} for OSC: {why}"));
                }
            }
        }
        Ok(Self {
            sockets,
            writable: osc.writable.clone(),
            osc: osc.clone(),
        })
    }

    /// Receives for ever.
    pub(super) async fn run(self) {
        join_all(self.sockets.iter().map(|socket| self.receive(socket))).await;
    }

    async fn receive(&self, socket: &UdpSocket) {
        let mut datagram = vec![0; MAX_DATAGRAM];
        loop {
            match socket.recv_from(&mut datagram).await {
                Ok((size, peer)) => self.write(&datagram[..size], peer),
                Err(error) => {
                    // On Windows, an error about what was sent before arrives here.
                    tracing::debug!(%error, "cannot receive OSC");
                    sleep(RETRY_DELAY).await;
                }
            }
        }
    }

    fn write(&self, datagram: &[u8], peer: SocketAddr) {
        let writes = match message::writes(datagram) {
            Ok(writes) => writes,
            Err(why) => return self.dropped("OSC", &format!("from {}: {why}", peer.ip())),
        };
        let max = self.osc.config.max_message;
        for write in writes {
            let size = write.bytes.len();
            let passed = if size > max {
                Err(format!("{size} bytes are too many (--max-message {max})"))
            } else {
                self.writable.write(&write.port, write.bytes)
            };
            if let Err(why) = passed {
                let port = crate::terminal::shown(&write.port);
                self.dropped(&port, &format!("from OSC: {why}"));
            }
        }
    }

    fn dropped(&self, port: &str, why: &str) {
        let counters = Arc::clone(&self.osc.counters);
        counters.dropped_writes.fetch_add(1, Ordering::Relaxed);
        self.osc.log.dropped(port, why);
    }
}

fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = std::net::UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket)
}
