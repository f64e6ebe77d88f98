//! Prints the messages of a bridge.

use std::io;

use anyhow::{Context, Result};
use futures::StreamExt;
use futures::stream::{ReadyChunks, SplitStream};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{self, Message, protocol::CloseFrame};

use crate::commands::client::{Stream, lost};
use crate::platform;
use crate::terminal::{safe_line, safe_text};

/// Messages that are written at once when the output is slower than the bridge.
const MAX_BATCH: usize = 64;

/// The reason why a client ends.
#[derive(Debug)]
pub(crate) enum EndReason {
    /// The bridge closed the connection, with this frame if it gave one.
    Closed(Option<CloseFrame>),
    /// As many messages were printed as were asked for.
    Counted,
    /// Nobody reads the output any more, as after `| head -3`.
    OutputClosed,
    /// Everything was sent, and the time to wait for answers is over.
    InputEnded,
    /// The input cannot be read, or cannot be sent.
    InputFailed(anyhow::Error),
    /// The user ended the program.
    Stopped,
}

/// Prints the messages of a connection.
pub(crate) struct Printer<'a, W> {
    messages: ReadyChunks<SplitStream<WebSocketStream<&'a mut Stream>>>,
    output: W,
    style: Style,
    /// Messages still to be printed; None for any number.
    left: Option<u64>,
}

/// The way in which messages become output.
#[derive(Debug, Clone, Copy)]
struct Style {
    /// True if the output is a terminal, which would obey control characters.
    is_terminal: bool,
    /// True if text messages are chunks of a text with its own line ends, rather than lines.
    is_chunked: bool,
}

impl<'a, W: AsyncWrite + Unpin> Printer<'a, W> {
    /// Prints `messages` to `output` in the way that fits `view` and the output.
    pub(crate) fn new(
        messages: SplitStream<WebSocketStream<&'a mut Stream>>,
        output: W,
        count: Option<u64>,
        is_terminal: bool,
        view: Option<&str>,
    ) -> Self {
        Printer {
            messages: messages.ready_chunks(MAX_BATCH),
            output,
            style: Style {
                is_terminal,
                is_chunked: view == Some("text"),
            },
            left: count,
        }
    }

    /// Prints until the bridge closes, the count is reached, or nobody reads the output.
    pub(crate) async fn run(&mut self) -> Result<EndReason> {
        while self.left != Some(0) {
            let Some(batch) = self.messages.next().await else {
                return Ok(EndReason::Closed(None));
            };
            let mut printed = Vec::new();
            let end = self.print(batch, &mut printed);
            match self.write(&printed).await {
                Err(error) if platform::is_reader_gone(&error) => {
                    return Ok(EndReason::OutputClosed);
                }
                written => written.context("cannot write the output")?,
            }
            if let Some(end) = end {
                return end;
            }
        }
        Ok(EndReason::Counted)
    }

    /// Reads without printing until the bridge closes.
    pub(crate) async fn discard(&mut self) -> Result<Option<CloseFrame>> {
        while let Some(batch) = self.messages.next().await {
            for message in batch {
                if let Message::Close(frame) = message.map_err(lost)? {
                    return Ok(frame);
                }
            }
        }
        Ok(None)
    }

    /// Appends what a batch prints as, and returns the reason to end if it has one.
    fn print(
        &mut self,
        batch: Vec<tungstenite::Result<Message>>,
        printed: &mut Vec<u8>,
    ) -> Option<Result<EndReason>> {
        for message in batch {
            match message {
                Ok(Message::Close(frame)) => return Some(Ok(EndReason::Closed(frame))),
                Ok(message) if message.is_text() || message.is_binary() => {
                    if self.left == Some(0) {
                        continue;
                    }
                    self.left = self.left.map(|left| left - 1);
                    self.style.show(message, printed);
                }
                Ok(_) => {}
                Err(error) => return Some(Err(lost(error))),
            }
        }
        None
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.output.write_all(bytes).await?;
        self.output.flush().await
    }
}

impl Style {
    /// Appends a message as it is printed.
    fn show(self, message: Message, out: &mut Vec<u8>) {
        match message {
            Message::Text(text) => {
                match (self.is_terminal, self.is_chunked) {
                    (false, _) => out.extend_from_slice(text.as_bytes()),
                    (true, true) => out.extend(safe_text(&text).into_bytes()),
                    (true, false) => out.extend(safe_line(&text).into_bytes()),
                }
                if !self.is_chunked {
                    out.push(b'\n');
                }
            }
            Message::Binary(bytes) if self.is_terminal => {
                out.extend(bytes.escape_ascii());
                out.push(b'\n');
            }
            message => out.extend_from_slice(&message.into_data()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(is_terminal: bool, is_chunked: bool, message: Message, expected: &[u8]) {
        let mut out = Vec::new();
        Style {
            is_terminal,
            is_chunked,
        }
        .show(message, &mut out);
        assert_eq!(
            out.escape_ascii().to_string(),
            expected.escape_ascii().to_string()
        );
    }

    #[test]
    fn a_text_message_is_a_line() {
        check(false, false, Message::text("12,\u{1b}[0m"), b"12,\x1b[0m\n");
        check(true, false, Message::text("12,\u{1b}[0m"), b"12,\\x1b[0m\n");
    }

    #[test]
    fn chunks_of_text_are_joined() {
        check(false, true, Message::text("12\r\n3"), b"12\r\n3");
        check(true, true, Message::text("12\r\n3\u{7}"), b"12\n3\\x07");
    }

    #[test]
    fn bytes_stay_as_they_are_except_at_a_terminal() {
        let bytes = b"\x00\xffA\r\n".as_slice();
        check(false, false, Message::binary(bytes), bytes);
        check(true, false, Message::binary(bytes), b"\\x00\\xffA\\r\\n\n");
    }
}
