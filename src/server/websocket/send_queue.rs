//! A socket with a queue of whole WebSocket frames before it.
//!
//! The WebSocket library writes its own frames (pongs, closes) in between the ones that were
//! encoded once for all clients. Both go through this queue, so that a frame is never begun
//! before the one before it has ended, and reading can go on while a slow client holds up writing.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures::StreamExt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::frame_limits::{Abuse, Meter};

/// Frames that one system call takes at most.
const MOST_SLICES: usize = 64;

/// Bytes of the library's own frames that may wait; beyond, it keeps the newest pong itself.
const CONTROL_ROOM: usize = 4 << 10;

/// Bytes of answers that may wait; beyond, the client is not read until it has taken them.
const ANSWER_ROOM: usize = 64 << 10;

/// `S` behind a queue of frames.
pub(crate) struct Outbox<S> {
    socket: S,
    frames: VecDeque<Bytes>,
    /// Bytes pushed since the queue was last empty that answer what the client sent.
    answers: usize,
    is_flushed: bool,
    meter: Meter,
    /// Ends when the message that has begun should have; on the heap, since most come at once.
    late: Option<Pin<Box<Sleep>>>,
    /// A limit that was exceeded before anyone could say so.
    exceeded: Option<Abuse>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Outbox<S> {
    /// An empty queue before `socket`, whose messages may have `max_message` bytes. What was read
    /// before is `early`.
    pub(crate) fn new(socket: S, early: &[u8], max_message: usize) -> Self {
        let mut meter = Meter::new(max_message);
        let exceeded = meter.count(early, Instant::now()).err();
        Self {
            socket,
            frames: VecDeque::new(),
            answers: 0,
            is_flushed: true,
            meter,
            late: None,
            exceeded,
        }
    }

    /// Queues whole frames.
    pub(crate) fn push(&mut self, frames: Bytes) {
        if !frames.is_empty() {
            self.frames.push_back(frames);
            self.is_flushed = false;
        }
    }

    /// Queues whole frames that answer what the client sent.
    pub(crate) fn push_answer(&mut self, frames: Bytes) {
        self.answers += frames.len();
        self.push(frames);
    }

    /// Whether so many answers wait that the client must take some before it asks for more.
    pub(crate) fn is_full_of_answers(&self) -> bool {
        self.answers > ANSWER_ROOM
    }

    /// Whether the socket has taken everything.
    pub(crate) fn is_empty(&self) -> bool {
        self.is_flushed
    }

    /// Writes as much as the socket takes; ready when it has taken everything.
    pub(crate) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.frames.is_empty() {
            let written = ready!(self.poll_write_frames(cx))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(written);
        }
        if !self.is_flushed {
            ready!(Pin::new(&mut self.socket).poll_flush(cx))?;
            self.is_flushed = true;
            self.answers = 0;
        }
        Poll::Ready(Ok(()))
    }

    /// Writes as much as the socket takes without waiting.
    pub(crate) async fn send_now(&mut self) -> io::Result<()> {
        poll_fn(|cx| match self.poll_send(cx) {
            Poll::Pending => Poll::Ready(Ok(())),
            sent => sent,
        })
        .await
    }

    fn poll_write_frames(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let socket = Pin::new(&mut self.socket);
        if let (Some(only), 1) = (self.frames.front(), self.frames.len()) {
            // The usual case, for which systems have a cheaper call.
            return socket.poll_write(cx, only);
        }
        let mut slices = [IoSlice::new(&[]); MOST_SLICES];
        let count = self.frames.len().min(MOST_SLICES);
        for (slice, frames) in slices.iter_mut().zip(&self.frames) {
            *slice = IoSlice::new(frames);
        }
        socket.poll_write_vectored(cx, &slices[..count])
    }

    fn advance(&mut self, mut written: usize) {
        while let Some(front) = self.frames.front_mut() {
            if written < front.len() {
                front.advance(written);
                return;
            }
            written -= front.len();
            self.frames.pop_front();
        }
    }

