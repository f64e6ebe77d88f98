//! Host and Origin headers: names of computers, and origins of pages (RFC 6454). Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Origins whose pages are written by many people: allowing one page allows them all.
const SHARED: [&str; 4] = [
    "https://preview.p5js.org",
    "https://editor.p5js.org",
    "https://cdpn.io",
    "https://fiddle.jshell.net",
];

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
    /// An extension of a browser.
    Extension,
    /// A page from disk, or in a sandboxed frame of any site: the browser does not say which.
    Null,
    /// No origin that a browser sends.
    Invalid,
}

impl<'a> Origin<'a> {
    /// Parses an Origin header, which browsers write in one way only.
    pub(crate) fn new(origin: &'a str) -> Self {
        let web = |host, is_secure| match host_name(host) {
            Some(_) => Self::Web { is_secure, host },
            None => Self::Invalid,
        };
        match origin.split_once("://") {
            Some(("http", host)) => web(host, false),
            Some(("https", host)) => web(host, true),
            Some((scheme, id)) if scheme.ends_with("-extension") && host_name(id) == Some(id) => {
                Self::Extension
            }
            _ if origin == "null" => Self::Null,
            _ => Self::Invalid,
        }
    }

    /// Returns true if the page is served by this computer.
    pub(crate) fn is_loopback(self) -> bool {
        matches!(self, Self::Web { host, .. } if host_name(host).is_some_and(is_loopback))
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
            Self::Extension | Self::Null | Self::Invalid => "",
        }
    }
}

/// Returns the origin as browsers write it: in lower case, without the default TCP port and without
/// a slash at the end. Returns `None` for a text that is no origin.
pub(crate) fn normalize_origin(origin: &str) -> Option<String> {
    let origin = origin.strip_suffix('/').unwrap_or(origin);
    let origin = origin.to_ascii_lowercase();
    let parsed = Origin::new(&origin);
    let short = origin.strip_suffix(parsed.default_port());
    (parsed != Origin::Invalid).then(|| short.unwrap_or(&origin).to_owned())
}

/// Returns true if strangers share this origin, so that it must not be allowed for good.
pub(crate) fn is_shared(origin: &str) -> bool {
    origin == "null" || SHARED.contains(&origin)
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
        check("chrome-extension://abc", Some("chrome-extension://abc"));
        for invalid in [
            "",
            "*",
            "example.org",
            "https://",
            "https://*.org",
            "https://a/b",
            "file://",
        ] {
            check(invalid, None);
        }
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
