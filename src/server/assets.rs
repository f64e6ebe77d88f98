//! The pages that are part of the program.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

/// What lies in `web/`; read from there while developing.
#[derive(RustEmbed)]
#[folder = "web/"]
struct Assets;

/// The file at `path`, or 404.
pub fn file(path: &str) -> Response {
    let Some(file) = Assets::get(path) else {
        return (StatusCode::NOT_FOUND, "not found\n").into_response();
    };
    let kind = file.metadata.mimetype().to_owned();
    ([(header::CONTENT_TYPE, kind)], file.data).into_response()
}
