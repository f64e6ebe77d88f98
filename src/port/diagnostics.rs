//! Guesses from the settings and the bytes alone what a newcomer may have set wrong. Pure: it is
//! told the time.

use std::time::{Duration, Instant};

use memchr::memrchr;

use super::config::PortConfig;
use super::source::spec::Spec;
use crate::hub::Data;

/// Bytes without a line end after which one may be missing.
const MANY_BYTES: usize = 256;

/// Time without a line end after which one may be missing.
const LONG: Duration = Duration::from_secs(2);

/// Lines to have seen before judging them.
const ENOUGH_LINES: usize = 8;

/// What the settings of a port do that its user may not expect.
///
/// `cannot_keep_lines` says what of `--no-reset` this system cannot do.
pub(crate) fn of_settings(
    config: &PortConfig,
    cannot_keep_lines: Option<&'static str>,
) -> Vec<&'static str> {
    if matches!(config.spec, Spec::Sim(_) | Spec::Loop) {
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

/// What has been seen so far; each hint is given once.
pub(crate) struct Hints {
    baud: u32,
    /// Whether lines are what clients get who do not ask for something else.
    wants_lines: bool,
    since_line_end: Option<(Instant, usize)>,
    lines: usize,
    invalid: usize,
    has_seen_line_end: bool,
    has_told_line_end: bool,
    has_told_baud: bool,
}

impl Hints {
    /// Nothing seen yet, of a port at `baud`.
    pub(crate) fn new(baud: u32, wants_lines: bool) -> Self {
        Self {
            baud,
            wants_lines,
            since_line_end: None,
            lines: 0,
            invalid: 0,
            has_seen_line_end: false,
            has_told_line_end: false,
            has_told_baud: false,
        }
    }

    /// Looks at what was read, and returns what to tell the user.
    pub(crate) fn look(&mut self, data: &Data, now: Instant) -> Option<String> {
        self.lines += data.frames.len();
        self.invalid += data.frames.iter().filter(|frame| !frame.utf8).count();
        if !self.has_told_baud && self.lines >= ENOUGH_LINES && self.invalid * 2 > self.lines {
            self.has_told_baud = true;
            return Some(format!("most of this is not text: {}", self.rate()));
        }
        if self.has_told_line_end || !self.wants_lines {
            return None;
        }
        let rest = memrchr(b'\n', &data.chunk).map_or(&data.chunk[..], |end| {
            self.has_seen_line_end = true;
            self.since_line_end = None;
            &data.chunk[end + 1..]
        });
        let (since, bytes) = self.since_line_end.get_or_insert((now, 0));
        *bytes += rest.len();
        let is_long = *bytes >= MANY_BYTES || now.duration_since(*since) >= LONG;
        // A long line among others is no mistake, unless it is no text.
        self.has_told_line_end = is_long && (!self.has_seen_line_end || !is_text(rest));
        let hint = "no line ends seen: does the sketch use Serial.write? Try --raw";
        if self.has_told_line_end && !is_text(rest) && !self.has_told_baud {
            // A sketch that is slower than the rate sounds like this as well.
            self.has_told_baud = true;
            return Some(format!("{hint}. Or {}", self.rate()));
        }
        self.has_told_line_end.then(|| hint.into())
    }

    /// The question whether the rate is right, with another one to try.
    fn rate(&self) -> String {
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
    use crate::port::framing::lines::Framer;

    fn hints(chunks: &[&[u8]], apart: Duration) -> Vec<String> {
        let mut framer = Framer::new(999);
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
        assert_eq!(hints(&[b"a\n", &[b'x'; 300], b"\n"], LONG), [""; 0]);
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
        assert_eq!(hints(&[&b"300,12\r\n"[..]; 99], LONG), [""; 0]);
    }
}
