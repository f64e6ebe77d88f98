//! Tells how much of what was written to a TCP connection its peer has acknowledged. The rest waits
//! in our system's buffer or is on its way.

use tokio::net::TcpStream;

/// The state of what was written to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Acknowledged {
    /// Bytes that the peer has acknowledged. Only a difference to an earlier number has a meaning.
    pub(crate) bytes: u64,
    /// Bytes that the system still holds, because the peer has not acknowledged them.
    pub(crate) held: u64,
}

impl Acknowledged {
    /// Returns the state of a connection to which `written` bytes were written, of which the system
    /// still holds `held`.
    fn without(written: u64, held: u64) -> Self {
        Self {
            bytes: written.saturating_sub(held),
            held,
        }
    }

    /// Returns the state of a connection that takes at once what it takes, and of one about which the
    /// system tells nothing.
    pub(crate) fn all(written: u64) -> Self {
        Self::without(written, 0)
    }
}

/// Returns the state of `stream`, to which `written` bytes were written. Costs a system call.
pub(crate) fn acknowledged(stream: &TcpStream, written: u64) -> Acknowledged {
    os::acknowledged(stream, written).unwrap_or_else(|| Acknowledged::all(written))
}

/// Asks for the length of the send queue, from which bytes go once they are acknowledged.
#[cfg(unix)]
mod os {
    use std::ffi::c_int;
    use std::os::fd::AsRawFd;

    use tokio::net::TcpStream;

    use super::Acknowledged;

    pub(super) fn acknowledged(stream: &TcpStream, written: u64) -> Option<Acknowledged> {
        let held = u64::try_from(send_queue(stream)?).ok()?;
        Some(Acknowledged::without(written, held))
    }

    /// Linux has this as `SIOCOUTQ`, which is the same number (tcp(7)).
    #[cfg(not(target_vendor = "apple"))]
    fn send_queue(stream: &TcpStream) -> Option<c_int> {
        let mut held: c_int = 0;
        // SAFETY: the call writes one `c_int`, to which the pointer leads, and the descriptor is open.
        let done = unsafe { libc::ioctl(stream.as_raw_fd(), libc::TIOCOUTQ, &raw mut held) };
        (done == 0).then_some(held)
    }

    /// macOS has this as a socket option (`sys/socket.h`).
    #[cfg(target_vendor = "apple")]
    fn send_queue(stream: &TcpStream) -> Option<c_int> {
        let mut held: c_int = 0;
        let mut size = size_of_val(&held) as libc::socklen_t;
        // SAFETY: the call writes at most `size` bytes, to which the first pointer leads, and the
        // descriptor is open.
        let done = unsafe {
            libc::getsockopt(
                stream.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_NWRITE,
                (&raw mut held).cast(),
                &raw mut size,
            )
        };
        (done == 0).then_some(held)
    }
}

/// Asks for the counters of the connection, which Windows 10 has since version 1703. They tell nothing
/// of bytes that were not sent yet.
#[cfg(windows)]
mod os {
    use std::mem::MaybeUninit;
    use std::os::windows::io::AsRawSocket;
    use std::ptr::null_mut;

    use tokio::net::TcpStream;
    use windows_sys::Win32::Networking::WinSock::{SIO_TCP_INFO, SOCKET, TCP_INFO_v0, WSAIoctl};

    use super::Acknowledged;

    pub(super) fn acknowledged(stream: &TcpStream, _written: u64) -> Option<Acknowledged> {
        let info = tcp_info(stream)?;
        // It is not documented whether bytes that were sent again count twice. They are taken off,
        // so that sending them to a peer that has vanished is no progress.
        let sent = info.BytesOut.saturating_sub(info.BytesRetrans.into());
        Some(Acknowledged::without(sent, info.BytesInFlight.into()))
    }

    fn tcp_info(stream: &TcpStream) -> Option<TCP_INFO_v0> {
        let version = 0_u32;
        let mut info = MaybeUninit::<TCP_INFO_v0>::zeroed();
        let mut length = 0;
        // SAFETY: the call reads the four bytes of `version` and writes at most the size of `info`,
        // both of which outlive it, and the socket is open.
        let failed = unsafe {
            WSAIoctl(
                stream.as_raw_socket() as SOCKET,
                SIO_TCP_INFO,
                (&raw const version).cast(),
                size_of_val(&version) as u32,
                info.as_mut_ptr().cast(),
                size_of::<TCP_INFO_v0>() as u32,
                &raw mut length,
                null_mut(),
                None,
            )
        };
        let is_whole = failed == 0 && length as usize == size_of::<TCP_INFO_v0>();
        // SAFETY: zeroes are valid for each of its fields, and the call may have written others.
        is_whole.then(|| unsafe { info.assume_init() })
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn what_the_peer_takes_is_acknowledged_and_the_rest_waits() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let ours = TcpStream::connect(address).await.unwrap();
        let (mut theirs, _) = listener.accept().await.unwrap();
        assert_eq!(acknowledged(&ours, 0).held, 0);
        ours.writable().await.unwrap();
        let mut written = 0;
        while let Ok(count) = ours.try_write(&[0; 1 << 16]) {
            written += count as u64;
        }
        let before = acknowledged(&ours, written);
        assert!(before.held > 0, "{before:?}");
        let mut taken = vec![0; written as usize];
        theirs.read_exact(&mut taken).await.unwrap();
        while acknowledged(&ours, written).held > 0 {
            tokio::task::yield_now().await;
        }
        let after = acknowledged(&ours, written);
        assert!(after.bytes > before.bytes, "{before:?}, {after:?}");
    }
}
