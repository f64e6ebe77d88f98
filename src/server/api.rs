//! What is served by HTTP: the page, and facts about the bridge as JSON.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::{App, Port, READ_ONLY, assets, metrics, upgrade};
use crate::hub::{Action, Lease};
use crate::view;

/// All that is served, behind the door.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/", get(async || assets::file("index.html")))
        .route("/monitor.js", get(async || assets::file("monitor.js")))
        .route("/hello", get(hello))
        .route("/healthz", get(async || "ok\n"))
        .route("/metrics", get(metrics))
        .route("/api/ports", get(ports))
        .route("/api/status", get(status))
        .route("/api/ports/{name}/release", post(release))
        .route("/api/ports/{name}/resume", post(resume))
        .route("/api/ports/{name}/reset", post(reset))
        .fallback(async || (StatusCode::NOT_FOUND, "not found\n"))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), door))
        .with_state(app)
}

/// Decides on every request before anything else does, and sorts out WebSockets.
async fn door(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let wants_upgrade = upgrade::is_wanted(request.headers());
    let is_hello = request.uri().path() == "/hello" && !wants_upgrade;
    let origin = request.headers().get(header::ORIGIN).cloned();
    let mut response = if let Some(refusal) = refusal(&app, request.headers(), is_hello) {
        refusal
    } else if wants_upgrade && request.method() == Method::GET {
        upgrade::answer(&app, request)
    } else {
        let mut response = next.run(request).await;
        // Only admitted origins come as far as here, but for /hello, which answers all.
        let readers = if is_hello {
            Some(HeaderValue::from_static("*"))
        } else {
            origin
        };
        if let Some(readers) = readers {
            response
                .headers_mut()
                .insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, readers);
        }
        response
    };
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return response;
    }
    // One request per connection leaves nothing to smuggle a second one in.
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    response
}

/// The answer to a request that is not permitted.
fn refusal(app: &App, headers: &HeaderMap, is_hello: bool) -> Option<Response> {
    let verdict = if is_hello {
        app.policy.admit_host(headers)
    } else {
        app.policy.admit(headers)
    };
    if let Err(refusal) = verdict {
        tracing::warn!("refused: {}. {}", refusal.reason, refusal.remedy);
        let body = format!(
            "serial-ws refused this: {}\n{}\n",
            refusal.reason, refusal.remedy
        );
        return Some((StatusCode::from(refusal.status), body).into_response());
    }
    let no_body = "no request here has a body\n";
    has_body(headers).then(|| (StatusCode::BAD_REQUEST, no_body).into_response())
}

fn has_body(headers: &HeaderMap) -> bool {
    let length = headers.get(header::CONTENT_LENGTH);
    headers.contains_key(header::TRANSFER_ENCODING) || length.is_some_and(|length| length != "0")
}

/// Tells a page, wherever it comes from, whether it may connect; nothing about the ports.
async fn hello(State(app): State<Arc<App>>, headers: HeaderMap) -> Json<Value> {
    let verdict = app.policy.admit(&headers);
    let origin = headers
        .get(header::ORIGIN)
        .and_then(|origin| origin.to_str().ok());
    Json(json!({
        "name": env!("CARGO_PKG_NAME"),
        "version": env!("CARGO_PKG_VERSION"),
        "origin": origin,
        "allowed": verdict.is_ok(),
        "remedy": verdict.err().map(|refusal| refusal.remedy),
    }))
}

/// The media type is that of version 0.0.4 of the format.
async fn metrics(State(app): State<Arc<App>>) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    (kind, metrics::text(app.ports.iter().map(Arc::as_ref))).into_response()
}

async fn ports(State(app): State<Arc<App>>) -> Json<Value> {
    Json(app.ports.iter().map(|port| describe(port)).collect())
}

async fn status(State(app): State<Arc<App>>) -> Json<Value> {
    let ports = app.ports.iter().map(|port| {
        let mut object = describe(port);
        let end = port.hub.end();
        object["clients"] = port.hub.subscribers().into();
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
        "clients": app.clients.load(Ordering::Relaxed),
        "ports": ports.collect::<Value>(),
    }))
}

async fn release(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let seconds = query
        .get("seconds")
        .map(|seconds| seconds.parse().unwrap_or(f64::NAN));
    match view::lease(seconds, query.get("while").map(String::as_str)) {
        Ok(Lease::WhileConnected) => {
            let mistake = "a lease while connected needs a WebSocket; here, give seconds=60\n";
            (StatusCode::BAD_REQUEST, mistake).into_response()
        }
        Ok(lease) => ask(&app, &name, Action::Release(lease)).await,
        Err(mistake) => (StatusCode::BAD_REQUEST, mistake + "\n").into_response(),
    }
}

async fn resume(State(app): State<Arc<App>>, Path(name): Path<String>) -> Response {
    ask(&app, &name, Action::Resume).await
}

async fn reset(State(app): State<Arc<App>>, Path(name): Path<String>) -> Response {
    ask(&app, &name, Action::Reset).await
}

/// Asks a port for something, and answers when it is done.
async fn ask(app: &App, name: &str, action: Action) -> Response {
    let Some(port) = app.ports.iter().find(|port| port.name == name) else {
        let known = app.names.join(", ");
        return (
            StatusCode::NOT_FOUND,
            format!("no port of that name. Here are: {known}\n"),
        )
            .into_response();
    };
    if port.settings.read_only {
        return (StatusCode::FORBIDDEN, format!("{READ_ONLY}\n")).into_response();
    }
    let (mut lane, mut replies) = port.hub.queue.lane();
    let asked = lane.offer(action);
    match (asked, replies.recv().await) {
        (Ok(_), Ok((_, Ok(_)))) => Json(describe(port)).into_response(),
        (Ok(_), Ok((_, Err(refusal)))) => {
            (StatusCode::CONFLICT, refusal.reason + "\n").into_response()
        }
        _ => (StatusCode::SERVICE_UNAVAILABLE, "serial-ws is stopping\n").into_response(),
    }
}

/// A port as both calls show it.
fn describe(port: &Port) -> Value {
    let status = port.hub.status();
    let mut object = json!({ "name": port.name, "at": format!("/ports/{}", port.name) });
    if let (Some(device), Some(object)) = (&status.device, object.as_object_mut()) {
        object.extend(json!(**device).as_object().cloned().unwrap_or_default());
    }
    object["settings"] = port.settings.to_json();
    object["status"] = json!(status);
    object
}
