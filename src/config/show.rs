//! `serial-ws config`: what is in force and where it comes from, as a configuration file, so that
//! it can be the file of a next run. Secrets are not shown, only the files that hold them.

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, Command, CommandFactory, ValueHint};
use serde_json::Value as Json;

use super::server::TOKEN_VARIABLE;
use super::told::{File, Told, usual_place};
use super::{Config, names};
use crate::cli::Cli;
use crate::terminal::shown_json;

/// How the help of a flag tells what holds without it.
const DEFAULT: &str = "[default: ";

/// How the help of a flag without a value tells that it is what holds.
const THE_DEFAULT: &str = "(the default)";

/// Columns before the place that a value comes from, unless it is longer.
const WIDTH: usize = 40;

impl Told {
    /// All flags with their values; `config` is what they come to.
    pub(crate) fn show(&self, config: &Config) -> String {
        let mut command = Cli::command();
        command.build();
        let mut text = format!(
            "# {}\n# Lines that begin with # are defaults.\n",
            self.place()
        );
        let mut heading = None;
        for flag in names::settings(&command) {
            if flag.get_help_heading() != heading {
                heading = flag.get_help_heading();
                text += &format!("\n# {}\n", heading.unwrap_or_default());
            }
            text += &self
                .in_file(flag)
                .unwrap_or_else(|| self.not_in_file(flag, &command, config));
        }
        text
    }

    fn place(&self) -> String {
        let usual = usual_place().map(|path| path.display().to_string());
        match (&self.file, usual) {
            (Some(file), _) => {
                let profile: Option<&String> = self.matches.get_one("profile");
                let profile = profile.map(|name| format!(", with [profile.{name}]"));
                let path = file.path.display();
                format!(
                    "The configuration file is {path}{}.",
                    profile.unwrap_or_default()
                )
            }
            (None, Some(usual)) => format!("There is no configuration file {usual}."),
            (None, None) => "There is no configuration file.".to_owned(),
        }
    }

    fn in_file(&self, flag: &Arg) -> Option<String> {
        let name = flag.get_long()?;
        let File { path, said } = self.file.as_ref()?;
        let said = said.iter().find(|said| said.name == name)?;
        let from = |line: usize| format!("{}:{line}", path.display());
        if !flag.get_action().takes_values() {
            let value = times(said.values.len());
            return Some(rows(name, &[(value, from(said.line))]));
        }
        let values = said.values.iter();
        let values = values.filter_map(|value| Some((quoted(&value.typed()?), from(value.line))));
        let values: Vec<_> = values.collect();
        // An empty list leaves the default in force.
        (!values.is_empty()).then(|| rows(name, &values))
    }

    fn not_in_file(&self, flag: &Arg, command: &Command, config: &Config) -> String {
        let (id, name) = (flag.get_id().as_str(), flag.get_long().unwrap_or_default());
        let variable = |name: &str| format!("environment variable {name}");
        let from = match (self.matches.value_source(id), flag.get_env()) {
            (Some(ValueSource::CommandLine), _) => "flag".to_owned(),
            (Some(ValueSource::EnvVariable), Some(name)) => variable(&name.to_string_lossy()),
            _ if name == "token" && std::env::var_os(TOKEN_VARIABLE).is_some() => {
                return row("# token", &variable(TOKEN_VARIABLE));
            }
            _ => {
                let default = self.default(flag, command, config);
                return row(&format!("# {default}"), "default");
            }
        };
        let values = self.values(flag).into_iter();
        let values: Vec<_> = values.map(|value| (value, from.clone())).collect();
        rows(name, &values)
    }

    /// The values of a flag that was given.
    fn values(&self, flag: &Arg) -> Vec<String> {
        let id = flag.get_id().as_str();
        match flag.get_action() {
            ArgAction::SetTrue => return vec![times(1)],
            ArgAction::Count => return vec![times(self.matches.get_count(id).into())],
            _ => {}
        }
        let is_path = flag.get_value_hint() == ValueHint::AnyPath;
        let values = self.matches.get_raw(id).into_iter().flatten().map(|value| {
            let whole = std::path::absolute(value).ok().filter(|_| is_path);
            let value = whole.map_or_else(|| value.to_owned(), Into::into);
            quoted(&value.to_string_lossy())
        });
        values.collect()
    }

    /// What holds where nobody says anything.
    fn default(&self, flag: &Arg, command: &Command, config: &Config) -> String {
        let name = flag.get_long().unwrap_or_default();
        let help = flag.get_help().map(ToString::to_string).unwrap_or_default();
        let known = flag.get_default_values().iter();
        let known: Vec<_> = known
            .map(|value| quoted(&value.to_string_lossy()))
            .collect();
        let told = help
            .split_once(DEFAULT)
            .and_then(|(_, rest)| rest.split_once(']'));
        let value = match (flag.get_action(), told) {
            // It depends on --lan.
            _ if name == "listen" => Some(addresses(config)),
            (ArgAction::SetTrue, _) => {
                let is_default = help.contains(THE_DEFAULT) && !self.is_excluded(name, command);
                Some(times(is_default.into()))
            }
            (ArgAction::Count, _) => Some(times(0)),
            (_, Some((told, _))) if told.contains(' ') => Some(told.to_owned()),
            (_, Some((told, _))) => Some(quoted(told)),
            _ => (!known.is_empty()).then(|| list(&known)),
        };
        value.map_or_else(|| name.to_owned(), |value| format!("{name} = {value}"))
    }

    /// Whether a flag was given with which this one cannot be.
    fn is_excluded(&self, name: &str, command: &Command) -> bool {
        let is_given = |id| self.matches.value_source(id) == Some(ValueSource::CommandLine);
        names::settings(command).any(|other| {
            let excludes = |other| names::exclude(command, other, name);
            is_given(other.get_id().as_str()) && other.get_long().is_some_and(excludes)
        })
    }
}

fn addresses(config: &Config) -> String {
    let addresses = config.server.listen.iter();
    let addresses = addresses.map(|address| quoted(&address.to_string()));
    list(&addresses.collect::<Vec<_>>())
}

/// One value as it is, and several between brackets.
fn list(values: &[String]) -> String {
    match values {
        [value] => value.clone(),
        values => format!("[{}]", values.join(", ")),
    }
}

/// What is said of a flag: its values, each with the place that it comes from.
fn rows(name: &str, values: &[(String, String)]) -> String {
    match values {
        [(value, from)] => row(&format!("{name} = {value}"), from),
        values => {
            let items = values.iter();
            let items = items.map(|(value, from)| row(&format!("  {value},"), from));
            format!("{name} = [\n{}]\n", items.collect::<String>())
        }
    }
}

/// A line of the file, with the reason for it.
fn row(left: &str, from: &str) -> String {
    format!("{left:<WIDTH$} # {from}\n")
}

/// The value of a flag that takes none.
fn times(count: usize) -> String {
    match count {
        0 | 1 => (count == 1).to_string(),
        _ => count.to_string(),
    }
}

/// A value in TOML, whose strings are those of JSON.
fn quoted(value: &str) -> String {
    match value.parse::<i64>() {
        Ok(number) if number.to_string() == value => value.to_owned(),
        _ => shown_json(&Json::from(value).to_string()),
    }
}
