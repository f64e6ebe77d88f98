//! Judges when a board that restarts is ready for what clients write: once its program has spoken,
//! or after a time. Pure: it is told the time and what the board says.

use std::time::Duration;

use tokio::time::Instant;

use crate::hub::{Data, Extent, Frame};

/// The silence after which a board that has spoken is taken to listen.
const LISTENING_DELAY: Duration = Duration::from_millis(200);

/// The lines of text after which a board that goes on speaking is taken to listen.
const MIN_LINES: usize = 2;

/// The beginnings of the lines that the boot ROMs of Espressif's chips print. Nothing reads what is
/// sent to the chip then.
const ROM_LINES: [&str; 17] = [
    "ets ",
    "ESP-ROM:",
    "Build:",
    "rst:0x",
    "Saved PC:",
    "SPIWP:",
    "configsip:",
    "clk_drv:",
    "mode:D",
    "mode:Q",
    "load:0x",
    "load 0x",
    "ho 0 tail ",
    "tail ",
    "chksum 0x",
    "csum 0x",
    "entry 0x",
];

/// The last line of an ESP8266's boot ROM.
const LOADED: &str = "~ld";

/// The tags with which ESP-IDF's bootloader and start-up code log, as in `I (29) boot: ESP-IDF`.
const BOOT_TAGS: [&str; 6] = [
    "boot:",
    "boot.esp",
    "esp_image:",
    "cpu_start:",
    "heap_init:",
    "app_init:",
];

/// Holds writes back after an opening or a reset.
pub(crate) struct Settle {
    /// The longest time to hold them.
    limit: Duration,
    hold: Option<Hold>,
}

/// The state of a board for which writes are held.
struct Hold {
    /// The time at which they go out in any case.
    end: Instant,
    /// The end of the silence that shows the board to listen; None unless its program has spoken.
    listening: Option<Instant>,
    /// True if the last line was a boot loader's.
    is_booting: bool,
    /// The lines of text since then.
    lines: usize,
}

impl Settle {
    /// Holds writes for `limit` at most.
    pub(crate) fn new(limit: Duration, now: Instant) -> Self {
        let mut settle = Self { limit, hold: None };
        settle.restart(now);
        settle
    }

    /// Holds writes anew.
    pub(crate) fn restart(&mut self, now: Instant) {
        self.hold = (self.limit > Duration::ZERO).then(|| Hold {
            end: now + self.limit,
            listening: None,
            is_booting: false,
            lines: 0,
        });
    }

    /// Returns true if writes may go out.
    pub(crate) fn is_over(&self) -> bool {
        self.hold.is_none()
    }

    /// Returns when to call [`Settle::on_deadline`].
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let hold = self.hold.as_ref()?;
        Some(hold.listening.map_or(hold.end, |at| at.min(hold.end)))
    }

    /// Goes on with what is due.
    pub(crate) fn on_deadline(&mut self, now: Instant) {
        if self.deadline().is_some_and(|at| at <= now) {
            self.hold = None;
        }
    }

    /// Notes what the board says.
    pub(crate) fn heard(&mut self, data: &Data, now: Instant) {
        let Some(hold) = &mut self.hold else {
            return;
        };
        let frames = data.frames.iter();
        for line in frames.filter(|line| !line.bytes.trim_ascii().is_empty()) {
            hold.is_booting = is_boot_log(line.bytes);
            if hold.is_booting {
                hold.lines = 0;
            } else if is_whole_text(line) {
                hold.lines += 1;
            }
        }
        hold.listening = (!hold.is_booting).then(|| now + LISTENING_DELAY);
        if hold.lines >= MIN_LINES {
            self.hold = None;
        }
    }
}

fn is_whole_text(line: Frame<'_>) -> bool {
    let is_control = |byte: &u8| byte.is_ascii_control() && !matches!(byte, b'\t' | b'\x1b');
    line.extent == Extent::Whole && line.utf8 && !line.bytes.iter().any(is_control)
}

