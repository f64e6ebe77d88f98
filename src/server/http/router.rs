//! The routes of HTTP, behind the access layer.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use super::access_layer::access_layer;
use super::{api, assets, static_files};
use crate::server::App;

/// Returns the router of all resources.
pub(crate) fn router(app: Arc<App>) -> Router {
    let library = |name| get(async move || assets::file(name));
    Router::new()
        .route("/", get(index))
        .route("/_serial-ws/", get(async || assets::file("index.html")))
        .route("/_serial-ws/{file}", get(page_asset))
        .route("/serial-ws.js", library("serial-ws.js"))
        .route("/serial-ws.mjs", library("serial-ws.mjs"))
        .route("/serial-ws-p5.js", library("serial-ws-p5.js"))
        .route("/hello", get(api::hello))
        .route("/healthz", get(async || "ok\n"))
        .route("/metrics", get(api::metrics))
        .route("/api/ports", get(api::ports))
        .route("/api/status", get(api::status))
        .route("/api/ports/{name}/release", post(api::release))
        .route("/api/ports/{name}/resume", post(api::resume))
        .route("/api/ports/{name}/reset", post(api::reset))
        .fallback(fallback)
        .layer(middleware::from_fn_with_state(
            Arc::clone(&app),
            access_layer,
        ))
        .with_state(app)
}

/// Serves the index of the user's folder, or the built-in page where there is none.
async fn index(State(app): State<Arc<App>>, request: Request) -> Response {
    match &app.config.web {
        Some(web) => static_files::file(web, request).await,
        None => assets::file("index.html"),
    }
}

/// Serves a script, style sheet or picture of the built-in page.
async fn page_asset(Path(file): Path<String>) -> Response {
    assets::file(&format!("page/{file}"))
}

/// Serves all paths that are not ours: files of the user's folder.
async fn fallback(State(app): State<Arc<App>>, request: Request) -> Response {
    match &app.config.web {
        Some(web) => static_files::file(web, request).await,
        None => (StatusCode::NOT_FOUND, "not found\n").into_response(),
    }
}
