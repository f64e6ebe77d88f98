//! The way to a running bridge, for the commands that talk to one: from what was typed to an open
//! connection, or to the reason why not, and why it ended. What is said on it is theirs.

#[cfg(feature = "tls")]
mod tls;

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::{Request, Response};
use tokio_tungstenite::tungstenite::http::Uri;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Error, error::ProtocolError};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::escape;
use crate::fingerprint::Fingerprint;

/// The port of a bridge whose address was typed without `ws://`.
const DEFAULT_PORT: u16 = 8080;
/// How long a connection, and then the answer to the handshake, may take. After it the client
/// gives up.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// How long to wait for the rest of an HTTP error. After it, what has come is shown.
const BODY_TIME: Duration = Duration::from_secs(1);
/// How much of an HTTP error is read, at most.
const BODY_LIMIT: usize = 4096;
/// A longer message from a bridge ends the connection.
const MAX_MESSAGE: usize = 1024 * 1024;

/// The address of a bridge, checked.
#[derive(Debug)]
pub struct Address {
    request: Request,
    /// As it was typed, `ws` where none was.
    scheme: &'static str,
    /// Without the brackets of an IPv6 address.
    host: String,
    port: u16,
    /// The one that the bridge's certificate must have; without it, this computer must trust it.
    #[cfg_attr(
        not(feature = "tls"),
        expect(dead_code, reason = "nothing is encrypted")
    )]
    fingerprint: Option<Fingerprint>,
}

/// A connection to a bridge, plain or encrypted.
pub type Stream = Box<dyn Socket>;

/// What a WebSocket can run on.
pub trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Socket for S {}

/// For messages: `SCHEME://HOST:PORT`, without path and query, where a token may be.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            scheme, host, port, ..
        } = self;
        if host.contains(':') {
            write!(f, "{scheme}://[{host}]:{port}")
        } else {
            write!(f, "{scheme}://{host}:{port}")
        }
    }
}

