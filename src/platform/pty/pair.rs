//! Opens the two sides of a pseudo-terminal.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

/// The two sides of a pseudo-terminal. No program inherits them.
pub(in crate::platform) struct PtyPair {
    /// Our side.
    pub(in crate::platform) ours: OwnedFd,
    /// The side that is a terminal.
    pub(in crate::platform) terminal: OwnedFd,
    /// The path of that side.
    pub(in crate::platform) path: PathBuf,
}

/// Opens a new pseudo-terminal.
///
/// # Errors
/// As the system reports them.
pub(in crate::platform) fn open_pty() -> io::Result<PtyPair> {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    rustix::io::fcntl_setfd(&ours, rustix::io::FdFlags::CLOEXEC)?;
    grantpt(&ours)?;
    unlockpt(&ours)?;
    let path = ptsname(&ours, Vec::new())?;
    let path = PathBuf::from(path.into_string().map_err(io::Error::other)?);
    Ok(PtyPair {
        ours,
        terminal: open_terminal(&path)?,
        path,
    })
}

/// Opens a terminal, which does not become ours.
///
/// # Errors
/// As the system reports them.
pub(super) fn open_terminal(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// Has a terminal pass all bytes as they are.
///
/// # Errors
/// As the system reports them.
pub(in crate::platform) fn set_raw(terminal: &OwnedFd) -> io::Result<()> {
    let mut settings = tcgetattr(terminal)?;
    settings.make_raw();
    Ok(tcsetattr(terminal, OptionalActions::Now, &settings)?)
}
