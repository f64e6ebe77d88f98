//! The cookie of a browser that has shown the token: it holds the random id of a session.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::task::spawn_blocking;

use super::access_layer::rejected;
use super::relative::relative_address;
use super::token_form::FromForm;
use crate::server::access::sessions::SESSION_LIFETIME;
use crate::server::access::{Caller, Rejection, RequestClass};
use crate::server::{App, Token};

/// Begins a session for a browser that has shown the token in the address of a page, or in a form, and
/// leads on to the page without it.
pub(super) async fn begin_session(app: &Arc<App>, token: Token, request: Request) -> Response {
    let request = request.map(drop);
    let caller = Caller::of(&request, RequestClass::Page);
    let cookie = match session_cookie(app, token, caller).await {
        Ok(cookie) => cookie,
        Err(rejection) => {
            app.log.rejected(&rejection);
            return rejected(&rejection);
        }
    };
    if is_from_form(&request) {
        let headers = [
            (header::SET_COOKIE, cookie),
            (header::CACHE_CONTROL, "no-store".to_owned()),
        ];
        return (headers, lead_back(&request)).into_response();
    }
    let target = relative_address(request.uri());
    // Not a redirect by status: a browser that follows a link from another site through a 302 or
    // 303 sends no strict cookie (seen with Chromium), but it does when a page of ours leads on.
    let headers = [
        (header::SET_COOKIE, cookie),
        (header::REFRESH, format!("0; url={target}")),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
        (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
    ];
    (headers, "Welcome. The page follows.\n").into_response()
}

/// Returns true for a request that was made of the form with the token.
pub(super) fn is_from_form<B>(request: &Request<B>) -> bool {
    request.extensions().get::<FromForm>().is_some()
}

/// Leads from a form back to the page that had it.
pub(super) fn lead_back<B>(request: &Request<B>) -> Response {
    let page = relative_address(request.uri());
    (StatusCode::SEE_OTHER, [(header::LOCATION, page)]).into_response()
}

/// Begins a session, or prolongs the one of the request, and returns its cookie.
async fn session_cookie(
    app: &Arc<App>,
    token: Token,
    caller: Caller<'_>,
) -> Result<String, Rejection> {
    let (app, cookie) = (Arc::clone(app), caller.cookie().map(str::to_owned));
    // The file may be on a slow disk.
    let begun = spawn_blocking(move || app.sessions.begin(&token, cookie.as_deref()));
    let failed = |error: &dyn std::fmt::Display| Rejection::failed("a session", error);
    let id = begun.await.map_err(|error| failed(&error))?;
    let id = id.map_err(|error| failed(&error))?;
    let (name, id) = (caller.peer.cookie_name(), id.secret());
    let age = SESSION_LIFETIME.as_secs();
    let is_encrypted = caller.peer.is_encrypted || is_encrypted_before_proxy(caller);
    let secure = if is_encrypted { "; Secure" } else { "" };
    let path = cookie_path(caller.uri.path());
    let attributes = format!("{path}; Max-Age={age}; HttpOnly; SameSite=Strict{secure}");
    Ok(format!("{name}={id}{attributes}"))
}

/// Returns the attribute that gives a cookie to all pages of serial-ws, which it sets at `path`. At the
/// root it is left out: the browser then takes the folder of the address as it knows it, in which a
/// proxy may have put serial-ws beside other servers (RFC 6265 §5.1.4).
fn cookie_path(path: &str) -> &'static str {
    if path.rfind('/') == Some(0) {
        ""
    } else {
        "; Path=/"
    }
}

/// Returns true if a proxy says that the browser speaks https to it. A browser that does not would
/// ignore a cookie for https only, and so gains nothing by pretending.
fn is_encrypted_before_proxy(caller: Caller<'_>) -> bool {
    let scheme = caller.headers.get("x-forwarded-proto");
    scheme.is_some_and(|scheme| scheme == "https")
}
