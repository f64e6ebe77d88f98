//! The addresses of the server as people open them: on this computer, and on others.

use std::net::SocketAddr;
use std::sync::PoisonError;

use super::access::origin;
use super::lan::addresses::{self, Reachable};
use super::{App, Token};
use crate::platform;

impl App {
    /// Returns the address of the page at a listener, for a browser of this computer, with the
    /// token where it needs one.
    pub(super) fn page(&self, listener: SocketAddr, token: Option<&Token>) -> String {
        let ip = listener.ip().to_canonical();
        let is_local = ip.is_unspecified() || origin::is_loopback(&ip.to_string());
        let host = if is_local {
            format!("localhost:{}", listener.port())
        } else {
            listener.to_string()
        };
        let token = token.filter(|_| self.policy.token_for_all || !is_local);
        self.url(&host, is_local, token)
    }

    /// Returns the address of the page at `host`, a name or address with its TCP port.
    fn url(&self, host: &str, is_local: bool, token: Option<&Token>) -> String {
        let is_encrypted = self.is_encrypted() && !is_local;
        let scheme = if is_encrypted { "https" } else { "http" };
        let query = token.map(|token| format!("?token={}", token.in_address()));
        format!("{scheme}://{host}/{}", query.unwrap_or_default())
    }

    /// Returns the addresses by which other computers reach it now, the best one first.
    pub(super) fn reachable(&self) -> Vec<Reachable> {
        let networks = platform::network_addresses();
        let mut found = addresses::reachable(&self.covered, &networks, addresses::outbound());
        let name = self.name.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(name) = &*name {
            addresses::add_name(&mut found, name, &self.covered);
        }
        found
    }

    /// Sets the name by which other computers find this one.
    pub(super) fn set_name(&self, name: Option<String>) {
        *self.name.lock().unwrap_or_else(PoisonError::into_inner) = name;
    }

    /// Returns the address of the page for other computers, or of the first port for programs.
    pub(super) fn url_for_others(&self, address: &Reachable, token: Option<&Token>) -> String {
        let url = self.url(&address.host, false, token);
        match url.strip_prefix("http") {
            Some(rest) if address.is_for_programs => format!("ws{rest}"),
            _ => url,
        }
    }
}
