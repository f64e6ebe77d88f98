//! Parses the address of a bridge as people type it, and adds parameters to it. An error shows an
//! example of an address.

use std::fmt;

use anyhow::{Context, Result, anyhow, bail};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::Uri;

use super::AccessArgs;
use crate::cli::default_tcp_port;
use crate::dial::Fingerprint;
use crate::terminal;

/// The address of a bridge, checked.
#[derive(Debug)]
pub(crate) struct Address {
    pub(super) request: Request,
    /// The scheme as it was typed, or `ws`.
    scheme: &'static str,
    /// The name or address, without the brackets of an IPv6 address.
    pub(super) host: String,
    /// The network that an IPv6 address belongs to, as this computer calls it (RFC 6874). The bridge
    /// is not told: it has a name of its own for that network.
    zone: Option<String>,
    pub(super) port: u16,
    /// The fingerprint that the bridge's certificate must have. Without one, this computer must
    /// trust the certificate.
    #[cfg_attr(
        not(feature = "tls"),
        expect(dead_code, reason = "nothing is encrypted")
    )]
    pub(super) fingerprint: Option<Fingerprint>,
}

/// For messages: `SCHEME://HOST:PORT`, without path and query, where a token may be.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            scheme, host, port, ..
        } = self;
        match &self.zone {
            Some(zone) => write!(f, "{scheme}://[{host}%25{zone}]:{port}"),
            None if host.contains(':') => write!(f, "{scheme}://[{host}]:{port}"),
            None => write!(f, "{scheme}://{host}:{port}"),
        }
    }
}

impl Address {
    /// Parses `ws://…`, `http://…`, their encrypted forms, and a bare `HOST[:PORT][/PATH]`. A `port`
    /// replaces the path, and `parameters` such as `view=json` are added.
    ///
    /// # Errors
    /// When this is not an address, with an example of one.
    pub(crate) fn new(
        url: &str,
        port: Option<&str>,
        parameters: &[String],
        access: &AccessArgs,
    ) -> Result<Address> {
        let (scheme, default_port, rest) = match url.split_once("://") {
            Some((scheme, rest)) if scheme.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
                let scheme = known_scheme(scheme)?;
                let usual = if is_encrypted(scheme) { 443 } else { 80 };
                (scheme, usual, rest)
            }
            _ => ("ws", default_tcp_port!(), url),
        };
        let (zone, without_zone) = split_zone(rest);
        let uri: Uri = target(&without_zone, port, parameters)
            .parse()
            .map_err(|_| not_an_address(rest))?;
        let host = uri.host().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| not_an_address(rest))?;
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let port = match uri.port_u16() {
            None if has_port(&uri) => return Err(not_an_address(rest)),
            port => port.unwrap_or(default_port),
        };
        let mut request = uri
            .into_client_request()
            .map_err(|_| not_an_address(rest))?;
        if let Some(token) = &access.token {
            let value = format!("Bearer {token}").parse();
            let value = value.context("the token has characters that cannot be sent")?;
            request.headers_mut().insert("authorization", value);
        }
        Ok(Address {
            request,
            scheme,
            host,
            zone,
            port,
            fingerprint: access.fingerprint,
        })
    }

    /// Returns the address of another path of the same bridge, with the same parameters.
    ///
    /// # Errors
    /// When `path` is none.
    #[cfg(feature = "mcp")]
    pub(crate) fn at(mut self, path: &str) -> Result<Self> {
        let uri = self.request.uri_mut();
        let mut parts = uri.clone().into_parts();
        let query = uri.query().map(|query| format!("?{query}"));
        let target = format!("{path}{}", query.unwrap_or_default());
        parts.path_and_query = Some(target.parse()?);
        *uri = Uri::from_parts(parts)?;
        Ok(self)
    }

    /// The view that the address asks for.
    pub(crate) fn view(&self) -> Option<&str> {
        self.parameter("view")
    }

    /// The value of a parameter of the address.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let parameters = self.request.uri().query()?.split('&');
        let mut pairs = parameters.filter_map(|parameter| parameter.split_once('='));
        pairs.find_map(|(key, value)| (key == name).then_some(value))
    }

    /// Returns true if it asks for an encrypted connection.
    #[cfg(feature = "tls")]
    pub(super) fn is_encrypted(&self) -> bool {
        is_encrypted(self.scheme)
    }

    /// Returns true for a name of this computer that need not be resolved.
    pub(super) fn is_localhost(&self) -> bool {
        let host = self.host.to_ascii_lowercase();
        host == "localhost" || host.ends_with(".localhost")
    }

    /// Returns the host as the system resolves it.
    pub(super) fn host_to_resolve(&self) -> String {
        let Self { host, zone, .. } = self;
        zone.as_ref()
            .map_or_else(|| host.clone(), |zone| format!("{host}%{zone}"))
    }

    /// Returns the TCP port.
    #[cfg(feature = "mcp")]
    pub(crate) fn tcp_port(&self) -> u16 {
        self.port
    }

    /// Returns true if the bridge is on this computer.
    pub(crate) fn is_here(&self) -> bool {
        let address = self.host.parse::<std::net::IpAddr>();
        self.is_localhost() || address.is_ok_and(|address| address.is_loopback())
    }
}

