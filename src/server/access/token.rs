//! The token that other computers need.

use std::fmt;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use subtle::ConstantTimeEq;

/// Fewer characters could be guessed at 300 guesses a minute.
const MIN_LENGTH: usize = 12;

/// The characters that are escaped in an address: all but the unreserved characters (RFC 3986 §2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A secret, which reveals itself only where it is asked for by name.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token(String);

impl Token {
    /// Makes a token of a secret that exists already.
    pub(crate) fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// Compares an attempt with the secret, in the same time wherever the first difference is.
    pub(crate) fn matches(&self, attempt: &str) -> bool {
        self.0.as_bytes().ct_eq(attempt.as_bytes()).into()
    }

    /// Returns the secret itself, for a file or a hash.
    pub(crate) fn secret(&self) -> &str {
        &self.0
    }

    /// Returns the secret percent-encoded, for the query of an address.
    pub(crate) fn in_address(&self) -> String {
        utf8_percent_encode(&self.0, RESERVED).to_string()
    }
}

impl FromStr for Token {
    type Err = String;

    /// Takes a secret that somebody made up. It has to fit into addresses and headers.
    fn from_str(secret: &str) -> Result<Self, String> {
        if secret.len() < MIN_LENGTH {
            return Err(format!("a token has at least {MIN_LENGTH} characters"));
        }
        let is_fit = |b: u8| b.is_ascii_graphic() && !b"\"\\;,".contains(&b);
        let rule = "a token has letters, digits and signs, no blanks, quotes, commas or semicolons";
        let is_valid = secret.bytes().all(is_fit);
        is_valid
            .then(|| Self::new(secret))
            .ok_or_else(|| rule.to_owned())
    }
}

/// Never prints the secret, so that it cannot get into a log by accident.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_secret_itself_matches() {
        let token = Token::new("correct horse");
        assert!(token.matches("correct horse"));
        for attempt in [
            "",
            "correct hors",
            "correct horse ",
            "Correct horse",
            "xorrect horse",
        ] {
            assert!(!token.matches(attempt), "{attempt}");
        }
        assert_eq!(format!("{token:?}"), "Token");
    }

    #[test]
    fn only_what_has_a_meaning_is_escaped_in_an_address() {
        assert_eq!(Token::new("a+b&C#9%/").in_address(), "a%2Bb%26C%239%25%2F");
        assert_eq!(
            Token::new("correct-h.r_s~9").in_address(),
            "correct-h.r_s~9"
        );
    }
}
