//! Paces what is written to a device that loses what comes too fast: a pause after each byte, each line
//! or each message. Pure: the time is an argument.

use std::fmt::{self, Display};
use std::time::Duration;

use serde::{Serialize, Serializer};
use tokio::time::Instant;

use super::connection::Connection;

/// The longest pause. A longer one is refused: nothing would seem to be written at all.
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// A pause and what it follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    pause: Duration,
    after: PacedUnit,
}

/// The units that a pause may follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PacedUnit {
    Byte,
    Line,
    Message,
}

/// The way to write a pace, for error messages.
const USAGE: &str = "expected none, or a pause up to 10s after each byte, line or message, such as 2ms, \
                     20ms/line or 4ms/message";

impl Pace {
    /// Reads a pace such as `2ms`, `20ms/line` or `4ms/message`. `time` reads a time.
    ///
    /// # Errors
    /// A sentence that says what was expected.
    pub(crate) fn parse(
        text: &str,
        time: impl Fn(&str) -> Option<Duration>,
    ) -> Result<Self, String> {
        let (pause, after) = match text.split_once('/') {
            None => (text, PacedUnit::Byte),
            Some((pause, "byte")) => (pause, PacedUnit::Byte),
            Some((pause, "line")) => (pause, PacedUnit::Line),
            Some((pause, "message")) => (pause, PacedUnit::Message),
            Some(_) => return Err(USAGE.to_owned()),
        };
        let pause = time(pause).filter(|pause| !pause.is_zero() && *pause <= MAX_PAUSE);
        let pause = pause.ok_or(USAGE)?;
        Ok(Self { pause, after })
    }
}

impl Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.pause.as_secs_f64() * 1000.0)?;
        f.write_str(match self.after {
            PacedUnit::Byte => "",
            PacedUnit::Line => "/line",
            PacedUnit::Message => "/message",
        })
    }
}

impl Serialize for Pace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Keeps the pace of one device.
pub(super) struct Pacer {
    pace: Option<Pace>,
    /// The last byte of a line.
    line_end: u8,
    /// The end of the last pause.
    pause_end: Option<Instant>,
}

impl Pacer {
    /// Paces a device to which nothing was written yet. Lines end with `line_end`.
    pub(super) fn new(pace: Option<Pace>, line_end: u8) -> Self {
        Self {
            pace,
            line_end,
            pause_end: None,
        }
    }

    /// Returns how many of these bytes may be written now.
    pub(super) fn allowance(&self, unwritten: &[u8], now: Instant) -> usize {
        match self.pace {
            None => unwritten.len(),
            Some(_) if self.pause_end.is_some_and(|end| end > now) => 0,
            Some(pace) => match pace.after {
                PacedUnit::Byte => unwritten.len().min(1),
                PacedUnit::Line => {
                    let end = unwritten.iter().position(|byte| *byte == self.line_end);
                    end.map_or(unwritten.len(), |end| end + 1)
                }
                PacedUnit::Message => unwritten.len(),
            },
        }
    }

    /// Returns the end of the last pause.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.pause_end
    }

    /// Notes a pause that is over.
    pub(super) fn on_deadline(&mut self, now: Instant) {
        self.pause_end.take_if(|end| *end <= now);
    }

    /// Notes that these bytes were written, which may be the last of a message, and when they will have
    /// been sent.
    pub(super) fn wrote(&mut self, bytes: &[u8], ends_message: bool, sent: Instant) {
        let Some(pace) = self.pace else { return };
        let is_end = match pace.after {
            PacedUnit::Byte => !bytes.is_empty(),
            PacedUnit::Line => bytes.last() == Some(&self.line_end),
            PacedUnit::Message => ends_message,
        };
        if is_end {
            self.pause_end = Some(sent + pace.pause);
        }
    }
}

