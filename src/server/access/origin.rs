//! Host and Origin headers: names of computers, and origins of pages (RFC 6454). Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Origins whose pages are written by many people: allowing one page allows them all.
const SHARED: [&str; 4] = [
    "https://preview.p5js.org",
    "https://editor.p5js.org",
    "https://cdpn.io",
    "https://fiddle.jshell.net",
];

/// Bytes of an origin: more than the longest host name (253) with its scheme and TCP port. A longer
/// one is invalid.
const MAX_ORIGIN_BYTES: usize = 300;

/// Returns the name in a Host header: `name`, `name:port`, `[v6]` or `[v6]:port`.
pub(crate) fn host_name(host: &str) -> Option<&str> {
    let (name, after) = match host.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest.split_once(']')?;
            address.parse::<Ipv6Addr>().ok()?;
            (address, after)
        }
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let is_port =
        |port: &str| port.parse::<u16>().is_ok() && port.bytes().all(|b| b.is_ascii_digit());
    let has_valid_port = after.is_empty() || after.strip_prefix(':').is_some_and(is_port);
    let is_name_byte = |b: u8| b.is_ascii_alphanumeric() || b"-._:".contains(&b);
    let is_name = !name.is_empty() && name.bytes().all(is_name_byte);
    (is_name && has_valid_port).then_some(name)
}

/// Returns true if a host name always means this computer.
pub(crate) fn is_loopback(name: &str) -> bool {
    match name.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => address == Ipv4Addr::LOCALHOST,
        Ok(IpAddr::V6(address)) => address == Ipv6Addr::LOCALHOST,
        Err(_) => name.eq_ignore_ascii_case("localhost") || is_below(name, ".localhost"),
    }
}

/// Returns true if `name` is in the domain `suffix`, which begins with a dot.
pub(crate) fn is_below(name: &str, suffix: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let first = name.strip_suffix(suffix);
    first.is_some_and(|first| !first.is_empty() && !first.ends_with('.'))
}

/// The origin of a page, as an Origin header names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin<'a> {
    /// A page from a web server.
    Web {
        /// True for https.
        is_secure: bool,
        /// Name and TCP port, as in a Host header.
        host: &'a str,
    },
    /// A page of an app or an extension, such as `vscode-webview://ID`: a scheme of its own, and a
    /// name that only a person can judge.
    App,
    /// A web address with more than an origin has, such as a path. No browser sends it, but some
    /// libraries do.
    Address,
    /// A page from disk, or in a sandboxed frame of any site: the browser does not say which.
    Null,
    /// No origin that could be allowed by name.
    Invalid,
}

impl<'a> Origin<'a> {
    /// Parses an Origin header, which browsers write in one way only.
    pub(crate) fn new(origin: &'a str) -> Self {
        let (scheme, rest) = match origin.split_once("://") {
            _ if origin == "null" => return Self::Null,
            Some(parts) if origin.len() <= MAX_ORIGIN_BYTES => parts,
            _ => return Self::Invalid,
        };
        let is_web = matches!(scheme, "http" | "https");
        match host_name(rest) {
            Some(_) if is_web => Self::Web {
                is_secure: scheme == "https",
                host: rest,
            },
            _ if !is_scheme(scheme) || rest.is_empty() || !rest.bytes().all(is_typable) => {
                Self::Invalid
            }
            _ if is_web => Self::Address,
            _ => Self::App,
        }
    }

    /// Returns true if the page is served by this computer.
    pub(crate) fn is_loopback(self) -> bool {
        matches!(self, Self::Web { host, .. } if host_name(host).is_some_and(is_loopback))
    }

    /// Returns the TCP port of the web server that the page comes from.
    pub(crate) fn port(self) -> Option<u16> {
        let Self::Web { host, .. } = self else {
            return None;
        };
        let after_name = host.rsplit(']').next().unwrap_or(host);
        let port = after_name.rsplit_once(':').map(|(_, port)| port);
        port.unwrap_or(&self.default_port()[1..]).parse().ok()
    }

    /// Returns true if the page was served under the same name and TCP port as `host`.
    pub(crate) fn is_of(self, host: &str) -> bool {
        let host = host.strip_suffix(self.default_port()).unwrap_or(host);
        matches!(self, Self::Web { host: own, .. } if own.eq_ignore_ascii_case(host))
    }

    /// Returns the end of a host that browsers leave out.
    fn default_port(self) -> &'static str {
        match self {
            Self::Web { is_secure, .. } if is_secure => ":443",
            Self::Web { .. } => ":80",
            Self::App | Self::Address | Self::Null | Self::Invalid => "",
        }
    }
}

