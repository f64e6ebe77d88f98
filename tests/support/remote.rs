//! A device in the network, which the test plays.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};

use super::wait::within;

/// A device in the network.
pub struct Remote {
    listener: TcpListener,
    pub at: SocketAddr,
}

impl Remote {
    /// One that listens at this address.
    pub async fn listen(at: &str) -> Self {
        let listener = TcpListener::bind(at).await.expect("a socket can listen");
        let at = listener.local_addr().expect("it has an address");
        Self { listener, at }
    }

    /// Waits until serial-ws connects.
    pub async fn connected(&self) -> TcpStream {
        let accepted = within("serial-ws to connect", self.listener.accept()).await;
        accepted.expect("a connection can be accepted").0
    }

    /// The port `board` that is this device.
    pub fn spec(&self) -> String {
        format!("board=tcp://{}", self.at)
    }
}
