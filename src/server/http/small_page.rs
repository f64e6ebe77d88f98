//! Small pages without scripts, whose style is in them, for answers that no file can give: errors, and
//! addresses to share. They need nothing from the server, which may let nobody in without the token.

use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

use super::assets::CROSS_ORIGIN_RESOURCE_POLICY;

const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/web/notice.html"));
const STYLE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/web/notice.css"));

/// Allows the style of the page by its hash, and nothing else.
static CONTENT_SECURITY_POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = BASE64_STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; img-src data:; style-src 'sha256-{hash}'; base-uri 'none'; \
         frame-ancestors 'none'"
    )
});

/// Returns the text of a page; `content` and `footer` are HTML.
pub(super) fn text(title: &str, content: &str, footer: &str) -> String {
    // The content comes last, since it is the only part that may have anything in it.
    PAGE.replace("{style}", STYLE)
        .replace("{title}", title)
        .replace("{footer}", footer)
        .replace("{content}", content)
}

/// Sets the headers of a page. `policy` are further directives of its Content-Security-Policy.
pub(super) fn set_headers(headers: &mut HeaderMap, policy: &str) {
    headers.remove(header::CONTENT_LENGTH);
    let policy = format!("{}; {policy}", *CONTENT_SECURITY_POLICY);
    let policy = HeaderValue::from_str(&policy).expect("the policy is ASCII");
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // With no-referrer, a form would come from the origin `null`.
        (header::REFERRER_POLICY, "strict-origin"),
        (CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
        (header::VARY, "Origin, Accept"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// Returns a paragraph for each line of a text.
pub(super) fn paragraphs(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| format!("<p>{}</p>\n", escaped(line)))
        .collect()
}

/// Escapes a text for HTML, also within quotes.
pub(super) fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => html += "&amp;",
            '<' => html += "&lt;",
            '>' => html += "&gt;",
            '"' => html += "&quot;",
            '\'' => html += "&#39;",
            other => html.push(other),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_becomes_markup() {
        let html = paragraphs("<img src=x onerror='a'>\n\n\"&\"");
        assert_eq!(
            html,
            "<p>&lt;img src=x onerror=&#39;a&#39;&gt;</p>\n<p>&quot;&amp;&quot;</p>\n"
        );
    }
}
