//! `serial-ws config`: prints the settings in force, and where each comes from, as a configuration
//! file that can be the file of a next run. Tokens are not shown, only the files that hold them.

use clap::{Arg, ArgAction, CommandFactory};
use serde_json::{Map, Value as Json};

use super::layers::{Invocation, SetBy, usual_place};
use super::{Config, names};
use crate::cli::Cli;
use crate::terminal::shown_json;

/// Columns before the source of a value, unless the value is longer.
const WIDTH: usize = 40;

impl Invocation {
    /// Returns all settings with their values; `config` is what they amount to.
    pub(crate) fn show(&self, config: &Config) -> String {
        let mut command = Cli::command();
        command.build();
        let mut settings = self.settings.clone();
        settings.make_absolute(&std::path::absolute("").unwrap_or_default());
        let mut values = names::map(&settings);
        if !self.is_set("listen") {
            // They depend on --lan.
            let addresses = config.server.listen.iter().map(ToString::to_string);
            values.insert("listen".to_owned(), addresses.collect());
        }
        let mut text = format!("# {}\n# Defaults are commented out.\n", self.place());
        let mut heading = None;
        for (key, flag) in names::settings(&command) {
            if flag.get_help_heading() != heading {
                heading = flag.get_help_heading();
                text += &format!("\n# {}\n", heading.unwrap_or_default());
            }
            text += &self.rows(key, flag, &values);
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

    /// Returns the lines for one setting.
    fn rows(&self, key: &str, flag: &Arg, values: &Map<String, Json>) -> String {
        let unset = match flag.get_action() {
            ArgAction::SetTrue => Json::Bool(false),
            ArgAction::Append => Json::Array(Vec::new()),
            _ => Json::from(""),
        };
        let value = values.get(key);
        match (value, self.sources.get(key).map(Vec::as_slice)) {
            (Some(Json::Array(items)), Some(sources)) if items.len() > 1 => {
                let last = sources.last();
                let sources = sources.iter().chain(last.into_iter().cycle());
                let rows = items.iter().zip(sources);
                let rows = rows.map(|(item, source)| row(&format!("  {},", toml(item)), source));
                format!("{key} = [\n{}]\n", rows.collect::<String>())
            }
            (Some(value), Some([source, ..])) => row(&format!("{key} = {}", toml(value)), source),
            (None, Some([source @ SetBy::Variable(_), ..])) => {
                row(&format!("# {key} = {}", toml(&unset)), source)
            }
            _ => row(
                &format!("# {key} = {}", toml(value.unwrap_or(&unset))),
                "default",
            ),
        }
    }
}

/// Returns a line of the file, with its source.
fn row(left: &str, source: impl std::fmt::Display) -> String {
    format!("{left:<WIDTH$} # {source}\n")
}

/// Returns a value in TOML, whose strings are those of JSON. A list of one is that one.
fn toml(value: &Json) -> String {
    match value {
        Json::Array(items) if items.len() == 1 => toml(&items[0]),
        Json::Array(items) => format!(
            "[{}]",
            items.iter().map(toml).collect::<Vec<_>>().join(", ")
        ),
        value => shown_json(&value.to_string()),
    }
}
