//! The layers of settings. Precedence: flag, environment variable, profile, rest of the file,
//! default. Remembers where each value came from, so that errors and `serial-ws config` can say it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, Error, FromArgMatches};
use serde_json::Value as Json;

use super::file::ConfigFile;
use super::names::{self, DEFAULTS, Values};
use super::port::{self, PORT, PortArg};
use super::upstream::UPSTREAM_KEYS;
use super::usage::in_a_sentence;
use super::value::{MAX_TIMES, NONE};
use super::variables::{SECRETS, name_variable, with_variables};
use super::{Config, text};
use crate::cli::{self, Cli, DEVICES, Settings, SharingArgs};
use crate::platform;
use crate::terminal::safe_line;

/// The name of the file in its usual folder.
const FILE_NAME: &str = "config.toml";

/// The settings whose values are paths.
const PATHS: [&str; 9] = [
    "web",
    "token",
    "lan-token",
    "tls-cert",
    "tls-key",
    "mqtt-password",
    "mqtt-ca",
    "record",
    "save",
];

/// The command line, with what the environment and the configuration file add to it.
#[derive(Debug)]
pub(crate) struct Invocation {
    /// The command to run instead of sharing ports.
    pub(crate) command: Option<cli::Command>,
    /// The settings in force.
    pub(crate) settings: Settings,
    /// The same by their keys, and where each comes from.
    pub(super) layer: Layer,
    /// The configuration file, if there is one.
    pub(crate) file: Option<PathBuf>,
}

/// Settings that come from the same place, or are laid over each other.
#[derive(Debug, Default)]
pub(super) struct Layer {
    /// The values. One that was emptied is null: it overrides what is below, and has its default.
    pub(super) values: Values,
    /// The places that set the values. A list has as many as items, or one for all of them; a
    /// default has none. The settings of a port's own table are under [`port::source_key`].
    pub(super) sources: BTreeMap<String, Vec<SetBy>>,
}

/// The place that set a value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum SetBy {
    /// A flag.
    Flag,
    /// An argument that is no flag: a device.
    Argument,
    /// An environment variable.
    Variable(String),
    /// A line of the configuration file.
    Line(PathBuf, usize),
}

impl fmt::Display for SetBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Argument => f.write_str("argument"),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Line(path, line) => write!(f, "{}:{line}", path.display()),
        }
    }
}

impl SetBy {
    /// Returns the place that set `key`, in the user's words. Clients are told it, so a file has no
    /// folder.
    pub(super) fn place(&self, key: &str) -> String {
        match self {
            Self::Flag | Self::Argument => format!("--{key}"),
            Self::Variable(name) => format!("the variable {name}"),
            Self::Line(path, line) => {
                let file = path.file_name().unwrap_or_default().display();
                format!("{file}:{line}")
            }
        }
    }
}

