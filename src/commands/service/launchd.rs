//! The service under launchd of macOS: an agent of the user, which starts at login. Prints each file and
//! command before it writes, deletes or runs it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::flags::Flags;
use super::steps::{Steps, ensure_installed, is_written_by_us};
use super::{ScopeArgs, note_unseen_variables, quote, say};
use crate::platform::reason;

/// The name under which launchd knows the service, and the file that describes it.
const LABEL: &str = "serial-ws";
const PLIST: &str = "serial-ws.plist";

/// The line by which a file is known to be ours.
const MARK: &str = "<!-- Written by serial-ws service install -->";

/// Longest wait for launchd to stop the service. It kills what takes longer than 20 s.
const STOP_TIMEOUT: Duration = Duration::from_secs(25);

/// Time between two looks at a service that stops.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// The launchd of this user.
pub(crate) struct Launchd {
    /// The command that talks to it.
    pub(crate) launchctl: PathBuf,
    /// The session of the user, such as `gui/501`.
    pub(crate) domain: String,
    /// The folder of the user's agents.
    pub(crate) folder: PathBuf,
}

impl Launchd {
    /// Writes the agent, and starts it now and from now on.
    pub(crate) fn install(
        &self,
        args: ScopeArgs,
        program: &Path,
        flags: &Flags,
        out: &mut dyn Write,
    ) -> Result<()> {
        let path = self.folder.join(PLIST);
        let log = self.log();
        let text = plist(program, flags, &log)?;
        is_written_by_us(&path, MARK)?;
        note_unseen_variables(out);
        let mut steps = Steps { args, out };
        steps.write(&path, &text)?;
        self.stop(&mut steps)?;
        let path = path.to_string_lossy();
        let started = self.run(&mut steps, &["bootstrap", &self.domain, &path]);
        let log = log.display();
        started.with_context(|| {
            format!("it is installed, but does not start. Its log is {log}, if it got so far")
        })?;
        if !args.dry_run {
            let sentence = "serial-ws is running now, and will run whenever you are logged in";
            say(steps.out, &format!("{sentence}. Its log is {log}"));
        }
        Ok(())
    }

    /// Stops the agent and deletes its file.
    pub(crate) fn remove(&self, args: ScopeArgs, out: &mut dyn Write) -> Result<()> {
        let path = self.folder.join(PLIST);
        ensure_installed(&path, MARK)?;
        let mut steps = Steps { args, out };
        self.stop(&mut steps)?;
        steps.delete(&path)?;
        if !args.dry_run {
            say(steps.out, "serial-ws is no longer a service");
        }
        Ok(())
    }

    /// Prints the state of the agent. Returns true if launchd keeps it running.
    pub(crate) fn status(&self, out: &mut dyn Write) -> Result<bool> {
        let path = self.folder.join(PLIST);
        let runs = self.is_loaded()?;
        let state = match (path.exists(), runs) {
            (_, true) => format!(
                "your service ({}) is kept running by launchd; its log is {}",
                path.display(),
                self.log().display()
            ),
            (true, false) => format!(
                "your service ({}) is installed, and is not running; it starts when you log in",
                path.display()
            ),
            (false, false) => "serial-ws is not installed as a service. To install it: \
                               serial-ws service install"
                .to_owned(),
        };
        say(out, &state);
        Ok(runs)
    }

    /// The folder of agents is `~/Library/LaunchAgents`, and that of logs beside it.
    fn log(&self) -> PathBuf {
        let library = self.folder.parent().unwrap_or(&self.folder);
        library.join("Logs/serial-ws.log")
    }

    fn target(&self) -> String {
        format!("{}/{LABEL}", self.domain)
    }

    /// Stops the service if launchd has it, and waits until it has gone: while it stops, launchd takes
    /// no other one of this name.
    fn stop(&self, steps: &mut Steps) -> Result<()> {
        if !self.is_loaded()? {
            return Ok(());
        }
        self.run(steps, &["bootout", &self.target()])?;
        let end = Instant::now() + STOP_TIMEOUT;
        while !steps.args.dry_run && self.is_loaded()? {
            let is_late = Instant::now() > end;
            ensure!(!is_late, "launchd does not stop {}", self.target());
            std::thread::sleep(LOOK_INTERVAL);
        }
        Ok(())
    }

    /// Tells whether launchd has the service: it keeps running what it has.
    fn is_loaded(&self) -> Result<bool> {
        let mut command = Command::new(&self.launchctl);
        command.args(["print", &self.target()]).stdin(Stdio::null());
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        let status = status.map_err(|error| self.no_launchctl(&error))?;
        Ok(status.success())
    }

    fn run(&self, steps: &mut Steps, arguments: &[&str]) -> Result<()> {
        match steps.run(self.launchctl.as_os_str(), arguments) {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => bail!("launchctl {} failed ({status})", arguments.join(" ")),
            Err(error) => Err(self.no_launchctl(&error)),
        }
    }

    fn no_launchctl(&self, error: &std::io::Error) -> anyhow::Error {
        let (launchctl, reason) = (self.launchctl.display(), reason(error));
        anyhow::anyhow!("cannot run {launchctl}: {reason}")
    }
}

