//! Tests the search against boards whose line is simulated bit for bit.

use super::*;
use crate::hub::LineSettings;
use crate::port::source::sim::uart::{
    CharacterError, CharacterFormat, Level, SECOND, UartReceiver,
};

/// The rate to begin with at a board that is not known: that of Arduino's examples.
const FIRST: u32 = 9600;

/// Random numbers: SplitMix64, so that a failure can be repeated by its seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn choose<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len() as u64) as usize]
    }
}

fn format(baud: u32) -> CharacterFormat {
    CharacterFormat::new(&LineSettings {
        baud,
        ..LineSettings::default()
    })
}

/// A board on one end of a line, and a search on the other.
struct Bench {
    search: RateSearch,
    receiver: UartReceiver,
    board: CharacterFormat,
    /// Picoseconds since the opening.
    time: u64,
    start: Instant,
    /// The bytes that the adapter gathers, and until when.
    gathered: Vec<u8>,
    errors: usize,
    due: u64,
    gathers: u64,
    /// True if the driver counts errors.
    counts: bool,
    baud: u32,
    outcome: Option<Decision>,
    visited: Vec<u32>,
    /// The bytes that were heard.
    heard: usize,
}

const MILLISECOND: u64 = SECOND / 1000;

impl Bench {
    fn new(board: u32, baud: u32) -> Self {
        let start = Instant::now();
        Self {
            search: RateSearch::new(baud, b'\n', start),
            receiver: UartReceiver::new(format(baud)),
            board: format(board),
            time: 0,
            start,
            gathered: Vec::new(),
            errors: 0,
            due: 0,
            gathers: MILLISECOND,
            counts: true,
            baud,
            outcome: None,
            visited: vec![baud],
            heard: 0,
        }
    }

    /// Returns true if so much was heard that more makes no difference.
    fn is_hopeless(&self) -> bool {
        self.heard > 40_000
    }

    fn now(&self) -> Instant {
        self.start + Duration::from_nanos(self.time / 1000)
    }

    fn say(&mut self, bytes: &[u8]) {
        for byte in bytes {
            for level in self.board.send(*byte) {
                self.follow(level);
            }
        }
    }

    fn rest(&mut self, length: u64) {
        let end = self.time + length;
        while self.time < end {
            let length = (MILLISECOND).min(end - self.time);
            // Most of a long rest is of no interest.
            let is_dull = self.gathered.is_empty() && self.search.deadline().is_none();
            let length = if is_dull { end - self.time } else { length };
            self.follow(Level {
                is_high: true,
                length,
            });
            if self.search.deadline().is_some_and(|at| at <= self.now()) {
                let decision = self.search.on_deadline(self.now());
                self.carry_out(decision);
            }
        }
    }

    fn follow(&mut self, level: Level) {
        for character in self.receiver.follow(level) {
            if self.gathered.is_empty() {
                self.due = self.time + self.gathers;
            }
            self.gathered.push(character.byte);
            self.errors += usize::from(character.error == Some(CharacterError::Framing));
        }
        self.time += level.length;
        if !self.gathered.is_empty() && self.time >= self.due {
            let bytes = std::mem::take(&mut self.gathered);
            let has_errors = std::mem::take(&mut self.errors) > 0;
            let has_errors = self.counts.then_some(has_errors);
            if self.outcome.is_none() {
                self.heard += bytes.len();
                let decision = self.search.heard(&bytes, has_errors, self.now());
                self.carry_out(decision);
            }
        }
    }

    fn carry_out(&mut self, decision: Option<Decision>) {
        match decision {
            None => return,
            Some(Decision::Keep) => {}
            Some(Decision::Listen(baud) | Decision::GiveUp(baud)) => {
                self.baud = baud;
                self.visited.push(baud);
                self.receiver = UartReceiver::new(format(baud));
                self.gathered.clear();
                self.errors = 0;
            }
        }
        match decision {
            Some(Decision::Listen(_)) => {
                self.search.is_set(self.now());
            }
            _ => self.outcome = decision,
        }
    }
}

/// A line of the kind that sketches print.
fn line(random: &mut Random, kind: u64) -> String {
    let mut number = |end| random.below(end);
    match kind {
        0 => format!("{},{},{}", number(1024), number(1024), number(2)),
        1 => format!(
            "temperature:{}.{:02}\thumidity:{}",
            number(40),
            number(100),
            number(100)
        ),
        2 => format!(
            r#"{{"potentiometer":{},"button":{}}}"#,
            number(1024),
            number(2)
        ),
        3 => format!("Температура: {},{} °C", number(40), number(10)),
        4 => format!(
            "$GPGGA,{:06}.00,5231.{:05},N,013{:02}.1,E*{:02X}",
            number(240_000),
            number(99_999),
            number(60),
            number(256)
        ),
        5 => {
            let letter = |_| char::from(b' ' + number(95) as u8);
            (0..45).map(letter).collect()
        }
        6 => format!("{}.{:06}", number(3), number(1_000_000)),
        _ => format!("Sensor {} = {}.{} V", number(8), number(5), number(10)),
    }
}

