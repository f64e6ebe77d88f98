//! Errors in the browser: a small page says what happened and what to do. Programs, which do not ask
//! for HTML, get the same as plain text.

use std::fmt::Write;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::Response;

use super::relative::{relative_address, root_from};
use super::small_page::{self, escaped, paragraphs};
use crate::server::access::{Rejection, RequestClass};
use crate::terminal::shown;

/// The title of the page where there is nothing at an address.
pub(super) const NOTHING_HERE: &str = "There is nothing here";

/// Bytes of a plain text that may become a page; a longer one is left out of it.
const MAX_TEXT_BYTES: usize = 4 << 10;

/// The browser's view of a request that it shows the answer of. Addresses in the page are relative to
/// it, since serial-ws may be behind a proxy that adds a prefix to its paths.
pub(crate) struct Navigation {
    path: String,
    /// The address itself, without a token.
    itself: String,
    class: RequestClass,
}

/// Links to what is meant, in place of the text of an error. They are an extension of the answer.
#[derive(Clone, Debug)]
pub(crate) struct Links {
    /// The title of the page.
    pub(crate) title: &'static str,
    /// The sentence before the links.
    pub(crate) intro: String,
    /// The links: address and text.
    pub(crate) links: Vec<(String, String)>,
}

impl Navigation {
    /// Returns the navigation that a request belongs to, if it asks for HTML.
    pub(crate) fn of<B>(request: &Request<B>) -> Option<Self> {
        accepts_html(request.headers()).then(|| Self {
            path: request.uri().path().to_owned(),
            itself: relative_address(request.uri()),
            class: RequestClass::new(request.uri().path(), false),
        })
    }

    /// Replaces the plain text of an error by a page.
    pub(crate) async fn explain(&self, response: Response) -> Response {
        let (mut parts, body) = response.into_parts();
        let is_text = parts
            .headers
            .get(header::CONTENT_TYPE)
            .is_none_or(is_plain_text);
        if !is_text {
            return Response::from_parts(parts, body);
        }
        let rejection = parts.extensions.remove::<Rejection>();
        let links = parts.extensions.remove::<Links>();
        let text = to_bytes(body, MAX_TEXT_BYTES).await.unwrap_or_default();
        let mut content = match &rejection {
            Some(rejection) => refusal(rejection),
            None => paragraphs(&String::from_utf8_lossy(&text)),
        };
        let mut title = title(parts.status);
        if let Some(links) = links {
            title = links.title;
            content = list(&links);
        } else if content.is_empty() {
            content = self.default_text();
        }
        if takes_token(parts.status) {
            content += &self.token_form();
        }
        small_page::set_headers(&mut parts.headers, "form-action 'self'");
        let footer = format!("Error {}", parts.status.as_str());
        let page = small_page::text(title, &content, &footer);
        Response::from_parts(parts, Body::from(page))
    }

    /// Returns the relative address of `target`, a path without a slash at its start.
    pub(crate) fn to(&self, target: &str) -> String {
        root_from(&self.path) + target
    }

    fn default_text(&self) -> String {
        paragraphs(&format!(
            "serial-ws cannot answer this request for {}.",
            shown(&self.path)
        ))
    }

    /// Returns a field for the token. It is sent in the body, so that it gets into no address and no
    /// log, and no browser tells it to others.
    fn token_form(&self) -> String {
        let action = match self.class {
            RequestClass::Page => self.itself.clone(),
            _ => self.to("_serial-ws/"),
        };
        format!(
            "<form method=\"post\" action=\"{}\">\n\
             <label for=\"token\">Token</label>\n\
             <div class=\"field\"><input id=\"token\" name=\"token\" type=\"password\" required \
             autofocus autocomplete=\"off\" autocapitalize=\"none\" spellcheck=\"false\">\
             <button>Open</button></div>\n</form>\n",
            escaped(&action)
        )
    }
}

/// Answers that what is at an address does not answer this method. The router adds which ones it does.
pub(super) async fn method_not_allowed(method: Method, uri: Uri) -> (StatusCode, String) {
    let path = shown(uri.path());
    let text = match method {
        Method::GET => format!("{path} is there for programs, which send requests other than GET."),
        _ => format!("{path} does not answer {method}."),
    };
    (StatusCode::METHOD_NOT_ALLOWED, text + "\n")
}

