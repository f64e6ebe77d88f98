//! The TCP sockets that the server listens on.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Result, ensure};
use tokio::net::TcpListener;

use super::config::{ListenAddress, ServerConfig};
use crate::platform;

/// Connections that the system holds until we accept them; it drops or refuses more.
const MAX_BACKLOG: u32 = 1024;

/// The TCP sockets of the server.
pub(crate) struct Listeners {
    /// Those for everything.
    pub(crate) web: Vec<TcpListener>,
    /// Those for sketches of p5.serialport.
    pub(crate) p5: Vec<TcpListener>,
}

/// The flag that an address to listen on belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ListenFlag {
    /// `--listen`.
    Listen,
    /// `--p5`.
    P5,
}

/// Listens on all configured addresses.
///
/// # Errors
/// When an address cannot be listened on, unless another one can and the system lacks the address
/// family of this one.
pub(crate) fn all(config: &ServerConfig) -> Result<Listeners> {
    let all = |addresses: &[ListenAddress], flag: ListenFlag| {
        let listeners = try_all(addresses, flag);
        let listeners = listeners.map(|(_, listener)| listener);
        let listeners = listeners.collect::<Result<Vec<_>>>()?;
        ensure!(
            !listeners.is_empty() || addresses.is_empty(),
            "this system has neither 127.0.0.1 nor [::1] to listen on. Choose an address: --listen \
             ADDR:PORT"
        );
        Ok(listeners)
    };
    Ok(Listeners {
        web: all(&config.listen, ListenFlag::Listen)?,
        p5: all(&config.p5, ListenFlag::P5)?,
    })
}

/// Tries to listen on each configured address. Leaves out addresses whose family the system lacks,
/// where either of two families will do.
pub(crate) fn try_each(config: &ServerConfig) -> Vec<(SocketAddr, Result<TcpListener>)> {
    let p5 = try_all(&config.p5, ListenFlag::P5);
    try_all(&config.listen, ListenFlag::Listen)
        .chain(p5)
        .collect()
}

fn try_all(
    addresses: &[ListenAddress],
    flag: ListenFlag,
) -> impl Iterator<Item = (SocketAddr, Result<TcpListener>)> {
    let try_listen = move |one: &ListenAddress| match (
        platform::listen(one.address, one.is_one_of_two, MAX_BACKLOG),
        one.address,
    ) {
        (Err(error), address) if one.is_one_of_two && platform::lacks_address_family(&error) => {
            tracing::debug!(%address, "this system lacks the address family");
            None
        }
        (Err(error), address) => Some((address, Err(listen_error(error, address, flag)))),
        (Ok(listener), address) => Some((address, Ok(listener))),
    };
    addresses.iter().filter_map(try_listen)
}

/// Returns the addresses that listeners cover. A socket for all addresses of IPv6 may be for those of IPv4,
/// too.
pub(crate) fn covered(listeners: &[TcpListener]) -> Vec<SocketAddr> {
    let mut covered = Vec::new();
    for listener in listeners {
        let Ok(address) = listener.local_addr() else {
            continue;
        };
        covered.push(address);
        if address.is_ipv6() && address.ip().is_unspecified() && is_for_both_families(listener) {
            covered.push(SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port())));
        }
    }
    covered
}

#[cfg(unix)]
fn is_for_both_families(listener: &TcpListener) -> bool {
    rustix::net::sockopt::ipv6_v6only(listener).is_ok_and(|is_for_one| !is_for_one)
}

/// Returns false: on Windows, a socket for IPv6 is for IPv6 only by default.
#[cfg(not(unix))]
fn is_for_both_families(_listener: &TcpListener) -> bool {
    false
}

/// An address on which another program listens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AddressInUse {
    /// The address.
    pub(crate) address: SocketAddr,
    flag: ListenFlag,
}

impl AddressInUse {
    /// Returns a sentence with the flag that listens elsewhere.
    pub(crate) fn advice(self) -> String {
        let port = self.address.port().checked_add(10).unwrap_or(8090);
        if self.flag == ListenFlag::P5 {
            return format!(
                "End that program, or choose another: --p5={port}, and in the sketch new \
                 p5.SerialPort(\"localhost\", {port})"
            );
        }
        if self.address.ip().is_loopback() {
            return format!("Choose another: --listen {port}");
        }
        let address = SocketAddr::new(self.address.ip(), port);
        format!("Choose another: --listen {address}")
    }
}

impl fmt::Display for AddressInUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.address.port();
        write!(f, "TCP port {port} is in use. {}", self.advice())
    }
}

impl std::error::Error for AddressInUse {}

fn listen_error(error: io::Error, address: SocketAddr, flag: ListenFlag) -> anyhow::Error {
    let port = address.port();
    if error.kind() == io::ErrorKind::AddrInUse {
        return AddressInUse { address, flag }.into();
    }
    if error.kind() == io::ErrorKind::PermissionDenied {
        let other = SocketAddr::new(address.ip(), 8080);
        return anyhow::anyhow!(
            "cannot listen on {address}: permission denied. Choose another: --listen {other}"
        );
    }
    if error.kind() == io::ErrorKind::AddrNotAvailable {
        return anyhow::anyhow!(
            "cannot listen on {address}: this computer does not have that address. To listen on \
             all of its addresses: --listen 0.0.0.0:{port}"
        );
    }
    anyhow::Error::new(error).context(format!("cannot listen on {address}"))
}