impl Connection<'_> {
    /// Returns how many bytes may be handed to the system now.
    pub(super) fn room(&mut self) -> usize {
        if self.writer.unwritten().is_none() {
            return 0;
        }
        let (device, now) = (&self.transfer.device, Instant::now());
        let unwritten = self.writer.unwritten().unwrap_or_default();
        match self.pacer.allowance(unwritten, now) {
            0 => 0,
            allowance => allowance.min(self.backlog.room(now, || device.unsent())),
        }
    }

    /// Notes that the system took so many bytes of what is to be written next.
    pub(super) fn handed(&mut self, count: usize, now: Instant) {
        self.backlog.handed(count, now);
        if let Some(unwritten) = self.writer.unwritten() {
            let is_last = count == unwritten.len();
            // The pause is for the device, which gets the last byte only then.
            let sent = self.backlog.sent_by();
            self.pacer.wrote(&unwritten[..count], is_last, sent);
        }
        self.writer.wrote(count);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::units;

    fn pace(text: &str) -> Pace {
        Pace::parse(text, |text| units::time(text, 0.001)).unwrap()
    }

    /// Writes messages to a device at once, and returns each burst with its time in milliseconds.
    fn bursts(pace_text: &str, messages: &[&str]) -> Vec<(String, u128)> {
        let start = Instant::now();
        let (mut pacer, mut now) = (Pacer::new(Some(pace(pace_text)), b'\n'), start);
        let mut bursts = Vec::new();
        for message in messages {
            let mut rest = message.as_bytes();
            while !rest.is_empty() {
                let count = pacer.allowance(rest, now);
                if count == 0 {
                    now = pacer.deadline().expect("it waits for something");
                    pacer.on_deadline(now);
                    continue;
                }
                let (piece, others) = rest.split_at(count);
                let text = String::from_utf8_lossy(piece).into_owned();
                bursts.push((text, (now - start).as_millis()));
                pacer.wrote(piece, others.is_empty(), now);
                rest = others;
            }
        }
        bursts
    }

    #[track_caller]
    fn check(pace: &str, messages: &[&str], expected: &[(&str, u128)]) {
        let bursts = bursts(pace, messages);
        let bursts: Vec<_> = bursts
            .iter()
            .map(|(text, at)| (text.as_str(), *at))
            .collect();
        assert_eq!(bursts, expected);
    }

    #[test]
    fn a_pause_follows_each_byte_line_or_message() {
        check("2ms", &["ab", "c"], &[("a", 0), ("b", 2), ("c", 4)]);
        check(
            "20ms/line",
            &["a\nbc\nd", "e\nf"],
            &[("a\n", 0), ("bc\n", 20), ("d", 40), ("e\n", 40), ("f", 60)],
        );
        check(
            "4ms/message",
            &["a\nb", "c", "d"],
            &[("a\nb", 0), ("c", 4), ("d", 8)],
        );
    }

    #[test]
    fn a_pace_is_shown_as_it_is_read() {
        for text in ["2ms", "0.5ms", "20ms/line", "4ms/message"] {
            assert_eq!(pace(text).to_string(), text);
        }
        assert_eq!(pace("2"), pace("2ms/byte"));
        assert_eq!(pace("1s/line").to_string(), "1000ms/line");
        for wrong in ["", "0", "11s", "2ms/char", "2ms/", "/line", "fast", "-1ms"] {
            let error = Pace::parse(wrong, |text| units::time(text, 0.001)).unwrap_err();
            assert!(error.contains("20ms/line"), "{wrong}: {error}");
        }
    }

    proptest! {
        /// Nothing is lost or changed, and no more than a unit comes at once.
        #[test]
        fn what_is_paced_is_what_was_written(
            messages in prop::collection::vec("[a\n]{1,9}", 1..9),
            kind in 0_usize..3,
        ) {
            let messages: Vec<_> = messages.iter().map(String::as_str).collect();
            let bursts = bursts(["1ms", "1ms/line", "1ms/message"][kind], &messages);
            let texts: Vec<_> = bursts.iter().map(|(text, _)| text.as_str()).collect();
            prop_assert_eq!(texts.concat(), messages.concat());
            for text in texts {
                let is_unit = [text.len() == 1, text.find('\n').is_none_or(|at| at + 1 == text.len()), true];
                prop_assert!(is_unit[kind], "{:?}", text);
            }
        }
    }
}
