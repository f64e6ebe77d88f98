//! The JSON API (`/api/…`), with `/hello` and `/metrics` beside it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::channel::mpsc;
use serde_json::{Value, json};

use super::metrics;
use crate::hub::{Action, Done, ErrorCode, Lease, Outcome, RequestError, RequestSender};
use crate::protocol::{HelloAnswer, ReleaseMessage, StatusMessage};
use crate::server::access::offer::Audience;
use crate::server::access::{Caller, RequestClass, Rights};
use crate::server::{App, Port, playback, settings};

/// Tells any page whether it may connect. It tells nothing about the ports.
pub(super) async fn hello(State(app): State<Arc<App>>, request: Request) -> Response {
    let origin = request.headers().get(header::ORIGIN);
    let origin = origin.and_then(|origin| origin.to_str().ok());
    // Browsers name the origin when our own page opens a WebSocket, but not in its plain GET.
    let class = match origin {
        Some(_) => RequestClass::WebSocket,
        None => RequestClass::Data,
    };
    let decision = app.decide(Caller::of(&request, class));
    let rights = decision.as_ref().ok().copied();
    let remedy = decision.err().map(|denial| denial.into_rejection().remedy);
    let answer = HelloAnswer {
        name: env!("CARGO_PKG_NAME").into(),
        version: env!("CARGO_PKG_VERSION").into(),
        origin: origin.map(Cow::from),
        allowed: rights.is_some(),
        read_only: rights == Some(Rights::ReadOnly),
        remedy: remedy.map(Cow::from),
    };
    Json(answer).into_response()
}

/// Returns the metrics; the media type is that of version 0.0.4 of the Prometheus text format.
pub(super) async fn metrics(State(app): State<Arc<App>>) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    (kind, metrics::text(&app.ports.all(), &app.outputs)).into_response()
}

/// Lists the ports.
pub(super) async fn ports(State(app): State<Arc<App>>) -> Json<Value> {
    Json(app.ports.all().iter().map(|port| describe(port)).collect())
}

/// Lists the devices of this computer. Opens none.
pub(super) async fn devices(State(app): State<Arc<App>>, request: Request) -> Response {
    let audience = Audience::of(Caller::of(&request, RequestClass::Data));
    match app.devices.list().await {
        Ok(devices) => Json(app.shown_devices(&devices, &audience)).into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, error + "\n").into_response(),
    }
}

/// Returns the status of the server and of each port, with counters.
pub(super) async fn status(State(app): State<Arc<App>>) -> Json<Value> {
    let ports = app.ports.all();
    let ports = ports.iter().map(|port| {
        let mut object = describe(port);
        let end = port.hub.end();
        object["clients"] = port.hub.clients().into();
        object["lines"] = end.line.into();
        object["bytes"] = end.offset.into();
        object["counters"] = json!(port.hub.counters);
        object
    });
    Json(json!({
        "name": env!("CARGO_PKG_NAME"),
        "version": env!("CARGO_PKG_VERSION"),
        "run": app.run,
        "uptime": app.started.elapsed().as_secs(),
        "clients": app.limits.clients.taken(),
        "ports": ports.collect::<Value>(),
    }))
}

