//! The place of a broker, written `mqtt://HOST[:PORT][/PREFIX]`. Pure.

use std::fmt;
use std::net::Ipv6Addr;

use serde::{Serialize, Serializer};

use crate::dial::Endpoint;
use crate::terminal::shown;

/// The scheme of a connection without encryption, and its usual TCP port.
const PLAIN: (&str, u16) = ("mqtt://", 1883);

/// The scheme of an encrypted connection, and its usual TCP port.
const ENCRYPTED: (&str, u16) = ("mqtts://", 8883);

/// The beginning of topics where none is given.
const DEFAULT_PREFIX: &str = "serial-ws";

/// The form of an address, for those who wrote another one.
const EXPECTED: &str = "expected mqtt://HOST[:PORT][/PREFIX], such as mqtt://localhost or mqtts://broker.example.org/lab";

/// A broker, and the beginning of all topics there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BrokerUrl {
    /// The place where it listens.
    pub(crate) endpoint: Endpoint,
    /// True if the connection is encrypted.
    pub(crate) is_encrypted: bool,
    /// The beginning of all topics, without a slash at its end.
    pub(crate) prefix: String,
}

impl BrokerUrl {
    /// Reads an address.
    ///
    /// # Errors
    /// Says what was expected.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let scheme = |(scheme, port)| Some((text.strip_prefix(scheme)?, port, scheme));
        let (rest, usual_port, scheme) = scheme(PLAIN)
            .or_else(|| scheme(ENCRYPTED))
            .ok_or(EXPECTED)?;
        let (place, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if place.contains('@') {
            return Err(
                "an address with a user or a password can be read in the list of processes: give \
                 them by --mqtt-user NAME and --mqtt-password FILE"
                    .to_owned(),
            );
        }
        // An empty port is the usual one (RFC 3986, 3.2.3).
        let place = place.strip_suffix(':').unwrap_or(place);
        let endpoint = Endpoint::parse(place, Some(usual_port)).map_err(|_| EXPECTED)?;
        if place.starts_with('[') && endpoint.host.parse::<Ipv6Addr>().is_err() {
            return Err(EXPECTED.to_owned());
        }
        let prefix = match prefix.strip_suffix('/').unwrap_or(prefix) {
            "" => DEFAULT_PREFIX,
            prefix => prefix,
        };
        check_prefix(prefix)?;
        Ok(Self {
            endpoint,
            is_encrypted: scheme == ENCRYPTED.0,
            prefix: prefix.to_owned(),
        })
    }

    /// Returns a topic below the prefix.
    pub(crate) fn topic(&self, rest: &str) -> String {
        format!("{}/{rest}", self.prefix)
    }
}

/// Refuses what cannot be in a topic that is published (MQTT 3.1.1, §4.7).
fn check_prefix(prefix: &str) -> Result<(), String> {
    let wrong = |why: &str| Err(format!("the prefix {} cannot be: {why}", shown(prefix)));
    if prefix.starts_with('$') {
        return wrong("topics that begin with $ belong to the broker");
    }
    if prefix.contains(['+', '#']) {
        return wrong("+ and # stand for other topics");
    }
    if prefix.split('/').any(str::is_empty) {
        return wrong("a part of it is empty");
    }
    if prefix.chars().any(char::is_control) {
        return wrong("it has control characters");
    }
    if prefix.contains('?') {
        return wrong("settings are given by flags, not behind a question mark");
    }
    Ok(())
}

impl fmt::Display for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, usual) = if self.is_encrypted { ENCRYPTED } else { PLAIN };
        let place = self.endpoint.to_string();
        let usual = format!(":{usual}");
        let place = place.strip_suffix(&usual).unwrap_or(&place);
        write!(f, "{scheme}{place}/{}", self.prefix)
    }
}

impl Serialize for BrokerUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let read = BrokerUrl::parse(text).map(|broker| broker.to_string());
        assert_eq!(read.as_deref().unwrap_or_else(|why| why), expected);
    }

    #[track_caller]
    fn check_wrong(text: &str, why: &str) {
        let wrong = BrokerUrl::parse(text).expect_err(text);
        assert!(wrong.contains(why), "{text}: {wrong}");
    }

    #[test]
    fn a_broker_has_a_host_a_port_and_a_prefix() {
        check("mqtt://localhost", "mqtt://localhost/serial-ws");
        check("mqtt://localhost/", "mqtt://localhost/serial-ws");
        check("mqtt://localhost:1883/lab/", "mqtt://localhost/lab");
        check("mqtt://192.168.1.5:1884/a/b", "mqtt://192.168.1.5:1884/a/b");
        check(
            "mqtts://broker.example.org:8883",
            "mqtts://broker.example.org/serial-ws",
        );
        check("mqtt://[::1]:1884/x", "mqtt://[::1]:1884/x");
        check("mqtt://[fe80::1]", "mqtt://[fe80::1]/serial-ws");
    }

    #[test]
    fn what_is_wrong_is_said() {
        for text in [
            "",
            "localhost",
            "http://localhost",
            "mqtt://",
            "mqtt://:1883",
            "mqtt://a b",
            "mqtt://a:0",
            "mqtt://a:x",
            "mqtt://a:99999",
            "mqtt://[::1",
            "mqtt://[a]",
            "mqtt://a:+5",
        ] {
            check_wrong(text, "expected mqtt://HOST");
        }
        check_wrong("mqtt://me:secret@host", "--mqtt-password FILE");
        check_wrong("mqtt://host/$SYS", "belong to the broker");
        check_wrong("mqtt://host/a/+", "stand for other topics");
        check_wrong("mqtt://host/a//b", "is empty");
        check_wrong("mqtt://host/a?qos=1", "question mark");
    }
}
