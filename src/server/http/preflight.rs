//! CORS preflights (Fetch standard, §4.8): a browser asks whether a page of another origin may send a
//! request that it could not send by a form. They have no token, so the request itself is decided on
//! again.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::server::access::RequestClass;

/// Seconds for which a browser need not ask again.
const MAX_AGE: &str = "600";

/// The methods and headers that a page may use.
const METHODS: &str = "GET, HEAD, POST";
const HEADERS: &str = "Authorization, Cache-Control, Content-Type, Last-Event-ID";

/// Asks whether a page of a public address may send a request to a private one (Private Network Access,
/// §3.1), and the answer.
const REQUESTS_PRIVATE: HeaderName =
    HeaderName::from_static("access-control-request-private-network");
const ALLOWS_PRIVATE: HeaderName = HeaderName::from_static("access-control-allow-private-network");

/// Returns true for a preflight.
pub(super) fn is_preflight(request: &Request, class: RequestClass) -> bool {
    let has = |name| request.headers().contains_key(name);
    class == RequestClass::Data
        && request.method() == Method::OPTIONS
        && has(header::ORIGIN)
        && has(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Answers a preflight that is allowed.
pub(super) fn answer(asked: &HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    let fixed = HeaderValue::from_static;
    headers.extend(
        asked
            .get(header::ORIGIN)
            .map(|origin| (header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone())),
    );
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, fixed(METHODS));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, fixed(HEADERS));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, fixed(MAX_AGE));
    if asked.contains_key(REQUESTS_PRIVATE) {
        headers.insert(ALLOWS_PRIVATE, fixed("true"));
    }
    response
}
