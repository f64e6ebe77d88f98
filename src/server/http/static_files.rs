//! The user's folder (`--web`): serves its files as they are on disk at each request, and nothing
//! outside it.
//!
//! `tower-http` answers the requests. Two guards of ours surround it: only paths that [`file_name`]
//! accepts reach it, and it opens files only through [`Folder`].

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use tower_http::services::ServeDir;

use super::folder::Folder;
use super::{assets, contents, error_page};
use crate::platform;
use crate::server::limits::Descriptors;

/// Names in the folder that are not served, since they are pages of our own. The files of the client
/// library are others.
const OWN_PAGES: [&str; 5] = ["_serial-ws", "api", "healthz", "hello", "metrics"];

/// Names that Windows takes for devices in every folder: `GET /COM3` must not open a port.
const WINDOWS_DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];

/// Bytes of a file that are read at once, which is the memory that a download needs.
const CHUNK_BYTES: usize = 16 << 10;

/// Warns where the folder has no page to begin with, and about files of the folder that are not served
/// because a page of our own has their name.
pub(crate) fn warn_of_folder(web: &Path) {
    contents::warn_without_index(web);
    for name in own_pages() {
        if web.join(name).exists() {
            tracing::warn!(
                "/{name} is a page of serial-ws itself, so {name} in the folder is not served"
            );
        }
    }
}

/// Serves the file that the request asks for, whole or in part. Answers 404 where there is none.
///
/// # Errors
/// When there is one, but the system does not let us read it, or not now.
pub(super) async fn file(
    web: &Path,
    descriptors: Descriptors,
    request: Request,
) -> io::Result<Response> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let (method, uri) = (request.method().clone(), request.uri().clone());
        return Ok(error_page::method_not_allowed(method, uri)
            .await
            .into_response());
    }
    let uri = request.uri().clone();
    let Some(name) = file_name(uri.path()) else {
        return Ok(assets::not_found());
    };
    let folder = Folder::new(web, descriptors);
    let mut response = match answer(folder, request).await {
        Ok(response) if response.status() == StatusCode::NOT_FOUND => {
            return Ok(assets::not_found());
        }
        Err(error) if is_absence(&error) => return Ok(assets::not_found()),
        answer => answer?,
    };
    if response.status() == StatusCode::TEMPORARY_REDIRECT {
        // To the same folder with a slash, since its files are named relative to it.
        return Ok(to_folder(&uri));
    }
    let headers = response.headers_mut();
    // Someone who saves a sketch and reloads the page must see what was saved.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Some(media_type) = headers.get_mut(header::CONTENT_TYPE)
        && let Ok(with_charset) = assets::media_type(&name.to_string_lossy()).parse()
    {
        *media_type = with_charset;
    }
    Ok(response)
}

/// Returns true for a name in the folder that belongs to a page of our own.
pub(super) fn is_own_page(name: &str) -> bool {
    own_pages().any(|own| own == name)
}

fn own_pages() -> impl Iterator<Item = &'static str> {
    OWN_PAGES.into_iter().chain(assets::LIBRARY)
}

/// Leads from the address of a folder to the same with a slash. The address is relative, since a proxy
/// may have added a prefix to our paths.
fn to_folder(uri: &Uri) -> Response {
    let name = uri.path().rsplit('/').next().unwrap_or_default();
    let query = uri.query().map(|query| format!("?{query}"));
    // Without the dot, a colon in the name would end a scheme.
    let folder = format!("./{name}/{}", query.unwrap_or_default());
    (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, folder)]).into_response()
}

/// Returns true for an error that means that there is no such file.
fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename
    )
}

/// Answers a request by `tower-http`, and does what it does not: obeys `If-Range` (RFC 9110
/// §13.1.5), and ignores `Range` with HEAD or in units other than bytes (§14.2).
async fn answer(folder: Folder, request: Request) -> io::Result<Response> {
    let (parts, _) = request.into_parts();
    let mut request = Request::from_parts(parts, ());
    let is_head = request.method() == Method::HEAD;
    let headers = request.headers_mut();
    let if_range = headers.remove(header::IF_RANGE);
    let is_in_bytes = |range: &HeaderValue| range.as_bytes().starts_with(b"bytes=");
    if is_head || !headers.get(header::RANGE).is_some_and(is_in_bytes) {
        headers.remove(header::RANGE);
    }
    let mut service = ServeDir::with_backend(folder.path(), folder.clone())
        .with_buf_chunk_size(CHUNK_BYTES)
        .ignore_multi_range_requests(true);
    let mut response = service.try_call(request.clone()).await?;
    // Compared after the file was opened, so that no part of a newer version is served.
    if if_range.is_some_and(|version| !is_version(response.headers(), &version)) {
        request.headers_mut().remove(header::RANGE);
        response = service.try_call(request).await?;
    }
    Ok(response.map(Body::new))
}

