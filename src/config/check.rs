//! Whether what the file says is right: by the definitions of the flags, as if it were typed.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, Error, FromArgMatches};

use super::said::{Mistake, Said};
use super::{Config, names};
use crate::cli::Cli;

/// Finds the first value that is wrong by itself.
pub(crate) fn each(said: &[Said]) -> Result<(), Mistake> {
    if read(None).is_err() {
        // A variable is wrong, not the file: that will be said without it.
        return Ok(());
    }
    for said in said {
        for value in &said.values {
            // Those that have a line of their own.
            let settings = value.settings.iter();
            for setting in settings.filter(|setting| setting.line != value.line) {
                one(&format!("--{}", setting.text), setting.line)?;
            }
            one(&value.word(&said.name), value.line)?;
        }
    }
    Ok(())
}

/// Reads one flag as if it were the only one.
fn one(word: &str, line: usize) -> Result<(), Mistake> {
    read(Some(word)).map_err(|text| Mistake {
        line: Some(line),
        text,
    })
}

fn read(word: Option<&str>) -> Result<(), String> {
    let mut command = names::without_variables();
    let words = ["serial-ws"].into_iter().chain(word);
    let matches = match command.try_get_matches_from_mut(words) {
        Ok(matches) => matches,
        // What else it needs may be there.
        Err(error) if error.kind() == ErrorKind::MissingRequiredArgument => return Ok(()),
        Err(error) => return Err(in_file(&error) + &right(&error, &command)),
    };
    let cli = Cli::from_arg_matches(&matches).map_err(|error| in_file(&error))?;
    let config = Config::new(&cli.bridge);
    config.map(drop).map_err(|error| format!("{error:#}"))
}

/// The end of a sentence about a wrong value: what would be right, where clap does not say so.
fn right(error: &Error, command: &Command) -> String {
    let of_error = error.get(ContextKind::InvalidArg).map(ToString::to_string);
    let mut flags = names::settings(command);
    let flag = flags.find(|flag| Some(flag.to_string()) == of_error);
    match flag.and_then(|flag| Some((flag.get_long()?, flag.get_help()?))) {
        Some((name, help)) if error.kind() == ErrorKind::ValueValidation => {
            format!(". {name} is: {help}")
        }
        _ => String::new(),
    }
}

/// What is wrong with flags of which each is right by itself.
pub(crate) fn together(error: &Error, said: &[Said]) -> Mistake {
    let named = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(name)) => name.as_str(),
        Some(ContextValue::Strings(names)) => names.first().map_or("", String::as_str),
        _ => "",
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let name = named.trim_start_matches('-').split(|c| !is_name(c)).next();
    let said = said.iter().find(|said| Some(said.name.as_str()) == name);
    Mistake {
        line: said.map(|said| said.line),
        text: in_file(error),
    }
}

/// The paragraph of clap's that says what is wrong, in one line.
fn in_file(error: &Error) -> String {
    let text = error.to_string();
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    let lines = paragraph
        .trim_start_matches("error: ")
        .lines()
        .map(str::trim);
    lines.collect::<Vec<_>>().join(" ")
}
