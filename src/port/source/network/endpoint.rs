//! The place of a device in the network, as a SPEC names it: `//HOST:PORT`. Pure.

use std::fmt;

use anyhow::{Context, Result, bail, ensure};

use crate::platform::is_this_computer;
use crate::terminal::shown;

/// A host and a TCP port. What the name of the host means is asked at each attempt to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// A name or an address; one of IPv6 without its brackets.
    pub(crate) host: String,
    /// The TCP port.
    pub(crate) port: u16,
}

impl Endpoint {
    /// Reads what stands behind the colon of `tcp://HOST:PORT`, where `scheme` is `tcp`.
    ///
    /// # Errors
    /// Says what is wrong, and what is right.
    pub(crate) fn parse(scheme: &str, rest: Option<&str>) -> Result<Self> {
        let rest = rest.unwrap_or_default();
        let written = shown(&format!("{scheme}:{rest}"));
        let form = || {
            format!(
                "`{written}` is not of the form {scheme}://HOST:PORT, such as {scheme}://192.168.1.20:4000"
            )
        };
        let place = rest.strip_prefix("//").with_context(form)?;
        ensure!(!place.contains('@'), "`{written}`: no user is needed");
        let place = place.strip_suffix('/').unwrap_or(place);
        let is_bare = !place.contains(['/', '?', '#', '\\']);
        ensure!(is_bare, "`{written}`: nothing follows the TCP port");
        let (host, port) = match place.strip_prefix('[') {
            Some(inside) => {
                let (host, rest) = inside.split_once(']').with_context(form)?;
                (host, rest.strip_prefix(':'))
            }
            None => match place.rsplit_once(':') {
                Some((host, _)) if host.contains(':') => {
                    bail!(
                        "`{written}`: an IPv6 address stands in brackets, such as {scheme}://[::1]:4000"
                    )
                }
                Some((host, port)) => (host, Some(port)),
                None => (place, None),
            },
        };
        let is_host = !host.is_empty() && host.chars().all(is_host_char);
        ensure!(is_host, form());
        let port = port.with_context(|| {
            format!("`{written}` has no TCP port, such as {scheme}://{place}:4000")
        })?;
        let is_number = !port.is_empty() && port.chars().all(|c| c.is_ascii_digit());
        let number = port.parse().ok().filter(|port| is_number && *port > 0);
        let port = number.with_context(|| {
            format!("`{written}`: a TCP port is a whole number from 1 to 65535")
        })?;
        let host = host.to_owned();
        Ok(Self { host, port })
    }

    /// Returns true if the host is certainly this computer.
    pub(crate) fn is_this_computer(&self) -> bool {
        is_this_computer(&self.host)
    }
}

/// Returns true for what may be in the name or the address of a host. Names may have any letters.
fn is_host_char(c: char) -> bool {
    c.is_alphanumeric() || ".-_:%".contains(c)
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') {
            write!(f, "[{host}]:{port}")
        } else {
            write!(f, "{host}:{port}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rest: &str, host: &str, port: u16) {
        let endpoint = Endpoint::parse("tcp", Some(rest)).unwrap();
        assert_eq!((endpoint.host.as_str(), endpoint.port), (host, port));
        let again = Endpoint::parse("tcp", Some(&format!("//{endpoint}")));
        assert_eq!(again.unwrap(), endpoint);
    }

    #[test]
    fn this_computer_is_known() {
        let is_here = |rest| {
            Endpoint::parse("tcp", Some(rest))
                .unwrap()
                .is_this_computer()
        };
        assert!(is_here("//localhost:1") && is_here("//[::1]:1") && is_here("//127.0.0.2:1"));
        assert!(!is_here("//example.org:1") && !is_here("//192.168.1.20:1"));
    }

    #[test]
    fn a_host_is_a_name_or_an_address() {
        check("//localhost:4000", "localhost", 4000);
        check("//192.168.1.20:1", "192.168.1.20", 1);
        check("//[::1]:65535", "::1", 65535);
        check("//[fe80::1%eth0]:4000", "fe80::1%eth0", 4000);
        check("//esp-link.local:23/", "esp-link.local", 23);
    }

    #[track_caller]
    fn check_wrong(rest: Option<&str>, expected: &str) {
        let error = Endpoint::parse("tcp", rest).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn what_is_wrong_is_said_with_what_is_right() {
        check_wrong(None, "`tcp:` is not of the form tcp://HOST:PORT, such as");
        check_wrong(Some("a:1"), "`tcp:a:1` is not of the form");
        check_wrong(Some("//"), "`tcp://` is not of the form");
        check_wrong(Some("//:1"), "is not of the form");
        check_wrong(Some("//a b:1"), "is not of the form");
        check_wrong(Some("//[::1:1"), "is not of the form");
        check_wrong(
            Some("//a"),
            "`tcp://a` has no TCP port, such as tcp://a:4000",
        );
        check_wrong(Some("//[::1]"), "has no TCP port, such as tcp://[::1]:4000");
        check_wrong(
            Some("//::1:1"),
            "stands in brackets, such as tcp://[::1]:4000",
        );
        check_wrong(
            Some("//a:0"),
            "a TCP port is a whole number from 1 to 65535",
        );
        check_wrong(Some("//a:65536"), "a TCP port is");
        check_wrong(Some("//a:+1"), "a TCP port is");
        check_wrong(Some("//a:x"), "a TCP port is");
        check_wrong(Some("//a:1/b"), "nothing follows the TCP port");
        check_wrong(Some("//a:1?x=y"), "nothing follows the TCP port");
        check_wrong(Some("//me@a:1"), "no user is needed");
    }
}
