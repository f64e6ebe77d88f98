//! The words with which an HTTP server refuses a WebSocket.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::client::Response;

/// Limits the wait for the rest of an HTTP error. After it, what has come is shown.
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(1);

/// Limits how much of an HTTP error is read.
const MAX_ERROR_BODY_BYTES: usize = 4096;

/// Reads the beginning of an HTTP error: what came with its head, and what still comes on `stream`.
pub(crate) async fn refusal_body(
    response: Response,
    stream: &mut (impl AsyncRead + Unpin),
) -> String {
    let mut body = response.into_body().unwrap_or_default();
    let read = async {
        while !body.contains(&b'\n') && body.len() < MAX_ERROR_BODY_BYTES {
            if !stream
                .read_buf(&mut body)
                .await
                .is_ok_and(|length| length > 0)
            {
                break;
            }
        }
    };
    // An answer that never ends is shown as far as it has come.
    let _ = timeout(ERROR_BODY_TIMEOUT, read).await;
    String::from_utf8_lossy(&body).into_owned()
}
