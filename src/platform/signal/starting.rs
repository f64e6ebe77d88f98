//! SIGTERM while the program starts, before anything listens for signals.

use std::mem::MaybeUninit;
use std::ptr::null_mut;

use anyhow::Result;

use super::Signals;

/// The beginning of the program, in which SIGTERM waits. What shares ports ends well by it, and a command
/// dies of it; which of the two this is, the command line tells.
pub(crate) struct Starting {
    /// The blocked signals before; None if the system blocked none.
    before: Option<libc::sigset_t>,
}

impl Starting {
    /// Lets SIGTERM wait from now on.
    pub(crate) fn begin() -> Self {
        let mut terminate = MaybeUninit::uninit();
        let mut before = MaybeUninit::uninit();
        // SAFETY: sigemptyset() fills the set. The system has written the one before where it says so.
        let before = unsafe {
            libc::sigemptyset(terminate.as_mut_ptr());
            libc::sigaddset(terminate.as_mut_ptr(), libc::SIGTERM);
            let blocked =
                libc::pthread_sigmask(libc::SIG_BLOCK, terminate.as_ptr(), before.as_mut_ptr());
            (blocked == 0).then(|| before.assume_init())
        };
        Self { before }
    }

    /// Ends the beginning. A SIGTERM that has come does now what it does.
    pub(crate) fn end(self) {
        if let Some(before) = self.before {
            // SAFETY: the system itself has given this set.
            unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, null_mut()) };
        }
    }

    /// Ends the beginning of what shares ports by listening for signals.
    ///
    /// # Errors
    /// When the system does not permit it.
    pub(crate) fn listen(self) -> Result<Signals> {
        let signals = Signals::listen()?;
        self.end();
        Ok(signals)
    }
}
