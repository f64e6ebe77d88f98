//! A page's address: what browsers let a page from there do, and whether serial-ws lets it in. The
//! rules of browsers are those found by trying and reading in 2026.

use std::net::SocketAddr;

use anyhow::{Context, Result};

use crate::server::access::{self, Denial};
use crate::server::{self, Rights, ServerConfig};
use crate::terminal::shown;

use super::Finding;

/// Where the p5 web editor is, and where it runs everybody's sketches.
const P5_EDITOR: &str = "https://editor.p5js.org";
const P5_PREVIEW: &str = "https://preview.p5js.org";

/// A page.
#[derive(Debug)]
pub(crate) struct Page {
    /// Its origin as browsers send it; that of the frame in which sketches run, where it has one.
    pub(crate) origin: String,
    /// Whether it is a page of the p5 web editor.
    is_p5: bool,
    /// Whether the bridge serves it itself to other computers.
    is_own: bool,
}

/// What a bridge that runs lets the page do, or how it would; None where none runs.
pub(crate) type Running = Option<Result<Rights, String>>;

impl Page {
    /// Understands an address as it stands in a browser's address bar.
    ///
    /// # Errors
    /// Says what an address is like.
    pub(crate) fn new(address: &str, config: &ServerConfig) -> Result<Self> {
        let origin = address.split_once("://").and_then(|(scheme, rest)| {
            let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
            match scheme {
                "file" => Some("null".to_owned()),
                _ => server::normalize_origin(&format!("{scheme}://{host}")),
            }
        });
        let origin = origin.with_context(|| {
            let address = shown(address);
            format!("{address} is no address of a page. Copy it from the browser: https://…")
        })?;
        let is_p5 = [P5_EDITOR, P5_PREVIEW].contains(&origin.as_str());
        let origin = if is_p5 { P5_PREVIEW.to_owned() } else { origin };
        let is_served = |at: &SocketAddr| origin.ends_with(&format!(":{}", at.port()));
        let is_own = config.lan.is_some() && config.listen.iter().any(is_served);
        Ok(Self {
            origin,
            is_p5,
            is_own,
        })
    }
}

/// Whether the page can connect. `decision` is the one that our flags make.
pub(crate) fn check(
    page: &Page,
    decision: &Result<Rights, Denial>,
    running: Running,
) -> Vec<Finding> {
    if page.is_own && !access::is_local(&page.origin) {
        return vec![Finding::right(format!(
            "pages that serial-ws itself serves at {} connect, once they were opened by the \
             address with the token that it shows when it starts",
            shown(&page.origin)
        ))];
    }
    let mut findings = Vec::new();
    if page.is_p5 {
        findings.push(Finding::note(format!(
            "the p5 web editor runs the sketches of all people at {P5_PREVIEW}: let it in only \
             while you use it"
        )));
    }
    findings.extend(by_browsers(&page.origin));
    findings.push(by_us(&page.origin, decision, running));
    findings
}

/// What browsers do before a page's connection reaches anyone.
fn by_browsers(origin: &str) -> Vec<Finding> {
    if access::is_local(origin) {
        let text = "browsers let pages of this computer connect to ws://localhost unasked";
        return vec![Finding::right(text)];
    }
    if origin.starts_with("http://") {
        return vec![Finding::to_do(format!(
            "Chrome (from 147) lets no page of a site without https reach this computer, and does \
             not ask: open {} by https, or serve the page from this computer: serial-ws --web \
             FOLDER",
            shown(origin)
        ))];
    }
    vec![
        Finding::note(
            "Chrome (from 147) and Firefox (from 154) ask whether the site may reach apps on this \
             device: choose Allow. Who chose Block changes it in the site settings, to the left \
             of the address",
        ),
        Finding::note(
            "Safari lets no https page open ws://localhost. There, serve the page from this \
             computer: serial-ws --web FOLDER",
        ),
    ]
}

