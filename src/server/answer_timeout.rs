//! Ends a connection whose client does not take its HTTP answer.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Time for which a connection may take nothing of an answer; at the limit it is closed.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection that fails when it has taken nothing for too long.
pub(crate) struct AnswerTimeout<S> {
    stream: S,
    /// The end of the time, while the connection takes nothing.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<S> AnswerTimeout<S> {
    /// Watches over a connection.
    pub(crate) fn new(stream: S) -> Self {
        let deadline = None;
        Self { stream, deadline }
    }

    /// Returns the connection, which becomes something other than an answer.
    pub(crate) fn into_inner(self) -> S {
        self.stream
    }

    /// Notes whether the connection has taken something.
    fn note<T>(&mut self, cx: &mut Context<'_>, taken: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if taken.is_ready() {
            self.deadline = None;
            return taken;
        }
        let new = || Box::pin(sleep(ANSWER_TIMEOUT));
        let deadline = self.deadline.get_or_insert_with(new);
        let late = || Err(io::Error::from(io::ErrorKind::TimedOut));
        deadline.as_mut().poll(cx).map(|()| late())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for AnswerTimeout<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for AnswerTimeout<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let taken = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note(cx, taken)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let taken = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.note(cx, taken)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let taken = Pin::new(&mut self.stream).poll_flush(cx);
        self.note(cx, taken)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let taken = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.note(cx, taken)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_for_30_s_is_given_up() {
        let (ours, _theirs) = duplex(16);
        let start = Instant::now();
        let error = AnswerTimeout::new(ours)
            .write_all(&[0; 17])
            .await
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        // Timers are as fine as a millisecond.
        assert_eq!(start.elapsed().as_secs(), ANSWER_TIMEOUT.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_a_byte_now_and_then_gets_everything() {
        let (ours, mut theirs) = duplex(1);
        let mut ours = AnswerTimeout::new(ours);
        let reads = async {
            for _ in 0..10 {
                sleep(ANSWER_TIMEOUT - Duration::from_secs(1)).await;
                theirs.read_u8().await.unwrap();
            }
        };
        let (written, ()) = tokio::join!(ours.write_all(&[0; 10]), reads);
        written.unwrap();
    }
}
