//! The parts of a request that matter for access.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::extract::Query;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};

use super::Rejection;
use super::origin::Origin;
use crate::server::foreign::SOCKET_IO_CLIENT;

/// Headers by which a proxy tells that it passes a request on.
const FORWARDED: [&str; 15] = [
    "cdn-loop",
    "cf-connecting-ip",
    "cf-ray",
    "client-ip",
    "fastly-client-ip",
    "fly-client-ip",
    "forwarded",
    "true-client-ip",
    "via",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-envoy-external-address",
    "x-original-forwarded-for",
    "x-original-host",
    "x-real-ip",
];

/// The beginning of the names of other such headers (`X-Forwarded-For`, `-Host`, `-Prefix` and so on).
const FORWARDED_PREFIX: &str = "x-forwarded-";

/// The two ends of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    /// The client's address.
    pub(crate) remote: IpAddr,
    /// Our address.
    pub(crate) local: SocketAddr,
    /// True if the connection is encrypted.
    pub(crate) is_encrypted: bool,
}

/// The kind of resource that a request asks for, each with access rules of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestClass {
    /// A resource that every page may load: it tells nothing about the device.
    Public,
    /// A page or a part of one: links of other sites may lead to it.
    Page,
    /// Data about the device, or a call that acts on it.
    Data,
    /// A WebSocket.
    WebSocket,
}

/// A request, as far as access depends on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller<'a> {
    /// The HTTP method.
    pub(crate) method: &'a Method,
    /// The requested address.
    pub(crate) uri: &'a Uri,
    /// All headers.
    pub(crate) headers: &'a HeaderMap,
    /// The kind of the requested resource.
    pub(crate) class: RequestClass,
    /// The connection that the request came by.
    pub(crate) peer: Peer,
}

impl Peer {
    /// Returns the ends of an unencrypted connection, with IPv4 addresses written as such.
    pub(crate) fn new(remote: SocketAddr, local: SocketAddr) -> Self {
        Self {
            remote: remote.ip().to_canonical(),
            local: SocketAddr::new(local.ip().to_canonical(), local.port()),
            is_encrypted: false,
        }
    }

    /// Returns the address by which limits count. For a computer in another IPv6 network it is that
    /// network, where a computer may have as many addresses as it likes; in our own network, it
    /// would be one address for the whole room.
    pub(crate) fn limit_address(&self) -> IpAddr {
        let network = |address: Ipv6Addr| u128::from(address) >> 64 << 64;
        match (self.remote, self.local.ip()) {
            (IpAddr::V6(remote), IpAddr::V6(local)) if network(remote) != network(local) => {
                Ipv6Addr::from(network(remote)).into()
            }
            (remote, _) => remote,
        }
    }

    /// Returns the address whose places are limited; None for this computer, which is limited in total
    /// only.
    pub(crate) fn quota_address(&self) -> Option<IpAddr> {
        (!self.is_loopback()).then(|| self.limit_address())
    }

    /// Returns true if the client is on this computer.
    pub(crate) fn is_loopback(&self) -> bool {
        self.remote.to_canonical().is_loopback()
    }

    /// Returns the name of the cookie for a session. It has our TCP port, since browsers keep the
    /// cookies of all TCP ports of a host together.
    pub(crate) fn cookie_name(&self) -> String {
        format!("serial-ws-{}", self.local.port())
    }
}

impl RequestClass {
    /// Returns the class of a request for `path`.
    pub(crate) fn new(path: &str, wants_upgrade: bool) -> Self {
        match path {
            _ if wants_upgrade => Self::WebSocket,
            "/hello"
            | "/serial-ws.js"
            | "/serial-ws.mjs"
            | "/serial-ws-p5.js"
            | "/web-serial.js"
            | "/web-serial-link.mjs"
            | "/web-serial-chooser.mjs"
            | SOCKET_IO_CLIENT => Self::Public,
            "/metrics" => Self::Data,
            path if path.starts_with("/api/") => Self::Data,
            _ => Self::Page,
        }
    }
}

impl<'a> Caller<'a> {
    /// Returns what access depends on in a request.
    pub(crate) fn of<B>(request: &'a Request<B>, class: RequestClass) -> Self {
        let peer = request.extensions().get::<Peer>();
        Self {
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            class,
            peer: *peer.expect("every connection adds its addresses to its request"),
        }
    }
}

