//! The end of a stream that is no line yet, such as a prompt: `read` shows it where no line came.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::Call;
use crate::commands::mcp::agent::answer::ToolError;
use crate::commands::mcp::agent::text::content_text;
use crate::protocol::{Base64, Content, ServerMessage};

/// Bytes of the end that are shown.
const MAX_BYTES: usize = 256;

/// Limits how long bytes that are already there may take to arrive.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(2);

/// Returns what has come of a line that has not ended; nothing where no line feed ends lines.
pub(super) async fn unended(call: &Call<'_>, port: Option<&str>) -> Result<String, ToolError> {
    // A search for the baud rate goes on, as it does not with chunks alone.
    let parameters = ["data=all".to_owned(), format!("history={MAX_BYTES}")];
    let visit = call.bridge.visit(port, &parameters, async |mut client| {
        let deadline = Instant::now() + CATCH_UP_TIMEOUT;
        let mut bytes = Vec::new();
        if matches!(client.setting("frame"), Some("lf" | "crlf")) {
            let (mut offset, newest) = client.offsets();
            while offset < newest {
                let Ok(message) = timeout_at(deadline, client.read()).await else {
                    break;
                };
                if let ServerMessage::Chunk(chunk) = message? {
                    offset = chunk.place.offset + chunk.bytes.0.len() as u64;
                    bytes.extend_from_slice(&chunk.bytes.0);
                }
            }
        }
        client.close().await;
        Ok(bytes)
    });
    Ok(last_line(&visit.await?))
}

/// Returns what follows the last line feed, as clean text.
fn last_line(bytes: &[u8]) -> String {
    let rest = bytes.rsplit(|byte| *byte == b'\n').next();
    let rest = rest.unwrap_or_default();
    let rest = &rest[rest.len().saturating_sub(MAX_BYTES)..];
    content_text(&Content::Bytes(Base64(rest.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_last_line_feed_has_not_ended() {
        assert_eq!(last_line(b"one\r\nlogin: "), "login: ");
        assert_eq!(last_line(b"one\n"), "");
        assert_eq!(last_line(b""), "");
        assert_eq!(last_line(b"\xff\x1b[2Jx"), "\\xffx");
        assert_eq!(last_line(&[b'x'; 300]).len(), MAX_BYTES);
    }
}
