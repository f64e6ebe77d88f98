//! The page that the operator shows to others: the addresses by which they reach serial-ws, with the
//! token, each with a QR code.
//!
//! Only a browser that shows the page gets it, so that no script can read the token: not by a request,
//! and not from the page, which is in a sandbox and so has an origin of its own.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use qrcode::QrCode;
use qrcode::render::svg;

use super::access_layer::rejected;
use super::small_page::{self, escaped, paragraphs};
use crate::server::access::Rejection;
use crate::server::lan::addresses::{Network, Reachable};
use crate::server::lan::notice::note;
use crate::server::{App, Rights};

/// Pixels of a QR code; the style scales it.
const CODE_PIXELS: u32 = 232;

/// Keeps the page apart from the page that opened it.
const CROSS_ORIGIN_OPENER_POLICY: (HeaderName, HeaderValue) = (
    HeaderName::from_static("cross-origin-opener-policy"),
    HeaderValue::from_static("same-origin"),
);

/// Shows the addresses to the operator.
pub(super) async fn share(State(app): State<Arc<App>>, request: Request) -> Response {
    if !is_navigation(&request) {
        let rejection = Rejection::not_a_navigation();
        app.log.rejected(&rejection);
        return rejected(&rejection);
    }
    let content = content(&app, &app.reachable());
    let page = small_page::text(
        "Share this serial port",
        &content,
        "Only you see this page.",
    );
    let mut response = ([CROSS_ORIGIN_OPENER_POLICY], page).into_response();
    small_page::set_headers(response.headers_mut(), "form-action 'none'; sandbox");
    response
}

/// Returns true if a browser shows the answer as a page of its own.
fn is_navigation(request: &Request) -> bool {
    let is = |name, value| request.headers().get(name).is_some_and(|it| it == value);
    is("sec-fetch-mode", "navigate") && is("sec-fetch-dest", "document")
}

/// Returns the addresses, or what to do where there are none.
fn content(app: &App, addresses: &[Reachable]) -> String {
    let (Some(lan), Some(token)) = (&app.policy.lan, &app.policy.token) else {
        return paragraphs(
            "Other computers and phones cannot connect to this serial-ws.\n\
             Start it with --lan to let them in.",
        );
    };
    if addresses.is_empty() {
        return paragraphs(
            "This computer is in no network.\nConnect it to one, then open this page again.",
        );
    }
    let how = "Scan a code with a phone, or open its address on another computer of that network.";
    let who = match lan.rights {
        Rights::ReadWrite | Rights::Operator => {
            "Whoever opens such an address can use the device, so share it with care."
        }
        Rights::ReadOnly => "Whoever opens such an address can see what the device sends.",
    };
    let mut html = paragraphs(&format!("{how}\n{who}"));
    for address in addresses {
        let url = app.url_for_others(address, Some(token));
        let code = if address.is_for_programs {
            String::new()
        } else {
            code(&url)
        };
        let heading = match address.network {
            Network::Interface(_) => "Network ",
            Network::Multicast => "By name, ",
        };
        html += &format!(
            "<section>\n<h2>{heading}{}</h2>\n{code}<p><code>{}</code></p>\n</section>\n",
            escaped(&note(address)),
            escaped(&url)
        );
    }
    if !app.is_encrypted() {
        html += &paragraphs(
            "The connection is not encrypted: use it only in a network that you trust.",
        );
    }
    html
}

/// Returns the QR code of an address.
fn code(url: &str) -> String {
    let Ok(code) = QrCode::new(url) else {
        return String::new();
    };
    // Dark on light in both themes, since some phones read no other code.
    let picture = code
        .render::<svg::Color<'_>>()
        .min_dimensions(CODE_PIXELS, CODE_PIXELS)
        .dark_color(svg::Color("#000"))
        .light_color(svg::Color("#fff"))
        .build();
    let start = picture.find("<svg").unwrap_or_default();
    let svg = &picture[start..];
    format!("<div class=\"code\" role=\"img\" aria-label=\"QR code of the address\">{svg}</div>\n")
}
