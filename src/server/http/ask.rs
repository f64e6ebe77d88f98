//! `POST /api/ports/NAME/ask`: writes the body of a request to the device, and answers with its reply.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Json;
use axum::extract::{Extension, Path, Query, Request, State};
use axum::http::{HeaderMap, Uri, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::Number;

use super::api::{ApiError, carried_out};
use super::body;
use super::write::{bad_request, prepare, read_body};
use crate::config::{units, unknown_name};
use crate::hub::{Action, DeviceQuestion, Done};
use crate::protocol::{AskMessage, Content};
use crate::server::access::{Peer, Rights};
use crate::server::client::client_name;
use crate::server::{App, Port};
use crate::view::LineEnding;

/// The parameters of the query.
const KNOWN: [&str; 6] = ["until", "lines", "timeout", "append", "client", "token"];

/// The type of a body that is bytes, and whose reply is to be bytes.
const BYTES: &str = "application/octet-stream";

/// Asks the device, and answers when it has replied.
pub(super) async fn ask(
    State(app): State<Arc<App>>,
    Extension(rights): Extension<Rights>,
    Extension(peer): Extension<Peer>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let question = || question(&parts.uri, &parts.headers).map_err(bad_request);
    let prepared = prepare(&app, rights, peer, &name).and_then(|it| Ok((it, question()?)));
    let outcome = match prepared {
        Ok(((port, _place), question)) => {
            match read_body(&parts.headers, body, app.config.max_message).await {
                Ok(bytes) => ask_port(&port, (peer, rights), question, bytes).await,
                Err(error) => Err(error),
            }
        }
        Err(error) => {
            body::discard(&parts.headers, body).await;
            Err(error)
        }
    };
    outcome.unwrap_or_else(IntoResponse::into_response)
}

/// A question, the ending of its body, and the name of its client.
type NamedQuestion = (DeviceQuestion, LineEnding, Option<Arc<str>>);

/// Reads the question from the query, all but its bytes.
fn question(uri: &Uri, headers: &HeaderMap) -> Result<NamedQuestion, String> {
    let query = Query::<Vec<(String, String)>>::try_from_uri(uri);
    let Query(query) = query.map_err(|_| "the query is not percent-encoded text")?;
    let (mut ending, mut until, mut client) = (LineEnding::None, Vec::new(), None);
    let mut ask = AskMessage {
        text: Some(String::new()),
        ..AskMessage::default()
    };
    for (key, value) in query {
        match key.as_str() {
            "until" => until.push(value),
            "lines" => ask.lines = Some(number(&key, &value)?),
            "timeout" => ask.timeout = Some(milliseconds(&value)?),
            "append" => ending = value.parse()?,
            "client" => client = Some(client_name::parse(&value)?),
            "token" => {}
            _ => {
                let error = unknown_name("unknown query parameter", &key, &KNOWN);
                return Err(error + "; the question is the body");
            }
        }
    }
    ask.set_until(&until)?;
    let mut question = ask.question()?;
    let kind = headers.get(header::CONTENT_TYPE);
    question.is_text = kind.is_none_or(|kind| kind != BYTES);
    Ok((question, ending, client))
}

fn number(key: &str, value: &str) -> Result<Number, String> {
    let number = value.parse::<u64>().map(Number::from);
    number.map_err(|_| format!("`{key}` must be a whole number, not `{value}`"))
}

/// Reads a time, a number without a unit being milliseconds as in the json protocol.
fn milliseconds(value: &str) -> Result<Number, String> {
    let time = units::time(value, 0.001)
        .as_ref()
        .map(Duration::as_secs_f64);
    let number = time.and_then(|seconds| Number::from_f64(seconds * 1000.0));
    number.ok_or_else(|| format!("`timeout` must be {}, not `{value}`", units::TIME))
}

async fn ask_port(
    port: &Port,
    (peer, rights): (Peer, Rights),
    (mut question, ending, client): NamedQuestion,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    question.bytes = ending.complete(bytes);
    let (mut sender, replies) = port.hub.queue.register_at(peer.limit_address());
    sender.set_name(client);
    match carried_out(port, (sender, replies), rights, Action::Ask(question)).await {
        Ok(Done::Replied(reply)) => Ok(Json(Content::of_reply(&reply)).into_response()),
        Ok(Done::Written(_)) => Ok(().into_response()),
        Err(error) => {
            port.hub.counters.refused.fetch_add(1, Ordering::Relaxed);
            Err(error)
        }
    }
}