impl Invocation {
    /// Reads the arguments of the program, the first of which is its name, and the configuration
    /// file.
    ///
    /// # Errors
    /// For help, and for what is wrong.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, Error> {
        Self::new(with_variables(), arguments, usual_place())
    }

    /// Does the same for a service, which has neither our variables nor our usual place.
    ///
    /// # Errors
    /// For help, and for what is wrong.
    pub(crate) fn of_service(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, Error> {
        Self::new(names::without_variables(), arguments, None)
    }

    fn new(
        command: Command,
        arguments: impl IntoIterator<Item = OsString>,
        usual_place: Option<PathBuf>,
    ) -> Result<Self, Error> {
        let matches = command.clone().try_get_matches_from(arguments);
        let matches = matches.map_err(|error| in_a_sentence(name_variable(error)))?;
        check_order(&matches)?;
        let cli = Cli::from_arg_matches(&matches)?;
        let sharing = cli.sharing();
        let shares_ports = sharing.is_some();
        let own = matches.subcommand().filter(|_| shares_ports);
        let own = own.map_or(&matches, |(_, own)| own);
        let (bridge, devices) = sharing.unwrap_or((&cli.sharing.bridge, Vec::new()));
        let mut typed = Settings {
            bridge: bridge.clone(),
            log: cli.log.clone(),
        };
        typed.log.verbose = typed.log.verbose.min(MAX_TIMES);
        let sources = add_devices(&mut typed.bridge.port, &devices, own)?;
        let mut layer = Layer::of_flags(&command, own, &typed);
        if let Some(sources) = sources {
            let ports = names::values(&typed).remove(PORT).unwrap_or_default();
            layer.values.insert(PORT.to_owned(), ports);
            layer.sources.insert(PORT.to_owned(), sources);
        }
        let file = shares_ports.then(|| find(&typed, usual_place));
        let file = file.transpose()?.flatten();
        if let Some((path, text)) = &file {
            let profile = typed.bridge.profile.as_deref();
            for lower in ConfigFile::new(path, text).layers(profile).map_err(raw)? {
                layer.add(lower);
            }
        }
        layer.values.retain(|_, value| !value.is_null());
        layer.add(Layer {
            values: DEFAULTS.clone(),
            ..Layer::default()
        });
        let settings = names::typed(layer.values.clone());
        let mut settings: Settings = settings.map_err(raw)?;
        settings.bridge.profile = typed.bridge.profile;
        Ok(Self {
            command: cli.command,
            settings,
            layer,
            file: file.map(|(path, _)| path),
        })
    }

    /// Tells whether a flag, a variable or the file has a setting.
    pub(crate) fn is_given(&self, key: &str) -> bool {
        self.layer.source(key, 0).is_some()
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// Names what is wrong in the words of the place that set it.
    pub(crate) fn config(&self) -> Result<Config, Error> {
        Config::new(&self.settings, &self.layer)
    }
}

impl Layer {
    /// Returns the settings that the command line and the environment set.
    fn of_flags(command: &Command, matches: &ArgMatches, typed: &Settings) -> Self {
        let mut layer = Self::default();
        let mut values = names::values(typed);
        for flag in command.get_arguments() {
            let Some(key) = flag.get_long() else {
                continue;
            };
            let source = match (matches.value_source(flag.get_id().as_str()), flag.get_env()) {
                (Some(ValueSource::CommandLine), _) => SetBy::Flag,
                (Some(ValueSource::EnvVariable), Some(name)) => {
                    SetBy::Variable(name.display().to_string())
                }
                _ => continue,
            };
            if let Some((key, value)) = values.remove_entry(key) {
                layer.sources.insert(key.clone(), vec![source]);
                layer.values.insert(key, value);
            }
        }
        // They hold the tokens themselves, where the flags have files.
        for (key, variable) in SECRETS {
            if std::env::var_os(variable).is_some() && !layer.values.contains_key(key) {
                let source = SetBy::Variable(variable.to_owned());
                layer.sources.insert(key.to_owned(), vec![source]);
                layer.values.insert(key.to_owned(), Json::Null);
            }
        }
        layer.make_absolute(&std::env::current_dir().unwrap_or_default());
        layer
    }

    /// Takes from `lower` what is not set here. A setting that is set here also takes the place of
    /// those that it excludes, and of those that a port of `lower` has for itself.
    fn add(&mut self, mut lower: Self) {
        let is_seen = |key: &str| !names::hides(&self.values, key);
        let ports = lower.values.get_mut(PORT).and_then(Json::as_array_mut);
        let ports = ports.into_iter().flatten();
        for port in ports.filter_map(Json::as_object_mut) {
            port.retain(|key, _| is_seen(key) || UPSTREAM_KEYS.contains(&key.as_str()));
        }
        lower.values.retain(|key, _| is_seen(key));
        lower
            .sources
            .retain(|key, _| is_seen(port::key_of_source(key)));
        self.values.extend(lower.values);
        self.sources.extend(lower.sources);
    }

    /// Returns the error about a value, or an item of a list, in the words of the place that set it.
    pub(super) fn error(&self, key: &str, index: usize, text: &str) -> Error {
        match self.source(key, index) {
            Some(SetBy::Variable(name)) => raw(format!("{name}: {text}")),
            Some(line @ SetBy::Line(..)) => raw(format!("{line}: `{key}`: {text}")),
            Some(SetBy::Argument) => wrong_usage(text),
            Some(SetBy::Flag) | None => wrong_usage(&format!("--{key}: {text}")),
        }
    }

    /// Returns the place that set a value, or an item of a list; None for a default.
    pub(super) fn source(&self, key: &str, index: usize) -> Option<&SetBy> {
        let places = self.sources.get(key)?;
        places.get(index).or(places.last())
    }

    /// Makes relative paths begin in `folder`.
    pub(super) fn make_absolute(&mut self, folder: &Path) {
        make_absolute(&mut self.values, folder);
        if let Some(Json::Array(ports)) = self.values.get_mut(PORT) {
            let ports = ports.iter_mut().filter_map(Json::as_object_mut);
            ports.for_each(|port| make_absolute(port, folder));
        }
    }
}

fn make_absolute(values: &mut Values, folder: &Path) {
    for key in PATHS {
        if let Some(Json::String(path)) = values.get_mut(key)
            && path != NONE
        {
            *path = folder.join(&*path).to_string_lossy().into_owned();
        }
    }
}

/// Checks that nothing stands before a command that is not for it: the flags for sharing ports
/// come behind the commands that take them.
fn check_order(matches: &ArgMatches) -> Result<(), Error> {
    let Some((command, _)) = matches.subcommand() else {
        return Ok(());
    };
    let sharing = SharingArgs::augment_args(Command::new("sharing"));
    let is_typed = |arg: &&clap::Arg| {
        matches.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine)
    };
    let Some(arg) = sharing.get_arguments().find(is_typed) else {
        return Ok(());
    };
    let what = match arg.get_long() {
        Some(flag) => format!("--{flag}"),
        None => "a device".to_owned(),
    };
    Err(wrong_usage(&format!(
        "{what} cannot stand before the command `{command}`; did you mean `serial-ws {command}`?"
    )))
}

