//! The HTTP side of a WebSocket: answers the request, and starts the client's session, or tells a
//! rejected client why by a Close frame.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, Request};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::upgrade::OnUpgrade;
use tokio::sync::OwnedSemaphorePermit;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
use tracing::Instrument;

use super::close::{self, CloseReason};
use super::device_list;
use super::device_request::{join_port, open_device};
use super::echo;
use super::session::Session;
use crate::hub::SettingsChange;
use crate::protocol::APPEND_HEADER;
use crate::server::access::offer::Audience;
use crate::server::access::{Caller, RequestClass, Rights};
use crate::server::client::line_query;
use crate::server::client::params::{self, QueryError, StreamParams, Target};
use crate::server::client::port_client::PortClient;
use crate::server::client::send_queue::{self, ClientSocket};
use crate::server::client_list::{ConnectedClient, ListedClient};
use crate::server::devices::OpenedDevicePort;
use crate::server::limits::{QuotaError, QuotaPermit};
use crate::server::p5::{self, SketchClient};
use crate::server::stream::ServerStream;
use crate::server::{App, foreign};
use crate::view::LineEnding;

/// Returns true if this request wants to become a WebSocket.
pub(crate) fn is_wanted(request: &Request) -> bool {
    let mut wanted = request.headers().get_all(header::UPGRADE).iter();
    let is_websocket = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"websocket");
    request.method() == Method::GET && wanted.any(is_websocket)
}

/// Answers a request that wants to become a WebSocket, from a client with these rights.
pub(crate) async fn answer(app: &Arc<App>, mut request: Request, rights: Rights) -> Response {
    let on_upgrade = hyper::upgrade::on(&mut request);
    let (parts, _) = request.into_parts();
    let request = axum::http::Request::from_parts(parts, ());
    let mut response = match create_response_with_body(&request, Body::empty) {
        Ok(response) => response,
        Err(error) => return malformed(request.headers(), &error.to_string()),
    };
    let offered = offered(request.headers());
    let subprotocol = params::subprotocol(&offered);
    if let Some(value) = subprotocol.and_then(|name| HeaderValue::from_str(name).ok()) {
        response
            .headers_mut()
            .insert(header::SEC_WEBSOCKET_PROTOCOL, value);
    }
    match Box::pin(Accepted::new(app, &request, subprotocol, rights)).await {
        Ok(accepted) => {
            if let Some(append) = accepted.append() {
                let value = HeaderValue::from_static(append.name());
                response.headers_mut().insert(APPEND_HEADER, value);
            }
            accepted.start(app, on_upgrade);
        }
        Err(error) => {
            app.log.closed(error.code, &error.reason);
            let Ok(permit) = Arc::clone(&app.limits.rejected).try_acquire_owned() else {
                return (StatusCode::SERVICE_UNAVAILABLE, error.reason).into_response();
            };
            reject(app, on_upgrade, error, permit);
        }
    }
    response
}

/// Answers a request that no WebSocket client would send.
fn malformed(headers: &HeaderMap, error: &str) -> Response {
    let version = headers.get(header::SEC_WEBSOCKET_VERSION);
    if version.is_some_and(|version| version != "13") {
        let supported = [(header::SEC_WEBSOCKET_VERSION, "13")];
        let error = "serial-ws speaks WebSocket version 13\n";
        return (StatusCode::UPGRADE_REQUIRED, supported, error).into_response();
    }
    let error = format!("invalid WebSocket handshake: {error}\n");
    (StatusCode::BAD_REQUEST, error).into_response()
}

/// Returns the subprotocols that the client offers.
fn offered(headers: &HeaderMap) -> Vec<&str> {
    let values = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let lists = values.filter_map(|value| value.to_str().ok());
    let names = lists.flat_map(|list| list.split(',')).map(str::trim);
    names.filter(|name| !name.is_empty()).collect()
}

/// A client that has been accepted.
struct Accepted {
    permit: QuotaPermit,
    service: Service,
    /// Its place in the list of clients.
    listed: ListedClient,
}

/// The thing that an accepted client is connected to.
enum Service {
    Echo,
    /// The list of devices, as this audience sees it.
    Devices(Audience),
    /// The ports that a sketch of p5.serialport opens.
    P5(Box<SketchClient>),
    /// A port. On the heap, so that the others are no larger than they need be.
    Port(Box<PortClient>),
}

impl Accepted {
    async fn new(
        app: &Arc<App>,
        request: &axum::http::Request<()>,
        subprotocol: Option<&str>,
        rights: Rights,
    ) -> Result<Self, QueryError> {
        if foreign::is_socket_io(request.uri()) {
            return Err(QueryError::new(foreign::SOCKET_IO));
        }
        let caller = Caller::of(request, RequestClass::WebSocket);
        let service = match request.extensions().get::<p5::SketchListener>() {
            Some(_) => Service::P5(Box::new(SketchClient::new(app, caller, rights))),
            None => Service::new(app, caller, subprotocol, rights).await?,
        };
        let permit = app.limits.clients.try_acquire(caller.peer.quota_address());
        let permit = permit.map_err(|full| {
            let reason = too_many_clients(full);
            QueryError { code: 1013, reason }
        })?;
        let other = |view| {
            let number = app.ports.numbers.next();
            ConnectedClient::new(number, caller, view, app.stop.child_token())
        };
        let listed = match &service {
            Service::Port(port) => port.list(app, caller),
            Service::Echo => app.clients.add(other("echo")),
            Service::P5(sketch) => app.clients.add(sketch.client.clone()),
            Service::Devices(_) => app.clients.add(ConnectedClient {
                is_read_only: true,
                ..other("devices")
            }),
        };
        Ok(Self {
            permit,
            service,
            listed,
        })
    }

