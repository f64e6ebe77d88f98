//! The service on Windows: a file in the folder of the programs that start at login. This needs no
//! rights, sets no time limit as the Task Scheduler does, and leaves a window in which questions can
//! be answered. Prints the file and the command before it writes or runs it.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::flags::Flags;
use super::steps::{Steps, ensure_installed, is_written_by_us};
use super::{ScopeArgs, note_unseen_variables, quote, say};

/// The file that Windows runs at login.
const BATCH: &str = "serial-ws.cmd";

/// The line by which a file is known to be ours.
const MARK: &str = "rem Written by serial-ws service install";

/// Writes the file, and runs it if it is new.
pub(crate) fn install(
    args: ScopeArgs,
    folder: &Path,
    program: &Path,
    flags: &Flags,
    out: &mut dyn Write,
) -> Result<()> {
    let path = folder.join(BATCH);
    let text = batch(program, flags)?;
    let was_installed = is_written_by_us(&path, MARK)?;
    note_unseen_variables(out);
    let mut steps = Steps { args, out };
    steps.write(&path, &text)?;
    if was_installed {
        // Another program may have the same name, so none is ended here.
        let advice = format!(
            "serial-ws starts with these flags when you log in. To start it now, close its window if \
             it runs, then run: cmd /c \"{}\"",
            path.display()
        );
        say(steps.out, &advice);
        return Ok(());
    }
    let status = steps.run(path.as_os_str(), &[]);
    let status = status.with_context(|| format!("cannot run {}", path.display()))?;
    if !status.success() {
        bail!("{} failed ({status})", path.display());
    }
    if !args.dry_run {
        let sentence =
            "serial-ws is running now, in a window of its own, and will start whenever you log in";
        say(steps.out, sentence);
    }
    Ok(())
}

/// Deletes the file.
pub(crate) fn remove(args: ScopeArgs, folder: &Path, out: &mut dyn Write) -> Result<()> {
    let path = folder.join(BATCH);
    ensure_installed(&path, MARK)?;
    let mut steps = Steps { args, out };
    steps.delete(&path)?;
    if !args.dry_run {
        say(
            steps.out,
            "serial-ws does not start at login any more. To stop it now, close its window",
        );
    }
    Ok(())
}

/// Prints whether the file is there, which says nothing of what runs. Returns true if it is.
pub(crate) fn status(folder: &Path, out: &mut dyn Write) -> bool {
    let path: PathBuf = folder.join(BATCH);
    let is = if path.exists() {
        "exists, so serial-ws starts when you log in"
    } else {
        "does not exist, so serial-ws does not start by itself"
    };
    let command = "tasklist /fi \"imagename eq serial-ws.exe\"";
    let shown_path = path.display();
    say(
        out,
        &format!("{shown_path} {is}. To see whether it is running: {command}"),
    );
    path.exists()
}

/// Returns the lines for the shell of Windows.
fn batch(program: &Path, flags: &Flags) -> Result<String> {
    let mut command = quote::batch(&program.to_string_lossy())?;
    for word in &flags.words {
        command.push(' ');
        command += &quote::batch(&word.text().to_string_lossy())?;
    }
    // The names in it are in UTF-8; the first pair of quotes is the title of the window.
    Ok(format!(
        "@echo off\n{MARK}\nchcp 65001 >nul\nstart \"serial-ws\" /min {command}\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_gets_a_line_for_its_shell() {
        let program = Path::new(r"C:\R&D 100%\serial-ws.exe");
        let words = ["-p", "sim"].map(std::ffi::OsString::from);
        let text = batch(program, &Flags::check(&words).unwrap()).unwrap();
        let line = "start \"serial-ws\" /min \"C:\\R&D 100%%\\serial-ws.exe\" \"-p\" \"sim\"\n";
        assert!(text.ends_with(line), "{text}");
        assert!(text.contains(MARK), "{text}");
    }
}
