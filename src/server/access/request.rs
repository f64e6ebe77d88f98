//! A request, as far as it matters who may connect.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::extract::Query;
use axum::http::{HeaderMap, HeaderName, Method, Uri, header};

use super::Verdict;
use super::rejection::{forbidden, malformed};

/// Headers by which a proxy says that somebody else is behind it.
const FORWARDED: [&str; 6] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "via",
];

/// Between which addresses a connection is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    /// Theirs.
    pub(crate) remote: IpAddr,
    /// Ours.
    pub(crate) local: SocketAddr,
    /// Whether it is encrypted.
    pub(crate) is_encrypted: bool,
}

/// What a request is for, as far as it matters who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// What every page may load: nothing of the device is in it.
    Public,
    /// A page or a part of one: links of other sites may lead to it.
    Page,
    /// What the device said and how it is, and what acts on it.
    Data,
    /// A WebSocket.
    Socket,
}

/// A request, as far as it matters who may connect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller<'a> {
    /// GET and so on.
    pub(crate) method: &'a Method,
    /// What is asked for.
    pub(crate) uri: &'a Uri,
    /// All of its headers.
    pub(crate) headers: &'a HeaderMap,
    /// What it is for.
    pub(crate) purpose: Purpose,
    /// Where it comes from.
    pub(crate) peer: Peer,
}

impl Peer {
    /// Of a connection between these addresses that is not encrypted.
    pub(crate) fn new(remote: SocketAddr, local: SocketAddr) -> Self {
        Self {
            remote: remote.ip().to_canonical(),
            local: SocketAddr::new(local.ip().to_canonical(), local.port()),
            is_encrypted: false,
        }
    }

    /// What stands for the computer at the other end: its address. Of a computer in another network
    /// it is that network, where it may have as many IPv6 addresses as it likes; our own network is
    /// one for the whole room.
    pub(crate) fn computer(&self) -> IpAddr {
        let network = |address: Ipv6Addr| u128::from(address) >> 64 << 64;
        match (self.remote, self.local.ip()) {
            (IpAddr::V6(remote), IpAddr::V6(local)) if network(remote) != network(local) => {
                Ipv6Addr::from(network(remote)).into()
            }
            (remote, _) => remote,
        }
    }

    /// Whether it is on this computer.
    pub(crate) fn is_loopback(&self) -> bool {
        self.remote.to_canonical().is_loopback()
    }

    /// The cookie in which a browser keeps the secret: cookies of all ports are in one heap.
    pub(crate) fn cookie_name(&self) -> String {
        format!("serial-ws-{}", self.local.port())
    }
}

impl Caller<'_> {
    /// Whether it comes from this computer itself, and not from someone behind a proxy on it.
    pub(super) fn is_direct(&self) -> bool {
        self.peer.is_loopback()
            && !FORWARDED
                .iter()
                .any(|name| self.headers.contains_key(*name))
    }

    pub(super) fn is_reading(&self) -> bool {
        matches!(*self.method, Method::GET | Method::HEAD)
    }

    /// Decides on a request that names no origin: a program's, or a page's plain GET. The latter
    /// tells in newer browsers where it comes from.
    pub(super) fn without_origin(&self) -> Result<(), Verdict> {
        let site = only(self.headers, HeaderName::from_static("sec-fetch-site"))?;
        let is = |name: &'static str, value: &str| {
            self.headers.get(name).is_some_and(|found| found == value)
        };
        let is_link = is("sec-fetch-mode", "navigate") && is("sec-fetch-dest", "document");
        match site {
            None | Some("same-origin" | "none") => Ok(()),
            Some(_) if self.purpose == Purpose::Page && is_link => Ok(()),
            Some(_) => Err(forbidden(
                "a request that a page of another site made".to_owned(),
                "pages of this computer may ask; see /hello".to_owned(),
            )),
        }
    }

    /// The secret that the request shows openly: in its address, or as programs do.
    pub(super) fn shown_token(&self) -> Result<Option<String>, Verdict> {
        let query = Query::<Vec<(String, String)>>::try_from_uri(self.uri);
        let query = query.map(|Query(query)| query).unwrap_or_default();
        let mut in_query = query.into_iter().filter(|(key, _)| key == "token");
        if let Some((_, token)) = in_query.next() {
            return match in_query.next() {
                None => Ok(Some(token)),
                Some(_) => Err(malformed("an address with two tokens")),
            };
        }
        let Some(value) = only(self.headers, header::AUTHORIZATION)? else {
            return Ok(None);
        };
        let bearer = value
            .split_once(' ')
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        Ok(bearer.map(|(_, token)| token.trim().to_owned()))
    }

    pub(super) fn cookie(&self) -> Option<&str> {
        let name = self.peer.cookie_name();
        let values = self.headers.get_all(header::COOKIE).iter();
        values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find_map(|(key, value)| (key == name).then_some(value))
    }
}

/// The value of a header that may come once.
pub(super) fn only(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, Verdict> {
    let mut values = headers.get_all(&name).iter();
    let Some(first) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(malformed(&format!("a request with two {name} headers")));
    }
    let text = first.to_str();
    text.map(Some)
        .map_err(|_| malformed(&format!("a {name} header that is not text")))
}
