//! Other computers: the secret that they need, where it is kept, and the address with it that is
//! shown at the terminal.

use std::io::{self, IsTerminal, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

use super::token::Token;
use crate::log::Stderr;
use crate::platform;

/// The file with the secret, in the folder where the system keeps configuration.
const FILE: &str = "token";

/// What the secret is written in: 32 letters and digits of which none looks like another.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Letters of the secret; each has 5 random bits, so that there are 130.
const LENGTH: usize = 26;

/// Light on dark whatever the terminal's colours are, since some phones read no other code.
const QR_COLOURS: &str = "\x1b[97;40m";
const PLAIN: &str = "\x1b[0m";

/// The secret of earlier runs, or a new one.
///
/// # Errors
/// When the system has no random numbers, or the file is not ours alone.
pub(crate) fn kept_token() -> Result<Token> {
    let Some(path) = token_file() else {
        return new_token();
    };
    let kept = match platform::read_private(&path) {
        Ok(text) if text.trim().len() >= LENGTH => Some(Token::new(text.trim())),
        Ok(_) => None,
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error).context(format!("cannot read {}", path.display())),
    };
    let (token, written) = match kept {
        Some(token) => (token, Ok(())),
        None => {
            let token = new_token()?;
            let written = platform::write_private(&path, &format!("{}\n", token.secret()));
            (token, written)
        }
    };
    let path = path.display();
    match written {
        Ok(()) => tracing::info!("other computers need the token in {path}"),
        Err(error) => tracing::warn!(
            "the token is for this run only: cannot write {path}: {error}. Where no terminal shows \
             it, give one of your own: --token FILE"
        ),
    }
    Ok(token)
}

fn new_token() -> Result<Token> {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes)
        .map_err(|error| anyhow!("this system has no random numbers: {error}"))?;
    let letters = bytes.map(|byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]));
    Ok(Token::new(letters.iter().collect::<String>()))
}

/// Where the secret is kept between runs.
fn token_file() -> Option<PathBuf> {
    Some(platform::config_folder()?.join(FILE))
}

/// Shows the address with the secret, which is for people at a terminal and not for a log.
pub(crate) fn show(url: &str, is_for_lan: bool) {
    if !io::stderr().is_terminal() {
        return;
    }
    let mut text = String::from(if is_for_lan {
        "\nWhoever has this address can use the device from your network:\n"
    } else {
        "\nPrograms and pages on this computer need this token:\n"
    });
    text += &format!("\n  {url}\n\n");
    if is_for_lan {
        text += &qr_code(url);
        if url.starts_with("http:") {
            text += "What is sent is not encrypted: this is for a network that you trust.\n";
        }
        text += "\n";
    }
    // Nobody may be there to read it.
    let _ = Stderr.write_all(text.as_bytes());
}

/// The name or address of this computer by which others most likely reach it, with its port.
pub(crate) fn reachable(listeners: &[SocketAddr]) -> String {
    let beyond = listeners.iter().find(|one| !one.ip().is_loopback());
    let port = beyond.map_or(0, SocketAddr::port);
    let address = beyond.map(SocketAddr::ip).filter(|ip| !ip.is_unspecified());
    match (address.or_else(own_address), platform::computer_name()) {
        (Some(address), _) => SocketAddr::new(address, port).to_string(),
        (None, Some(name)) => format!("{name}.local:{port}"),
        (None, None) => format!("localhost:{port}"),
    }
}

/// The address from which this computer would speak to the rest of the world. Sends nothing.
pub(crate) fn own_address() -> Option<IpAddr> {
    /// Addresses for documentation, which belong to nobody (RFC 5737, RFC 3849).
    const SOMEONE_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
    const SOMEONE_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
    let way = |from: IpAddr, to: IpAddr| {
        let socket = UdpSocket::bind((from, 0)).ok()?;
        socket.connect((to, 9)).ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    way(Ipv4Addr::UNSPECIFIED.into(), SOMEONE_V4.into())
        .or_else(|| way(Ipv6Addr::UNSPECIFIED.into(), SOMEONE_V6.into()))
        .filter(|address| !address.is_loopback())
}

fn qr_code(text: &str) -> String {
    let Ok(code) = QrCode::new(text) else {
        return String::new();
    };
    let picture = code
        .render::<Dense1x2>()
        .dark_color(Dense1x2::Light)
        .light_color(Dense1x2::Dark)
        .build();
    let lines = picture
        .lines()
        .map(|line| format!("  {QR_COLOURS}{line}{PLAIN}\n"));
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_is_new_and_can_stand_in_an_address() {
        let (one, other) = (new_token().unwrap(), new_token().unwrap());
        assert_ne!(one.secret(), other.secret());
        assert_eq!(one.secret().len(), LENGTH);
        assert!(one.secret().bytes().all(|b| b.is_ascii_alphanumeric()));
    }

    #[test]
    fn others_are_shown_a_listener_that_is_for_them() {
        let listeners = ["127.0.0.1:8080", "192.0.2.7:9000"].map(|one| one.parse().unwrap());
        assert_eq!(reachable(&listeners), "192.0.2.7:9000");
    }

    #[test]
    fn a_qr_code_fits_a_terminal() {
        let url = "http://192.168.100.150:8080/?token=abcdefghijkmnpqrstuvwxyz23";
        let code = qr_code(url);
        let first = code.lines().next().unwrap();
        assert!(
            first.chars().count() < 80 && code.lines().count() < 24,
            "{code}"
        );
    }
}
