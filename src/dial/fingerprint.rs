//! The fingerprint of a certificate, which people compare.

use std::fmt;
use std::str::FromStr;

/// The SHA-256 of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Computes the fingerprint of a certificate in DER form.
    #[cfg(feature = "tls")]
    pub(crate) fn of(certificate: &[u8]) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, certificate);
        let bytes = digest.as_ref().try_into();
        Self(bytes.expect("SHA-256 has 32 bytes"))
    }
}

/// Writes it as OpenSSL and browsers do.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0.iter().map(|byte| format!("{byte:02X}"));
        f.write_str(&bytes.collect::<Vec<_>>().join(":"))
    }
}

impl FromStr for Fingerprint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "expected 32 bytes in hex, such as AB:CD:…".to_owned();
        let digits: String = text.split([':', ' ']).collect();
        if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&digits[at..at + 2], 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_parsed_as_it_is_shown() {
        let shown = (0..32)
            .map(|n| format!("{:02X}", n * 8))
            .collect::<Vec<_>>();
        let fingerprint: Fingerprint = shown.join(":").parse().unwrap();
        assert_eq!(fingerprint.to_string(), shown.join(":"));
        assert_eq!(shown.concat().to_lowercase().parse(), Ok(fingerprint));
        for wrong in ["", "AB:CD", &shown[1..].join(":"), &"é".repeat(32)] {
            assert!(wrong.parse::<Fingerprint>().is_err(), "{wrong}");
        }
    }
}