    /// Returns the ending that the client's text messages get, where they are written as they are.
    fn append(&self) -> Option<LineEnding> {
        let Service::Port(port) = &self.service else {
            return None;
        };
        let client = &port.client;
        (!client.protocol.has_replies()).then_some(client.params.append)
    }

    fn start(self, app: &Arc<App>, on_upgrade: OnUpgrade) {
        let Self {
            permit,
            service,
            listed,
        } = self;
        let max_write = app.config.max_message;
        let max_message = match &service {
            Service::Port(port) => port.client.protocol.max_message(max_write),
            Service::P5(_) => p5::max_message(max_write),
            Service::Echo | Service::Devices(_) => max_write,
        };
        let app = Arc::clone(app);
        let tasks = app.tasks.clone();
        tasks.spawn(async move {
            let _permit = permit;
            let client_log = Arc::clone(&app.client_log);
            let report = |what| {
                if let Some(port) = &listed.port {
                    client_log.client(port, what, &listed.description);
                }
            };
            let Some(ws) = upgraded(on_upgrade, max_message).await else {
                return;
            };
            match service {
                Service::Echo => echo::run(ws, &app.stop, &listed.stop).await,
                Service::Devices(audience) => {
                    // On the heap, as sessions are: few clients need it.
                    Box::pin(device_list::run(ws, app, audience, &listed.stop)).await;
                }
                Service::P5(sketch) => Box::pin(p5::run(ws, *sketch, listed)).await,
                Service::Port(port) => {
                    let PortClient { client, greeting } = *port;
                    let span = tracing::debug_span!("client", port = client.port.name);
                    let log = Arc::clone(&app.log);
                    drop(app);
                    report("connected");
                    // On the heap, so that the task is no larger than what it waits for.
                    let mut session = Box::new(Session::new(ws, client, log));
                    session.run(greeting).instrument(span).await;
                    report("left");
                }
            }
        });
    }
}

impl Service {
    /// Finds what `caller` asks for, and subscribes to it if it is a port.
    async fn new(
        app: &App,
        caller: Caller<'_>,
        subprotocol: Option<&str>,
        rights: Rights,
    ) -> Result<Self, QueryError> {
        let ports = app.ports.all();
        let names: Vec<String> = ports.iter().map(|port| port.name.clone()).collect();
        let query = Query::<Vec<(String, String)>>::try_from_uri(caller.uri);
        let mut query = query.map(|Query(query)| query).unwrap_or_default();
        Ok(match params::target(caller.uri.path(), &names)? {
            Target::Echo => {
                params::check_no_options(&query)?;
                Self::Echo
            }
            Target::Devices => {
                params::check_no_options(&query)?;
                Self::Devices(Audience::of(caller))
            }
            Target::Port(index) => {
                let port = Arc::clone(&ports[index]);
                let change = line_query::take(&mut query)?;
                let mut arrival = None;
                if change != SettingsChange::default() {
                    // A wrong query changes nothing.
                    StreamParams::new(&query, subprotocol, &port.clients, Some(&app.run))?;
                    arrival = Some(join_port(&port, change, rights).await?);
                }
                let client = PortClient::new(app, port, caller, &query, subprotocol, rights);
                drop(arrival);
                Self::Port(client?)
            }
            Target::Device(id) => {
                let change = line_query::take(&mut query)?;
                // A wrong query opens nothing.
                StreamParams::new(
                    &query,
                    subprotocol,
                    &app.devices.client_defaults(),
                    Some(&app.run),
                )?;
                let audience = Audience::of(caller);
                let opened = open_device(app, &id, change, audience, rights).await?;
                let OpenedDevicePort { port, arrival } = opened;
                let client = PortClient::new(app, port, caller, &query, subprotocol, rights);
                drop(arrival);
                Self::Port(client?)
            }
        })
    }
}

/// Returns the reason why a client has no place, short enough for a Close frame.
pub(crate) fn too_many_clients(full: QuotaError) -> String {
    match full {
        QuotaError::InTotal(max) => {
            format!("{max} clients are connected already (--max-clients {max})")
        }
        QuotaError::ForAddress(max) => format!(
            "{max} clients of your computer are connected already (--max-clients-per-address {max})"
        ),
    }
}

/// Tells a client by a Close frame why it is rejected, since pages cannot read HTTP errors.
fn reject(app: &Arc<App>, on_upgrade: OnUpgrade, error: QueryError, permit: OwnedSemaphorePermit) {
    let max_message = app.config.max_message;
    app.tasks.spawn(async move {
        let _permit = permit;
        if let Some(mut ws) = upgraded(on_upgrade, max_message).await {
            close::close(&mut ws, CloseReason::Error(error.code, error.reason)).await;
        }
    });
}

async fn upgraded(on_upgrade: OnUpgrade, max_message: usize) -> Option<ClientSocket<ServerStream>> {
    let upgraded = on_upgrade.await;
    let left = |error: &_| tracing::debug!(%error, "client left during the handshake");
    let (socket, early) = ServerStream::unwrap(upgraded.inspect_err(left).ok()?)?;
    Some(send_queue::client_socket(socket, early, max_message).await)
}
