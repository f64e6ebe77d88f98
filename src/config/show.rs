//! `serial-ws config`: prints the settings in force, and where each comes from, as a configuration
//! file that can be the file of a next run. Tokens are not shown, only the files that hold them.

use std::fmt::Display;
use std::iter::repeat_n;

use clap::CommandFactory;
use serde_json::Value as Json;

use super::layers::{Invocation, SetBy, usual_place};
use super::port::PortArg;
use super::{Config, names};
use crate::cli::Cli;
use crate::terminal::shown_json;

/// Columns before the source of a value, unless the value is longer.
const WIDTH: usize = 40;

impl Invocation {
    /// Returns all settings with their values; `config` is what they amount to.
    pub(crate) fn show(&self, config: &Config) -> String {
        let mut values = names::values(&self.settings);
        // They depend on --lan.
        let addresses = config.server.listen.iter();
        let addresses = addresses.map(|listen| listen.address.to_string());
        values.insert("listen".to_owned(), addresses.collect());
        let mut text = format!("# {}\n# Defaults are commented out.\n", self.place());
        let mut heading = None;
        let mut command = Cli::command();
        command.build();
        for flag in command.get_arguments() {
            let setting = flag.get_long().and_then(|key| values.get_key_value(key));
            let Some((key, value)) = setting else {
                continue;
            };
            if flag.get_help_heading() != heading {
                heading = flag.get_help_heading();
                text += &format!("\n# {}\n", heading.unwrap_or_default());
            }
            let sources = self.layer.sources.get(key);
            text += &rows(key, value, sources.map_or(&[], Vec::as_slice));
        }
        text
    }

    fn place(&self) -> String {
        match (&self.file, usual_place()) {
            (Some(path), _) => {
                let profile = self.settings.bridge.profile.as_ref();
                let profile = profile.map(|name| format!(", with [profile.{name}]"));
                let profile = profile.unwrap_or_default();
                format!("The configuration file is {}{profile}.", path.display())
            }
            (None, Some(usual)) => format!("There is no configuration file {}.", usual.display()),
            (None, None) => "There is no configuration file.".to_owned(),
        }
    }
}

/// Returns the lines for one setting.
fn rows(key: &str, value: &Json, sources: &[SetBy]) -> String {
    let setting = format!("{key} = {}", toml(value));
    match (value, sources) {
        (_, []) => row(&format!("# {setting}"), &"default"),
        (Json::Null, [source, ..]) => row(&format!("# {setting}"), source),
        (Json::Array(items), [.., last]) if items.len() > 1 => {
            let sources = sources.iter().chain(repeat_n(last, items.len()));
            let rows = items.iter().zip(sources);
            let rows = rows.map(|(item, source)| row(&format!("  {},", toml(item)), source));
            format!("{key} = [\n{}]\n", rows.collect::<String>())
        }
        (_, [source, ..]) => row(&setting, source),
    }
}

/// Returns a line of the file, with its source.
fn row(left: &str, source: &dyn Display) -> String {
    format!("{left:<WIDTH$} # {source}\n")
}

/// Returns a value in TOML, whose strings are those of JSON. A list of one is that one.
fn toml(value: &Json) -> String {
    match value {
        Json::Null => "\"\"".to_owned(),
        Json::Array(items) if items.len() == 1 => toml(&items[0]),
        Json::Array(items) => {
            let items: Vec<_> = items.iter().map(toml).collect();
            format!("[{}]", items.join(", "))
        }
        Json::Object(port) => toml(&PortArg(port.clone()).to_string().into()),
        value => shown_json(&value.to_string()),
    }
}
