//! `GET /api/ports/NAME/lines`: what a port sends, as one answer that lasts as long as its client stays.
//! Such a client is one like those of WebSockets, except that it cannot write.

mod encoder;
mod format;
mod session;

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, Path, Query, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Version, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use tracing::Instrument;

use super::api::{self, ApiError};
use crate::server::access::{Caller, RequestClass, Rights};
use crate::server::client::params::QueryError;
use crate::server::client::port_client::PortClient;
use crate::server::takeover::Takeover;
use crate::server::websocket::upgrade::too_many_clients;
use crate::server::{App, Port};

use encoder::StreamEncoder;
use format::StreamFormat;
use session::StreamSession;

/// Tells nginx to pass each line on at once.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Answers with the stream of a port.
pub(super) async fn lines(
    State(app): State<Arc<App>>,
    Extension(rights): Extension<Rights>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    let answer = match api::port(&app, &name) {
        Ok(port) => stream(&app, port, &request, rights),
        Err(error) => Err(error),
    };
    answer.unwrap_or_else(IntoResponse::into_response)
}

fn stream(
    app: &Arc<App>,
    port: Arc<Port>,
    request: &Request,
    rights: Rights,
) -> Result<Response, ApiError> {
    let headers = request.headers();
    let format =
        StreamFormat::accepted(headers).map_err(|error| (StatusCode::NOT_ACCEPTABLE, error))?;
    let query = Query::<Vec<(String, String)>>::try_from_uri(request.uri());
    let Query(query) =
        query.map_err(|_| QueryError::new("the query is not percent-encoded text"))?;
    let run = port.run(&app.run);
    let last_event_id = headers.get("last-event-id");
    let params = format.params(query, last_event_id, &port.clients, run.known())?;
    let run = run.seen_by(&params).to_owned();
    let is_chunked = request.version() > Version::HTTP_10;
    let mut answer = head(format, is_chunked);
    if request.method() == Method::HEAD {
        return Ok(answer);
    }
    let caller = Caller::of(request, RequestClass::Data);
    let permit = app.limits.clients.try_acquire(caller.peer.quota_address());
    let permit = permit.map_err(|full| QueryError {
        code: 1013,
        reason: too_many_clients(full),
    })?;
    let client = PortClient::with_params(app, port, caller, params, format.protocol(), rights);
    let listed = client.list(app, caller);
    let encoder = StreamEncoder {
        format,
        view: client.client.params.view,
        run,
        is_chunked,
    };
    let (tasks, log) = (app.tasks.clone(), Arc::clone(&app.client_log));
    let takeover = Takeover::by(move |stream, head| {
        let span = tracing::debug_span!("client", port = client.client.port.name);
        let serve = async move {
            let _permit = permit;
            let mut session = Box::new(StreamSession::new(stream, *client, encoder));
            log.client(
                listed.port.as_deref().unwrap_or_default(),
                "connected",
                &listed.description,
            );
            session.run(head).await;
            log.client(
                listed.port.as_deref().unwrap_or_default(),
                "left",
                &listed.description,
            );
        };
        tasks.spawn(serve.instrument(span));
    });
    answer.extensions_mut().insert(takeover);
    Ok(answer)
}

/// Returns the answer without its body.
fn head(format: StreamFormat, is_chunked: bool) -> Response {
    let fixed = HeaderValue::from_static;
    let date = jiff::fmt::rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&jiff::Timestamp::now());
    let date = date.ok().and_then(|date| HeaderValue::try_from(date).ok());
    // Its length is not known.
    let body = futures::stream::pending::<Result<Bytes, Infallible>>();
    let mut response = Body::from_stream(body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, fixed(format.content_type()));
    headers.insert(header::CACHE_CONTROL, fixed("no-store"));
    if is_chunked {
        headers.insert(header::TRANSFER_ENCODING, fixed("chunked"));
    }
    headers.insert(ACCEL_BUFFERING, fixed("no"));
    headers.extend(date.map(|date| (header::DATE, date)));
    response
}

impl From<QueryError> for ApiError {
    fn from(QueryError { code, reason }: QueryError) -> Self {
        let status = match code {
            1013 => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        };
        (status, reason + "\n")
    }
}
