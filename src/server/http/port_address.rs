//! `/ports/NAME` without a WebSocket: leads a browser to the page of the port, and tells a program what
//! is there.

use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use super::api;
use super::error_page::Navigation;
use crate::server::App;

/// Answers a request for the address of a port; returns `None` where the address is none.
pub(super) fn answer(app: &App, uri: &Uri, navigation: Option<&Navigation>) -> Option<Response> {
    let encoded = uri.path().strip_prefix("/ports/")?;
    let name = percent_encoding::percent_decode_str(encoded).decode_utf8();
    let name = name
        .ok()
        .filter(|name| !name.is_empty() && !name.contains('/'))?;
    if let Err(error) = api::port(app, &name) {
        return Some(error.into_response());
    }
    Some(match navigation {
        Some(navigation) => {
            let page = navigation.to(&format!("_serial-ws/?port={encoded}"));
            (StatusCode::SEE_OTHER, [(header::LOCATION, page)]).into_response()
        }
        None => {
            let text = format!(
                "this is the address of a WebSocket: ws://…/ports/{encoded}\nby HTTP, the lines are at \
                 /api/ports/{encoded}/lines\n"
            );
            let upgrade = [(header::UPGRADE, "websocket")];
            (StatusCode::UPGRADE_REQUIRED, upgrade, text).into_response()
        }
    })
}
