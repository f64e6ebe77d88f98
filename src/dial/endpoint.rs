//! A host and a TCP port, written `HOST:PORT`, and the way there.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// The longest time to wait for the address of a name, and for an answer of each address.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The addresses of a name that are tried. A name with more is not that of one computer.
const MAX_ADDRESSES: usize = 4;

/// A host and a port. What the name of the host means is asked at each attempt to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// A name or an address; one of IPv6 without its brackets.
    pub(crate) host: String,
    /// The port.
    pub(crate) port: u16,
}

/// The reason why a text is no `HOST:PORT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndpointError {
    /// There is no host, or it has characters that no host has.
    Host,
    /// An IPv6 address lacks its brackets.
    BareIpv6,
    /// There is no port.
    NoPort,
    /// The port is no whole number from 1 to 65535.
    Port,
}

impl Endpoint {
    /// Reads `HOST:PORT`; with a `usual` port, that one may be left out.
    ///
    /// # Errors
    /// Says what is wrong.
    pub(crate) fn parse(text: &str, usual: Option<u16>) -> Result<Self, EndpointError> {
        let (host, port) = match text.strip_prefix('[') {
            Some(inside) => {
                let (host, rest) = inside.split_once(']').ok_or(EndpointError::Host)?;
                (host, Some(rest).filter(|rest| !rest.is_empty()))
            }
            None => match text.rfind(':') {
                Some(at) if text[..at].contains(':') => return Err(EndpointError::BareIpv6),
                Some(at) => (&text[..at], Some(&text[at..])),
                None => (text, None),
            },
        };
        if host.is_empty() || !host.chars().all(is_host_char) {
            return Err(EndpointError::Host);
        }
        let port = match port {
            None => usual.ok_or(EndpointError::NoPort)?,
            Some(port) => {
                let digits = port.strip_prefix(':').ok_or(EndpointError::NoPort)?;
                // A sign is no part of a port.
                let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
                let port = digits.parse().ok().filter(|port| is_number && *port > 0);
                port.ok_or(EndpointError::Port)?
            }
        };
        let host = host.to_owned();
        Ok(Self { host, port })
    }

    /// Returns true if the host is certainly this computer.
    pub(crate) fn is_this_computer(&self) -> bool {
        let address = self.host.parse::<IpAddr>();
        self.host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }

    /// Returns the addresses that the host has now.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    pub(crate) async fn look_up(&self) -> io::Result<Vec<SocketAddr>> {
        let found = timeout(CONNECT_TIMEOUT, lookup_host((&*self.host, self.port))).await;
        match found {
            Ok(Ok(found)) => {
                let found: Vec<_> = found.collect();
                if found.is_empty() {
                    return Err(ErrorKind::NotFound.into());
                }
                Ok(found)
            }
            Ok(Err(_)) | Err(_) => Err(ErrorKind::NotFound.into()),
        }
    }

    /// Connects to the first address that answers.
    ///
    /// # Errors
    /// `NotFound` if the host has no address, `TimedOut` if none answers, and as the system reports them.
    pub(crate) async fn connect(&self) -> io::Result<TcpStream> {
        let mut last = ErrorKind::NotFound.into();
        for address in self.look_up().await?.into_iter().take(MAX_ADDRESSES) {
            match timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = error,
                Err(_) => last = ErrorKind::TimedOut.into(),
            }
        }
        Err(last)
    }
}

/// Returns true for what may be in the name or the address of a host. Names may have any letters.
fn is_host_char(c: char) -> bool {
    c.is_alphanumeric() || ".-_:%".contains(c)
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') {
            write!(f, "[{host}]:{port}")
        } else {
            write!(f, "{host}:{port}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, usual: Option<u16>, expected: Result<(&str, u16), EndpointError>) {
        let read = Endpoint::parse(text, usual);
        let parts = read.as_ref().map(|it| (&*it.host, it.port));
        assert_eq!(parts.map_err(|error| *error), expected, "{text}");
        if let Ok(endpoint) = &read {
            assert_eq!(
                Endpoint::parse(&endpoint.to_string(), None).as_ref(),
                Ok(endpoint)
            );
        }
    }

    #[test]
    fn a_port_may_be_left_out_where_one_is_usual() {
        check("host", Some(80), Ok(("host", 80)));
        check("[::1]", Some(80), Ok(("::1", 80)));
        check("host:81", Some(80), Ok(("host", 81)));
        check("host", None, Err(EndpointError::NoPort));
        check("[::1]", None, Err(EndpointError::NoPort));
    }

    #[test]
    fn what_is_wrong_is_told_apart() {
        for usual in [None, Some(80)] {
            check("", usual, Err(EndpointError::Host));
            check(":1", usual, Err(EndpointError::Host));
            check("a b:1", usual, Err(EndpointError::Host));
            check("[::1", usual, Err(EndpointError::Host));
            check("::1", usual, Err(EndpointError::BareIpv6));
            check("[::1]1", usual, Err(EndpointError::NoPort));
            for port in ["", "0", "+1", "x", "65536"] {
                check(&format!("a:{port}"), usual, Err(EndpointError::Port));
            }
        }
    }

    #[test]
    fn this_computer_is_known() {
        let is_here = |text| Endpoint::parse(text, None).unwrap().is_this_computer();
        assert!(is_here("localhost:1") && is_here("[::1]:1") && is_here("127.0.0.2:1"));
        assert!(!is_here("example.org:1") && !is_here("192.168.1.20:1"));
    }
}
