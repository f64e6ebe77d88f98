//! The end of a connection: the Close frame with its code and reason, and time for it to arrive.

use std::future::poll_fn;
use std::time::Duration;

use futures::StreamExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_util::sync::CancellationToken;

use super::frame_limits::LimitExceeded;
use crate::server::PortEnd;
use crate::server::client::keepalive::TAKE_TIMEOUT;
use crate::server::client::send_queue::ClientSocket;

/// The time that a client has to take our Close frame and answer it. At the limit its socket is
/// closed.
pub(crate) const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Bytes of a reason. A longer one does not fit a Close frame and is cut (RFC 6455 §5.5).
const MAX_REASON_BYTES: usize = 123;

/// The Close code and the reason for a client that the operator disconnected.
const DISCONNECTED: (u16, &str) = (4410, "disconnected by the operator of serial-ws");

/// The reason for which a connection ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CloseReason {
    /// The program ends.
    Stopping,
    /// The serial-ws that counts what comes has begun to count anew.
    Restarted,
    /// The port was removed.
    PortEnded(PortEnd),
    /// The operator disconnected this client.
    DisconnectedByOperator,
    /// The client closed it, and its Close frame has been answered.
    ClosedByClient,
    /// The socket has failed, so that nothing can be sent any more.
    Disconnected,
    /// The client did not answer a ping.
    NoPong,
    /// The client took nothing of what waited for it.
    TookNothing,
    /// The client broke a rule: a Close code, and a sentence for people.
    Error(u16, String),
}

impl CloseReason {
    /// Returns the reason for which a client of no port was stopped: `program` is cancelled with all.
    pub(crate) fn of_stop(program: &CancellationToken) -> Self {
        if program.is_cancelled() {
            Self::Stopping
        } else {
            Self::DisconnectedByOperator
        }
    }

    /// Returns the reason that suits an error of the WebSocket library.
    pub(crate) fn after(error: &Error) -> Self {
        if let Error::Io(error) = error
            && let Some(limit) = error
                .get_ref()
                .and_then(|error| error.downcast_ref::<LimitExceeded>())
        {
            return Self::Error(1008, limit.to_string());
        }
        match error {
            Error::ConnectionClosed | Error::AlreadyClosed => Self::ClosedByClient,
            Error::Capacity(CapacityError::MessageTooLong {
                size,
                max_size: max,
            }) => {
                let reason = format!("message of {size} bytes is over the limit of {max}");
                Self::Error(1009, reason + " (--max-message)")
            }
            Error::Utf8(_) => Self::Error(1007, "a text message must be valid UTF-8".into()),
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) | Error::Io(_) => {
                Self::Disconnected
            }
            error => Self::Error(1002, error.to_string()),
        }
    }

    /// Returns the code and the reason for a client that should not connect again as it is.
    pub(crate) fn mistake(&self) -> Option<(u16, &str)> {
        match self {
            Self::PortEnded(end) => Some((end.code, &end.reason)),
            Self::Error(code @ (4400 | 4403 | 4404 | 4409), reason) => Some((*code, reason)),
            _ => None,
        }
    }

    /// Returns the code and the reason for the client; `None` where it knows, or cannot be told.
    pub(crate) fn code_and_reason(self) -> Option<(u16, String)> {
        Some(match self {
            Self::Stopping => (1001, "serial-ws is stopping".to_owned()),
            Self::Restarted => (
                1001,
                "the serial-ws that has the board is another one now, or has restarted".to_owned(),
            ),
            Self::PortEnded(PortEnd { code, reason }) => (code, reason),
            Self::DisconnectedByOperator => (DISCONNECTED.0, DISCONNECTED.1.to_owned()),
            Self::NoPong => (1008, "no answer to a ping".to_owned()),
            Self::TookNothing => {
                let timeout = TAKE_TIMEOUT.as_secs();
                (1008, format!("took nothing for {timeout} s"))
            }
            Self::Error(code, reason) => (code, reason),
            Self::ClosedByClient | Self::Disconnected => return None,
        })
    }

    fn frame(self) -> Option<CloseFrame> {
        let (code, reason) = self.code_and_reason()?;
        let end = reason.floor_char_boundary(MAX_REASON_BYTES);
        Some(CloseFrame {
            code: CloseCode::from(code),
            reason: reason[..end].into(),
        })
    }
}

/// Sends what waits and a Close frame, and closes the socket, within a time limit.
pub(crate) async fn close<S>(ws: &mut ClientSocket<S>, reason: CloseReason)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // A client that does not take the Close frame in time goes without it.
    let _ = timeout(CLOSE_TIMEOUT, close_handshake(ws, reason)).await;
}

async fn close_handshake<S>(ws: &mut ClientSocket<S>, reason: CloseReason)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let awaits_answer = matches!(reason, CloseReason::Stopping | CloseReason::Restarted);
    if reason == CloseReason::Disconnected {
        return;
    }
    if let Some(frame) = reason.frame() {
        // The frame goes to the queue; that the library then reports an end is no news.
        let _ = ws.close(Some(frame)).await;
    }
    poll_fn(|cx| ws.get_mut().poll_send(cx)).await;
    if ws.get_ref().is_broken() {
        return;
    }
    if awaits_answer {
        while let Some(Ok(_)) = ws.next().await {}
    }
    let socket = ws.get_mut().get_mut().get_mut();
    // Closing with bytes unread would make the system discard our Close frame on its way.
    if socket.shutdown().await.is_ok() {
        let mut scrap = [0; 1024];
        while socket.read(&mut scrap).await.is_ok_and(|count| count > 0) {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_retry_would_help_is_a_mistake() {
        assert_eq!(
            CloseReason::PortEnded(PortEnd::removed()).mistake(),
            Some((4404, "this port was removed"))
        );
        for (code, expected) in [(4400, true), (4404, true), (1008, false), (1013, false)] {
            let reason = CloseReason::Error(code, "why".to_owned());
            assert_eq!(reason.mistake(), expected.then_some((code, "why")));
        }
        assert_eq!(CloseReason::Stopping.mistake(), None);
    }
}
