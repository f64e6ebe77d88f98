//! A conversation with a bridge in its `json` view, about its port and not about what it says.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use futures::{SinkExt, StreamExt};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::commands::client::{Stream, check_close, lost};
use crate::protocol::{ClientMessage, ConnectedPort, Id, ServerMessage, StatusMessage};
use crate::terminal::excerpt;

/// How long a bridge may take to answer. After it, it is taken for one that does not.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// How long a bridge may take to say goodbye. After it, we leave without.
const GOODBYE_WITHIN: Duration = Duration::from_secs(1);

/// An open connection, and what is known from it.
pub(crate) struct Talk<'a> {
    socket: WebSocketStream<&'a mut Stream>,
    port: ConnectedPort<'static>,
    status: StatusMessage<'static>,
    /// How many requests were made; each has its number for an id.
    asked: u64,
}

impl<'a> Talk<'a> {
    /// Waits for the bridge's greeting.
    ///
    /// # Errors
    /// Why there is none, such as a name that no port has.
    pub(crate) async fn begin(mut socket: WebSocketStream<&'a mut Stream>) -> Result<Self> {
        match timeout(ANSWER_WITHIN, read(&mut socket)).await {
            Ok(Ok(ServerMessage::Hello(hello))) => Ok(Self {
                socket,
                port: hello.port,
                status: hello.status,
                asked: 0,
            }),
            Ok(Ok(_)) => bail!("what answers there does not greet as serial-ws does"),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(no_answer()),
        }
    }

    /// Asks for something, and waits until it is done.
    ///
    /// # Errors
    /// What the bridge says, or why it says nothing.
    pub(crate) async fn ask(&mut self, request: &ClientMessage) -> Result<()> {
        self.asked += 1;
        let id = Id::from(&self.asked.into());
        let request = request.to_json(&id);
        let answer = async {
            // An error in sending is one in reading as well, where its reason may be found.
            let _ = self.socket.send(Message::text(request)).await;
            loop {
                match self.read().await? {
                    ServerMessage::Ack(ack) if ack.id == id => return Ok(()),
                    ServerMessage::Error(error)
                        if error.id.as_ref().is_none_or(|about| *about == id) =>
                    {
                        bail!(excerpt(&error.error));
                    }
                    _ => {}
                }
            }
        };
        let answer = timeout(ANSWER_WITHIN, answer).await;
        answer.unwrap_or_else(|_| Err(no_answer()))
    }

    /// Waits until the port is in this state, at most for `limit`; whether it is.
    ///
    /// # Errors
    /// Why the connection ended.
    pub(crate) async fn wait_for(&mut self, state: &str, limit: Duration) -> Result<bool> {
        let wait = async {
            while !self.is(state) {
                self.read().await?;
            }
            Ok(true)
        };
        timeout(limit, wait).await.unwrap_or(Ok(false))
    }

    /// Listens, and gives signs of life, until the connection ends; why it did.
    pub(crate) async fn lost(&mut self) -> anyhow::Error {
        loop {
            if let Err(error) = self.read().await {
                return error;
            }
        }
    }

    /// Whether the port is in this state, as far as we heard.
    pub(crate) fn is(&self, state: &str) -> bool {
        self.status.state == state
    }

    /// How the port is, in the bridge's words.
    pub(crate) fn status(&self) -> String {
        let StatusMessage { detail, hint, .. } = &self.status;
        match &**hint {
            "" => excerpt(detail),
            hint => format!("{}. {}", excerpt(detail), excerpt(hint)),
        }
    }

    /// What the system calls the device, where it is known.
    pub(crate) fn device(&self) -> Option<String> {
        self.port.device.as_ref().map(|device| device.path.clone())
    }

    /// What to call the port: by its device, else by its name.
    pub(crate) fn port(&self) -> String {
        excerpt(&self.device().unwrap_or_else(|| self.port.name.to_string()))
    }

    /// Says goodbye.
    pub(crate) async fn end(mut self) {
        // A bridge that has gone needs none.
        let _ = timeout(GOODBYE_WITHIN, self.socket.close(None)).await;
    }

    /// The next message; a status is also kept.
    async fn read(&mut self) -> Result<ServerMessage<'static>> {
        let message = read(&mut self.socket).await?;
        if let ServerMessage::Status(status) = &message {
            self.status = status.clone();
        }
        Ok(message)
    }
}

/// Receives the next message.
async fn read(socket: &mut WebSocketStream<&mut Stream>) -> Result<ServerMessage<'static>> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => {
                return serde_json::from_str(&text).context("cannot understand the bridge");
            }
            Some(Ok(Message::Close(frame))) => {
                check_close(frame)?;
                bail!("the bridge has stopped");
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(lost(error)),
            None => bail!("the connection to the bridge was lost"),
        }
    }
}

fn no_answer() -> anyhow::Error {
    anyhow!(
        "the bridge does not answer within {} s",
        ANSWER_WITHIN.as_secs()
    )
}