    /// Ready when the client has left a message unfinished for too long.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(due) = self.meter.due() else {
            self.late = None;
            return Poll::Pending;
        };
        let late = self.late.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if late.deadline() != due {
            late.as_mut().reset(due);
        }
        late.as_mut().poll(cx)
    }

    /// The socket itself, for when the frames no longer matter.
    pub(crate) fn socket(&mut self) -> &mut S {
        &mut self.socket
    }
}

/// What the socket did.
pub(crate) enum Io {
    /// It took everything that waited.
    Sent,
    /// A message came.
    Received(Message),
    /// Nothing more can be sent or received.
    Failed(Error),
}

/// Sends what waits and, unless told not to, receives a message, whichever is done first.
pub(crate) async fn turn<S>(ws: &mut WebSocketStream<Outbox<S>>, may_read: bool) -> Io
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let had_something = !ws.get_ref().is_empty();
    poll_fn(|cx| {
        match ws.get_mut().poll_send(cx) {
            Poll::Ready(Err(error)) => return Poll::Ready(Io::Failed(error.into())),
            Poll::Ready(Ok(())) if had_something => return Poll::Ready(Io::Sent),
            _ => {}
        }
        if !may_read || ws.get_ref().is_full_of_answers() {
            ws.get_mut().meter.rest();
            return Poll::Pending;
        }
        match ws.poll_next_unpin(cx) {
            Poll::Ready(Some(Ok(message))) => Poll::Ready(Io::Received(message)),
            Poll::Ready(Some(Err(error))) => Poll::Ready(Io::Failed(error)),
            Poll::Ready(None) => Poll::Ready(Io::Failed(Error::ConnectionClosed)),
            // Reading may have queued a pong.
            Poll::Pending if ws.get_ref().is_empty() => Poll::Pending,
            Poll::Pending => match ws.get_mut().poll_send(cx) {
                Poll::Ready(Ok(())) => Poll::Ready(Io::Sent),
                Poll::Ready(Err(error)) => Poll::Ready(Io::Failed(error.into())),
                Poll::Pending => Poll::Pending,
            },
        }
    })
    .await
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Outbox<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(abuse) = self.exceeded.take() {
            return Poll::Ready(Err(io::Error::other(abuse)));
        }
        let (before, now) = (buf.filled().len(), Instant::now());
        self.meter.go_on(now);
        let Poll::Ready(read) = Pin::new(&mut self.socket).poll_read(cx, buf) else {
            ready!(self.poll_late(cx));
            return Poll::Ready(Err(io::Error::other(Abuse::Slow)));
        };
        read?;
        let counted = self.meter.count(&buf.filled()[before..], now);
        Poll::Ready(counted.map_err(io::Error::other))
    }
}

/// What the WebSocket library writes: always whole frames, taken whole.
impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Outbox<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        frames: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.answers + frames.len() > CONTROL_ROOM && !self.is_flushed {
            // The owner polls `poll_send` at every turn, and so wakes for room.
            return Poll::Pending;
        }
        self.push_answer(Bytes::copy_from_slice(frames));
        Poll::Ready(Ok(frames.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio_tungstenite::tungstenite::protocol::Role;

    use super::*;
    use crate::server::websocket::frame_limits::MESSAGE_WITHIN;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_falls_silent_within_a_message_is_late_to_the_second() {
        let (mut client, server) = tokio::io::duplex(64);
        let outbox = Outbox::new(server, &[], 16);
        let mut ws = WebSocketStream::from_raw_socket(outbox, Role::Server, None).await;
        let start = Instant::now();
        client
            .write_all(&[0x81, 0x82, 0, 0, 0, 0, b'a'])
            .await
            .unwrap();
        // While it is not read, its time does not count.
        let rest = tokio::time::timeout(MESSAGE_WITHIN, turn(&mut ws, false)).await;
        assert!(rest.is_err());
        let Io::Failed(Error::Io(error)) = turn(&mut ws, true).await else {
            panic!("it is not late");
        };
        assert_eq!(error.downcast::<Abuse>().unwrap(), Abuse::Slow);
        let late = start.elapsed() - 2 * MESSAGE_WITHIN;
        assert!(late.as_secs() < 1, "{late:?}");
    }
}
