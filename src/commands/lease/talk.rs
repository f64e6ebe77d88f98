//! A conversation with a bridge in its `json` view, about its port and not about what it says.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use futures::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::commands::client::{Stream, lost, verdict};
use crate::terminal::excerpt;

/// How long a bridge may take to answer. After it, it is taken for one that does not.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// How long a bridge may take to say goodbye. After it, we leave without.
const GOODBYE_WITHIN: Duration = Duration::from_secs(1);

/// An open connection, and what is known from it.
pub(crate) struct Talk<'a> {
    socket: WebSocketStream<&'a mut Stream>,
    port: Port,
    status: Status,
    /// How many requests were made; each has its number for an id.
    asked: u64,
}

/// What the bridge says, as far as it matters here.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Said {
    Hello {
        port: Port,
        status: Status,
    },
    Status(Status),
    Ack {
        id: Value,
    },
    Error {
        id: Option<Value>,
        error: String,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Port {
    name: String,
    /// Where the device is or was last, if there ever was one.
    path: Option<String>,
}

#[derive(Deserialize)]
struct Status {
    state: String,
    detail: String,
    #[serde(default)]
    hint: String,
}

impl<'a> Talk<'a> {
    /// Waits for the bridge's greeting.
    ///
    /// # Errors
    /// Why there is none, such as a name that no port has.
    pub(crate) async fn begin(mut socket: WebSocketStream<&'a mut Stream>) -> Result<Self> {
        match timeout(ANSWER_WITHIN, read(&mut socket)).await {
            Ok(Ok(Said::Hello { port, status })) => Ok(Self {
                socket,
                port,
                status,
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
    pub(crate) async fn ask(&mut self, mut request: Value) -> Result<()> {
        self.asked += 1;
        let id = Value::from(self.asked);
        request["id"] = id.clone();
        let answer = async {
            // An error in sending is one in reading as well, where its reason may be found.
            let _ = self.socket.send(Message::text(request.to_string())).await;
            loop {
                match self.read().await? {
                    Said::Ack { id: about } if about == id => return Ok(()),
                    Said::Error { id: about, error }
                        if about.as_ref().is_none_or(|about| *about == id) =>
                    {
                        bail!(excerpt(&error));
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
        let Status { detail, hint, .. } = &self.status;
        match hint.as_str() {
            "" => excerpt(detail),
            hint => format!("{}. {}", excerpt(detail), excerpt(hint)),
        }
    }

    /// What the system calls the device, where it is known.
    pub(crate) fn device(&self) -> Option<String> {
        self.port.path.clone()
    }

    /// What to call the port: by its device, else by its name.
    pub(crate) fn port(&self) -> String {
        let Port { name, path } = &self.port;
        excerpt(path.as_ref().unwrap_or(name))
    }

    /// Says goodbye.
    pub(crate) async fn end(mut self) {
        // A bridge that has gone needs none.
        let _ = timeout(GOODBYE_WITHIN, self.socket.close(None)).await;
    }

    async fn read(&mut self) -> Result<Said> {
        let mut said = read(&mut self.socket).await?;
        if let Said::Status(status) = said {
            self.status = status;
            said = Said::Other;
        }
        Ok(said)
    }
}

/// The next thing that the bridge says.
async fn read(socket: &mut WebSocketStream<&mut Stream>) -> Result<Said> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => {
                return serde_json::from_str(&text).context("cannot understand the bridge");
            }
            Some(Ok(Message::Close(frame))) => {
                verdict(frame)?;
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
