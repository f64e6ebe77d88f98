//! Asks the system to notice when the other end of a TCP connection has vanished.

use std::io;
use std::mem::MaybeUninit;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// The silence after which the system asks the other end whether it is still there.
const KEEPALIVE_DELAY: Duration = Duration::from_secs(10);

/// The time between two such questions.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);

/// The questions without an answer after which the connection is lost.
const MAX_UNANSWERED: u32 = 3;

/// Has the system end a connection whose other end does not answer any more. It asks only while
/// nothing is on its way to that end.
///
/// # Errors
/// If the system cannot.
pub(crate) fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_DELAY)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(MAX_UNANSWERED);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

/// Returns true if there is something to read, or the connection has ended.
pub(crate) fn has_input(stream: &TcpStream) -> bool {
    let mut byte = [MaybeUninit::uninit(); 1];
    !matches!(
        SockRef::from(stream).peek(&mut byte),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock
    )
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn input_is_seen_without_being_read_and_connections_are_watched() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap());
        let ours = ours.await.unwrap();
        let (mut theirs, _) = listener.accept().await.unwrap();
        keep_alive(&ours).unwrap();
        assert!(SockRef::from(&ours).keepalive().unwrap());
        assert!(!has_input(&ours));
        theirs.write_all(b"x").await.unwrap();
        ours.readable().await.unwrap();
        assert!(has_input(&ours));
        assert!(has_input(&ours));
    }
}
