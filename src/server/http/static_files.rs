//! The user's folder (`--web`): its files, live from disk, and nothing outside it.

use std::path::{Path, PathBuf};

use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::fs;
use tokio::io::AsyncReadExt;
use tokio_util::io::ReaderStream;

use super::assets;

/// What is ours before the folder is asked, as names in it.
const OURS: [&str; 8] = [
    "_serial-ws",
    "api",
    "healthz",
    "hello",
    "metrics",
    "serial-ws.js",
    "serial-ws.mjs",
    "serial-ws-p5.js",
];

/// Names that Windows takes for devices in every folder: `GET /COM3` must not open a port.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];

/// Says which files of the folder nobody will see.
pub(crate) fn warn_of_hidden(web: &Path) {
    for name in OURS {
        if web.join(name).exists() {
            tracing::warn!(
                "/{name} is a page of serial-ws itself, so {name} in the folder is not served"
            );
        }
    }
}

/// The file at a path of the address, or 404.
pub(crate) async fn file(web: &Path, path: &str) -> Response {
    let Some(name) = name(path) else {
        return missing();
    };
    match open(web, &name).await {
        Some(Found::File { file, size, kind }) => {
            let headers = [
                (header::CONTENT_TYPE, kind),
                (header::CONTENT_LENGTH, size.to_string()),
                // Who saves a sketch and reloads the page is to see what was saved.
                (header::CACHE_CONTROL, "no-cache".to_owned()),
            ];
            // A file that grows meanwhile would not fit its length.
            let body = Body::from_stream(ReaderStream::new(file.take(size)));
            (headers, body).into_response()
        }
        Some(Found::Folder) => {
            // Its own files are named from inside it.
            let inside = format!("{}/", path.trim_end_matches('/'));
            (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, inside)]).into_response()
        }
        None => missing(),
    }
}

fn missing() -> Response {
    (StatusCode::NOT_FOUND, "not found\n").into_response()
}

enum Found {
    File {
        file: fs::File,
        size: u64,
        kind: String,
    },
    Folder,
}

async fn open(web: &Path, name: &Path) -> Option<Found> {
    // Links are followed as long as they stay inside.
    let root = fs::canonicalize(web).await.ok()?;
    let path = fs::canonicalize(root.join(name)).await.ok()?;
    if !path.starts_with(&root) {
        return None;
    }
    let facts = fs::metadata(&path).await.ok()?;
    if facts.is_dir() {
        return Some(Found::Folder);
    }
    // No pipes, sockets or devices: opening them waits, or does something.
    if !facts.is_file() {
        return None;
    }
    let file = fs::File::open(&path).await.ok()?;
    let kind = assets::media_type(&path.to_string_lossy());
    Some(Found::File {
        file,
        size: facts.len(),
        kind,
    })
}

/// The file that a path of the address names, relative to the folder. None for what is not served
/// whatever is on the disk. Pure.
fn name(path: &str) -> Option<PathBuf> {
    // Once: what is encoded twice names a file with a percent sign.
    let path = decoded(path.strip_prefix('/')?)?;
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

/// Whether files may have this name, in an address for every system.
fn is_served(part: &str) -> bool {
    let odd = |c: char| c.is_control() || matches!(c, '\\' | ':');
    // Windows passes over dots and blanks at the end.
    let hidden = part.is_empty() || part.starts_with('.') || part.ends_with(['.', ' ']);
    !hidden && !part.contains(odd) && !is_device(part)
}

fn is_device(part: &str) -> bool {
    let stem = part.split('.').next().unwrap_or_default();
    let stem = stem.trim_end().to_lowercase();
    let numbered = ["com", "lpt"]
        .iter()
        .filter_map(|kind| stem.strip_prefix(kind))
        .any(|rest| rest.chars().count() == 1 && rest.contains(is_device_digit));
    numbered || DEVICES.contains(&stem.as_str())
}

/// The digits that Windows takes in `COM1`, the raised ones among them.
fn is_device_digit(c: char) -> bool {
    c.is_ascii_digit() || matches!(c, '¹' | '²' | '³')
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let value = digit()? << 4 | digit()?;
        bytes.push(u8::try_from(value).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: Option<&str>) {
        assert_eq!(name(path), expected.map(PathBuf::from), "{path}");
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
    fn nothing_outside_is_named() {
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
    fn what_is_encoded_twice_is_decoded_once() {
        check("/%252e%252e/x", Some("%2e%2e/x"));
    }

    #[test]
    fn hidden_files_and_devices_are_not_served() {
        for path in [
            "/.git/config",
            "/.env",
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
