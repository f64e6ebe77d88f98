//! `--port`: which device a port is, what it is called, and its own settings.

use std::fmt::{self, Display};
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value as Json, json};

use super::device::{self, Place};
use super::grammar;
use super::layers::{Layer, SetBy};
use super::names::{self, DEFAULTS, PORT_DEFAULTS, Values};
use super::playback::{self, PLAY_KEYS, PlayArgs, RECORDING};
use super::poll;
use super::upstream::{self, UPSTREAM_KEYS, UpstreamArgs};
use super::value::{AUTO, Setting};
use super::{SharedPort, port_values, recordings};
use crate::cli::PortArgs;
use crate::hub::{LineSettings, RequestLimits};
use crate::output::{OutputConfig, OutputKind};
use crate::port::source::spec::{Spec, quoted};
use crate::port::{FixedSettings, PortConfig};
use crate::server::ClientDefaults;
use crate::terminal::shown;

/// The key of ports.
pub(super) const PORT: &str = "port";

/// The key of the device of a port.
const SPEC: &str = "spec";

/// The key of the name of a port.
const NAME: &str = "name";

/// A port as users write it, `[NAME=]SPEC[,SETTING…]` or a table: its name, its device, and the
/// settings that only this port has.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PortArg(pub(super) Values);

/// A port with all its settings.
#[derive(Args, Deserialize, Serialize)]
pub(super) struct PortTable {
    /// Its name, if it was given one.
    #[arg(skip)]
    #[serde(skip_serializing)]
    name: Option<String>,
    /// Its settings.
    #[command(flatten)]
    #[serde(flatten)]
    settings: PortArgs,
    /// The device.
    #[arg(long, default_value = "auto")]
    spec: Setting<Spec>,
    /// The settings of a recording.
    #[command(flatten)]
    #[serde(flatten)]
    play: PlayArgs,
    /// The access to another serial-ws.
    #[command(flatten)]
    #[serde(flatten)]
    upstream: UpstreamArgs,
}

impl PortArg {
    /// Returns a port without settings.
    pub(super) fn new(name: Option<&str>, spec: &Spec) -> Self {
        let (name, spec) = (json!(name), spec.to_string().into());
        Self(Values::from_iter([
            (NAME.to_owned(), name),
            (SPEC.to_owned(), spec),
        ]))
    }

    /// Reads a port that stands alone on the command line.
    pub(super) fn argument(text: &str) -> Result<Self, String> {
        Self::parse(text, Place::Argument)
    }

    fn parse(text: &str, place: Place) -> Result<Self, String> {
        let typed = grammar::split(text)?;
        let spec = device::read(typed.spec, place).map_err(|why| {
            // `baud=9600` has the form of a port that is called baud.
            let setting = typed.name.filter(|name| DEFAULTS.contains_key(*name));
            match setting.filter(|_| place == Place::Argument) {
                Some(key) => format!(
                    "`{key}` is a setting; did you mean `--{key} {}`?",
                    shown(typed.spec)
                ),
                None => why,
            }
        })?;
        let mut port = Self::new(typed.name, &spec);
        for (key, value) in typed.settings {
            port.set_typed(key, value)?;
        }
        Ok(port)
    }

    /// Reads a setting that stands behind a comma.
    fn set_typed(&mut self, key: &str, value: Option<&str>) -> Result<(), String> {
        let Some(default) = PORT_DEFAULTS.get(key) else {
            let known = PORT_DEFAULTS.keys().map(String::as_str);
            let known: Vec<_> = known.filter(|key| *key != SPEC).collect();
            return Err(match key {
                "" => "expected a setting after each comma, such as baud=9600".to_owned(),
                _ => names::unknown("unknown port setting", key, &known),
            });
        };
        if value.is_none() && default.is_null() {
            return Err(format!("`{key}` needs a value"));
        }
        if value.is_none() && !default.is_boolean() {
            return Err(format!(
                "`{key}` needs a value, such as {key}={}",
                text(default)
            ));
        }
        if self.0.contains_key(key) {
            return Err(format!("`{key}` is set twice"));
        }
        self.set(key, &value.map_or(Json::Bool(true), Json::from))
    }

