//! A TCP connection to a device, which notices when the other end has died: by the system's
//! keepalive while nothing is on its way, and else by what is not acknowledged.

use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

use crate::platform::{acknowledged, has_input, keep_alive};

/// The time for which a device may neither take what is written nor send anything. After it, the
/// connection counts as lost.
const STALL_TIMEOUT: Duration = Duration::from_secs(40);

/// The time between two looks at what was acknowledged, while something is on its way.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// The longest time to wait for the other end to take the last bytes when closing.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(200);

/// The bytes that are read and thrown away when closing, at most.
const MAX_UNREAD_READS: usize = 16;

/// A TCP connection to a device.
pub(crate) struct NetworkStream {
    stream: TcpStream,
    /// Bytes that the system took.
    written: u64,
    /// Bytes that the other end had taken when we looked last.
    acknowledged: u64,
    /// The time since which nothing was taken or sent.
    stalled_since: Instant,
    /// The time to look again; None while all was taken.
    check: Option<Pin<Box<Sleep>>>,
}

impl NetworkStream {
    pub(super) fn new(stream: TcpStream) -> Self {
        // Without either, it only works less well.
        let _ = stream.set_nodelay(true);
        if let Err(error) = keep_alive(&stream) {
            tracing::debug!(%error, "cannot watch the connection");
        }
        Self {
            stream,
            written: 0,
            acknowledged: 0,
            stalled_since: Instant::now(),
            check: None,
        }
    }

    /// Reads what is there.
    ///
    /// # Errors
    /// If there is nothing, or the connection has ended.
    pub(crate) fn try_read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.stream.try_read(bytes)
    }

    /// Writes what the system takes at once.
    ///
    /// # Errors
    /// If that is nothing, or the connection has ended.
    pub(crate) fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.stream.try_write(bytes)?;
        self.written += count as u64;
        Ok(count)
    }

    /// Returns true if there is something to read.
    pub(crate) fn has_input(&self) -> bool {
        has_input(&self.stream)
    }

    /// Ends the connection, so that the other end gets what was written. May block.
    pub(crate) fn close(self) {
        let Ok(stream) = self.stream.into_std() else {
            return;
        };
        let socket = SockRef::from(&stream);
        // What is not read would make the system break the connection off.
        let is_prepared = socket.shutdown(Shutdown::Write).is_ok()
            && socket.set_nonblocking(false).is_ok()
            && socket.set_read_timeout(Some(CLOSE_TIMEOUT)).is_ok();
        let mut rest = [0; 4096];
        let mut reads = 0..MAX_UNREAD_READS;
        while is_prepared
            && reads.next().is_some()
            && io::Read::read(&mut &stream, &mut rest).is_ok_and(|count| count > 0)
        {}
    }

    /// Fails if the other end has taken nothing and sent nothing for too long.
    fn check_progress(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let Some(check) = &mut self.check else {
            return Ok(());
        };
        let now = Instant::now();
        while check.as_mut().poll(cx).is_ready() {
            let state = acknowledged(&self.stream, self.written);
            if state.held == 0 {
                self.check = None;
                return Ok(());
            }
            if state.bytes != self.acknowledged {
                self.acknowledged = state.bytes;
                self.stalled_since = now;
            }
            if now - self.stalled_since >= STALL_TIMEOUT {
                let seconds = STALL_TIMEOUT.as_secs();
                let reason = format!("it has neither taken nor sent anything for {seconds} s");
                return Err(io::Error::other(reason));
            }
            check.as_mut().reset(now + CHECK_INTERVAL);
        }
        Ok(())
    }
}

/// Says in words for people why a connection ended.
fn explained(error: io::Error) -> io::Error {
    let reason = match error.kind() {
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
            "it broke off the connection"
        }
        ErrorKind::TimedOut => "it does not answer any more",
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
            "there is no way to it any more"
        }
        _ => return error,
    };
    io::Error::other(reason)
}

impl AsyncRead for NetworkStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_read(cx, buf) {
            Poll::Pending => {
                self.check_progress(cx)?;
                Poll::Pending
            }
            Poll::Ready(read) => {
                if self.check.is_some() {
                    self.stalled_since = Instant::now();
                }
                Poll::Ready(read.map_err(explained))
            }
        }
    }
}

impl AsyncWrite for NetworkStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes));
        let count = written.map_err(explained)?;
        self.written += count as u64;
        if self.check.is_none() {
            self.stalled_since = Instant::now();
            self.check = Some(Box::pin(sleep(CHECK_INTERVAL)));
        }
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
