//! The place of a device in the network, as a SPEC names it: `//HOST:PORT`. Pure.

use anyhow::{Context, Result, anyhow, ensure};

use crate::dial::{Endpoint, EndpointError};
use crate::terminal::shown;

/// Reads what stands behind the colon of `tcp://HOST:PORT`, where `scheme` is `tcp`.
///
/// # Errors
/// Says what is wrong, and what is right.
pub(crate) fn parse(scheme: &str, rest: Option<&str>) -> Result<Endpoint> {
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
    Endpoint::parse(place, None).map_err(|error| match error {
        EndpointError::Host => anyhow!(form()),
        EndpointError::BareIpv6 => anyhow!(
            "`{written}`: an IPv6 address stands in brackets, such as {scheme}://[::1]:4000"
        ),
        EndpointError::NoPort => {
            anyhow!("`{written}` has no TCP port, such as {scheme}://{place}:4000")
        }
        EndpointError::Port => {
            anyhow!("`{written}`: a TCP port is a whole number from 1 to 65535")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rest: &str, host: &str, port: u16) {
        let endpoint = parse("tcp", Some(rest)).unwrap();
        assert_eq!((endpoint.host.as_str(), endpoint.port), (host, port));
        let again = parse("tcp", Some(&format!("//{endpoint}")));
        assert_eq!(again.unwrap(), endpoint);
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
        let error = parse("tcp", rest).unwrap_err().to_string();
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
