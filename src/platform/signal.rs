//! The signals that end the program.

use std::io;

use anyhow::{Context, Result};

use super::StopSignal;

/// Waits for a signal to stop: Ctrl-C, or what `kill` and service managers send.
///
/// # Errors
/// When the system does not let us listen for signals.
pub(crate) async fn signal() -> Result<StopSignal> {
    Ok(Signals::listen()?.next().await)
}

/// The signals to stop, which from now on do nothing by themselves.
pub(crate) struct Signals(System);

impl Signals {
    /// Listens from now on.
    ///
    /// # Errors
    /// When the system does not let us.
    pub(crate) fn listen() -> Result<Self> {
        System::listen()
            .map(Self)
            .context("cannot listen for signals")
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) -> StopSignal {
        self.0.next().await
    }
}

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal as listen_for};

#[cfg(unix)]
struct System {
    interrupt: Signal,
    terminate: Signal,
    /// None where we are to outlive the terminal.
    hangup: Option<Signal>,
}

#[cfg(unix)]
impl System {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: listen_for(SignalKind::interrupt())?,
            terminate: listen_for(SignalKind::terminate())?,
            hangup: if super::ignores_hangup() {
                None
            } else {
                Some(listen_for(SignalKind::hangup())?)
            },
        })
    }

    async fn next(&mut self) -> StopSignal {
        tokio::select! {
            _ = self.interrupt.recv() => StopSignal::Interrupt,
            _ = self.terminate.recv() => StopSignal::Terminate,
            Some(_) = recv(self.hangup.as_mut()) => StopSignal::Terminate,
        }
    }
}

#[cfg(unix)]
async fn recv(signal: Option<&mut Signal>) -> Option<()> {
    signal?.recv().await
}

#[cfg(windows)]
use tokio::signal::windows::{CtrlC, CtrlClose, CtrlShutdown, ctrl_c, ctrl_close, ctrl_shutdown};

#[cfg(windows)]
struct System {
    interrupt: CtrlC,
    close: CtrlClose,
    shutdown: CtrlShutdown,
}

#[cfg(windows)]
impl System {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: ctrl_c()?,
            close: ctrl_close()?,
            shutdown: ctrl_shutdown()?,
        })
    }

    async fn next(&mut self) -> StopSignal {
        tokio::select! {
            _ = self.interrupt.recv() => StopSignal::Interrupt,
            _ = self.close.recv() => StopSignal::Terminate,
            _ = self.shutdown.recv() => StopSignal::Terminate,
        }
    }
}
