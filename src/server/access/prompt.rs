//! Prompts the operator in the terminal about pages and what they may open, one question at a time,
//! and keeps the answers that hold for good in a file.

use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::consent::{Consent, Question};
use super::offer::BoardQuestion;
use super::origin;
use super::{Answers, Rights};
use crate::log::Stderr;
use crate::platform;
use crate::server::Ports;
use crate::terminal::shown;

/// The file with the origins that are always allowed, in the folder for configuration.
const ORIGINS_FILE: &str = "allowed-origins";

/// The operator's answer to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    UntilQuit,
    Always,
    ReadOnly,
    No,
}

/// Asks each question that is received, and records the answer, until the program stops. Questions
/// about pages name the `ports`.
pub(crate) async fn run(
    mut questions: mpsc::Receiver<Question>,
    consent: Arc<Consent>,
    ports: Arc<Ports>,
    stop: CancellationToken,
) {
    let asking = async {
        while let Some(question) = questions.recv().await {
            match question {
                Question::Page(origin) => ask_about_page(&origin, &consent, &ports).await,
                Question::Board(board) => ask_about_board(board, &consent).await,
            }
        }
    };
    stop.run_until_cancelled(asking).await;
}

async fn ask_about_page(origin: &str, consent: &Consent, ports: &Ports) {
    let may_always = may_always(origin);
    let text = question(origin, &ports.names().join(", "));
    let answer = ask(text, move |line| parse_answer(line, may_always)).await;
    let rights = answer.map(|answer| match answer {
        Answer::UntilQuit | Answer::Always => Some(Rights::ReadWrite),
        Answer::ReadOnly => Some(Rights::ReadOnly),
        Answer::No => None,
    });
    if answer == Some(Answer::Always)
        && let Err(error) = remember(origin)
    {
        tracing::warn!(
            "this page is allowed only until you quit: {}",
            platform::sentence(&error)
        );
    }
    consent.record(origin, rights);
}

async fn ask_about_board(board: BoardQuestion, consent: &Consent) {
    let who = describe_page(&board.origin);
    let id = shown(&board.id);
    let name = board.board.as_deref().map(shown);
    let what = name.map_or_else(|| id.clone(), |name| format!("{name} ({id})"));
    let text = format!("\n{who} wants to open {what}.\n[y] until I quit  [n] no, then Enter: ");
    let is_answer = |answer: &Answer| matches!(answer, Answer::UntilQuit | Answer::No);
    let answer = ask(text, move |line| {
        parse_answer(line, false).filter(is_answer)
    })
    .await;
    let is_allowed = answer.map(|answer| answer == Answer::UntilQuit);
    consent.record_board(board, is_allowed);
}

/// Asks in the terminal until there is an answer. Returns `None` when the terminal is closed.
async fn ask(
    question: String,
    parse: impl Fn(&str) -> Option<Answer> + Send + 'static,
) -> Option<Answer> {
    // The thread may wait for a line that never comes. It ends with the program.
    let asked = tokio::task::spawn_blocking(move || prompt(&question, parse));
    asked.await.ok().flatten()
}

/// Returns the page in words.
fn describe_page(origin: &str) -> String {
    match origin {
        "null" => "A page with no address".to_owned(),
        origin => format!("A page from {}", shown(origin)),
    }
}

/// Returns true if an origin may be allowed for good.
fn may_always(origin: &str) -> bool {
    !origin::is_shared(origin) && platform::config_folder().is_some()
}

/// Returns the question about a page.
fn question(origin: &str, ports: &str) -> String {
    let who = describe_page(origin);
    let note = match origin {
        "null" => {
            "Note: it was opened from disk, or it is in a frame of any web site. The browser does \
             not say which. Some boards and apps connect in the same way, with `file://`.\n"
        }
        _ if origin::is_shared(origin) => {
            "Note: all who use that site or tool share this address.\n"
        }
        _ => "",
    };
    let always = may_always(origin).then_some("  [a] always");
    let always = always.unwrap_or_default();
    format!(
        "\n{who} wants to read from and write to {ports}.\n{note}\
         [y] until I quit{always}  [r] read-only  [n] no, then Enter: "
    )
}

/// Asks until there is an answer. Returns `None` when the terminal is closed.
fn prompt(question: &str, parse: impl Fn(&str) -> Option<Answer>) -> Option<Answer> {
    // Text typed before the question is no answer to it.
    platform::forget_typed();
    let (mut input, mut output) = (io::stdin().lock(), Stderr);
    loop {
        output.write_all(question.as_bytes()).ok()?;
        let mut line = String::new();
        if input.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(answer) = parse(&line) {
            return Some(answer);
        }
    }
}

fn parse_answer(line: &str, may_always: bool) -> Option<Answer> {
    match line.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Some(Answer::UntilQuit),
        "a" | "always" if may_always => Some(Answer::Always),
        "r" => Some(Answer::ReadOnly),
        "n" | "no" => Some(Answer::No),
        _ => None,
    }
}

/// Returns the origins that were allowed for good in earlier runs.
pub(crate) fn remembered() -> Answers {
    let Some(path) = origins_file() else {
        return Answers::new();
    };
    match platform::read_private(&path) {
        Ok(text) => parse_origins(&text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Answers::new(),
        Err(error) => {
            tracing::warn!(
                "{} is not used: {}",
                path.display(),
                platform::reason(&error)
            );
            Answers::new()
        }
    }
}

fn parse_origins(text: &str) -> Answers {
    let origins = text.lines().filter_map(origin::normalize_origin);
    let own = origins.filter(|origin| !origin::is_shared(origin));
    own.map(|origin| (origin, Some(Rights::ReadWrite)))
        .collect()
}

fn remember(origin: &str) -> Result<()> {
    let path = origins_file().context("this system has no folder for configuration")?;
    let add = |path: &Path| {
        let mut text = match platform::read_private(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            read => read?,
        };
        text.push_str(origin);
        text.push('\n');
        platform::write_private(path, &text)
    };
    add(&path).with_context(|| format!("cannot write {}", path.display()))
}

fn origins_file() -> Option<PathBuf> {
    Some(platform::config_folder()?.join(ORIGINS_FILE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_and_words_are_answers() {
        for (line, answer) in [
            ("y\n", Some(Answer::UntilQuit)),
            (" N \r\n", Some(Answer::No)),
            ("a", Some(Answer::Always)),
            ("r", Some(Answer::ReadOnly)),
            ("", None),
            ("yn", None),
        ] {
            assert_eq!(parse_answer(line, true), answer, "{line:?}");
        }
        assert_eq!(parse_answer("a", false), None);
    }

    #[test]
    fn a_shared_origin_is_never_allowed_for_good() {
        assert!(!question("https://preview.p5js.org", "uno").contains("[a]"));
        assert!(!question("null", "uno").contains("[a]"));
        let text = "https://preview.p5js.org\nnull\nhttps://a.example\nnonsense\n";
        let origins = parse_origins(text);
        assert_eq!(origins.keys().collect::<Vec<_>>(), ["https://a.example"]);
    }
}
