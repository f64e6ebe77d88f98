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

/// Reads before a question is written although there may be more to read: a device that sends without
/// end is asked all the same.
const MAX_READS_FIRST: u8 = 16;

/// A device with the buffer that it is read into.
pub(crate) struct Transfer {
    pub(crate) device: Box<dyn Device>,
    buffer: Box<[u8]>,
    /// True if writing is tried before reading.
    writes_first: bool,
    /// The number of reads that may still go before the next write.
    reads_first: u8,
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
            reads_first: 0,
            reports_silence: false,
        }
    }

    /// Returns the first `count` bytes that were read last.
    pub(crate) fn read(&self, count: usize) -> &[u8] {
        &self.buffer[..count]
    }

    /// Has the next write wait until there is nothing to read.
    pub(crate) fn read_first(&mut self) {
        self.reads_first = MAX_READS_FIRST;
    }

    /// Reads, or writes some of `unwritten`, whichever the device is ready for.
    pub(crate) async fn step(
        &mut self,
        unwritten: Option<&[u8]>,
        may_read: bool,
    ) -> io::Result<Step> {
        let reads_first = self.reads_first > 0;
        // What cannot be read now came before, too.
        let unwritten = unwritten.filter(|_| may_read || !reads_first);
        poll_fn(|cx| {
            if self.writes_first
                && !reads_first
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
                if reads_first && self.device.has_input() {
                    return Poll::Pending;
                }
            }
            if self.writes_first && !reads_first {
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
        self.reads_first = self.reads_first.saturating_sub(1);
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
                self.reads_first = 0;
                Poll::Ready(Ok(Step::Wrote(count)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    /// What went which way in one step.
    async fn step(transfer: &mut Transfer) -> Option<bool> {
        let step = transfer.step(Some(b"?"), true).now_or_never()?;
        Some(matches!(step, Ok(Step::Read(1..))))
    }

    #[tokio::test]
    async fn before_a_question_everything_is_read_that_there_is() {
        let (mut board, device) = duplex(1 << 20);
        let mut transfer = Transfer::new(Box::new(device));
        board
            .write_all(&[b'x'; 3 * READ_BUFFER_BYTES])
            .await
            .unwrap();
        // Reading and writing take turns, but for a question.
        let [read, wrote] = [step(&mut transfer).await, step(&mut transfer).await];
        assert_eq!([read, wrote], [Some(true), Some(false)]);
        transfer.read_first();
        for expected in [true, true, false] {
            assert_eq!(step(&mut transfer).await, Some(expected));
        }
        let mut written = [0; 2];
        board.read_exact(&mut written).await.unwrap();
    }

    #[tokio::test]
    async fn a_device_that_sends_without_end_is_asked_all_the_same() {
        let (mut board, device) = duplex(1 << 20);
        let mut transfer = Transfer::new(Box::new(device));
        transfer.read_first();
        let mut reads = 0;
        loop {
            board.write_all(&[b'x'; READ_BUFFER_BYTES]).await.unwrap();
            match step(&mut transfer).await {
                Some(true) => reads += 1,
                _ => break,
            }
        }
        assert_eq!(reads, usize::from(MAX_READS_FIRST));
    }

    #[tokio::test]
    async fn a_question_waits_while_reading_pauses() {
        let (_board, device) = duplex(64);
        let mut transfer = Transfer::new(Box::new(device));
        transfer.read_first();
        assert!(transfer.step(Some(b"?"), false).now_or_never().is_none());
        transfer.reads_first = 0;
        let wrote = transfer.step(Some(b"?"), false).now_or_never();
        assert!(matches!(wrote, Some(Ok(Step::Wrote(1)))));
    }
}
