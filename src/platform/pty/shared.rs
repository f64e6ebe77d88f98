//! A pseudo-terminal at a path, for programs that only know serial ports. One that nobody has open
//! costs nothing: nothing is read, written or looked at.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, fchmod, fcntl_getfl, fcntl_setfl};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use tokio::io::AsyncWrite;
use tokio::time::sleep;

use super::link::{self, TerminalLink};
use super::pair::{PtyPair, open_pty, open_terminal};
use super::reader::{HAS_PACKETS, TerminalReader};
use crate::hub::{LineSettings, SettingsChange};
use crate::platform::AsyncDescriptor;
use crate::platform::line_termios::{line_of, set_line};

/// The permissions of a terminal: to read and write, for its owner alone.
const OWNER_ALONE: u32 = 0o600;

/// The time between two looks at whether a program has opened the terminal, where the system does not
/// tell.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// A pseudo-terminal at a path, which is removed with this.
pub(crate) struct SharedTerminal {
    idle: IdleTerminal,
    link: TerminalLink,
}

/// A pseudo-terminal that nobody has had open.
struct IdleTerminal {
    ours: OwnedFd,
    /// The terminal of the program.
    path: PathBuf,
    /// The settings that it shows. Linux keeps no data bits and no parity.
    settings: SettingsChange,
    /// Tells when it is opened; None where the system does not.
    watch: Option<AsyncDescriptor<OwnedFd>>,
}

impl SharedTerminal {
    /// Makes a terminal with these settings, and a link to it.
    ///
    /// # Errors
    /// Says why there can be none.
    pub(crate) fn open(path: &Path, settings: &LineSettings) -> io::Result<Self> {
        let idle = IdleTerminal::open(settings)?;
        let link = TerminalLink::new(path, &idle.path)?;
        Ok(Self { idle, link })
    }

    /// Checks that a link can be made at a path, without making it.
    ///
    /// # Errors
    /// Says why not.
    pub(crate) fn check(path: &Path) -> io::Result<()> {
        link::check(path)
    }

    /// Waits until a program has opened the terminal. Cancelling the wait loses nothing.
    ///
    /// # Errors
    /// As the system reports them.
    pub(crate) async fn opened(&self) -> io::Result<()> {
        while !self.idle.has_program()? {
            self.idle.changed().await;
        }
        Ok(())
    }

    /// Returns what reads from the program that has opened the terminal, and what writes to it.
    ///
    /// # Errors
    /// As the system reports them.
    pub(crate) fn connect(
        &self,
    ) -> io::Result<(TerminalReader, impl AsyncWrite + Send + Unpin + use<>)> {
        // Each has a descriptor of its own: to tokio, one whose other end was closed once stays so.
        let IdleTerminal { ours, settings, .. } = &self.idle;
        let reader = TerminalReader::new(ours.try_clone()?, *settings)?;
        Ok((reader, AsyncDescriptor::new(ours.try_clone()?)?))
    }

    /// Has the terminal show other settings, unless a program has it open, to which it belongs.
    ///
    /// # Errors
    /// As the system reports them.
    pub(crate) fn set(&mut self, settings: &LineSettings) -> io::Result<()> {
        if self.idle.has_program()? {
            return Ok(());
        }
        let terminal = open_terminal(&self.idle.path)?;
        self.idle.settings = configure(&terminal, settings)?;
        drop(terminal);
        self.idle.forget_notice()
    }

    /// Replaces the terminal after a program has closed it, so that the next one finds nothing of what
    /// was not read, and no modes that it has left, such as that nobody else may open it (`TIOCEXCL`).
    ///
    /// # Errors
    /// As the system reports them. The terminal stays as it is then.
    pub(crate) fn renew(&mut self, settings: &LineSettings) -> io::Result<()> {
        let new = IdleTerminal::open(settings)?;
        self.link.lead_to(&new.path)?;
        // The next program may have opened it just before.
        if self.idle.has_program()? {
            return self.link.lead_to(&self.idle.path);
        }
        self.idle = new;
        Ok(())
    }
}

