//! A receiver of OSC, written `HOST:PORT`. Pure.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::dial::Endpoint;

/// A receiver of OSC, with its UDP port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OscTarget(pub(crate) Endpoint);

impl OscTarget {
    /// Reads a receiver.
    ///
    /// # Errors
    /// Says what was expected.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let endpoint = Endpoint::parse(text, None).ok();
        // Brackets and zones are for IPv6 alone.
        let has_place = |endpoint: &Endpoint| {
            let is_ipv6 = endpoint.host.contains(':');
            text.starts_with('[') == is_ipv6 && (is_ipv6 || !endpoint.host.contains('%'))
        };
        endpoint.filter(has_place).map(Self).ok_or_else(|| {
            "expected HOST:PORT, such as localhost:9000 or 192.168.1.5:9000".to_owned()
        })
    }
}

impl fmt::Display for OscTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
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
