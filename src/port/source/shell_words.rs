//! Words as a shell cuts them, for the kinds of device that are a command or a list of files. Pure.

use super::exec::command::{AT_TERMINAL, PIPED};
use super::play::PLAY;
use super::spec::QUOTES;

/// The characters that a backslash makes literal between double quotes (POSIX, "Shell Command
/// Language", 2.2.3).
const ESCAPED_IN_QUOTES: [char; 4] = ['"', '\\', '$', '`'];

/// True where a backslash makes the next character literal. On Windows it belongs to paths.
pub(crate) const HAS_ESCAPES: bool = !cfg!(windows);

/// A part of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShellToken {
    /// The beginning or the end of quotes.
    Quote,
    /// A character that stands for itself: between quotes, or after a backslash.
    Literal(char),
    /// Any other character.
    Bare(char),
}

/// Returns where the SPEC at the beginning of `text` ends if it is a command or a list of
/// files: at the first comma outside quotes, which only settings follow. None if it is another kind of
/// device.
///
/// # Errors
/// If a quote is opened and not closed.
pub(crate) fn end(text: &str) -> Result<Option<usize>, String> {
    let command = text.split_once(':').and_then(|(kind, command)| {
        let has_words = [PIPED, AT_TERMINAL, PLAY].contains(&kind);
        has_words.then_some(command)
    });
    let Some(command) = command else {
        return Ok(None);
    };
    let pieces = pieces(command, HAS_ESCAPES)?;
    let comma = pieces
        .iter()
        .find(|(_, piece)| *piece == ShellToken::Bare(','));
    let length = comma.map_or(command.len(), |(at, _)| *at);
    Ok(Some(text.len() - command.len() + length))
}

/// Cuts a command into its parts, each with its place.
///
/// # Errors
/// If a quote is opened and not closed.
fn pieces(text: &str, has_escapes: bool) -> Result<Vec<(usize, ShellToken)>, String> {
    let mut pieces = Vec::new();
    let mut open = None;
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let next = characters.peek().map(|(_, next)| *next);
        let is_escape = character == '\\' && has_escapes;
        let piece = match (open, next) {
            (Some(quote), _) if character == quote => {
                open = None;
                ShellToken::Quote
            }
            (Some('"'), Some(next)) if is_escape && ESCAPED_IN_QUOTES.contains(&next) => {
                characters.next();
                ShellToken::Literal(next)
            }
            (Some(_), _) => ShellToken::Literal(character),
            (None, Some(next)) if is_escape => {
                characters.next();
                ShellToken::Literal(next)
            }
            (None, _) if QUOTES.contains(&character) => {
                open = Some(character);
                ShellToken::Quote
            }
            (None, _) => ShellToken::Bare(character),
        };
        pieces.push((at, piece));
    }
    match open {
        Some(quote) => Err(format!("a quote {quote} is opened and not closed")),
        None => Ok(pieces),
    }
}

/// Cuts a text into words at its blanks, without quotes and backslashes. `check` is asked about each
/// character of a word.
///
/// # Errors
/// If a quote is opened and not closed, and those of `check`.
pub(crate) fn words(
    text: &str,
    has_escapes: bool,
    check: impl Fn(ShellToken) -> Result<(), String>,
) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    for (_, piece) in pieces(text, has_escapes)? {
        match piece {
            ShellToken::Bare(blank) if blank.is_whitespace() => words.extend(word.take()),
            ShellToken::Quote => _ = word.get_or_insert_default(),
            ShellToken::Literal(character) | ShellToken::Bare(character) => {
                check(piece)?;
                word.get_or_insert_default().push(character);
            }
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_outside_quotes_ends_the_command() {
        let end = |text: &'static str| end(text).unwrap().map(|end| &text[..end]);
        assert_eq!(end("sim,raw"), None);
        assert_eq!(end("executable:a,b"), None);
        assert_eq!(end("exec:ls,raw"), Some("exec:ls"));
        assert_eq!(end("exec:a 'b,c' d,raw"), Some("exec:a 'b,c' d"));
        assert_eq!(end("exec-pty:a=\"b,c\""), Some("exec-pty:a=\"b,c\""));
        assert_eq!(end("exec:a'b,c'd,raw"), Some("exec:a'b,c'd"));
        assert_eq!(end("play:a 'b,c',loop"), Some("play:a 'b,c'"));
    }
}
