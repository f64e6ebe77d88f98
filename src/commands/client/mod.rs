//! The way to a running bridge, for the commands that talk to one: from what was typed to an open
//! connection, or to the reason why not, and why it ended. What is said on it is theirs.

mod address;
#[cfg(feature = "tls")]
mod tls;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

#[cfg(feature = "tls")]
use anyhow::Context;
use anyhow::{Result, anyhow, bail};
use clap::Args;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Error, error::ProtocolError};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

pub(crate) use address::Address;

use crate::fingerprint::Fingerprint;
use crate::terminal;

/// How long a connection, and then the answer to the handshake, may take. After it the client
/// gives up.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// How long to wait for the rest of an HTTP error. After it, what has come is shown.
const BODY_TIME: Duration = Duration::from_secs(1);
/// How much of an HTTP error is read, at most.
const BODY_LIMIT: usize = 4096;
/// A longer message from a bridge ends the connection.
const MAX_MESSAGE: usize = 1024 * 1024;

/// Arguments that let a client into a running bridge.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct AccessArgs {
    /// Secret of a bridge that asks for one
    #[arg(
        long,
        value_name = "TOKEN",
        env = "SERIAL_WS_TOKEN",
        hide_env_values = true
    )]
    pub(crate) token: Option<String>,
    /// SHA-256 fingerprint of the certificate of a bridge with --tls self-signed, for wss:// and
    /// https://
    #[arg(long, value_name = "SHA256", env = "SERIAL_WS_FINGERPRINT")]
    #[arg(hide_env_values = true)]
    pub(crate) fingerprint: Option<Fingerprint>,
}

/// A connection to a bridge, plain or encrypted.
pub(crate) type Stream = Box<dyn Socket>;

/// What a WebSocket can run on.
pub(crate) trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Socket for S {}

impl Address {
    /// Opens the connection.
    pub(crate) async fn dial(&self) -> Result<TcpStream> {
        let connected = if self.is_localhost() {
            // A bridge may have one of the two only, and some systems resolve to one of them only.
            let addresses = [
                SocketAddr::from((Ipv6Addr::LOCALHOST, self.port)),
                SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)),
            ];
            timeout(CONNECT_TIME, TcpStream::connect(&addresses[..])).await
        } else {
            let address = (self.host.as_str(), self.port);
            timeout(CONNECT_TIME, TcpStream::connect(address)).await
        };
        let stream = connected
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .map_err(|error| self.unreachable(error))?;
        // A line typed should not wait for the next one.
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// Encrypts the connection, where the address asks for it.
    ///
    /// # Errors
    /// Why the bridge is not to be trusted.
    #[cfg(feature = "tls")]
    pub(crate) async fn secure(&self, stream: TcpStream) -> Result<Stream> {
        if !self.is_encrypted() {
            return Ok(Box::new(stream));
        }
        let encrypting = tls::encrypt(stream, &self.host, self.fingerprint);
        let stream = timeout(CONNECT_TIME, encrypting).await;
        let stream = stream.map_err(|_| self.unreachable(io::ErrorKind::TimedOut.into()))?;
        Ok(Box::new(stream.with_context(|| {
            format!("no encrypted connection to {self}")
        })?))
    }

    /// There is nothing to encrypt with.
    #[cfg(not(feature = "tls"))]
    pub(crate) async fn secure(&self, stream: TcpStream) -> Result<Stream> {
        Ok(Box::new(stream))
    }

    /// Turns the connection into a WebSocket. What an error means, [`Address::refusal`] tells.
    pub(crate) async fn greet<'a>(
        &self,
        stream: &'a mut Stream,
    ) -> tungstenite::Result<WebSocketStream<&'a mut Stream>> {
        let config = WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE));
        let greeting = client_async_with_config(self.request.clone(), stream, Some(config));
        let greeting = timeout(CONNECT_TIME, greeting).await;
        let (socket, _) =
            greeting.unwrap_or_else(|_| Err(Error::Io(io::ErrorKind::TimedOut.into())))?;
        Ok(socket)
    }

    /// Why there was no greeting, with the first line of what the bridge said on `stream`.
    pub(crate) async fn refusal(&self, error: Error, stream: &mut Stream) -> anyhow::Error {
        match error {
            Error::Http(response) => {
                let status = response.status();
                let reason = terminal::excerpt(&body(*response, stream).await);
                if reason.is_empty() {
                    return anyhow!("{self} refused: {status}");
                }
                anyhow!("{self} refused: {status}: {reason}")
            }
            Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => self.unreachable(error),
            error => {
                anyhow!("{self} does not speak WebSocket ({error}). Is serial-ws running there?")
            }
        }
    }

    fn unreachable(&self, error: io::Error) -> anyhow::Error {
        let start = if self.is_here() {
            "serial-ws --port auto"
        } else {
            "serial-ws --lan"
        };
        match error.kind() {
            io::ErrorKind::ConnectionRefused => anyhow!(
                "nothing answers at {self}: is serial-ws running there? Start it with: {start}"
            ),
            io::ErrorKind::TimedOut => anyhow!(
                "no answer from {self} within {} s: is it the right address, and is serial-ws \
                 running there? Start it with: {start}",
                CONNECT_TIME.as_secs()
            ),
            _ => anyhow!("cannot connect to {self}: {error}"),
        }
    }
}

/// Why a connection ended, unless with this frame all is well.
///
/// # Errors
/// The reason.
pub(crate) fn verdict(frame: Option<CloseFrame>) -> Result<()> {
    let Some(CloseFrame { code, reason }) = frame else {
        return Ok(());
    };
    let meaning = match code {
        CloseCode::Normal | CloseCode::Away => return Ok(()),
        CloseCode::Policy => "the bridge took this client for an abusive one",
        CloseCode::Size => "a message was longer than the bridge takes",
        CloseCode::Again => "the bridge is full, try again later",
        _ => "the bridge closed the connection",
    };
    let reason = terminal::excerpt(&reason);
    if reason.is_empty() {
        bail!("{meaning} (close code {code})");
    }
    Err(anyhow!("{reason} (close code {code})"))
}

/// Why a connection ended without a Close.
pub(crate) fn lost(error: Error) -> anyhow::Error {
    match error {
        Error::Io(_) | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
            anyhow!("the connection to the bridge was lost")
        }
        error => anyhow!("cannot understand the bridge: {error}"),
    }
}

/// The beginning of an HTTP error: what came with its head, and what still comes.
async fn body(response: Response, stream: &mut Stream) -> String {
    let mut body = response.into_body().unwrap_or_default();
    let read = async {
        while !body.contains(&b'\n') && body.len() < BODY_LIMIT {
            if !stream
                .read_buf(&mut body)
                .await
                .is_ok_and(|length| length > 0)
            {
                break;
            }
        }
    };
    // An answer that never ends is shown as far as it has come.
    let _ = timeout(BODY_TIME, read).await;
    String::from_utf8_lossy(&body).into_owned()
}
