//! Random numbers that nobody can guess, from the system.

use anyhow::{Result, anyhow};

/// Returns random bytes.
///
/// # Errors
/// When the system has none.
pub(crate) fn random_bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| anyhow!("this system has no random numbers: {error}"))?;
    Ok(bytes)
}