fn known_scheme(scheme: &str) -> Result<&'static str> {
    match scheme.to_ascii_lowercase().as_str() {
        "ws" => Ok("ws"),
        "http" => Ok("http"),
        #[cfg(feature = "tls")]
        "wss" => Ok("wss"),
        #[cfg(feature = "tls")]
        "https" => Ok("https"),
        #[cfg(not(feature = "tls"))]
        "wss" | "https" => bail!(
            "{scheme}:// is not supported by this build. Use ws://, from another computer through a \
             tunnel: ssh -L 8080:localhost:8080 HOST"
        ),
        _ => bail!("{scheme}:// is not supported here. Write it like ws://localhost:8080"),
    }
}

fn is_encrypted(scheme: &str) -> bool {
    matches!(scheme, "wss" | "https")
}

/// Splits the zone off an IPv6 address in brackets. Its sign may be escaped, as URLs have it, or not.
fn split_zone(rest: &str) -> (Option<String>, String) {
    let parts = rest
        .strip_prefix('[')
        .and_then(|inside| inside.split_once(']'))
        .and_then(|(address, behind)| Some((address.split_once('%')?, behind)));
    let Some(((address, zone), behind)) = parts else {
        return (None, rest.to_owned());
    };
    let zone = zone.strip_prefix("25").unwrap_or(zone);
    (Some(zone.to_owned()), format!("[{address}]{behind}"))
}

/// Writes the address as a URL with its parameters.
fn target(rest: &str, port: Option<&str>, parameters: &[String]) -> String {
    let rest = rest.split('#').next().unwrap_or_default();
    let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
    let path = match port {
        Some(port) => format!("/ports/{port}"),
        None if path.is_empty() => "/".to_owned(),
        None => path.to_owned(),
    };
    let mut url = format!("ws://{authority}{path}{query}");
    for parameter in parameters {
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str(parameter);
    }
    url
}

/// Returns true if something was typed for a TCP port, even if it is no number.
fn has_port(uri: &Uri) -> bool {
    let authority = uri.authority().map(|authority| authority.as_str());
    authority.is_some_and(|authority| !authority.ends_with(uri.host().unwrap_or_default()))
}

