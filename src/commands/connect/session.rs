//! One connection of `serial-ws connect`: sends what is typed, prints what comes, and ends in the way
//! that fits the reason, so that nothing that was sent is lost.

use std::borrow::Cow;
use std::future::pending;
use std::time::Duration;

use anyhow::Result;
use futures::SinkExt;
use futures::stream::SplitSink;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::failure::Failure;
use super::input::MessageReader;
use super::note;
use super::printer::{EndReason, Printer};
use crate::commands::client::{Stream, check_close};
use crate::protocol::{Base64, ClientMessage, Id};

/// Limits the wait for the answer to a Close. After it, a client that has nothing on the way leaves
/// without the answer, and one that has says that it is waiting.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Both directions of an open connection.
pub(super) struct TerminalClient<'a, 't, W> {
    /// Our messages to the bridge.
    pub(super) sink: Sink<'a>,
    /// The bridge's messages, and where they go.
    pub(super) printer: Printer<'a, 't, W>,
    /// The number of messages handed to `sink`.
    pub(super) sent: u64,
    /// True if lines go out in objects of the json view.
    pub(super) wraps: bool,
}

/// The sending half of the connection.
pub(super) type Sink<'a> = SplitSink<WebSocketStream<&'a mut Stream>, Message>;

impl<W: AsyncWrite + Unpin> TerminalClient<'_, '_, W> {
    /// Sends and prints until there is a reason to end.
    pub(super) async fn exchange(
        &mut self,
        input: &mut MessageReader<impl AsyncRead + Unpin>,
        wait: Duration,
    ) -> Result<EndReason> {
        let (sink, sent, wraps) = (&mut self.sink, &mut self.sent, self.wraps);
        let send = async {
            while let Some(message) = input.next().await? {
                *sent += 1;
                let message = if wraps {
                    wrapped(message, *sent)
                } else {
                    message
                };
                let more = input.has_more();
                let result = if more {
                    sink.feed(message).await
                } else {
                    sink.send(message).await
                };
                if result.is_err() {
                    // Reading finds the reason: a Close, or the loss of the connection.
                    pending::<()>().await;
                }
            }
            sleep(wait).await;
            anyhow::Ok(())
        };
        tokio::select! {
            reason = self.printer.run() => reason,
            result = send => Ok(match result {
                Ok(()) => EndReason::InputEnded,
                Err(error) => EndReason::InputFailed(error),
            }),
        }
    }

    /// Ends the connection in the way that fits the reason, and checks how it ended.
    pub(super) async fn end(
        &mut self,
        reason: EndReason,
        stop: impl Future<Output = ()>,
    ) -> Result<()> {
        match reason {
            EndReason::Closed(frame) => {
                // The answer to the bridge's Close; it is leaving whether or not this arrives.
                let _ = timeout(CLOSE_TIMEOUT, self.sink.flush()).await;
                check_close(frame.clone())?;
                Err(stopped(frame.as_ref()).into())
            }
            EndReason::Stopped | EndReason::OutputClosed => {
                let _ = timeout(CLOSE_TIMEOUT, self.leave(false)).await;
                Ok(())
            }
            EndReason::InputEnded | EndReason::Counted if self.sent == 0 => {
                match timeout(CLOSE_TIMEOUT, self.leave(false)).await {
                    Ok(Ok(frame)) => check_close(frame),
                    // Nothing was on the way that could be lost.
                    Ok(Err(_)) | Err(_) => Ok(()),
                }
            }
            EndReason::InputEnded => self.deliver(true, stop).await,
            EndReason::InputFailed(error) => {
                self.deliver(true, stop).await?;
                Err(error)
            }
            EndReason::Counted => self.deliver(false, stop).await,
        }
    }

    /// Leaves once the bridge has everything, which takes as long as a slow port does: only `stop`
    /// cuts it short.
    async fn deliver(&mut self, print: bool, stop: impl Future<Output = ()>) -> Result<()> {
        let reminder = async {
            sleep(CLOSE_TIMEOUT).await;
            note("waiting until serial-ws has taken everything; Ctrl-C ends");
            pending::<()>().await;
        };
        tokio::select! {
            () = stop => Ok(()),
            () = reminder => Ok(()),
            result = self.leave(print) => match result {
                Ok(frame) => check_close(frame),
                Err(error) => Err(error.context("serial-ws may not have received everything")),
            },
        }
    }

    /// Sends a Close behind everything else and reads on until it is answered, so that the bridge
    /// has read all of it.
    async fn leave(&mut self, print: bool) -> Result<Option<CloseFrame>> {
        let goodbye = CloseFrame {
            code: CloseCode::Normal,
            reason: "".into(),
        };
        let (sink, printer) = (&mut self.sink, &mut self.printer);
        let read = async {
            if print && let EndReason::Closed(frame) = printer.run().await? {
                return Ok(frame);
            }
            printer.discard().await
        };
        // If sending fails, reading fails as well, and finds the reason.
        let (_, frame) = tokio::join!(sink.send(Message::Close(Some(goodbye))), read);
        // Where the bridge's Close came first, this is the answer to it.
        let _ = timeout(CLOSE_TIMEOUT, self.sink.flush()).await;
        frame
    }
}

/// Puts a line, or bytes, into an object that asks to write it.
fn wrapped(message: Message, number: u64) -> Message {
    let (text, bytes) = match message {
        Message::Text(text) => (Some(text.to_string()), None),
        message => (None, Some(Base64(Cow::Owned(message.into_data().to_vec())))),
    };
    let write = ClientMessage::Write {
        urgent: false,
        text,
        bytes,
        frame: None,
    };
    Message::text(write.to_json(&Id::from(&Value::from(number))))
}

/// Says that the bridge ended the connection, for no fault of ours.
fn stopped(frame: Option<&CloseFrame>) -> Failure {
    Failure::Gone(match frame.map(|frame| frame.code) {
        Some(CloseCode::Away) => "serial-ws has stopped".to_owned(),
        Some(_) => "serial-ws closed the connection".to_owned(),
        None => "the connection to serial-ws was lost".to_owned(),
    })
}
