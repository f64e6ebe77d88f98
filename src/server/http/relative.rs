//! Addresses relative to the one that was asked for, since serial-ws may be behind a proxy that adds a
//! prefix to its paths.

use axum::http::Uri;

/// Returns our root, seen from `path`.
pub(super) fn root_from(path: &str) -> String {
    match path.matches('/').count().saturating_sub(1) {
        0 => "./".to_owned(),
        depth => "../".repeat(depth),
    }
}

/// Returns the address of a page relative to itself, without the token.
pub(super) fn relative_address(uri: &Uri) -> String {
    let name = uri.path().rsplit('/').next().unwrap_or_default();
    let query: Vec<_> = query_without_token(uri).collect();
    let mark = if query.is_empty() { "" } else { "?" };
    format!("./{name}{mark}{}", query.join("&"))
}

/// Returns the parameters of an address but the token, as they are written.
pub(super) fn query_without_token(uri: &Uri) -> impl Iterator<Item = &str> {
    let query = uri.query().unwrap_or_default().split('&');
    query.filter(|pair| !pair.is_empty() && pair.split('=').next() != Some("token"))
}
