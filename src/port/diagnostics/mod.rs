//! Diagnostics, and hints about settings that do not seem to fit the board. Judges by settings and
//! bytes alone. Pure: it is told the time.
//!
//! `hints` decides when there is something to say, by what `pauses`, `sample` and `frame_guess` know of
//! the bytes, and `finding` has the words.

mod expectations;
mod finding;
mod frame_guess;
mod hints;
mod pauses;
mod sample;

use std::fmt;

use super::config::PortConfig;

pub(crate) use expectations::Expectations;
pub(crate) use finding::Hint;
pub(crate) use hints::Hints;

/// Something that the user should know, in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Diagnostic {
    /// Its urgency.
    pub(crate) severity: Severity,
    /// A sentence without its full stop, safe for a terminal.
    pub(crate) text: String,
}

/// The urgency of a diagnostic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    /// All is as it should be.
    Ok,
    /// It is good to know.
    Note,
    /// There is something to do.
    Action,
}

impl Diagnostic {
    /// A diagnostic that all is well.
    pub(crate) fn ok(text: impl Into<String>) -> Self {
        Self::new(Severity::Ok, text)
    }

    /// A diagnostic that is good to know.
    pub(crate) fn note(text: impl Into<String>) -> Self {
        Self::new(Severity::Note, text)
    }

    /// A diagnostic that asks for action.
    pub(crate) fn action(text: impl Into<String>) -> Self {
        Self::new(Severity::Action, text)
    }

    fn new(severity: Severity, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { severity, text }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Ok => "ok",
            Severity::Note => "note",
            Severity::Action => "do",
        };
        write!(f, "{severity:<4}  {}", self.text)
    }
}

/// Returns what the settings of a port do that its user may not expect.
///
/// `cannot_keep_lines` is what `--no-reset` cannot prevent on this system.
pub(crate) fn of_settings(
    config: &PortConfig,
    cannot_keep_lines: Option<&'static str>,
) -> Vec<&'static str> {
    if !config.spec.is_physical() {
        return Vec::new();
    }
    let at_rate = match config.line.baud {
        1200 => Some("--baud 1200 makes many boards start their bootloader instead of the sketch"),
        134 => Some("--baud 134 makes a Teensy start its bootloader instead of the sketch"),
        _ => None,
    };
    let of_reset = cannot_keep_lines.filter(|_| config.line.no_reset);
    at_rate.into_iter().chain(of_reset).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[track_caller]
    fn check_settings(arguments: &[&str], parts: &[&str]) {
        let config = Config::from_args([&["serial-ws", "--port"], arguments].concat()).unwrap();
        let hints = of_settings(&config.ports[0].port, Some("on this system"));
        assert_eq!(hints.len(), parts.len(), "{hints:?}");
        let pairs = hints.iter().zip(parts);
        assert!(pairs.into_iter().all(|(hint, part)| hint.contains(part)));
    }

    #[test]
    fn settings_that_surprise_are_pointed_out() {
        check_settings(&["auto", "--baud", "1200"], &["--baud 1200"]);
        check_settings(&["auto,baud=134"], &["Teensy"]);
        check_settings(&["auto", "--no-reset"], &["on this system"]);
        check_settings(&["auto"], &[]);
        check_settings(&["sim", "--no-reset", "--baud", "1200"], &[]);
    }
}