/// Returns true if the client prefers HTML, or takes it as one of several. Programs take anything.
fn accepts_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter();
    let accepted = accepted.filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_html = parts
            .next()
            .is_some_and(|kind| kind.eq_ignore_ascii_case("text/html"));
        let is_refused = |part: &str| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000");
        is_html && !parts.any(is_refused)
    })
}

fn is_plain_text(value: &HeaderValue) -> bool {
    value.as_bytes().starts_with(b"text/plain")
}

/// Returns true where a token may change the answer.
fn takes_token(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS
    )
}

fn refusal(
    Rejection {
        status,
        reason,
        remedy,
        ..
    }: &Rejection,
) -> String {
    let remedy = match *status {
        StatusCode::UNAUTHORIZED => {
            "Open the full address, which has the token, or scan its code: whoever runs serial-ws can \
             show you both. Or enter the token here."
        }
        StatusCode::TOO_MANY_REQUESTS => {
            "Wait a minute. Then open the full address, which has the token, or enter the token here."
        }
        _ => remedy,
    };
    paragraphs(&format!(
        "serial-ws refused this: {reason}.\n{}",
        capitalized(remedy)
    ))
}

fn list(Links { intro, links, .. }: &Links) -> String {
    let mut html = paragraphs(intro);
    html += "<ul>\n";
    for (address, text) in links {
        let (address, text) = (escaped(address), escaped(text));
        let _ = writeln!(html, "<li><a href=\"{address}\">{text}</a></li>");
    }
    html + "</ul>\n"
}

fn title(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => "serial-ws does not understand this request",
        StatusCode::UNAUTHORIZED => "This page needs the token",
        StatusCode::FORBIDDEN => "This is not allowed",
        StatusCode::NOT_FOUND => NOTHING_HERE,
        StatusCode::METHOD_NOT_ALLOWED => "This is no page",
        StatusCode::REQUEST_TIMEOUT => "That took too long",
        StatusCode::CONFLICT => "This is not possible now",
        StatusCode::PAYLOAD_TOO_LARGE => "That is too long",
        StatusCode::TOO_MANY_REQUESTS => "Too many wrong tokens",
        StatusCode::SERVICE_UNAVAILABLE => "This is not possible at the moment",
        status => status.canonical_reason().unwrap_or("Error"),
    }
}

pub(super) fn capitalized(text: &str) -> String {
    let mut rest = text.chars();
    let first = rest.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + rest.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_accept(accept: &'static str, expected: bool) {
        let accept = HeaderValue::from_static(accept);
        let headers = HeaderMap::from_iter([(header::ACCEPT, accept)]);
        assert_eq!(accepts_html(&headers), expected);
    }

    #[test]
    fn browsers_ask_for_html_when_they_show_a_page() {
        check_accept(
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            true,
        );
        check_accept("application/xml, TEXT/HTML;q=0.5", true);
        check_accept("*/*", false);
        check_accept("text/*", false);
        check_accept("image/avif,image/webp,*/*;q=0.8", false);
        check_accept("text/html;q=0, */*", false);
        check_accept("text/htmlx", false);
        check_accept("", false);
        assert!(!accepts_html(&HeaderMap::new()));
    }

    #[track_caller]
    fn check_addresses(target: &str, itself: &str, page: &str) {
        let request = Request::builder()
            .uri(target)
            .header(header::ACCEPT, "text/html");
        let navigation = Navigation::of(&request.body(()).unwrap()).unwrap();
        assert_eq!(navigation.itself, itself, "{target}");
        assert_eq!(navigation.to("_serial-ws/"), page, "{target}");
    }

    #[test]
    fn addresses_are_relative_to_the_page() {
        check_addresses("/", "./", "./_serial-ws/");
        check_addresses("/?token=x", "./", "./_serial-ws/");
        check_addresses("/?a=1&token=x&b", "./?a=1&b", "./_serial-ws/");
        check_addresses("/a", "./a", "./_serial-ws/");
        check_addresses("/a/", "./", "../_serial-ws/");
        check_addresses("/a/b%20c.html?x", "./b%20c.html?x", "../_serial-ws/");
        check_addresses("/a/b/c", "./c", "../../_serial-ws/");
        // No scheme, and no other host.
        check_addresses("/javascript:x", "./javascript:x", "./_serial-ws/");
        check_addresses("//evil.example", "./evil.example", "../_serial-ws/");
    }
}
