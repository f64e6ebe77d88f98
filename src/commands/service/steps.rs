//! The steps of an installation: files to write and delete, commands to run. Each one is printed first,
//! and with `--dry-run` it is only printed.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, Result, anyhow, bail, ensure};

use super::{Scope, ScopeArgs, say};
use crate::platform::reason;
use crate::server::create_token;

/// The steps of an installation, which are carried out or only printed.
pub(crate) struct Steps<'a> {
    /// The place to act in, and whether to act at all.
    pub(crate) args: ScopeArgs,
    /// The place that they are printed to.
    pub(crate) out: &'a mut dyn Write,
}

impl Steps<'_> {
    /// Writes a file, and creates its folders.
    pub(crate) fn write(&mut self, path: &Path, text: &str) -> Result<()> {
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

    /// Writes a new token, which is not shown.
    pub(crate) fn write_token(&mut self, path: &Path) -> Result<()> {
        say(self.out, &format!("write {}: a new token", path.display()));
        if !self.args.dry_run {
            create_token(path)?;
        }
        Ok(())
    }

    /// Deletes a file.
    pub(crate) fn delete(&mut self, path: &Path) -> Result<()> {
        say(self.out, &format!("delete {}", path.display()));
        if !self.args.dry_run {
            let deleted = fs::remove_file(path);
            deleted.map_err(|error| self.not_permitted(error, "delete", path))?;
        }
        Ok(())
    }

    fn not_permitted(&self, error: io::Error, what: &str, path: &Path) -> anyhow::Error {
        let is_denied = error.kind() == io::ErrorKind::PermissionDenied;
        let error = anyhow!("cannot {what} {}: {}", path.display(), reason(&error));
        match self.args.scope() {
            Scope::System if is_denied => anyhow!("{error}. Run it with sudo"),
            _ => error,
        }
    }

    /// Runs a command, whose errors the user sees, and waits until it has ended.
    pub(crate) fn run(&mut self, program: &OsStr, arguments: &[&str]) -> io::Result<ExitStatus> {
        let words = std::iter::once(program.to_string_lossy());
        let words = words.chain(arguments.iter().map(|&word| word.into()));
        let line = words.collect::<Vec<_>>().join(" ");
        say(self.out, &format!("run {line}"));
        if self.args.dry_run {
            return Ok(ExitStatus::default());
        }
        let mut command = Command::new(program);
        // What it starts may live on, and must not keep our output open.
        let output = if cfg!(windows) {
            Stdio::null()
        } else {
            Stdio::inherit()
        };
        command.args(arguments).stdin(Stdio::null()).stdout(output);
        command.status()
    }
}

/// Tells whether a file of ours is there: one with the text `mark`.
///
/// # Errors
/// When somebody else wrote it, or it cannot be read.
pub(crate) fn is_written_by_us(path: &Path, mark: &str) -> Result<bool> {
    let shown_path = path.display();
    match fs::read_to_string(path) {
        Ok(text) => ensure!(
            text.contains(mark),
            "{shown_path} exists, and serial-ws service install did not write it. Move it away first"
        ),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error).with_context(|| format!("cannot read {shown_path}")),
    }
    Ok(true)
}

/// Fails if no file of ours is there to remove.
pub(crate) fn ensure_installed(path: &Path, mark: &str) -> Result<()> {
    if !is_written_by_us(path, mark)? {
        bail!("nothing to remove: there is no {}", path.display());
    }
    Ok(())
}
