//! A client of a bridge in the `json` view, which asks about a port and ignores its data.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use futures::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::note;
use crate::commands::client::{Stream, check_close, lost, not_understood};
use crate::commands::connect::Failure;
use crate::hub::ErrorCode;
use crate::protocol::{ClientMessage, Content, HelloMessage, Id, ServerMessage, StatusMessage};
use crate::terminal::excerpt;

/// Limits the wait for an answer.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Limits the wait for the answer to a Close. After it, the client leaves without one.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Lines that are kept while something else is waited for. At the limit, the oldest go.
const MAX_KEPT_LINES: usize = 10_000;

/// An open connection, and what it has told.
pub(crate) struct BridgeClient<'a> {
    socket: WebSocketStream<&'a mut Stream>,
    /// The greeting, with the newest status.
    hello: Box<HelloMessage<'static>>,
    /// The number of requests so far; each has its number as its id.
    requests: u64,
    /// Lines that came while something else was waited for, if they are kept.
    lines: Option<VecDeque<Content<'static>>>,
}

impl<'a> BridgeClient<'a> {
    /// Waits for the `hello` message.
    ///
    /// # Errors
    /// When there is none, for example because no port has this name.
    pub(crate) async fn start(mut socket: WebSocketStream<&'a mut Stream>) -> Result<Self> {
        match timeout(ANSWER_TIMEOUT, read(&mut socket)).await {
            Ok(Ok(ServerMessage::Hello(hello))) => Ok(Self {
                socket,
                hello,
                requests: 0,
                lines: None,
            }),
            Ok(Ok(_)) => bail!("the program that answers there is not serial-ws"),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(no_answer()),
        }
    }

    /// Sends a request, and waits until it is done.
    ///
    /// # Errors
    /// When the bridge rejects it or does not answer.
    pub(crate) async fn request(&mut self, request: &ClientMessage) -> Result<()> {
        let answer = timeout(ANSWER_TIMEOUT, self.answer(request)).await;
        answer.unwrap_or_else(|_| Err(no_answer())).map(drop)
    }

    /// Asks the device, and returns its reply.
    ///
    /// # Errors
    /// When there is none, and why; also if the bridge has no answer within `limit`.
    pub(crate) async fn ask(
        &mut self,
        question: &ClientMessage,
        limit: Duration,
    ) -> Result<Content<'static>> {
        let answer = self.exchange(question, limit).await?;
        answer.ok_or_else(|| not_understood(&"a question was acknowledged"))
    }

    /// Sends a request that waits for its turn and for the device, and returns the reply of the device
    /// if it was a question.
    ///
    /// # Errors
    /// When it is not carried out, and why; also if the bridge has no answer within `limit`.
    pub(crate) async fn exchange(
        &mut self,
        request: &ClientMessage,
        limit: Duration,
    ) -> Result<Option<Content<'static>>> {
        let answer = timeout(limit, self.answer(request)).await;
        answer.unwrap_or_else(|_| {
            let limit = limit.as_secs();
            let reason = format!("others kept the device busy for {limit} s");
            Err(Failure::Timeout(reason).into())
        })
    }

    /// Sends a request, and waits for its answer: the reply of the device, if it was a question.
    async fn answer(&mut self, request: &ClientMessage) -> Result<Option<Content<'static>>> {
        self.requests += 1;
        let id = Id::from(&Value::from(self.requests));
        let request = request.to_json(&id);
        // If sending fails, reading fails as well, and finds the reason.
        let _ = self.socket.send(Message::text(request)).await;
        loop {
            match self.read().await? {
                ServerMessage::Ack { id: about, .. } if about == id => return Ok(None),
                ServerMessage::Reply { id: about, content } if about == id => {
                    return Ok(Some(content));
                }
                ServerMessage::Error {
                    error,
                    id: about,
                    code,
                    ..
                } if about.as_ref().is_none_or(|about| *about == id) => {
                    return Err(failure(excerpt(&error), code));
                }
                _ => {}
            }
        }
    }

    /// Waits until the port is in this state, at most for `limit`. Returns true if it is.
    ///
    /// # Errors
    /// When the connection ends.
    pub(crate) async fn wait_for(&mut self, state: &str, limit: Duration) -> Result<bool> {
        self.wait_until(|it| it == state, limit).await
    }

    /// Waits until the port is in a state that `is_meant` says, at most for `limit`. Returns true if it
    /// is.
    ///
    /// # Errors
    /// When the connection ends.
    pub(crate) async fn wait_until(
        &mut self,
        is_meant: impl Fn(&str) -> bool,
        limit: Duration,
    ) -> Result<bool> {
        let is_meant = |client: &Self| is_meant(&client.hello.status.state);
        self.wait_while(|client| !is_meant(client), limit).await
    }

    /// Waits until `is_early` says no, at most for `limit`. Returns true if it did.
    ///
    /// # Errors
    /// When the connection ends.
    pub(crate) async fn wait_while(
        &mut self,
        is_early: impl Fn(&Self) -> bool,
        limit: Duration,
    ) -> Result<bool> {
        let wait = async {
            while is_early(self) {
                self.read().await?;
            }
            Ok(true)
        };
        timeout(limit, wait).await.unwrap_or(Ok(false))
    }

    /// Reads, and answers pings, until the connection ends. Returns the reason.
    pub(crate) async fn lost(&mut self) -> anyhow::Error {
        loop {
            if let Err(error) = self.read().await {
                return error;
            }
        }
    }

    /// Keeps the lines that come from now on.
    pub(super) fn keep_lines(&mut self) {
        self.lines = Some(VecDeque::new());
    }

    /// Returns the next line.
    ///
    /// # Errors
    /// When the connection ends.
    pub(super) async fn line(&mut self) -> Result<Content<'static>> {
        loop {
            if let Some(line) = self.lines.as_mut().and_then(VecDeque::pop_front) {
                return Ok(line);
            }
            if let ServerMessage::Missed { lines: 1.., .. } = self.read().await? {
                note("some lines were missed here");
            }
        }
    }

    /// Returns true if the port was last reported in this state.
    pub(crate) fn is(&self, state: &str) -> bool {
        self.hello.status.state == state
    }

    /// Returns the status of the port as a sentence.
    pub(crate) fn status(&self) -> String {
        let StatusMessage { detail, hint, .. } = &self.hello.status;
        match &**hint {
            "" => excerpt(detail),
            hint => format!("{}. {}", excerpt(detail), excerpt(hint)),
        }
    }

    /// Returns the status of the port for programs.
    pub(crate) fn status_message(&self) -> &StatusMessage<'static> {
        &self.hello.status
    }

    /// Returns the name of the port.
    pub(crate) fn name(&self) -> &str {
        &self.hello.port.name
    }

    /// Returns a setting of the port that is a word.
    pub(crate) fn setting(&self, name: &str) -> Option<&str> {
        self.hello.port.settings.get(name)?.as_str()
    }

    /// Returns the path of the device, if it is known.
    pub(crate) fn device(&self) -> Option<String> {
        self.hello
            .port
            .device
            .as_ref()
            .map(|device| device.path.clone())
    }

    /// Returns the path of the device, or else the name of the port.
    pub(crate) fn port(&self) -> String {
        excerpt(
            &self
                .device()
                .unwrap_or_else(|| self.hello.port.name.to_string()),
        )
    }

    /// Closes the connection.
    pub(crate) async fn close(mut self) {
        // A bridge that is gone needs no Close.
        let _ = timeout(CLOSE_TIMEOUT, self.socket.close(None)).await;
    }

    /// Receives the next message, and keeps a status.
    ///
    /// # Errors
    /// When the connection ends.
    pub(crate) async fn read(&mut self) -> Result<ServerMessage<'static>> {
        let message = read(&mut self.socket).await?;
        match (&message, &mut self.lines) {
            (ServerMessage::Status(status), _) => self.hello.status = status.clone(),
            (ServerMessage::Line { content, .. }, Some(lines)) => {
                if lines.len() == MAX_KEPT_LINES {
                    lines.pop_front();
                }
                lines.push_back(content.clone());
            }
            _ => {}
        }
        Ok(message)
    }
}

