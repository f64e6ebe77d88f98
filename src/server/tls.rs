//! TLS for connections from other computers, with the operator's certificate or a self-signed one.

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

/// The files of the self-signed certificate and its key, in the folder for configuration.
const SELF_SIGNED_FILES: [&str; 2] = ["tls-cert.pem", "tls-key.pem"];

/// Returns the TLS acceptor of a configuration.
///
/// # Errors
/// When a file cannot be read, or the certificate and the key do not match.
pub(crate) fn acceptor(config: &TlsConfig) -> Result<TlsAcceptor> {
    let (chain, key) = match config {
        TlsConfig::Files { cert, key } => (read_chain(cert)?, read_key(key)?),
        TlsConfig::SelfSigned => {
            let own = self_signed()?;
            tracing::info!(
                "the certificate is self-signed, so browsers warn about it. SHA-256 fingerprint: {}",
                Fingerprint::of(&own.0[0])
            );
            own
        }
    };
    let server = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .context("the certificate and the key do not match")?;
    Ok(TlsAcceptor::from(Arc::new(server)))
}

/// A certificate chain and its key.
type Pair = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

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
    PrivateKeyDer::from_pem_file(path)
        .with_context(|| format!("cannot read --tls-key {}", path.display()))
}

/// Returns the certificate of earlier runs, so that its fingerprint stays, or makes a new one.
fn self_signed() -> Result<Pair> {
    let files =
        platform::config_folder().map(|folder| SELF_SIGNED_FILES.map(|name| folder.join(name)));
    if let Some([cert, key]) = &files
        && key.exists()
    {
        return read_pair(cert, key);
    }
    let new = rcgen::generate_simple_self_signed(names()).context("cannot make a certificate")?;
    let (cert, key) = (new.cert.pem(), new.signing_key.serialize_pem());
    if let Some(files) = &files
        && let Err(error) = write_pair(files, [&cert, &key])
    {
        tracing::warn!("this certificate is for this run only: {error}");
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
        "{} contains no certificate; delete it to get a new one",
        SELF_SIGNED_FILES[0]
    );
    Ok((chain, PrivateKeyDer::from_pem_slice(key.as_bytes())?))
}

fn write_pair(files: &[PathBuf; 2], texts: [&str; 2]) -> io::Result<()> {
    // The key comes last: if it exists, its certificate does too.
    let mut pairs = files.iter().zip(texts);
    pairs.try_for_each(|(path, text)| platform::write_private(path, text))
}

/// Returns the names and the address of this computer, for the certificate.
fn names() -> Vec<String> {
    let mut names = vec!["localhost".to_owned()];
    if let Some(name) = platform::computer_name() {
        names.push(format!("{name}.local"));
        names.push(name);
    }
    names.extend(announce::outbound_address().map(|address| address.to_string()));
    names
}
