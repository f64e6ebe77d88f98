//! Keeps the token that other computers need: in a file of the operator's choice, or else in the folder for
//! configuration.

use std::io;

use std::path::Path;

use anyhow::{Context, Result, anyhow};

use super::token::Token;
use crate::platform;
use crate::server::LanToken;

/// The file with the token, in the folder for configuration.
const TOKEN_FILE: &str = "token";

/// The characters of a token: 32 letters and digits of which no two look alike.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Characters of a token; each has 5 random bits, 130 in total.
const TOKEN_LENGTH: usize = 26;

/// Returns the token that other computers need: the operator's own, if there is one.
///
/// # Errors
/// When a file cannot be read or written, or the system has no random numbers.
pub(crate) fn for_lan(own: Option<&LanToken>) -> Result<Token> {
    match own {
        None => load_or_create(),
        Some(LanToken { file, token }) => match (file, token) {
            (file, Some(token)) => {
                if let Some(file) = file {
                    tracing::info!("other computers need the token in {}", file.display());
                }
                Ok(token.clone())
            }
            (Some(file), None) => create(file),
            (None, None) => load_or_create(),
        },
    }
}

/// Writes a new token to a file that does not exist yet.
///
/// # Errors
/// When it cannot be written, or the system has no random numbers.
pub(crate) fn create(file: &Path) -> Result<Token> {
    let token = new_token()?;
    let path = file.display();
    platform::write_private(file, &format!("{}\n", token.secret())).map_err(|error| {
        anyhow!(
            "cannot write --lan-token {path}: {}",
            platform::reason(&error)
        )
    })?;
    tracing::info!("other computers need the token in {path}, which is new");
    Ok(token)
}

/// Returns the token of earlier runs, or a new one, which is kept for later runs.
///
/// # Errors
/// When the system has no random numbers, or the file exists and cannot be read.
fn load_or_create() -> Result<Token> {
    let Some(folder) = platform::config_folder() else {
        return new_token();
    };
    let file = folder.join(TOKEN_FILE);
    let path = file.display();
    platform::warn_of_readers(&file);
    let kept = match platform::read_private(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        kept => kept.with_context(|| format!("cannot read {path}"))?,
    };
    let is_kept = kept.trim().len() >= TOKEN_LENGTH;
    let (token, written) = if is_kept {
        (Token::new(kept.trim()), Ok(()))
    } else {
        if !kept.trim().is_empty() {
            tracing::warn!(
                "the token in {path} has fewer than {TOKEN_LENGTH} characters, so a new one takes \
                 its place. For a token of your own: --token FILE"
            );
        }
        let token = new_token()?;
        let written = platform::write_private(&file, &format!("{}\n", token.secret()));
        (token, written)
    };
    match written {
        Ok(()) => tracing::info!("other computers need the token in {path}"),
        Err(error) => tracing::warn!(
            "this token is for this run only: cannot write {path}: {}. If no terminal shows \
             it, give one of your own: --token FILE",
            platform::reason(&error)
        ),
    }
    Ok(token)
}

fn new_token() -> Result<Token> {
    let bytes = platform::random_bytes::<TOKEN_LENGTH>()?;
    let letters = bytes.map(|byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]));
    Ok(Token::new(letters.iter().collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_is_new_and_can_stand_in_an_address() {
        let (one, other) = (new_token().unwrap(), new_token().unwrap());
        assert_ne!(one.secret(), other.secret());
        assert_eq!(one.secret().len(), TOKEN_LENGTH);
        assert!(one.secret().bytes().all(|b| b.is_ascii_alphanumeric()));
    }
}
