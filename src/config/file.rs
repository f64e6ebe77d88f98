//! The configuration file: TOML whose keys are the long names of flags. Pure.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use clap::{ArgAction, Command, CommandFactory};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::names;
use super::port::{self, PORT, SPEC};
use crate::cli::{Cli, Settings};
use crate::port::is_name;
use crate::terminal::shown;

/// The settings in one part of a file.
#[derive(Debug, Default)]
pub(super) struct FileLayer {
    /// The values.
    pub(super) settings: Settings,
    /// The line of each value, by its key.
    pub(super) lines: BTreeMap<String, Vec<usize>>,
}

/// A mistake in a file: its line, if it has one, and what is wrong.
pub(super) type FileError = (Option<usize>, String);

type TomlKey<'i> = Spanned<Cow<'i, str>>;

type TomlValue<'i> = Spanned<DeValue<'i>>;

/// Reads a file. The first layer takes precedence: the profile, if one was asked for, and then
/// what stands outside of all profiles.
pub(super) fn read(text: &str, profile: Option<&str>) -> Result<Vec<FileLayer>, FileError> {
    let command = Cli::command();
    let file = Reader { text, command };
    let table = DeTable::parse(text).map_err(|error| {
        let line = error.span().map(|span| file.line(&span));
        (
            line,
            format!("invalid TOML: {}", error.message().replace('\n', ", ")),
        )
    })?;
    let mut general = table.into_inner();
    let profiles = general
        .remove("profile")
        .map(|value| file.profiles(value))
        .transpose()?;
    let mut layers = Vec::new();
    if let Some(name) = profile {
        let mut profiles = profiles.unwrap_or_default();
        let Some(profile) = profiles.remove(name) else {
            let known: Vec<_> = profiles.keys().map(|key| &**key.get_ref()).collect();
            return Err((None, names::unknown("there is no profile", name, &known)));
        };
        layers.push(file.layer(&file.profiles(profile)?)?);
    }
    layers.push(file.layer(&general)?);
    Ok(layers)
}

struct Reader<'i> {
    text: &'i str,
    /// The definitions of all flags.
    command: Command,
}

impl<'i> Reader<'i> {
    /// Returns the line in which `span` begins, counted from 1.
    fn line(&self, span: &Range<usize>) -> usize {
        let before = &self.text.as_bytes()[..span.start.min(self.text.len())];
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }

    fn error(&self, span: &Range<usize>, text: String) -> FileError {
        (Some(self.line(span)), text)
    }

    fn profiles(&self, value: TomlValue<'i>) -> Result<DeTable<'i>, FileError> {
        let span = value.span();
        let DeValue::Table(table) = value.into_inner() else {
            let text = "`profile` expects a table: write [profile.NAME]";
            return Err(self.error(&span, text.to_owned()));
        };
        Ok(table)
    }

    /// Reads the settings of a table.
    fn layer(&self, table: &DeTable<'i>) -> Result<FileLayer, FileError> {
        let mut layer = FileLayer::default();
        let mut map = Map::new();
        for (key, value) in table {
            self.check(key, &self.command, "profile")?;
            let name = &**key.get_ref();
            let mut flags = names::settings(&self.command);
            let is_list = flags.any(|(known, flag)| {
                known == name && matches!(flag.get_action(), ArgAction::Append)
            });
            let items: Vec<_> = match value.get_ref() {
                DeValue::Table(ports) if name == PORT => self.ports(ports)?,
                DeValue::Array(items) if is_list => {
                    items.iter().map(|item| (item.span(), json(item))).collect()
                }
                _ => vec![(value.span(), json(value))],
            };
            let lines = items.iter().map(|(span, _)| self.line(span)).collect();
            layer.lines.insert(name.to_owned(), lines);
            let mut values = Vec::new();
            // Empty values leave the default in force.
            for (span, item) in items.into_iter().filter(|(_, item)| *item != json!("")) {
                let value = if is_list { json!([item]) } else { item.clone() };
                Settings::deserialize(json!({ name: value }))
                    .map_err(|error| self.error(&span, format!("`{name}` {error}")))?;
                values.push(item);
            }
            if is_list && !values.is_empty() {
                map.insert(name.to_owned(), values.into());
            } else if let Some(value) = values.pop() {
                map.insert(name.to_owned(), value);
            }
        }
        layer.settings =
            Settings::deserialize(Json::Object(map)).map_err(|e| (None, e.to_string()))?;
        Ok(layer)
    }

    /// Checks that a key is one of the settings of `command`, or `other`.
    fn check(&self, key: &TomlKey<'_>, command: &Command, other: &str) -> Result<(), FileError> {
        let name = &**key.get_ref();
        let mut known = names::keys(command);
        known.push(other);
        let text = if names::ONLY_FLAGS.contains(&name) {
            format!("`{name}` can only be a flag: --{name}")
        } else if known.contains(&name) {
            return Ok(());
        } else if names::keys(&self.command).contains(&name) {
            format!("`{name}` is not for one port: write it above the first line with [ ]")
        } else {
            names::unknown("unknown setting", name, &known)
        };
        Err(self.error(&key.span(), text))
    }

    /// Reads the tables `[port.NAME]`.
    fn ports(&self, ports: &DeTable<'i>) -> Result<Vec<(Range<usize>, Json)>, FileError> {
        let command = names::of_ports();
        let mut read = Vec::new();
        for (name, table) in ports {
            let (span, name) = (name.span(), name.get_ref());
            if !is_name(name) {
                let rule = "is no name for a port: use letters, digits, - and _ only";
                return Err(self.error(&span, format!("`{}` {rule}", shown(name))));
            }
            let mut port = json(table);
            if let (DeValue::Table(table), Json::Object(map)) = (table.get_ref(), &mut port) {
                for (key, value) in table {
                    self.check(key, &command, SPEC)?;
                    port::check(key.get_ref(), &json(value))
                        .map_err(|text| self.error(&value.span(), text))?;
                }
                map.insert("name".to_owned(), json!(name));
            } else if let Json::String(text) = &mut port {
                text.insert_str(0, &format!("{name}="));
            }
            read.push((span, port));
        }
        Ok(read)
    }
}

/// Returns a value as JSON has it.
fn json(value: &TomlValue<'_>) -> Json {
    Json::deserialize(ValueDeserializer::from(value.clone())).unwrap_or_default()
}
