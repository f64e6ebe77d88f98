//! What starts the bridge at login on macOS and Windows: shown, with where to put it and what to
//! run, and not done, until somebody has tried it there. Pure but for showing.

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

/// What to write where, and what to run then.
#[derive(Debug)]
pub(crate) struct Recipe {
    system: &'static str,
    path: PathBuf,
    text: String,
    command: String,
}

impl Recipe {
    /// Shows it.
    pub(crate) fn show(&self, out: &mut dyn Write) -> Result<()> {
        let Self {
            system,
            path,
            text,
            command,
        } = self;
        say(
            out,
            &format!(
                "Nothing was done: nobody has tried this on {system} yet. To have serial-ws start \
                 when you log in,\nwrite this to {}:\n\n{text}\nand run:\n\n{command}",
                path.display()
            ),
        );
        Ok(())
    }
}

/// For launchd, by a file in the folder of the user's agents (launchd.plist(5)).
pub(crate) fn launchd(folder: &Path, program: &Path, flags: &Flags) -> Result<Recipe> {
    let path = folder.join(PLIST);
    let mut words = String::new();
    let arguments = flags.words.iter().map(|word| word.text());
    for word in std::iter::once(program.as_os_str()).chain(arguments) {
        let Some(word) = word.to_str() else {
            bail!("{} is not text, which a plist needs", word.display());
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
    Ok(Recipe {
        system: "macOS",
        // What is loaded under this name already, with other flags, has to go first.
        command: format!(
            "launchctl bootout gui/$(id -u)/{LABEL} 2>/dev/null; sleep 1\n\
             launchctl bootstrap gui/$(id -u) {shown_path}"
        ),
        path,
        text,
    })
}

/// For Windows, by a file in the folder of what starts at login. It needs no rights, sets no time
/// limit as the Task Scheduler does, and leaves a window in which questions can be answered.
pub(crate) fn startup_folder(folder: &Path, program: &Path, flags: &Flags) -> Result<Recipe> {
    let path = folder.join(BATCH);
    let mut command = quote::batch(&program.to_string_lossy())?;
    for word in &flags.words {
        command.push(' ');
        command += &quote::batch(&word.text().to_string_lossy())?;
    }
    // The names in it are in UTF-8; the first pair of quotes is the title of the window.
    let text = format!("@echo off\nchcp 65001 >nul\nstart \"serial-ws\" /min {command}\n");
    Ok(Recipe {
        system: "Windows",
        // Alike in the old shell and in PowerShell.
        command: format!("cmd /c \"{}\"", path.display()),
        path,
        text,
    })
}

/// Says how to undo it.
pub(crate) fn tell_removal(
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

/// Says how to see whether it runs; whether it does is not known.
pub(crate) fn tell_status(
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
        "is there, so serial-ws starts when you log in"
    } else {
        "is not there, so serial-ws does not start by itself"
    };
    say(
        out,
        &format!("{} {is}. Whether it runs, tells: {command}", path.display()),
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
        let recipe = launchd(folder, program, &flags(&["--port", "a=sim"])).unwrap();
        let words = "\
        <string>/Users/ana/R&amp;D/serial-ws</string>
        <string>--port</string>
        <string>a=sim</string>
";
        assert!(recipe.text.contains(words), "{}", recipe.text);
        let log = "<string>/Users/ana/Library/Logs/serial-ws.log</string>";
        assert!(recipe.text.contains(log), "{}", recipe.text);
        let command =
            "\nlaunchctl bootstrap gui/$(id -u) '/Users/ana/Library/LaunchAgents/serial-ws.plist'";
        assert!(recipe.command.ends_with(command), "{}", recipe.command);
    }

    #[test]
    fn windows_gets_a_line_for_its_shell() {
        let program = Path::new(r"C:\R&D 100%\serial-ws.exe");
        let recipe = startup_folder(Path::new("Startup"), program, &flags(&["-p", "sim"])).unwrap();
        let line = "start \"serial-ws\" /min \"C:\\R&D 100%%\\serial-ws.exe\" \"-p\" \"sim\"\n";
        assert!(recipe.text.ends_with(line), "{}", recipe.text);
    }
}
