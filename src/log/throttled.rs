//! The log about clients, throttled: a client that tries again and again must not fill it.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::platform::reason;

/// Time after a warning during which the same one is counted instead of logged.
const REPEAT_INTERVAL: Duration = Duration::from_secs(60);

/// Different warnings that are remembered. At the limit, all others share one entry: only the first
/// of them is logged per interval.
const MAX_WARNINGS: usize = 64;

/// Logs each warning at most once a minute.
#[derive(Default)]
pub(crate) struct ThrottledLog {
    /// The time of each warning by its reason, and how often it was left out since then.
    warnings: Mutex<HashMap<String, (Instant, u64)>>,
}

impl ThrottledLog {
    /// Warns that the system refuses what the server asks it for.
    pub(crate) fn failed(&self, what: &str, error: &io::Error) {
        self.warn(what, format_args!("{what}: {}", reason(error)));
    }

    /// Warns that a client was turned away by a Close frame, which on a board nobody sees.
    pub(crate) fn closed(&self, code: u16, reason: &str) {
        self.warn(
            reason,
            format_args!("closed a client: {reason} (close code {code})"),
        );
    }

    /// Warns that something a client sent to this port was dropped.
    pub(crate) fn dropped(&self, port: &str, reason: &str) {
        if let Some(left_out) = self.count(&format!("{port}: {reason}"), Instant::now()) {
            let count = left_out + 1;
            tracing::warn!(port, count, reason, "dropped what a client sent");
        }
    }

    /// Says that a client came or left, each kind of client once a minute.
    pub(crate) fn client(&self, port: &str, what: &str, client: &str) {
        match self.count(&format!("{port}: {what}: {client}"), Instant::now()) {
            None => {}
            Some(0) => tracing::info!(port, "{what}: {client}"),
            Some(times) => {
                tracing::info!(
                    port,
                    "{what}: {client} ({times} more since this was last logged)"
                );
            }
        }
    }

    /// Says that a connection of an output to this port came or left; `kind` is the part of `text`
    /// that is the same for all of its kind.
    pub(crate) fn connection(&self, port: &str, kind: &str, text: fmt::Arguments<'_>) {
        match self.count(&format!("{port}: {kind}"), Instant::now()) {
            None => {}
            Some(0) => tracing::info!(port, "{text}"),
            Some(times) => {
                tracing::info!(port, "{text} ({times} more since this was last logged)");
            }
        }
    }

    /// Warns about a connection of an output to this port, likewise.
    pub(crate) fn trouble(&self, port: &str, kind: &str, text: fmt::Arguments<'_>) {
        match self.count(&format!("{port}: {kind}"), Instant::now()) {
            None => {}
            Some(0) => tracing::warn!(port, "{text}"),
            Some(times) => {
                tracing::warn!(port, "{text} ({times} more since this was last logged)");
            }
        }
    }

    /// Warns about something; the same `reason` is the same warning.
    pub(crate) fn warn(&self, reason: &str, text: fmt::Arguments<'_>) {
        match self.count(reason, Instant::now()) {
            None => {}
            Some(0) => tracing::warn!("{text}"),
            Some(times) => tracing::warn!("{text} ({times} more since this was last logged)"),
        }
    }

    /// Returns how often this warning was left out since it was last logged, or None if it is to
    /// be left out now.
    fn count(&self, reason: &str, now: Instant) -> Option<u64> {
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        let is_old = |logged: Instant| now.duration_since(logged) >= REPEAT_INTERVAL;
        if warnings.len() >= MAX_WARNINGS && !warnings.contains_key(reason) {
            warnings.retain(|_, (logged, _)| !is_old(*logged));
        }
        let key = if warnings.len() < MAX_WARNINGS || warnings.contains_key(reason) {
            reason
        } else {
            "others"
        };
        match warnings.get_mut(key) {
            Some((logged, count)) if !is_old(*logged) => {
                *count += 1;
                None
            }
            Some((logged, count)) => {
                *logged = now;
                Some(std::mem::take(count))
            }
            None => {
                warnings.insert(key.to_owned(), (now, 0));
                Some(0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_logged_once_a_minute_with_a_count() {
        let log = ThrottledLog::default();
        let start = Instant::now();
        assert_eq!(log.count("a", start), Some(0));
        assert_eq!(log.count("a", start), None);
        assert_eq!(log.count("b", start), Some(0));
        assert_eq!(log.count("a", start + REPEAT_INTERVAL / 2), None);
        assert_eq!(log.count("a", start + REPEAT_INTERVAL), Some(2));
        assert_eq!(log.count("a", start + REPEAT_INTERVAL), None);
    }

    #[test]
    fn many_warnings_cost_little_memory() {
        let log = ThrottledLog::default();
        let logged = (0..1000).filter_map(|n| log.count(&n.to_string(), Instant::now()));
        assert_eq!(logged.count(), MAX_WARNINGS + 1);
        assert!(log.warnings.lock().unwrap().len() <= MAX_WARNINGS + 1);
    }
}
