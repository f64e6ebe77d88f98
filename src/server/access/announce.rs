//! Announces the server to other computers: keeps the token that they need, and shows the address
//! with the token in the terminal.

use std::io::{self, IsTerminal, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use anyhow::{Context, Result};
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

use super::token::Token;
use crate::log::Stderr;
use crate::platform;

/// The file with the token, in the folder for configuration.
const TOKEN_FILE: &str = "token";

/// The characters of a token: 32 letters and digits of which no two look alike.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Characters of a token; each has 5 random bits, 130 in total.
const TOKEN_LENGTH: usize = 26;

/// White on black whatever the terminal's colours are, since some phones read no other code.
const QR_COLOURS: &str = "\x1b[97;40m";
/// Back to the terminal's own colours.
const RESET: &str = "\x1b[0m";

/// Returns the token of earlier runs, or a new one, which is kept for later runs.
///
/// # Errors
/// When the system has no random numbers, or the file exists and cannot be read.
pub(crate) fn load_or_create_token() -> Result<Token> {
    let Some(folder) = platform::config_folder() else {
        return new_token();
    };
    let file = folder.join(TOKEN_FILE);
    let path = file.display();
    platform::warn_of_readers(&file);
    let kept = match platform::read_private(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        kept => kept.with_context(|| format!("cannot read {path}"))?,
    };
    let is_kept = kept.trim().len() >= TOKEN_LENGTH;
    let (token, written) = if is_kept {
        (Token::new(kept.trim()), Ok(()))
    } else {
        if !kept.trim().is_empty() {
            tracing::warn!(
                "the token in {path} has fewer than {TOKEN_LENGTH} characters, so a new one takes \
                 its place. For a token of your own: --token FILE"
            );
        }
        let token = new_token()?;
        let written = platform::write_private(&file, &format!("{}\n", token.secret()));
        (token, written)
    };
    match written {
        Ok(()) => tracing::info!("other computers need the token in {path}"),
        Err(error) => tracing::warn!(
            "this token is for this run only: cannot write {path}: {error}. If no terminal shows \
             it, give one of your own: --token FILE"
        ),
    }
    Ok(token)
}

fn new_token() -> Result<Token> {
    let bytes = platform::random_bytes::<TOKEN_LENGTH>()?;
    let letters = bytes.map(|byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]));
    Ok(Token::new(letters.iter().collect::<String>()))
}

/// Shows the address with the token in the terminal. Does nothing where standard error is no
/// terminal, since logs must not have the token.
pub(crate) fn show_address(url: &str, is_for_lan: bool) {
    if !io::stderr().is_terminal() {
        return;
    }
    let mut text = String::from(if is_for_lan {
        "\nAnyone with this address can use the device from your network:\n"
    } else {
        "\nPrograms and pages on this computer need this token:\n"
    });
    text += &format!("\n  {url}\n\n");
    if is_for_lan {
        text += &qr_code(url);
        if url.starts_with("http:") {
            text += "The connection is not encrypted: use it only in a network that you trust.\n";
        }
        text += "\n";
    }
    // Nobody may be there to read it.
    let _ = Stderr.write_all(text.as_bytes());
}

/// Returns the name or address by which other computers most likely reach this one, with its TCP
/// port.
pub(crate) fn reachable_address(listeners: &[SocketAddr]) -> String {
    let beyond = listeners.iter().find(|one| !one.ip().is_loopback());
    let port = beyond.map_or(0, SocketAddr::port);
    let address = beyond.map(SocketAddr::ip).filter(|ip| !ip.is_unspecified());
    match (address.or_else(outbound_address), platform::computer_name()) {
        (Some(address), _) => SocketAddr::new(address, port).to_string(),
        (None, Some(name)) => format!("{name}.local:{port}"),
        (None, None) => format!("localhost:{port}"),
    }
}

/// Returns the addresses by which other computers reach the listeners: those of `networks`, which have
/// names. The one by which this computer reaches the internet comes first.
pub(crate) fn reachable_addresses(
    listeners: &[SocketAddr],
    networks: &[(String, IpAddr)],
) -> Vec<(String, SocketAddr)> {
    let mut found = Vec::new();
    for listener in listeners.iter().filter(|it| !it.ip().is_loopback()) {
        let of_listener = networks.iter().filter(|(_, ip)| match listener.ip() {
            any if any.is_unspecified() => any.is_ipv4() == ip.is_ipv4(),
            one => one == *ip,
        });
        found.extend(of_listener.map(|(name, ip)| {
            let address = SocketAddr::new(*ip, listener.port());
            (name.clone(), address)
        }));
    }
    let best = outbound_address();
    found.sort_by_key(|(_, address)| (Some(address.ip()) != best, !address.is_ipv4()));
    found
}

/// Returns the address from which this computer would connect to the internet. Sends nothing.
pub(crate) fn outbound_address() -> Option<IpAddr> {
    /// Addresses reserved for documentation (RFC 5737, RFC 3849).
    const REMOTE_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
    const REMOTE_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
    let source = |from: IpAddr, to: IpAddr| {
        let socket = UdpSocket::bind((from, 0)).ok()?;
        socket.connect((to, 9)).ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    source(Ipv4Addr::UNSPECIFIED.into(), REMOTE_V4.into())
        .or_else(|| source(Ipv6Addr::UNSPECIFIED.into(), REMOTE_V6.into()))
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
    let coloured = |line| format!("  {QR_COLOURS}{line}{RESET}\n");
    picture.lines().map(coloured).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_is_new_and_can_stand_in_an_address() {
        let (one, other) = (new_token().unwrap(), new_token().unwrap());
        assert_ne!(one.secret(), other.secret());
        assert_eq!(one.secret().len(), TOKEN_LENGTH);
        assert!(one.secret().bytes().all(|b| b.is_ascii_alphanumeric()));
    }

    #[test]
    fn other_computers_are_shown_a_listener_that_they_can_reach() {
        let listeners = ["127.0.0.1:8080", "192.0.2.7:9000"].map(|one| one.parse().unwrap());
        assert_eq!(reachable_address(&listeners), "192.0.2.7:9000");
    }

    #[test]
    fn each_network_has_an_address_of_each_listener() {
        let networks = [
            ("eth0", "192.0.2.7"),
            ("wlan0", "198.51.100.3"),
            ("eth0", "2001:db8::7"),
        ];
        let networks = networks.map(|(name, ip)| (name.to_owned(), ip.parse().unwrap()));
        let found = |listeners: &[&str]| {
            let listeners: Vec<_> = listeners.iter().map(|one| one.parse().unwrap()).collect();
            let found = reachable_addresses(&listeners, &networks).into_iter();
            let texts = found.map(|(name, address)| format!("{name} {address}"));
            texts.collect::<Vec<_>>()
        };
        assert_eq!(found(&["127.0.0.1:8080", "[::1]:8080"]), [""; 0]);
        assert_eq!(found(&["192.0.2.7:9000"]), ["eth0 192.0.2.7:9000"]);
        assert_eq!(
            found(&["0.0.0.0:8080", "[::]:8080"]),
            [
                "eth0 192.0.2.7:8080",
                "wlan0 198.51.100.3:8080",
                "eth0 [2001:db8::7]:8080"
            ]
        );
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
