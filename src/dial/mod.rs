//! What connecting to another serial-ws takes, whoever does it: which certificates are trusted, and why
//! a handshake is refused.

mod fingerprint;
mod refusal;
#[cfg(feature = "tls")]
pub(crate) mod tls;

pub(crate) use fingerprint::Fingerprint;
pub(crate) use refusal::refusal_body;