impl Caller<'_> {
    /// Returns true if the request comes from this computer itself, and not through a proxy on it.
    pub(super) fn is_direct(&self) -> bool {
        let mut names = self.headers.keys().map(HeaderName::as_str);
        self.peer.is_loopback()
            && !names.any(|name| FORWARDED.contains(&name) || name.starts_with(FORWARDED_PREFIX))
    }

    pub(super) fn is_reading(&self) -> bool {
        matches!(*self.method, Method::GET | Method::HEAD)
    }

    /// Rejects requests of another site's page by Fetch Metadata (`Sec-Fetch-Site`). It is for
    /// requests without an Origin header, which come from programs and from plain GETs of pages.
    pub(super) fn check_fetch_metadata(&self) -> Result<(), Rejection> {
        let site = single_header(self.headers, HeaderName::from_static("sec-fetch-site"))?;
        let is = |name: &'static str, value: &str| {
            self.headers.get(name).is_some_and(|found| found == value)
        };
        let is_link = is("sec-fetch-mode", "navigate") && is("sec-fetch-dest", "document");
        match site {
            None | Some("same-origin" | "none") => Ok(()),
            Some(_) if self.class == RequestClass::Page && is_link => Ok(()),
            Some(_) => Err(Rejection::forbidden(
                "a request that a page of another site made",
                "only pages of this computer may send it; see /hello",
            )),
        }
    }

    /// Returns true for a request of our own page to `host`, whose cookie counts; `origin` is what its
    /// Origin header says.
    pub(super) fn is_own_page(&self, host: &str, origin: Option<&str>) -> bool {
        match origin {
            Some(origin) => Origin::new(origin).is_of(host),
            // Browsers name the origin of all requests that act, and of WebSockets.
            None => {
                self.is_reading()
                    && self.class != RequestClass::WebSocket
                    && self.check_fetch_metadata().is_ok()
            }
        }
    }

    /// Returns what a browser says about the page that made a request: its origin, or else whether it
    /// is one of another site, since no page may use up the attempts of another. Empty for programs,
    /// and for addresses that somebody typed.
    pub(crate) fn origin_or_site(&self) -> &[u8] {
        let value = |name: &str| self.headers.get(name).map(HeaderValue::as_bytes);
        match (value(header::ORIGIN.as_str()), value("sec-fetch-site")) {
            (Some(origin), _) => origin,
            (None, None | Some(b"same-origin" | b"none")) => b"",
            // A link is apart from what a page loads by itself.
            (None, Some(_)) if value("sec-fetch-dest") == Some(b"document") => b"a link",
            (None, Some(_)) => b"another site",
        }
    }

    /// Returns the token in the address or the Authorization header.
    pub(super) fn explicit_token(&self) -> Result<Option<String>, Rejection> {
        let query = Query::<Vec<(String, String)>>::try_from_uri(self.uri);
        let query = query.map(|Query(query)| query).unwrap_or_default();
        let mut in_query = query.into_iter().filter(|(key, _)| key == "token");
        if let Some((_, token)) = in_query.next() {
            return match in_query.next() {
                None => Ok(Some(token)),
                Some(_) => Err(Rejection::malformed("an address with two tokens")),
            };
        }
        let Some(value) = single_header(self.headers, header::AUTHORIZATION)? else {
            return Ok(None);
        };
        let bearer = value
            .split_once(' ')
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        Ok(bearer.map(|(_, token)| token.trim().to_owned()))
    }

    /// Returns the id of a session in the cookie.
    pub(crate) fn cookie(&self) -> Option<&str> {
        let name = self.peer.cookie_name();
        let values = self.headers.get_all(header::COOKIE).iter();
        values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find_map(|(key, value)| (key == name).then_some(value))
    }
}

/// Returns the value of a header that may occur only once.
pub(super) fn single_header(
    headers: &HeaderMap,
    name: HeaderName,
) -> Result<Option<&str>, Rejection> {
    let mut values = headers.get_all(&name).iter();
    let Some(first) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        let reason = format!("a request with two {name} headers");
        return Err(Rejection::malformed(&reason));
    }
    let text = first.to_str().map(Some);
    text.map_err(|_| Rejection::malformed(&format!("a request whose {name} header is not text")))
}
