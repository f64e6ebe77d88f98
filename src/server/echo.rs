//! `/echo`: returns every message as it came, to try a client with nothing else.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_util::sync::CancellationToken;

use super::close::{self, Farewell};
use super::outbox::{Io, Outbox, turn};
use crate::view;

/// Serves one client until it or the program ends. The next message is read when the one before
/// has been returned.
pub async fn run<S>(mut ws: WebSocketStream<Outbox<S>>, max_message: usize, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let farewell = loop {
        let may_read = ws.get_ref().is_empty();
        let io = tokio::select! {
            biased;
            () = stop.cancelled() => break Farewell::Stopping,
            io = turn(&mut ws, may_read) => io,
        };
        match io {
            Io::Sent => {}
            Io::Received(message) => ws.get_mut().push(view::frame(&message)),
            Io::Failed(error) => break Farewell::after(&error, max_message),
        }
    };
    close::say(&mut ws, farewell).await;
}