fn not_an_address(rest: &str) -> anyhow::Error {
    // A query may hold a token.
    let shown = terminal::excerpt(rest.split('?').next().unwrap_or_default());
    anyhow!("{shown:?} is not an address. Write it like ws://localhost:8080")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str) -> Result<Address> {
        Address::new(url, None, &[], &AccessArgs::default())
    }

    #[track_caller]
    fn check(address: Result<Address>, shown: &str, path: &str) {
        let address = address.unwrap();
        assert_eq!(address.to_string(), shown);
        assert_eq!(address.request.uri().path_and_query().unwrap(), path);
    }

    #[track_caller]
    fn refused(url: &str, expected: &str) {
        let error = address(url).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn addresses_are_parsed_as_people_type_them() {
        check(address("ws://localhost:8080"), "ws://localhost:8080", "/");
        check(
            address("http://localhost:8080/"),
            "http://localhost:8080",
            "/",
        );
        check(
            address("HTTP://[::1]:8080/ports/scale"),
            "http://[::1]:8080",
            "/ports/scale",
        );
        for zone in ["%25eth0", "%eth0"] {
            let url = format!("ws://[fe80::1{zone}]:8080/ports/a");
            check(address(&url), "ws://[fe80::1%25eth0]:8080", "/ports/a");
            let address = address(&url).unwrap();
            assert_eq!(address.host_to_resolve(), "fe80::1%eth0");
            assert_eq!(address.request.headers()["host"], "[fe80::1]:8080");
        }
        check(address("ws://raspberrypi"), "ws://raspberrypi:80", "/");
        #[cfg(feature = "tls")]
        check(
            address("HTTPS://bench.example"),
            "https://bench.example:443",
            "/",
        );
        check(
            address("raspberrypi.local"),
            "ws://raspberrypi.local:8080",
            "/",
        );
        check(
            address("10.0.0.7:9000/ports/a?view=json"),
            "ws://10.0.0.7:9000",
            "/ports/a?view=json",
        );
        check(
            address("localhost/?next=ws://x"),
            "ws://localhost:8080",
            "/?next=ws://x",
        );
        check(
            address("ws://localhost:8080?view=text#top"),
            "ws://localhost:8080",
            "/?view=text",
        );
    }

    #[test]
    fn parameters_are_added() {
        let wanted = ["view=raw".to_owned(), "append=lf".to_owned()];
        check(
            Address::new("localhost", None, &wanted[1..], &AccessArgs::default()),
            "ws://localhost:8080",
            "/?append=lf",
        );
        check(
            Address::new(
                "localhost/ports/a?history=5",
                None,
                &wanted,
                &AccessArgs::default(),
            ),
            "ws://localhost:8080",
            "/ports/a?history=5&view=raw&append=lf",
        );
    }

    #[test]
    fn a_named_port_replaces_the_path() {
        for url in [
            "localhost?token=x",
            "localhost/?token=x",
            "localhost/ports/b?token=x",
        ] {
            check(
                Address::new(url, Some("a"), &[], &AccessArgs::default()),
                "ws://localhost:8080",
                "/ports/a?token=x",
            );
        }
    }

    #[test]
    fn the_view_is_found_in_the_address() {
        let view = |url| address(url).unwrap().view().map(str::to_owned);
        assert_eq!(
            view("localhost?history=5&view=text"),
            Some("text".to_owned())
        );
        assert_eq!(view("localhost?preview=text"), None);
        assert_eq!(view("localhost"), None);
    }

    #[test]
    fn a_text_that_is_no_address_is_refused_with_an_example() {
        refused("ftp://localhost", "Write it like ws://localhost:8080");
        for url in [
            "",
            "ws://",
            "ws:///ports/a",
            "two words",
            "ws://localhost:99999",
            "ws://localhost:",
            "[::1",
        ] {
            refused(url, "is not an address. Write it like");
        }
    }

    #[test]
    fn a_token_is_sent_and_never_shown() {
        let access = AccessArgs {
            token: Some("correct horse".to_owned()),
            fingerprint: None,
        };
        let with_token = Address::new("localhost", None, &[], &access).unwrap();
        assert_eq!(
            with_token.request.headers()["authorization"],
            "Bearer correct horse"
        );
        let error = address("ws://local host?token=secret").unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
