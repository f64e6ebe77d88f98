//! SIGTERM while the program starts, before anything listens for signals.

use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;

use super::Signals;

/// True until it is known how SIGTERM ends the program.
static IS_STARTING: AtomicBool = AtomicBool::new(false);

/// True once SIGTERM has come in that time.
static HAS_COME: AtomicBool = AtomicBool::new(false);

/// The beginning of the program. What shares ports ends well by SIGTERM, and a command dies of it; which of
/// the two this is, the command line tells. SIGTERM waits until it was read, and a second one does not.
pub(crate) struct Starting {
    /// The action of SIGTERM before; None if the system did not permit another one.
    before: Option<libc::sigaction>,
}

impl Starting {
    /// Lets SIGTERM wait from now on.
    pub(crate) fn begin() -> Self {
        IS_STARTING.store(true, Ordering::SeqCst);
        let mut before = MaybeUninit::<libc::sigaction>::uninit();
        // SAFETY: all zeros is a valid `sigaction`: no flags and an empty mask. The handler only does what
        // a handler may. The system has written the action before where it says that it has.
        let before = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = on_terminate as extern "C" fn(libc::c_int) as usize;
            action.sa_flags = libc::SA_RESTART;
            let set = libc::sigaction(libc::SIGTERM, &raw const action, before.as_mut_ptr());
            (set == 0).then(|| before.assume_init())
        };
        Self { before }
    }

    /// Ends the beginning of a command: SIGTERM does what it did before.
    pub(crate) fn end(self) {
        if let Some(before) = self.before {
            // SAFETY: the system itself has given this action.
            unsafe { libc::sigaction(libc::SIGTERM, &raw const before, std::ptr::null_mut()) };
        }
        IS_STARTING.store(false, Ordering::SeqCst);
        if HAS_COME.load(Ordering::SeqCst) {
            // SAFETY: it only takes a number.
            unsafe { libc::raise(libc::SIGTERM) };
        }
    }

    /// Ends the beginning of what shares ports by listening for signals. One that has come ends the
    /// program: nothing is open yet that would have to be closed.
    ///
    /// # Errors
    /// When the system does not permit it.
    pub(crate) fn listen(self) -> Result<Signals> {
        // Its handler also runs this one, which does nothing from now on.
        let signals = Signals::listen()?;
        IS_STARTING.store(false, Ordering::SeqCst);
        if HAS_COME.load(Ordering::SeqCst) {
            std::process::exit(0);
        }
        Ok(signals)
    }
}

/// Handles SIGTERM while the program starts.
extern "C" fn on_terminate(_: libc::c_int) {
    if IS_STARTING.load(Ordering::SeqCst) && HAS_COME.swap(true, Ordering::SeqCst) {
        // SAFETY: a handler may call it.
        unsafe { libc::_exit(128 + libc::SIGTERM) }
    }
}
