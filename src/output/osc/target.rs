//! A receiver of OSC, written `HOST:PORT`. Pure.

use std::fmt;
use std::net::SocketAddr;

use serde::{Serialize, Serializer};

/// A receiver of OSC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OscTarget {
    /// A name or an address; one of IPv6 without its brackets.
    pub(crate) host: String,
    pub(super) port: u16,
}

impl OscTarget {
    /// Reads a receiver.
    ///
    /// # Errors
    /// Says what was expected.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let expected = "expected HOST:PORT, such as localhost:9000 or 192.168.1.5:9000";
        if let Ok(address) = text.parse::<SocketAddr>() {
            let (host, port) = (address.ip().to_string(), address.port());
            return if port > 0 {
                Ok(Self { host, port })
            } else {
                Err(expected.to_owned())
            };
        }
        let (host, port) = text.rsplit_once(':').ok_or(expected)?;
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
        let port = port.parse().ok().filter(|port| *port > 0);
        match port {
            Some(port) if !host.is_empty() && host.chars().all(is_name) => Ok(Self {
                host: host.to_owned(),
                port,
            }),
            _ => Err(expected.to_owned()),
        }
    }
}

impl fmt::Display for OscTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            return write!(f, "[{}]:{}", self.host, self.port);
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Serialize for OscTarget {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_has_a_host_and_a_port() {
        for right in [
            "localhost:9000",
            "192.168.1.5:7000",
            "[::1]:9000",
            "max.local:1",
        ] {
            let read = OscTarget::parse(right).map(|target| target.to_string());
            assert_eq!(read.as_deref(), Ok(right));
        }
        for wrong in [
            "",
            "9000",
            "localhost",
            "localhost:",
            "localhost:0",
            ":9000",
            "a b:1",
            "::1",
        ] {
            assert!(OscTarget::parse(wrong).is_err(), "{wrong}");
        }
    }
}
