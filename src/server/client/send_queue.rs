//! The send queue of a client: whole WebSocket frames that its socket has not taken yet.
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
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::server::websocket::frame_limits::FrameLimits;

/// Buffers of frames that one system call takes. More wait for the next call.
pub(crate) const MAX_SLICES: usize = 64;

/// Buffers for which an empty queue keeps room. What a longer one took is given back, so that an
/// idle client costs little whatever it was sent before.
const MAX_SPARE_SLICES: usize = 8;

/// Bytes of the library's own frames that may wait; beyond, it keeps the newest pong itself.
const CONTROL_CAPACITY: usize = 4 << 10;

/// Bytes of answers that may wait; beyond, the client is not read until it has taken them.
const ANSWER_CAPACITY: usize = 64 << 10;

/// Bytes that are read from a client at once, and kept for each client. The library's own choice
/// is 128 KiB.
const READ_BUFFER: usize = 1 << 10;

/// A client's WebSocket over `S`.
pub(crate) type ClientSocket<S> = WebSocketStream<SendQueue<FrameLimits<S>>>;

/// Makes a WebSocket of a socket whose handshake is over, for messages of `max_message` bytes.
/// `early` was read from the socket before.
pub(crate) async fn client_socket<S>(
    socket: S,
    early: Vec<u8>,
    max_message: usize,
) -> ClientSocket<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(READ_BUFFER)
        .max_message_size(Some(max_message))
        .max_frame_size(Some(max_message));
    let queue = SendQueue::new(FrameLimits::new(socket, &early, max_message));
    WebSocketStream::from_partially_read(queue, early, Role::Server, Some(config)).await
}

/// `S` behind a queue of frames.
pub(crate) struct SendQueue<S> {
    socket: S,
    frames: VecDeque<Bytes>,
    /// Bytes pushed since the queue was last empty that answer what the client sent.
    answers: usize,
    is_flushed: bool,
    /// True once the socket has failed to take something: it takes nothing more, but what the client
    /// had sent before can still be read.
    is_broken: bool,
}

impl<S> SendQueue<S> {
    /// Returns an empty queue before `socket`.
    pub(crate) fn new(socket: S) -> Self {
        Self {
            socket,
            frames: VecDeque::new(),
            answers: 0,
            is_flushed: true,
            is_broken: false,
        }
    }

    /// Queues whole frames, unless nothing can be sent any more.
    pub(crate) fn push(&mut self, frames: Bytes) {
        if !frames.is_empty() && !self.is_broken {
            self.frames.push_back(frames);
            self.is_flushed = false;
        }
    }

    /// Queues whole frames that answer what the client sent.
    pub(crate) fn push_answer(&mut self, frames: Bytes) {
        self.answers += frames.len();
        self.push(frames);
    }

    /// Returns true if the socket has taken everything.
    pub(crate) fn is_empty(&self) -> bool {
        self.is_flushed
    }

    /// Returns true once nothing can be sent any more.
    pub(crate) fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Returns the socket behind the queue.
    pub(crate) fn get_ref(&self) -> &S {
        &self.socket
    }

    /// Returns the socket behind the queue.
    pub(crate) fn get_mut(&mut self) -> &mut S {
        &mut self.socket
    }
}

impl<S: AsyncWrite + Unpin> SendQueue<S> {
    /// Writes as much as the socket takes; ready when it has taken everything. When it fails, the
    /// queue is broken, and whatever waits is dropped.
    pub(crate) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let sent = ready!(self.poll_write_all(cx));
        if let Err(error) = sent {
            tracing::debug!(%error, "the client takes nothing more");
            self.frames.clear();
            self.is_broken = true;
        }
        self.is_flushed = true;
        self.answers = 0;
        if self.frames.capacity() > MAX_SPARE_SLICES {
            self.frames = VecDeque::new();
        }
        Poll::Ready(())
    }

    fn poll_write_all(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.frames.is_empty() {
            let written = ready!(self.poll_write_frames(cx))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(written);
        }
        if !self.is_flushed {
            ready!(Pin::new(&mut self.socket).poll_flush(cx))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Writes as much as the socket takes without waiting.
    pub(crate) async fn send_now(&mut self) {
        poll_fn(|cx| {
            let _ = self.poll_send(cx);
            Poll::Ready(())
        })
        .await;
    }

    fn poll_write_frames(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let socket = Pin::new(&mut self.socket);
        if let (Some(only), 1) = (self.frames.front(), self.frames.len()) {
            // The usual case, for which systems have a cheaper call.
            return socket.poll_write(cx, only);
        }
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let count = self.frames.len().min(MAX_SLICES);
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
}

/// The outcome of driving a socket.
pub(crate) enum Io {
    /// It has taken everything that waited.
    Sent,
    /// A message came.
    Received(Message),
    /// Nothing more can be received.
    Failed(Error),
}

/// Sends what waits and, unless told not to, receives a message, whichever is done first. What the
/// client had sent is received also where nothing can be sent to it any more.
pub(crate) async fn drive<S>(ws: &mut ClientSocket<S>, may_read: bool) -> Io
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let had_something = !ws.get_ref().is_empty();
    poll_fn(|cx| {
        if ws.get_mut().poll_send(cx).is_ready() && had_something {
            return Poll::Ready(Io::Sent);
        }
        if !may_read || ws.get_ref().answers > ANSWER_CAPACITY {
            ws.get_mut().get_mut().pause();
            return Poll::Pending;
        }
        match ws.poll_next_unpin(cx) {
            Poll::Ready(Some(Ok(message))) => Poll::Ready(Io::Received(message)),
            Poll::Ready(Some(Err(error))) => Poll::Ready(Io::Failed(error)),
            Poll::Ready(None) => Poll::Ready(Io::Failed(Error::ConnectionClosed)),
            // Reading may have queued a pong.
            Poll::Pending if ws.get_ref().is_empty() => Poll::Pending,
            Poll::Pending => ws.get_mut().poll_send(cx).map(|()| Io::Sent),
        }
    })
    .await
}

impl<S: AsyncRead + Unpin> AsyncRead for SendQueue<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buf)
    }
}

/// The WebSocket library writes whole frames, which are taken whole.
impl<S: AsyncWrite + Unpin> AsyncWrite for SendQueue<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        frames: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.answers + frames.len() > CONTROL_CAPACITY && !self.is_flushed {
            // `drive` polls `poll_send` each time, and so wakes when there is room.
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
    use tokio::time::Instant;

    use super::*;
    use crate::server::websocket::frame_limits::{LimitExceeded, MESSAGE_TIMEOUT};

    #[tokio::test(start_paused = true)]
    async fn a_client_that_falls_silent_within_a_message_is_late_to_the_second() {
        let (mut client, server) = tokio::io::duplex(64);
        let mut ws = client_socket(server, Vec::new(), 16).await;
        let start = Instant::now();
        client
            .write_all(&[0x81, 0x82, 0, 0, 0, 0, b'a'])
            .await
            .unwrap();
        // While it is not read, its time does not count.
        let paused = tokio::time::timeout(MESSAGE_TIMEOUT, drive(&mut ws, false)).await;
        assert!(paused.is_err());
        let Io::Failed(Error::Io(error)) = drive(&mut ws, true).await else {
            panic!("it is not late");
        };
        assert_eq!(
            error.downcast::<LimitExceeded>().unwrap(),
            LimitExceeded::Slow
        );
        let late = start.elapsed() - 2 * MESSAGE_TIMEOUT;
        assert!(late.as_secs() < 1, "{late:?}");
    }
}
