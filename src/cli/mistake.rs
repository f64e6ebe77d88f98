//! Mistakes as they are printed: with nothing from arguments and files that would act on a terminal.

use clap::Error;
use clap::builder::StyledStr;
use clap::error::{ContextValue, ErrorKind};

use crate::platform;
use crate::terminal::{safe_line, safe_text};

/// Prints a mistake in the command line or its files, or the help that was asked for, and ends the
/// program.
pub(crate) fn exit(error: Error) -> ! {
    let error = harmless(error);
    // Perhaps nobody is there to read it.
    let _ = error.print();
    platform::keep_window_open();
    std::process::exit(error.exit_code())
}

/// Prints the error for which a command ended, with the prefix of wrong usage.
pub(crate) fn print(error: &anyhow::Error) {
    let text = safe_line(&platform::sentence(error));
    // Perhaps nobody is there to read it.
    let _ = Error::raw(ErrorKind::Io, text + "\n").print();
}

/// Escapes what a mistake has from the command line, where it is what acts on a terminal.
fn harmless(mut error: Error) -> Error {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        return error;
    }
    let context: Vec<_> = error.context().collect();
    let context: Vec<_> = context
        .into_iter()
        .filter_map(|(kind, value)| Some((kind, escaped(value)?)))
        .collect();
    for (kind, value) in context {
        error.insert(kind, value);
    }
    // The rest is in sentences of our own, whose line breaks are wanted.
    let text = error.render().to_string();
    let safe = safe_text(&text);
    if safe == text {
        return error;
    }
    let sentence = safe.strip_prefix("error: ").unwrap_or(&safe);
    Error::raw(error.kind(), sentence)
}

/// Returns a value with escapes, or `None` where it needs none.
fn escaped(value: &ContextValue) -> Option<ContextValue> {
    let escaped = match value {
        ContextValue::String(text) => ContextValue::String(safe_line(text)),
        ContextValue::Strings(texts) => {
            ContextValue::Strings(texts.iter().map(|text| safe_line(text)).collect())
        }
        // Escaping takes the colours away.
        ContextValue::StyledStr(text) => ContextValue::StyledStr(plain(text)?),
        ContextValue::StyledStrs(texts) => {
            let plain = |text: &StyledStr| plain(text).unwrap_or_else(|| text.clone());
            ContextValue::StyledStrs(texts.iter().map(plain).collect())
        }
        _ => return None,
    };
    (escaped != *value).then_some(escaped)
}

/// Returns a styled text with escapes and without style, or `None` where it needs no escapes.
fn plain(text: &StyledStr) -> Option<StyledStr> {
    let text = text.to_string();
    let safe = safe_line(&text);
    (safe != text).then(|| safe.into())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    #[track_caller]
    fn check(arguments: &[&str], expected: &str) {
        let all = ["serial-ws"].iter().chain(arguments);
        let error = Cli::command().try_get_matches_from(all).unwrap_err();
        let text = harmless(error).render().to_string();
        assert!(text.starts_with(expected), "{text}");
        assert_eq!(text, safe_text(&text));
    }

    #[test]
    fn arguments_are_escaped_in_mistakes() {
        let evil = "a\u{202e}b\nc\x1b[2J\u{61c}";
        let shown = r"a\u{202e}b\x0ac\x1b[2J\u{61c}";
        check(
            &["--baud", evil],
            &format!("error: invalid value '{shown}' for '--baud"),
        );
        check(
            &[&format!("--{evil}")],
            &format!("error: unexpected argument '--{shown}' found\n"),
        );
        check(
            &["list", evil],
            &format!("error: unexpected argument '{shown}'"),
        );
    }

    #[test]
    fn wanted_line_breaks_and_help_stay() {
        check(
            &["--baud", "x"],
            "error: invalid value 'x' for '--baud <N>': expected auto or a whole number such as 9600\n\nFor more",
        );
        let help = Cli::command().try_get_matches_from(["serial-ws", "--help"]);
        let help = help.unwrap_err();
        let text = help.render().to_string();
        assert_eq!(harmless(help).render().to_string(), text);
    }
}