/// Adds the devices of the command line to the ports of its flags, in the order in which they were
/// typed, and returns where the ports come from if there are any devices.
fn add_devices(
    ports: &mut Vec<PortArg>,
    devices: &[(usize, &str)],
    matches: &ArgMatches,
) -> Result<Option<Vec<SetBy>>, Error> {
    if devices.is_empty() {
        return Ok(None);
    }
    let is_typed = matches.value_source(PORT) == Some(ValueSource::CommandLine);
    let typed = is_typed.then(|| matches.indices_of(PORT)).flatten();
    let typed = typed.into_iter().flatten().zip(ports.drain(..));
    let mut all: Vec<_> = typed.map(|(at, port)| (at, port, SetBy::Flag)).collect();
    let places: Vec<_> = matches.indices_of(DEVICES).into_iter().flatten().collect();
    for &(number, device) in devices {
        let at = places.get(number).copied().unwrap_or_default();
        let port = PortArg::argument(device).map_err(|text| wrong_usage(&text))?;
        all.push((at, port, SetBy::Argument));
    }
    all.sort_by_key(|(at, ..)| *at);
    let (found, sources) = all
        .into_iter()
        .map(|(_, port, source)| (port, source))
        .unzip();
    *ports = found;
    Ok(Some(sources))
}

/// Returns the usual place of the configuration file on this system.
pub(super) fn usual_place() -> Option<PathBuf> {
    platform::config_folder().map(|folder| folder.join(FILE_NAME))
}

/// Reads the file that was named, or the one in the usual place, which need not exist.
fn find(typed: &Settings, usual: Option<PathBuf>) -> Result<Option<(PathBuf, String)>, Error> {
    let named = &typed.bridge.config;
    let Some(path) = named.clone().or(usual) else {
        return Ok(None);
    };
    let is_needed = named.is_some() || typed.bridge.profile.is_some();
    let missing = [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory];
    match platform::check_private(&path).and_then(|()| text::read(&path)) {
        Ok(text) => Ok(Some((path, text))),
        Err(error) if missing.contains(&error.kind()) && !is_needed => Ok(None),
        Err(error) => {
            let file = format!("the configuration file {}", path.display());
            Err(raw(format!(
                "cannot read {file}: {}",
                platform::reason(&error)
            )))
        }
    }
}

/// Returns an error about the command line.
pub(super) fn wrong_usage(text: &str) -> Error {
    let text = safe_line(text);
    Error::raw(
        ErrorKind::ValueValidation,
        format!("{text}\n\nFor more information, try '--help'.\n"),
    )
}

/// Returns an error in one line, without advice on flags.
pub(super) fn raw(text: String) -> Error {
    Error::raw(ErrorKind::ValueValidation, safe_line(&text) + "\n")
}
