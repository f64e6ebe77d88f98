//! `?latest=`: sends a client only the newest frame, at most so many times a second.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep_until};

/// The newest line or chunk, for a client that wants nothing else.
pub(crate) struct Latest {
    /// The shortest time between two messages; None for a client that wants every event.
    interval: Option<Duration>,
    /// The frames that wait.
    pub(crate) frames: Option<Bytes>,
    /// The earliest time of the next message.
    due: Instant,
}

impl Latest {
    /// Sends the first at once, and others at this interval.
    pub(crate) fn new(interval: Option<Duration>) -> Self {
        Self {
            interval,
            frames: None,
            due: Instant::now(),
        }
    }

    /// Returns true if the client wants nothing but the newest.
    pub(crate) fn is_wanted(&self) -> bool {
        self.interval.is_some()
    }

    /// Takes what waits, if its time has come.
    pub(crate) fn take_due(&mut self) -> Option<Bytes> {
        let now = Instant::now();
        let frames = self.frames.take_if(|_| self.due <= now)?;
        self.due = now + self.interval.unwrap_or_default();
        Some(frames)
    }

    /// Waits until the time of what waits; forever if nothing does.
    pub(crate) async fn due(&self) {
        match self.frames {
            Some(_) => sleep_until(self.due).await,
            None => std::future::pending().await,
        }
    }
}
