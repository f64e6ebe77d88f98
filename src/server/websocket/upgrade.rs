//! Turns an HTTP request into a WebSocket, and gives it to a session or tells it its mistake.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, Request};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::upgrade::{OnUpgrade, Upgraded};
use tokio::sync::OwnedSemaphorePermit;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tracing::Instrument;

use super::close::{self, Farewell};
use super::echo;
use super::params::{self, Mistake, Target, Wishes};
use super::send_queue::Outbox;
use super::session::Session;
use crate::hub::{Position, SubscriberKind, Subscription};
use crate::server::access::{Peer, Rights};
use crate::server::limits::ClientPermit;
use crate::server::stream::Transport;
use crate::server::{App, Port};
use crate::view::{self, View};

/// Bytes that are read from a client at once, and kept for each client. The library's own choice
/// is 128 KiB.
const READ_BUFFER: usize = 1 << 10;

/// Whether this request wants to become a WebSocket.
pub(crate) fn is_wanted(request: &Request) -> bool {
    let mut wanted = request.headers().get_all(header::UPGRADE).iter();
    let is_websocket = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"websocket");
    request.method() == Method::GET && wanted.any(is_websocket)
}

/// Answers a request that wants to become a WebSocket, from one who has these rights.
pub(crate) fn answer(app: &Arc<App>, mut request: Request, rights: Rights) -> Response {
    let on_upgrade = hyper::upgrade::on(&mut request);
    let (parts, _) = request.into_parts();
    let request = axum::http::Request::from_parts(parts, ());
    let mut response = match create_response_with_body(&request, Body::empty) {
        Ok(response) => response,
        Err(error) => return refuse(request.headers(), &error.to_string()),
    };
    let offered = offered(request.headers());
    let subprotocol = params::subprotocol(&offered);
    if let Some(value) = subprotocol.and_then(|name| HeaderValue::from_str(name).ok()) {
        response
            .headers_mut()
            .insert(header::SEC_WEBSOCKET_PROTOCOL, value);
    }
    match Admission::new(app, &request, subprotocol, rights) {
        Ok(admission) => admission.start(app, on_upgrade),
        Err(mistake) => {
            let Ok(permit) = Arc::clone(&app.limits.rejected).try_acquire_owned() else {
                return (StatusCode::SERVICE_UNAVAILABLE, mistake.reason).into_response();
            };
            turn_away(app, on_upgrade, mistake, permit);
        }
    }
    response
}

/// Refuses a request that no WebSocket client would send.
fn refuse(headers: &HeaderMap, error: &str) -> Response {
    let version = headers.get(header::SEC_WEBSOCKET_VERSION);
    if version.is_some_and(|version| version != "13") {
        let supported = [(header::SEC_WEBSOCKET_VERSION, "13")];
        return (
            StatusCode::UPGRADE_REQUIRED,
            supported,
            "WebSocket version 13 is spoken here\n",
        )
            .into_response();
    }
    (
        StatusCode::BAD_REQUEST,
        format!("no WebSocket handshake: {error}\n"),
    )
        .into_response()
}

fn offered(headers: &HeaderMap) -> Vec<&str> {
    let values = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let names = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','));
    names
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect()
}

/// A client that has been let in.
struct Admission {
    permit: ClientPermit,
    kind: Admitted,
}

enum Admitted {
    Echo,
    Port {
        port: Arc<Port>,
        rights: Rights,
        wishes: Wishes,
        subscription: Subscription,
        greeting: Option<String>,
    },
}

