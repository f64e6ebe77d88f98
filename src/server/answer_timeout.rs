//! Ends a connection whose client does not take its HTTP answer.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::progress::{LOOK_INTERVAL, ReportsProgress, Stall};

/// Time for which a connection may take nothing of an answer; at the limit it is closed.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection that fails when it has taken nothing for too long.
pub(crate) struct AnswerTimeout<S> {
    stream: S,
    /// The watch over a write that waits, while one does.
    watch: Option<Watch>,
}

/// Looks now and then at a write that waits. The system wakes us only when much of its buffer is free,
/// and so a slow peer may take something for minutes before a write goes on.
struct Watch {
    timer: Pin<Box<Sleep>>,
    stall: Stall,
}

impl<S> AnswerTimeout<S> {
    /// Watches over a connection.
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            watch: None,
        }
    }

    /// Returns the connection, which becomes something other than an answer.
    pub(crate) fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: ReportsProgress> AnswerTimeout<S> {
    /// Notes whether the connection has taken something.
    fn note<T>(&mut self, cx: &mut Context<'_>, taken: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if taken.is_ready() {
            self.watch = None;
            return taken;
        }
        let stream = &self.stream;
        let watch = self.watch.get_or_insert_with(|| Watch {
            timer: Box::pin(sleep(LOOK_INTERVAL)),
            stall: Stall::new(stream.acknowledged(), Instant::now()),
        });
        while watch.timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            let state = stream.acknowledged();
            if watch.stall.look(state, true, now) >= ANSWER_TIMEOUT {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            watch.timer.as_mut().reset(now + LOOK_INTERVAL);
        }
        Poll::Pending
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

impl<S: AsyncWrite + ReportsProgress + Unpin> AsyncWrite for AnswerTimeout<S> {
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
    use tokio::time::timeout;

    use super::*;
    use crate::platform::Acknowledged;
    use crate::server::progress::CountedStream;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_for_30_s_is_given_up() {
        let (ours, _theirs) = duplex(16);
        let start = Instant::now();
        let error = AnswerTimeout::new(CountedStream::unbuffered(ours))
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
        let mut ours = AnswerTimeout::new(CountedStream::unbuffered(ours));
        let reads = async {
            for _ in 0..10 {
                sleep(ANSWER_TIMEOUT - Duration::from_secs(1)).await;
                theirs.read_u8().await.unwrap();
            }
        };
        let (written, ()) = tokio::join!(ours.write_all(&[0; 10]), reads);
        written.unwrap();
    }

    /// A connection of which the peer acknowledges a byte in 20 s, so that its buffer stays full.
    struct Slow(Instant);

    impl ReportsProgress for Slow {
        fn acknowledged(&self) -> Acknowledged {
            Acknowledged::all(self.0.elapsed().as_secs() / 20)
        }
    }

    impl AsyncWrite for Slow {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Pending
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_whose_system_takes_a_byte_now_and_then_is_waited_for() {
        let mut slow = AnswerTimeout::new(Slow(Instant::now()));
        let hour = Duration::from_secs(3600);
        assert!(timeout(hour, slow.write_all(&[0])).await.is_err());
    }
}
