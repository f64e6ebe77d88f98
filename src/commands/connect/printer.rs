//! Prints the messages of one connection to a bridge.

use anyhow::{Context, Result};
use futures::StreamExt;
use futures::stream::{ReadyChunks, SplitStream};
use tokio::io::AsyncWrite;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{self, Message, protocol::CloseFrame};

use super::failure::Failure;
use super::transcript::Transcript;
use crate::commands::client::{Stream, lost};
use crate::platform;

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
pub(crate) struct Printer<'a, 't, W> {
    messages: ReadyChunks<SplitStream<WebSocketStream<&'a mut Stream>>>,
    transcript: &'t mut Transcript<W>,
}

impl<'a, 't, W: AsyncWrite + Unpin> Printer<'a, 't, W> {
    /// Prints `messages` to the transcript.
    pub(super) fn new(
        messages: SplitStream<WebSocketStream<&'a mut Stream>>,
        transcript: &'t mut Transcript<W>,
    ) -> Self {
        Printer {
            messages: messages.ready_chunks(MAX_BATCH),
            transcript,
        }
    }

    /// Prints until the bridge closes, enough was printed, or nobody reads the output.
    pub(crate) async fn run(&mut self) -> Result<EndReason> {
        while !self.transcript.is_complete() {
            let Some(batch) = self.messages.next().await else {
                return Ok(EndReason::Closed(None));
            };
            let mut printed = Vec::new();
            let end = self.print(batch, &mut printed);
            match self.transcript.write(&printed).await? {
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
                if let Message::Close(frame) = message.map_err(gone)? {
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
                    if !self.transcript.is_complete() {
                        self.transcript.show(&message, printed);
                    }
                }
                Ok(_) => {}
                Err(error) => return Some(Err(gone(error))),
            }
        }
        None
    }
}

/// Explains why a connection ended without a Close.
fn gone(error: tungstenite::Error) -> anyhow::Error {
    Failure::Gone(lost(error).to_string()).into()
}
