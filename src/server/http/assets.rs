//! The pages and the client library that are built into the program.

use std::borrow::Cow;

use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::relative::root_from;

macro_rules! embed {
    ($($path:literal)*) => {
        &[$(($path, include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/web/", $path)))),*]
    };
}

/// The files of `web/` that are served, by their path there. The others are for learners to copy.
const FILES: &[(&str, &[u8])] = embed![
    "index.html"
    "openapi.json"
    "page/advice.js"
    "page/ansi.js"
    "page/appearance.js"
    "page/axis.js"
    "page/chart.js"
    "page/clients.js"
    "page/commands.js"
    "page/connection.js"
    "page/dark.css"
    "page/elements.js"
    "page/files.js"
    "page/filter.js"
    "page/format.js"
    "page/frame.js"
    "page/gestures.js"
    "page/icon.svg"
    "page/keys.js"
    "page/legend.js"
    "page/lock.js"
    "page/log.js"
    "page/memory.js"
    "page/menus.js"
    "page/modem-lines.js"
    "page/monitor.js"
    "page/page.css"
    "page/page.js"
    "page/outputs.js"
    "page/playback.js"
    "page/plotter.js"
    "page/port-menu.js"
    "page/preferences.js"
    "page/pressed.js"
    "page/received.js"
    "page/recording.js"
    "page/row.js"
    "page/samples.js"
    "page/scales.js"
    "page/sendbox.js"
    "page/series-dialog.js"
    "page/series.js"
    "page/settings.js"
    "page/silence.js"
    "page/state.js"
    "page/statistics.js"
    "page/theme.js"
    "page/window.js"
    "serial-ws-p5.js"
    "serial-ws.js"
    "serial-ws.mjs"
    "socket.io.js"
    "web-serial-chooser.mjs"
    "web-serial-link.mjs"
    "web-serial.js"
];

/// The files of the client library.
pub(super) const LIBRARY: [&str; 6] = [
    "serial-ws.js",
    "serial-ws.mjs",
    "serial-ws-p5.js",
    "web-serial.js",
    "web-serial-link.mjs",
    "web-serial-chooser.mjs",
];

/// The words by which the library takes the root of the server that it comes from for ours.
const ROOT: &str = "ROOT = \"/\";";

/// The built-in page.
const PAGE: &str = "index.html";

/// The header that says which pages may load a resource without reading it, as a script or picture.
pub(crate) const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");

/// Our own pages may use the files beside them, and open WebSockets. Pages of the user's folder have
/// no such policy, since sketches have scripts in their pages and libraries from elsewhere.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data: blob:; connect-src 'self' ws: wss:; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

/// Serves the file at `path` in `web/`. Answers 404 where there is none.
pub(crate) fn file(path: &str) -> Response {
    content(path).map_or_else(not_found, |content| respond(path, content))
}

/// Serves `io()`, which pages made for Socket.IO load from there.
pub(super) fn socket_io() -> Response {
    file("socket.io.js")
}

/// Serves the built-in page at `/`.
pub(super) fn page() -> Response {
    file(PAGE)
}

/// Serves the built-in page at `/_serial-ws/`, beside its files. Addresses in the page are relative,
/// since serial-ws may be behind a proxy that adds a prefix to its paths.
pub(super) fn page_beside_its_files() -> Response {
    let beside = |page: Cow<'static, [u8]>| {
        let text = String::from_utf8_lossy(&page);
        respond(
            PAGE,
            text.replace("=\"_serial-ws/", "=\"").into_bytes().into(),
        )
    };
    content(PAGE).map_or_else(not_found, beside)
}

/// Serves the description of the API.
pub(super) fn description() -> Response {
    file("openapi.json")
}

/// Serves a file of the client library for a request of `path`, in whichever folder that is. The library
/// learns from us where our root is, seen from there.
pub(super) fn library(path: &str) -> Option<Response> {
    let (_, name) = path.rsplit_once('/')?;
    let name = *LIBRARY.iter().find(|known| **known == name)?;
    let root = root_from(path);
    let text =
        String::from_utf8_lossy(&content(name)?).replace(ROOT, &format!("ROOT = \"{root}\";"));
    Some(respond(name, text.into_bytes().into()))
}

fn respond(path: &str, content: Cow<'static, [u8]>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, media_type(path).as_str()),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
    ]
    .map(|(name, value)| (name, value.to_owned()));
    (headers, content).into_response()
}

/// Answers that there is nothing at a path.
pub(super) fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "not found\n").into_response()
}

fn content(path: &str) -> Option<Cow<'static, [u8]>> {
    let (_, embedded) = FILES.iter().find(|(name, _)| *name == path)?;
    // Debug builds serve the file as it is now, so that a page can be changed without compiling.
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/web/");
    let read = || std::fs::read(format!("{folder}{path}")).ok();
    let now = cfg!(debug_assertions).then(read).flatten();
    Some(now.map_or(Cow::Borrowed(*embedded), Cow::Owned))
}

/// Returns the media type of a file by its name; that of text names its encoding.
pub(crate) fn media_type(path: &str) -> String {
    let kind = mime_guess::from_path(path).first_or_octet_stream();
    let is_text =
        kind.type_() == "text" || matches!(kind.subtype().as_str(), "json" | "javascript");
    if is_text && kind.get_param("charset").is_none() {
        return format!("{kind}; charset=utf-8");
    }
    kind.to_string()
}
