//! Resources for the operator alone: list the clients that are connected, disconnect one, and give it the
//! write lock of its port.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::access_layer::rejected;
use crate::server::access::{Caller, Rejection, RequestClass};
use crate::server::client_list::ConnectedClient;
use crate::server::{App, Port};

/// The error for a number that no client has.
const NO_CLIENT: &str = "no such client is connected\n";

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
        None => (StatusCode::NOT_FOUND, NO_CLIENT).into_response(),
    }
}

/// Gives the write lock of its port to a client, whoever had it.
pub(super) async fn give_lock(State(app): State<Arc<App>>, Path(id): Path<String>) -> Response {
    change_lock(&app, &id, |port, client| {
        let may_write = !client.is_read_only;
        let refusal = "this client may only read, so that the write lock is of no use to it\n";
        may_write
            .then_some(())
            .ok_or((StatusCode::CONFLICT, refusal))?;
        let is_given = port.hub.give_lock(client.number);
        is_given
            .then_some(())
            .ok_or((StatusCode::NOT_FOUND, NO_CLIENT))
    })
}

/// Takes the write lock back from a client, if it has it.
pub(super) async fn take_lock(State(app): State<Arc<App>>, Path(id): Path<String>) -> Response {
    change_lock(&app, &id, |port, client| {
        port.hub.unlock(Some(client.number));
        Ok(())
    })
}

/// Changes the write lock of the port of this client, and describes the client.
fn change_lock(
    app: &App,
    id: &str,
    change: impl FnOnce(&Port, &ConnectedClient) -> Result<(), (StatusCode, &'static str)>,
) -> Response {
    let client = id.parse().ok().and_then(|id| app.clients.get(id));
    let Some(client) = client else {
        return (StatusCode::NOT_FOUND, NO_CLIENT).into_response();
    };
    let port = client
        .port
        .as_ref()
        .and_then(|name| app.ports.by_name(name));
    let Some(port) = port else {
        let error = "this client is connected to no port, so that there is no write lock for it\n";
        return (StatusCode::CONFLICT, error).into_response();
    };
    match change(&port, &client) {
        Ok(()) => Json(client.to_json()).into_response(),
        Err(error) => error.into_response(),
    }
}