/// Facts of the greeting that only `mcp` needs.
#[cfg(feature = "mcp")]
impl BridgeClient<'_> {
    /// Returns the names of all ports.
    pub(crate) fn ports(&self) -> &[String] {
        &self.hello.ports
    }

    /// Returns the number of this client. An older bridge tells none.
    pub(crate) fn number(&self) -> Option<u64> {
        self.hello.client
    }

    /// Returns the run of the bridge, and the number of the line after which what is sent to this
    /// client begins.
    pub(crate) fn place(&self) -> (&str, u64) {
        (&self.hello.run, self.hello.seq)
    }

    /// Returns the number of bytes after which this client's bytes begin, and of those that have come,
    /// with `data=all`.
    pub(crate) fn offsets(&self) -> (u64, u64) {
        let HelloMessage { offset, newest, .. } = &*self.hello;
        (*offset, newest.map_or(*offset, |newest| newest.offset))
    }

    /// Returns the settings of the port: those of the greeting, and the newest of the line.
    pub(crate) fn settings(&self) -> serde_json::Map<String, Value> {
        let mut settings = self
            .hello
            .port
            .settings
            .as_object()
            .cloned()
            .unwrap_or_default();
        settings.extend(self.hello.status.settings.clone().unwrap_or_default());
        settings
    }
}

/// Receives the next message.
///
/// # Errors
/// When the connection ends.
pub(crate) async fn read(
    socket: &mut WebSocketStream<&mut Stream>,
) -> Result<ServerMessage<'static>> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => {
                return serde_json::from_str(&text).map_err(|error| not_understood(&error));
            }
            Some(Ok(Message::Close(frame))) => {
                check_close(frame)?;
                return Err(Failure::Gone("serial-ws has stopped".to_owned()).into());
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(Failure::Gone(lost(error).to_string()).into()),
            None => {
                let reason = "the connection to serial-ws was lost".to_owned();
                return Err(Failure::Gone(reason).into());
            }
        }
    }
}

/// Returns the error for a request that was rejected.
fn failure(reason: String, code: Option<ErrorCode>) -> anyhow::Error {
    match code {
        Some(ErrorCode::Timeout) => Failure::Timeout(reason).into(),
        Some(ErrorCode::Gone) => Failure::Gone(reason).into(),
        Some(code) => Failure::Refused(code, reason).into(),
        None => anyhow!(reason),
    }
}

fn no_answer() -> anyhow::Error {
    anyhow!(
        "no answer from serial-ws within {} s",
        ANSWER_TIMEOUT.as_secs()
    )
}
