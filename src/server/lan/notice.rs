//! Tells the operator where other computers reach the server: with the token and a QR code in a terminal,
//! without the token in a log.

use std::io::{self, IsTerminal, Write};

use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

use super::addresses::{Network, Reachable};
use crate::log::Stderr;
use crate::server::{App, Rights, Token};
use crate::terminal::shown;

/// White on black whatever the terminal's colours are, since some phones read no other code. The colours
/// are of the part of the palette that themes leave alone.
const QR_COLOURS: &str = "\x1b[38;5;231;48;5;16m";
/// Back to the terminal's own colours.
const RESET: &str = "\x1b[0m";

/// The columns of a QR code and of the margin before it: terminals have 80.
const MAX_QR_COLUMNS: usize = 78;

/// The reason for telling it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// The program has started.
    Start,
    /// The addresses are others than before.
    Change {
        /// True if the best one is another one, too.
        is_best_new: bool,
    },
}

/// Tells the operator the addresses for other computers.
pub(crate) fn tell(app: &App, addresses: &[Reachable], occasion: Occasion) {
    let (Some(lan), Some(token)) = (&app.policy.lan, &app.policy.token) else {
        return;
    };
    if !io::stderr().is_terminal() {
        return log(app, addresses);
    }
    let mut text = format!("\n{}\n\n", heading(addresses, lan.rights, occasion));
    for address in addresses {
        let url = app.url_for_others(address, Some(token));
        text += &format!("  {url}  ({})\n", note(address));
    }
    if !addresses.is_empty() {
        text.push('\n');
    }
    let best = addresses.first().filter(|one| !one.is_for_programs);
    let is_best_new = occasion != Occasion::Change { is_best_new: false };
    if let Some(best) = best.filter(|_| is_best_new) {
        text += &qr_code(&app.url_for_others(best, Some(token)));
    }
    if occasion == Occasion::Start && !app.is_encrypted() {
        text += "The connection is not encrypted: use it only in a network that you trust.\n\n";
    }
    // Nobody may be there to read it.
    let _ = Stderr.write_all(text.as_bytes());
}

/// Shows the address of the page with the token that this computer needs, too. Does nothing where standard
/// error is no terminal, since logs must not have the token.
pub(crate) fn tell_own_page(app: &App, token: &Token) {
    let page = app
        .addresses
        .first()
        .map(|first| app.page(*first, Some(token)));
    if let Some(page) = page.filter(|_| io::stderr().is_terminal()) {
        let text =
            format!("\nPrograms and pages on this computer need this token:\n\n  {page}\n\n");
        let _ = Stderr.write_all(text.as_bytes());
    }
}

/// Writes the addresses to the log, which must not have the token.
fn log(app: &App, addresses: &[Reachable]) {
    if addresses.is_empty() {
        tracing::warn!("this computer is in no network now, so no other computer can reach it");
        return;
    }
    let urls = addresses.iter().map(|one| app.url_for_others(one, None));
    let urls = urls.collect::<Vec<_>>().join(", ");
    tracing::info!("other computers reach it at {urls}");
}

fn heading(addresses: &[Reachable], rights: Rights, occasion: Occasion) -> &'static str {
    match (addresses, occasion, rights) {
        ([], Occasion::Start, _) => {
            "This computer is in no network, so no other computer can reach it. Once it is in one, \
             its address appears here."
        }
        ([], Occasion::Change { .. }, _) => {
            "This computer is in no network any more, so no other computer can reach it."
        }
        (_, Occasion::Start, Rights::ReadWrite | Rights::Operator) => {
            "Anyone with one of these addresses can use the device from your network:"
        }
        (_, Occasion::Start, Rights::ReadOnly) => {
            "Anyone with one of these addresses sees the device's data from your network:"
        }
        (_, Occasion::Change { .. }, _) => {
            "The network has changed. Others now reach the device at:"
        }
    }
}

/// Returns what distinguishes an address from the others.
pub(crate) fn note(address: &Reachable) -> String {
    let Network::Interface(interface) = &address.network else {
        return "where names ending in .local work".to_owned();
    };
    let interface = shown(interface);
    if address.is_for_programs {
        return format!(
            "{interface}; not for browsers, which take no zone. Programs replace ZONE by the name of their \
             own network interface"
        );
    }
    interface
}

/// Returns a QR code as text; empty where it does not fit a terminal.
fn qr_code(text: &str) -> String {
    let Ok(code) = QrCode::new(text) else {
        return String::new();
    };
    let picture = code
        .render::<Dense1x2>()
        .dark_color(Dense1x2::Light)
        .light_color(Dense1x2::Dark)
        .build();
    let width = picture
        .lines()
        .next()
        .map_or(0, |line| line.chars().count());
    if width > MAX_QR_COLUMNS {
        return String::new();
    }
    let coloured = |line| format!("  {QR_COLOURS}{line}{RESET}\n");
    picture.lines().map(coloured).collect::<String>() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_qr_code_fits_a_terminal() {
        let url = "http://192.168.100.150:8080/?token=abcdefghijkmnpqrstuvwxyz23";
        let code = qr_code(url);
        let first = code.lines().next().unwrap();
        assert!(
            first.chars().count() < 80 && code.lines().count() < 25,
            "{code}"
        );
        assert_eq!(qr_code(&format!("{url}{}", "x".repeat(400))), "");
    }
}