/// Returns true if the file of these headers is the version that `If-Range` names, by its tag or
/// its time.
fn is_version(headers: &HeaderMap, version: &HeaderValue) -> bool {
    let mut versions = [header::ETAG, header::LAST_MODIFIED].into_iter();
    versions.any(|name| headers.get(name) == Some(version))
}

/// Returns the path of a file in the folder by the path of its address, or `None` for a path at
/// which nothing is served, whatever is on the disk. Pure.
fn file_name(path: &str) -> Option<PathBuf> {
    let path = decode(path.strip_prefix('/')?)?;
    let mut name = PathBuf::new();
    let mut parts = path.split('/').peekable();
    while let Some(part) = parts.next() {
        if part.is_empty() && parts.peek().is_none() {
            name.push("index.html");
        } else if is_served(part) {
            name.push(part);
        } else {
            return None;
        }
    }
    Some(name)
}

/// Decodes percent-encoding once: a path that is encoded twice names a file with a percent sign.
fn decode(path: &str) -> Option<Cow<'_, str>> {
    let is_escape = |after: &str| {
        let mut digits = after.bytes().take(2);
        after.len() >= 2 && digits.all(|digit| digit.is_ascii_hexdigit())
    };
    let is_whole = path.split('%').skip(1).all(is_escape);
    let decoded = percent_decode_str(path).decode_utf8();
    decoded.ok().filter(|_| is_whole)
}

/// Returns true if files may have this name, by rules that are the same on every system.
pub(super) fn is_served(part: &str) -> bool {
    let is_invalid = |c: char| c.is_control() || matches!(c, '\\' | ':');
    // Windows ignores dots and blanks at the end.
    let is_hidden =
        part.is_empty() || platform::is_hidden(part.as_ref()) || part.ends_with(['.', ' ']);
    !is_hidden && !part.contains(is_invalid) && !is_windows_device(part)
}

fn is_windows_device(part: &str) -> bool {
    let stem = part.split('.').next().unwrap_or_default();
    let stem = stem.trim_end().to_lowercase();
    let number = stem.strip_prefix("com").or(stem.strip_prefix("lpt"));
    let is_number = |rest: &str| rest.chars().count() == 1 && rest.contains(is_device_digit);
    number.is_some_and(is_number) || WINDOWS_DEVICES.contains(&stem.as_str())
}

/// Returns true for the digits that Windows accepts in `COM1`, the raised ones among them.
fn is_device_digit(c: char) -> bool {
    c.is_ascii_digit() || matches!(c, '¹' | '²' | '³')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: Option<&str>) {
        assert_eq!(file_name(path), expected.map(PathBuf::from), "{path}");
    }

    #[test]
    fn files_are_named_by_their_path() {
        check("/", Some("index.html"));
        check("/sketch.js", Some("sketch.js"));
        check("/a/b/c.png", Some("a/b/c.png"));
        check("/a/", Some("a/index.html"));
        check("/my%20sketch.js", Some("my sketch.js"));
        check("/%C3%A9.txt", Some("é.txt"));
        check("/100%25.txt", Some("100%.txt"));
        check("/a..b", Some("a..b"));
        check("/command.js", Some("command.js"));
        check("/com10", Some("com10"));
    }

    #[test]
    fn no_path_names_a_file_outside() {
        for path in [
            "/..",
            "/../etc/passwd",
            "/a/../../etc/passwd",
            "/%2e%2e/etc/passwd",
            "/a%2f..%2f..%2fetc/passwd",
            "/..%5c..%5cwindows",
            "/a\\b",
            "//etc/passwd",
            "/a//b",
            "/C:/windows",
            "/file::$DATA",
            "/a%00.html",
            "/a%0d%0a",
            "/%",
            "/%zz",
            "/%ff",
            "/.",
            "/a/./b",
            "",
            "*",
        ] {
            check(path, None);
        }
    }

    #[test]
    fn a_path_that_is_encoded_twice_is_decoded_once() {
        check("/%252e%252e/x", Some("%2e%2e/x"));
    }

    #[test]
    fn hidden_files_and_devices_are_not_served() {
        for path in [
            "/.git/config",
            "/.env",
            "/%E2%80%8C.env",
            "/a/.htaccess",
            "/COM3",
            "/com3.js",
            "/a/nul",
            "/aux.txt",
            "/CON .txt",
            "/lpt%C2%B9",
            "/prn.tar.gz",
            "/conin$",
            "/file.",
            "/file%20",
        ] {
            check(path, None);
        }
    }
}
