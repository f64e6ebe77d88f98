//! The way to the broker: TCP, encrypted or not.

use std::io;

use anyhow::Result;
use tokio::io::{AsyncRead, AsyncWrite};

use super::MqttConfig;
use crate::dial::Endpoint;

/// A connection to the broker.
pub(super) trait BrokerStream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> BrokerStream for T {}

/// Connects to one broker, again and again.
pub(super) struct Connector {
    endpoint: Endpoint,
    #[cfg(feature = "tls")]
    tls: Option<tls::BrokerTls>,
}

impl Connector {
    /// Prepares to connect to the broker of a configuration.
    ///
    /// # Errors
    /// If the certificate authority cannot be used.
    pub(super) fn new(config: &MqttConfig) -> Result<Self> {
        let broker = &config.broker;
        Ok(Self {
            endpoint: broker.endpoint.clone(),
            #[cfg(feature = "tls")]
            tls: broker
                .is_encrypted
                .then(|| tls::BrokerTls::new(config.ca.as_deref()))
                .transpose()?,
        })
    }

    /// Connects. The name is looked up each time.
    ///
    /// # Errors
    /// As the system reports them; of the kind `Other` if the text is ours.
    pub(super) async fn connect(&self) -> io::Result<Box<dyn BrokerStream>> {
        let stream = self.endpoint.connect().await?;
        // Without it, it only works less well.
        let _ = stream.set_nodelay(true);
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return Ok(Box::new(tls.encrypt(&self.endpoint.host, stream).await?));
        }
        Ok(Box::new(stream))
    }
}

#[cfg(feature = "tls")]
mod tls {
    use std::io::{self, ErrorKind};
    use std::path::Path;
    use std::sync::Arc;

    use anyhow::{Context, Result, ensure};
    use tokio::net::TcpStream;
    use tokio_rustls::TlsConnector;
    use tokio_rustls::client::TlsStream;
    use tokio_rustls::rustls::crypto::ring::default_provider;
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
    use tokio_rustls::rustls::{ClientConfig, Error};

    use crate::dial::tls::trusted_roots;
    use crate::terminal::excerpt;

    /// Encrypts connections to a broker whose certificate is trusted.
    pub(super) struct BrokerTls(TlsConnector);

    impl BrokerTls {
        /// Trusts what this computer trusts, and the certificates in the file `ca`.
        ///
        /// # Errors
        /// If the file cannot be used.
        pub(super) fn new(ca: Option<&Path>) -> Result<Self> {
            let mut roots = trusted_roots();
            if let Some(ca) = ca {
                let shown = ca.display();
                let certificates = CertificateDer::pem_file_iter(ca);
                let certificates =
                    certificates.map_err(|_| anyhow::anyhow!("cannot read {shown}"))?;
                let mut count = 0;
                for certificate in certificates {
                    let certificate =
                        certificate.map_err(|_| anyhow::anyhow!("{shown} is not in PEM format"))?;
                    roots
                        .add(certificate)
                        .with_context(|| format!("cannot use a certificate of {shown}"))?;
                    count += 1;
                }
                ensure!(count > 0, "{shown} has no certificate in PEM format");
            }
            let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
                .with_safe_default_protocol_versions()?
                .with_root_certificates(roots)
                .with_no_client_auth();
            Ok(Self(TlsConnector::from(Arc::new(config))))
        }

        /// Encrypts a connection to `host`.
        pub(super) async fn encrypt(
            &self,
            host: &str,
            stream: TcpStream,
        ) -> io::Result<TlsStream<TcpStream>> {
            let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
            self.0.connect(name, stream).await.map_err(explain)
        }
    }

    fn explain(error: io::Error) -> io::Error {
        let inner = error.get_ref();
        match inner.and_then(|error| error.downcast_ref::<Error>()) {
            Some(Error::InvalidCertificate(why)) => io::Error::other(format!(
                "this computer does not trust its certificate ({}). Give the certificate of its \
                 authority: --mqtt-ca FILE",
                excerpt(&why.to_string())
            )),
            None if !is_end(&error) => error,
            _ => io::Error::other(
                "it does not seem to use encryption: write mqtt:// instead of mqtts://",
            ),
        }
    }

    /// Returns true if the broker has ended the connection.
    fn is_end(error: &io::Error) -> bool {
        matches!(
            error.kind(),
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
        )
    }
}
