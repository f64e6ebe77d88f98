//! What the bridge is told, and by whom: a flag counts more than an environment variable, that
//! more than the configuration file, in it a profile more than the rest, and all of them more than
//! a default. What the file says is put among the flags, so that it means the same there.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Command, CommandFactory, Error, FromArgMatches, ValueHint};

use super::said::{Mistake, Said};
use super::server::TOKEN_VARIABLE;
use super::{check, file, names, text};
use crate::cli::Cli;
use crate::platform;

/// What the file is called in its usual place.
const FILE_NAME: &str = "config.toml";

/// Commands that take the flags of the bridge, to tell what it would do.
const WITH_FLAGS: [&str; 2] = ["config", "doctor"];

/// All that the program was told.
#[derive(Debug)]
pub(crate) struct Told {
    /// What it comes to.
    pub(crate) cli: Cli,
    /// The same, by the names of the flags.
    pub(super) matches: ArgMatches,
    /// The configuration file, where there is one.
    pub(super) file: Option<File>,
}

/// A configuration file that was read.
#[derive(Debug)]
pub(super) struct File {
    /// As it was named.
    pub(crate) path: PathBuf,
    /// What it says that nothing else overrides.
    pub(crate) said: Vec<Said>,
}

/// Flags that were said something about, which what counts less cannot change.
struct Given<'a> {
    command: &'a Command,
    /// By their long names, and whether they are to be given.
    flags: Vec<(String, bool)>,
}

impl Told {
    /// Understands the arguments of the program, the first of which is its name, and adds what the
    /// configuration file says.
    ///
    /// # Errors
    /// For help, and for what was wrong.
    pub(crate) fn new(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, Error> {
        Self::read(Cli::command, arguments.into_iter().collect(), usual_place())
    }

    /// The same for a service, which has neither our variables nor our usual place.
    ///
    /// # Errors
    /// For help, and for what was wrong.
    pub(crate) fn of_service(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, Error> {
        Self::read(
            names::without_variables,
            arguments.into_iter().collect(),
            None,
        )
    }

    fn read(
        typed: impl Fn() -> Command,
        mut words: Vec<OsString>,
        usual: Option<PathBuf>,
    ) -> Result<Self, Error> {
        let matches = typed().try_get_matches_from(&words)?;
        let bridge = of_bridge(&matches);
        let found = bridge
            .map(|bridge| find(bridge, usual))
            .transpose()?
            .flatten();
        let (Some(bridge), Some((path, text))) = (bridge, found) else {
            let (cli, file) = (Cli::from_arg_matches(&matches)?, None);
            let matches = bridge.unwrap_or(&matches).clone();
            return Ok(Self { cli, matches, file });
        };
        let mut command = typed();
        command.build();
        let wrong = |mistake: Mistake| wrong(&path, mistake);
        let profile: Option<&String> = bridge.get_one("profile");
        let layers = file::read(&text, profile.map(String::as_str), &command).map_err(wrong)?;
        let mut said = merge(layers, Given::on_command_line(bridge, &command));
        let folder = std::path::absolute(&path).unwrap_or_else(|_| path.clone());
        make_whole(&mut said, folder.parent().unwrap_or(&folder), &command);
        check::each(&said).map_err(wrong)?;
        // The flags of a subcommand follow it, and nothing comes before it.
        let at = 1 + usize::from(matches.subcommand().is_some());
        words.splice(at..at, said.iter().flat_map(Said::words));
        let matches = typed()
            .try_get_matches_from(&words)
            .map_err(|error| wrong(check::together(&error, &said)))?;
        let cli = Cli::from_arg_matches(&matches)?;
        let matches = of_bridge(&matches).cloned().unwrap_or_default();
        let file = Some(File { path, said });
        Ok(Self { cli, matches, file })
    }

    /// The configuration file that was read.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.file.as_ref().map(|file| file.path.as_path())
    }
}

impl<'a> Given<'a> {
    fn on_command_line(matches: &ArgMatches, command: &'a Command) -> Self {
        let is_given = |id: &str| {
            let source = matches.value_source(id);
            matches!(
                source,
                Some(ValueSource::CommandLine | ValueSource::EnvVariable)
            )
        };
        let flags = names::settings(command).filter(|flag| is_given(flag.get_id().as_str()));
        let names = flags.filter_map(|flag| flag.get_long());
        // The one flag whose variable has another kind of value.
        let token = std::env::var_os(TOKEN_VARIABLE).map(|_| "token");
        let flags = names.chain(token).map(|name| (name.to_owned(), true));
        Self {
            command,
            flags: flags.collect(),
        }
    }

    fn overrides(&self, name: &str) -> bool {
        let excludes = |given| names::exclude(self.command, given, name);
        let mut flags = self.flags.iter();
        flags.any(|(given, is_given)| given == name || (*is_given && excludes(given)))
    }
}

/// The flags of the bridge, if they are what was typed.
fn of_bridge(matches: &ArgMatches) -> Option<&ArgMatches> {
    match matches.subcommand() {
        None => Some(matches),
        Some((name, matches)) if WITH_FLAGS.contains(&name) => Some(matches),
        Some(_) => None,
    }
}

/// Where configuration is kept on this system.
pub(super) fn usual_place() -> Option<PathBuf> {
    platform::config_folder().map(|folder| folder.join(FILE_NAME))
}

/// Reads the file that was named, or the one in the usual place, where none is needed.
fn find(matches: &ArgMatches, usual: Option<PathBuf>) -> Result<Option<(PathBuf, String)>, Error> {
    let named: Option<&PathBuf> = matches.get_one("config");
    let Some(path) = named.cloned().or(usual) else {
        return Ok(None);
    };
    let is_needed = named.is_some() || matches.contains_id("profile");
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

fn is_missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// What the layers of a file, the first of which counts most, say that nothing overrides.
fn merge(layers: Vec<Vec<Said>>, mut given: Given<'_>) -> Vec<Said> {
    let mut merged = Vec::new();
    for layer in layers {
        let mut said: Vec<_> = layer
            .into_iter()
            .filter(|said| !given.overrides(&said.name))
            .collect();
        let ports = said.iter_mut().flat_map(|said| &mut said.values);
        for port in ports {
            port.settings
                .retain(|setting| !given.overrides(&setting.name));
        }
        let flags = said
            .iter()
            .map(|said| (said.name.clone(), !said.values.is_empty()));
        given.flags.extend(flags);
        merged.extend(said);
    }
    merged
}

/// Names paths from the root: those in the file begin where the file is.
fn make_whole(said: &mut [Said], folder: &Path, command: &Command) {
    for said in said {
        let mut flags = names::settings(command);
        let flag = flags.find(|flag| flag.get_long() == Some(&said.name));
        if flag.is_some_and(|flag| flag.get_value_hint() == ValueHint::AnyPath) {
            for value in &mut said.values {
                value.make_whole(folder);
            }
        }
    }
}

fn wrong(path: &Path, Mistake { line, text }: Mistake) -> Error {
    let path = path.display();
    match line {
        Some(line) => raw(format!("{path}:{line}: {text}")),
        None => raw(format!("{path}: {text}")),
    }
}

/// Wrong usage, in words of our own.
fn raw(text: String) -> Error {
    Error::raw(ErrorKind::ValueValidation, text + "\n")
}
