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
    /// True if writing is tried before reading.
    writes_first: bool,
    /// The end of the silence that would show the first byte to begin a line; None after it.
    pub(crate) silence_end: Option<Instant>,
    /// True if the device was seen to have nothing to say after that silence. The time alone does
    /// not tell: on a busy machine a byte may have come long before it is read.
    pub(crate) was_silent: bool,
}

/// The bytes that went one way in one step.
pub(crate) enum Step {
    /// So many were read; none at the end of the device.
    Read(usize),
    /// So many were written.
    Wrote(usize),
}

impl Transfer {
    /// Starts with a device that was just opened.
    pub(crate) fn new(device: Box<dyn Device>) -> Self {
        Self {
            device,
            buffer: vec![0; READ_BUFFER_BYTES].into(),
            writes_first: false,
            silence_end: Some(Instant::now() + MIN_SILENCE),
            was_silent: false,
        }
    }

    /// Returns the first `count` bytes that were read last.
    pub(crate) fn read(&self, count: usize) -> &[u8] {
        &self.buffer[..count]
    }

    /// Reads, or writes some of `unwritten`, whichever the device is ready for.
    pub(crate) async fn step(
        &mut self,
        unwritten: Option<&[u8]>,
        may_read: bool,
    ) -> io::Result<Step> {
        poll_fn(|cx| {
            if self.writes_first
                && let Poll::Ready(wrote) = self.poll_write(cx, unwritten)
            {
                return Poll::Ready(wrote);
            }
            if may_read {
                if let Poll::Ready(read) = self.poll_read(cx) {
                    return Poll::Ready(read);
                }
                self.was_silent |= self.silence_end.is_none();
            }
            if self.writes_first {
                return Poll::Pending;
            }
            self.poll_write(cx, unwritten)
        })
        .await
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Step>> {
        let mut buffer = ReadBuf::new(&mut self.buffer);
        ready!(Pin::new(&mut self.device).poll_read(cx, &mut buffer))?;
        let count = buffer.filled().len();
        self.writes_first = true;
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
                self.writes_first = false;
                Poll::Ready(Ok(Step::Wrote(count)))
            }
        }
    }
}
