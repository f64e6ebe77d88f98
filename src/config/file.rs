//! The configuration file: TOML whose keys are the long names of flags. Pure; whether the values
//! are right is for the definitions of the flags to say.

use std::borrow::Cow;

use clap::{Arg, ArgAction, Args, Command};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::names::{self, meant, of_settings, settings};
use super::said::{Mistake, Said, Setting, Value};
use crate::cli::PortArgs;
use crate::port::is_name;
use crate::terminal::shown;

/// The flag that may also be a table of tables.
const PORT: &str = "port";

/// Which device a port is, in its table.
const SPEC: &str = "spec";

/// The most that is believed of a flag that can be given several times to the same effect.
const MOST_TIMES: u8 = 9;

/// Reads a file: what its profile says, if one was asked for, and what it says in general.
/// `command` has the flags that there are.
///
/// # Errors
/// The first mistake.
pub(crate) fn read(
    text: &str,
    profile: Option<&str>,
    command: &Command,
) -> Result<Vec<Vec<Said>>, Mistake> {
    let reader = Reader { text, command };
    let file = DeTable::parse(text).map_err(|error| Mistake {
        line: error.span().map(|span| reader.line(span.start)),
        text: error.message().replace('\n', ", "),
    })?;
    let (profiles, general): (Vec<_>, _) = in_order(file.get_ref())
        .into_iter()
        .partition(|(key, _)| key.get_ref() == "profile");
    let mut layers = Vec::new();
    let profiles = profiles.first().map(|(_, value)| reader.table(value));
    let profiles = profiles.transpose()?;
    if let Some(name) = profile {
        layers.push(reader.profile(name, profiles)?);
    }
    layers.push(reader.flags(general)?);
    Ok(layers)
}

type Key<'i> = Spanned<Cow<'i, str>>;

type Entry<'a, 'i> = (&'a Key<'i>, &'a Spanned<DeValue<'i>>);

/// What is in a table, in the order of the file.
fn in_order<'a, 'i>(table: &'a DeTable<'i>) -> Vec<Entry<'a, 'i>> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

struct Reader<'a> {
    text: &'a str,
    command: &'a Command,
}

