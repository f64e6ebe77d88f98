//! Connects to other computers, for whoever does it: where they are, which certificates are trusted, and
//! why a handshake is refused.

mod endpoint;
mod fingerprint;
mod refusal;
#[cfg(feature = "tls")]
pub(crate) mod tls;

pub(crate) use endpoint::{Endpoint, EndpointError};
pub(crate) use fingerprint::Fingerprint;
pub(crate) use refusal::refusal_body;
