//! Reads and writes an open device, in turn, so that neither direction starves the other.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::device::Device;
use super::source::serial::os;

/// Bytes that are read at once. A tty hands out at most 4 KiB on Linux, other systems more.
const READ_BUFFER_BYTES: usize = 64 << 10;

/// The silence before a first byte that shows it to begin a line.
const MIN_SILENCE: Duration = Duration::from_millis(50);

/// A device with the buffer that it is read into.
pub(crate) struct Transfer {
    pub(crate) device: Box<dyn Device>,
    buffer: Box<[u8]>,
    next: Direction,
    silence: Silence,
}

/// The bytes that went one way in one step.
pub(crate) enum Step {
    /// So many were read; none at the end of the device.
    Read(usize),
    /// So many were written.
    Wrote(usize),
}

/// The direction to try first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Read,
    Write,
}

/// The silence before the first byte. It counts only if the device was seen to have nothing to say
/// after it: on a busy machine a byte may have come long before it is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Silence {
    /// Long enough from then on, if nothing comes.
    Until(Instant),
    /// Long enough, if nothing has come.
    Over,
    /// Long enough, and nothing had come.
    Seen,
}

impl Transfer {
    /// Starts with a device that was just opened.
    pub(crate) fn new(device: Box<dyn Device>) -> Self {
        Self {
            device,
            buffer: vec![0; READ_BUFFER_BYTES].into(),
            next: Direction::Read,
            silence: Silence::Until(Instant::now() + MIN_SILENCE),
        }
    }

    /// Returns the first `count` bytes that were read last.
    pub(crate) fn read(&self, count: usize) -> &[u8] {
        &self.buffer[..count]
    }

    /// Returns whether a silence was seen that shows the first byte to begin a line.
    pub(crate) fn was_silent(&self) -> bool {
        self.silence == Silence::Seen
    }

    /// Returns when to call [`Transfer::on_deadline`].
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.silence {
            Silence::Until(end) => Some(end),
            Silence::Over | Silence::Seen => None,
        }
    }

    /// Notes that the silence was long enough, if it was.
    pub(crate) fn on_deadline(&mut self, now: Instant) {
        if self.deadline().is_some_and(|end| end <= now) {
            self.silence = Silence::Over;
        }
    }

    /// Reads, or writes some of `unwritten`, whichever the device is ready for.
    pub(crate) async fn step(
        &mut self,
        unwritten: Option<&[u8]>,
        may_read: bool,
    ) -> io::Result<Step> {
        poll_fn(|cx| {
            if self.next == Direction::Write
                && let Poll::Ready(wrote) = self.poll_write(cx, unwritten)
            {
                return Poll::Ready(wrote);
            }
            if may_read {
                match self.poll_read(cx) {
                    Poll::Ready(read) => return Poll::Ready(read),
                    Poll::Pending if self.silence == Silence::Over => self.silence = Silence::Seen,
                    Poll::Pending => {}
                }
            }
            match self.next {
                Direction::Read => self.poll_write(cx, unwritten),
                Direction::Write => Poll::Pending,
            }
        })
        .await
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Step>> {
        let mut buffer = ReadBuf::new(&mut self.buffer);
        ready!(Pin::new(&mut self.device).poll_read(cx, &mut buffer))?;
        let count = buffer.filled().len();
        self.next = Direction::Write;
        Poll::Ready(Ok(Step::Read(count)))
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        unwritten: Option<&[u8]>,
    ) -> Poll<io::Result<Step>> {
        let Some(bytes) = unwritten else {
            return Poll::Pending;
        };
        let piece = os::write_chunk(bytes);
        match ready!(Pin::new(&mut self.device).poll_write(cx, piece))? {
            0 => Poll::Ready(Err(ErrorKind::WriteZero.into())),
            count => {
                self.next = Direction::Read;
                Poll::Ready(Ok(Step::Wrote(count)))
            }
        }
    }
}
