//! Environment variables: each flag for sharing ports has one, `SERIAL_WS_` and its name in capitals.

use std::sync::LazyLock;

use clap::error::{ContextKind, ContextValue};
use clap::{Args, Command, CommandFactory, Error};

use super::layers::raw;
use super::mqtt::MQTT_PASSWORD_VARIABLE;
use super::server::{LAN_TOKEN_VARIABLE, TOKEN_VARIABLE};
use super::usage;
use crate::cli::{BridgeArgs, Cli};
use crate::terminal::shown;

/// The flags whose variables hold the value itself, where the flag has a file: clients and the server
/// read them on their own.
pub(crate) const SECRETS: [(&str, &str); 3] = [
    ("token", TOKEN_VARIABLE),
    ("lan-token", LAN_TOKEN_VARIABLE),
    ("mqtt-password", MQTT_PASSWORD_VARIABLE),
];

/// The commands that take the flags for sharing ports.
const COMMANDS: [&str; 2] = ["config", "doctor"];

/// The flags for sharing ports, each with its variable.
static VARIABLES: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
    let flags = BridgeArgs::augment_args(Command::new("bridge"));
    let names = flags.get_arguments().filter_map(|flag| flag.get_long());
    let names = names.filter(|name| !SECRETS.iter().any(|(secret, _)| secret == name));
    names
        .map(|name| (name.to_owned(), variable(name)))
        .collect()
});

/// Returns the variable of a flag.
fn variable(flag: &str) -> String {
    format!("SERIAL_WS_{}", flag.to_uppercase().replace('-', "_"))
}

/// Returns the definitions of all flags with their variables.
pub(crate) fn with_variables() -> Command {
    let mut cli = add(Cli::command());
    for name in COMMANDS {
        cli = cli.mut_subcommand(name, add);
    }
    cli
}

fn add(command: Command) -> Command {
    command.mut_args(|arg| {
        let known = arg.get_long().and_then(variable_of);
        match known.filter(|_| arg.get_env().is_none()) {
            Some(name) => arg.env(name).hide_env(true),
            None => arg,
        }
    })
}

/// Returns the variable of a flag for sharing ports, if it has one.
fn variable_of(flag: &str) -> Option<&'static str> {
    let known = VARIABLES.iter().find(|(name, _)| name == flag)?;
    Some(&known.1)
}

/// Names the variable in an error about its value, where clap names the flag.
pub(super) fn name_variable(error: Error) -> Error {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let flag = text(ContextKind::InvalidArg).and_then(|arg| arg.strip_prefix("--"));
    let flag = flag.and_then(|flag| flag.split([' ', '=', '[']).next());
    let (Some(flag), Some(value)) = (flag, text(ContextKind::InvalidValue)) else {
        return error;
    };
    let Some(name) = variable_of(flag).filter(|name| is_value(name, value)) else {
        return error;
    };
    let is_typed = std::env::args().any(|argument| argument.contains(value) && !value.is_empty());
    if is_typed {
        return error;
    }
    let why = std::error::Error::source(&error).map(ToString::to_string);
    let why = why
        .or_else(|| usage::choices(&error).map(|choices| format!("expected {choices}")))
        .unwrap_or_else(|| "it is not understood".to_owned());
    raw(format!("{name} cannot be \"{}\": {why}", shown(value)))
}

fn is_value(name: &str, value: &str) -> bool {
    std::env::var_os(name).is_some_and(|found| found == value)
}