/// Returns the description of the service (launchd.plist(5)).
fn plist(program: &Path, flags: &Flags, log: &Path) -> Result<String> {
    let mut words = String::new();
    let arguments = flags.words.iter().map(|word| word.text());
    for word in std::iter::once(program.as_os_str()).chain(arguments) {
        let Some(word) = word.to_str() else {
            bail!(
                "{} is not Unicode text, which a plist needs",
                word.display()
            );
        };
        words += &format!("        <string>{}</string>\n", quote::xml(word));
    }
    let log = quote::xml(&log.to_string_lossy());
    Ok(format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
{MARK}
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
    <key>Label</key>
    <string>{LABEL}</string>
    <key>ProgramArguments</key>
    <array>
{words}    </array>
    <key>RunAtLoad</key>
    <true/>
    <key>KeepAlive</key>
    <true/>
    <key>StandardErrorPath</key>
    <string>{log}</string>
</dict>
</plist>
"#
    ))
}

#[cfg(test)]
#[cfg(unix)] // as the paths are, and the script that stands in for launchctl
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    /// A home whose launchctl is a script: it notes what it is asked, and says that the service is
    /// there as often as the file `loaded` has lines.
    struct Home(PathBuf);

    impl Home {
        fn new(name: &str) -> Self {
            let name = format!("serial-ws-test-{}-launchd-{name}", std::process::id());
            let home = Self(std::env::temp_dir().join(name));
            let _ = fs::remove_dir_all(&home.0);
            fs::create_dir_all(&home.0).unwrap();
            let folder = home.0.display();
            let script = format!(
                "#!/bin/sh\ncd '{folder}'\n[ \"$1\" = print ] || echo \"$*\" >>asked\n\
                 [ \"$1\" != print ] || {{ [ -s loaded ] && sed -i.bak 1d loaded; }}\n"
            );
            // Renamed into place, as a file that is being written cannot be run.
            fs::write(home.0.join("new"), script).unwrap();
            fs::set_permissions(home.0.join("new"), fs::Permissions::from_mode(0o755)).unwrap();
            fs::rename(home.0.join("new"), home.0.join("launchctl")).unwrap();
            home
        }

        fn launchd(&self) -> Launchd {
            Launchd {
                launchctl: self.0.join("launchctl"),
                domain: "gui/501".to_owned(),
                folder: self.0.join("Library/LaunchAgents"),
            }
        }

        /// Sets how many more times the service is there.
        fn is_loaded(&self, times: usize) {
            fs::write(self.0.join("loaded"), "yes\n".repeat(times)).unwrap();
        }

        fn asked(&self) -> String {
            let asked = fs::read_to_string(self.0.join("asked")).unwrap_or_default();
            asked.replace(&self.0.display().to_string(), "~")
        }

        fn install(&self, dry_run: bool) -> Result<String> {
            let words = ["--port", "a=sim"].map(std::ffi::OsString::from);
            let flags = Flags::check(&words).unwrap();
            let args = ScopeArgs {
                system: false,
                dry_run,
            };
            let mut out = Vec::new();
            let program = Path::new("/Users/ana/R&D/serial-ws");
            self.launchd().install(args, program, &flags, &mut out)?;
            Ok(String::from_utf8(out).unwrap())
        }

        fn plist(&self) -> Option<String> {
            fs::read_to_string(self.launchd().folder.join(PLIST)).ok()
        }
    }

    impl Drop for Home {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn an_agent_is_written_and_loaded_and_removed() {
        let home = Home::new("steps");
        let said = home.install(false).unwrap();
        assert!(said.contains("Its log is "), "{said}");
        let text = home.plist().unwrap();
        let words = "\
        <string>/Users/ana/R&amp;D/serial-ws</string>
        <string>--port</string>
        <string>a=sim</string>
";
        assert!(text.contains(words), "{text}");
        assert!(
            text.contains("/Library/Logs/serial-ws.log</string>"),
            "{text}"
        );

        home.is_loaded(1);
        let mut out = Vec::new();
        assert!(home.launchd().status(&mut out).unwrap());
        home.is_loaded(1);
        let args = ScopeArgs {
            system: false,
            dry_run: false,
        };
        home.launchd().remove(args, &mut out).unwrap();
        assert_eq!(home.plist(), None);
        let asked = "bootstrap gui/501 ~/Library/LaunchAgents/serial-ws.plist\n\
                     bootout gui/501/serial-ws\n";
        assert_eq!(home.asked(), asked);
        let error = home.launchd().remove(args, &mut out).unwrap_err();
        assert!(error.to_string().contains("nothing to remove"), "{error}");
        assert!(!home.launchd().status(&mut out).unwrap());
    }

    #[test]
    fn one_that_runs_is_stopped_before_it_starts_with_other_flags() {
        let home = Home::new("again");
        // Once before it is stopped, and twice while it stops.
        home.is_loaded(3);
        home.install(false).unwrap();
        let asked = home.asked();
        let steps = asked.lines().map(|line| line.split(' ').next());
        assert_eq!(
            steps.collect::<Vec<_>>(),
            [Some("bootout"), Some("bootstrap")]
        );
    }

    #[test]
    fn a_dry_run_prints_the_same_and_does_nothing() {
        let home = Home::new("dry");
        let dry = home.install(true).unwrap();
        assert_eq!((home.plist(), home.asked()), (None, String::new()));
        let wet = home.install(false).unwrap();
        assert!(wet.starts_with(&dry), "{wet}");
    }

    #[test]
    fn a_file_that_somebody_else_wrote_is_left_alone() {
        let home = Home::new("foreign");
        let folder = home.launchd().folder;
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(PLIST), "<plist/>").unwrap();
        let error = home.install(false).unwrap_err();
        assert!(error.to_string().contains("did not write it"), "{error}");
        assert_eq!(home.plist().as_deref(), Some("<plist/>"));
        assert_eq!(home.asked(), "");
    }
}
