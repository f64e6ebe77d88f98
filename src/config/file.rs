//! The configuration file: TOML whose keys are the long names of flags. Pure.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use clap::{ArgAction, Command, CommandFactory};
use serde::de::value::{Error as ValueError, StrDeserializer};
use serde::de::{Deserialize, DeserializeOwned};
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, ValueDeserializer};

use super::names;
use super::port::PortArg;
use super::value::{Setting, quoted};
use crate::cli::{BridgeArgs, Cli, Settings};
use crate::port::is_name;
use crate::terminal::shown;

/// The key that may also be a table of tables.
const PORT: &str = "port";

/// The device of a port, in its table.
const SPEC: &str = "spec";

/// The settings in one part of a file.
#[derive(Debug, Default)]
pub(super) struct FileLayer {
    /// The values.
    pub(super) settings: Settings,
    /// The line of each value, by its key.
    pub(super) lines: BTreeMap<String, Vec<usize>>,
}

/// A mistake in a file.
#[derive(Debug)]
pub(super) struct FileError {
    /// Its line, if it has one.
    pub(super) line: Option<usize>,
    /// What is wrong, and what would be right.
    pub(super) text: String,
}

/// Reads a file. The first layer takes precedence: the profile, if one was asked for, and then
/// what stands outside of all profiles.
pub(super) fn read(text: &str, profile: Option<&str>) -> Result<Vec<FileLayer>, FileError> {
    let file = File {
        text,
        command: Cli::command(),
    };
    let table = DeTable::parse(text).map_err(|error| FileError {
        line: error.span().map(|span| file.line(&span)),
        text: format!("invalid TOML: {}", error.message().replace('\n', ", ")),
    })?;
    let mut general = table.into_inner();
    let mut profiles = match general.remove("profile") {
        Some(profiles) => file.profiles(profiles)?,
        None => DeTable::new(),
    };
    let mut layers = Vec::new();
    if let Some(name) = profile {
        let Some(profile) = profiles.remove(name) else {
            let known: Vec<_> = profiles.keys().map(|key| &**key.get_ref()).collect();
            let text = names::unknown("there is no profile", name, &known);
            return Err(FileError { line: None, text });
        };
        layers.push(file.layer(file.profiles(profile)?)?);
    }
    layers.push(file.layer(general)?);
    Ok(layers)
}

type Key<'i> = Spanned<Cow<'i, str>>;

type Value<'i> = Spanned<DeValue<'i>>;

struct File<'i> {
    text: &'i str,
    /// The definitions of all flags.
    command: Command,
}

impl<'i> File<'i> {
    /// Returns the line in which `span` begins, counted from 1.
    fn line(&self, span: &Range<usize>) -> usize {
        let before = &self.text.as_bytes()[..span.start.min(self.text.len())];
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }

    fn error(&self, span: &Range<usize>, text: String) -> FileError {
        let line = Some(self.line(span));
        FileError { line, text }
    }

    /// Says what `key` expects instead of a value.
    fn unexpected(&self, key: &str, value: &Value<'_>, expected: &str) -> FileError {
        let got = self.text[value.span()].lines().next().unwrap_or_default();
        let text = format!("`{}` expects {expected}, got {}", shown(key), shown(got));
        self.error(&value.span(), text)
    }

