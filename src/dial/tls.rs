//! Encrypts the connection to another serial-ws whose certificate this computer trusts, or has the
//! fingerprint that the user compared.

use std::io;
use std::sync::{Arc, OnceLock};

use anyhow::{Result, anyhow};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::crypto::{
    WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use super::Fingerprint;
use crate::platform::reason;
use crate::terminal::excerpt;

/// Encrypts a connection to `host`. The certificate must have the fingerprint, if there is one;
/// otherwise this computer must trust it. `setting` is what stands before a fingerprint where the user
/// gives one.
///
/// # Errors
/// When the certificate is not trusted, with the fingerprint to compare.
pub(crate) async fn encrypt<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    host: &str,
    fingerprint: Option<Fingerprint>,
    setting: &str,
) -> Result<TlsStream<S>> {
    let verifier = Arc::new(Verifier::new(fingerprint));
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&verifier) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    let connecting = TlsConnector::from(Arc::new(config))
        .connect(ServerName::try_from(host.to_owned())?, stream)
        .await;
    connecting.map_err(|error| verifier.explain(error, setting))
}

/// Returns the authorities that this computer trusts.
pub(crate) fn trusted_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// Decides on a certificate, and remembers its fingerprint.
#[derive(Debug)]
struct Verifier {
    wanted: Option<Fingerprint>,
    /// Decides by what this computer trusts; None if that is nothing.
    usual: Option<Arc<WebPkiServerVerifier>>,
    algorithms: WebPkiSupportedAlgorithms,
    seen: OnceLock<Fingerprint>,
}

impl Verifier {
    fn new(wanted: Option<Fingerprint>) -> Self {
        let provider = Arc::new(default_provider());
        let roots = match wanted {
            None => trusted_roots(),
            Some(_) => RootCertStore::empty(),
        };
        let usual = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone());
        Self {
            wanted,
            usual: usual.build().ok(),
            algorithms: provider.signature_verification_algorithms,
            seen: OnceLock::new(),
        }
    }

    fn explain(&self, error: io::Error, setting: &str) -> anyhow::Error {
        let inner = error
            .get_ref()
            .and_then(|error| error.downcast_ref::<Error>());
        match (inner, self.seen.get()) {
            (Some(Error::InvalidCertificate(_)), Some(seen)) if self.wanted.is_some() => anyhow!(
                "its certificate has another fingerprint: {seen}. Compare it with the one that \
                 serial-ws shows where it runs"
            ),
            (Some(Error::InvalidCertificate(reason)), Some(seen)) => anyhow!(
                "this computer does not trust its certificate ({}). Where serial-ws runs, it shows \
                 a SHA-256 fingerprint; if it is this one: {setting}{seen}",
                excerpt(&reason.to_string())
            ),
            (_, None) => anyhow!(
                "it does not seem to use encryption ({}): write ws:// instead of wss://, or http:// \
                 instead of https://",
                reason(&error)
            ),
            _ => anyhow!(error),
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let seen = *self.seen.get_or_init(|| Fingerprint::of(end_entity));
        match (self.wanted, &self.usual) {
            (Some(wanted), _) if wanted == seen => Ok(ServerCertVerified::assertion()),
            (None, Some(usual)) => {
                usual.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            }
            _ => Err(CertificateError::UnknownIssuer.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
