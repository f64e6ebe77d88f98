//! The flags that the service runs with: checked as serial-ws would read them, and with absolute
//! paths, since a service starts in another folder.

use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail, ensure};
use clap::{Command, CommandFactory, ValueHint};

use crate::cli::{Cli, mistake};
use crate::config::{Config, Invocation, SECRETS, with_variables};
use crate::output::OutputKind;
use crate::platform;
use crate::port::source::play;
use crate::port::source::spec::{Spec, quoted};

/// The flags to start serial-ws with.
#[derive(Debug)]
pub(crate) struct Flags {
    /// The arguments after the name of the program.
    pub(crate) words: Vec<Word>,
    /// The serial ports that are named by path.
    pub(crate) ports: Vec<PathBuf>,
    /// True if it speaks with other computers: they may connect, or a device is in the network.
    pub(crate) uses_network: bool,
    /// The files that programs as devices consist of, as far as they are named by path.
    pub(crate) program_files: Vec<PathBuf>,
    /// True if a device is a program.
    pub(crate) runs_programs: bool,
    /// The paths of pseudo-terminals.
    pub(crate) terminals: Vec<PathBuf>,
    /// The folders that recordings and saved lines are written to.
    pub(crate) written: Vec<SeenPath>,
    /// True if lines are saved to a file, which SIGHUP has opened again.
    pub(crate) saves: bool,
    /// The files of recordings that are played.
    pub(crate) played: Vec<SeenPath>,
}

/// A path, and who may use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SeenPath {
    /// The path.
    pub(crate) path: PathBuf,
    /// Its mode, as `chmod` takes it; None where there is nothing.
    pub(crate) mode: Option<u32>,
}

/// One argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// As it was typed.
    Plain(OsString),
    /// An absolute path, and the flag that it belongs to.
    Path {
        /// The name of the flag without its dashes.
        flag: String,
        /// The path.
        path: PathBuf,
    },
}

impl Word {
    /// The argument as it reaches the program.
    pub(crate) fn text(&self) -> &OsStr {
        match self {
            Self::Plain(text) => text,
            Self::Path { path, .. } => path.as_os_str(),
        }
    }
}

impl SeenPath {
    fn look(path: PathBuf) -> Self {
        let mode = platform::mode(&path);
        Self { path, mode }
    }

    /// Returns true if the mode has one of these bits.
    pub(crate) fn has(&self, bits: u32) -> bool {
        self.mode.is_some_and(|mode| mode & bits != 0)
    }
}

impl Flags {
    /// Reads the flags as serial-ws does. Ends the program if they are wrong usage.
    ///
    /// # Errors
    /// For flags that a service cannot have.
    pub(crate) fn check(typed: &[OsString]) -> Result<Self> {
        let name = OsStr::new(env!("CARGO_PKG_NAME")).to_owned();
        let all = std::iter::once(name).chain(typed.iter().cloned());
        let invocation = Invocation::of_service(all).unwrap_or_else(|error| mistake::exit(error));
        ensure!(
            invocation.command.is_none(),
            "a service shares ports: after the two dashes come a device and the flags for that, such as --baud"
        );
        ensure!(
            !*invocation.settings.bridge.serve.open,
            "--open needs somebody at the screen: leave it out, and have the system open \
             http://localhost:8080/ at login"
        );
        let config = invocation
            .config()
            .unwrap_or_else(|error| mistake::exit(error));
        check_tokens(typed)?;
        let words = words(typed, &path_flags(&Cli::command()))?;
        Ok(Self {
            written: written(&config, &words)?,
            saves: config.ports.iter().any(|port| port.saver.is_some()),
            played: played(&config)?,
            words,
            ports: ports(&config)?,
            uses_network: config.server.lan.is_some()
                || has_remote_device(&config)
                || has_remote_output(&config),
            program_files: program_files(&config)?,
            runs_programs: (config.port_configs().iter()).any(|port| port.spec.program().is_some()),
            terminals: terminals(&config)?,
        })
    }

    /// Returns the file of the token for other computers, if it does not exist yet.
    pub(crate) fn missing_lan_token(&self) -> Option<&Path> {
        let mut paths = self.words.iter().filter_map(|word| match word {
            Word::Path { flag, path } if flag == "lan-token" => Some(path.as_path()),
            _ => None,
        });
        paths.next_back().filter(|path| !path.exists())
    }

    /// Returns the environment variables that serial-ws would read here, and the service will not
    /// have.
    pub(crate) fn unseen_variables() -> Vec<String> {
        let command = with_variables();
        let of_flags = command.get_arguments().filter_map(|arg| arg.get_env());
        of_flags
            .chain(SECRETS.iter().map(|(_, name)| OsStr::new(name)))
            .filter(|name| std::env::var_os(name).is_some())
            .map(|name| name.to_string_lossy().into_owned())
            .collect()
    }
}

/// Returns true if a device is behind another computer's TCP port.
fn has_remote_device(config: &Config) -> bool {
    let mut ports = config.port_configs().into_iter();
    ports.any(|port| {
        let endpoint = port.spec.endpoint();
        endpoint.is_some_and(|endpoint| !endpoint.is_this_computer())
    })
}