impl Reader<'_> {
    fn line(&self, at: usize) -> usize {
        let before = &self.text.as_bytes()[..at.min(self.text.len())];
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }

    fn mistake<T>(&self, place: &Spanned<T>, text: String) -> Mistake {
        let line = Some(self.line(place.span().start));
        Mistake { line, text }
    }

    /// What is not what it should be.
    fn unfit(&self, name: &str, value: &Spanned<DeValue<'_>>, fit: &str) -> Mistake {
        let first = self.text[value.span()].lines().next().unwrap_or_default();
        self.mistake(
            value,
            format!("{} = {}: it should be {fit}", shown(name), shown(first)),
        )
    }

    fn table<'a, 'i>(&self, value: &'a Spanned<DeValue<'i>>) -> Result<&'a DeTable<'i>, Mistake> {
        let table = value.get_ref().as_table();
        table.ok_or_else(|| self.unfit("profile", value, "a table: write [profile.NAME]"))
    }

    fn profile(&self, name: &str, profiles: Option<&DeTable<'_>>) -> Result<Vec<Said>, Mistake> {
        let entries = profiles.map(in_order).unwrap_or_default();
        let names = entries.iter().map(|(key, _)| &**key.get_ref());
        let names: Vec<_> = names.collect();
        match entries.iter().find(|(key, _)| key.get_ref() == name) {
            Some((_, profile)) => self.flags(in_order(self.table(profile)?)),
            None => Err(Mistake {
                line: None,
                text: format!(
                    "there is no [profile.{}]{}",
                    shown(name),
                    meant(name, &names)
                ),
            }),
        }
    }

    /// What entries of a table say as flags.
    fn flags(&self, entries: Vec<Entry<'_, '_>>) -> Result<Vec<Said>, Mistake> {
        let said = entries.into_iter().map(|(key, value)| {
            let name = &**key.get_ref();
            let values = match (name, value.get_ref()) {
                (PORT, DeValue::Table(ports)) => self.ports(ports)?,
                _ => self.values(self.flag(key)?, value)?,
            };
            Ok(Said {
                name: name.to_owned(),
                line: self.line(key.span().start),
                values,
            })
        });
        said.collect()
    }

    /// The flag of this name.
    fn flag(&self, key: &Key<'_>) -> Result<&Arg, Mistake> {
        let name = &**key.get_ref();
        let flag = settings(self.command).find(|flag| flag.get_long() == Some(name));
        flag.ok_or_else(|| {
            if names::ONLY_FLAGS.contains(&name) {
                return self.mistake(key, format!("{name} can only be a flag: --{name}"));
            }
            let mut names = of_settings(self.command);
            names.push("profile");
            let text = format!("there is no setting {}{}", shown(name), meant(name, &names));
            self.mistake(key, text)
        })
    }

    /// The values of a flag, each as it would follow the flag.
    fn values(&self, flag: &Arg, value: &Spanned<DeValue<'_>>) -> Result<Vec<Value>, Mistake> {
        let name = flag.get_long().unwrap_or_default();
        let given = |times: u8| {
            let line = self.line(value.span().start);
            let value = Value {
                line,
                text: None,
                settings: Vec::new(),
            };
            Ok(vec![value; times.into()])
        };
        match (flag.get_action(), value.get_ref()) {
            (ArgAction::SetTrue | ArgAction::Count, DeValue::Boolean(is_on)) => {
                given((*is_on).into())
            }
            (ArgAction::SetTrue, _) => Err(self.unfit(name, value, "true or false")),
            (ArgAction::Count, _) => {
                let times = scalar(value).and_then(|text| text.parse().ok());
                match times.filter(|times| *times <= MOST_TIMES) {
                    Some(times) => given(times),
                    None => Err(self.unfit(name, value, "a number of times, from 0 to 9")),
                }
            }
            (ArgAction::Append, DeValue::Array(items)) => {
                items.iter().map(|item| self.value(flag, item)).collect()
            }
            _ => Ok(vec![self.value(flag, value)?]),
        }
    }

    fn value(&self, flag: &Arg, value: &Spanned<DeValue<'_>>) -> Result<Value, Mistake> {
        let name = flag.get_long().unwrap_or_default();
        let fit = match (name, flag.get_action()) {
            (PORT, _) => "as after --port, a list of them, or a table [port.NAME]",
            (_, ArgAction::Append) => "text in quotes, or a list of them",
            _ => "text in quotes, or a number",
        };
        let text = scalar(value).ok_or_else(|| self.unfit(name, value, fit))?;
        let line = self.line(value.span().start);
        let (text, settings) = match name {
            PORT => port(&text, line),
            _ => (text, Vec::new()),
        };
        let text = Some(text);
        Ok(Value {
            line,
            text,
            settings,
        })
    }

    /// The ports of tables `[port.NAME]`.
    fn ports(&self, ports: &DeTable<'_>) -> Result<Vec<Value>, Mistake> {
        let ports = in_order(ports).into_iter().map(|(key, value)| {
            let (name, line) = (&**key.get_ref(), self.line(key.span().start));
            if !is_name(name) {
                let text = "the name of a port has letters, digits, - and _ only";
                return Err(self.mistake(key, format!("{}: {text}", shown(name))));
            }
            let (spec, settings) = match value.get_ref() {
                DeValue::Table(port) => self.port(port)?,
                DeValue::String(text) => port(text, line),
                _ => {
                    let fit = format!("a port as after --port, or a table: write [port.{name}]");
                    return Err(self.unfit(name, value, &fit));
                }
            };
            let text = Some(format!("{name}={spec}"));
            Ok(Value {
                line,
                text,
                settings,
            })
        });
        ports.collect()
    }

    /// What the table of a port says: which device it is, and its settings.
    fn port(&self, port: &DeTable<'_>) -> Result<(String, Vec<Setting>), Mistake> {
        let command = PortArgs::augment_args(Command::new(PORT));
        let reader = Reader {
            command: &command,
            ..*self
        };
        let mut spec = "auto".to_owned();
        let mut settings = Vec::new();
        for (key, value) in in_order(port) {
            let name = &**key.get_ref();
            if name == SPEC {
                let text = value.get_ref().as_str();
                let text = text.ok_or_else(|| self.unfit(SPEC, value, "text in quotes"))?;
                text.clone_into(&mut spec);
                continue;
            }
            let Ok(flag) = reader.flag(key) else {
                return Err(self.no_setting(key, &command));
            };
            let line = self.line(key.span().start);
            for value in reader.values(flag, value)? {
                let text = value.word(name).trim_start_matches('-').to_owned();
                let name = name.to_owned();
                settings.push(Setting { name, line, text });
            }
        }
        Ok((spec, settings))
    }

    /// A key in a port's table that is none of its settings.
    fn no_setting(&self, key: &Key<'_>, command: &Command) -> Mistake {
        let name = &**key.get_ref();
        let text = if self.flag(key).is_ok() {
            format!("{name} is not for one port: write it above the first line with [ ]")
        } else {
            let mut names = of_settings(command);
            names.insert(0, SPEC);
            format!(
                "a port has no setting {}{}",
                shown(name),
                meant(name, &names)
            )
        };
        self.mistake(key, text)
    }
}

/// A single value as it is typed after a flag.
fn scalar(value: &Spanned<DeValue<'_>>) -> Option<String> {
    match value.get_ref() {
        DeValue::String(text) => Some(text.clone().into_owned()),
        DeValue::Integer(number) => {
            let number = i64::from_str_radix(number.as_str(), number.radix());
            number.ok().map(|number| number.to_string())
        }
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        _ => None,
    }
}

/// Takes `[NAME=]SPEC[,SETTING…]` apart.
fn port(text: &str, line: usize) -> (String, Vec<Setting>) {
    let mut parts = text.split(',');
    let first = parts.next().unwrap_or_default().to_owned();
    let settings = parts.map(|part| {
        let name = part.split('=').next().unwrap_or_default().to_owned();
        let text = part.to_owned();
        Setting { name, line, text }
    });
    (first, settings.collect())
}
