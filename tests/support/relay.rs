//! A TCP connection between two programs that can be cut and mended, as a network would be.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Passes connections on to another address, while it is whole.
pub struct Relay {
    pub at: SocketAddr,
    is_whole: watch::Sender<bool>,
}

impl Relay {
    /// A whole one that leads to `target`.
    pub async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a socket can listen");
        let at = listener.local_addr().expect("it has an address");
        let (is_whole, whole) = watch::channel(true);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let whole = whole.clone();
                if *whole.borrow() {
                    tokio::spawn(pass_on(stream, target, whole));
                }
            }
        });
        Self { at, is_whole }
    }

    /// Breaks all connections, and refuses new ones.
    pub fn cut(&self) {
        self.is_whole.send_replace(false);
    }

    /// Takes connections again.
    pub fn mend(&self) {
        self.is_whole.send_replace(true);
    }
}

async fn pass_on(mut stream: TcpStream, target: SocketAddr, mut whole: watch::Receiver<bool>) {
    let Ok(mut far) = TcpStream::connect(target).await else {
        return;
    };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut stream, &mut far) => {}
        _ = whole.wait_for(|whole| !whole) => {}
    }
}
