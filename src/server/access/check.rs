//! Tells in advance whether a page may connect, for users who want to know why it cannot.

use std::net::Ipv4Addr;

use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};

use super::rejection::rejected_page;
use super::{Caller, Denial, Peer, Policy, RequestClass, Rights, origin, prompt};
use crate::server::ServerConfig;

/// Decides on a page of `origin` in a browser of this computer, as a server with this
/// configuration would.
///
/// # Errors
/// When the page may not connect, or not yet.
pub(crate) fn check(config: &ServerConfig, origin: &str) -> Result<Rights, Denial> {
    let rejected = || Denial::Reject(rejected_page(origin));
    let local = config.listen.first().copied().ok_or_else(rejected)?;
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
    Policy::new(config, config.token.clone()).decide(caller, &prompt::remembered())
}

/// Returns true if browsers consider pages of this origin to be on this computer: they come from a
/// web server on it, or from a file.
pub(crate) fn is_local(origin: &str) -> bool {
    origin == "null" || origin::Origin::new(origin).is_loopback()
}
