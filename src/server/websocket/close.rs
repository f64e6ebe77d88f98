//! How a connection ends: the Close frame with its code and reason, and time for it to arrive.

use std::future::poll_fn;
use std::time::Duration;

use futures::StreamExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::CapacityError;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::frame_limits::Abuse;
use super::params::Mistake;
use super::send_queue::Outbox;

/// How long a client has to take our Close frame and answer it before its socket is closed.
const GRACE: Duration = Duration::from_secs(1);

/// The longest reason that fits a Close frame, in bytes (RFC 6455 §5.5).
const LONGEST_REASON: usize = 123;

/// Why a connection ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Farewell {
    /// The program ends.
    Stopping,
    /// The port was removed.
    PortRemoved,
    /// The client closed it; its Close frame has been answered.
    Answered,
    /// The socket has failed: there is nobody to say anything to.
    Gone,
    /// The client gave no sign of life.
    Silent,
    /// The client made a mistake.
    Mistake(u16, String),
}

impl From<Mistake> for Farewell {
    fn from(mistake: Mistake) -> Self {
        Self::Mistake(mistake.code, mistake.reason)
    }
}

impl From<Abuse> for Farewell {
    fn from(abuse: Abuse) -> Self {
        Self::Mistake(1008, abuse.to_string())
    }
}

impl Farewell {
    /// The farewell that suits what the WebSocket library found; messages may have `max_message`
    /// bytes.
    pub(crate) fn after(error: &Error, max_message: usize) -> Self {
        if let Error::Io(error) = error
            && let Some(abuse) = error
                .get_ref()
                .and_then(|error| error.downcast_ref::<Abuse>())
        {
            return Self::from(abuse.clone());
        }
        match error {
            Error::ConnectionClosed | Error::AlreadyClosed => Self::Answered,
            Error::Capacity(CapacityError::MessageTooLong { size, .. }) => Self::Mistake(
                1009,
                format!(
                    "message of {size} bytes is over the limit of {max_message} (--max-message)"
                ),
            ),
            Error::Utf8(_) => Self::Mistake(1007, "a text message must be valid UTF-8".into()),
            Error::Protocol(
                tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
            )
            | Error::Io(_) => Self::Gone,
            Error::Protocol(error) => Self::Mistake(1002, error.to_string()),
            error => Self::Mistake(1002, error.to_string()),
        }
    }

    fn frame(self) -> Option<CloseFrame> {
        let (code, reason) = match self {
            Self::Stopping => (1001, "serial-ws is stopping".to_owned()),
            Self::PortRemoved => (4404, "this port was removed".to_owned()),
            Self::Silent => (1008, "no answer to a ping".to_owned()),
            Self::Mistake(code, reason) => (code, reason),
            Self::Answered | Self::Gone => return None,
        };
        let end = reason.floor_char_boundary(LONGEST_REASON);
        Some(CloseFrame {
            code: CloseCode::from(code),
            reason: reason[..end].into(),
        })
    }
}

/// Says farewell and closes the socket, within a time limit.
pub(crate) async fn say<S>(ws: &mut WebSocketStream<Outbox<S>>, farewell: Farewell)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // A client that does not take our last words in time goes without them.
    let _ = timeout(GRACE, say_slowly(ws, farewell)).await;
}

async fn say_slowly<S>(ws: &mut WebSocketStream<Outbox<S>>, farewell: Farewell)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let awaits_answer = matches!(farewell, Farewell::Stopping);
    if farewell == Farewell::Gone {
        return;
    }
    if let Some(frame) = farewell.frame() {
        // The frame goes to the queue; that the library then reports an end is no news.
        let _ = ws.close(Some(frame)).await;
    }
    if poll_fn(|cx| ws.get_mut().poll_send(cx)).await.is_err() {
        return;
    }
    if awaits_answer {
        while let Some(Ok(_)) = ws.next().await {}
    }
    let socket = ws.get_mut().socket();
    // Closing with bytes unread would make the system discard our Close frame on its way.
    if socket.shutdown().await.is_ok() {
        let mut scrap = [0; 1024];
        while socket.read(&mut scrap).await.is_ok_and(|count| count > 0) {}
    }
}
