//! The signals that end the program.

#[cfg(unix)]
mod starting;

use anyhow::{Context, Result};
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal as listen_for};
#[cfg(windows)]
use tokio::signal::windows::{CtrlC, CtrlClose, CtrlShutdown, ctrl_c, ctrl_close, ctrl_shutdown};

/// The error when the system does not permit listening for signals.
const CANNOT_LISTEN: &str = "cannot listen for signals";

/// A signal that ends the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopSignal {
    /// Ctrl-C, SIGINT.
    Interrupt,
    /// The one that `kill` and service managers send, SIGTERM.
    Terminate,
}

/// Waits for a signal that stops the program: Ctrl-C, or the one that `kill` and service managers
/// send.
///
/// # Errors
/// When the system does not permit listening for signals.
pub(crate) async fn signal() -> Result<StopSignal> {
    Ok(Signals::listen()?.next().await)
}

#[cfg(unix)]
pub(crate) use starting::Starting;

/// The beginning of the program, where SIGTERM has to be caught on other systems.
#[cfg(windows)]
pub(crate) struct Starting;

#[cfg(windows)]
impl Starting {
    /// Begins.
    pub(crate) fn begin() -> Self {
        Self
    }

    /// Lets the program go on without listening.
    pub(crate) fn end(self) {}

    /// Listens from now on.
    ///
    /// # Errors
    /// When the system does not permit it.
    pub(crate) fn listen(self) -> Result<Signals> {
        Signals::listen()
    }
}

/// The signals that stop the program. While they are listened to, they do nothing by themselves.
#[cfg(unix)]
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// None if the program is to outlive the terminal.
    hangup: Option<Signal>,
    /// True if SIGHUP asks for something else than the end while the terminal is there.
    hangup_reopens: bool,
    has_terminal: bool,
}

#[cfg(unix)]
impl Signals {
    /// Listens from now on.
    ///
    /// # Errors
    /// When the system does not permit it.
    pub(crate) fn listen() -> Result<Self> {
        let listen_for = |kind| listen_for(kind).context(CANNOT_LISTEN);
        Ok(Self {
            interrupt: listen_for(SignalKind::interrupt())?,
            terminate: listen_for(SignalKind::terminate())?,
            hangup: if ignores_hangup() {
                None
            } else {
                Some(listen_for(SignalKind::hangup())?)
            },
            hangup_reopens: false,
            has_terminal: has_terminal(),
        })
    }

    /// The same signals, where SIGHUP has files opened again ([`ReopenSignal`](super::ReopenSignal))
    /// and ends the program only when its terminal has gone.
    #[must_use]
    pub(crate) fn with_reopening(self, hangup_reopens: bool) -> Self {
        Self {
            hangup_reopens,
            ..self
        }
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) -> StopSignal {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return StopSignal::Interrupt,
                _ = self.terminate.recv() => return StopSignal::Terminate,
                Some(_) = recv(self.hangup.as_mut()) => {
                    let has_gone = self.has_terminal && !has_terminal();
                    if has_gone || !self.hangup_reopens {
                        return StopSignal::Terminate;
                    }
                }
            }
        }
    }
}

/// Returns true while the program has a terminal that controls it.
#[cfg(unix)]
fn has_terminal() -> bool {
    std::fs::File::open("/dev/tty").is_ok()
}

#[cfg(unix)]
async fn recv(signal: Option<&mut Signal>) -> Option<()> {
    signal?.recv().await
}

#[cfg(windows)]
pub(crate) use ConsoleEvents as Signals;

/// The events of the console that stop the program, in place of signals.
#[cfg(windows)]
pub(crate) struct ConsoleEvents {
    interrupt: CtrlC,
    close: CtrlClose,
    shutdown: CtrlShutdown,
}

#[cfg(windows)]
impl ConsoleEvents {
    /// Listens from now on.
    ///
    /// # Errors
    /// When the system does not permit it.
    pub(crate) fn listen() -> Result<Self> {
        Ok(Self {
            interrupt: ctrl_c().context(CANNOT_LISTEN)?,
            close: ctrl_close().context(CANNOT_LISTEN)?,
            shutdown: ctrl_shutdown().context(CANNOT_LISTEN)?,
        })
    }

    /// The same events: none of them has files opened again.
    #[must_use]
    pub(crate) fn with_reopening(self, _: bool) -> Self {
        self
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) -> StopSignal {
        tokio::select! {
            _ = self.interrupt.recv() => StopSignal::Interrupt,
            _ = self.close.recv() => StopSignal::Terminate,
            _ = self.shutdown.recv() => StopSignal::Terminate,
        }
    }
}

/// Ends the process as if it had never handled the signal, so that its parent sees why, and the
/// kernel does not wait for output that a port still holds.
#[cfg(unix)]
pub(crate) fn end_by_signal(signal: StopSignal) -> ! {
    let number = match signal {
        StopSignal::Interrupt => libc::SIGINT,
        StopSignal::Terminate => libc::SIGTERM,
    };
    // SAFETY: both calls only take numbers; SIG_DFL installs no code of ours, and nothing else
    // in the program changes signal handlers at this point, which is its last.
    unsafe {
        libc::signal(number, libc::SIG_DFL);
        libc::raise(number);
    }
    // Only reached where the signal is blocked; the same status as a shell would show.
    std::process::exit(128 + number)
}

/// Ends the process with the status that says "stopped before the end": Windows has no signals.
#[cfg(windows)]
pub(crate) fn end_by_signal(_signal: StopSignal) -> ! {
    std::process::exit(1)
}

/// Returns true if the parent wants this program to outlive the terminal, as `nohup` does.
#[cfg(unix)]
fn ignores_hangup() -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: with no new action this only writes the present one, which is plain data, and we
    // read it only when the call says that it was written.
    unsafe {
        libc::sigaction(libc::SIGHUP, std::ptr::null(), action.as_mut_ptr()) == 0
            && action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}
