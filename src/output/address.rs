//! The place of an output, written `[ADDR:]PORT[:rw]`. Pure.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// The ending that permits writing from other computers.
const MAY_WRITE: &str = ":rw";

/// The TCP port of an output, and its address if it is not that of this computer alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutputAddress {
    /// None for both loopback addresses.
    address: Option<SocketAddr>,
    port: u16,
    /// True if whoever connects may write, also from another computer.
    pub(crate) is_writable: bool,
}

impl OutputAddress {
    /// Reads an address.
    ///
    /// # Errors
    /// Says what was expected.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (place, is_writable) = match text.strip_suffix(MAY_WRITE) {
            Some(place) => (place, true),
            None => (text, false),
        };
        let address: Option<SocketAddr> = place.parse().ok();
        let local = place.strip_prefix("localhost:").unwrap_or(place);
        let is_number = local.chars().all(|c| c.is_ascii_digit());
        let port = match address {
            Some(address) => Some(address.port()),
            None => local.parse().ok().filter(|_| is_number),
        };
        let port = port.filter(|port| *port > 0).ok_or(
            "expected none, a TCP port such as 4000, or an address such as 192.168.1.5:4000, with \
             :rw behind it if other computers may write",
        )?;
        Ok(Self {
            address,
            port,
            is_writable,
        })
    }

    /// Returns true if other computers can connect.
    pub(crate) fn is_beyond_loopback(self) -> bool {
        self.address
            .is_some_and(|address| !address.ip().to_canonical().is_loopback())
    }

    /// Returns the addresses to listen on. Of two, one is enough.
    pub(crate) fn addresses(self) -> Vec<SocketAddr> {
        match self.address {
            Some(address) => vec![address],
            None => vec![
                (Ipv4Addr::LOCALHOST, self.port).into(),
                (Ipv6Addr::LOCALHOST, self.port).into(),
            ],
        }
    }

    /// Returns true if only one of the two can be listened on.
    pub(crate) fn overlaps(self, other: Self) -> bool {
        let is_alike = |a: &SocketAddr, b: &SocketAddr| {
            a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified()
        };
        let others = other.addresses();
        let mut addresses = self.addresses().into_iter();
        self.port == other.port && addresses.any(|a| others.iter().any(|b| is_alike(&a, b)))
    }
}

impl fmt::Display for OutputAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(address) => write!(f, "{address}")?,
            None => write!(f, "{}", self.port)?,
        }
        f.write_str(if self.is_writable { MAY_WRITE } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, addresses: &[&str], is_writable: bool) {
        let parsed = OutputAddress::parse(text).unwrap();
        let found = parsed.addresses().into_iter().map(|it| it.to_string());
        assert_eq!(found.collect::<Vec<_>>(), addresses);
        assert_eq!(parsed.is_writable, is_writable);
        assert_eq!(OutputAddress::parse(&parsed.to_string()), Ok(parsed));
    }

    #[test]
    fn an_address_is_a_tcp_port_or_written_out() {
        check("4000", &["127.0.0.1:4000", "[::1]:4000"], false);
        check("4000:rw", &["127.0.0.1:4000", "[::1]:4000"], true);
        check("localhost:4000", &["127.0.0.1:4000", "[::1]:4000"], false);
        check("10.0.0.7:4000:rw", &["10.0.0.7:4000"], true);
        check("[::]:4000:rw", &["[::]:4000"], true);
        let wrong = [
            "",
            "rw",
            ":rw",
            "0",
            "65536",
            "+1",
            "a:1",
            "::1:4000",
            "4000:ro",
            "4000:rw:rw",
        ];
        for text in wrong {
            assert!(OutputAddress::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn those_that_exclude_each_other_are_known() {
        let parse = |text| OutputAddress::parse(text).unwrap();
        let overlap = |a, b| parse(a).overlaps(parse(b));
        assert!(overlap("4000", "4000:rw") && overlap("4000", "0.0.0.0:4000"));
        assert!(overlap("[::1]:4000", "4000"));
        assert!(!overlap("4000", "4001") && !overlap("10.0.0.7:4000", "4000"));
    }
}