    /// Reads a setting of the port. An error is a sentence that begins with the key.
    pub(super) fn set(&mut self, key: &str, value: &Json) -> Result<(), String> {
        if let (SPEC, Some(spec)) = (key, value.as_str()) {
            check_alone(spec)
                .map_err(|why| format!("`{key}` cannot be \"{}\": {why}", shown(spec)))?;
        }
        let value = names::read::<PortTable>(&PORT_DEFAULTS, key, value)?;
        self.0.insert(key.to_owned(), value);
        Ok(())
    }

    /// Returns the configuration of the port, which is the one at `index`. `common` has the settings
    /// that it does not have.
    pub(super) fn resolve(
        &self,
        common: &Layer,
        index: usize,
        no_wait: bool,
    ) -> Result<SharedPort, String> {
        let mut all = common.values.clone();
        all.retain(|key, _| !names::hides(&self.0, key));
        // No flag sets them for all ports.
        let own = PLAY_KEYS.iter().chain(&UPSTREAM_KEYS);
        all.extend(own.map(|key| ((*key).to_owned(), PORT_DEFAULTS[*key].clone())));
        all.extend(self.0.clone());
        let table: PortTable = names::typed(all)?;
        let (spec, args) = (table.spec.value, table.settings);
        let is_recording = matches!(spec, Spec::Play(_));
        playback::check_keys(&self.0, is_recording)?;
        upstream::check_keys(&self.0, &spec)?;
        let clients = ClientDefaults {
            view: args.view(),
            append: *args.append,
            read_only: *args.read_only,
        };
        let outputs = outputs(&args);
        let (recorder, saver) = (recordings::recorder(&args), recordings::saver(&args));
        recordings::check_keys(&self.0, saver.is_some())?;
        let requests = request_limits(&args);
        let poll = poll::poll(&args).filter(|_| !is_recording);
        poll::check_keys(&self.0, is_recording, poll.is_some())?;
        let expects = port_values::expected_data(clients.view, &args.frame);
        let port = PortConfig {
            name: table.name.unwrap_or_else(|| spec.default_name()),
            spec,
            line: line_settings(&args),
            // A recording has the settings with which it was made.
            fixed: if is_recording {
                FixedSettings::all(RECORDING)
            } else {
                self.fixed(common, index)
            },
            detects_rate: args.baud.rate().is_none() && !is_recording,
            frame: args.frame.value,
            pace: *args.pace,
            poll,
            max_line: args.max_line.0 as usize,
            expects,
            upstream: table.upstream.access(),
            may_be_chosen: false,
            play: table.play.options(),
            no_wait,
        };
        Ok(SharedPort {
            port,
            clients,
            requests,
            outputs,
            recorder,
            saver,
        })
    }

    /// Returns the line settings that were given for the port explicitly, and where.
    fn fixed(&self, common: &Layer, index: usize) -> FixedSettings {
        let place = |key: &str| match self.0.get(key) {
            Some(own) if is_choice(own) => Some(self.place(common, index, key, own)),
            Some(_) => None,
            None if is_choice(common.values.get(key)?) => Some(common.source(key, 0)?.place(key)),
            None => None,
        };
        FixedSettings {
            baud: place("baud"),
            data_bits: place("data-bits"),
            parity: place("parity"),
            stop_bits: place("stop-bits"),
            flow_control: place("flow-control"),
            dtr: place("dtr"),
            rts: place("rts"),
            are_final: false,
        }
    }

    /// Returns the error about a setting of the port at `index`: its own one, or that of all ports.
    pub(super) fn error(
        &self,
        (layer, index): (&Layer, usize),
        (key, value): (&str, &dyn Display),
        why: &str,
    ) -> clap::Error {
        if self.0.contains_key(key) {
            layer.error(PORT, index, &format!("{self}: {why}"))
        } else {
            layer.error(key, 0, &format!("{value}: {why}"))
        }
    }

