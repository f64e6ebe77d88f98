//! `POST /api/ports/NAME/write`: writes the body of a request to the device, as it is.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::json;

use super::api::{ApiError, carried_out, writable_port};
use super::body::{self, BODY_TIMEOUT, BodyError};
use crate::config::unknown_name;
use crate::hub::{Action, Done};
use crate::server::access::{Peer, Rejection, Rights};
use crate::server::client::client_name;
use crate::server::limits::QuotaPermit;
use crate::server::{App, Port};
use crate::view::LineEnding;

/// The parameters of the query.
const KNOWN: [&str; 4] = ["append", "frame", "client", "token"];

/// Returns true for the address of requests whose body is written.
pub(super) fn takes_body(uri: &Uri) -> bool {
    let path = uri.path().strip_prefix("/api/ports/");
    let call = path.and_then(|path| path.split_once('/'));
    call.is_some_and(|(_, call)| matches!(call, "write" | "ask"))
}

/// Writes a body, and answers when the system has taken all of it. Once the body is here, it is
/// written whether or not the client waits for the answer.
pub(super) async fn write(
    State(app): State<Arc<App>>,
    Extension(rights): Extension<Rights>,
    Extension(peer): Extension<Peer>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let form = || form(&parts.uri).map_err(bad_request);
    let prepared = prepare(&app, rights, peer, &name).and_then(|it| Ok((it, form()?)));
    let outcome = match prepared {
        Ok(((port, _place), form)) => {
            let max = app.config.max_message;
            let bytes = read_body(&parts.headers, body, max).await;
            write_body(&port, (peer, rights), bytes, form).await
        }
        Err(error) => {
            body::discard(&parts.headers, body).await;
            Err(error)
        }
    };
    match outcome {
        Ok(bytes) => Json(json!({ "bytes": bytes })).into_response(),
        Err(error) => error.into_response(),
    }
}

/// Finds the port, and takes a place: the device may keep a write waiting for long.
pub(super) fn prepare(
    app: &App,
    rights: Rights,
    peer: Peer,
    name: &str,
) -> Result<(Arc<Port>, QuotaPermit), ApiError> {
    let port = writable_port(app, name, rights)?;
    let place = app.limits.writes.try_acquire(peer.quota_address());
    let place = place.map_err(|_| {
        let Rejection { reason, .. } = Rejection::overloaded();
        (StatusCode::SERVICE_UNAVAILABLE, reason + "\n")
    })?;
    Ok((port, place))
}

/// Returns the answer to a request with a query that is not understood.
pub(super) fn bad_request(error: String) -> ApiError {
    (StatusCode::BAD_REQUEST, error + "\n")
}

/// The form in which a body is written, and the name of its client.
type BodyQuery = (BodyForm, Option<Arc<str>>);

/// The form in which a body is written.
#[derive(Clone, Copy)]
enum BodyForm {
    /// The body with this ending.
    Bytes(LineEnding),
    /// The body as a frame of the port's framing.
    Frame,
}

/// Reads from the query what to add. Without it, that is nothing: a body may be anything.
fn form(uri: &Uri) -> Result<BodyQuery, String> {
    let query = Query::<Vec<(String, String)>>::try_from_uri(uri);
    let Query(query) = query.map_err(|_| "the query is not percent-encoded text")?;
    let (mut ending, mut is_frame, mut client) = (None, false, None);
    for (key, value) in query {
        match key.as_str() {
            "append" => ending = Some(value.parse()?),
            "frame" if matches!(&*value, "" | "1" | "true") => is_frame = true,
            "frame" => return Err("frame takes no value, as in write?frame".to_owned()),
            "client" => client = Some(client_name::parse(&value)?),
            "token" => {}
            _ => {
                let error = unknown_name("unknown query parameter", &key, &KNOWN);
                return Err(error + "; what is written is the body");
            }
        }
    }
    let form = match ending {
        Some(_) if is_frame => {
            return Err("a frame takes no append: its framing ends it".to_owned());
        }
        _ if is_frame => BodyForm::Frame,
        ending => BodyForm::Bytes(ending.unwrap_or(LineEnding::None)),
    };
    Ok((form, client))
}

/// Reads the bytes to write.
pub(super) async fn read_body(
    headers: &HeaderMap,
    body: Body,
    max: usize,
) -> Result<Bytes, ApiError> {
    let bytes = body::read(headers, body, max).await;
    bytes.map_err(|error| unreadable(error, headers, max))
}

async fn write_body(
    port: &Port,
    (peer, rights): (Peer, Rights),
    bytes: Result<Bytes, ApiError>,
    (form, client): BodyQuery,
) -> Result<usize, ApiError> {
    let bytes = bytes?;
    let action = match form {
        BodyForm::Bytes(ending) => Action::Write(ending.complete(bytes)),
        BodyForm::Frame => Action::WriteFrame {
            bytes,
            urgent: false,
        },
    };
    let (mut sender, replies) = port.hub.queue.register_at(peer.limit_address());
    sender.set_name(client);
    match carried_out(port, (sender, replies), rights, action).await {
        Ok(Done::Written(bytes)) => Ok(bytes),
        Ok(Done::Replied(reply)) => Ok(reply.bytes.len()),
        Err(error) => {
            port.hub.counters.refused.fetch_add(1, Ordering::Relaxed);
            Err(error)
        }
    }
}

/// Returns the answer to a request whose body could not be read. Nothing of it is written.
fn unreadable(error: BodyError, headers: &HeaderMap, max: usize) -> ApiError {
    match error {
        BodyError::TooLong => {
            let what = match body::declared_length(headers) {
                Some(length) => format!("{length} bytes are too many"),
                None => "the body is too long".to_owned(),
            };
            let error =
                format!("{what} for one write: it may have at most {max} bytes (--max-message)\n");
            (StatusCode::PAYLOAD_TOO_LARGE, error)
        }
        BodyError::Late => {
            let timeout = BODY_TIMEOUT.as_secs();
            let error =
                format!("the body did not arrive within {timeout} s; nothing was written\n");
            (StatusCode::REQUEST_TIMEOUT, error)
        }
        BodyError::CutOff => {
            let error = "the body ended early; nothing was written\n".to_owned();
            (StatusCode::BAD_REQUEST, error)
        }
    }
}
