//! The configuration file: TOML whose keys are the long names of flags.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value as Json, json};
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::layers::{Layer, SetBy};
use super::names::{self, DEFAULTS, ONLY_FLAGS, PORT_DEFAULTS, Values};
use super::port::{self, PORT, PortArg};
use crate::cli::Settings;
use crate::port::is_name;
use crate::port::source::spec::Spec;
use crate::terminal::shown;

/// The text of a configuration file. An error is a sentence that begins with its path and line.
pub(super) struct ConfigFile<'i> {
    path: &'i Path,
    text: &'i str,
}

type TomlKey<'i> = Spanned<Cow<'i, str>>;

type TomlValue<'i> = Spanned<DeValue<'i>>;

/// A value, and the place where it begins.
type Item = (Range<usize>, Json);

impl<'i> ConfigFile<'i> {
    /// Takes the text at `path`.
    pub(super) fn new(path: &'i Path, text: &'i str) -> Self {
        Self { path, text }
    }

    /// Returns the settings. The first layer takes precedence: the profile, if one was asked for,
    /// and then what stands outside of all profiles.
    pub(super) fn layers(&self, profile: Option<&str>) -> Result<Vec<Layer>, String> {
        let table = DeTable::parse(self.text).map_err(|error| {
            let why = error.message().replace('\n', ", ");
            let span = error.span().unwrap_or_default();
            self.error(&span, format!("invalid TOML: {why}"))
        })?;
        let mut general = table.into_inner();
        let profiles = general.remove("profile").map(|value| self.profiles(value));
        let mut profiles = profiles.transpose()?.unwrap_or_default();
        let mut layers = Vec::new();
        if let Some(name) = profile {
            let profile = profiles.remove(name).ok_or_else(|| {
                let known: Vec<_> = profiles.keys().map(|key| &**key.get_ref()).collect();
                let text = names::unknown("there is no profile", name, &known);
                format!("{}: {text}", self.path.display())
            })?;
            layers.push(self.layer(&self.profiles(profile)?)?);
        }
        layers.push(self.layer(&general)?);
        Ok(layers)
    }

    /// Returns the line in which `span` begins, counted from 1.
    fn line(&self, span: &Range<usize>) -> usize {
        let before = &self.text.as_bytes()[..span.start.min(self.text.len())];
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }

    fn error(&self, span: &Range<usize>, text: String) -> String {
        format!("{}:{}: {text}", self.path.display(), self.line(span))
    }

    fn profiles<'v>(&self, value: TomlValue<'v>) -> Result<DeTable<'v>, String> {
        let span = value.span();
        let DeValue::Table(table) = value.into_inner() else {
            let text = "`profile` expects a table: write [profile.NAME]";
            return Err(self.error(&span, text.to_owned()));
        };
        Ok(table)
    }

    /// Reads the settings of a table.
    fn layer(&self, table: &DeTable<'_>) -> Result<Layer, String> {
        let mut layer = Layer::default();
        for (key, value) in table {
            self.check(key, &DEFAULTS)?;
            let key = &**key.get_ref();
            let (mut values, mut sources) = (Vec::new(), Vec::new());
            for (span, item) in self.items(key, value)? {
                // Empty values leave the default in force.
                if item != json!("") {
                    let read = names::read::<Settings>(&DEFAULTS, key, &item);
                    values.push(read.map_err(|text| self.error(&span, text))?);
                    sources.push(SetBy::Line(self.path.to_owned(), self.line(&span)));
                }
            }
            if !values.is_empty() {
                layer.sources.insert(key.to_owned(), sources);
            }
            if key == PORT {
                layer.sources.extend(self.sources_of_ports(value));
            }
            let value = if names::is_list(&DEFAULTS, key) && !values.is_empty() {
                values.into()
            } else {
                values.pop().unwrap_or_default()
            };
            layer.values.insert(key.to_owned(), value);
        }
        let path = std::path::absolute(self.path).unwrap_or_else(|_| self.path.to_owned());
        layer.make_absolute(path.parent().unwrap_or(&path));
        Ok(layer)
    }

    /// Checks that a key is one of `known`.
    fn check(&self, key: &TomlKey<'_>, known: &Values) -> Result<(), String> {
        let name = &**key.get_ref();
        let text = if ONLY_FLAGS.contains(&name) {
            format!("`{name}` can only be a flag: --{name}")
        } else if known.contains_key(name) {
            return Ok(());
        } else if DEFAULTS.contains_key(name) {
            format!("`{name}` is not for one port: write it above the first line with [ ]")
        } else {
            let profile = known.contains_key(PORT).then_some("profile");
            let known = known.keys().map(String::as_str).chain(profile);
            names::unknown("unknown setting", name, &known.collect::<Vec<_>>())
        };
        Err(self.error(&key.span(), text))
    }

    /// Returns the items of a list, or the value itself.
    fn items(&self, key: &str, value: &TomlValue<'_>) -> Result<Vec<Item>, String> {
        match value.get_ref() {
            DeValue::Table(ports) if key == PORT => {
                let ports = ports.iter();
                ports.map(|(name, port)| self.port(name, port)).collect()
            }
            DeValue::Array(items) if names::is_list(&DEFAULTS, key) => {
                Ok(items.iter().map(|item| (item.span(), json(item))).collect())
            }
            _ => Ok(vec![(value.span(), json(value))]),
        }
    }

    /// Returns the line of each setting in the tables `[port.NAME]`.
    fn sources_of_ports(&self, value: &TomlValue<'_>) -> BTreeMap<String, Vec<SetBy>> {
        let ports = value.get_ref().as_table().into_iter().flatten();
        let tables = ports.filter_map(|(name, port)| Some((name, port.get_ref().as_table()?)));
        let settings = tables.flat_map(|(name, table)| {
            let settings = table.iter();
            settings.map(move |(key, value)| (name, key, value))
        });
        let sources = settings.map(|(name, key, value)| {
            let line = SetBy::Line(self.path.to_owned(), self.line(&value.span()));
            (port::source_key(name.get_ref(), key.get_ref()), vec![line])
        });
        sources.collect()
    }

    /// Reads a table `[port.NAME]`.
    fn port(&self, name: &TomlKey<'_>, value: &TomlValue<'_>) -> Result<Item, String> {
        let (span, name) = (name.span(), name.get_ref());
        if !is_name(name) {
            let rule = "is no name for a port: use letters, digits, - and _ only";
            return Err(self.error(&span, format!("`{}` {rule}", shown(name))));
        }
        let port = match value.get_ref() {
            DeValue::Table(table) => {
                let mut port = PortArg::new(Some(name), &Spec::Auto);
                for (key, value) in table {
                    self.check(key, &PORT_DEFAULTS)?;
                    let set = port.set(key.get_ref(), &json(value));
                    set.map_err(|text| self.error(&value.span(), text))?;
                }
                Json::Object(port.0)
            }
            DeValue::String(text) => format!("{name}={text}").into(),
            _ => json(value),
        };
        Ok((span, port))
    }
}

/// Returns a value as JSON has it.
fn json(value: &TomlValue<'_>) -> Json {
    Json::deserialize(ValueDeserializer::from(value.clone())).unwrap_or_default()
}