impl Address {
    /// Understands `ws://…`, `http://…`, the same encrypted, and a bare `HOST[:PORT][/PATH]`. A
    /// `port` that is named goes before the path, and `parameters` such as `view=json` are added.
    ///
    /// # Errors
    /// Why this is no address, and what one looks like.
    pub fn new(
        url: &str,
        port: Option<&str>,
        parameters: &[String],
        token: Option<&str>,
    ) -> Result<Address> {
        let (scheme, default_port, rest) = match url.split_once("://") {
            Some((scheme, rest)) if scheme.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
                let scheme = known_scheme(scheme)?;
                let usual = if is_encrypted(scheme) { 443 } else { 80 };
                (scheme, usual, rest)
            }
            _ => ("ws", DEFAULT_PORT, url),
        };
        let uri: Uri = target(rest, port, parameters)
            .parse()
            .map_err(|_| not_an_address(rest))?;
        let host = uri.host().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| not_an_address(rest))?;
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let port = match uri.port_u16() {
            None if has_port(&uri) => return Err(not_an_address(rest)),
            port => port.unwrap_or(default_port),
        };
        let mut request = uri
            .into_client_request()
            .map_err(|_| not_an_address(rest))?;
        if let Some(token) = token {
            let value = format!("Bearer {token}").parse();
            let value = value.context("the token has characters that cannot be sent")?;
            request.headers_mut().insert("authorization", value);
        }
        Ok(Address {
            request,
            scheme,
            host,
            port,
            fingerprint: None,
        })
    }

    /// The same, of a bridge whose certificate has this fingerprint, if it is known.
    pub fn with_fingerprint(self, fingerprint: Option<Fingerprint>) -> Self {
        Self {
            fingerprint,
            ..self
        }
    }

    /// The view that the address asks for.
    pub fn view(&self) -> Option<&str> {
        let mut parameters = self.request.uri().query()?.split('&');
        parameters.find_map(|parameter| parameter.strip_prefix("view="))
    }

    /// Opens the connection.
    pub async fn dial(&self) -> Result<TcpStream> {
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
    pub async fn secure(&self, stream: TcpStream) -> Result<Stream> {
        if !is_encrypted(self.scheme) {
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
    pub async fn secure(&self, stream: TcpStream) -> Result<Stream> {
        Ok(Box::new(stream))
    }

    /// Turns the connection into a WebSocket. What an error means, [`Address::refusal`] tells.
    pub async fn greet<'a>(
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
    pub async fn refusal(&self, error: Error, stream: &mut Stream) -> anyhow::Error {
        match error {
            Error::Http(response) => {
                let status = response.status();
                let reason = escape::excerpt(&body(*response, stream).await);
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

    fn is_localhost(&self) -> bool {
        let host = self.host.to_ascii_lowercase();
        host == "localhost" || host.ends_with(".localhost")
    }

    fn is_here(&self) -> bool {
        let address = self.host.parse::<std::net::IpAddr>();
        self.is_localhost() || address.is_ok_and(|address| address.is_loopback())
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
pub fn verdict(frame: Option<CloseFrame>) -> Result<()> {
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
    let reason = escape::excerpt(&reason);
    if reason.is_empty() {
        bail!("{meaning} (close code {code})");
    }
    Err(anyhow!("{reason} (close code {code})"))
}

/// Why a connection ended without a Close.
pub fn lost(error: Error) -> anyhow::Error {
    match error {
        Error::Io(_) | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
            anyhow!("the connection to the bridge was lost")
        }
        error => anyhow!("cannot understand the bridge: {error}"),
    }
}

fn known_scheme(scheme: &str) -> Result<&'static str> {
    match scheme.to_ascii_lowercase().as_str() {
        "ws" => Ok("ws"),
        "http" => Ok("http"),
        #[cfg(feature = "tls")]
        "wss" => Ok("wss"),
        #[cfg(feature = "tls")]
        "https" => Ok("https"),
        #[cfg(not(feature = "tls"))]
        "wss" | "https" => bail!(
            "{scheme}:// is not supported by this build. Use ws://, from another machine through a \
             tunnel: ssh -L 8080:localhost:8080 HOST"
        ),
        _ => bail!("{scheme}:// is not the address of a bridge. Write it like ws://localhost:8080"),
    }
}

fn is_encrypted(scheme: &str) -> bool {
    matches!(scheme, "wss" | "https")
}

/// The address as a URL, with what is wanted of the bridge.
fn target(rest: &str, port: Option<&str>, parameters: &[String]) -> String {
    let rest = rest.split('#').next().unwrap_or_default();
    let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
    let path = match port {
        Some(port) => format!("/ports/{port}"),
        None if path.is_empty() => "/".to_owned(),
        None => path.to_owned(),
    };
    let mut url = format!("ws://{authority}{path}{query}");
    for parameter in parameters {
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str(parameter);
    }
    url
}

/// Whether something was typed for a port, be it no number.
fn has_port(uri: &Uri) -> bool {
    let authority = uri.authority().map(|authority| authority.as_str());
    authority.is_some_and(|authority| !authority.ends_with(uri.host().unwrap_or_default()))
}

fn not_an_address(rest: &str) -> anyhow::Error {
    // A query may hold a token.
    let shown = escape::excerpt(rest.split('?').next().unwrap_or_default());
    anyhow!("{shown:?} is not the address of a bridge. Write it like ws://localhost:8080")
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

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str) -> Result<Address> {
        Address::new(url, None, &[], None)
    }

    #[track_caller]
    fn check(address: Result<Address>, shown: &str, path: &str) {
        let address = address.unwrap();
        assert_eq!(address.to_string(), shown);
        assert_eq!(address.request.uri().path_and_query().unwrap(), path);
    }

    #[track_caller]
    fn refused(url: &str, expected: &str) {
        let error = address(url).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn addresses_are_understood_as_people_type_them() {
        check(address("ws://localhost:8080"), "ws://localhost:8080", "/");
        check(
            address("http://localhost:8080/"),
            "http://localhost:8080",
            "/",
        );
        check(
            address("HTTP://[::1]:8080/ports/scale"),
            "http://[::1]:8080",
            "/ports/scale",
        );
        check(address("ws://raspberrypi"), "ws://raspberrypi:80", "/");
        #[cfg(feature = "tls")]
        check(
            address("HTTPS://bench.example"),
            "https://bench.example:443",
            "/",
        );
        check(
            address("raspberrypi.local"),
            "ws://raspberrypi.local:8080",
            "/",
        );
        check(
            address("10.0.0.7:9000/ports/a?view=json"),
            "ws://10.0.0.7:9000",
            "/ports/a?view=json",
        );
        check(
            address("localhost/?next=ws://x"),
            "ws://localhost:8080",
            "/?next=ws://x",
        );
        check(
            address("ws://localhost:8080?view=text#top"),
            "ws://localhost:8080",
            "/?view=text",
        );
    }

    #[test]
    fn parameters_are_added() {
        let wanted = ["view=raw".to_owned(), "append=lf".to_owned()];
        check(
            Address::new("localhost", None, &wanted[1..], None),
            "ws://localhost:8080",
            "/?append=lf",
        );
        check(
            Address::new("localhost/ports/a?history=5", None, &wanted, None),
            "ws://localhost:8080",
            "/ports/a?history=5&view=raw&append=lf",
        );
    }

    #[test]
    fn a_port_that_is_named_is_where_it_goes() {
        for url in [
            "localhost?token=x",
            "localhost/?token=x",
            "localhost/ports/b?token=x",
        ] {
            check(
                Address::new(url, Some("a"), &[], None),
                "ws://localhost:8080",
                "/ports/a?token=x",
            );
        }
    }

    #[test]
    fn the_view_is_found_in_the_address() {
        let view = |url| address(url).unwrap().view().map(str::to_owned);
        assert_eq!(
            view("localhost?history=5&view=text"),
            Some("text".to_owned())
        );
        assert_eq!(view("localhost?preview=text"), None);
        assert_eq!(view("localhost"), None);
    }

    #[test]
    fn what_is_no_address_is_refused_with_an_example() {
        refused("ftp://localhost", "Write it like ws://localhost:8080");
        for url in [
            "",
            "ws://",
            "ws:///ports/a",
            "two words",
            "ws://localhost:99999",
            "ws://localhost:",
            "[::1",
        ] {
            refused(url, "is not the address of a bridge");
        }
    }

    #[test]
    fn a_token_is_sent_and_never_shown() {
        let with_token = Address::new("localhost", None, &[], Some("correct horse")).unwrap();
        assert_eq!(
            with_token.request.headers()["authorization"],
            "Bearer correct horse"
        );
        let error = address("ws://local host?token=secret").unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
