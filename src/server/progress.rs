//! The progress of a connection: whether its peer takes what is written to it. Data that leaves our
//! program is not enough, because the system buffers it also for a peer that has vanished.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::platform::{self, Acknowledged};

/// Time between two looks at a connection for which something waits.
pub(crate) const LOOK_INTERVAL: Duration = Duration::from_secs(10);

/// A connection that can be asked how much its peer has acknowledged.
pub(crate) trait ReportsProgress {
    /// Returns the state of what was written to the connection. Costs a system call.
    fn acknowledged(&self) -> Acknowledged;

    /// Has the system end the connection if its peer has vanished, also while nothing is sent.
    fn keep_alive(&self) {}
}

impl<S: ReportsProgress + ?Sized> ReportsProgress for Box<S> {
    fn acknowledged(&self) -> Acknowledged {
        (**self).acknowledged()
    }

    fn keep_alive(&self) {
        (**self).keep_alive();
    }
}

/// A connection that counts what is written to it.
pub(crate) struct CountedStream<S> {
    stream: S,
    written: u64,
    ask: fn(&S, u64) -> Acknowledged,
    keep_alive: fn(&S) -> io::Result<()>,
}

impl CountedStream<TcpStream> {
    /// Counts what is written to a TCP connection.
    pub(crate) fn tcp(stream: TcpStream) -> Self {
        Self {
            stream,
            written: 0,
            ask: platform::acknowledged,
            keep_alive: platform::keep_alive,
        }
    }
}

impl<S> CountedStream<S> {
    /// Counts what is written to `stream`, which takes at once what it takes.
    pub(crate) fn unbuffered(stream: S) -> Self {
        Self {
            stream,
            written: 0,
            ask: |_, written| Acknowledged::all(written),
            keep_alive: |_| Ok(()),
        }
    }

    fn count(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(count)) = written {
            self.written += count as u64;
        }
        written
    }
}

impl<S> ReportsProgress for CountedStream<S> {
    fn acknowledged(&self) -> Acknowledged {
        (self.ask)(&self.stream, self.written)
    }

    fn keep_alive(&self) {
        if let Err(error) = (self.keep_alive)(&self.stream) {
            tracing::debug!(%error, "cannot watch the connection");
        }
    }
}

#[cfg(feature = "tls")]
impl<S: ReportsProgress> ReportsProgress for tokio_rustls::server::TlsStream<S> {
    fn acknowledged(&self) -> Acknowledged {
        self.get_ref().0.acknowledged()
    }

    fn keep_alive(&self) {
        self.get_ref().0.keep_alive();
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for CountedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for CountedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.count(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.count(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Measures for how long a peer has taken nothing.
pub(crate) struct Stall {
    bytes: u64,
    since: Instant,
}

impl Stall {
    /// Starts measuring a connection in this state.
    pub(crate) fn new(state: Acknowledged, now: Instant) -> Self {
        Self {
            bytes: state.bytes,
            since: now,
        }
    }

    /// Returns for how long the peer has taken nothing although something waited (`is_waiting`), as far
    /// as looks show it: from the first one at which there was no progress.
    pub(crate) fn look(&mut self, state: Acknowledged, is_waiting: bool, now: Instant) -> Duration {
        if state.bytes > self.bytes || !is_waiting {
            self.since = now;
        }
        self.bytes = state.bytes;
        now.duration_since(self.since)
    }
}

#[cfg(test)]
mod tests {
    use socket2::SockRef;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_boxed_connection_is_watched_once_it_was_asked_for() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let connected = TcpStream::connect(listener.local_addr().unwrap()).await;
        let stream = Box::new(CountedStream::tcp(connected.unwrap()));
        assert!(!SockRef::from(&stream.stream).keepalive().unwrap());
        let boxed: &Box<_> = &stream;
        ReportsProgress::keep_alive(boxed);
        assert!(SockRef::from(&stream.stream).keepalive().unwrap());
    }

    #[test]
    fn a_peer_is_stalled_from_the_last_look_with_progress() {
        let start = Instant::now();
        let mut stall = Stall::new(Acknowledged::all(0), start);
        // At this second, so many bytes were taken, and some wait; stalled for so long.
        let looks = [
            (10, 5, true, 0),
            (20, 5, true, 10),
            (30, 6, true, 0),
            (70, 6, true, 40),
            (80, 6, false, 0),
            (90, 6, true, 10),
            // As on Windows, where what is sent again is taken off.
            (100, 4, true, 20),
            (110, 5, true, 0),
        ];
        for (second, bytes, is_waiting, expected) in looks {
            let now = start + Duration::from_secs(second);
            let stalled = stall.look(Acknowledged::all(bytes), is_waiting, now);
            assert_eq!(stalled.as_secs(), expected, "at {second} s");
        }
    }
}
