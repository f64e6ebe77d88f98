//! The common part of the sources in the network: where a device is, how it is reached, when to try
//! again, and how a connection that has died is noticed.

pub(crate) mod endpoint;
mod stream;

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use super::{OpenFailure, RETRY_DELAY};
use crate::dial::Endpoint;
use crate::hub::{State, Status};
use crate::platform::reason;
use crate::terminal::shown;

pub(crate) use stream::NetworkStream;

/// The longest time between two attempts. A device in the network may be switched on at any time.
const MAX_DELAY: Duration = Duration::from_secs(5);

/// The time between two attempts that should not be made often.
const SLOW_DELAY: Duration = Duration::from_secs(30);

/// The time that a connection must last for the next attempt to follow at once.
const MIN_LASTING: Duration = Duration::from_secs(5);

/// Connects to the device.
///
/// # Errors
/// If it cannot be reached now: why, and what to do about it.
pub(crate) async fn connect(endpoint: &Endpoint) -> Result<NetworkStream, OpenFailure> {
    let stream = endpoint.connect().await;
    stream
        .map(NetworkStream::new)
        .map_err(|error| failure(endpoint, &error))
}

/// Says why a device cannot be reached.
fn failure(endpoint: &Endpoint, error: &io::Error) -> OpenFailure {
    let place = shown(&endpoint.to_string());
    let cannot = |why: &str| format!("cannot connect to {place}: {why}");
    match error.kind() {
        ErrorKind::NotFound => absent(
            format!("cannot find `{}` in the network", shown(&endpoint.host)),
            "Check the name, and that this computer is in the same network, or use the address",
        ),
        ErrorKind::ConnectionRefused => absent(
            cannot("nothing listens there"),
            "Check that the device is on, and its TCP port",
        ),
        ErrorKind::TimedOut => absent(
            cannot("it does not answer"),
            "Check that the device is on, and that no firewall is between",
        ),
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => absent(
            cannot("there is no way to it"),
            "Check that the device is on, and that this computer is in its network",
        ),
        ErrorKind::PermissionDenied => absent(
            cannot("this system does not permit it"),
            "Check the firewall; a service may be limited to this computer (IPAddressDeny)",
        ),
        _ => absent(cannot(&reason(error)), ""),
    }
}

/// A device that is not there, with the next step for the user.
pub(crate) fn absent(detail: String, hint: &str) -> OpenFailure {
    OpenFailure {
        is_absent: true,
        explains_loss: true,
        ..Status::new(State::Waiting, detail).with_hint(hint).into()
    }
}

/// Says how long to wait before the next attempt: the longer, the more of them failed.
pub(crate) struct Backoff {
    delay: Duration,
    connected: Option<Instant>,
    /// The connections in a row that lasted only for a moment.
    short: u32,
    /// True if the attempt that is failing should not be made often.
    is_slow: bool,
}

impl Backoff {
    /// Starts with no attempt behind it.
    pub(crate) fn new() -> Self {
        Self {
            delay: RETRY_DELAY,
            connected: None,
            short: 0,
            is_slow: false,
        }
    }

    /// Returns the time to wait.
    pub(crate) fn delay(&self) -> Duration {
        self.delay
    }

    /// Returns true if each connection ends after a moment, again and again.
    pub(crate) fn keeps_ending(&self) -> bool {
        self.short > 1
    }

    /// Waits long after the attempt that is failing.
    pub(crate) fn slow_down(&mut self) {
        self.is_slow = true;
    }

    /// Notes that an attempt succeeded.
    pub(crate) fn succeeded(&mut self) {
        self.connected = Some(Instant::now());
    }

    /// Notes that an attempt failed, or that the connection has ended. One that lasted only for a
    /// moment is made again less and less often: whoever ends it means it.
    pub(crate) fn ended(&mut self) {
        let lasted = self.connected.take().map(|since| since.elapsed());
        if lasted.is_some_and(|time| time >= MIN_LASTING) {
            *self = Self::new();
            return;
        }
        let is_short = lasted.is_some();
        self.short = if is_short { self.short + 1 } else { 0 };
        let longest = if is_short { SLOW_DELAY } else { MAX_DELAY };
        self.delay = if std::mem::take(&mut self.is_slow) {
            SLOW_DELAY
        } else {
            (self.delay * 2).min(longest)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_that_fail_come_more_and_more_seldom() {
        let mut backoff = Backoff::new();
        let mut delays = Vec::new();
        for _ in 0..7 {
            backoff.ended();
            delays.push(backoff.delay().as_millis());
        }
        assert_eq!(delays, [400, 800, 1600, 3200, 5000, 5000, 5000]);
        backoff.connected = Instant::now().checked_sub(MIN_LASTING);
        backoff.ended();
        assert_eq!(backoff.delay(), RETRY_DELAY);
        backoff.succeeded();
        backoff.ended();
        assert_eq!(backoff.delay(), RETRY_DELAY * 2, "it lasted for a moment");
    }

    #[test]
    fn who_ends_each_connection_at_once_is_asked_every_half_minute() {
        let mut backoff = Backoff::new();
        let mut delays = Vec::new();
        for _ in 0..9 {
            backoff.succeeded();
            backoff.ended();
            delays.push(backoff.delay().as_millis());
        }
        let expected = [400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000];
        assert_eq!(delays, expected);
        assert!(backoff.keeps_ending());
        backoff.ended();
        assert!(!backoff.keeps_ending());
        assert_eq!(backoff.delay(), MAX_DELAY, "now nothing listens there");
        backoff.slow_down();
        backoff.ended();
        assert_eq!(backoff.delay(), SLOW_DELAY);
    }

    #[tokio::test]
    async fn a_name_that_nothing_has_is_said() {
        let endpoint = Endpoint {
            host: "nothing.invalid".into(),
            port: 1,
        };
        let failure = connect(&endpoint).await.err().unwrap();
        assert!(failure.is_absent);
        let detail = &failure.status.detail;
        assert_eq!(detail, "cannot find `nothing.invalid` in the network");
    }
}
