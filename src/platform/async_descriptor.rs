//! Reads and writes a terminal by tokio: a serial port, or our side of a pseudo-terminal.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A descriptor in a tokio runtime. `T` owns it, and always names the same one.
pub(crate) struct AsyncDescriptor<T: AsRawFd>(AsyncFd<T>);

impl<T: AsRawFd> AsyncDescriptor<T> {
    /// Makes the descriptor non-blocking, and registers it.
    ///
    /// # Errors
    /// As the system reports them.
    pub(crate) fn new(owner: T) -> io::Result<Self> {
        let flags = fcntl_getfl(borrow(&owner))? | OFlags::NONBLOCK;
        fcntl_setfl(borrow(&owner), flags)?;
        // SAFETY: the owner keeps its descriptor open, and always names the same one.
        let registered = unsafe { AsyncFd::register(owner) };
        registered.map(Self).map_err(|error| error.into_parts().1)
    }

    /// Returns the owner of the descriptor.
    pub(crate) fn owner(&self) -> &T {
        self.0.get_ref()
    }

    /// Reads by `read` once there is something. None where the other end has closed, and has left
    /// nothing. Cancelling the wait loses nothing.
    ///
    /// # Errors
    /// As the system reports them.
    pub(crate) async fn read_by<R>(
        &self,
        mut read: impl FnMut(BorrowedFd<'_>) -> io::Result<R>,
    ) -> io::Result<Option<R>> {
        loop {
            let mut guard = self.0.readable().await?;
            // To tokio it stays closed, whatever it has been since then.
            let is_closed = guard.ready().is_read_closed();
            if let Ok(result) = guard.try_io(|owner| read(borrow(owner.get_ref()))) {
                return result.map(Some);
            }
            if is_closed {
                return Ok(None);
            }
        }
    }

    /// Reads once. `note_read` is told how many bytes there were, and for how many there was room; it may
    /// forget that the descriptor is readable.
    pub(crate) fn poll_read_and_note(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
        note_read: impl Fn(&mut AsyncFdReadyGuard<'_, T>, usize, usize),
    ) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.0.poll_read_ready(cx))?;
            let is_closed = guard.ready().is_read_closed();
            let unfilled = buf.initialize_unfilled();
            let room = unfilled.len();
            let read = guard.try_io(|owner| {
                let read = rustix::io::read(borrow(owner.get_ref()), &mut *unfilled);
                read.map_err(io::Error::from)
            });
            match read {
                Ok(Ok(count)) => {
                    note_read(&mut guard, count, room);
                    buf.advance(count);
                    return Poll::Ready(Ok(()));
                }
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(_would_block) if is_closed => return Poll::Ready(Ok(())),
                Err(_would_block) => {}
            }
        }
    }
}

impl<T: AsRawFd + Unpin> AsyncRead for AsyncDescriptor<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_read_and_note(cx, buf, |_, _, _| ())
    }
}

/// Flushing and shutting down do nothing: both would block until the last byte has left.
impl<T: AsRawFd + Unpin> AsyncWrite for AsyncDescriptor<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.0.poll_write_ready(cx))?;
            let is_closed = guard.ready().is_write_closed();
            let written = guard.try_io(|owner| {
                let written = rustix::io::write(borrow(owner.get_ref()), bytes);
                written.map_err(io::Error::from)
            });
            if let Ok(written) = written {
                return Poll::Ready(written);
            }
            if is_closed {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// For serial ports, which the library opens and sets up.
#[cfg(target_os = "linux")]
impl<T: AsRawFd> AsyncDescriptor<T> {
    /// Returns the owner of the descriptor, to be changed.
    pub(crate) fn owner_mut(&mut self) -> &mut T {
        self.0.get_mut()
    }

    /// Returns the descriptor.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        borrow(self.0.get_ref())
    }
}

fn borrow(owner: &impl AsRawFd) -> BorrowedFd<'_> {
    // SAFETY: the owner keeps its descriptor open, and is borrowed for as long as the result lives.
    unsafe { BorrowedFd::borrow_raw(owner.as_raw_fd()) }
}
