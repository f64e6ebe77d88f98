//! The stream under a WebSocket: a TCP connection, plain or encrypted.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::answer_timeout::AnswerTimeout;
use super::progress::{CountedStream, ReportsProgress};
use super::takeover::Lent;
use crate::platform::Acknowledged;

#[cfg(feature = "tls")]
use tokio_rustls::server::TlsStream;

/// A connection without the wrapping of the HTTP library, which would cost each idle client memory.
pub(crate) enum ServerStream {
    /// A plain TCP connection.
    Plain(CountedStream<TcpStream>),
    /// An encrypted connection, on the heap so that it costs plain ones nothing.
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream<CountedStream<TcpStream>>>),
}

/// A connection as the HTTP library has it.
type HttpStream<S> = TokioIo<Lent<AnswerTimeout<S>>>;

impl ServerStream {
    /// Unwraps a connection that becomes a WebSocket. Returns it with the bytes that were read beyond
    /// its request.
    pub(crate) fn unwrap(upgraded: Upgraded) -> Option<(Self, Vec<u8>)> {
        let upgraded = match upgraded.downcast::<HttpStream<CountedStream<TcpStream>>>() {
            Ok(parts) => {
                let stream = parts.io.into_inner().into_inner()?;
                let socket = Self::Plain(stream.into_inner());
                return Some((socket, parts.read_buf.to_vec()));
            }
            Err(upgraded) => upgraded,
        };
        #[cfg(feature = "tls")]
        if let Ok(parts) = upgraded.downcast::<HttpStream<TlsStream<CountedStream<TcpStream>>>>() {
            let stream = parts.io.into_inner().into_inner()?;
            let socket = Self::Tls(Box::new(stream.into_inner()));
            return Some((socket, parts.read_buf.to_vec()));
        }
        #[cfg(not(feature = "tls"))]
        drop(upgraded);
        None
    }
}

impl ReportsProgress for ServerStream {
    fn acknowledged(&self) -> Acknowledged {
        match self {
            Self::Plain(socket) => socket.acknowledged(),
            #[cfg(feature = "tls")]
            Self::Tls(socket) => socket.acknowledged(),
        }
    }
}

/// Calls the same method of either variant.
macro_rules! either {
    ($self:ident, $method:ident $(, $argument:expr)*) => {
        match $self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).$method($($argument),*),
            #[cfg(feature = "tls")]
            Self::Tls(socket) => Pin::new(socket).$method($($argument),*),
        }
    };
}

impl AsyncRead for ServerStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(self, poll_read, cx, buf)
    }
}

impl AsyncWrite for ServerStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        either!(self, poll_write, cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self, poll_write_vectored, cx, slices)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, poll_flush, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, poll_shutdown, cx)
    }
}
