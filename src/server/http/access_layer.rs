//! The layer in front of every resource: applies the access policy to a request before anything else
//! sees it, and sets the headers that keep answers from pages of other sites.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::assets::CROSS_ORIGIN_RESOURCE_POLICY;
use crate::server::access::{Caller, Denial, Peer, Rejection, RequestClass, Rights, pending_page};
use crate::server::limits::ConnectionId;
use crate::server::websocket::upgrade;
use crate::server::{App, Token};

/// Time for which a browser keeps the cookie with the token, in seconds: 400 days, the longest that
/// browsers allow.
const COOKIE_MAX_AGE: u32 = 400 * 24 * 60 * 60;

/// Answers a request if it is allowed: upgrades WebSockets, and passes others on to the router.
pub(super) async fn access_layer(
    State(app): State<Arc<App>>,
    request: Request,
    next: Next,
) -> Response {
    let wants_upgrade = upgrade::is_wanted(&request);
    let class = RequestClass::new(request.uri().path(), wants_upgrade);
    let mut response = match authorize(&app, &request, class) {
        Err(rejection) => rejected(&rejection),
        Ok(rights) if wants_upgrade => upgrade::answer(&app, request, rights),
        Ok(rights) => match app.policy.token_for_cookie(caller(&request, class)) {
            Some(token) => set_token_cookie(token, &request),
            None => pass_on(request, class, rights, next).await,
        },
    };
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        set_security_headers(response.headers_mut(), class);
    }
    response
}

/// Decides what the client of a request may do.
fn authorize(app: &App, request: &Request, class: RequestClass) -> Result<Rights, Rejection> {
    let rejection = match app.decide(caller(request, class)) {
        Ok(_) if has_body(request.headers()) => Rejection::malformed("a request with a body"),
        Ok(_) if class != RequestClass::WebSocket && !promote(app, request) => {
            Rejection::overloaded()
        }
        Ok(rights) => return Ok(rights),
        // The prompt shows the origin, so that the log need not.
        Err(Denial::Ask(origin)) if app.consent.ask(&origin) => return Err(pending_page(&origin)),
        Err(denial) => denial.into_rejection(),
    };
    app.log.rejected(&rejection);
    Err(rejection)
}

/// Lets the connection of a request stay until it has its answer, if the limits allow.
fn promote(app: &App, request: &Request) -> bool {
    let id = request.extensions().get::<ConnectionId>();
    let id = id.expect("every connection adds its number to its request");
    app.limits.pending.promote(*id)
}

/// Answers a request that is not allowed.
pub(crate) fn rejected(rejection: &Rejection) -> Response {
    let Rejection { reason, remedy, .. } = rejection;
    let body = format!("serial-ws refused this: {reason}\n{remedy}\n");
    (rejection.status, body).into_response()
}

/// Has the router answer a request of a client with these rights.
async fn pass_on(
    mut request: Request,
    class: RequestClass,
    rights: Rights,
    next: Next,
) -> Response {
    // Pages of other origins are not allowed, except where a resource is public.
    let readers = match class {
        RequestClass::Public => Some(HeaderValue::from_static("*")),
        _ => request.headers().get(header::ORIGIN).cloned(),
    };
    request.extensions_mut().insert(rights);
    let mut response = next.run(request).await;
    if let Some(readers) = readers {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, readers);
    }
    response
}

/// Moves the token from the address of a page to a cookie, and leads on to the page.
fn set_token_cookie(token: &Token, request: &Request) -> Response {
    let peer = caller(request, RequestClass::Page).peer;
    let (name, token) = (peer.cookie_name(), token.secret());
    let secure = if peer.is_encrypted { "; Secure" } else { "" };
    let cookie = format!(
        "{name}={token}; Path=/; Max-Age={COOKIE_MAX_AGE}; HttpOnly; SameSite=Strict{secure}"
    );
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
    (headers, "Welcome. The page follows.\n").into_response()
}

fn set_security_headers(headers: &mut HeaderMap, class: RequestClass) {
    // One request per connection leaves no way to smuggle a second one in.
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    let policy = match class {
        RequestClass::Public => "cross-origin",
        RequestClass::Data | RequestClass::WebSocket => "same-origin",
        // A file of the user's folder may be anything, and our own pages have these headers already.
        RequestClass::Page => return,
    };
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    let policy = HeaderValue::from_static(policy);
    headers.insert(CROSS_ORIGIN_RESOURCE_POLICY, policy);
}

/// Returns the request as the access policy sees it.
pub(super) fn caller(request: &Request, class: RequestClass) -> Caller<'_> {
    let peer = request.extensions().get::<Peer>();
    Caller {
        method: request.method(),
        uri: request.uri(),
        headers: request.headers(),
        class,
        peer: *peer.expect("every connection adds its addresses to its request"),
    }
}

fn has_body(headers: &HeaderMap) -> bool {
    let length = headers.get(header::CONTENT_LENGTH);
    headers.contains_key(header::TRANSFER_ENCODING) || length.is_some_and(|length| length != "0")
}