/// The result of a search.
#[derive(Debug)]
#[allow(dead_code, reason = "printed when it is wrong")]
struct Found {
    seed: u64,
    board: u32,
    kind: u64,
    counts: bool,
    period: u64,
    visited: Vec<u32>,
    outcome: Option<Decision>,
    seconds: u64,
}

/// Lets a search find a random board, whose clock is up to 2 % wrong, and which was sending when it
/// was opened. The search begins at 9600 baud, or at the rate of another board.
fn search(seed: u64) -> Found {
    let mut random = Random(seed);
    let board = random.choose(&RATES);
    let start = match random.below(2) {
        0 => 9600,
        _ => random.choose(&RATES).max(9600),
    };
    let mut bench = Bench::new(board, start);
    bench.board.bit = bench.board.bit * 1000 / (980 + random.below(41));
    bench.counts = random.below(2) == 0;
    bench.gathers = MILLISECOND * random.choose(&[1, 2, 16]);
    let period = MILLISECOND * random.choose(&[0, 0, 1, 10, 20, 50, 100, 500, 1000]);
    let end = random.choose(&["\n", "\r\n"]);
    let kind = random.below(8);
    let text = line(&mut random, kind) + end;
    let levels = text.bytes().flat_map(|byte| bench.board.send(byte));
    let levels: Vec<_> = levels.collect();
    let cut = random.below(levels.len() as u64) as usize;
    levels[cut..].iter().for_each(|level| bench.follow(*level));
    while bench.outcome.is_none() && bench.time < 90 * SECOND && !bench.is_hopeless() {
        bench.rest(period);
        let text = line(&mut random, kind) + end;
        bench.say(text.as_bytes());
    }
    Found {
        seed,
        board,
        kind,
        counts: bench.counts,
        period: period / MILLISECOND,
        outcome: bench.outcome,
        seconds: bench.time / SECOND,
        visited: bench.visited,
    }
}

/// Searches this many random boards. `tests/run --long` asks for 20,000.
fn cases() -> u64 {
    let cases = std::env::var("PROPTEST_CASES").ok();
    cases.map_or(256, |cases| cases.parse().unwrap())
}

#[test]
fn nothing_is_found_but_the_rate_of_the_board_and_that_nearly_always() {
    let (mut missed, cases) = (Vec::new(), cases());
    for seed in 0..cases {
        let found = search(seed);
        match found.outcome {
            Some(Decision::Keep) => {
                assert_eq!(found.visited.last(), Some(&found.board), "{found:?}")
            }
            _ => missed.push(found),
        }
    }
    let most = cases as usize / 200 + 1;
    assert!(missed.len() <= most, "{} missed: {missed:#?}", missed.len());
}

/// Lets the board say something at intervals until there is an outcome, for this many seconds at
/// most. Returns the outcome with the rate.
fn listen(bench: &mut Bench, text: &[u8], period: u64, seconds: u64) -> (Option<Decision>, u32) {
    let end = bench.time + seconds * SECOND;
    while bench.outcome.is_none() && bench.time < end {
        bench.say(text);
        bench.rest(period * MILLISECOND);
    }
    (bench.outcome, bench.baud)
}

#[test]
fn text_at_each_usual_rate_is_found() {
    for rate in RATES {
        let mut bench = Bench::new(rate, FIRST);
        let found = listen(&mut bench, b"512,1023,0\r\n", 20, 20);
        assert_eq!(found, (Some(Decision::Keep), rate), "{:?}", bench.visited);
    }
}

#[test]
fn a_board_that_says_a_line_in_ten_seconds_or_is_silent_at_first_is_found() {
    for rate in [2400, 57_600, 115_200, 500_000] {
        let mut bench = Bench::new(rate, FIRST);
        let found = listen(&mut bench, b"temperature: 21.5\r\n", 10_000, 150);
        assert_eq!(found, (Some(Decision::Keep), rate), "{:?}", bench.visited);

        let mut bench = Bench::new(rate, FIRST);
        bench.rest(30 * SECOND);
        assert_eq!(bench.visited, [FIRST]);
        let found = listen(&mut bench, b"temperature: 21.5\r\n", 200, 10);
        assert_eq!(found, (Some(Decision::Keep), rate), "{:?}", bench.visited);
    }
}

/// The text that the boot ROM of an ESP8266 prints at 74880 baud.
const ESP8266_BOOT: &[u8] = b"\r\n ets Jan  8 2013,rst cause:2, boot mode:(3,6)\r\n\r\n\
    load 0x4010f000, len 3460, room 16 \r\ntail 4\r\nchksum 0xcc\r\n\
    load 0x3fff20b8, len 40, room 4 \r\ntail 4\r\nchksum 0xc9\r\ncsum 0xc9\r\n\
    v00041fb0\r\n~ld\r\n";

