//! Tells in advance whether a page may connect, for users who want to know why it cannot.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::time::SystemTime;

use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};

use super::rejection::rejected_page;
use super::sessions::Sessions;
use super::{AccessState, Caller, Denial, Peer, Policy, RequestClass, Rights, origin, prompt};
use crate::platform;
use crate::server::ServerConfig;

/// Decides on a page of `origin` in a browser of this computer, as a server with this
/// configuration would.
///
/// # Errors
/// When the page may not connect, or not yet.
pub(crate) fn check(config: &ServerConfig, origin: &str) -> Result<Rights, Denial> {
    let rejected = || Denial::Reject(rejected_page(origin));
    let local = config.listen.first().ok_or_else(rejected)?.address;
    let value = |text: &str| HeaderValue::from_str(text).map_err(|_| rejected());
    let host = value(&format!("localhost:{}", local.port()))?;
    let headers = HeaderMap::from_iter([(header::HOST, host), (header::ORIGIN, value(origin)?)]);
    let caller = Caller {
        method: &Method::GET,
        uri: &Uri::from_static("/"),
        headers: &headers,
        class: RequestClass::WebSocket,
        peer: Peer {
            remote: Ipv4Addr::LOCALHOST.into(),
            local,
            is_encrypted: false,
        },
    };
    let policy = Policy::new(config, config.token.clone(), platform::computer_name());
    let state = AccessState {
        answers: &prompt::remembered(),
        sessions: &Sessions::default(),
        now: SystemTime::now(),
    };
    policy.decide(caller, state)
}

/// Returns true if a server with this configuration serves pages of `origin` to other computers: at
/// one of its TCP ports, under a name or an address of this computer.
pub(crate) fn is_own_page(config: &ServerConfig, origin: &str) -> bool {
    let origin::Origin::Web { is_secure, host } = origin::Origin::new(origin) else {
        return false;
    };
    let Some(name) = origin::host_name(host) else {
        return false;
    };
    let default_port = if is_secure { 443 } else { 80 };
    let after_name = host.trim_start_matches('[').strip_prefix(name);
    let port = after_name.and_then(|rest| rest.rsplit(':').next()?.parse().ok());
    let port = port.unwrap_or(default_port);
    let address = name.parse().ok().filter(is_own_address);
    config.lan.is_some()
        && config.listen.iter().any(|one| one.address.port() == port)
        && Policy::new(config, None, platform::computer_name())
            .is_own_name(address.unwrap_or(Ipv4Addr::UNSPECIFIED.into()), name)
}

/// Returns true if an interface of this computer has the address.
fn is_own_address(address: &IpAddr) -> bool {
    UdpSocket::bind((*address, 0)).is_ok()
}

/// Returns true if browsers consider pages of this origin to be on this computer: they come from a
/// web server on it, or from a file.
pub(crate) fn is_local(origin: &str) -> bool {
    origin == "null" || origin::Origin::new(origin).is_loopback()
}