/// Returns true for a line that a boot ROM or a bootloader prints, also after the noise of a line
/// that has just been powered.
pub(super) fn is_boot_log(line: &[u8]) -> bool {
    let text = String::from_utf8_lossy(line);
    let begins = |text: &str, list: &[&str]| list.iter().any(|word| text.starts_with(word));
    let is_logged = text.split_once(") ").is_some_and(|(time, message)| {
        let milliseconds = time.rsplit_once(" (").map_or("", |(_, digits)| digits);
        let is_time = !milliseconds.is_empty() && milliseconds.bytes().all(|c| c.is_ascii_digit());
        is_time && begins(message, &BOOT_TAGS)
    });
    let clean = text.trim_start_matches(|c: char| !c.is_ascii_alphabetic() && c != '~');
    is_logged || begins(clean, &ROM_LINES) || clean.trim_end() == LOADED
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::port::framing::{Framer, lines::LineFramer};

    /// The text of a board, so many milliseconds after the opening.
    type Speech<'a> = &'a [(u64, &'a [u8])];

    /// Returns after how many milliseconds writes go out, at most 2000.
    fn released(speech: Speech<'_>) -> u64 {
        let (start, mut framer) = (Instant::now(), LineFramer::new(999));
        let mut settle = Settle::new(Duration::from_secs(2), start);
        let at = |millis| start + Duration::from_millis(millis);
        let mut said = speech.iter().peekable();
        for now in 0..=2000 {
            settle.on_deadline(at(now));
            while let Some((_, text)) = said.next_if(|(time, _)| *time == now) {
                settle.heard(&framer.push(Bytes::copy_from_slice(text)), at(now));
            }
            if settle.is_over() {
                return now;
            }
        }
        panic!("the limit holds no longer");
    }

    #[track_caller]
    fn check(speech: Speech<'_>, expected: u64) {
        assert_eq!(released(speech), expected);
    }

    #[test]
    fn a_board_that_says_nothing_is_waited_for_to_the_end() {
        check(&[], 2000);
    }

    #[test]
    fn a_board_that_falls_silent_listens() {
        check(&[(700, b"ready\r\n")], 900);
        check(&[(700, b"> ")], 900);
        check(&[(700, b"1,2\n"), (850, b"3"), (1000, b"4")], 1200);
        // Not text: a Firmata board that tells its version.
        check(&[(700, &[0xf9, 2, 5, 0xf0, 0x79, 2, 5, 0xf7])], 900);
    }

    #[test]
    fn a_board_that_has_sent_two_lines_of_text_listens() {
        check(&[(700, b"1,2\r\n"), (750, b"3,4\r\n5")], 750);
        check(&[(700, b"\r\nready\r\n\r\n")], 900);
        check(&[(700, b"\xf8\x80\n\x01\x02\n")], 900);
    }

    #[test]
    fn a_board_that_talks_on_without_line_ends_is_waited_for_to_the_end() {
        let speech: Vec<(u64, &[u8])> = (300..2000).step_by(20).map(|at| (at, &b"x"[..])).collect();
        check(&speech, 2000);
    }

    #[test]
    fn a_boot_rom_has_not_spoken_for_the_program() {
        let rom: &[u8] = b"ets Jun  8 2016 00:22:57\r\n\r\nrst:0x1 (POWERON_RESET),boot:0x13\r\n";
        check(&[(150, rom)], 2000);
        check(&[(150, rom), (550, b"ready\r\n")], 750);
        check(&[(150, rom), (550, b"1\r\n2\r\n")], 550);
        check(
            &[(
                150,
                b"\xfe\x00ESP-ROM:esp32c3-api1-20210207\r\nBuild:Feb  7 2021\r\n",
            )],
            2000,
        );
        check(
            &[(
                150,
                b" ets Jan  8 2013,rst cause:2, boot mode:(3,6)\r\n\r\n",
            )],
            2000,
        );
        check(
            &[
                (150, b"csum 0xb0\r\nv3969889e\r\n~ld\r\n"),
                (600, b"Hello\r\n"),
            ],
            800,
        );
    }

    #[test]
    fn the_pauses_of_a_boot_log_do_not_end_it() {
        check(
            &[
                (50, b"rst:0x1 (POWERON),boot:0x8 (SPI_FAST_FLASH_BOOT)\r\n"),
                (300, b"load:0x3fce3808,len:0x43c\r\nentry 0x403c98d8\r\n"),
                (
                    600,
                    b"\x1b[0;32mI (29) boot: ESP-IDF v5.1 2nd stage bootloader\x1b[0m\r\n",
                ),
                (900, b"I (300) cpu_start: Starting scheduler.\r\n"),
                (1200, b"I (320) main: 23.5\r\nI (330) main: 23.6\r\n"),
            ],
            1200,
        );
    }

    #[test]
    fn each_reset_holds_writes_again() {
        let now = Instant::now();
        let mut settle = Settle::new(Duration::from_secs(1), now);
        settle.on_deadline(now + Duration::from_secs(1));
        assert!(settle.is_over());
        settle.restart(now);
        assert!(!settle.is_over());
        assert!(Settle::new(Duration::ZERO, now).is_over());
    }
}
