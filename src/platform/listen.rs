//! Listens on a TCP address, with the options that each system needs.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

/// Bytes that the system buffers for a connection. At the limit, writing to it waits, which is how we
/// notice that a client is slow.
const SEND_BUFFER_BYTES: u32 = 64 << 10;

/// Listens on an address. The system holds as many as `backlog` connections until they are accepted.
/// `is_one_of_two` leaves the same TCP port of IPv4 to another socket.
///
/// # Errors
/// As the system reports them.
pub(crate) fn listen(
    address: SocketAddr,
    is_one_of_two: bool,
    backlog: u32,
) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // On Windows the option would let two programs listen at once.
    if cfg!(unix) {
        socket.set_reuseaddr(true)?;
    }
    #[cfg(unix)]
    if is_one_of_two && address.is_ipv6() {
        rustix::net::sockopt::set_ipv6_v6only(&socket, true)?;
    }
    // On Windows, a socket for IPv6 is for IPv6 only by default.
    #[cfg(not(unix))]
    let _ = is_one_of_two;
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.bind(address)?;
    socket.listen(backlog)
}

/// Returns true if the system lacks the address family. Systems have many errors for that, but one
/// each for an address in use and for a missing permission.
pub(crate) fn lacks_address_family(error: &io::Error) -> bool {
    !matches!(
        error.kind(),
        ErrorKind::AddrInUse | ErrorKind::PermissionDenied
    )
}
