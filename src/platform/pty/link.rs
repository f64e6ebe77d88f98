//! The symbolic link by which programs find a pseudo-terminal, which has another path each time.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Access, access};

/// The beginnings of the paths of pseudo-terminals, on Linux and on macOS.
const TERMINALS: [&str; 2] = ["/dev/pts/", "/dev/ttys"];

/// The time that a program may take to set up a terminal to which a link leads already.
const SETUP_TIME: Duration = Duration::from_millis(20);

/// A link to a terminal, which is removed with this.
pub(super) struct TerminalLink {
    path: PathBuf,
    /// The terminal that it leads to.
    terminal: PathBuf,
}

impl TerminalLink {
    /// Makes a link. One that an earlier run has left is replaced: it leads to no terminal any more, or
    /// to another one that has its path by now.
    ///
    /// # Errors
    /// If something else is there: says so, and what to do.
    pub(super) fn new(path: &Path, terminal: &Path) -> io::Result<Self> {
        check_free(path, terminal)?;
        replace(path, terminal)?;
        Ok(Self {
            path: path.to_owned(),
            terminal: terminal.to_owned(),
        })
    }

    /// Has it lead to another terminal from now on.
    ///
    /// # Errors
    /// As the system reports them, and if it is not ours any more.
    pub(super) fn lead_to(&mut self, terminal: &Path) -> io::Result<()> {
        if !self.is_ours() {
            return Err(io::Error::other("another program has replaced it"));
        }
        replace(&self.path, terminal)?;
        terminal.clone_into(&mut self.terminal);
        Ok(())
    }

    fn is_ours(&self) -> bool {
        fs::read_link(&self.path).is_ok_and(|terminal| terminal == self.terminal)
    }
}

impl Drop for TerminalLink {
    fn drop(&mut self) {
        if self.is_ours() {
            // Without it, it leads nowhere.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Checks that a link can be made at a path, as far as the system tells.
///
/// # Errors
/// Says why not.
pub(super) fn check(path: &Path) -> io::Result<()> {
    check_free(path, Path::new(""))?;
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let writable = access(folder.unwrap_or(Path::new(".")), Access::WRITE_OK);
    writable.map_err(|error| explained(error.into()))
}

/// Checks that nothing is at a path that is not ours.
fn check_free(path: &Path, terminal: &Path) -> io::Result<()> {
    let what = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(found) if found.is_symlink() => {
            let target = fs::read_link(path)?;
            if target == terminal || is_terminal(&target) && is_left(&found, &target) {
                return Ok(());
            }
            format!("it is a link to {} already", target.display())
        }
        Ok(found) if found.is_dir() => "it is a folder".to_owned(),
        Ok(found) if found.is_file() => "it is a file".to_owned(),
        Ok(_) => "it is a device or socket".to_owned(),
    };
    let advice = "choose another path, or remove it";
    Err(io::Error::other(format!("{what}: {advice}")))
}

/// Returns true if the terminal that a link was made for is gone, also where another one has its path by
/// now: that one is younger than the link.
fn is_left(link: &Metadata, terminal: &Path) -> bool {
    let Ok(terminal) = fs::metadata(terminal) else {
        return true;
    };
    let nanoseconds =
        |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
    let made = nanoseconds(link.mtime(), link.mtime_nsec());
    // The system notes when a terminal was made, or given other rights, which its maker does at once.
    let terminal_made = nanoseconds(terminal.ctime(), terminal.ctime_nsec());
    terminal_made > made + SETUP_TIME.as_nanos() as i128
}

/// Returns true for the path of a pseudo-terminal. A link to another device may be of somebody who
/// waits for it.
fn is_terminal(path: &Path) -> bool {
    let path = path.to_string_lossy();
    TERMINALS.iter().any(|start| path.starts_with(start))
}

/// Makes a link, in place of one that is there. Whoever follows it meanwhile finds either.
fn replace(path: &Path, terminal: &Path) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = path.with_file_name(format!("{name}.new-{}", std::process::id()));
    symlink(terminal, &new)
        .and_then(|()| fs::rename(&new, path).inspect_err(|_| _ = fs::remove_file(&new)))
        .map_err(explained)
}

fn explained(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::NotFound => io::Error::other("there is no such folder"),
        ErrorKind::PermissionDenied => {
            io::Error::other("permission denied: choose a folder in which you may write")
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder for one test, which is removed with it.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let name = format!("serial-ws-link-{name}-{}", std::process::id());
            let folder = std::env::temp_dir().join(name);
            fs::create_dir(&folder).unwrap();
            Self(folder)
        }

        #[track_caller]
        fn check_refused(&self, name: &str, expected: &str) {
            let path = self.0.join(name);
            let error = TerminalLink::new(&path, Path::new("/dev/null")).err();
            let error = error.unwrap().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn a_link_leads_to_its_terminal_and_is_removed_at_the_end() {
        let folder = Folder::new("own");
        let path = folder.0.join("board");
        // An earlier run was killed.
        symlink("/dev/pts/99999", &path).unwrap();
        let mut link = TerminalLink::new(&path, Path::new("/dev/null")).unwrap();
        assert_eq!(fs::read_link(&path).unwrap(), Path::new("/dev/null"));
        link.lead_to(Path::new("/dev/zero")).unwrap();
        assert_eq!(fs::read_link(&path).unwrap(), Path::new("/dev/zero"));
        drop(link);
        assert!(fs::read_dir(&folder.0).unwrap().next().is_none());
    }

    #[test]
    fn a_link_that_another_program_has_replaced_is_left_alone() {
        let folder = Folder::new("replaced");
        let path = folder.0.join("board");
        let mut link = TerminalLink::new(&path, Path::new("/dev/null")).unwrap();
        fs::remove_file(&path).unwrap();
        symlink("/dev/zero", &path).unwrap();
        let error = link.lead_to(Path::new("/dev/null")).unwrap_err();
        assert_eq!(error.to_string(), "another program has replaced it");
        drop(link);
        assert_eq!(fs::read_link(&path).unwrap(), Path::new("/dev/zero"));
    }

    #[test]
    fn nothing_that_is_another_s_is_replaced() {
        let folder = Folder::new("others");
        fs::write(folder.0.join("file"), "").unwrap();
        folder.check_refused("file", "it is a file: choose another path");
        fs::create_dir(folder.0.join("folder")).unwrap();
        folder.check_refused("folder", "it is a folder: choose another path");
        symlink("/dev/zero", folder.0.join("device")).unwrap();
        folder.check_refused("device", "it is a link to /dev/zero already");
        // The device may come back.
        symlink("/dev/ttyUSB99", folder.0.join("absent")).unwrap();
        folder.check_refused("absent", "it is a link to /dev/ttyUSB99 already");
        folder.check_refused("no/board", "there is no such folder");
        assert!(fs::read_link(folder.0.join("absent")).is_ok());
    }
}