/// Returns true for the scheme of a URL (RFC 3986 §3.1).
fn is_scheme(scheme: &str) -> bool {
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

/// Returns true for a byte of a URL that a shell leaves alone, if need be between double quotes.
/// A comma ends the origin in `--allow-origin`, and an asterisk would look like a pattern.
fn is_typable(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#[]@&()+;=%".contains(&byte)
}

/// Returns the origin by which a request is judged. Browsers send only such; libraries whose
/// headers cannot be changed say `file://` for `null`, or put a slash behind a name of this computer.
pub(crate) fn canonical(origin: &str) -> &str {
    if origin.starts_with("file://") {
        return "null";
    }
    match origin.strip_suffix('/') {
        Some(short) if Origin::new(short).is_loopback() => short,
        _ => origin,
    }
}

/// Returns the origin as browsers write it: in lower case, without the default TCP port and without
/// a slash at the end. Other origins are kept as they are. Returns `None` for a text that is none.
pub(crate) fn normalize_origin(origin: &str) -> Option<String> {
    let origin = canonical(origin);
    let bare = match origin.strip_suffix('/') {
        Some(bare) if !bare.ends_with('/') && bare.matches('/').count() == 2 => bare,
        _ => origin,
    };
    let lower = bare.to_ascii_lowercase();
    match Origin::new(&lower) {
        web @ Origin::Web { .. } => {
            let short = lower.strip_suffix(web.default_port());
            Some(short.unwrap_or(&lower).to_owned())
        }
        Origin::Null => Some(lower),
        _ if Origin::new(bare) == Origin::Invalid => None,
        _ => Some(bare.to_owned()),
    }
}

/// Returns an origin as it is typed in a shell.
pub(crate) fn quoted(origin: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/@+%=".contains(&b);
    if origin.bytes().all(is_plain) {
        origin.to_owned()
    } else {
        format!("\"{origin}\"")
    }
}

/// Returns true if strangers share this origin, so that it must not be allowed for good. Each app
/// made with the same tool has the same name `localhost` under the scheme of the tool.
pub(crate) fn is_shared(origin: &str) -> bool {
    let is_of_any_app = Origin::new(origin) == Origin::App && origin.ends_with("://localhost");
    origin == "null" || is_of_any_app || SHARED.contains(&origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(typed: &str, written: Option<&str>) {
        assert_eq!(normalize_origin(typed).as_deref(), written, "{typed}");
    }

    #[test]
    fn origins_are_normalized_as_browsers_write_them() {
        check("https://Example.org/", Some("https://example.org"));
        check("https://example.org:443", Some("https://example.org"));
        check("http://example.org:443", Some("http://example.org:443"));
        check("http://[fd00::1]:80", Some("http://[fd00::1]"));
        check("null", Some("null"));
        check("chrome-extension://abc/", Some("chrome-extension://abc"));
        check("HTTPS://Example.org", Some("https://example.org"));
        for invalid in [
            "",
            "*",
            "example.org",
            "localhost:8080",
            "https://",
            "https://*.org",
            "://a",
            "1a://b",
        ] {
            check(invalid, None);
        }
        check(&format!("https://a.example/{}", "x".repeat(300)), None);
    }

    #[test]
    fn what_no_browser_writes_is_kept_as_it_is() {
        for origin in [
            "https://github.com/gilmaimon/TinyWebsockets",
            "https://a.example/b/",
            "http://user@localhost:8080",
            "vscode-webview://0b1c2d3e4f5061728394a5b6c7d8e9f0",
            "safari-web-extension://8D9F1B0C-3F4E-4E6F-9C55-0D9A3C1B2A77",
            "capacitor://localhost",
            "app://.",
            "app://obsidian.md",
            "ws://192.168.1.50:8080",
        ] {
            check(origin, Some(origin));
        }
        check("file://", Some("null"));
        check("file:///android_asset/index.html", Some("null"));
    }

    #[test]
    fn a_request_is_judged_by_its_origin_without_what_only_libraries_add() {
        for (sent, expected) in [
            ("file://", "null"),
            ("http://localhost/", "http://localhost"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
            ("https://[::1]/", "https://[::1]"),
            ("http://localhost//", "http://localhost//"),
            ("http://localhost/a/", "http://localhost/a/"),
            ("https://ok.example/", "https://ok.example/"),
            (
                "http://localhost.evil.example/",
                "http://localhost.evil.example/",
            ),
            ("app://localhost/", "app://localhost/"),
        ] {
            assert_eq!(canonical(sent), expected);
        }
    }

    #[test]
    fn an_origin_is_quoted_where_a_shell_would_change_it() {
        for plain in ["https://a.example:8080/b", "vscode-webview://0b1c", "null"] {
            assert_eq!(quoted(plain), plain);
        }
        assert_eq!(quoted("http://[fd00::1]"), "\"http://[fd00::1]\"");
        assert_eq!(quoted("http://a/?b&c"), "\"http://a/?b&c\"");
    }

    #[test]
    fn every_app_of_a_tool_shares_an_origin() {
        assert!(is_shared("tauri://localhost") && is_shared("capacitor://localhost"));
        assert!(!is_shared("http://localhost") && !is_shared("vscode-webview://0b1c"));
    }

    #[test]
    fn a_page_of_our_own_has_the_name_that_was_asked_for() {
        for (origin, host, expected) in [
            ("http://pi.local:8080", "pi.local:8080", true),
            ("http://pi.local:8080", "PI.local:8080", true),
            ("http://pi.local", "pi.local:80", true),
            ("https://pi.local", "pi.local", true),
            ("https://pi.local", "pi.local:80", false),
            ("http://pi.local:8081", "pi.local:8080", false),
            ("http://xpi.local:8080", "pi.local:8080", false),
            ("null", "null", false),
        ] {
            assert_eq!(Origin::new(origin).is_of(host), expected, "{origin} {host}");
        }
    }
}
