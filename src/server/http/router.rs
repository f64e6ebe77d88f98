//! The routes of HTTP, behind the access layer.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Extension, Path, Request, State};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post};
use tokio::task::spawn_blocking;

use super::access_layer::{access_layer, rejected};
use super::error_page::{self, Navigation};
use super::{
    api, ask, assets, contents, downloads, lines, operator, port_address, record, share,
    static_files, write,
};
use crate::hub::Action;
use crate::server::access::{Caller, Peer, Rejection, RequestClass};
use crate::server::foreign::SOCKET_IO_CLIENT;
use crate::server::{App, foreign, p5};

/// Returns the router of all resources.
pub(crate) fn router(app: Arc<App>) -> Router {
    let mut operator = Router::new().route("/_serial-ws/share", get(share::share));
    for (path, methods) in operator_api() {
        operator = operator.route(path, methods);
    }
    let operator = operator.layer(middleware::from_fn_with_state(
        Arc::clone(&app),
        operator::operator_layer,
    ));
    let mut router = Router::new().merge(operator);
    for (path, methods) in api() {
        router = router.route(path, methods);
    }
    router
        .route("/", get(web))
        .route(
            "/_serial-ws/",
            get(async || assets::page_beside_its_files()),
        )
        .route("/_serial-ws/{file}", get(page_asset))
        .route("/serial-ws.js", get(library))
        .route("/serial-ws.mjs", get(library))
        .route("/serial-ws-p5.js", get(library))
        .route("/web-serial.js", get(library))
        .route("/web-serial-link.mjs", get(library))
        .route("/web-serial-chooser.mjs", get(library))
        .fallback(web)
        .method_not_allowed_fallback(error_page::method_not_allowed)
        .layer(middleware::from_fn_with_state(
            Arc::clone(&app),
            access_layer,
        ))
        .with_state(app)
}

