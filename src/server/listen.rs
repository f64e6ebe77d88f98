//! The sockets on which connections come in.

use std::io;
use std::net::SocketAddr;

use anyhow::{Result, bail};
use tokio::net::{TcpListener, TcpSocket};

use super::config::ServerConfig;

/// Bytes that the system holds for a client that does not read; beyond, we know that it is slow.
const SEND_BUFFER: u32 = 64 << 10;

/// Connections that the system holds until we accept them.
const BACKLOG: u32 = 1024;

/// Listens on all addresses that were asked for.
///
/// # Errors
/// When one cannot be listened on, unless it is one of several whose family the system lacks.
pub(crate) fn all(config: &ServerConfig) -> Result<Vec<TcpListener>> {
    let mut listeners = Vec::new();
    for &address in &config.listen {
        match listen(address, config.any_family) {
            Ok(listener) => listeners.push(listener),
            Err(e) if config.any_family && lacks_family(&e) => {
                tracing::debug!(%address, "this system lacks the address family");
            }
            Err(e) => return Err(listen_error(e, address)),
        }
    }
    if listeners.is_empty() {
        bail!(
            "this system has neither 127.0.0.1 nor [::1] to listen on. Choose: --listen ADDR:PORT"
        );
    }
    Ok(listeners)
}

/// Whether a bridge could listen on each address of `config`; an address family that the system
/// lacks is passed over as it would be. Listens for a moment where it can.
pub(crate) fn may_listen(config: &ServerConfig) -> Vec<(SocketAddr, Result<()>)> {
    let mut all = Vec::new();
    for &address in &config.listen {
        match listen(address, config.any_family) {
            Ok(_) => all.push((address, Ok(()))),
            Err(error) if config.any_family && lacks_family(&error) => {}
            Err(error) => all.push((address, Err(listen_error(error, address)))),
        }
    }
    all
}

/// Listens; beside a listener for IPv4 if `is_one_of_two`.
fn listen(address: SocketAddr, is_one_of_two: bool) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }?;
    // Elsewhere the option would let two programs listen at once.
    if cfg!(unix) {
        socket.set_reuseaddr(true)?;
    }
    #[cfg(unix)]
    if is_one_of_two && address.is_ipv6() {
        rustix::net::sockopt::set_ipv6_v6only(&socket, true)?;
    }
    // Elsewhere than on Unix that is how it is anyway.
    #[cfg(not(unix))]
    let _ = is_one_of_two;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Systems say in many ways that they lack an address family, but in one that it is taken.
fn lacks_family(error: &io::Error) -> bool {
    !matches!(
        error.kind(),
        io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied
    )
}

fn listen_error(error: io::Error, address: SocketAddr) -> anyhow::Error {
    let port = address.port();
    if error.kind() == io::ErrorKind::AddrInUse {
        let other = SocketAddr::new(address.ip(), port.checked_add(1).unwrap_or(8080));
        return anyhow::anyhow!("port {port} is in use. Choose another: --listen {other}");
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
             all that it has: --listen 0.0.0.0:{port}"
        );
    }
    anyhow::Error::new(error).context(format!("cannot listen on {address}"))
}
