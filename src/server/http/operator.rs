//! Resources for the operator alone: list the clients that are connected, and disconnect one.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::access_layer::rejected;
use crate::server::App;
use crate::server::access::{Caller, Rejection, RequestClass};

/// Lets only the operator through.
pub(super) async fn operator_layer(
    State(app): State<Arc<App>>,
    request: Request,
    next: Next,
) -> Response {
    if app
        .policy
        .is_operator(Caller::of(&request, RequestClass::Data))
    {
        return next.run(request).await;
    }
    let rejection = Rejection::not_the_operator();
    app.log.rejected(&rejection);
    rejected(&rejection)
}

/// Lists the connected clients.
pub(super) async fn clients(State(app): State<Arc<App>>) -> Json<Value> {
    Json(app.clients.to_json())
}

/// Disconnects a client.
pub(super) async fn disconnect(State(app): State<Arc<App>>, Path(id): Path<String>) -> Response {
    let client = id.parse().ok().and_then(|id| app.clients.disconnect(id));
    match client {
        Some(client) => Json(client).into_response(),
        None => (StatusCode::NOT_FOUND, "no such client is connected\n").into_response(),
    }
}
