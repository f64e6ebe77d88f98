//! TLS for connections from other computers, with the operator's certificate or a self-signed one.

mod self_signed;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::config::TlsConfig;
use crate::platform;
pub(crate) use self_signed::SelfSigned;

/// Returns the TLS acceptor of a configuration.
///
/// # Errors
/// When a file cannot be read, or the certificate and the key do not match.
pub(crate) fn acceptor(config: &TlsConfig) -> Result<TlsAcceptor> {
    let (chain, key) = match config {
        TlsConfig::Files { cert, key } => (read_chain(cert)?, read_key(key)?),
        TlsConfig::SelfSigned => {
            let own = SelfSigned::load_or_create()?;
            tracing::info!(
                "the certificate is self-signed, so browsers warn about it until they trust it (see \
                 serial-ws tls). SHA-256 fingerprint: {}",
                own.fingerprint()
            );
            (vec![own.certificate], own.key)
        }
    };
    let server = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .context("the certificate and the key do not match")?;
    Ok(TlsAcceptor::from(Arc::new(server)))
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let chain =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.with_context(|| format!("cannot read --tls-cert {}", path.display()))?;
    let path = path.display();
    ensure!(
        !chain.is_empty(),
        "--tls-cert {path} contains no certificate"
    );
    Ok(chain)
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    platform::warn_of_readers(path);
    PrivateKeyDer::from_pem_file(path)
        .with_context(|| format!("cannot read --tls-key {}", path.display()))
}