/// Releases a port to another program for a time.
pub(super) async fn release(
    State(app): State<Arc<App>>,
    Extension(rights): Extension<Rights>,
    Path(name): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let seconds = query
        .get("seconds")
        .map(|seconds| seconds.parse().unwrap_or(f64::NAN));
    let r#while = query.get("while").cloned();
    match (ReleaseMessage { seconds, r#while }).lease() {
        Ok(Lease::WhileConnected) => {
            let error = "a lease while connected needs a WebSocket; here, use seconds=60\n";
            (StatusCode::BAD_REQUEST, error).into_response()
        }
        Ok(lease) => {
            let path = Path(name);
            request(State(app), Extension(rights), path, Action::Release(lease)).await
        }
        Err(error) => (StatusCode::BAD_REQUEST, error + "\n").into_response(),
    }
}

/// Takes a port back. The operator also ends the write lock by that.
pub(super) async fn resume(
    State(app): State<Arc<App>>,
    Extension(rights): Extension<Rights>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    if app
        .policy
        .is_operator(Caller::of(&request, RequestClass::Data))
        && let Some(port) = app.ports.by_name(&name)
        && port.why_read_only(rights).is_none()
    {
        port.hub.unlock(None);
    }
    self::request(
        State(app),
        Extension(rights),
        Path(name),
        Action::Resume(None),
    )
    .await
}

/// Changes the settings of a port.
pub(super) async fn settings(
    State(app): State<Arc<App>>,
    Extension(rights): Extension<Rights>,
    Path(name): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
) -> Response {
    match settings::RULES.read_query(&query) {
        Ok(change) => {
            let action = Action::Settings(change);
            request(State(app), Extension(rights), Path(name), action).await
        }
        Err(error) => (StatusCode::BAD_REQUEST, error + "\n").into_response(),
    }
}

/// Changes the playing of the recording that is a port's device.
pub(super) async fn playback(
    State(app): State<Arc<App>>,
    Extension(rights): Extension<Rights>,
    Path(name): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
) -> Response {
    let outcome = writable_port(&app, &name, rights).and_then(|port| {
        let bad = |error: String| (StatusCode::BAD_REQUEST, error + "\n");
        let change = playback::RULES.read_query(&query).map_err(bad)?;
        let (sender, _) = port.hub.queue.register();
        let lock = sender.of_operator(rights.are_operators()).check_lock();
        lock.map_err(|holder| (StatusCode::CONFLICT, holder.refusal() + "\n"))?;
        let changed = port.hub.change_playback(&change);
        changed.map_err(|error| (StatusCode::CONFLICT, error + "\n"))?;
        Ok(Json(describe(&port)))
    });
    outcome.into_response()
}

/// Requests an action of a port, and answers when it is done.
pub(super) async fn request(
    State(app): State<Arc<App>>,
    Extension(rights): Extension<Rights>,
    Path(name): Path<String>,
    action: Action,
) -> Response {
    let port = match writable_port(&app, &name, rights) {
        Ok(port) => port,
        Err(error) => return error.into_response(),
    };
    let registered = port.hub.queue.register();
    match carried_out(&port, registered, rights, action).await {
        Ok(_) => Json(describe(&port)).into_response(),
        Err(error) => error.into_response(),
    }
}

/// The answer to a request that was not carried out: a sentence for people.
pub(super) type ApiError = (StatusCode, String);

/// Finds a port by its name.
///
/// # Errors
/// When there is none.
pub(super) fn port(app: &App, name: &str) -> Result<Arc<Port>, ApiError> {
    app.ports.by_name(name).ok_or_else(|| {
        let available = app.ports.names().join(", ");
        let error = format!("unknown port (available: {available})\n");
        (StatusCode::NOT_FOUND, error)
    })
}

/// Finds a port to which a client with these rights may write.
///
/// # Errors
/// When there is none, or it may only read.
pub(super) fn writable_port(app: &App, name: &str, rights: Rights) -> Result<Arc<Port>, ApiError> {
    let port = port(app, name)?;
    match port.why_read_only(rights) {
        Some(reason) => Err((StatusCode::FORBIDDEN, format!("{reason}\n"))),
        None => Ok(port),
    }
}

/// Requests an action of a port for a client with these rights that has registered, and waits until it
/// is done. Returns what came of it.
///
/// # Errors
/// When it was not carried out.
pub(super) async fn carried_out(
    port: &Port,
    (sender, mut replies): (RequestSender, mpsc::Receiver<(u64, Outcome)>),
    rights: Rights,
    action: Action,
) -> Result<Done, ApiError> {
    let mut sender = sender.of_operator(rights.are_operators());
    let size = action.bytes().len();
    if let Err(reason) = sender.try_send(action) {
        let reason = port.no_room_reason(size, reason);
        return Err((StatusCode::CONFLICT, reason + "\n"));
    }
    let outcome = tokio::select! {
        biased;
        reply = replies.recv() => reply.ok(),
        // The port answers nothing any more.
        () = port.stop.cancelled() => None,
    };
    match outcome {
        Some((_, Ok(done))) => Ok(done),
        Some((_, Err(error))) => Err((status_code(&error), sentence(&error, size))),
        None if port.end.get().is_some() => {
            Err((StatusCode::NOT_FOUND, "this port was removed\n".to_owned()))
        }
        None => {
            let error = "serial-ws is stopping\n".to_owned();
            Err((StatusCode::SERVICE_UNAVAILABLE, error))
        }
    }
}

/// Returns the status code for a request that was not carried out.
fn status_code(error: &RequestError) -> StatusCode {
    match error.code {
        Some(ErrorCode::Timeout) => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::CONFLICT,
    }
}

/// Returns the reason why not all of `size` bytes were written.
fn sentence(error: &RequestError, size: usize) -> String {
    let RequestError {
        reason, written, ..
    } = error;
    match *written {
        0 => format!("{reason}\n"),
        // The whole question was written, so there is nothing more to say of it.
        written if written == size => format!("{reason}\n"),
        written => format!("{reason}; {written} of {size} bytes were written before\n"),
    }
}

/// Returns the facts about a port that all calls show.
pub(super) fn describe(port: &Port) -> Value {
    let status = port.hub.status();
    let mut object = json!({ "name": port.name, "at": format!("/ports/{}", port.name) });
    if let (Some(device), Some(object)) = (&status.device, object.as_object_mut()) {
        object.extend(json!(**device).as_object().cloned().unwrap_or_default());
    }
    object["settings"] = port.settings(Rights::Operator);
    object["status"] = json!(StatusMessage::from(&status));
    object
}
