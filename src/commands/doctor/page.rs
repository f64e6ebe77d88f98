//! Checks a page by its address: what browsers let pages from there do, and whether serial-ws allows
//! it. The rules of browsers are those found by trying and reading in 2026.

use std::path::Path;

use anyhow::{Context, Result};

use crate::port::Diagnostic;
use crate::port::source::spec;
use crate::server::access::{self, Denial};
use crate::server::{self, Rights, ServerConfig};
use crate::terminal::shown;

/// The p5 web editor, and the site on which it runs everybody's sketches.
const P5_EDITOR: &str = "https://editor.p5js.org";
const P5_PREVIEW: &str = "https://preview.p5js.org";

/// The names of serial ports on macOS, which look like those of computers.
const NAMES_WITH_DOTS: [&str; 2] = ["cu.", "tty."];

/// A page that should connect.
#[derive(Debug)]
pub(crate) struct Page {
    /// Its origin as browsers send it; that of the frame in which sketches run, where it has one.
    pub(crate) origin: String,
    /// True for a page of the p5 web editor.
    is_p5: bool,
    /// True if serial-ws itself serves it, to other computers too.
    is_own: bool,
}

/// The access that a running serial-ws gives the page, or how to get it; None if none runs.
pub(crate) type Running = Option<Result<Rights, String>>;

/// Tells whether an argument is the address of a page, or what was meant as one, and not a device.
pub(crate) fn is_page(word: &str) -> bool {
    if let Some((scheme, _)) = word.split_once("://") {
        let kind = scheme.rsplit('=').next().unwrap_or_default();
        return !spec::words().contains(&kind);
    }
    let host = word.split(['/', ':', '?', '#']).next().unwrap_or_default();
    let is_host_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let has_dot = host.trim_matches('.').contains('.');
    let is_host = host == "localhost" || has_dot && host.chars().all(is_host_char);
    is_host
        && !NAMES_WITH_DOTS.iter().any(|start| word.starts_with(start))
        && !Path::new(word).exists()
}

impl Page {
    /// Parses an address as a browser's address bar shows it.
    ///
    /// # Errors
    /// When it is not one, with an example.
    pub(crate) fn new(address: &str, config: &ServerConfig) -> Result<Self> {
        let origin = address.split_once("://").and_then(|(scheme, rest)| {
            let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
            match scheme {
                "file" => Some("null".to_owned()),
                // Addresses of other things than pages.
                "ftp" | "ws" | "wss" => None,
                _ => server::normalize_origin(&format!("{scheme}://{host}")),
            }
        });
        let origin = origin.with_context(|| {
            let address = shown(address);
            format!("{address} is not the address of a page. Copy it from the browser: https://…")
        })?;
        let is_p5 = [P5_EDITOR, P5_PREVIEW].contains(&origin.as_str());
        let origin = if is_p5 { P5_PREVIEW.to_owned() } else { origin };
        let is_own = access::is_own_page(config, &origin);
        Ok(Self {
            origin,
            is_p5,
            is_own,
        })
    }
}

/// Diagnoses whether the page can connect. `decision` is the one that the flags lead to.
pub(crate) fn check(
    page: &Page,
    decision: &Result<Rights, Denial>,
    running: Running,
) -> Vec<Diagnostic> {
    if page.is_own && !access::is_local(&page.origin) {
        return vec![Diagnostic::ok(format!(
            "pages that serial-ws itself serves at {} can connect once they are opened by the \
             address with the token, which it shows when it starts",
            shown(&page.origin)
        ))];
    }
    let mut diagnostics = Vec::new();
    if page.is_p5 {
        diagnostics.push(Diagnostic::note(format!(
            "the p5 web editor runs everybody's sketches at {P5_PREVIEW}: allow it only while you \
             use it"
        )));
    }
    diagnostics.extend(by_browsers(&page.origin));
    diagnostics.push(by_policy(&page.origin, decision, running));
    diagnostics
}

