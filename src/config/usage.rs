//! Mistakes on the command line in one sentence each, where clap has several lines or words of its own.

use clap::Error;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::layers::wrong_usage;
use crate::terminal::shown;

/// Puts an error of clap into a sentence.
pub(super) fn in_a_sentence(error: Error) -> Error {
    let found = |kind| match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) => texts.first().cloned(),
        _ => None,
    };
    let meant = |kind| match found(kind) {
        Some(meant) => format!("; did you mean `{}`?", shown(&meant)),
        None => String::new(),
    };
    let argument = found(ContextKind::InvalidArg).unwrap_or_default();
    let text = match error.kind() {
        ErrorKind::UnknownArgument => {
            let number = argument
                .strip_prefix('-')
                .and_then(|rest| rest.chars().next());
            let what = match number {
                Some(digit) if digit.is_ascii_digit() => "unexpected negative number",
                Some(_) => "unknown flag",
                None => "unexpected argument",
            };
            let argument = shown(&argument);
            format!("{what} `{argument}`{}", meant(ContextKind::SuggestedArg))
        }
        ErrorKind::InvalidSubcommand => {
            let name = found(ContextKind::InvalidSubcommand).unwrap_or_default();
            let meant = meant(ContextKind::SuggestedSubcommand);
            format!("unknown command `{}`{meant}", shown(&name))
        }
        ErrorKind::MissingRequiredArgument => format!("expected {argument}"),
        ErrorKind::InvalidValue => match (found(ContextKind::InvalidValue), choices(&error)) {
            (None, _) => return error,
            (Some(value), _) if value.is_empty() => format!("{argument} needs a value"),
            (_, None) => return error,
            (Some(value), Some(choices)) => {
                let meant = meant(ContextKind::SuggestedValue);
                let value = shown(&value);
                format!("invalid value '{value}' for '{argument}': expected {choices}{meant}")
            }
        },
        ErrorKind::TooManyValues => format!("{argument} takes no value"),
        ErrorKind::ArgumentConflict => match found(ContextKind::PriorArg) {
            Some(prior) if prior == argument => format!("{argument} is given twice"),
            Some(prior) => format!("{argument} and {prior} exclude each other"),
            None => return error,
        },
        _ => return error,
    };
    wrong_usage(&text)
}

/// Returns the values that there are to choose from.
pub(super) fn choices(error: &Error) -> Option<String> {
    match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(names)) => match &names[..] {
            [names @ .., last] if !names.is_empty() => {
                Some(format!("{} or {last}", names.join(", ")))
            }
            names => names.first().cloned(),
        },
        _ => None,
    }
}