    fn profiles(&self, value: Value<'i>) -> Result<DeTable<'i>, FileError> {
        match value.get_ref() {
            DeValue::Table(table) => Ok(table.clone()),
            _ => Err(self.unexpected("profile", &value, "a table: write [profile.NAME]")),
        }
    }

    /// Reads the settings of a table.
    fn layer(&self, mut table: DeTable<'i>) -> Result<FileLayer, FileError> {
        let mut layer = FileLayer::default();
        for (key, value) in &mut table {
            self.check(key, &self.command, "profile")?;
            let spans = match value.get_ref() {
                DeValue::Array(items) => items.iter().map(Spanned::span).collect(),
                DeValue::Table(ports) => ports.keys().map(Spanned::span).collect(),
                _ => vec![value.span()],
            };
            let lines = spans.iter().map(|span| self.line(span)).collect();
            layer.lines.insert(key.get_ref().to_string(), lines);
            self.make_list(key.get_ref(), value);
        }
        // Empty values leave the default in force.
        let entries = table
            .into_iter()
            .filter(|(_, value)| match value.get_ref() {
                DeValue::String(text) => !text.is_empty(),
                DeValue::Array(items) => !items.is_empty(),
                _ => true,
            });
        let mut table: DeTable<'i> = entries.collect();
        let port = table.remove(PORT).map(|ports| self.ports(&ports));
        layer.settings.bridge = BridgeArgs {
            port: port.transpose()?,
            settings: self.group(&table)?,
            serve: self.group(&table)?,
            ..self.group(&table)?
        };
        layer.settings.log = self.group(&table)?;
        Ok(layer)
    }

    /// Checks that a key is one of the settings of `command`, or `other`.
    fn check(&self, key: &Key<'_>, command: &Command, other: &str) -> Result<(), FileError> {
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

    /// Makes a list of a single value where there may be several.
    fn make_list(&self, key: &str, value: &mut Value<'i>) {
        let mut settings = names::settings(&self.command);
        let flag = settings.find(|(name, _)| *name == key);
        let is_list = flag.is_some_and(|(_, flag)| matches!(flag.get_action(), ArgAction::Append));
        let is_single = match value.get_ref() {
            DeValue::String(text) => !text.is_empty(),
            other => !other.is_array() && !other.is_table(),
        };
        if is_list && is_single {
            let mut list = DeArray::new();
            list.push(value.clone());
            *value.get_mut() = DeValue::Array(list);
        }
    }

    /// Reads those settings of a table that `T` has.
    fn group<T: DeserializeOwned>(&self, table: &DeTable<'i>) -> Result<T, FileError> {
        let value = Spanned::new(0..0, DeValue::Table(table.clone()));
        T::deserialize(ValueDeserializer::from(value)).map_err(|error| {
            let span = error.span().unwrap_or_default();
            let mut entries = table.iter();
            let entry = entries.find(|(_, value)| value.span().contains(&span.start));
            let key = entry.map_or("", |(key, _)| key.get_ref());
            self.error(&span, format!("`{key}` {}", error.message()))
        })
    }

    /// Reads the ports: a list of them as after `--port`, or tables `[port.NAME]`.
    fn ports(&self, ports: &Value<'i>) -> Result<Vec<Setting<PortArg>>, FileError> {
        match ports.get_ref() {
            DeValue::Array(ports) => ports.iter().map(|port| self.port(None, port)).collect(),
            DeValue::Table(ports) => {
                let port = |(name, port): (&Key<'i>, _)| self.port(Some(name), port);
                ports.iter().map(port).collect()
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Reads a port, written as after `--port` or as a table.
    fn port(
        &self,
        name: Option<&Key<'i>>,
        port: &Value<'i>,
    ) -> Result<Setting<PortArg>, FileError> {
        let key = name.map_or(PORT, |name| name.get_ref());
        if let Some(name) = name
            && !is_name(key)
        {
            let rule = "is no name for a port: use letters, digits, - and _ only";
            return Err(self.error(&name.span(), format!("`{}` {rule}", shown(key))));
        }
        let text = match port.get_ref() {
            DeValue::String(text) if name.is_some() => &format!("{key}={text}"),
            DeValue::String(text) => &**text,
            DeValue::Table(table) if name.is_some() => return self.port_table(key, table),
            _ => return Err(self.unexpected(key, port, "a port as after --port, or [port.NAME]")),
        };
        let read = Setting::deserialize(StrDeserializer::<ValueError>::new(text));
        read.map_err(|error| self.error(&port.span(), format!("`{key}` {error}")))
    }

    /// Reads the table of a port: its device, and its settings.
    fn port_table(&self, name: &str, table: &DeTable<'i>) -> Result<Setting<PortArg>, FileError> {
        let command = names::of_ports();
        for key in table.keys() {
            self.check(key, &command, SPEC)?;
        }
        let spec = match table.get(SPEC) {
            Some(spec) if spec.get_ref().is_str() => spec,
            Some(spec) => return Err(self.unexpected(SPEC, spec, "text in quotes")),
            None => &Spanned::new(0..0, DeValue::String("auto".into())),
        };
        let text = spec.get_ref().as_str().unwrap_or_default();
        let mut port = PortArg::new(Some(name), text).map_err(|error| {
            let text = format!("`{SPEC}` cannot be {}: {error}", quoted(text));
            self.error(&spec.span(), text)
        })?;
        port.settings = self.group(table)?;
        Ok(Setting(port))
    }
}
