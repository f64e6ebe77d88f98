//! Who may connect, decided by the request alone. Pure: no I/O, no clock.
//!
//! A page on any web site can open `ws://localhost`, and a name that its owner points at this
//! computer reaches it too (DNS rebinding). So the name that was asked for must be one of this
//! computer's, and a page must come from this computer, unless the operator says otherwise.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use axum::http::{HeaderMap, StatusCode, header};
use serde::Serialize;

use crate::escape::shown;

/// What the operator permits beside this computer's own names and pages.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Host names, without ports.
    pub hosts: Vec<String>,
    /// Origins, exactly as browsers send them.
    pub origins: Vec<String>,
}

/// A request that is not permitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The HTTP status to answer with.
    #[serde(skip)]
    pub status: Status,
    /// A sentence on what was refused.
    pub reason: String,
    /// A sentence on how the operator can permit it.
    pub remedy: String,
}

/// How a refusal is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The request makes no sense, whoever sent it.
    Malformed,
    /// The request is not permitted.
    Forbidden,
}

impl From<Status> for StatusCode {
    fn from(status: Status) -> Self {
        match status {
            Status::Malformed => Self::BAD_REQUEST,
            Status::Forbidden => Self::FORBIDDEN,
        }
    }
}

impl Policy {
    /// Decides on a request by its headers.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn admit(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        self.admit_host(headers)?;
        self.admit_origin(headers)
    }

    /// Decides whether the request was meant for this computer.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn admit_host(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let Some(host) = only(headers, header::HOST)? else {
            return Err(Refusal::malformed("a request needs a Host header"));
        };
        let Some(name) = host_name(host) else {
            return Err(Refusal::malformed(&format!(
                "{} is not a host",
                shown(host)
            )));
        };
        if is_loopback(name)
            || self
                .hosts
                .iter()
                .any(|allowed| allowed.eq_ignore_ascii_case(name))
        {
            return Ok(());
        }
        Err(Refusal {
            status: Status::Forbidden,
            reason: format!(
                "request for host {}, which is not a name of this computer (possibly DNS rebinding)",
                shown(host)
            ),
            remedy: format!(
                "if you use that name on purpose: --allow-host {}",
                shown(name)
            ),
        })
    }

    fn admit_origin(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let Some(origin) = only(headers, header::ORIGIN)? else {
            return Ok(());
        };
        let is_ours = origin_host(origin).is_some_and(is_loopback);
        if is_ours || self.origins.iter().any(|allowed| allowed == origin) {
            return Ok(());
        }
        let remedy = if origin == "null" {
            "open the page from a local web server instead of from disk, or: --allow-origin null"
                .to_owned()
        } else {
            format!("to allow it: serial-ws --allow-origin {}", shown(origin))
        };
        let reason = format!("page from {}", shown(origin));
        Err(Refusal {
            status: Status::Forbidden,
            reason,
            remedy,
        })
    }
}

impl Refusal {
    fn malformed(reason: &str) -> Self {
        Self {
            status: Status::Malformed,
            reason: reason.to_owned(),
            remedy: String::new(),
        }
    }
}

/// The value of a header that may come once.
fn only(headers: &HeaderMap, name: header::HeaderName) -> Result<Option<&str>, Refusal> {
    let mut values = headers.get_all(&name).iter();
    let Some(first) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Refusal::malformed(&format!(
            "a request has one {name} header"
        )));
    }
    let text = first.to_str();
    text.map(Some)
        .map_err(|_| Refusal::malformed(&format!("the {name} header is not text")))
}

/// The name in `name`, `name:port`, `[v6]` or `[v6]:port`.
fn host_name(host: &str) -> Option<&str> {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest.split_once(']')?;
            address.parse::<Ipv6Addr>().ok()?;
            (
                address,
                if after.is_empty() {
                    None
                } else {
                    Some(after.strip_prefix(':')?)
                },
            )
        }
        None => host
            .split_once(':')
            .map_or((host, None), |(name, port)| (name, Some(port))),
    };
    let is_port =
        |port: &str| port.parse::<u16>().is_ok() && port.bytes().all(|b| b.is_ascii_digit());
    let is_name_byte = |b: u8| b.is_ascii_alphanumeric() || b"-._:".contains(&b);
    let is_name = !name.is_empty() && name.bytes().all(is_name_byte);
    (is_name && port.is_none_or(is_port)).then_some(name)
}

