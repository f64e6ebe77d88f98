//! The layers of settings. Precedence: flag, environment variable, profile, rest of the file,
//! default. Remembers where each value came from, so that errors and `serial-ws config` can say it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Command, CommandFactory, Error, FromArgMatches};

use super::file;
use super::server::TOKEN_VARIABLE;
use super::value::Setting;
use super::{Config, SettingError, names, text};
use crate::cli::{self, BridgeArgs, Cli, Settings};
use crate::platform;

/// The name of the file in its usual folder.
const FILE_NAME: &str = "config.toml";

/// The command line, with what the environment and the configuration file add to it.
#[derive(Debug)]
pub(crate) struct Invocation {
    /// The command to run instead of sharing ports.
    pub(crate) command: Option<cli::Command>,
    /// The settings in force, each of which is set unless it has no default.
    pub(crate) settings: Settings,
    /// The places that set something other than a default, by the key. A list has as many as
    /// values, or one for all of them.
    pub(super) sources: BTreeMap<String, Vec<SetBy>>,
    /// The configuration file, if there is one.
    pub(crate) file: Option<PathBuf>,
}

/// The place that set a value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum SetBy {
    /// The command line.
    Flag,
    /// An environment variable.
    Variable(String),
    /// A line of the configuration file.
    Line(PathBuf, usize),
}

impl fmt::Display for SetBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Line(path, line) => write!(f, "{}:{line}", path.display()),
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
        Self::new(Cli::command(), arguments, usual_place())
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
        let matches = command.clone().try_get_matches_from(arguments)?;
        let mut cli = Cli::from_arg_matches(&matches)?;
        let own = matches.subcommand().map_or(&matches, |(_, own)| own);
        let bridge = cli.bridge().cloned();
        let sources = bridge
            .as_ref()
            .map_or_else(BTreeMap::new, |_| sources(&command, own));
        let typed = Settings {
            bridge: bridge.clone().unwrap_or_default(),
            log: cli.log.clone(),
        };
        let defaults = typed.clone().filter(&|key| !sources.contains_key(key));
        let mut all = Self {
            command: cli.command.take(),
            settings: typed.filter(&|key| sources.contains_key(key)),
            sources,
            file: None,
        };
        if let Some(bridge) = bridge
            && let Some((path, text)) = find(&bridge, usual_place)?
        {
            all.add_file(path, &text, bridge.profile.as_deref())?;
        }
        all.settings = all.settings.over(defaults);
        Ok(all)
    }

    /// Adds the settings of a file.
    fn add_file(&mut self, path: PathBuf, text: &str, profile: Option<&str>) -> Result<(), Error> {
        let wrong = |(line, text): file::FileError| match line {
            Some(line) => raw(format!("{}:{line}: {text}", path.display())),
            None => raw(format!("{}: {text}", path.display())),
        };
        let folder = std::path::absolute(&path).unwrap_or_else(|_| path.clone());
        let folder = folder.parent().unwrap_or(&folder);
        for layer in file::read(text, profile).map_err(wrong)? {
            // A value that was emptied is not set, and yet overrides what is below.
            let mut settings = layer
                .settings
                .filter(&|key| !self.sources.contains_key(key));
            settings.make_absolute(folder);
            self.settings = std::mem::take(&mut self.settings).over(settings);
            for (key, lines) in layer.lines {
                let lines = lines
                    .into_iter()
                    .map(|line| SetBy::Line(path.clone(), line));
                self.sources.entry(key).or_insert_with(|| lines.collect());
            }
        }
        self.file = Some(path);
        Ok(())
    }

    /// Tells whether a setting is no default.
    pub(super) fn is_set(&self, key: &str) -> bool {
        self.sources.contains_key(key) && names::map(&self.settings).contains_key(key)
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// Names what is wrong in the words of the place that set it.
    pub(crate) fn config(&self) -> Result<Config, Error> {
        let is_listen_set = self.is_set("listen");
        Config::new(self.settings.clone(), is_listen_set).map_err(|error| self.explain(&error))
    }

    /// Returns an error in the words of the place that set the value.
    fn explain(&self, SettingError { key, index, text }: &SettingError) -> Error {
        let places = self.sources.get(*key);
        match places.and_then(|places| places.get(*index).or(places.last())) {
            Some(SetBy::Variable(name)) => raw(format!("{name}: {text}")),
            Some(line @ SetBy::Line(..)) => raw(format!("{line}: `{key}`: {text}")),
            Some(SetBy::Flag) | None => {
                let text = format!("--{key}: {text}");
                Cli::command().error(ErrorKind::ValueValidation, text)
            }
        }
    }
}

impl Settings {
    /// Takes from `lower` what is not set here. A setting that is set here also takes the place of
    /// those that it excludes, and of those that a port of `lower` has for itself.
    fn over(self, lower: Self) -> Self {
        let upper = names::map(&self);
        let keep = |key: &str| !names::excludes(&upper, key);
        let mut lower = lower.filter(&keep);
        for Setting(port) in lower.bridge.port.iter_mut().flatten() {
            let keep = |key: &str| keep(key) && !upper.contains_key(key);
            port.settings = port.settings.clone().filter(&keep);
        }
        self.or(lower)
    }

    /// Makes relative paths begin in `folder`.
    pub(super) fn make_absolute(&mut self, folder: &Path) {
        let serve = &mut self.bridge.serve;
        let paths = [
            &mut serve.web,
            &mut serve.token,
            &mut serve.tls_cert,
            &mut serve.tls_key,
        ];
        for Setting(path) in paths.into_iter().flatten() {
            *path = folder.join(&path);
        }
    }
}

/// Returns the settings that the command line and the environment set.
fn sources(command: &Command, matches: &ArgMatches) -> BTreeMap<String, Vec<SetBy>> {
    let flags = command.get_arguments().filter_map(|flag| {
        let source = match (
            matches.value_source(flag.get_id().as_str())?,
            flag.get_env(),
        ) {
            (ValueSource::CommandLine, _) => SetBy::Flag,
            (ValueSource::EnvVariable, Some(name)) => SetBy::Variable(name.display().to_string()),
            _ => return None,
        };
        Some((flag.get_long()?.to_owned(), vec![source]))
    });
    let mut sources: BTreeMap<_, _> = flags.collect();
    // It holds the token itself, where the flag has a file.
    if std::env::var_os(TOKEN_VARIABLE).is_some() {
        let variable = SetBy::Variable(TOKEN_VARIABLE.to_owned());
        sources
            .entry("token".to_owned())
            .or_insert_with(|| vec![variable]);
    }
    sources
}

/// Returns the usual place of the configuration file on this system.
pub(super) fn usual_place() -> Option<PathBuf> {
    platform::config_folder().map(|folder| folder.join(FILE_NAME))
}

/// Reads the file that was named, or the one in the usual place, which need not exist.
fn find(args: &BridgeArgs, usual: Option<PathBuf>) -> Result<Option<(PathBuf, String)>, Error> {
    let Some(path) = args.config.clone().or(usual) else {
        return Ok(None);
    };
    let is_needed = args.config.is_some() || args.profile.is_some();
    let is_missing = |error: &io::Error| {
        matches!(
            error.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
        )
    };
    match text::read(&path) {
        Ok(text) => Ok(Some((path, text))),
        Err(error) if is_missing(&error) && !is_needed => Ok(None),
        Err(error) => {
            let path = path.display();
            Err(raw(format!(
                "cannot read the configuration file {path}: {error}"
            )))
        }
    }
}

/// Returns an error in one line, without advice on flags.
fn raw(text: String) -> Error {
    Error::raw(ErrorKind::ValueValidation, text + "\n")
}
