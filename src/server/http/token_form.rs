//! The form in which people enter the token: the page of an error has it. Its token comes in the body
//! of a POST, so that it gets into no address and no log.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Query, Request};
use axum::http::{HeaderValue, Method, StatusCode, Uri, header, uri::PathAndQuery};
use tokio::time::timeout;

use super::relative::query_without_token;
use crate::server::Token;
use crate::server::access::{Rejection, RequestClass};

/// Bytes of a form; a longer one is answered with 413.
const MAX_FORM_BYTES: usize = 4 << 10;

/// Time in which a form has to arrive; at the limit it is answered with 408.
const FORM_TIMEOUT: Duration = Duration::from_secs(5);

/// Marks a request that was made of a form. It is an extension of the request.
#[derive(Clone, Copy, Debug)]
pub(super) struct FromForm;

/// Returns true for a form that is sent to a page.
pub(super) fn is_form(request: &Request, class: RequestClass) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE);
    let is_form = |kind: &HeaderValue| {
        let kind = kind.to_str().unwrap_or_default().split(';').next();
        let form = "application/x-www-form-urlencoded";
        kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case(form))
    };
    class == RequestClass::Page && request.method() == Method::POST && kind.is_some_and(is_form)
}

/// Reads a form. Returns the request for the same page with the token in its address, which the
/// access policy and the rate limit treat like every other.
///
/// # Errors
/// When it is too long, does not arrive, or has no token.
pub(super) async fn read(request: Request) -> Result<Request, Rejection> {
    let (mut parts, body) = request.into_parts();
    let body = timeout(FORM_TIMEOUT, to_bytes(body, MAX_FORM_BYTES)).await;
    let body = body.map_err(|_| late())?.map_err(|_| too_long())?;
    let entered = token_in(&body).ok_or_else(|| Rejection::malformed("a form without a token"))?;
    let address = address_with_token(&parts.uri, &entered_token(&entered));
    parts.uri = address.ok_or_else(|| Rejection::malformed("a form at no page"))?;
    parts.method = Method::GET;
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.remove(header::TRANSFER_ENCODING);
    parts.extensions.insert(FromForm);
    Ok(Request::from_parts(parts, Body::empty()))
}

/// Returns the token in the body of a form.
fn token_in(body: &[u8]) -> Option<String> {
    let body = std::str::from_utf8(body).ok()?;
    token_of(&format!("/?{body}").parse().ok()?)
}

/// Returns the token in an address.
fn token_of(address: &Uri) -> Option<String> {
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(address).ok()?;
    let token = pairs.into_iter().find(|(key, _)| key == "token");
    token.map(|(_, token)| token)
}

/// Returns the token that somebody meant, who may have entered the whole address that has it.
fn entered_token(text: &str) -> String {
    let text = text.trim();
    let is_address = text.starts_with("http://") || text.starts_with("https://");
    let address = is_address.then(|| text.parse().ok()).flatten();
    let token = address.and_then(|address| token_of(&address));
    token.unwrap_or_else(|| text.to_owned())
}

fn address_with_token(uri: &Uri, token: &str) -> Option<Uri> {
    let token = format!("token={}", Token::new(token).in_address());
    let query: Vec<_> = query_without_token(uri).chain([token.as_str()]).collect();
    let address = format!("{}?{}", uri.path(), query.join("&"));
    let address: PathAndQuery = address.parse().ok()?;
    Some(address.into())
}

fn too_long() -> Rejection {
    Rejection::of(
        StatusCode::PAYLOAD_TOO_LARGE,
        "a form that is too long",
        "enter the token alone",
    )
}

fn late() -> Rejection {
    Rejection::of(
        StatusCode::REQUEST_TIMEOUT,
        "a form that did not arrive in time",
        "try again",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, expected: Option<&str>) {
        let token = token_in(body.as_bytes()).map(|text| entered_token(&text));
        assert_eq!(token.as_deref(), expected, "{body}");
    }

    #[test]
    fn a_form_has_the_token_or_the_address_with_it() {
        check("token=correct-horse-battery", Some("correct-horse-battery"));
        check("token=+a%2Bb%26c%3Dd+", Some("a+b&c=d"));
        check("x=1&token=abc", Some("abc"));
        let address = "http%3A%2F%2F192.168.1.5%3A8080%2F%3Ftoken%3Da%252Bb";
        check(&format!("token={address}"), Some("a+b"));
        check(
            "token=https%3A%2F%2Fpi.local%2Fx%3Fy%26token%3Dabc",
            Some("abc"),
        );
        check("token=http%3A%2F%2Fpi.local%2F", Some("http://pi.local/"));
        check("token=", Some(""));
        check("tokens=abc", None);
        check("", None);
        check("\u{7f}", None);
    }

    #[test]
    fn the_token_replaces_a_wrong_one_in_the_address() {
        let uri = Uri::from_static("/a/b.html?x=1&token=wrong&y");
        let address = address_with_token(&uri, "a b&c").unwrap();
        assert_eq!(address, "/a/b.html?x=1&y&token=a%20b%26c");
    }
}
