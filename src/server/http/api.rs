//! What is served by HTTP: the page, and facts about the bridge as JSON.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Extension, Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::{assets, metrics, static_files};
use crate::hub::{Action, Lease};
use crate::server::access::{self, Caller, Peer, Purpose, Refusal, Rights, Verdict};
use crate::server::limits::ConnectionId;
use crate::server::websocket::{params, upgrade};
use crate::server::{App, Port, Token};
use crate::view;

/// All that is served, behind the door.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/", get(front))
        .route("/_serial-ws/", get(async || assets::file("index.html")))
        .route("/_serial-ws/{file}", get(part))
        .route("/serial-ws.js", get(async || assets::file("serial-ws.js")))
        .route(
            "/serial-ws.mjs",
            get(async || assets::file("serial-ws.mjs")),
        )
        .route(
            "/serial-ws-p5.js",
            get(async || assets::file("serial-ws-p5.js")),
        )
        .route("/hello", get(hello))
        .route("/healthz", get(async || "ok\n"))
        .route("/metrics", get(metrics))
        .route("/api/ports", get(ports))
        .route("/api/status", get(status))
        .route("/api/ports/{name}/release", post(release))
        .route("/api/ports/{name}/resume", post(resume))
        .route("/api/ports/{name}/reset", post(reset))
        .fallback(other)
        .layer(middleware::from_fn_with_state(Arc::clone(&app), door))
        .with_state(app)
}

/// Decides on every request before anything else does, and sorts out WebSockets.
async fn door(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let wants_upgrade = upgrade::is_wanted(&request);
    let purpose = params::purpose(request.uri().path(), wants_upgrade);
    let origin = request.headers().get(header::ORIGIN).cloned();
    let mut response = match admit(&app, &request, purpose) {
        Err(refusal) => refused(&refusal),
        Ok(rights) if wants_upgrade => upgrade::answer(&app, request, rights),
        Ok(_)
            if app
                .policy
                .token_to_keep(caller(&request, purpose))
                .is_some() =>
        {
            keep_token(&app, &request)
        }
        Ok(rights) => {
            request.extensions_mut().insert(rights);
            let mut response = next.run(request).await;
            // Other origins come no further than to what is public.
            let readers = match purpose {
                Purpose::Public => Some(HeaderValue::from_static("*")),
                _ => origin,
            };
            if let Some(readers) = readers {
                response
                    .headers_mut()
                    .insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, readers);
            }
            response
        }
    };
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return response;
    }
    // One request per connection leaves nothing to smuggle a second one in.
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    let open_to = match purpose {
        Purpose::Public => "cross-origin",
        Purpose::Data | Purpose::Socket => "same-origin",
        // A file of the user's folder may be anything; our own pages have said it.
        Purpose::Page => return response,
    };
    headers.insert(assets::OPEN_TO, HeaderValue::from_static(open_to));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

/// What the one who asks may do, or why they may not ask.
fn admit(app: &App, request: &Request, purpose: Purpose) -> Result<Rights, Refusal> {
    let refusal = match app.decide(caller(request, purpose)) {
        Verdict::Allow(_) if has_body(request.headers()) => {
            Refusal::malformed("a request with a body")
        }
        Verdict::Allow(_) if purpose != Purpose::Socket && !is_answered(app, request) => {
            access::too_many_answers()
        }
        Verdict::Allow(rights) => return Ok(rights),
        Verdict::Refuse(refusal) => refusal,
        Verdict::Ask(origin) if app.operator.ask(&origin) => {
            return Err(access::asked_page(&origin));
        }
        Verdict::Ask(origin) => access::refused_page(&origin),
    };
    app.operator.hear(&refusal);
    Err(refusal)
}

/// Whether the request has a place among those that are answered.
fn is_answered(app: &App, request: &Request) -> bool {
    let id = request.extensions().get::<ConnectionId>();
    let id = id.expect("every connection adds its number to its request");
    app.limits.pending.promote(*id)
}

/// Moves the secret from the address of a page to a cookie, and leads on to the page.
fn keep_token(app: &App, request: &Request) -> Response {
    let caller = caller(request, Purpose::Page);
    let token = app.policy.token.as_ref().map_or("", Token::secret);
    let name = caller.peer.cookie_name();
    // Browsers cut the life of a cookie to 400 days.
    let secure = if caller.peer.is_encrypted {
        "; Secure"
    } else {
        ""
    };
    let cookie =
        format!("{name}={token}; Path=/; Max-Age=34560000; HttpOnly; SameSite=Strict{secure}");
    let query = request.uri().query().unwrap_or_default().split('&');
    let query: Vec<_> = query
        .filter(|pair| pair.split('=').next() != Some("token"))
        .collect();
    // One slash only: two would lead to another site.
    let path = request.uri().path().trim_start_matches('/');
    let mark = if query.is_empty() { "" } else { "?" };
    let target = format!("/{path}{mark}{}", query.join("&"));
    // Not a redirect by status: a browser that follows a link from another site through a 302 or
    // 303 sends no strict cookie (seen with Chromium), but it does when a page of ours leads on.
    let headers = [
        (header::SET_COOKIE, cookie),
        (header::REFRESH, format!("0; url={target}")),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
        (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
    ];
    (headers, "welcome; the page follows\n").into_response()
}

/// The answer to a request that is not permitted.
fn refused(refusal: &Refusal) -> Response {
    let body = format!(
        "serial-ws refused this: {}\n{}\n",
        refusal.reason, refusal.remedy
    );
    (refusal.status, body).into_response()
}

/// The request as the policy sees it.
fn caller(request: &Request, purpose: Purpose) -> Caller<'_> {
    let peer = request.extensions().get::<Peer>();
    Caller {
        method: request.method(),
        uri: request.uri(),
        headers: request.headers(),
        purpose,
        peer: *peer.expect("every connection adds its addresses to its request"),
    }
}

