//! `POST /api/ports/NAME/record` and `/note`: start and stop the recording of a port, and add remarks
//! to it.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::api::{ApiError, describe, writable_port};
use crate::config::unknown_name;
use crate::output::recorder::RecorderAction;
use crate::server::access::Rights;
use crate::server::client::requests::NO_RECORDER;
use crate::server::{App, Port};

type Parameters = Query<Vec<(String, String)>>;

/// Starts recording a port, or stops it.
pub(super) async fn record(
    State(app): State<Arc<App>>,
    Extension(rights): Extension<Rights>,
    Path(name): Path<String>,
    Query(query): Parameters,
) -> Response {
    let action = only(&query, "on").and_then(|on| match on {
        "true" => Ok(RecorderAction::Record(true)),
        "false" => Ok(RecorderAction::Record(false)),
        _ => Err(r#""on" must be true or false"#.to_owned()),
    });
    answer(&app, rights, &name, action).await
}

/// Adds a remark to what is being recorded.
pub(super) async fn note(
    State(app): State<Arc<App>>,
    Extension(rights): Extension<Rights>,
    Path(name): Path<String>,
    Query(query): Parameters,
) -> Response {
    let action = only(&query, "text").and_then(|text| RecorderAction::note(text.to_owned()));
    answer(&app, rights, &name, action).await
}

/// Returns the value of the only parameter that a query may have beside a token.
fn only<'a>(query: &'a [(String, String)], known: &str) -> Result<&'a str, String> {
    let mut value = None;
    for (name, text) in query.iter().filter(|(name, _)| name != "token") {
        if name != known {
            return Err(unknown_name("unknown query parameter", name, &[known]));
        }
        value = Some(text.as_str());
    }
    value.ok_or_else(|| format!("the query needs `{known}`"))
}

async fn answer(
    app: &App,
    rights: Rights,
    name: &str,
    action: Result<RecorderAction, String>,
) -> Response {
    let outcome = match writable_port(app, name, rights) {
        Ok(port) => perform(&port, rights, action)
            .await
            .map(|()| describe(&port)),
        Err(error) => Err(error),
    };
    match outcome {
        Ok(port) => Json(port).into_response(),
        Err(error) => error.into_response(),
    }
}

async fn perform(
    port: &Port,
    rights: Rights,
    action: Result<RecorderAction, String>,
) -> Result<(), ApiError> {
    let action = action.map_err(|why| (StatusCode::BAD_REQUEST, why + "\n"))?;
    let conflict = |why: String| (StatusCode::CONFLICT, why + "\n");
    let (sender, _) = port.hub.queue.register();
    let lock = sender.of_operator(rights.are_operators()).check_lock();
    lock.map_err(|holder| conflict(holder.refusal()))?;
    let recorder = port.recorder.as_ref();
    let recorder = recorder.ok_or_else(|| conflict(NO_RECORDER.to_owned()))?;
    recorder.perform(action).await.map_err(conflict)
}
