//! The service under systemd. Prints each file and command before it writes, deletes or runs it.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, bail, ensure};

use super::flags::Flags;
use super::steps::Steps;
use super::{Scope, ScopeArgs, note_unseen_variables, say, unit};
use crate::platform::reason;
use crate::port::source::serial::os;
use crate::terminal::shown;

/// The folder for units of this computer's administrator.
pub(crate) const SYSTEM_FOLDER: &str = "/etc/systemd/system";

/// The folders in which packages put their units; which one depends on the distribution.
const PACKAGE_FOLDERS: [&str; 2] = ["/usr/lib/systemd/system", "/lib/systemd/system"];

/// The name of our unit.
const UNIT: &str = "serial-ws.service";

/// The group that may open serial ports, if none of the usual ones exists here.
const USUAL_GROUP: &str = "dialout";

/// The properties of a unit that matter here.
const PROPERTIES: &str = "--property=LoadState,FragmentPath,UnitFileState,ActiveState,ActiveEnterTimestamp,MainPID,Result";

impl Scope {
    /// The flag that tells `systemctl` which manager is meant.
    fn flag(self) -> Option<&'static str> {
        match self {
            Scope::User => Some("--user"),
            Scope::System => None,
        }
    }

    /// Returns the words of a command for this manager.
    fn command(self, words: &[&'static str]) -> Vec<&'static str> {
        let program = words.first().into_iter();
        let rest = words.iter().skip(1);
        program
            .chain(self.flag().iter())
            .chain(rest)
            .copied()
            .collect()
    }

    /// Returns the command that shows the end of the service's log.
    fn log_command(self) -> String {
        let words = self.command(&["journalctl", "-u", "serial-ws", "-n", "20"]);
        words.join(" ")
    }
}

/// Writes the unit, and starts it now and from now on.
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
    note_unseen_variables(out);
    let is_new = !path.exists();
    let mut steps = Steps { args, out };
    // The manager hands over a file that exists, and a user's own service makes it by itself.
    let token = flags.missing_lan_token();
    if let Some(file) = token.filter(|_| scope == Scope::System) {
        steps.write_token(file)?;
    }
    steps.write(&path, &text)?;
    if let Err(error) = run(&mut steps, &["systemctl", "daemon-reload"]) {
        if is_new {
            steps.delete(&path)?;
        }
        return Err(error).context(match scope {
            Scope::User => {
                "your service manager can only be reached from your own login, not through su or sudo"
            }
            Scope::System => "the service manager of this computer does not answer",
        });
    }
    run(&mut steps, &["systemctl", "enable", UNIT])?;
    // Not `start`, which would leave one running that has other flags.
    let started = run(&mut steps, &["systemctl", "restart", UNIT]);
    let log = scope.log_command();
    started.with_context(|| format!("it is installed, but does not start. To see why: {log}"))?;
    if !args.dry_run {
        say(steps.out, conclusion(scope));
    }
    Ok(())
}

/// The last sentence of an installation.
fn conclusion(scope: Scope) -> &'static str {
    match scope {
        Scope::User => {
            "serial-ws is running now, and will run whenever you are logged in. To run it from boot: \
             loginctl enable-linger"
        }
        Scope::System => "serial-ws is running now, and will start at boot",
    }
}

/// Checks that no unit is in the way that somebody else wrote.
fn check_free(scope: Scope, path: &Path) -> Result<()> {
    match fs::read_to_string(path) {
        Ok(text) => ensure!(
            unit::is_ours(&text),
            "{path} exists, and serial-ws did not write it. Move it away first, or change it with: \
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
            "a package has installed {}. Use that one: sudo systemctl enable --now serial-ws",
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
                Scope::User => "for the service of the whole computer, add --system",
                Scope::System => "for your own service, leave out --system",
            };
            bail!("nothing to remove: there is no {shown_path}; {other}");
        }
        Err(error) => return Err(error).with_context(|| format!("cannot read {shown_path}")),
    }
    let mut steps = Steps { args, out };
    run(&mut steps, &["systemctl", "disable", "--now", UNIT])?;
    steps.delete(&path)?;
    run(&mut steps, &["systemctl", "daemon-reload"])?;
    if !args.dry_run {
        say(steps.out, "serial-ws is no longer a service");
    }
    Ok(())
}

/// Runs a command for the manager that is meant.
fn run(steps: &mut Steps, words: &[&'static str]) -> Result<()> {
    let words = steps.args.scope().command(words);
    match steps.run(words[0].as_ref(), &words[1..]) {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => bail!("{} failed ({status})", words.join(" ")),
        Err(error) => Err(no_systemctl(&error)),
    }
}

fn no_systemctl(error: &io::Error) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::NotFound => anyhow!(
            "there is no systemctl, so this system does not use systemd. Start serial-ws with the \
             service manager that it has"
        ),
        _ => anyhow!("cannot run systemctl: {}", reason(error)),
    }
}

/// Prints the state of both services that there may be. Returns true if one is running.
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

/// Asks a manager for the state of the unit; None if it has no such unit, or is not there.
fn ask(scope: Scope) -> Result<Option<UnitState>> {
    let words = scope.command(&["systemctl", "show", PROPERTIES, UNIT]);
    let mut command = Command::new(words[0]);
    let output = command.args(&words[1..]).stdin(Stdio::null()).output();
    let output = output.map_err(|error| no_systemctl(&error))?;
    Ok(UnitState::read(&String::from_utf8_lossy(&output.stdout)))
}

/// The state of our unit, as a manager reports it.
#[derive(Debug, Default)]
struct UnitState {
    path: String,
    /// Systemd's word for whether it starts by itself.
    enabled: String,
    /// Systemd's word for whether it runs: active, activating, failed and so on.
    active: String,
    since: String,
    pid: String,
    /// Systemd's word for how it ended.
    result: String,
}

impl UnitState {
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
            ("active", _) => format!("has been running since {} (pid {})", self.since, self.pid),
            ("inactive", "success" | "") => "is not running".to_owned(),
            (active, "success" | "") => format!("is not running now ({active})"),
            (active, result) => format!("is not running ({active}: {result})"),
        };
        let log = if self.is_running() {
            String::new()
        } else {
            format!(". For its log: {}", scope.log_command())
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
        let state = UnitState::read(text);
        let sentence = state.map(|state| state.sentence(Scope::User));
        assert_eq!(sentence.as_deref(), expected);
    }

    #[test]
    fn the_state_is_one_sentence() {
        check(
            "LoadState=loaded\nFragmentPath=/u\nUnitFileState=enabled\nActiveState=active\n\
             ActiveEnterTimestamp=Fri 2026-11-20 12:40:00 UTC\nMainPID=4711\nResult=success\n",
            Some(
                "your service (/u) is enabled, and has been running since Fri 2026-11-20 12:40:00 UTC (pid 4711)",
            ),
        );
        check(
            "LoadState=loaded\nFragmentPath=/u\nUnitFileState=disabled\nActiveState=failed\n\
             Result=exit-code\n",
            Some(
                "your service (/u) is disabled, and is not running (failed: exit-code). For its \
                 log: journalctl --user -u serial-ws -n 20",
            ),
        );
        check("LoadState=not-found\nActiveState=inactive\n", None);
        check("", None);
    }
}
