//! `--port`: which device a port is, what it is called, and its own settings.

use std::fmt::{self, Display};

use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::value::{Invalid, Setting, SettingValue, expected, get};
use super::{SharedPort, names};
use crate::cli::{PortArgs, is_on};
use crate::hub::LineSettings;
use crate::port::source::spec::Spec;
use crate::port::{PortConfig, is_name};
use crate::server::ClientDefaults;
use crate::view::View;

/// The key of ports.
pub(super) const PORT: &str = "port";

/// The key of the device of a port.
pub(super) const SPEC: &str = "spec";

/// A port as users write it: `[NAME=]SPEC[,SETTING…]`, or a table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PortArg {
    /// Its name, if it was given one.
    name: Option<String>,
    /// The device.
    spec: Spec,
    /// The settings for this port only.
    pub(super) settings: PortArgs,
}

impl PortArg {
    /// Returns the configuration of the port; `common` has the settings that it does not have.
    pub(super) fn resolve(self, common: &PortArgs, no_wait: bool) -> SharedPort {
        let own = names::map(&self.settings);
        let keep = |key: &str| !names::excludes(&own, key);
        let args = self.settings.or(common.clone().filter(&keep));
        let clients = ClientDefaults {
            view: args.view().unwrap_or(View::Lines),
            append: get(args.append),
            read_only: is_on(&args.read_only),
        };
        let line = LineSettings {
            baud: get(args.baud).0 as u32,
            data_bits: get(args.data_bits).0 as u8,
            parity: get(args.parity),
            stop_bits: get(args.stop_bits).0 as u8,
            flow_control: get(args.flow_control),
            dtr: get(args.dtr),
            rts: get(args.rts),
            no_reset: is_on(&args.no_reset),
            low_latency: !is_on(&args.no_low_latency),
            settle: get(args.settle).0,
        };
        let port = PortConfig {
            name: self.name.unwrap_or_else(|| self.spec.default_name()),
            spec: self.spec,
            line,
            max_line: get(args.max_line).0 as usize,
            expects_lines: clients.view == View::Lines,
            no_wait,
        };
        SharedPort { port, clients }
    }
}

impl SettingValue for PortArg {
    fn parse(text: &str) -> Result<Self, Invalid> {
        let (name, rest) = match text.split_once('=') {
            Some((name, rest)) if is_name(name) => (Some(name), rest),
            _ => (None, text),
        };
        let mut parts = rest.split(',');
        let mut table = Map::new();
        let spec = parts.next().unwrap_or_default();
        table.insert(SPEC.to_owned(), spec.into());
        table.insert("name".to_owned(), name.into());
        for part in parts {
            let (key, value) = setting(part).map_err(Invalid::Because)?;
            if table.insert(key.to_owned(), value).is_some() {
                return Err(Invalid::Because(format!("`{key}` is set twice")));
            }
        }
        Self::from_json(&table.into())
    }

    fn from_json(json: &Json) -> Result<Self, Invalid> {
        let (table, name) = match json {
            Json::String(text) => return Self::parse(text),
            Json::Object(table) if table.contains_key("name") => (table, &table["name"]),
            _ => return Err(expected("a port as after --port, or [port.NAME]")),
        };
        let because = |error: serde_json::Error| Invalid::Because(error.to_string());
        let spec = match table.get(SPEC) {
            Some(spec) => Spec::from_json(spec)?,
            None => Spec::Auto,
        };
        Ok(Self {
            name: name.as_str().map(str::to_owned),
            spec,
            settings: PortArgs::deserialize(json).map_err(because)?,
        })
    }

    fn show(&self) -> Json {
        self.to_string().into()
    }
}

impl SettingValue for Spec {
    fn parse(text: &str) -> Result<Self, Invalid> {
        let because = |error: anyhow::Error| Invalid::Because(format!("{error:#}"));
        text.parse().map_err(because)
    }

    fn show(&self) -> Json {
        self.to_string().into()
    }
}

/// Checks one setting of a port, or its device. An error is a sentence that begins with the key.
pub(super) fn check(key: &str, value: &Json) -> Result<(), String> {
    let read = match key {
        SPEC => Setting::<Spec>::deserialize(value).map(drop),
        _ => PortArgs::deserialize(&json!({ key: value })).map(drop),
    };
    read.map_err(|error| format!("`{key}` {error}"))
}

/// Reads one setting as it follows `--port`, such as `baud=115200` or `raw`.
fn setting(text: &str) -> Result<(&str, Json), String> {
    let mut parts = text.splitn(2, '=');
    let (key, value) = (parts.next().unwrap_or_default(), parts.next());
    let command = names::of_ports();
    let flag = names::settings(&command).find(|(name, _)| *name == key);
    let value = match (flag, value) {
        (None, _) => {
            let known = names::keys(&command);
            return Err(names::unknown("unknown port setting", key, &known));
        }
        (_, Some(value)) => Json::from(value),
        (Some((_, flag)), None) if flag.get_action().takes_values() => {
            return Err(format!("`{key}` needs a value"));
        }
        (Some(_), None) => Json::from(true),
    };
    check(key, &value).map(|()| (key, value))
}

impl Display for PortArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            write!(f, "{name}=")?;
        }
        self.spec.fmt(f)?;
        for (key, value) in names::map(&self.settings) {
            match value {
                Json::Bool(true) => write!(f, ",{key}")?,
                Json::String(text) => write!(f, ",{key}={text}")?,
                value => write!(f, ",{key}={value}")?,
            }
        }
        Ok(())
    }
}
