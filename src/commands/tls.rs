//! `serial-ws tls`: shows the self-signed certificate of `--tls self-signed`, and how to trust it.

use std::io::Write;

use anyhow::Result;
use clap::Args;

/// Arguments of `serial-ws tls`.
#[derive(Debug, Args)]
pub(crate) struct TlsArgs {
    /// Make a new certificate, for the names and addresses that this computer has now
    #[arg(long)]
    renew: bool,
}

/// Shows the certificate; makes it first where there is none.
///
/// # Errors
/// When it cannot be read or made, or this build has no TLS.
#[cfg(feature = "tls")]
pub(crate) fn run(args: &TlsArgs, out: &mut dyn Write) -> Result<()> {
    use anyhow::Context;

    use crate::server::SelfSigned;
    use crate::terminal::print;

    let certificate = if args.renew {
        SelfSigned::create()?
    } else {
        SelfSigned::load_or_create()?
    };
    let file = certificate.file.as_ref();
    let file = file.context("there is no folder to keep a certificate in")?;
    let text = format!(
        "SHA-256 fingerprint: {}\nfile: {}\nfor: {}\nvalid for: {} days\n{}",
        certificate.fingerprint(),
        file.display(),
        certificate.names.join(", "),
        certificate.days_left(),
        TRUST
    );
    print(out, text)
}

/// This build makes no certificates.
#[cfg(not(feature = "tls"))]
pub(crate) fn run(_args: &TlsArgs, _out: &mut dyn Write) -> Result<()> {
    anyhow::bail!("this build has no TLS. Build it with: cargo install --features tls")
}

#[cfg(feature = "tls")]
const TRUST: &str = r#"
To trust it on another computer, copy the file there (not tls-key.pem, which stays here) and compare
the fingerprint. The file is called tls-cert.pem below.

macOS, for Safari and Chrome:
  security add-trusted-cert -p ssl -k ~/Library/Keychains/login.keychain-db tls-cert.pem
Windows, for Edge and Chrome:
  certutil -user -addstore Root tls-cert.pem
Linux, for Chrome and Chromium (certutil is in the package libnss3-tools):
  certutil -d sql:$HOME/.pki/nssdb -A -t P,, -n serial-ws -i tls-cert.pem
Linux, for curl and other programs:
  sudo cp tls-cert.pem /usr/local/share/ca-certificates/serial-ws.crt && sudo update-ca-certificates
iPhone and iPad: send the file by AirDrop or e-mail, install it in Settings > General > VPN & Device
  Management, and switch it on in Settings > General > About > Certificate Trust Settings.
Firefox, and everything else: open the page, compare the fingerprint that the browser shows with the
  one above, and accept the exception.
The commands of serial-ws: --fingerprint, with the fingerprint above.
"#;