/// The API, which `web/openapi.json` describes.
fn api() -> [(&'static str, MethodRouter<Arc<App>>); 17] {
    let action = |action: Action| {
        post(move |app, rights, port| api::request(app, rights, port, action.clone()))
    };
    [
        ("/hello", get(api::hello)),
        ("/healthz", get(async || "ok\n")),
        ("/metrics", get(api::metrics)),
        ("/api/openapi.json", get(async || assets::description())),
        ("/api/devices", get(api::devices)),
        ("/api/ports", get(api::ports)),
        ("/api/status", get(api::status)),
        ("/api/ports/{name}/release", post(api::release)),
        ("/api/ports/{name}/resume", post(api::resume)),
        ("/api/ports/{name}/reset", action(Action::Reset)),
        ("/api/ports/{name}/settings", post(api::settings)),
        ("/api/ports/{name}/playback", post(api::playback)),
        ("/api/ports/{name}/record", post(record::record)),
        ("/api/ports/{name}/note", post(record::note)),
        ("/api/ports/{name}/lines", get(lines::lines)),
        ("/api/ports/{name}/write", post(write::write)),
        ("/api/ports/{name}/ask", post(ask::ask)),
    ]
}

/// The part of the API that is for the operator alone.
fn operator_api() -> [(&'static str, MethodRouter<Arc<App>>); 3] {
    [
        ("/api/clients", get(operator::clients)),
        ("/api/clients/{id}", delete(operator::disconnect)),
        (
            "/api/clients/{id}/lock",
            post(operator::give_lock).delete(operator::take_lock),
        ),
    ]
}

/// Returns the router of the TCP port for sketches of p5.serialport, where nothing is but their
/// WebSocket.
pub(crate) fn p5_router(app: Arc<App>) -> Router {
    Router::new()
        .fallback(async |State(app): State<Arc<App>>, uri: Uri| {
            if foreign::is_socket_io(&uri) {
                return socket_io(&app);
            }
            let page = app.addresses.first().map(|first| app.page(*first, None));
            (StatusCode::NOT_FOUND, p5::no_page(page.as_deref())).into_response()
        })
        .layer(middleware::from_fn_with_state(
            Arc::clone(&app),
            access_layer,
        ))
        .layer(Extension(p5::SketchListener))
        .with_state(app)
}

/// Serves a script, style sheet or picture of the built-in page.
async fn page_asset(Path(file): Path<String>) -> Response {
    assets::file(&format!("page/{file}"))
}

/// Serves a file of the client library.
async fn library(uri: Uri) -> Response {
    assets::library(uri.path()).unwrap_or_else(assets::not_found)
}

/// Serves a file of the user's folder, in which every folder has the client library. Without that folder,
/// only `/` leads anywhere: to the built-in page. Pages made for Socket.IO get our `io()`, and its own
/// clients are told that it is not served, unless the folder has the file.
async fn web(State(app): State<Arc<App>>, request: Request) -> Response {
    let uri = request.uri().clone();
    let navigation = Navigation::of(&request);
    if foreign::is_engine_io(&uri) {
        return socket_io(&app);
    }
    let is_reading = matches!(*request.method(), Method::GET | Method::HEAD);
    if app.config.web.is_some()
        && is_reading
        && let Some(library) = assets::library(uri.path())
    {
        return library;
    }
    // Everybody may load our `io()`, but not a file of the user's folder in its place.
    let caller = Caller::of(&request, RequestClass::Page);
    let may_see_folder = uri.path() != SOCKET_IO_CLIENT || app.decide(caller).is_ok();
    let response = match &app.config.web {
        Some(web) if may_see_folder => {
            let peer = request.extensions().get::<Peer>();
            let address = peer.and_then(Peer::quota_address);
            let answer = static_files::file(web, app.limits.descriptors, request).await;
            let answer = answer.map_err(|error| Rejection::unreadable(uri.path(), &error));
            let answer = answer.and_then(|answer| downloads::limit(&app, address, answer));
            answer.unwrap_or_else(|rejection| {
                app.log.rejected(&rejection);
                rejected(&rejection)
            })
        }
        None if uri.path() == "/" => assets::page(),
        _ => assets::not_found(),
    };
    match response.status() {
        StatusCode::NOT_FOUND if uri.path() == SOCKET_IO_CLIENT => assets::socket_io(),
        StatusCode::NOT_FOUND if foreign::is_socket_io(&uri) => socket_io(&app),
        StatusCode::NOT_FOUND => match port_address::answer(&app, &uri, navigation.as_ref()) {
            Some(answer) => answer,
            None => nothing_there(app, uri, navigation).await,
        },
        _ => response,
    }
}

/// Answers that nothing is at an address, and says what is there. Looks into the user's folder on a
/// thread for blocking work.
async fn nothing_there(app: Arc<App>, uri: Uri, navigation: Option<Navigation>) -> Response {
    let answer = spawn_blocking(move || {
        contents::not_found(app.config.web.as_deref(), &uri, navigation.as_ref())
    });
    answer.await.unwrap_or_else(|_| assets::not_found())
}

/// Tells a client of Socket.IO what to do instead, and the operator that there is one.
fn socket_io(app: &App) -> Response {
    app.log.rejected(&Rejection::malformed(foreign::SOCKET_IO));
    (StatusCode::BAD_REQUEST, foreign::SOCKET_IO_ANSWER).into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    #[test]
    fn the_description_of_the_api_has_its_paths_and_no_others() {
        let description = include_str!("../../../web/openapi.json");
        let description: Value = serde_json::from_str(description).unwrap();
        let described = description["paths"].as_object().unwrap().keys();
        let described: BTreeSet<_> = described.map(String::as_str).collect();
        let routes = api().into_iter().chain(operator_api());
        let routes: BTreeSet<_> = routes.map(|(path, _)| path).collect();
        assert_eq!(described, routes);
    }
}
