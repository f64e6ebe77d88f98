//! A program that runs, as an open device.

use std::io;
use std::pin::Pin;
use std::process::ExitStatus;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::process::Child;
use tokio::task::JoinHandle;
use tokio::time::{Sleep, sleep};

use crate::platform::{ProcessGroup, end_reason};
use crate::port::device::Device;

/// The time that a program has to end after it was asked to. Then it is killed.
const END_GRACE: Duration = Duration::from_secs(2);

/// The longest time that closing takes: the program's, and a moment for the system.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(2500);

/// The time that a program has to end after it has closed its output. Then that is its end.
const CLOSED_OUTPUT_GRACE: Duration = Duration::from_secs(1);

/// The bytes that are still read after a program has ended, which is more than its pipe holds. What
/// it has started may go on writing.
const MAX_REST_BYTES: usize = 1 << 20;

/// A program that runs.
pub(super) struct ProgramDevice {
    /// Its standard input; None once it reads no more.
    input: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    /// Its standard output.
    output: Box<dyn AsyncRead + Send + Unpin>,
    /// Waits for its end.
    exit: JoinHandle<io::Result<ExitStatus>>,
    group: Option<ProcessGroup>,
    /// The time by which it must end, once it has closed its output.
    closed: Option<Pin<Box<Sleep>>>,
    /// The way it ended, once it has.
    end: Option<String>,
    /// The bytes read since its end.
    rest: usize,
}

impl ProgramDevice {
    pub(super) fn new(
        input: Box<dyn AsyncWrite + Send + Unpin>,
        output: Box<dyn AsyncRead + Send + Unpin>,
        mut child: Child,
        group: ProcessGroup,
    ) -> Self {
        Self {
            input: Some(input),
            output,
            exit: tokio::spawn(async move { child.wait().await }),
            group: Some(group),
            closed: None,
            end: None,
            rest: 0,
        }
    }

    /// Looks for the end of the program, once.
    fn look_for_end(&mut self, cx: &mut Context<'_>) {
        if self.end.is_none()
            && let Poll::Ready(ended) = Pin::new(&mut self.exit).poll(cx)
        {
            let status = ended.ok().and_then(Result::ok);
            self.end = Some(status.map_or_else(|| "ended".to_owned(), end_reason));
        }
    }

    /// Reads what the program has written. Ready with nothing when it has closed its output.
    fn poll_output(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<()> {
        // A terminal that its program has closed cannot be read.
        let _ = ready!(Pin::new(&mut self.output).poll_read(cx, buf));
        Poll::Ready(())
    }
}

impl Device for ProgramDevice {
    fn end_reason(&self) -> String {
        let end = self.end.as_deref();
        end.unwrap_or("closed its output").to_owned()
    }

    fn close_timeout(&self) -> Duration {
        CLOSE_TIMEOUT
    }

    fn close(mut self: Box<Self>) {
        self.input = None;
        if let Some(group) = self.group.take() {
            group.end(END_GRACE);
        }
    }
}

impl AsyncRead for ProgramDevice {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Before it is read, so that what it wrote last is found.
        self.look_for_end(cx);
        if self.closed.is_none() && self.rest < MAX_REST_BYTES {
            let before = buf.filled().len();
            if self.poll_output(cx, buf).is_ready() {
                let count = buf.filled().len() - before;
                if count > 0 {
                    self.rest += if self.end.is_some() { count } else { 0 };
                    return Poll::Ready(Ok(()));
                }
                self.closed = Some(Box::pin(sleep(CLOSED_OUTPUT_GRACE)));
            }
        }
        let is_late = |closed: &mut Pin<Box<Sleep>>| closed.as_mut().poll(cx).is_ready();
        if self.end.is_some() || self.closed.as_mut().is_some_and(is_late) {
            return Poll::Ready(Ok(()));
        }
        Poll::Pending
    }
}

impl AsyncWrite for ProgramDevice {
    /// A program that has closed its input takes nothing any more, as a device that does not read.
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Some(input) = &mut self.input else {
            return Poll::Pending;
        };
        match ready!(Pin::new(input).poll_write(cx, bytes)) {
            Ok(count) => Poll::Ready(Ok(count)),
            Err(error) => {
                tracing::debug!(%error, "a program reads no more");
                self.input = None;
                Poll::Pending
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
