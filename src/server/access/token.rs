//! The secret that other computers need.

use std::fmt;

/// A secret, which shows itself only where it is asked for by name.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token(String);

impl Token {
    /// A secret that is known already.
    pub(crate) fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// Whether `guess` is the secret. Takes the same time wherever the first difference is.
    pub(crate) fn is(&self, guess: &str) -> bool {
        let (secret, guess) = (self.0.as_bytes(), guess.as_bytes());
        let pairs = secret.iter().zip(guess);
        let difference = pairs.fold(0, |found, (a, b)| std::hint::black_box(found | (a ^ b)));
        secret.len() == guess.len() && difference == 0
    }

    /// The secret itself, for a file and a cookie.
    pub(crate) fn secret(&self) -> &str {
        &self.0
    }

    /// The secret as it is written in the query of an address, where signs mean something else.
    pub(crate) fn in_address(&self) -> String {
        let written = |byte: u8| {
            if byte.is_ascii_alphanumeric() {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        };
        self.0.bytes().map(written).collect()
    }
}

/// Never the secret, so that it cannot come into a log by accident.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_secret_is_the_secret() {
        let token = Token::new("correct horse");
        assert!(token.is("correct horse"));
        for guess in [
            "",
            "correct hors",
            "correct horse ",
            "Correct horse",
            "xorrect horse",
        ] {
            assert!(!token.is(guess), "{guess}");
        }
        assert_eq!(format!("{token:?}"), "Token");
    }

    #[test]
    fn signs_are_encoded_in_an_address() {
        assert_eq!(Token::new("a+b&C#9%~").in_address(), "a%2Bb%26C%239%25%7E");
    }
}