fn has_body(headers: &HeaderMap) -> bool {
    let length = headers.get(header::CONTENT_LENGTH);
    headers.contains_key(header::TRANSFER_ENCODING) || length.is_some_and(|length| length != "0")
}

/// The user's own page, where there is a folder for it, or the built-in one.
async fn front(State(app): State<Arc<App>>) -> Response {
    match &app.config.web {
        Some(web) => static_files::file(web, "/").await,
        None => assets::file("index.html"),
    }
}

/// A part of the built-in page.
async fn part(Path(file): Path<String>) -> Response {
    assets::file(&format!("page/{file}"))
}

/// What is nothing of ours: a file of the user's folder.
async fn other(State(app): State<Arc<App>>, method: Method, uri: Uri) -> Response {
    match &app.config.web {
        Some(_) if method != Method::GET && method != Method::HEAD => {
            StatusCode::METHOD_NOT_ALLOWED.into_response()
        }
        Some(web) => static_files::file(web, uri.path()).await,
        None => (StatusCode::NOT_FOUND, "not found\n").into_response(),
    }
}

/// Tells a page, wherever it comes from, whether it may connect; nothing about the ports.
async fn hello(State(app): State<Arc<App>>, request: Request) -> Json<Value> {
    let origin = request.headers().get(header::ORIGIN);
    let origin = origin.and_then(|origin| origin.to_str().ok());
    // Browsers name the origin of a socket of our own page, but not of its plain GET.
    let purpose = match origin {
        Some(_) => Purpose::Socket,
        None => Purpose::Data,
    };
    let verdict = app.decide(caller(&request, purpose));
    let (rights, remedy) = match verdict {
        Verdict::Allow(rights) => (Some(rights), None),
        Verdict::Ask(origin) => (None, Some(access::refused_page(&origin).remedy)),
        Verdict::Refuse(refusal) => (None, Some(refusal.remedy)),
    };
    Json(json!({
        "name": env!("CARGO_PKG_NAME"),
        "version": env!("CARGO_PKG_VERSION"),
        "origin": origin,
        "allowed": rights.is_some(),
        "readOnly": rights == Some(Rights::ReadOnly),
        "remedy": remedy,
    }))
}

/// The media type is that of version 0.0.4 of the format.
async fn metrics(State(app): State<Arc<App>>) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    (kind, metrics::text(app.ports.all().iter().map(Arc::as_ref))).into_response()
}

async fn ports(State(app): State<Arc<App>>) -> Json<Value> {
    Json(app.ports.all().iter().map(|port| describe(port)).collect())
}

async fn status(State(app): State<Arc<App>>) -> Json<Value> {
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
        "clients": app.limits.clients.connected(),
        "ports": ports.collect::<Value>(),
    }))
}

async fn release(
    State(app): State<Arc<App>>,
    Extension(rights): Extension<Rights>,
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
        Ok(lease) => ask(&app, rights, &name, Action::Release(lease)).await,
        Err(mistake) => (StatusCode::BAD_REQUEST, mistake + "\n").into_response(),
    }
}

async fn resume(
    State(app): State<Arc<App>>,
    Extension(rights): Extension<Rights>,
    Path(name): Path<String>,
) -> Response {
    ask(&app, rights, &name, Action::Resume).await
}

async fn reset(
    State(app): State<Arc<App>>,
    Extension(rights): Extension<Rights>,
    Path(name): Path<String>,
) -> Response {
    ask(&app, rights, &name, Action::Reset).await
}

/// Asks a port for something, and answers when it is done.
async fn ask(app: &App, rights: Rights, name: &str, action: Action) -> Response {
    let Some(port) = app.ports.by_name(name) else {
        let known = app.ports.names().join(", ");
        return (
            StatusCode::NOT_FOUND,
            format!("no port of that name. Here are: {known}\n"),
        )
            .into_response();
    };
    if let Some(reason) = port.why_read_only(rights) {
        return (StatusCode::FORBIDDEN, format!("{reason}\n")).into_response();
    }
    let (mut sender, mut replies) = port.hub.queue.register();
    let sent = sender.try_send(action);
    let outcome = tokio::select! {
        biased;
        reply = replies.recv() => reply.ok(),
        // A port that was removed answers nothing.
        () = port.stop.cancelled() => None,
    };
    match (sent, outcome) {
        (Ok(_), Some((_, Ok(_)))) => Json(describe(&port)).into_response(),
        (Ok(_), Some((_, Err(error)))) => {
            (StatusCode::CONFLICT, error.reason + "\n").into_response()
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
    object["settings"] = port.settings(Rights::ReadWrite);
    object["status"] = json!(status);
    object
}
