//! The service under systemd: writes, deletes and runs only what it has shown before.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, bail, ensure};

use super::flags::Flags;
use super::{Scope, ScopeArgs, say, unit};
use crate::port::source::serial::os;
use crate::terminal::shown;

/// The folder for units of this computer's operator.
pub(crate) const SYSTEM_FOLDER: &str = "/etc/systemd/system";

/// Where packages put their units, on systems of both kinds.
const PACKAGE_FOLDERS: [&str; 2] = ["/usr/lib/systemd/system", "/lib/systemd/system"];

/// The name of our unit.
const UNIT: &str = "serial-ws.service";

/// The group that may open serial ports where none of the usual ones is known.
const USUAL_GROUP: &str = "dialout";

/// What is asked about a unit.
const PROPERTIES: &str = "--property=LoadState,FragmentPath,UnitFileState,ActiveState,ActiveEnterTimestamp,MainPID,Result";

impl Scope {
    /// What tells `systemctl` which manager is meant.
    fn flag(self) -> Option<&'static str> {
        match self {
            Scope::User => Some("--user"),
            Scope::System => None,
        }
    }

    /// A command for this manager, in words.
    fn command(self, words: &[&'static str]) -> Vec<&'static str> {
        let program = words.first().into_iter();
        let rest = words.iter().skip(1);
        program
            .chain(self.flag().iter())
            .chain(rest)
            .copied()
            .collect()
    }
}

/// Writes the unit, and has it started now and from now on.
pub(crate) fn install(
    args: ScopeArgs,
    folder: &Path,
    program: &Path,
    flags: &Flags,
    out: &mut dyn Write,
) -> Result<()> {
    let scope = args.scope();
    let path = folder.join(UNIT);
    let group = os::serial_group().unwrap_or_else(|| USUAL_GROUP.to_owned());
    let text = unit::text(scope, program, flags, &group)?;
    check_free(scope, &path)?;
    for name in Flags::unseen_variables() {
        say(
            out,
            &format!("note: {name} is set here, but not for the service, which has flags only"),
        );
    }
    let is_new = !path.exists();
    let mut steps = Steps { args, out };
    steps.write(&path, &text)?;
    if let Err(error) = steps.run(&["systemctl", "daemon-reload"]) {
        if is_new {
            steps.delete(&path)?;
        }
        return Err(error).context(match scope {
            Scope::User => {
                "your service manager is reached from a login of your own, not by su or sudo"
            }
            Scope::System => "the service manager of this computer does not answer",
        });
    }
    steps.run(&["systemctl", "enable", UNIT])?;
    // Not `start`, which would leave one running that has other flags.
    steps
        .run(&["systemctl", "restart", UNIT])
        .map_err(|error| {
            let log = scope.command(&["journalctl", "-u", "serial-ws", "-n", "20"]);
            let log = log.join(" ");
            error.context(format!(
                "it is installed, but does not start. Why, tells: {log}"
            ))
        })?;
    if !args.dry_run {
        say(steps.out, after(scope));
    }
    Ok(())
}

/// What to know when it is installed.
fn after(scope: Scope) -> &'static str {
    match scope {
        Scope::User => {
            "serial-ws runs now, and whenever you are logged in. To have it run from the start of \
             the computer on: loginctl enable-linger"
        }
        Scope::System => "serial-ws runs now, and from the start of the computer on",
    }
}

/// Makes sure that no unit is in the way that somebody else wrote.
fn check_free(scope: Scope, path: &Path) -> Result<()> {
    match fs::read_to_string(path) {
        Ok(text) => ensure!(
            unit::is_ours(&text),
            "{path} is there, and serial-ws did not write it. Move it away first, or change it: \
             {edit}",
            path = path.display(),
            edit = scope.command(&["systemctl", "edit", "serial-ws"]).join(" "),
        ),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
    let packaged = PACKAGE_FOLDERS.map(|folder| Path::new(folder).join(UNIT));
    match packaged.iter().find(|path| path.exists()) {
        Some(packaged) if scope == Scope::System => bail!(
            "a package has brought {}. Use that: sudo systemctl enable --now serial-ws",
            packaged.display()
        ),
        _ => Ok(()),
    }
}

/// Stops the service and deletes its unit.
pub(crate) fn remove(args: ScopeArgs, folder: &Path, out: &mut dyn Write) -> Result<()> {
    let path = folder.join(UNIT);
    let shown_path = path.display();
    match fs::read_to_string(&path) {
        Ok(text) => ensure!(
            unit::is_ours(&text),
            "{shown_path} stays: serial-ws service install did not write it"
        ),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let other = match args.scope() {
                Scope::User => "add --system for the one of the whole computer",
                Scope::System => "leave out --system for your own",
            };
            bail!("nothing to remove: there is no {shown_path}; {other}");
        }
        Err(error) => return Err(error).with_context(|| format!("cannot read {shown_path}")),
    }
    let mut steps = Steps { args, out };
    steps.run(&["systemctl", "disable", "--now", UNIT])?;
    steps.delete(&path)?;
    steps.run(&["systemctl", "daemon-reload"])?;
    if !args.dry_run {
        say(steps.out, "serial-ws is no service any more");
    }
    Ok(())
}

/// What is done, or only said.
struct Steps<'a> {
    args: ScopeArgs,
    out: &'a mut dyn Write,
}

