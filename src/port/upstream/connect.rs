//! Connects to another serial-ws: from its address to the greeting, or to the reason why there is none.

use std::fs;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::StreamExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::{Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::address::UpstreamAddress;
use crate::dial::{Fingerprint, refusal_body};
use crate::hub::{Position, State, Status};
use crate::platform::reason;
use crate::port::source::network;
use crate::protocol::{HelloMessage, ServerMessage};
use crate::terminal::{excerpt, shown};

/// The longest time to wait for encryption, then for the answer to the handshake, and then for the
/// greeting.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of a message from the other serial-ws. It is longer than what comes with one read, also where the
/// longest line ends there. A longer one ends the connection.
const MAX_MESSAGE_BYTES: usize = 16 << 20;

/// The user's settings for the access to another serial-ws.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UpstreamAccess {
    /// The file with its token. It is read for each connection.
    pub(crate) token: Option<PathBuf>,
    /// The fingerprint that its certificate must have. Without one, this computer must trust the
    /// certificate.
    pub(crate) fingerprint: Option<Fingerprint>,
}

impl UpstreamAccess {
    /// Returns why the token cannot be read, if it is to be.
    pub(crate) fn token_error(&self) -> Option<String> {
        let failure = read_token(self.token.as_deref()?).err()?;
        Some(failure.status.detail)
    }
}

/// The place after which another serial-ws is to go on: the name of the run, and what has come of it.
pub(super) type Since = (String, Position);

/// A connection, plain or encrypted.
pub(super) type UpstreamStream = Box<dyn UpstreamSocket>;

/// A byte stream that a WebSocket can run on.
pub(super) trait UpstreamSocket: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> UpstreamSocket for S {}

/// The WebSocket on it.
pub(super) type UpstreamWebSocket<'a> = WebSocketStream<&'a mut UpstreamStream>;

/// The reason why there is no connection.
#[derive(Debug)]
pub(super) struct ConnectFailure {
    /// The status for clients and the user.
    pub(super) status: Box<Status>,
    /// The time to try again.
    pub(super) retry: Retry,
    /// True if the other serial-ws was not reached at all, which is no news after a loss.
    pub(super) is_absent: bool,
}

/// The time to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retry {
    /// Soon, and then more and more seldom.
    Soon,
    /// After long: what is wrong has to be set right by people.
    Slowly,
    /// Only when somebody asks for it.
    WhenAsked,
}

impl ConnectFailure {
    /// A failure that has to be set right by people.
    pub(super) fn new(detail: impl Into<String>, hint: &str) -> Self {
        Self {
            status: Box::new(Status::new(State::Waiting, detail).with_hint(hint)),
            retry: Retry::Slowly,
            is_absent: false,
        }
    }

    fn soon(self) -> Self {
        let retry = Retry::Soon;
        Self { retry, ..self }
    }

    fn no_serial_ws(address: &UpstreamAddress, why: &str) -> Self {
        Self::new(
            format!("what answers at {address} is no serial-ws: {why}"),
            "Check the address and its TCP port",
        )
    }

    /// The other serial-ws closed the connection.
    pub(super) fn closed(address: &UpstreamAddress, frame: Option<CloseFrame>) -> Self {
        let Some(CloseFrame { code, reason }) = frame else {
            return Self::no_serial_ws(address, "it closes the connection without a word");
        };
        let (code, reason) = (u16::from(code), excerpt(&reason));
        let failure = Self::new(format!("{address} refuses: {reason}"), "");
        match code {
            4400 if reason.contains("data must be") => Self::new(
                format!("{address} is a serial-ws of an older version, which cannot be shared on"),
                "Install the newer version there",
            ),
            4410 => Self {
                retry: Retry::WhenAsked,
                status: Box::new(failure.status.with_hint(
                    "It is tried again when this serial-ws is asked to: serial-ws resume",
                )),
                ..failure
            },
            4000.. => failure,
            _ => failure.soon(),
        }
    }
}

/// Connects, and encrypts the connection if the address asks for it.
pub(super) async fn dial(
    address: &UpstreamAddress,
    access: &UpstreamAccess,
) -> Result<UpstreamStream, ConnectFailure> {
    let stream = network::connect(&address.endpoint).await;
    let stream = stream.map_err(|failure| ConnectFailure {
        status: failure.status,
        retry: Retry::Soon,
        is_absent: true,
    })?;
    if !address.is_encrypted {
        return Ok(Box::new(stream));
    }
    encrypt(address, access, stream).await
}

#[cfg(feature = "tls")]
async fn encrypt(
    address: &UpstreamAddress,
    access: &UpstreamAccess,
    stream: network::NetworkStream,
) -> Result<UpstreamStream, ConnectFailure> {
    let host = address.endpoint.host.split('%').next().unwrap_or_default();
    let encrypting = crate::dial::tls::encrypt(stream, host, access.fingerprint, ",fingerprint=");
    match in_time(address, encrypting).await? {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => Err(ConnectFailure::new(
            format!("no encrypted connection to {address}: {error}"),
            "",
        )),
    }
}

#[cfg(not(feature = "tls"))]
async fn encrypt(
    address: &UpstreamAddress,
    _access: &UpstreamAccess,
    _stream: network::NetworkStream,
) -> Result<UpstreamStream, ConnectFailure> {
    let detail = format!("{address} needs encryption, which this build does not have");
    Err(ConnectFailure::new(
        detail,
        "Write ws:// in place of wss://",
    ))
}