impl IdleTerminal {
    fn open(settings: &LineSettings) -> io::Result<Self> {
        let PtyPair {
            ours,
            terminal,
            path,
        } = open_pty()?;
        fcntl_setfl(&ours, fcntl_getfl(&ours)? | OFlags::NONBLOCK)?;
        tell_changes(&ours)?;
        fchmod(&terminal, Mode::from_raw_mode(OWNER_ALONE as _))?;
        let settings = configure(&terminal, settings)?;
        // From now on, the system knows that nobody has it open.
        drop(terminal);
        let watch = watch_openings(&path).inspect_err(|error| {
            tracing::debug!(%error, "the system does not tell when a terminal is opened");
        });
        let idle = Self {
            ours,
            path,
            settings,
            watch: watch.ok(),
        };
        idle.forget_notice()?;
        Ok(idle)
    }

    /// Returns true if a program has the terminal open, or has left something to be read.
    fn has_program(&self) -> io::Result<bool> {
        let mut ours = [PollFd::new(&self.ours, PollFlags::IN)];
        poll(&mut ours, Some(&Timespec::default()))?;
        let found = ours[0].revents();
        Ok(!found.contains(PollFlags::HUP) || found.contains(PollFlags::IN))
    }

    /// Waits until a program may have opened the terminal.
    async fn changed(&self) {
        let mut events = [0; 1024];
        let told = match &self.watch {
            Some(watch) => {
                let read = watch.read_by(|watch| Ok(rustix::io::read(watch, &mut events)?));
                read.await.is_ok()
            }
            None => false,
        };
        if !told {
            sleep(LOOK_INTERVAL).await;
        }
    }

    /// Forgets that the settings were changed, by us.
    fn forget_notice(&self) -> io::Result<()> {
        if HAS_PACKETS {
            // One byte has room for a notice, and for nothing of what a program writes.
            let _ = rustix::io::read(&self.ours, &mut [0]);
        }
        Ok(())
    }
}

/// Sets up a terminal as a serial port with these settings, which passes all bytes as they are. Returns
/// those that the system has kept.
fn configure(terminal: &OwnedFd, settings: &LineSettings) -> io::Result<SettingsChange> {
    let mut termios = tcgetattr(terminal)?;
    termios.make_raw();
    set_line(&mut termios, settings)?;
    if HAS_PACKETS {
        // Without it, only changes of flow control are told.
        termios.local_modes.insert(LocalModes::EXTPROC);
    }
    tcsetattr(terminal, OptionalActions::Now, &termios)?;
    Ok(line_of(&tcgetattr(terminal)?))
}

/// Has each read from our side begin with a byte that tells of changes.
#[cfg(target_os = "linux")]
fn tell_changes(ours: &OwnedFd) -> io::Result<()> {
    use std::os::fd::AsRawFd;

    let on: libc::c_int = 1;
    // SAFETY: the request reads one `int`, which outlives it, and the descriptor is open.
    let done = unsafe { libc::ioctl(ours.as_raw_fd(), libc::TIOCPKT, &raw const on) };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(not(target_os = "linux"))]
fn tell_changes(_ours: &OwnedFd) -> io::Result<()> {
    Ok(())
}

/// Has the system tell when a file is opened.
#[cfg(target_os = "linux")]
fn watch_openings(path: &Path) -> io::Result<AsyncDescriptor<OwnedFd>> {
    use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};

    let watch = init(CreateFlags::CLOEXEC)?;
    add_watch(&watch, path, WatchFlags::OPEN)?;
    AsyncDescriptor::new(watch)
}

#[cfg(not(target_os = "linux"))]
fn watch_openings(_path: &Path) -> io::Result<AsyncDescriptor<OwnedFd>> {
    Err(io::ErrorKind::Unsupported.into())
}
