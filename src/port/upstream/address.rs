//! The address of a port of another serial-ws, as a SPEC has it: `ws://HOST[:PORT]/ports/NAME`. Pure.

use std::fmt;

use anyhow::{Context, Result, bail, ensure};

use crate::dial::Endpoint;
use crate::port::config::is_name;
use crate::port::source::network::endpoint;
use crate::terminal::shown;

/// A port of another serial-ws.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UpstreamAddress {
    /// True for `wss://`.
    pub(crate) is_encrypted: bool,
    /// The place where the other serial-ws listens.
    pub(crate) endpoint: Endpoint,
    /// The name of the port there; None for the first one.
    pub(crate) port: Option<String>,
}

impl UpstreamAddress {
    /// Reads what stands behind the colon of `ws://HOST[:PORT]/ports/NAME`, where `scheme` is `ws` or
    /// `wss`.
    ///
    /// # Errors
    /// Says what is wrong, and what is right.
    pub(crate) fn parse(scheme: &str, rest: Option<&str>) -> Result<Self> {
        let is_encrypted = scheme == "wss";
        let rest = rest.unwrap_or_default();
        // What may be a token is not repeated.
        let (rest, query) = rest.split_at(rest.find(['?', '#']).unwrap_or(rest.len()));
        let written = shown(&format!("{scheme}:{rest}"));
        let form = || {
            format!(
                "`{written}` is not of the form {scheme}://HOST[:PORT]/ports/NAME, such as \
                 {scheme}://raspberrypi.local:8080/"
            )
        };
        let place = rest.strip_prefix("//").with_context(form)?;
        if query.contains("token=") {
            bail!(
                "`{written}`: a SPEC is shown in statuses and logs. Write the token into a file, and \
                 add ,token=FILE in place of ?token="
            );
        }
        ensure!(query.is_empty(), "`{written}`: no query is needed");
        let (authority, path) = place.split_at(place.find('/').unwrap_or(place.len()));
        let port = match path {
            "" | "/" => None,
            path => {
                let name = path
                    .strip_prefix("/ports/")
                    .map(|name| name.trim_end_matches('/'));
                let name = name.filter(|name| is_name(name)).with_context(|| {
                    format!(
                        "`{written}`: a port of a serial-ws is at / or at /ports/NAME, such as \
                         {scheme}://{authority}/ports/uno"
                    )
                })?;
                Some(name.to_owned())
            }
        };
        let has_port = authority
            .rsplit(']')
            .next()
            .is_some_and(|end| end.contains(':'));
        let usual = if has_port {
            String::new()
        } else {
            format!(":{}", usual_port(is_encrypted))
        };
        ensure!(!authority.is_empty(), form());
        Ok(Self {
            is_encrypted,
            endpoint: endpoint::parse(scheme, Some(&format!("//{authority}{usual}")))?,
            port,
        })
    }

    /// Returns the path of the port.
    pub(crate) fn path(&self) -> String {
        match &self.port {
            Some(name) => format!("/ports/{name}"),
            None => "/".to_owned(),
        }
    }

    /// Returns what a port is called by this address: as it is there, or else as the host.
    pub(crate) fn name(&self) -> String {
        match &self.port {
            Some(name) => name.clone(),
            None => self.endpoint.host.clone(),
        }
    }

    /// Returns the host and its TCP port as a URL has them. A zone has a meaning on this computer alone.
    pub(crate) fn authority(&self) -> String {
        let Endpoint { host, port } = &self.endpoint;
        let host = host.split('%').next().unwrap_or(host);
        let endpoint = Endpoint {
            host: host.to_owned(),
            port: *port,
        };
        endpoint.to_string()
    }
}

/// Returns the TCP port of an address that names none.
fn usual_port(is_encrypted: bool) -> u16 {
    if is_encrypted { 443 } else { 80 }
}

impl fmt::Display for UpstreamAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_encrypted { "wss" } else { "ws" };
        let place = self.endpoint.to_string();
        let usual = format!(":{}", usual_port(self.is_encrypted));
        let place = place.strip_suffix(&usual).unwrap_or(&place);
        write!(f, "{scheme}://{place}{}", self.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, shown: &str, host: &str, tcp_port: u16, port: Option<&str>) {
        let (scheme, rest) = text.split_once(':').unwrap();
        let address = UpstreamAddress::parse(scheme, Some(rest)).unwrap();
        assert_eq!(address.to_string(), shown);
        assert_eq!(address.endpoint.host, host);
        assert_eq!(address.endpoint.port, tcp_port);
        assert_eq!(address.port.as_deref(), port);
        let (_, rest) = shown.split_once(':').unwrap();
        assert_eq!(UpstreamAddress::parse(scheme, Some(rest)).unwrap(), address);
    }

    #[test]
    fn an_address_has_a_host_and_a_port_of_the_serial_ws_there() {
        check(
            "ws://pi:8080/ports/uno",
            "ws://pi:8080/ports/uno",
            "pi",
            8080,
            Some("uno"),
        );
        check("ws://pi:8080", "ws://pi:8080/", "pi", 8080, None);
        check("ws://pi/", "ws://pi/", "pi", 80, None);
        check(
            "wss://pi/ports/a/",
            "wss://pi/ports/a",
            "pi",
            443,
            Some("a"),
        );
        check("ws://[::1]/", "ws://[::1]/", "::1", 80, None);
        check(
            "ws://[fe80::1%eth0]:8080/",
            "ws://[fe80::1%eth0]:8080/",
            "fe80::1%eth0",
            8080,
            None,
        );
    }

    #[test]
    fn the_zone_of_an_address_stays_on_this_computer() {
        let address = UpstreamAddress::parse("ws", Some("//[fe80::1%eth0]:8080/")).unwrap();
        assert_eq!(address.authority(), "[fe80::1]:8080");
    }

    #[track_caller]
    fn check_wrong(rest: Option<&str>, expected: &str) {
        let error = UpstreamAddress::parse("ws", rest).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn what_is_wrong_is_said_with_what_is_right() {
        check_wrong(
            None,
            "`ws:` is not of the form ws://HOST[:PORT]/ports/NAME, such as",
        );
        check_wrong(Some("//"), "is not of the form");
        check_wrong(
            Some("//a/?token=secret"),
            "add ,token=FILE in place of ?token=",
        );
        check_wrong(Some("//a/ports/b?view=json"), "no query is needed");
        check_wrong(
            Some("//a/b"),
            "is at / or at /ports/NAME, such as ws://a/ports/uno",
        );
        check_wrong(Some("//a/ports/"), "is at / or at /ports/NAME");
        check_wrong(Some("//a/ports/b c"), "is at / or at /ports/NAME");
        check_wrong(Some("//::1/"), "stands in brackets");
        check_wrong(Some("//a:0/"), "a TCP port is a whole number");
        check_wrong(Some("//me@a/"), "no user is needed");
    }
}