/// Waits for an answer of the other end.
async fn in_time<T>(
    address: &UpstreamAddress,
    answer: impl Future<Output = T>,
) -> Result<T, ConnectFailure> {
    let answer = timeout(ANSWER_TIMEOUT, answer).await;
    answer.map_err(|_| {
        let seconds = ANSWER_TIMEOUT.as_secs();
        ConnectFailure::no_serial_ws(address, &format!("it says nothing for {seconds} s"))
    })
}

/// Asks for the WebSocket of a port, which goes on after `since`.
pub(super) async fn upgrade<'a>(
    address: &UpstreamAddress,
    access: &UpstreamAccess,
    since: Option<&Since>,
    stream: &'a mut UpstreamStream,
) -> Result<UpstreamWebSocket<'a>, ConnectFailure> {
    let request = request(address, access, since)?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES));
    let answer = client_async_with_config(request, stream, Some(config));
    let error = match in_time(address, answer).await? {
        Ok((ws, _)) => return Ok(ws),
        Err(error) => error,
    };
    Err(match error {
        Error::Http(response) => ConnectFailure::refused(address, access, *response).await,
        Error::Io(error) if error.kind() != io::ErrorKind::UnexpectedEof => ConnectFailure {
            is_absent: true,
            ..ConnectFailure::new(
                format!("cannot connect to {address}: {}", reason(&error)),
                "",
            )
        }
        .soon(),
        _ => ConnectFailure::no_serial_ws(address, "it does not speak WebSocket"),
    })
}

impl ConnectFailure {
    /// The other end refused the WebSocket by HTTP.
    async fn refused(
        address: &UpstreamAddress,
        access: &UpstreamAccess,
        response: Response,
    ) -> Self {
        let status = response.status();
        let body = refusal_body(response, &mut tokio::io::empty()).await;
        let why = excerpt(&body);
        match (status, &access.token) {
            (StatusCode::UNAUTHORIZED, None) => Self::new(
                format!("{address} needs a token"),
                "Write it into a file, and add ,token=FILE to the port",
            ),
            (StatusCode::UNAUTHORIZED, Some(file)) => Self::new(
                format!("{address} does not accept the token in {}", file.display()),
                "Compare it with the one that is shown where the board is",
            ),
            (StatusCode::FORBIDDEN, _) => Self::new(format!("{address} refuses: {why}"), ""),
            (StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE, _) => {
                Self::new(format!("{address} refuses for now: {why}"), "")
            }
            _ => Self::no_serial_ws(address, &format!("it answers {status}")),
        }
    }
}

/// Returns the request for the WebSocket.
fn request(
    address: &UpstreamAddress,
    access: &UpstreamAccess,
    since: Option<&Since>,
) -> Result<Request, ConnectFailure> {
    let place = match since {
        Some((run, Position { line, offset })) => format!("since={run}:{line}:{offset}"),
        None => format!("history={}", u64::MAX),
    };
    let url = format!(
        "ws://{}{}?view=json&data=all&writes&append=none&{place}",
        address.authority(),
        address.path()
    );
    let request = url.into_client_request();
    let mut request =
        request.map_err(|_| ConnectFailure::new(format!("{address} is not an address"), ""))?;
    if let Some(file) = &access.token {
        let token = read_token(file)?;
        let value = format!("Bearer {token}").parse();
        let mut value: HeaderValue = value.map_err(|_| {
            let file = file.display();
            ConnectFailure::new(
                format!("{file} has no token: a token is one line of text"),
                "",
            )
        })?;
        value.set_sensitive(true);
        request.headers_mut().insert("authorization", value);
    }
    Ok(request)
}

fn read_token(file: &Path) -> Result<String, ConnectFailure> {
    let shown_file = shown(&file.display().to_string());
    let text = fs::read_to_string(file).map_err(|error| {
        let why = reason(&error);
        ConnectFailure::new(format!("cannot read the token in {shown_file}: {why}"), "")
    })?;
    let token = text.trim();
    if token.is_empty() {
        return Err(ConnectFailure::new(
            format!("{shown_file} has no token"),
            "",
        ));
    }
    Ok(token.to_owned())
}

/// Waits for the greeting.
pub(super) async fn hello(
    address: &UpstreamAddress,
    ws: &mut UpstreamWebSocket<'_>,
) -> Result<Box<HelloMessage<'static>>, ConnectFailure> {
    let first = async {
        loop {
            match ws.next().await {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => return other,
            }
        }
    };
    let text = match in_time(address, first).await? {
        Some(Ok(Message::Text(text))) => text,
        Some(Ok(Message::Close(frame))) => return Err(ConnectFailure::closed(address, frame)),
        Some(Ok(_)) => {
            return Err(ConnectFailure::no_serial_ws(
                address,
                "it sends something else",
            ));
        }
        Some(Err(_)) | None => {
            let failure = ConnectFailure::closed(address, None);
            return Err(failure.soon());
        }
    };
    match serde_json::from_str(&text) {
        Ok(ServerMessage::Hello(hello)) => Ok(hello),
        _ => Err(ConnectFailure::no_serial_ws(
            address,
            "it sends something else",
        )),
    }
}
