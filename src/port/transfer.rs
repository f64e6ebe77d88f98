//! Reads and writes an open device, in turn, so that neither direction starves the other.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::device::Device;
use super::source::serial::os;

/// Bytes that are read at once, and so the most of one event. A tty on Linux hands out no more;
/// where there is more, the rest comes with the next read.
const READ_BUFFER_BYTES: usize = 4 << 10;

/// A device with the buffer that it is read into.
pub(crate) struct Transfer {
    pub(crate) device: Box<dyn Device>,
    buffer: Box<[u8]>,
    /// True if writing is tried before reading.
    writes_first: bool,
    /// True if the next step is to tell whether there is nothing to read.
    pub(crate) reports_silence: bool,
}

/// The bytes that went one way in one step.
pub(crate) enum Step {
    /// So many were read; none at the end of the device.
    Read(usize),
    /// So many were written.
    Wrote(usize),
    /// There is nothing to read, which was to be reported.
    Silent,
}

impl Transfer {
    /// Starts with a device that was just opened.
    pub(crate) fn new(device: Box<dyn Device>) -> Self {
        Self {
            device,
            buffer: vec![0; READ_BUFFER_BYTES].into(),
            writes_first: false,
            reports_silence: false,
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
                if self.reports_silence && !self.device.has_input() {
                    return Poll::Ready(Ok(Step::Silent));
                }
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
