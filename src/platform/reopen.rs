//! The signal to open a file again, after which the one that was written may be moved, compressed or
//! removed: SIGHUP, as for other programs that write logs. Windows has none; there, a file that was
//! renamed is followed by a new one.

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens for the signal. Meanwhile it does nothing by itself.
pub(crate) struct ReopenSignal {
    #[cfg(unix)]
    hangup: Signal,
}

impl ReopenSignal {
    /// Listens from now on.
    ///
    /// # Errors
    /// When the system does not permit it, in words for people.
    pub(crate) fn listen() -> Result<Self, String> {
        Ok(Self {
            #[cfg(unix)]
            hangup: signal(SignalKind::hangup())
                .map_err(|error| format!("cannot listen for SIGHUP: {}", super::reason(&error)))?,
        })
    }

    /// Waits for the next one.
    pub(crate) async fn received(&mut self) {
        #[cfg(unix)]
        if self.hangup.recv().await.is_some() {
            return;
        }
        std::future::pending().await
    }
}
