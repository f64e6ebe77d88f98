//! Standard input as the SDK reads it, which also tells when the client has gone.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf, Stdin};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Standard input.
pub(super) struct ClientInput {
    stdin: Stdin,
    /// Cancels when the input has ended, or nobody reads it any more.
    gone: Option<DropGuard>,
}

impl ClientInput {
    /// Cancels `gone` at the end of the input.
    pub(super) fn new(gone: CancellationToken) -> Self {
        Self {
            stdin: tokio::io::stdin(),
            gone: Some(gone.drop_guard()),
        }
    }
}

impl AsyncRead for ClientInput {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.stdin).poll_read(context, buffer));
        if read.is_err() || buffer.filled().len() == before {
            self.gone = None;
        }
        Poll::Ready(read)
    }
}
