//! The layer in front of every resource: applies the access policy to a request before anything else
//! sees it, and sets the headers that keep answers from pages of other sites.

use std::sync::Arc;

use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::assets::CROSS_ORIGIN_RESOURCE_POLICY;
use super::error_page::Navigation;
use super::session_cookie::{begin_session, is_from_form, lead_back};
use super::{body, preflight, token_form, write};
use crate::server::App;
use crate::server::access::consent::Question;
use crate::server::access::{Caller, Denial, Rejection, RequestClass, Rights, pending_page};
use crate::server::limits::ConnectionId;
use crate::server::websocket::upgrade;

/// Answers a request if it is allowed: upgrades WebSockets, and passes others on to the router.
pub(super) async fn access_layer(
    State(app): State<Arc<App>>,
    request: Request,
    next: Next,
) -> Response {
    let wants_upgrade = upgrade::is_wanted(&request);
    let class = RequestClass::new(request.uri().path(), wants_upgrade);
    let navigation = Navigation::of(&request);
    let mut response = match entered(request, class).await {
        Err(rejection) => {
            app.log.rejected(&rejection);
            rejected(&rejection)
        }
        Ok(request) => answer(&app, request, class, next).await,
    };
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        set_security_headers(response.headers_mut(), class);
    }
    match navigation {
        Some(navigation) if is_error(response.status()) => navigation.explain(response).await,
        _ => response,
    }
}

/// Returns the request that a form with the token stands for, and any other request as it is.
async fn entered(request: Request, class: RequestClass) -> Result<Request, Rejection> {
    if token_form::is_form(&request, class) {
        token_form::read(request).await
    } else {
        Ok(request)
    }
}

async fn answer(app: &Arc<App>, request: Request, class: RequestClass, next: Next) -> Response {
    let rights = match authorize(app, &request, class) {
        Ok(rights) => rights,
        Err(rejection) => {
            let (parts, body) = request.into_parts();
            body::discard(&parts.headers, body).await;
            return rejected(&rejection);
        }
    };
    if preflight::is_preflight(&request, class) {
        return preflight::answer(request.headers());
    }
    if class == RequestClass::WebSocket {
        return upgrade::answer(app, request, rights).await;
    }
    match app.policy.token_for_session(Caller::of(&request, class)) {
        Some(token) => begin_session(app, token.clone(), request).await,
        None if is_from_form(&request) => lead_back(&request),
        None => pass_on(request, class, rights, next).await,
    }
}

fn is_error(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

/// Decides what the client of a request may do.
fn authorize(app: &App, request: &Request, class: RequestClass) -> Result<Rights, Rejection> {
    let caller = Caller::of(request, class);
    let rejection = match app.decide(caller) {
        Ok(_) if has_body(request.headers()) && !write::takes_body(request.uri()) => {
            Rejection::malformed("a request with a body")
        }
        Ok(_) if class != RequestClass::WebSocket && !promote(app, request) => {
            Rejection::overloaded()
        }
        Ok(rights) => return Ok(rights),
        Err(_) if preflight::is_preflight(request, class) && app.allows_origin(caller) => {
            return Ok(Rights::ReadOnly);
        }
        // The prompt shows the origin, so that the log need not.
        Err(Denial::Ask(origin)) if app.consent.ask(Question::Page(origin.clone())) => {
            return Err(pending_page(&origin));
        }
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
    // For the page that a browser shows.
    (rejection.status, Extension(rejection.clone()), body).into_response()
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

fn set_security_headers(headers: &mut HeaderMap, class: RequestClass) {
    // One request per connection leaves no way to smuggle a second one in.
    let offers_upgrade = headers.contains_key(header::UPGRADE);
    let connection = if offers_upgrade {
        "upgrade, close"
    } else {
        "close"
    };
    headers.insert(header::CONNECTION, HeaderValue::from_static(connection));
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

fn has_body(headers: &HeaderMap) -> bool {
    let length = headers.get(header::CONTENT_LENGTH);
    headers.contains_key(header::TRANSFER_ENCODING) || length.is_some_and(|length| length != "0")
}