/// Returns the files that programs as devices name, which have to be absolute.
fn program_files(config: &Config) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for port in config.port_configs() {
        let Some(command) = port.spec.program() else {
            continue;
        };
        let has_folder = |word: &&String| word.contains(std::path::is_separator);
        let program = Some(&command.program).filter(has_folder);
        let is_file = |word: &&String| Path::new(word.as_str()).is_file();
        for word in program
            .into_iter()
            .chain(command.arguments.iter().filter(is_file))
        {
            let example = std::path::absolute(word)?;
            ensure!(
                Path::new(word).is_absolute(),
                relative(word, example.display())
            );
            files.push(word.into());
        }
    }
    Ok(files)
}

/// Returns the paths of pseudo-terminals, which have to be absolute unless they follow a flag.
fn terminals(config: &Config) -> Result<Vec<PathBuf>> {
    let outputs = config.ports.iter().flat_map(|port| &port.outputs);
    let paths = outputs.filter_map(|output| match &output.kind {
        OutputKind::Pty(path) => Some(path),
        _ => None,
    });
    let paths = paths.map(std::path::absolute);
    Ok(paths.collect::<std::io::Result<_>>()?)
}

/// Returns the folders that recordings and saved lines are written to. Their paths have to be absolute
/// unless they follow a flag.
fn written(config: &Config, words: &[Word]) -> Result<Vec<SeenPath>> {
    let mut folders = Vec::new();
    for port in &config.ports {
        if let Some(recorder) = &port.recorder {
            folders.push(in_service("record", &recorder.folder, words)?);
        }
        if let Some(saver) = &port.saver {
            let file = in_service("save", &saver.path, words)?;
            folders.extend(file.parent().map(Path::to_owned));
        }
    }
    folders.sort();
    folders.dedup();
    Ok(folders.into_iter().map(SeenPath::look).collect())
}

/// Returns the path that a setting has in the service.
fn in_service(key: &str, path: &Path, words: &[Word]) -> Result<PathBuf> {
    let absolute = std::path::absolute(path)?;
    let follows_flag =
        |word: &Word| matches!(word, Word::Path { flag, path } if flag == key && *path == absolute);
    ensure!(
        path.is_absolute() || words.iter().any(follows_flag),
        relative(format!("{key}={}", path.display()), absolute.display())
    );
    Ok(absolute)
}

/// Says that the service, which starts in another folder, would find something else at a path.
fn relative(path: impl Display, example: impl Display) -> String {
    format!(
        "{path} depends on the folder that you are in. Write an absolute path, such as {example}"
    )
}

/// Returns the files of recordings that are played, which have to be absolute and readable.
fn played(config: &Config) -> Result<Vec<SeenPath>> {
    let mut files = Vec::new();
    for port in config.port_configs() {
        let Spec::Play(play) = &port.spec else {
            continue;
        };
        for path in &play.paths {
            let absolute = std::path::absolute(path)?;
            let example = format!("play:{}", quoted(&absolute.to_string_lossy()));
            ensure!(path.is_absolute(), relative(path.display(), example));
        }
        let found = play::find_files(play, &port.name).map_err(|why| anyhow!(why))?;
        files.extend(found.into_iter().map(SeenPath::look));
    }
    Ok(files)
}

/// Returns true if what the ports send goes to other computers by a broker or by OSC.
fn has_remote_output(config: &Config) -> bool {
    let broker = config.mqtt.iter().map(|mqtt| &mqtt.broker.endpoint);
    let receivers = config.osc.iter().flat_map(|osc| &osc.targets);
    let mut endpoints = broker.chain(receivers.map(|target| &target.0));
    endpoints.any(|endpoint| !endpoint.is_this_computer())
}

/// Returns the paths of ports, which have to be absolute.
fn ports(config: &Config) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for port in config.port_configs() {
        let Spec::Path(path) = &port.spec else {
            continue;
        };
        ensure!(
            cfg!(windows) || Path::new(path).is_absolute(),
            relative(path, "/dev/ttyUSB0")
        );
        paths.push(path.into());
    }
    Ok(paths)
}

/// Returns the file with the token of another serial-ws, if an argument is a port with one.
pub(crate) fn upstream_token(text: &str) -> Option<&str> {
    let (_, file) = text.split_once(",token=")?;
    file.split(',').next()
}

/// Checks that a service finds the files of tokens, which starts in another folder.
fn check_tokens(typed: &[OsString]) -> Result<()> {
    for word in typed {
        let text = word.to_string_lossy();
        if let Some(file) = upstream_token(&text) {
            ensure!(
                Path::new(file).is_absolute(),
                "token={file} depends on the folder that you are in. Write an absolute path"
            );
        }
    }
    Ok(())
}

/// Returns the names of the flags whose value is a path.
fn path_flags(command: &Command) -> Vec<String> {
    let is_path = |arg: &&clap::Arg| arg.get_value_hint() == ValueHint::AnyPath;
    let flags = command.get_arguments().filter(is_path);
    flags
        .filter_map(|arg| arg.get_long())
        .map(str::to_owned)
        .collect()
}

