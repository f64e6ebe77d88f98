//! Where the bridge is: from what was typed to an open connection, or to the reason why not.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::{Request, Response};
use tokio_tungstenite::tungstenite::http::Uri;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Error};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::{Options, text};

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
    /// Without the brackets of an IPv6 address.
    host: String,
    port: u16,
}

/// For messages: `ws://HOST:PORT`, without path and query, where a token may be.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "ws://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "ws://{}:{}", self.host, self.port)
        }
    }
}

impl Address {
    /// Understands `ws://…`, `http://…` and a bare `HOST[:PORT][/PATH]`.
    pub fn new(options: &Options) -> Result<Address> {
        let (default_port, rest) = match options.url.split_once("://") {
            Some((scheme, rest)) if scheme.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
                check_scheme(scheme)?;
                (80, rest)
            }
            _ => (DEFAULT_PORT, options.url.as_str()),
        };
        let uri: Uri = with_parameters(rest, options)
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
        if let Some(token) = &options.token {
            let value = format!("Bearer {token}").parse();
            let value = value.context("the token has characters that cannot be sent")?;
            request.headers_mut().insert("authorization", value);
        }
        Ok(Address {
            request,
            host,
            port,
        })
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

    /// Turns the connection into a WebSocket. What an error means, [`Address::refusal`] tells.
    pub async fn greet<'a>(
        &self,
        stream: &'a mut TcpStream,
    ) -> tungstenite::Result<WebSocketStream<&'a mut TcpStream>> {
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
    pub async fn refusal(&self, error: Error, stream: &mut TcpStream) -> anyhow::Error {
        match error {
            Error::Http(response) => {
                let status = response.status();
                let reason = text::excerpt(&body(*response, stream).await);
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

fn check_scheme(scheme: &str) -> Result<()> {
    match scheme.to_ascii_lowercase().as_str() {
        "ws" | "http" => Ok(()),
        "wss" | "https" => bail!(
            "{scheme}:// is not supported by this build. Use ws://, from another machine through a \
             tunnel: ssh -L 8080:localhost:8080 HOST"
        ),
        _ => bail!("{scheme}:// is not the address of a bridge. Write it like ws://localhost:8080"),
    }
}

/// The address as a URL, with the parameters that the options stand for.
fn with_parameters(rest: &str, options: &Options) -> String {
    let rest = rest.split('#').next().unwrap_or_default();
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let slash = if path.starts_with('/') { "" } else { "/" };
    let mut url = format!("ws://{authority}{slash}{path}");
    let view = options.raw.then_some("view=raw".to_owned());
    let append = options
        .append
        .as_ref()
        .map(|append| format!("append={append}"));
    for parameter in view.into_iter().chain(append) {
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str(&parameter);
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
    let shown = text::excerpt(rest.split('?').next().unwrap_or_default());
    anyhow!("{shown:?} is not the address of a bridge. Write it like ws://localhost:8080")
}

/// The beginning of an HTTP error: what came with its head, and what still comes.
async fn body(response: Response, stream: &mut TcpStream) -> String {
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

    fn options(url: &str) -> Options {
        Options {
            url: url.to_owned(),
            ..Options::default()
        }
    }

    #[track_caller]
    fn check(options: Options, shown: &str, path: &str) {
        let address = Address::new(&options).unwrap();
        assert_eq!(address.to_string(), shown);
        assert_eq!(address.request.uri().path_and_query().unwrap(), path);
    }

    #[track_caller]
    fn refused(url: &str, expected: &str) {
        let error = Address::new(&options(url)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn addresses_are_understood_as_people_type_them() {
        check(options("ws://localhost:8080"), "ws://localhost:8080", "/");
        check(
            options("http://localhost:8080/"),
            "ws://localhost:8080",
            "/",
        );
        check(
            options("HTTP://[::1]:8080/ports/scale"),
            "ws://[::1]:8080",
            "/ports/scale",
        );
        check(options("ws://raspberrypi"), "ws://raspberrypi:80", "/");
        check(
            options("raspberrypi.local"),
            "ws://raspberrypi.local:8080",
            "/",
        );
        check(
            options("10.0.0.7:9000/ports/a?view=json"),
            "ws://10.0.0.7:9000",
            "/ports/a?view=json",
        );
        check(
            options("localhost/?next=ws://x"),
            "ws://localhost:8080",
            "/?next=ws://x",
        );
        check(
            options("ws://localhost:8080?view=text#top"),
            "ws://localhost:8080",
            "/?view=text",
        );
    }

    #[test]
    fn options_become_parameters() {
        let append = Some("lf".to_owned());
        check(
            Options {
                append: append.clone(),
                ..options("localhost")
            },
            "ws://localhost:8080",
            "/?append=lf",
        );
        check(
            Options {
                append,
                raw: true,
                ..options("localhost/ports/a?history=5")
            },
            "ws://localhost:8080",
            "/ports/a?history=5&view=raw&append=lf",
        );
    }

    #[test]
    fn the_view_is_found_in_the_address() {
        let view = |url| {
            Address::new(&options(url))
                .unwrap()
                .view()
                .map(str::to_owned)
        };
        assert_eq!(
            view("localhost?history=5&view=text"),
            Some("text".to_owned())
        );
        assert_eq!(view("localhost?preview=text"), None);
        assert_eq!(view("localhost"), None);
    }

    #[test]
    fn what_is_no_address_is_refused_with_an_example() {
        refused("wss://example.org", "wss:// is not supported by this build");
        refused(
            "HTTPS://example.org",
            "HTTPS:// is not supported by this build",
        );
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
        let token = Some("correct horse".to_owned());
        let address = Address::new(&Options {
            token,
            ..options("localhost")
        })
        .unwrap();
        assert_eq!(
            address.request.headers()["authorization"],
            "Bearer correct horse"
        );
        let error = Address::new(&options("ws://local host?token=secret")).unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