/// What serial-ws does.
fn by_us(origin: &str, decision: &Result<Rights, Denial>, running: Running) -> Finding {
    let page = match origin {
        "null" => "pages opened from disk".to_owned(),
        _ => format!("pages from {}", shown(origin)),
    };
    let decision = match (decision, running) {
        (_, Some(Ok(rights))) => &Ok(rights),
        (Ok(_), Some(Err(remedy))) => {
            return Finding::to_do(format!(
                "the serial-ws that runs does not let in {page}; {remedy}"
            ));
        }
        (decision, _) => decision,
    };
    match decision {
        Ok(Rights::ReadWrite) => Finding::right(format!("serial-ws lets in {page}")),
        Ok(Rights::ReadOnly) => Finding::note(format!(
            "serial-ws lets in {page} to read only: what they send is dropped"
        )),
        Err(denial @ Denial::Ask(_)) => Finding::note(format!(
            "serial-ws asks about {page} in its terminal: answer y, and the page gets in when it \
             tries again. Where there is no terminal, {}",
            denial.clone().into_rejection().remedy
        )),
        Err(Denial::Reject(rejection)) => {
            let (reason, remedy) = (&rejection.reason, &rejection.remedy);
            let mark = if remedy.is_empty() { "" } else { "; " };
            Finding::to_do(format!("serial-ws refuses this: {reason}{mark}{remedy}"))
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
    fn a_page_is_known_by_its_address() {
        check_origin("https://Example.org/a/b?c#d", "https://example.org");
        check_origin("http://localhost:5500/index.html", "http://localhost:5500");
        check_origin("file:///home/ana/index.html", "null");
        check_origin("https://editor.p5js.org/ana/sketches/x", P5_PREVIEW);
        for address in ["example.org", "https://", "ftp://a", "https://a b/"] {
            assert!(Page::new(address, &config("")).is_err(), "{address}");
        }
    }

    /// What is said of a page for these flags: of each line, the mark and a part.
    #[track_caller]
    fn check_page(flags: &str, address: &str, running: Running, expected: &[&str]) {
        let config = config(flags);
        let page = Page::new(address, &config).unwrap();
        let decision = access::check(&config, &page.origin);
        let findings = check(&page, &decision, running);
        let lines: Vec<_> = findings.iter().map(ToString::to_string).collect();
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
    fn pages_of_this_computer_are_let_in() {
        let expected = ["ok unasked", "ok lets in pages from http://localhost:5500"];
        check_page("", "http://localhost:5500/", None, &expected);
        let expected = ["ok unasked", "note pages opened from disk"];
        check_page("", "file:///a.html", None, &expected);
    }

    #[test]
    fn pages_of_the_p5_editor_are_asked_about_by_browsers_and_by_us() {
        let mut expected = [
            "note all people",
            "note choose Allow",
            "note Safari",
            "note answer y, and",
        ];
        check_page("", P5, None, &expected);
        check_page("", P5, refusing(), &expected);
        expected[3] = "ok lets in pages from https://preview";
        check_page("", P5, Some(Ok(Rights::ReadWrite)), &expected);
        let flags = "--allow-origin https://preview.p5js.org";
        check_page(flags, P5, None, &expected);
    }

    #[test]
    fn sites_without_https_are_refused_by_both() {
        let expected = ["do by https, or", "do --allow-origin http://a.example"];
        check_page("", "http://a.example/", None, &expected);
    }

    #[test]
    fn the_bridge_that_runs_may_have_other_flags() {
        let flags = "--allow-origin https://a.example,read-only";
        let expected = ["note Allow", "note Safari", "note to read only"];
        check_page(flags, "https://a.example", None, &expected);
        let expected = [
            "note Allow",
            "note Safari",
            "do let in pages from https://a.example; say",
        ];
        check_page(flags, "https://a.example", refusing(), &expected);
    }

    #[test]
    fn pages_of_the_bridge_itself_need_its_address_with_the_token() {
        let own = "http://pi.local:8080/";
        check_page("--lan", own, None, &["ok with the token"]);
        let expected = ["do by https", "do --allow-origin http://pi.local:8080"];
        check_page("", own, None, &expected);
    }

    #[test]
    fn a_token_for_all_is_told_of() {
        let file = std::env::temp_dir().join(format!("serial-ws-doctor-{}", std::process::id()));
        std::fs::write(&file, "a-long-enough-token").unwrap();
        let flags = format!("--token {}", file.display());
        let expected = ["ok unasked", "do without the token; use the full address"];
        check_page(&flags, "http://localhost:5500/", None, &expected);
        std::fs::remove_file(&file).unwrap();
    }
}