/// Returns the arguments as typed, with `--flag PATH` and `--flag=PATH` written alike and absolute
/// paths.
fn words(typed: &[OsString], path_flags: &[String]) -> Result<Vec<Word>> {
    let mut words = Vec::new();
    let mut typed = typed.iter();
    while let Some(word) = typed.next() {
        let text = word.to_string_lossy();
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (&*text, None),
        };
        let flag = name.strip_prefix("--").and_then(|name| {
            let mut flags = path_flags.iter();
            flags.find(|flag| *flag == name)
        });
        let Some(flag) = flag else {
            words.push(Word::Plain(word.clone()));
            continue;
        };
        let path = match value {
            Some(value) if word.to_str().is_some() => OsString::from(value),
            Some(_) => bail!("--{flag}: this path is not Unicode text. Write it without the ="),
            None => typed.next().cloned().unwrap_or_default(),
        };
        let path = std::path::absolute(&path)?;
        words.push(Word::Plain(format!("--{flag}").into()));
        let flag = flag.clone();
        words.push(Word::Path { flag, path });
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(typed: &str) -> Result<Flags> {
        let typed: Vec<OsString> = typed.split_whitespace().map(OsString::from).collect();
        Flags::check(&typed)
    }

    #[track_caller]
    fn check(typed: &str, expected: &str) {
        let flags = flags(typed).unwrap();
        let words = flags.words.iter().map(|word| word.text().to_str().unwrap());
        assert_eq!(words.collect::<Vec<_>>().join(" "), expected);
    }

    #[test]
    fn paths_are_made_absolute_and_the_rest_is_kept() {
        let here = std::env::current_dir().unwrap();
        let web = here.join("web").display().to_string();
        check("-v --web web", &format!("-v --web {web}"));
        check("--web=web -p sim,raw", &format!("--web {web} -p sim,raw"));
        check("--port a=sim --lan", "--port a=sim --lan");
        assert!(flags("--lan").unwrap().uses_network);
        assert!(flags("tcp://10.0.0.7:4000").unwrap().uses_network);
        assert!(!flags("tcp://localhost:4000").unwrap().uses_network);
        assert!(flags("sim --mqtt mqtt://10.0.0.7").unwrap().uses_network);
        assert!(!flags("sim --mqtt mqtt://localhost").unwrap().uses_network);
        assert!(flags("sim --osc max.local:9000").unwrap().uses_network);
        assert!(!flags("sim --osc [::1]:9000").unwrap().uses_network);
        assert!(flags("ws://10.0.0.7:8080/").unwrap().uses_network);
    }

    #[test]
    fn all_flags_that_take_a_path_are_known() {
        let names = path_flags(&Cli::command());
        for name in ["web", "token", "tls-key", "mqtt-password", "mqtt-ca"] {
            assert!(names.iter().any(|known| known == name), "{name}");
        }
        let command = Cli::command();
        let is_path = |arg: &&clap::Arg| arg.get_value_hint() == ValueHint::AnyPath;
        let mut short = command.get_arguments().filter(is_path);
        assert!(short.all(|arg| arg.get_short().is_none()), "see words()");
    }

    #[test]
    fn the_folders_that_are_written_to_are_known() {
        let here = std::env::current_dir().unwrap();
        let flags = flags("sim --record a --save b/c.log").unwrap();
        let folders = flags.written.into_iter().map(|folder| folder.path);
        assert_eq!(
            folders.collect::<Vec<_>>(),
            [here.join("a"), here.join("b")]
        );
        assert!(flags.saves);
    }

    #[test]
    fn a_named_configuration_file_counts() {
        let file = std::env::temp_dir().join(format!("serial-ws-service-{}", std::process::id()));
        std::fs::write(&file, "lan = true\nport = '/dev/ttyS9'\n").unwrap();
        let flags = flags(&format!("--config {}", file.display())).unwrap();
        std::fs::remove_file(&file).unwrap();
        assert!(flags.uses_network);
        assert_eq!(flags.ports, [Path::new("/dev/ttyS9")]);
        assert_eq!(flags.words[1].text(), file);
    }

    #[track_caller]
    fn check_wrong(typed: &str, part: &str) {
        let error = flags(typed).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }

    #[test]
    fn flags_that_a_service_cannot_have_are_refused() {
        check_wrong("list", "after the two dashes");
        check_wrong("--open", "--open");
        check_wrong("ws://pi/,token=a", "token=a depends on the folder");
        if cfg!(unix) {
            check_wrong("exec:./read.sh", "./read.sh depends on the folder");
            check_wrong("dev/ttyUSB0", "such as /dev/ttyUSB0");
            check_wrong("sim,record=mine", "record=mine depends on the folder");
            check_wrong("sim,save=a.log", "save=a.log depends on the folder");
            check_wrong("play:a.jsonl", "a.jsonl depends on the folder");
            check_wrong("play:/no/such.jsonl", "/no/such.jsonl");
        }
    }
}