impl Steps<'_> {
    /// Writes a file, with the folders that it is in.
    fn write(&mut self, path: &Path, text: &str) -> Result<()> {
        let shown_path = path.display();
        say(self.out, &format!("write {shown_path}:"));
        for line in text.lines() {
            say(self.out, format!("    {line}").trim_end());
        }
        if !self.args.dry_run {
            let folders = path.parent().map_or(Ok(()), fs::create_dir_all);
            let written = folders.and_then(|()| fs::write(path, text));
            written.map_err(|error| self.not_permitted(error, "write", path))?;
        }
        Ok(())
    }

    fn delete(&mut self, path: &Path) -> Result<()> {
        say(self.out, &format!("delete {}", path.display()));
        if !self.args.dry_run {
            let deleted = fs::remove_file(path);
            deleted.map_err(|error| self.not_permitted(error, "delete", path))?;
        }
        Ok(())
    }

    fn not_permitted(&self, error: io::Error, what: &str, path: &Path) -> anyhow::Error {
        let is_denied = error.kind() == io::ErrorKind::PermissionDenied;
        let error = anyhow!("cannot {what} {}: {error}", path.display());
        match self.args.scope() {
            Scope::System if is_denied => anyhow!("{error}. Run it with sudo"),
            _ => error,
        }
    }

    fn run(&mut self, words: &[&'static str]) -> Result<()> {
        let words = self.args.scope().command(words);
        let line = words.join(" ");
        say(self.out, &format!("run {line}"));
        if self.args.dry_run {
            return Ok(());
        }
        // What it says belongs before us saying more.
        let status = Command::new(words[0])
            .args(&words[1..])
            .stdin(Stdio::null())
            .status();
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => bail!("{line} failed ({status})"),
            Err(error) => Err(no_systemctl(&error)),
        }
    }
}

fn no_systemctl(error: &io::Error) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::NotFound => anyhow!(
            "there is no systemctl, so this system is not run by systemd. Have what starts it \
             start serial-ws"
        ),
        _ => anyhow!("cannot run systemctl: {error}"),
    }
}

/// Says how both services are that there may be; returns whether one runs.
pub(crate) fn status(out: &mut dyn Write) -> Result<bool> {
    let mut is_known = false;
    let mut runs = false;
    for scope in [Scope::User, Scope::System] {
        if let Some(state) = ask(scope)? {
            is_known = true;
            runs |= state.is_running();
            say(out, &state.sentence(scope));
        }
    }
    if !is_known {
        say(
            out,
            "serial-ws is not installed as a service. To install it: serial-ws service install",
        );
    }
    Ok(runs)
}

/// Asks a manager; None where it has no such unit, or is not there.
fn ask(scope: Scope) -> Result<Option<State>> {
    let words = scope.command(&["systemctl", "show", PROPERTIES, UNIT]);
    let mut command = Command::new(words[0]);
    let output = command.args(&words[1..]).stdin(Stdio::null()).output();
    let output = output.map_err(|error| no_systemctl(&error))?;
    Ok(State::read(&String::from_utf8_lossy(&output.stdout)))
}

/// What a manager says about our unit.
#[derive(Debug, Default)]
struct State {
    path: String,
    /// Whether it will be started by itself, in systemd's word.
    enabled: String,
    /// In systemd's word: active, activating, failed and so on.
    active: String,
    since: String,
    pid: String,
    /// How it ended.
    result: String,
}

impl State {
    fn read(text: &str) -> Option<Self> {
        let value = |key: &str| {
            let lines = text.lines().filter_map(|line| line.split_once('='));
            let mut values = lines.filter(|(name, _)| *name == key);
            shown(values.next().map_or("", |(_, value)| value))
        };
        (value("LoadState") == "loaded").then(|| Self {
            path: value("FragmentPath"),
            enabled: value("UnitFileState"),
            active: value("ActiveState"),
            since: value("ActiveEnterTimestamp"),
            pid: value("MainPID"),
            result: value("Result"),
        })
    }

    fn is_running(&self) -> bool {
        self.active == "active"
    }

    fn sentence(&self, scope: Scope) -> String {
        let whose = match scope {
            Scope::User => "your service",
            Scope::System => "the computer's service",
        };
        let running = match (&*self.active, &*self.result) {
            ("active", _) => format!("runs since {} (pid {})", self.since, self.pid),
            ("inactive", "success" | "") => "does not run".to_owned(),
            (active, "success" | "") => format!("does not run now ({active})"),
            (active, result) => format!("does not run ({active}: {result})"),
        };
        let log = if self.is_running() {
            String::new()
        } else {
            let log = scope.command(&["journalctl", "-u", "serial-ws", "-n", "20"]);
            format!(". What it said: {}", log.join(" "))
        };
        let Self { path, enabled, .. } = self;
        format!("{whose} ({path}) is {enabled}, and {running}{log}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let state = State::read(text);
        let sentence = state.map(|state| state.sentence(Scope::User));
        assert_eq!(sentence.as_deref(), expected);
    }

    #[test]
    fn the_state_is_told_in_a_sentence() {
        check(
            "LoadState=loaded\nFragmentPath=/u\nUnitFileState=enabled\nActiveState=active\n\
             ActiveEnterTimestamp=Fri 2026-11-20 12:40:00 UTC\nMainPID=4711\nResult=success\n",
            Some(
                "your service (/u) is enabled, and runs since Fri 2026-11-20 12:40:00 UTC (pid 4711)",
            ),
        );
        check(
            "LoadState=loaded\nFragmentPath=/u\nUnitFileState=disabled\nActiveState=failed\n\
             Result=exit-code\n",
            Some(
                "your service (/u) is disabled, and does not run (failed: exit-code). What it \
                 said: journalctl --user -u serial-ws -n 20",
            ),
        );
        check("LoadState=not-found\nActiveState=inactive\n", None);
        check("", None);
    }
}