#[test]
fn an_esp8266_that_boots_at_another_rate_ends_at_that_of_its_sketch() {
    for start in [9600, 74_880, 115_200] {
        let mut bench = Bench::new(74_880, start);
        bench.rest(200 * MILLISECOND);
        bench.say(ESP8266_BOOT);
        bench.rest(60 * MILLISECOND);
        bench.board = format(115_200);
        let found = listen(&mut bench, b"humidity=47\r\n", 500, 20);
        assert_eq!(found, (Some(Decision::Keep), 115_200), "from {start}");
    }
}

#[test]
fn the_rate_is_kept_whatever_comes_after_three_lines() {
    let mut bench = Bench::new(9600, FIRST);
    let found = listen(&mut bench, b"511,100,1\r\n", 100, 5);
    assert_eq!(found, (Some(Decision::Keep), 9600));
    assert_eq!(bench.visited, [9600]);
}

#[test]
fn noise_before_the_first_line_changes_nothing() {
    let mut bench = Bench::new(9600, FIRST);
    bench.say(&[0xfe, 0x00, 0xf8]);
    bench.rest(1700 * MILLISECOND);
    let found = listen(&mut bench, b"ready\r\n", 100, 5);
    assert_eq!(
        (found, bench.visited),
        ((Some(Decision::Keep), 9600), vec![9600])
    );
}

#[test]
fn a_line_of_text_with_an_error_is_no_reason_to_leave() {
    let mut bench = Bench::new(9600, FIRST);
    for _ in 0..3 {
        bench.say(b"511,100,1\r\n511,1");
        // A character without its stop bit.
        let bit = bench.board.bit;
        bench.follow(Level {
            is_high: false,
            length: 9 * bit + bit / 2,
        });
        bench.rest(bit);
        bench.say(b"0,1\r\n511,100,0\r\n");
        bench.rest(200 * MILLISECOND);
    }
    let found = listen(&mut bench, b"511,100,1\r\n", 100, 5);
    assert_eq!(
        (found, bench.visited),
        ((Some(Decision::Keep), 9600), vec![9600])
    );
}

#[test]
fn bytes_that_are_no_text_end_where_they_began() {
    let mut random = Random(1);
    for (counts, period) in [(true, 10), (false, 10), (true, 0), (false, 0), (true, 300)] {
        let mut bench = Bench::new(9600, FIRST);
        bench.counts = counts;
        while bench.outcome.is_none() && bench.time < 1000 * SECOND {
            bench.say(&[random.next() as u8]);
            bench.rest(period * MILLISECOND);
        }
        let outcome = (bench.outcome, bench.baud);
        assert!(
            matches!(outcome, (Some(Decision::GiveUp(9600)) | None, 9600)) || period == 300,
            "{outcome:?}"
        );
        assert_ne!(bench.outcome, Some(Decision::Keep));
    }
}

#[test]
fn text_at_the_first_rate_is_never_left() {
    for text in [
        "> ",
        "512 ",
        ".",
        "ok\r",
        "\x1b[32mok\x1b[0m\r\n",
        "21.5 \u{b0}C\n",
    ] {
        for period in [0, 60, 500] {
            let mut bench = Bench::new(9600, FIRST);
            listen(&mut bench, text.as_bytes(), period, 30);
            // A few characters without any pause or line end are no text.
            if text.ends_with('\n') || period > 0 {
                assert_eq!(bench.visited, [9600], "{text:?} each {period} ms");
            }
        }
    }
}

#[test]
fn text_of_seven_bits_with_parity_is_left_to_a_hint() {
    let even = |byte: u8| {
        if byte.count_ones() % 2 == 1 {
            byte | 0x80
        } else {
            byte
        }
    };
    let text: Vec<u8> = b"512,1023,0\r\n".iter().copied().map(even).collect();
    let mut bench = Bench::new(9600, FIRST);
    listen(&mut bench, &text, 100, 30);
    assert_eq!(bench.visited, [9600]);
}

#[test]
fn no_rate_starts_a_bootloader() {
    assert!(RATES.iter().all(|rate| *rate > 1200));
    assert_eq!(RATES[0], FIRST);
}

#[test]
fn a_write_is_held_for_two_seconds_at_most() {
    let now = Instant::now();
    let at = |millis| now + Duration::from_millis(millis);
    let mut search = RateSearch::new(9600, b'\n', now);
    assert_eq!(
        search.heard(&[0xff; 32], Some(true), at(100)),
        Some(Decision::Listen(115_200))
    );
    search.is_set(at(100));
    search.hold(at(200));
    search.hold(at(900));
    assert_eq!(search.deadline(), Some(at(2200)));
    assert_eq!(search.on_deadline(at(2199)), None);
    assert_eq!(search.on_deadline(at(2200)), Some(Decision::GiveUp(9600)));
}

#[test]
fn a_rate_that_the_driver_refuses_is_passed_over() {
    let mut search = RateSearch::new(9600, b'\n', Instant::now());
    assert_eq!(
        search.heard(&[0xff; 32], None, Instant::now()),
        Some(Decision::Listen(115_200))
    );
    assert_eq!(search.pass_over(), 57_600);
}
