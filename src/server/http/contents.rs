//! The contents of the user's folder (`--web`), for those who find nothing at an address: a warning at
//! the start, and what the answer 404 says.

use std::fs;
use std::path::Path;

use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use super::error_page::{Links, NOTHING_HERE, Navigation};
use super::static_files::is_served;
use crate::platform;
use crate::terminal::shown;

/// Files and folders that are looked at; there may be more.
const MAX_ENTRIES: usize = 1000;

/// Pages that an answer names; there may be more.
const MAX_LINKS: usize = 20;

/// The path of the built-in page, without the slash at its start.
const BUILT_IN_PAGE: &str = "_serial-ws/";

/// The names of what is in the folder, as far as it is served.
#[derive(Debug, Default, PartialEq, Eq)]
struct Contents {
    /// Pages other than `index.html`, and folders with one, which end in a slash.
    pages: Vec<String>,
    scripts: Vec<String>,
    has_index: bool,
    is_empty: bool,
}

/// Warns where the folder has no page to begin with.
pub(super) fn warn_without_index(web: &Path) {
    if let Some(sentence) = Contents::of(web).why_no_index() {
        tracing::warn!(
            "{}: {sentence}. The built-in page is at /{BUILT_IN_PAGE}",
            shown(&web.display().to_string())
        );
    }
}

/// Answers that nothing is at an address. Says what is there to a browser that shows the answer, and to
/// those who ask for the first page.
pub(super) fn not_found(
    web: Option<&Path>,
    uri: &Uri,
    navigation: Option<&Navigation>,
) -> Response {
    let is_wanted = navigation.is_some() || uri.path() == "/";
    let contents = web
        .filter(|_| is_wanted)
        .map(Contents::of)
        .unwrap_or_default();
    let why = (uri.path() == "/")
        .then(|| contents.why_no_index())
        .flatten();
    let why = why.unwrap_or_else(|| format!("nothing is at {}", shown(uri.path())));
    let mut pages = contents.pages;
    if contents.has_index || web.is_none() {
        pages.insert(0, String::new());
    }
    pages.truncate(MAX_LINKS);
    if web.is_some() {
        pages.push(BUILT_IN_PAGE.to_owned());
    }
    let paths: Vec<_> = pages.iter().map(|page| format!("/{page}")).collect();
    let text = format!("{why}\npages here: {}\n", paths.join(" "));
    let mut response = (StatusCode::NOT_FOUND, text).into_response();
    if let Some(navigation) = navigation {
        let link = |page: &String| (navigation.to(&encoded(page)), label(page, web.is_none()));
        let links = Links {
            title: NOTHING_HERE,
            intro: format!("{}.\nPages here:", super::error_page::capitalized(&why)),
            links: pages.iter().map(link).collect(),
        };
        response.extensions_mut().insert(links);
    }
    response
}

/// Returns the text of a link.
fn label(page: &str, is_built_in: bool) -> String {
    match page {
        BUILT_IN_PAGE => "the built-in page with monitor and plotter".to_owned(),
        "" if is_built_in => "the page with monitor and plotter".to_owned(),
        "" => "the first page".to_owned(),
        page => shown(page).to_string(),
    }
}

/// Encodes a name for an address.
fn encoded(page: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const NAME: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'/')
        .remove(b'.')
        .remove(b'-')
        .remove(b'_');
    utf8_percent_encode(page, NAME).to_string()
}

impl Contents {
    fn of(web: &Path) -> Self {
        let mut contents = Self {
            is_empty: true,
            ..Self::default()
        };
        let entries = fs::read_dir(web).into_iter().flatten().flatten();
        for entry in entries.take(MAX_ENTRIES) {
            contents.is_empty = false;
            if let Ok(name) = entry.file_name().into_string()
                && is_served(&name)
                && !super::static_files::is_own_page(&name)
            {
                contents.add(web, name);
            }
        }
        contents.pages.sort();
        contents.scripts.sort();
        contents
    }

    fn add(&mut self, web: &Path, name: String) {
        let is_file = |path: &Path| {
            let file = platform::open_beneath(web, path);
            file.and_then(|file| file.metadata())
                .is_ok_and(|it| it.is_file())
        };
        let end = Path::new(&name)
            .extension()
            .map(|end| end.to_ascii_lowercase());
        match end.as_ref().and_then(|end| end.to_str()) {
            Some("html") if name == "index.html" => self.has_index = is_file(Path::new(&name)),
            Some("html" | "htm") if is_file(Path::new(&name)) => self.pages.push(name),
            Some("js") if is_file(Path::new(&name)) => self.scripts.push(name),
            _ if is_file(&Path::new(&name).join("index.html")) => self.pages.push(name + "/"),
            _ => {}
        }
    }

    /// Returns a sentence about the folder if `/` shows nothing, and what to do.
    fn why_no_index(&self) -> Option<String> {
        if self.has_index {
            return None;
        }
        Some(match (self.pages.first(), self.scripts.first()) {
            _ if self.is_empty => "the folder is empty: put an index.html into it".to_owned(),
            (Some(page), _) => format!(
                "the folder has no index.html, so / shows nothing: open /{}",
                shown(page)
            ),
            (None, Some(script)) => format!(
                "the folder has {0}, but no index.html, the page that loads it: add one with \
                 <script src=\"{0}\"></script>",
                shown(script)
            ),
            (None, None) => "the folder has no index.html, so / shows nothing: add one".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pages: &[&str], scripts: &[&str], expected: &str) {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let contents = Contents {
            pages: names(pages),
            scripts: names(scripts),
            ..Contents::default()
        };
        let sentence = contents.why_no_index().unwrap();
        assert!(sentence.contains(expected), "{sentence}");
    }

    #[test]
    fn a_folder_without_an_index_has_a_sentence() {
        check(&["a.html", "b/"], &["sketch.js"], "open /a.html");
        check(&["b/"], &[], "open /b/");
        check(&[], &["sketch.js"], "<script src=\"sketch.js\"></script>");
        check(&[], &[], "add one");
        let contents = Contents {
            has_index: true,
            ..Contents::default()
        };
        assert_eq!(contents.why_no_index(), None);
    }

    #[test]
    fn names_are_encoded_for_addresses() {
        assert_eq!(encoded("a b/"), "a%20b/");
        assert_eq!(encoded("x?y#z%é:.html"), "x%3Fy%23z%25%C3%A9%3A.html");
    }
}
