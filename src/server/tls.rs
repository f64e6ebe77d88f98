//! Encryption for connections from other computers: a certificate of the operator's, or one that
//! the program makes for itself.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::access::announce;
use super::config::TlsConfig;
use crate::fingerprint::Fingerprint;
use crate::platform;

/// The certificate and key that the program made, in the folder where configuration is kept.
const FILES: [&str; 2] = ["tls-cert.pem", "tls-key.pem"];

/// What encrypts connections, by what was asked for.
///
/// # Errors
/// When a file cannot be read, or certificate and key do not go together.
pub(crate) fn acceptor(config: &TlsConfig) -> Result<TlsAcceptor> {
    let (chain, key) = match config {
        TlsConfig::Files { cert, key } => (read_chain(cert)?, read_key(key)?),
        TlsConfig::SelfSigned => {
            let own = self_signed()?;
            tracing::info!(
                "the certificate is our own, so browsers warn of it. Its SHA-256 fingerprint: {}",
                Fingerprint::of(&own.0[0])
            );
            own
        }
    };
    let server = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .context("certificate and key do not go together")?;
    Ok(TlsAcceptor::from(Arc::new(server)))
}

type Pair = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let chain =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.with_context(|| format!("cannot read --tls-cert {}", path.display()))?;
    let path = path.display();
    ensure!(
        !chain.is_empty(),
        "--tls-cert {path} has no certificate in it"
    );
    Ok(chain)
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_file(path)
        .with_context(|| format!("cannot read --tls-key {}", path.display()))
}

/// The certificate of earlier runs, so that its fingerprint stays, or a new one.
fn self_signed() -> Result<Pair> {
    let files = platform::config_folder().map(|folder| FILES.map(|name| folder.join(name)));
    if let Some([cert, key]) = &files
        && key.exists()
    {
        return read_pair(cert, key);
    }
    let new = rcgen::generate_simple_self_signed(names()).context("cannot make a certificate")?;
    let (cert, key) = (new.cert.pem(), new.signing_key.serialize_pem());
    if let Some(files) = &files
        && let Err(error) = keep(files, [&cert, &key])
    {
        tracing::warn!("the certificate is for this run only: {error}");
    }
    let chain = vec![CertificateDer::from_pem_slice(cert.as_bytes())?];
    Ok((chain, PrivateKeyDer::from_pem_slice(key.as_bytes())?))
}

fn read_pair(cert: &Path, key: &Path) -> Result<Pair> {
    let read = |path: &Path| {
        platform::read_private(path).with_context(|| format!("cannot read {}", path.display()))
    };
    let (cert, key) = (read(cert)?, read(key)?);
    let chain = CertificateDer::pem_slice_iter(cert.as_bytes()).collect::<Result<Vec<_>, _>>()?;
    ensure!(
        !chain.is_empty(),
        "{} has no certificate in it: delete it",
        FILES[0]
    );
    Ok((chain, PrivateKeyDer::from_pem_slice(key.as_bytes())?))
}

fn keep(files: &[PathBuf; 2], texts: [&str; 2]) -> io::Result<()> {
    // The key last: where there is a key, there is its certificate.
    files
        .iter()
        .zip(texts)
        .try_for_each(|(path, text)| platform::write_private(path, text))
}

/// What this computer is called.
fn names() -> Vec<String> {
    let mut names = vec!["localhost".to_owned()];
    if let Some(name) = platform::computer_name() {
        names.push(format!("{name}.local"));
        names.push(name);
    }
    names.extend(announce::outbound_address().map(|address| address.to_string()));
    names
}
