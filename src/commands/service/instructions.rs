//! Instructions for starting serial-ws at login on macOS and Windows: what to write to which file,
//! and what to run. They are printed and not carried out, until somebody has tried them there. Pure
//! but for printing.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::flags::Flags;
use super::{quote, say};
use crate::platform::ServiceManager;

/// The name under which launchd knows the service, and the file that describes it.
const LABEL: &str = "serial-ws";
const PLIST: &str = "serial-ws.plist";

/// The file that Windows runs at login.
const BATCH: &str = "serial-ws.cmd";

/// A file to write, and the command to run then.
#[derive(Debug)]
pub(crate) struct Instructions {
    system: &'static str,
    path: PathBuf,
    text: String,
    command: String,
}

impl Instructions {
    /// Prints them.
    pub(crate) fn print(&self, out: &mut dyn Write) -> Result<()> {
        let Self {
            system,
            path,
            text,
            command,
        } = self;
        say(
            out,
            &format!(
                "Nothing was done: this is not yet tested on {system}. To start serial-ws when you \
                 log in,\nwrite this to {}:\n\n{text}\nand run:\n\n{command}",
                path.display()
            ),
        );
        Ok(())
    }
}

/// Instructions for launchd: a file in the folder of the user's agents (launchd.plist(5)).
pub(crate) fn launchd(folder: &Path, program: &Path, flags: &Flags) -> Result<Instructions> {
    let path = folder.join(PLIST);
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
    // Its folder is that of the user's agents: ~/Library/LaunchAgents.
    let library = folder.parent().unwrap_or(folder);
    let log = library.join("Logs/serial-ws.log");
    let log = quote::xml(&log.to_string_lossy());
    let text = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
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
    );
    let shown_path = quote::shell(&path.to_string_lossy());
    Ok(Instructions {
        system: "macOS",
        // A service that is loaded under this name, with other flags, has to go first.
        command: format!(
            "launchctl bootout gui/$(id -u)/{LABEL} 2>/dev/null; sleep 1\n\
             launchctl bootstrap gui/$(id -u) {shown_path}"
        ),
        path,
        text,
    })
}

/// Instructions for Windows: a file in the folder of the programs that start at login. This needs no
/// rights, sets no time limit as the Task Scheduler does, and leaves a window in which questions can
/// be answered.
pub(crate) fn startup_folder(folder: &Path, program: &Path, flags: &Flags) -> Result<Instructions> {
    let path = folder.join(BATCH);
    let mut command = quote::batch(&program.to_string_lossy())?;
    for word in &flags.words {
        command.push(' ');
        command += &quote::batch(&word.text().to_string_lossy())?;
    }
    // The names in it are in UTF-8; the first pair of quotes is the title of the window.
    let text = format!("@echo off\nchcp 65001 >nul\nstart \"serial-ws\" /min {command}\n");
    Ok(Instructions {
        system: "Windows",
        // The same in cmd and in PowerShell.
        command: format!("cmd /c \"{}\"", path.display()),
        path,
        text,
    })
}

/// Prints how to undo it.
pub(crate) fn print_removal(
    manager: ServiceManager,
    folder: &Path,
    out: &mut dyn Write,
) -> Result<()> {
    let text = match manager {
        ServiceManager::StartupFolder => format!("del \"{}\"", folder.join(BATCH).display()),
        _ => {
            let path = folder.join(PLIST);
            let path = quote::shell(&path.to_string_lossy());
            format!("launchctl bootout gui/$(id -u)/{LABEL}\nrm {path}")
        }
    };
    say(
        out,
        &format!("Nothing was done. To remove the service, run:\n\n{text}"),
    );
    Ok(())
}

/// Prints how to see whether it is running, which is not known here. Returns true if it is
/// installed.
pub(crate) fn print_status(
    manager: ServiceManager,
    folder: &Path,
    out: &mut dyn Write,
) -> Result<bool> {
    let (file, command) = match manager {
        ServiceManager::StartupFolder => (
            BATCH,
            "tasklist /fi \"imagename eq serial-ws.exe\"".to_owned(),
        ),
        _ => (PLIST, format!("launchctl print gui/$(id -u)/{LABEL}")),
    };
    let path = folder.join(file);
    let is = if path.exists() {
        "exists, so serial-ws starts when you log in"
    } else {
        "does not exist, so serial-ws does not start by itself"
    };
    say(
        out,
        &format!(
            "{} {is}. To see whether it is running: {command}",
            path.display()
        ),
    );
    Ok(path.exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(words: &[&str]) -> Flags {
        let words: Vec<_> = words.iter().map(std::ffi::OsString::from).collect();
        Flags::check(&words).unwrap()
    }

    #[cfg(unix)] // as the paths are
    #[test]
    fn launchd_gets_a_list_of_words() {
        let folder = Path::new("/Users/ana/Library/LaunchAgents");
        let program = Path::new("/Users/ana/R&D/serial-ws");
        let instructions = launchd(folder, program, &flags(&["--port", "a=sim"])).unwrap();
        let words = "\
        <string>/Users/ana/R&amp;D/serial-ws</string>
        <string>--port</string>
        <string>a=sim</string>
";
        assert!(instructions.text.contains(words), "{}", instructions.text);
        let log = "<string>/Users/ana/Library/Logs/serial-ws.log</string>";
        assert!(instructions.text.contains(log), "{}", instructions.text);
        let command =
            "\nlaunchctl bootstrap gui/$(id -u) '/Users/ana/Library/LaunchAgents/serial-ws.plist'";
        assert!(
            instructions.command.ends_with(command),
            "{}",
            instructions.command
        );
    }

    #[test]
    fn windows_gets_a_line_for_its_shell() {
        let program = Path::new(r"C:\R&D 100%\serial-ws.exe");
        let instructions =
            startup_folder(Path::new("Startup"), program, &flags(&["-p", "sim"])).unwrap();
        let line = "start \"serial-ws\" /min \"C:\\R&D 100%%\\serial-ws.exe\" \"-p\" \"sim\"\n";
        assert!(instructions.text.ends_with(line), "{}", instructions.text);
    }
}
