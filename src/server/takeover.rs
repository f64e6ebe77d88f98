//! Taking a connection over from the HTTP library, for an answer that lasts as long as its client stays:
//! such an answer is sent by a session of its own, as that of a WebSocket is.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::response::Response;
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::CancellationToken;

use super::progress::ReportsProgress;

/// A connection that was taken over.
pub(crate) trait TakenStream:
    AsyncRead + AsyncWrite + ReportsProgress + Send + Unpin
{
}

impl<S: AsyncRead + AsyncWrite + ReportsProgress + Send + Unpin> TakenStream for S {}

type Begin = Box<dyn FnOnce(Box<dyn TakenStream>, Bytes) + Send>;

/// Takes the connection over once the answer that has this extension is ready to be sent. What takes it
/// gets the head of that answer, which it has to send first.
#[derive(Clone)]
pub(crate) struct Takeover(Arc<Mutex<Option<Begin>>>);

impl Takeover {
    /// Lets `begin` have the connection.
    pub(crate) fn by(begin: impl FnOnce(Box<dyn TakenStream>, Bytes) + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Some(Box::new(begin)))))
    }
}

/// A connection that is lent to the HTTP library until somebody takes it.
pub(crate) struct Lent<S>(Arc<Mutex<Option<S>>>);

/// The right to take back a connection that was lent.
pub(crate) struct Owner<S> {
    stream: Arc<Mutex<Option<S>>>,
    /// Cancelled when the connection has been taken.
    pub(crate) taken: CancellationToken,
}

/// Lends a connection.
pub(crate) fn lend<S>(stream: S) -> (Lent<S>, Owner<S>) {
    let stream = Arc::new(Mutex::new(Some(stream)));
    let taken = CancellationToken::new();
    (Lent(Arc::clone(&stream)), Owner { stream, taken })
}

impl<S> Lent<S> {
    /// Returns the connection, unless somebody has taken it.
    pub(crate) fn into_inner(self) -> Option<S> {
        lock(&self.0).take()
    }
}

impl<S> Owner<S> {
    /// Returns the answer, for the HTTP library to send; but if it has a [`Takeover`], that gets the
    /// connection, and this never returns.
    pub(crate) async fn answered<T: TakenStream + 'static>(
        &self,
        mut answer: Response,
        unwrap: impl FnOnce(S) -> T,
    ) -> Response {
        let takeover = answer.extensions_mut().remove::<Takeover>();
        let Some(begin) = takeover.and_then(|Takeover(begin)| lock(&begin).take()) else {
            return answer;
        };
        if let Some(stream) = lock(&self.stream).take() {
            begin(Box::new(unwrap(stream)), head(&answer));
        }
        self.taken.cancel();
        std::future::pending().await
    }
}

impl<S> Clone for Owner<S> {
    fn clone(&self) -> Self {
        Self {
            stream: Arc::clone(&self.stream),
            taken: self.taken.clone(),
        }
    }
}

/// Returns the head of an answer as it is sent (RFC 9112 §4).
fn head(answer: &Response) -> Bytes {
    let status = answer.status();
    let reason = status.canonical_reason().unwrap_or_default();
    let mut head = format!("HTTP/1.1 {} {reason}\r\n", status.as_str()).into_bytes();
    for (name, value) in answer.headers() {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head.into()
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Calls the same method of the stream, which fails once it has been taken.
macro_rules! lent {
    ($self:ident, $method:ident $(, $argument:expr)*) => {
        match lock(&$self.0).as_mut() {
            Some(stream) => Pin::new(stream).$method($($argument),*),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    };
}

impl<S: AsyncRead + Unpin> AsyncRead for Lent<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        lent!(self, poll_read, cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Lent<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        lent!(self, poll_write, cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        lent!(self, poll_write_vectored, cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        lock(&self.0).as_ref().is_some_and(S::is_write_vectored)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        lent!(self, poll_flush, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        lent!(self, poll_shutdown, cx)
    }
}
