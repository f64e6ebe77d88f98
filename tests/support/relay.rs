//! A TCP connection between two programs that can be cut and mended, as a network would be, and whose
//! client can be kept waiting.

use std::{io, net::SocketAddr, sync::Arc};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

use super::wait::within;

/// Passes connections on to another address, while it is whole.
pub struct Relay {
    pub at: SocketAddr,
    state: watch::Sender<State>,
    /// Notified when something is held back.
    held: Arc<Notify>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Whole,
    /// What clients send is held back, but for the first packet of each, by which it connects.
    Holding,
    Cut,
}

impl Relay {
    /// A whole one that leads to `target`.
    pub async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a socket can listen");
        let at = listener.local_addr().expect("it has an address");
        let (sender, state) = watch::channel(State::Whole);
        let held = Arc::new(Notify::new());
        let holds = Arc::clone(&held);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if *state.borrow() != State::Cut {
                    let (state, holds) = (state.clone(), Arc::clone(&holds));
                    tokio::spawn(pass_on(stream, target, state, holds));
                }
            }
        });
        Self {
            at,
            state: sender,
            held,
        }
    }

    /// Breaks all connections, and refuses new ones.
    pub fn cut(&self) {
        self.state.send_replace(State::Cut);
    }

    /// Takes connections again, and passes on what was held back.
    pub fn mend(&self) {
        self.state.send_replace(State::Whole);
    }

    /// Holds back from now on what clients send once they are connected.
    pub fn hold(&self) {
        self.state.send_replace(State::Holding);
    }

    /// Waits until something is held back.
    pub async fn holds(&self) {
        within("something to hold back", self.held.notified()).await;
    }
}

async fn pass_on(
    mut near: TcpStream,
    target: SocketAddr,
    state: watch::Receiver<State>,
    held: Arc<Notify>,
) {
    let Ok(mut far) = TcpStream::connect(target).await else {
        return;
    };
    let (from_client, to_client) = near.split();
    let (from_server, to_server) = far.split();
    let mut until_cut = state.clone();
    tokio::select! {
        _ = async { tokio::try_join!(
            requests(from_client, to_server, state, &held),
            answers(from_server, to_client),
        ) } => {}
        _ = until_cut.wait_for(|state| *state == State::Cut) => {}
    }
}

async fn requests(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut state: watch::Receiver<State>,
    held: &Notify,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    let mut is_connected = false;
    loop {
        let length = from.read(&mut buffer).await?;
        if is_connected && *state.borrow() == State::Holding {
            held.notify_one();
            let _ = state.wait_for(|state| *state != State::Holding).await;
        }
        is_connected = true;
        if length == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..length]).await?;
    }
}

async fn answers(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    tokio::io::copy(&mut from, &mut to).await?;
    to.shutdown().await
}