    /// Returns the place that gave this port a setting of its own.
    fn place(&self, common: &Layer, index: usize, key: &str, value: &Json) -> String {
        let name = self.0.get(NAME).and_then(Json::as_str);
        let in_table = name.and_then(|name| common.source(&source_key(name, key), 0));
        match in_table.or_else(|| common.source(PORT, index)) {
            None | Some(SetBy::Flag) => format!("--{PORT} …,{key}={}", text(value)),
            Some(SetBy::Argument) => format!("…,{key}={}", text(value)),
            Some(source) => source.place(PORT),
        }
    }
}

fn request_limits(args: &PortArgs) -> RequestLimits {
    RequestLimits {
        max_write_rate: args.max_write_rate.0 as u32,
        lock: *args.lock,
        lock_idle: Some(*args.lock_idle).filter(|idle| *idle > Duration::ZERO),
        ..RequestLimits::default()
    }
}

/// Returns the line settings of a port, with the usual rate where it is to be found.
fn line_settings(args: &PortArgs) -> LineSettings {
    LineSettings {
        baud: args.baud.rate().unwrap_or(LineSettings::default().baud),
        baud_auto: false,
        baud_detected: false,
        data_bits: args.data_bits.0 as u8,
        parity: *args.parity,
        stop_bits: args.stop_bits.0 as u8,
        flow_control: *args.flow_control,
        dtr: *args.dtr,
        rts: *args.rts,
        no_reset: *args.no_reset,
        low_latency: !*args.no_low_latency,
        settle: *args.settle,
    }
}

/// Returns the outputs of a port. Who may write is decided when all settings are known.
fn outputs(args: &PortArgs) -> Vec<OutputConfig> {
    let kinds = [
        args.tcp.map(OutputKind::Tcp),
        args.rfc2217.map(OutputKind::Rfc2217),
        args.pty.value.clone().map(OutputKind::Pty),
    ];
    let outputs = kinds.into_iter().flatten().map(|kind| OutputConfig {
        kind,
        may_write: false,
    });
    outputs.collect()
}

/// Returns the key of the source of a setting in the table of a port. No setting has a dot.
pub(super) fn source_key(name: &str, key: &str) -> String {
    format!("{PORT}.{name}.{key}")
}

/// Returns the setting that a source is about: for one of a port's table, the ports as a whole.
pub(super) fn key_of_source(key: &str) -> &str {
    key.split('.').next().unwrap_or(key)
}

/// Returns false for a value that leaves the choice to serial-ws.
fn is_choice(value: &Json) -> bool {
    *value != json!(AUTO)
}

impl FromStr for PortArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text, Place::Setting)
    }
}

impl<'de> Deserialize<'de> for PortArg {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Json::deserialize(deserializer)? {
            Json::String(text) => text.parse().map_err(D::Error::custom),
            Json::Object(port) if port.contains_key(NAME) => Ok(Self(port)),
            _ => Err(D::Error::custom(
                "expected a port as after --port, or [port.NAME]",
            )),
        }
    }
}

impl Display for PortArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (key, value) in &self.0 {
            match (&**key, value) {
                (NAME, Json::Null) => {}
                (NAME, name) => write!(f, "{}=", text(name))?,
                (SPEC, spec) => f.write_str(&text(spec))?,
                (key, Json::Bool(true)) => write!(f, ",{key}")?,
                (key, value) => write!(f, ",{key}={}", quoted(&text(value)))?,
            }
        }
        Ok(())
    }
}

/// Checks a SPEC that has no settings behind it.
fn check_alone(text: &str) -> Result<(), String> {
    let typed = grammar::split(text)?;
    if typed.name.is_some() || !typed.settings.is_empty() {
        let rule =
            "in a file, the name stands in [port.NAME], and each setting is a key of its own";
        return Err(rule.to_owned());
    }
    device::read(text, Place::Setting).map(drop)
}

/// Returns a value without quotes.
fn text(value: &Json) -> String {
    let text = value.as_str().map(str::to_owned);
    text.unwrap_or_else(|| value.to_string())
}
