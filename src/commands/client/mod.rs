//! Connects commands to a running serial-ws, the bridge: from a typed address to an open WebSocket,
//! or to the reason why there is none, and why it ended. The messages on it are the commands' own.

mod address;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use std::{fmt, io};

#[cfg(feature = "tls")]
use anyhow::Context;
use anyhow::{Result, anyhow, bail};
use clap::Args;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Error, error::ProtocolError};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

pub(crate) use address::Address;

#[cfg(feature = "tls")]
use crate::dial::tls;
use crate::dial::{Fingerprint, refusal_body};
use crate::platform::reason;
use crate::terminal;

/// Limits the wait for a connection, and then for the answer to the handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Limits the size of a message from a bridge. A longer one ends the connection.
const MAX_MESSAGE_BYTES: usize = 1024 * 1024;

/// Arguments by which a client and the bridge can trust each other.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct AccessArgs {
    /// Token of a serial-ws that asks for one
    #[arg(
        long,
        value_name = "TOKEN",
        env = "SERIAL_WS_TOKEN",
        hide_env_values = true
    )]
    pub(crate) token: Option<String>,
    /// SHA-256 fingerprint of the certificate that serial-ws --tls self-signed shows, for wss:// and
    /// https://
    #[arg(long, value_name = "SHA256", env = "SERIAL_WS_FINGERPRINT")]
    #[arg(hide_env_values = true)]
    pub(crate) fingerprint: Option<Fingerprint>,
}

/// Returns the parameter by which a command tells its name to those who see what it writes.
pub(crate) fn client(command: &str) -> String {
    format!("client=serial-ws-{command}")
}

/// A connection to a bridge, plain or encrypted.
pub(crate) type Stream = Box<dyn Socket>;

/// A byte stream that a WebSocket can run on.
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
            timeout(CONNECT_TIMEOUT, TcpStream::connect(&addresses[..])).await
        } else {
            let address = (self.host_to_resolve(), self.port);
            timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await
        };
        let stream = connected
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .map_err(|error| self.unreachable(error))?;
        // A line typed should not wait for the next one.
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// Encrypts the connection if the address asks for it.
    ///
    /// # Errors
    /// When the bridge cannot be trusted, and why.
    #[cfg(feature = "tls")]
    pub(crate) async fn secure(&self, stream: TcpStream) -> Result<Stream> {
        if !self.is_encrypted() {
            return Ok(Box::new(stream));
        }
        let encrypting = tls::encrypt(stream, &self.host, self.fingerprint, "--fingerprint ");
        let stream = timeout(CONNECT_TIMEOUT, encrypting).await;
        let stream = stream.map_err(|_| self.unreachable(io::ErrorKind::TimedOut.into()))?;
        Ok(Box::new(stream.with_context(|| {
            format!("no encrypted connection to {self}")
        })?))
    }

    /// Encrypts nothing: this build cannot.
    #[cfg(not(feature = "tls"))]
    pub(crate) async fn secure(&self, stream: TcpStream) -> Result<Stream> {
        Ok(Box::new(stream))
    }

    /// Turns the connection into a WebSocket, and returns the head of the bridge's answer beside it.
    /// [`Address::refusal`] explains an error.
    pub(crate) async fn greet<'a>(
        &self,
        stream: &'a mut Stream,
    ) -> tungstenite::Result<(WebSocketStream<&'a mut Stream>, Response)> {
        let config = WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE_BYTES))
            .max_frame_size(Some(MAX_MESSAGE_BYTES));
        let greeting = client_async_with_config(self.request.clone(), stream, Some(config));
        let greeting = timeout(CONNECT_TIMEOUT, greeting).await;
        greeting.unwrap_or_else(|_| Err(Error::Io(io::ErrorKind::TimedOut.into())))
    }

    /// Explains why there is no WebSocket, with the first line of what the bridge sent on `stream`.
    pub(crate) async fn refusal(&self, error: Error, stream: &mut Stream) -> anyhow::Error {
        match error {
            Error::Http(response) => {
                let status = response.status();
                let reason = terminal::excerpt(&refusal_body(*response, stream).await);
                if reason.is_empty() {
                    return anyhow!("{self} refused: {status}");
                }
                anyhow!("{self} refused: {status}: {reason}")
            }
            Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => self.unreachable(error),
            error => {
                tracing::debug!("no WebSocket: {error}");
                anyhow!("{self} does not speak WebSocket. Is serial-ws running there?")
            }
        }
    }

    fn unreachable(&self, error: io::Error) -> anyhow::Error {
        let start = if self.is_here() {
            "serial-ws"
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
                CONNECT_TIMEOUT.as_secs()
            ),
            _ => anyhow!("cannot connect to {self}: {}", reason(&error)),
        }
    }
}

/// Checks the frame that ended a connection.
///
/// # Errors
/// The reason why it ended, unless all is well.
pub(crate) fn check_close(frame: Option<CloseFrame>) -> Result<()> {
    let Some(CloseFrame { code, reason }) = frame else {
        return Ok(());
    };
    let meaning = match code {
        CloseCode::Normal | CloseCode::Away => return Ok(()),
        CloseCode::Policy => "serial-ws took this client for an abusive one",
        CloseCode::Size => "a message was longer than serial-ws accepts",
        CloseCode::Again => "serial-ws has no room for another client: try again later",
        _ => "serial-ws closed the connection",
    };
    let reason = terminal::excerpt(&reason);
    if reason.is_empty() {
        bail!("{meaning} (close code {code})");
    }
    Err(anyhow!("{reason} (close code {code})"))
}

/// Explains why a connection ended without a Close.
pub(crate) fn lost(error: Error) -> anyhow::Error {
    match error {
        Error::Io(_) | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
            anyhow!("the connection to serial-ws was lost")
        }
        error => not_understood(&error),
    }
}

/// Returns an error about a message that means nothing to this program, with the reason in the log.
pub(crate) fn not_understood(error: &dyn fmt::Display) -> anyhow::Error {
    tracing::debug!(%error, "cannot understand a message");
    let version = env!("CARGO_PKG_VERSION");
    anyhow!("cannot understand serial-ws: is it of another version than this one, {version}?")
}