/// Tells what browsers do before a page's connection reaches serial-ws.
fn by_browsers(origin: &str) -> Vec<Diagnostic> {
    if access::is_local(origin) {
        let text = "browsers let pages on this computer connect to ws://localhost without asking";
        return vec![Diagnostic::ok(text)];
    }
    if origin.starts_with("http://") {
        return vec![Diagnostic::action(format!(
            "Chrome 147 and later block pages of sites without https from reaching this computer, \
             and do not ask: open {} over https, or serve the page from this computer: serial-ws \
             --web FOLDER",
            shown(origin)
        ))];
    }
    vec![
        Diagnostic::note(
            "Chrome 147, Firefox 154 and later ask whether the site may access apps on this device: \
             choose Allow. If you chose Block, change it in the site settings, left of the address",
        ),
        Diagnostic::note(
            "Safari does not let https pages open ws://localhost: for Safari, serve the page from \
             this computer: serial-ws --web FOLDER",
        ),
    ]
}

/// Tells what serial-ws does.
fn by_policy(origin: &str, decision: &Result<Rights, Denial>, running: Running) -> Diagnostic {
    let page = match origin {
        "null" => "pages opened from disk".to_owned(),
        _ => format!("pages from {}", shown(origin)),
    };
    let decision = match (decision, running) {
        (_, Some(Ok(rights))) => &Ok(rights),
        (Ok(_), Some(Err(remedy))) => {
            return Diagnostic::action(format!(
                "the running serial-ws does not allow {page}; {remedy}"
            ));
        }
        (decision, _) => decision,
    };
    match decision {
        Ok(Rights::ReadWrite | Rights::Operator) => {
            Diagnostic::ok(format!("serial-ws allows {page}"))
        }
        Ok(Rights::ReadOnly) => Diagnostic::note(format!(
            "serial-ws allows {page} to read only: it drops what they send"
        )),
        Err(denial @ Denial::Ask(_)) => Diagnostic::note(format!(
            "serial-ws asks about {page} in its terminal: answer y, and the page connects when it \
             tries again. Without a terminal, {}",
            denial.clone().into_rejection().remedy
        )),
        Err(Denial::Reject(rejection)) => {
            let (reason, remedy) = (&rejection.reason, &rejection.remedy);
            let mark = if remedy.is_empty() { "" } else { "; " };
            Diagnostic::action(format!("serial-ws rejects this: {reason}{mark}{remedy}"))
        }
    }
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::config::Config;

    fn config(flags: &str) -> ServerConfig {
        let flags = ["serial-ws"].into_iter().chain(flags.split_whitespace());
        Config::from_args(flags).unwrap().server
    }

    #[track_caller]
    fn check_origin(address: &str, expected: &str) {
        assert_eq!(Page::new(address, &config("")).unwrap().origin, expected);
    }

    #[test]
    fn a_page_is_told_from_a_device() {
        let pages = [
            "http://a",
            "vscode-webview://0b1c/",
            "example.org:80/x",
            "localhost:5500",
        ];
        let devices = [
            "/dev/ttyACM0",
            r"\\.\COM3",
            "COM3:",
            "uno=sim:labels,frame=cr",
            "usb:2341:0043:a.b",
            "sim://x",
            "uno=sim://x.y",
            "tty.usbmodem1101",
            "cu.usbserial-1420",
            ".",
            "../port",
            "Cargo.toml",
            "lst",
        ];
        assert_eq!(pages.map(is_page), [true; 4]);
        assert_eq!(devices.map(is_page), [false; 13]);
    }

    #[test]
    fn a_page_is_known_by_its_address() {
        check_origin("https://Example.org/a/b?c#d", "https://example.org");
        check_origin("http://localhost:5500/index.html", "http://localhost:5500");
        check_origin("file:///home/ana/index.html", "null");
        check_origin("https://editor.p5js.org/ana/sketches/x", P5_PREVIEW);
        check_origin("vscode-webview://0b1c/index.html", "vscode-webview://0b1c");
        for address in [
            "example.org",
            "https://",
            "ftp://a",
            "ws://a",
            "https://a b/",
        ] {
            assert!(Page::new(address, &config("")).is_err(), "{address}");
        }
    }

    /// Checks what is said of a page for these flags: of each line, its severity and a part.
    #[track_caller]
    fn check_page(flags: &str, address: &str, running: Running, expected: &[&str]) {
        let config = config(flags);
        let page = Page::new(address, &config).unwrap();
        let decision = access::check(&config, &page.origin);
        let diagnostics = check(&page, &decision, running);
        let lines: Vec<_> = diagnostics.iter().map(ToString::to_string).collect();
        assert_eq!(lines.len(), expected.len(), "{lines:#?}");
        let mut pairs = lines.iter().zip(expected);
        assert!(
            pairs.all(|(line, expected)| {
                let (mark, part) = expected.split_once(' ').unwrap();
                line.starts_with(mark) && line.contains(part)
            }),
            "{lines:#?}"
        );
    }

    const P5: &str = "https://editor.p5js.org/";

    fn refusing() -> Running {
        Some(Err("say so".to_owned()))
    }

    #[test]
    fn pages_on_this_computer_are_allowed() {
        let expected = [
            "ok without asking",
            "ok allows pages from http://localhost:5500",
        ];
        check_page("", "http://localhost:5500/", None, &expected);
        let expected = ["ok without asking", "note pages opened from disk"];
        check_page("", "file:///a.html", None, &expected);
    }

    #[test]
    fn pages_of_the_p5_editor_are_asked_about_by_browsers_and_by_us() {
        let mut expected = [
            "note everybody",
            "note choose Allow",
            "note Safari",
            "note answer y, and",
        ];
        check_page("", P5, None, &expected);
        check_page("", P5, refusing(), &expected);
        expected[3] = "ok allows pages from https://preview";
        check_page("", P5, Some(Ok(Rights::ReadWrite)), &expected);
        let flags = "--allow-origin https://preview.p5js.org";
        check_page(flags, P5, None, &expected);
    }

    #[test]
    fn sites_without_https_are_refused_by_both() {
        let expected = ["do over https, or", "do --allow-origin http://a.example"];
        check_page("", "http://a.example/", None, &expected);
    }

    #[test]
    fn a_running_bridge_may_have_other_flags() {
        let flags = "--allow-origin https://a.example,read-only";
        let expected = ["note Allow", "note Safari", "note to read only"];
        check_page(flags, "https://a.example", None, &expected);
        let expected = [
            "note Allow",
            "note Safari",
            "do does not allow pages from https://a.example; say",
        ];
        check_page(flags, "https://a.example", refusing(), &expected);
    }

    #[test]
    fn own_pages_need_the_address_with_the_token() {
        let own = "http://pi.local:8080/";
        for own in [
            own,
            "http://PI.local:8080/sketch.html",
            "http://pi.example:8080/",
        ] {
            let flags = "--lan --allow-host pi.example";
            check_page(flags, own, None, &["ok with the token"]);
        }
        // The same TCP port of another computer is not ours, nor is another one of this computer.
        for other in [
            "http://a.example:8080",
            "http://192.0.2.1:8080",
            "http://pi.local",
        ] {
            let rejected = format!("do --allow-origin {other}");
            check_page("--lan", other, None, &["do over https", &rejected]);
        }
        let expected = ["do over https", "do --allow-origin http://pi.local:8080"];
        check_page("", own, None, &expected);
    }

    #[test]
    fn a_token_for_all_needs_action() {
        let file = std::env::temp_dir().join(format!("serial-ws-doctor-{}", std::process::id()));
        std::fs::write(&file, "a-long-enough-token").unwrap();
        let flags = format!("--token {}", file.display());
        let expected = [
            "ok without asking",
            "do without the token; use the full address",
        ];
        check_page(&flags, "http://localhost:5500/", None, &expected);
        std::fs::remove_file(&file).unwrap();
    }
}
