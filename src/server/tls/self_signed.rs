//! The self-signed certificate: made once, kept, and renewed in time.
//!
//! It follows the rules that browsers have for a certificate once it is trusted. Apple: at most 825
//! days, the purpose `serverAuth`, and names in the extension for them
//! (<https://support.apple.com/en-us/103769>). Chromium and Firefox: names and addresses in that
//! extension, no authority's certificate as a server's own, and no serial number twice.

use std::fmt::Write;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, bail};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::dial::Fingerprint;
use crate::platform;

/// The files of the certificate and its key, in the folder for configuration.
const FILES: [&str; 2] = ["tls-cert.pem", "tls-key.pem"];

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Time for which a certificate is valid; Apple's systems refuse more than 825 days.
const VALIDITY: Duration = DAY.saturating_mul(820);

/// Time before its end at which a certificate is made anew at the next start, so that a program
/// which runs for months does not outlive its certificate.
const RENEWAL: Duration = DAY.saturating_mul(200);

/// The part of that time that has passed when it is made, for computers whose clock is slow.
const CLOCK_DIFFERENCE: Duration = DAY;

/// Precedes the names in the text before the certificate, which other programs skip (RFC 7468 §5.2).
const NAMES: &str = "made by serial-ws for: ";

/// Precedes the end of the validity there, in seconds since 1970.
const VALID_UNTIL: &str = "valid until: ";

/// A certificate with its key.
pub(crate) struct SelfSigned {
    /// The certificate.
    pub(crate) certificate: CertificateDer<'static>,
    /// Its key.
    pub(crate) key: PrivateKeyDer<'static>,
    /// The file of the certificate; None where it could not be kept.
    pub(crate) file: Option<PathBuf>,
    /// The names and addresses that it is for.
    pub(crate) names: Vec<String>,
    /// The end of its validity, in seconds since 1970.
    pub(crate) valid_until: u64,
}

impl SelfSigned {
    /// Returns the certificate of earlier runs, so that its fingerprint stays, or makes a new one
    /// where there is none or its end is near.
    ///
    /// # Errors
    /// When the files are there and cannot be used.
    pub(crate) fn load_or_create() -> Result<Self> {
        let Some(files) = files() else {
            return Self::create();
        };
        let Some(kept) = Self::load(&files)? else {
            return Self::create();
        };
        if kept.valid_until < now().saturating_add(RENEWAL.as_secs()) {
            tracing::warn!(
                "the self-signed certificate is old or near its end, so there is a new one: trust \
                 it, or compare its fingerprint, as you did with the old one"
            );
            return Self::create();
        }
        Ok(kept)
    }

    /// Makes a certificate for the names and addresses that this computer has now, and keeps it.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub(crate) fn create() -> Result<Self> {
        let names = names();
        let (text, key, valid_until) = make(&names)?;
        let files = files();
        let kept = files.as_ref().map(|files| write(files, [&text, &key]));
        let is_kept = match kept {
            Some(Ok(())) => true,
            Some(Err(error)) => {
                tracing::warn!("this certificate is for this run only: {error}");
                false
            }
            None => false,
        };
        Ok(Self {
            certificate: CertificateDer::from_pem_slice(text.as_bytes())?,
            key: PrivateKeyDer::from_pem_slice(key.as_bytes())?,
            file: files.filter(|_| is_kept).map(|[cert, _]| cert),
            names,
            valid_until,
        })
    }

    /// Returns the SHA-256 of the certificate.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.certificate)
    }

    /// Returns the days for which it is still valid.
    pub(crate) fn days_left(&self) -> u64 {
        self.valid_until.saturating_sub(now()) / DAY.as_secs()
    }

    /// Reads the files; None where there are none.
    fn load([cert, key]: &[PathBuf; 2]) -> Result<Option<Self>> {
        let (text, secret) = match (read(cert)?, read(key)?) {
            (None, None) => return Ok(None),
            (Some(text), Some(secret)) => (text, secret),
            (None, Some(_)) => return Err(half(cert, key)),
            (Some(_), None) => return Err(half(key, cert)),
        };
        platform::warn_of_readers(key);
        let broken = |path: &Path| {
            let [cert, key] = [cert, key].map(|path| path.display());
            let path = path.display();
            format!("{path} is damaged; delete {cert} and {key} to get a new certificate")
        };
        let certificate = CertificateDer::from_pem_slice(text.as_bytes());
        let secret = PrivateKeyDer::from_pem_slice(secret.as_bytes());
        let line = |name| text.lines().find_map(|line| line.strip_prefix(name));
        Ok(Some(Self {
            certificate: certificate.with_context(|| broken(cert))?,
            key: secret.with_context(|| broken(key))?,
            file: Some(cert.clone()),
            names: line(NAMES).map_or_else(Vec::new, |names| {
                names.split(' ').map(str::to_owned).collect()
            }),
            // One without is of a version of serial-ws whose certificates browsers refuse.
            valid_until: line(VALID_UNTIL)
                .and_then(|time| time.parse().ok())
                .unwrap_or(0),
        }))
    }
}

