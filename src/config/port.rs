//! `--port`: which device a port is, what it is called, and its own settings.

use std::collections::HashSet;
use std::fmt::{self, Display};

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::value::{Invalid, Value, get};
use super::{SharedPort, names};
use crate::cli::{PortArgs, is_on};
use crate::hub::LineSettings;
use crate::port::source::spec::Spec;
use crate::port::{PortConfig, is_name};
use crate::server::ClientDefaults;
use crate::view::View;

/// A port as users write it: `[NAME=]SPEC[,SETTING…]`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PortArg {
    /// Its name, if it was given one.
    pub(crate) name: Option<String>,
    /// The device.
    pub(crate) spec: Spec,
    /// The settings for this port only.
    pub(crate) settings: PortArgs,
}

impl PortArg {
    /// Returns the port with this specification and no settings.
    pub(crate) fn new(name: Option<&str>, spec: &str) -> Result<Self, Invalid> {
        let because = |error: anyhow::Error| Invalid::Because(format!("{error:#}"));
        let spec: Spec = spec.parse().map_err(because)?;
        let name = name.map(str::to_owned);
        let settings = PortArgs::default();
        Ok(Self {
            name,
            spec,
            settings,
        })
    }

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

impl Value for PortArg {
    fn parse(text: &str) -> Result<Self, Invalid> {
        let (name, rest) = match text.split_once('=') {
            Some((name, rest)) if is_name(name) => (Some(name), rest),
            _ => (None, text),
        };
        let mut parts = rest.split(',');
        let mut port = Self::new(name, parts.next().unwrap_or_default())?;
        let mut seen = HashSet::new();
        for part in parts {
            let (key, value) = part
                .split_once('=')
                .map_or((part, None), |(k, v)| (k, Some(v)));
            let setting = setting(key, value).map_err(Invalid::Because)?;
            if !seen.insert(key) {
                return Err(Invalid::Because(format!("`{key}` is set twice")));
            }
            port.settings = setting.or(port.settings);
        }
        Ok(port)
    }

    fn show(&self) -> Json {
        self.to_string().into()
    }
}

/// Reads one setting of a port, such as `baud=115200` or `raw`.
fn setting(key: &str, value: Option<&str>) -> Result<PortArgs, String> {
    let command = names::of_ports();
    let Some((_, flag)) = names::settings(&command).find(|(name, _)| *name == key) else {
        let known = names::keys(&command);
        return Err(names::unknown("unknown port setting", key, &known));
    };
    let value = match value {
        Some(value) => Json::from(value),
        None if flag.get_action().takes_values() => return Err(format!("`{key}` needs a value")),
        None => Json::from(true),
    };
    PortArgs::deserialize(json!({ key: value })).map_err(|error| format!("`{key}` {error}"))
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