impl Admission {
    fn new(
        app: &Arc<App>,
        request: &axum::http::Request<()>,
        subprotocol: Option<&str>,
        rights: Rights,
    ) -> Result<Self, Mistake> {
        let ports = app.ports.all();
        let names: Vec<String> = ports.iter().map(|port| port.name.clone()).collect();
        let target = params::target(request.uri().path(), &names)?;
        let kind = match target {
            Target::Echo => Admitted::Echo,
            Target::Port(index) => {
                let port = Arc::clone(&ports[index]);
                let query = Query::<Vec<(String, String)>>::try_from_uri(request.uri());
                let query = query.map(|Query(query)| query).unwrap_or_default();
                let wishes = params::wishes(&query, subprotocol, &port.clients, &app.run)?;
                // Subscribed before the answer, so that a client that is connected misses nothing.
                let subscription = port.hub.subscribe(SubscriberKind::Client, wishes.start);
                let greeting = app.greeting(&port, &names, rights, &wishes, &subscription);
                Admitted::Port {
                    port,
                    rights,
                    wishes,
                    subscription,
                    greeting,
                }
            }
        };
        let peer = request.extensions().get::<Peer>();
        let remote = peer.filter(|peer| !peer.is_loopback());
        let permit = app
            .limits
            .clients
            .try_acquire(remote.map(Peer::limit_address));
        let permit = permit.map_err(|limit| Mistake {
            code: 1013,
            reason: limit.to_string(),
        })?;
        Ok(Self { permit, kind })
    }

    fn start(self, app: &Arc<App>, on_upgrade: OnUpgrade) {
        let Self { permit, kind } = self;
        let (config, stop) = (ws_config(app), app.stop.clone());
        let max_message = app.config.max_message;
        let log = Arc::clone(&app.log);
        app.tasks.spawn(async move {
            let _permit = permit;
            let Some(ws) = upgraded(on_upgrade, config).await else {
                return;
            };
            match kind {
                Admitted::Echo => echo::run(ws, max_message, stop).await,
                Admitted::Port {
                    port,
                    rights,
                    wishes,
                    subscription,
                    greeting,
                } => {
                    let span = tracing::debug_span!("client", port = port.name);
                    let session =
                        Session::new(ws, port, log, rights, wishes, subscription, max_message);
                    // On the heap, so that the task is no larger than what it waits for.
                    let mut session = Box::new(session);
                    session.run(greeting).instrument(span).await;
                }
            }
        });
    }
}

impl App {
    /// What a client of the json view is told first.
    fn greeting(
        &self,
        port: &Port,
        names: &[String],
        rights: Rights,
        wishes: &Wishes,
        subscription: &Subscription,
    ) -> Option<String> {
        let View::Json(_) = wishes.view else {
            return None;
        };
        let status = subscription.status();
        let Position { line, offset } = subscription.position();
        Some(view::hello(&view::Hello {
            run: &self.run,
            seq: line,
            offset,
            port: view::ConnectedPort {
                name: &port.name,
                device: status.device.as_deref(),
                settings: &port.settings(rights),
            },
            ports: names,
            status: &status,
        }))
    }
}

/// Tells a client its mistake by a Close frame, since pages cannot read HTTP errors.
fn turn_away(
    app: &Arc<App>,
    on_upgrade: OnUpgrade,
    mistake: Mistake,
    permit: OwnedSemaphorePermit,
) {
    let config = ws_config(app);
    app.tasks.spawn(async move {
        let _permit = permit;
        if let Some(mut ws) = upgraded(on_upgrade, config).await {
            close::say(&mut ws, Farewell::from(mistake)).await;
        }
    });
}

fn ws_config(app: &App) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(READ_BUFFER)
        .max_message_size(Some(app.config.max_message))
        .max_frame_size(Some(app.config.max_message))
}

async fn upgraded(
    on_upgrade: OnUpgrade,
    config: WebSocketConfig,
) -> Option<WebSocketStream<Outbox<Transport>>> {
    let upgraded: Upgraded = match on_upgrade.await {
        Ok(upgraded) => upgraded,
        Err(error) => {
            tracing::debug!(%error, "client left during the handshake");
            return None;
        }
    };
    let (socket, early) = Transport::unwrap(upgraded)?;
    let max_message = config.max_message_size.unwrap_or(usize::MAX);
    let socket = Outbox::new(socket, &early, max_message);
    Some(WebSocketStream::from_partially_read(socket, early, Role::Server, Some(config)).await)
}