/// The host in `http://host` or `https://host:port`, written exactly as browsers write an origin.
fn origin_host(origin: &str) -> Option<&str> {
    host_name(
        origin
            .strip_prefix("http://")
            .or_else(|| origin.strip_prefix("https://"))?,
    )
}

/// Whether a host name always means this computer.
fn is_loopback(name: &str) -> bool {
    match name.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => address == Ipv4Addr::LOCALHOST,
        Ok(IpAddr::V6(address)) => address == Ipv6Addr::LOCALHOST,
        Err(_) => {
            let name = name.to_ascii_lowercase();
            name == "localhost"
                || name
                    .strip_suffix(".localhost")
                    .is_some_and(|first| !first.is_empty())
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    #[track_caller]
    fn check(fields: &[(&'static str, &str)], expected: Result<(), Status>) {
        let policy = Policy {
            hosts: vec!["pi.local".into()],
            origins: vec!["https://preview.p5js.org".into()],
        };
        let verdict = policy
            .admit(&headers(fields))
            .map_err(|refusal| refusal.status);
        assert_eq!(verdict, expected, "{fields:?}");
    }

    #[test]
    fn names_of_this_computer_are_admitted_whatever_the_port() {
        for host in [
            "localhost",
            "localhost:8080",
            "LOCALHOST:1",
            "127.0.0.1:9",
            "[::1]",
            "[::1]:8080",
            "sketch.localhost:80",
            "pi.local:8080",
            "PI.local",
        ] {
            check(&[("host", host)], Ok(()));
        }
    }

    #[test]
    fn foreign_names_are_refused() {
        for host in [
            "evil.example:8080",
            "0.0.0.0:8080",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "evil-localhost",
            "192.168.1.5",
            "127.0.0.2",
            "api.local",
            "xpi.local",
            "[::]:80",
        ] {
            check(&[("host", host)], Err(Status::Forbidden));
        }
    }

    #[test]
    fn malformed_hosts_are_refused() {
        for host in [
            "",
            "localhost:",
            "localhost:x",
            "localhost:99999",
            "a b",
            "[::1",
            "[::1]x",
            "user@localhost",
            "localhost:80:80",
            "localhost/",
            "::1",
            ".localhost:+80",
        ] {
            check(&[("host", host)], Err(Status::Malformed));
        }
        check(&[], Err(Status::Malformed));
        check(
            &[("host", "localhost"), ("host", "localhost")],
            Err(Status::Malformed),
        );
    }

    #[test]
    fn pages_of_this_computer_and_listed_ones_are_admitted() {
        for origin in [
            "http://localhost:5500",
            "https://localhost",
            "http://127.0.0.1:3000",
            "http://[::1]:80",
            "http://a.localhost",
            "https://preview.p5js.org",
        ] {
            check(&[("host", "localhost"), ("origin", origin)], Ok(()));
        }
    }

    #[test]
    fn other_pages_are_refused() {
        for origin in [
            "https://evil.example",
            "null",
            "",
            "http://localhost.evil.example",
            "https://preview.p5js.org.evil.example",
            "http://preview.p5js.org",
            "https://PREVIEW.p5js.org",
            "https://preview.p5js.org:444",
            "file://localhost",
            "http://localhost/",
            "http://localhost:80@evil.example",
            "chrome-extension://abc",
        ] {
            check(
                &[("host", "localhost"), ("origin", origin)],
                Err(Status::Forbidden),
            );
        }
        let twice = ("origin", "http://localhost");
        check(
            &[("host", "localhost"), twice, twice],
            Err(Status::Malformed),
        );
    }
}
