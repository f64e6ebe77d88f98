//! Diagnostics, and hints about settings that do not seem to fit the board: a wrong baud rate, a view
//! for lines where no line ends. Judges by settings and bytes alone. Pure: it is told the time.

use std::fmt;
use std::time::Duration;

use memchr::memrchr;
use tokio::time::Instant;

use super::config::PortConfig;
use crate::hub::Data;

/// Bytes without a line end before a hint says so.
const MIN_BYTES: usize = 256;

/// Time without a line end before a hint says so.
const NO_LINE_END_DELAY: Duration = Duration::from_secs(2);

/// Lines to see before their encoding is judged.
const MIN_LINES: usize = 8;

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

/// The lines and bytes seen so far. Each hint is given once.
#[derive(Default)]
pub(crate) struct Hints {
    baud: u32,
    /// True if clients get lines by default.
    wants_lines: bool,
    since_line_end: Option<(Instant, usize)>,
    lines: usize,
    invalid: usize,
    has_seen_line_end: bool,
    has_hinted_line_end: bool,
    has_hinted_baud: bool,
}

impl Hints {
    /// Starts with a device that was just opened at `baud`.
    pub(crate) fn new(baud: u32, wants_lines: bool) -> Self {
        Self {
            baud,
            wants_lines,
            ..Self::default()
        }
    }

    /// Looks at what was read, and returns a hint for the user.
    pub(crate) fn look(&mut self, data: &Data, now: Instant) -> Option<String> {
        self.lines += data.frames.len();
        self.invalid += data.frames.iter().filter(|frame| !frame.utf8).count();
        if !self.has_hinted_baud && self.lines >= MIN_LINES && self.invalid * 2 > self.lines {
            self.has_hinted_baud = true;
            return Some(format!(
                "most of the data is not text: {}",
                self.ask_about_rate()
            ));
        }
        if self.has_hinted_line_end || !self.wants_lines {
            return None;
        }
        let rest = memrchr(b'\n', &data.chunk).map_or(&data.chunk[..], |end| {
            self.has_seen_line_end = true;
            self.since_line_end = None;
            &data.chunk[end + 1..]
        });
        let (since, bytes) = self.since_line_end.get_or_insert((now, 0));
        *bytes += rest.len();
        let is_long = *bytes >= MIN_BYTES || now.duration_since(*since) >= NO_LINE_END_DELAY;
        // A long line among others is no mistake, unless it is not text.
        self.has_hinted_line_end = is_long && (!self.has_seen_line_end || !is_text(rest));
        let hint = "no line ends seen: does the sketch use Serial.write? Try --raw";
        if self.has_hinted_line_end && !is_text(rest) && !self.has_hinted_baud {
            // A sketch that sends at a slower rate looks like this as well.
            self.has_hinted_baud = true;
            return Some(format!("{hint}. Or {}", self.ask_about_rate()));
        }
        self.has_hinted_line_end.then(|| hint.into())
    }

    /// Asks about the baud rate, and suggests another one.
    fn ask_about_rate(&self) -> String {
        let likely = if self.baud == 115_200 { 9600 } else { 115_200 };
        format!("is --baud {} right? Try {likely}", self.baud)
    }
}

fn is_text(bytes: &[u8]) -> bool {
    let is_control = |byte: &u8| byte.is_ascii_control() && !byte.is_ascii_whitespace();
    str::from_utf8(bytes).is_ok() && !bytes.iter().any(is_control)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::config::Config;
    use crate::port::framing::{Framer, lines::LineFramer};

    fn hints(chunks: &[&[u8]], apart: Duration) -> Vec<String> {
        let mut framer = LineFramer::new(999);
        let mut hints = Hints::new(9600, true);
        let start = Instant::now();
        let times = (0..).map(|count| start + apart * count);
        let data = chunks
            .iter()
            .map(|chunk| framer.push(Bytes::copy_from_slice(chunk)));
        data.zip(times)
            .filter_map(|(data, now)| hints.look(&data, now))
            .collect()
    }

    #[track_caller]
    fn check(chunks: &[&[u8]], apart: Duration, part: &str) {
        let hints = hints(chunks, apart);
        assert!(
            matches!(&hints[..], [hint] if hint.contains(part)),
            "{hints:?}"
        );
    }

    #[test]
    fn bytes_without_line_ends_hint_at_raw_once() {
        check(&[&[7; 200], &[7; 200], &[7; 200]], Duration::ZERO, "--raw");
        check(&[&[7], &[7], &[7]], Duration::from_secs(1), "--raw");
    }

    #[test]
    fn bytes_that_are_no_text_hint_at_the_rate_as_well() {
        check(&[&[0; 300]], Duration::ZERO, "Or is --baud 9600 right?");
        check(&[&[b'x'; 300]], Duration::ZERO, "Try --raw");
    }

    #[test]
    fn a_byte_that_looks_like_a_line_end_does_not_hide_the_rest() {
        check(&[&[10], &[200; 200], &[200; 200]], Duration::ZERO, "--raw");
    }

    #[test]
    fn long_lines_of_text_are_no_mistake() {
        assert_eq!(
            hints(&[b"a\n", &[b'x'; 300], b"\n"], NO_LINE_END_DELAY),
            [""; 0]
        );
    }

    #[test]
    fn lines_that_are_no_text_hint_at_the_rate_once() {
        check(&[&b"\xff\xfe\n"[..]; 30], Duration::ZERO, "Try 115200");
    }

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
        check_settings(&["COM3", "--baud", "1200"], &["--baud 1200"]);
        check_settings(&["COM3,baud=134"], &["Teensy"]);
        check_settings(&["COM3", "--no-reset"], &["on this system"]);
        check_settings(&["COM3"], &[]);
        check_settings(&["sim", "--no-reset", "--baud", "1200"], &[]);
    }

    #[test]
    fn ordinary_lines_give_no_hint() {
        assert_eq!(hints(&[&b"300,12\r\n"[..]; 99], NO_LINE_END_DELAY), [""; 0]);
    }
}