/// Returns the error for a pair of which one file is missing.
fn half(missing: &Path, there: &Path) -> anyhow::Error {
    let (missing, there) = (missing.display(), there.display());
    anyhow!(
        "{missing} is missing beside {there}; put it back, or delete {there} to get a new certificate"
    )
}

fn files() -> Option<[PathBuf; 2]> {
    platform::config_folder().map(|folder| FILES.map(|name| folder.join(name)))
}

fn read(path: &Path) -> Result<Option<String>> {
    match platform::read_private(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => bail!(
            "cannot read {}: {}",
            path.display(),
            platform::reason(&error)
        ),
    }
}

fn write(files: &[PathBuf; 2], texts: [&str; 2]) -> io::Result<()> {
    let mut pairs = files.iter().zip(texts);
    pairs.try_for_each(|(path, text)| platform::write_private(path, text))
}

/// Makes a certificate. Returns it and its key as PEM, and the end of its validity.
fn make(names: &[String]) -> Result<(String, String, u64)> {
    let mut params = CertificateParams::new(names).context("cannot make a certificate")?;
    let begin = now().saturating_sub(CLOCK_DIFFERENCE.as_secs());
    let end = begin + VALIDITY.as_secs();
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + Duration::from_secs(begin);
    params.not_after = epoch + Duration::from_secs(end);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    // Firefox refuses two certificates of one issuer with the same number.
    let mut number = platform::random_bytes::<16>()?;
    number[0] = number[0] & 0x7f | 0x40;
    params.serial_number = Some(number.to_vec().into());
    let computer = platform::computer_name().unwrap_or_else(|| "localhost".to_owned());
    let common_name = format!("serial-ws on {computer}");
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    let key = KeyPair::generate().context("cannot make a key")?;
    let certificate = params
        .self_signed(&key)
        .context("cannot make a certificate")?;
    let mut text = String::new();
    writeln!(text, "{NAMES}{}", names.join(" "))?;
    writeln!(text, "{VALID_UNTIL}{end}")?;
    text += &certificate.pem();
    Ok((text, key.serialize_pem(), end))
}

/// Returns the names and the addresses of this computer.
fn names() -> Vec<String> {
    let mut names = ["localhost", "127.0.0.1", "::1"]
        .map(str::to_owned)
        .to_vec();
    if let Some(name) = platform::computer_name() {
        names.push(format!("{name}.local"));
        names.push(name);
    }
    let addresses = platform::network_addresses().into_iter().map(|it| it.ip);
    let without_zone =
        addresses.filter(|ip| !matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local()));
    names.extend(without_zone.map(|ip| ip.to_string()));
    names
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |time| time.as_secs())
}
