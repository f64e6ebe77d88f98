//! `?latest=`: sends a client only the newest frame, at most so many times a second.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::hub::Event;

/// The newest event, for a client that wants nothing else.
pub(crate) struct Latest {
    /// The shortest time between two messages; None for a client that wants every event.
    interval: Option<Duration>,
    /// The event that waits.
    pub(crate) event: Option<Arc<Event>>,
    /// The earliest time of the next message.
    due: Instant,
}

impl Latest {
    /// Sends the first event at once, and others at this interval.
    pub(crate) fn new(interval: Option<Duration>) -> Self {
        Self {
            interval,
            event: None,
            due: Instant::now(),
        }
    }

    /// Returns true if the client wants nothing but the newest event.
    pub(crate) fn is_wanted(&self) -> bool {
        self.interval.is_some()
    }

    /// Takes the event that waits, if its time has come.
    pub(crate) fn take_due(&mut self) -> Option<Arc<Event>> {
        let now = Instant::now();
        let event = self.event.take_if(|_| self.due <= now)?;
        self.due = now + self.interval.unwrap_or_default();
        Some(event)
    }

    /// Waits until the time of the event that waits; forever if none does.
    pub(crate) async fn due(&self) {
        match self.event {
            Some(_) => sleep_until(self.due).await,
            None => std::future::pending().await,
        }
    }
}
