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
    ([(header::CONTENT_TYPE, media_type(path))], file.data).into_response()
}

/// The media type of a file by its name, with the encoding of what is text.
pub fn media_type(path: &str) -> String {
    let kind = mime_guess::from_path(path).first_or_octet_stream();
    let is_text =
        kind.type_() == "text" || matches!(kind.subtype().as_str(), "json" | "javascript");
    if is_text && kind.get_param("charset").is_none() {
        return format!("{kind}; charset=utf-8");
    }
    kind.to_string()
}
