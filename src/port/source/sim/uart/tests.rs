//! Tests the UART against diagrams of the line that were drawn by hand: `-` is high, `_` is low, and
//! blanks are for the eye.

use proptest::prelude::*;

use super::*;

/// 8N1 at this rate.
fn at(baud: u32) -> CharacterFormat {
    CharacterFormat::new(&LineSettings {
        baud,
        ..LineSettings::default()
    })
}

fn form(data_bits: u8, parity: Parity, stop_bits: u8) -> CharacterFormat {
    CharacterFormat::new(&LineSettings {
        data_bits,
        parity,
        stop_bits,
        ..LineSettings::default()
    })
}

/// The levels of a diagram in which each mark is so long.
fn levels(diagram: &str, length: u64) -> Vec<Level> {
    let marks = diagram.chars().filter(|mark| *mark != ' ');
    let level = |mark| Level {
        is_high: mark == '-',
        length,
    };
    marks.map(level).collect()
}

/// The diagram of what is sent.
fn sent(bytes: &[u8], format: CharacterFormat) -> String {
    let levels = bytes.iter().flat_map(|byte| format.send(*byte));
    levels
        .map(|level| if level.is_high { '-' } else { '_' })
        .collect()
}

/// The levels as a receiver reads them, as text: `!` after a framing error, `?` after a wrong
/// parity bit, `#` after a break; bytes that are no visible ASCII in hex.
fn read(levels: &[Level], format: CharacterFormat) -> String {
    let mut receiver = UartReceiver::new(format);
    // A line at rest, before and after.
    let rest = Level {
        is_high: true,
        length: format.character,
    };
    let mut text = String::new();
    for level in [&[rest], levels, &[rest]].concat() {
        for character in receiver.follow(level) {
            text += &shown(character);
        }
    }
    text
}

fn shown(character: Character) -> String {
    let byte = match character.byte {
        byte if byte.is_ascii_graphic() => char::from(byte).to_string(),
        byte => format!("<{byte:02x}>"),
    };
    let mark = match character.error {
        None => "",
        Some(CharacterError::Framing) => "!",
        Some(CharacterError::Parity) => "?",
        Some(CharacterError::Break) => "#",
    };
    byte + mark
}

#[track_caller]
fn check_sent(byte: u8, format: CharacterFormat, diagram: &str) {
    assert_eq!(sent(&[byte], format), diagram.replace(' ', ""));
}

/// Checks what a receiver at 9600 baud makes of a line where a mark is a bit at `baud`.
#[track_caller]
fn check_read(diagram: &str, baud: u32, expected: &str) {
    let levels = levels(diagram, SECOND / u64::from(baud));
    assert_eq!(read(&levels, at(9600)), expected);
}

#[test]
fn a_byte_is_sent_as_in_the_textbook() {
    // A is 0x41: the lowest bit goes first.
    check_sent(b'A', at(9600), "_ -_____-_ -");
    check_sent(b'U', at(9600), "_ -_-_-_-_ -");
    check_sent(b'\n', at(9600), "_ _-_-____ -");
    check_sent(0x00, at(9600), "_ ________ -");
    check_sent(0xff, at(9600), "_ -------- -");
}

#[test]
fn other_formats_have_parity_fewer_data_bits_and_more_stop_bits() {
    check_sent(b'A', form(7, Parity::Even, 1), "_ -_____- _ -");
    check_sent(b'A', form(7, Parity::Odd, 2), "_ -_____- - --");
    check_sent(b'C', form(8, Parity::Even, 1), "_ --____-_ - -");
    check_sent(b'C', form(8, Parity::Mark, 1), "_ --____-_ - -");
    check_sent(b'A', form(8, Parity::Space, 2), "_ -_____-_ _ --");
    check_sent(0xff, form(5, Parity::None, 1), "_ ----- -");
}

#[test]
fn the_same_diagrams_are_read() {
    check_read("_ -_____-_ -", 9600, "A");
    check_read("_ -_____-_ - _ _-____-_ -", 9600, "AB");
    check_read("_ -_-_-_-_ - -- - ---- _ _-_-____ -", 9600, "U<0a>");
    check_read("_ ________ - _ -------- -", 9600, "<00><ff>");
}

#[test]
fn a_missing_stop_bit_is_a_framing_error_and_a_break_is_none() {
    check_read("_ -_____-_ _ - _ _-____-_ -", 9600, "A!B");
    check_read("_ ________ _ ____ - _ _-____-_ -", 9600, "<00>#B");
    // However long it is, a break is one character.
    check_read(&"_".repeat(1000), 9600, "<00>#");
    // It may begin within a character.
    check_read("_ -_______ _ ______ ---- _ -_____-_ -", 9600, "<01>!A");
}

#[test]
fn a_wrong_parity_bit_is_found() {
    let read = |diagram, format| read(&levels(diagram, SECOND / 9600), format);
    assert_eq!(read("_ -_____- _ -", form(7, Parity::Even, 1)), "A");
    assert_eq!(read("_ -_____- - -", form(7, Parity::Even, 1)), "A?");
    assert_eq!(read("_ -_____- _ -", form(7, Parity::Odd, 1)), "A?");
    assert_eq!(read("_ -_____-_ _ -", form(8, Parity::Mark, 1)), "A?");
    assert_eq!(read("_ -_____-_ - -", form(8, Parity::Space, 1)), "A?");
    assert_eq!(read("_ ---__ -", form(5, Parity::None, 1)), "<07>");
    // Seven bits with parity, read as eight without: the top bit is the parity bit.
    assert_eq!(read("_ --____- - -", form(8, Parity::None, 1)), "<c3>");
}

#[test]
fn at_half_the_rate_each_second_bit_is_read() {
    // The start bit of an A ends where it would be sampled, so it passes for noise. The next edge
    // begins a character, sampled at each second bit from there: 0 for its start bit, 0 1, and ones.
    //           ^ ^ ^ ^
    check_read("_ -_____-_ - ---------- ---------", 19_200, "<fe>");
    // One after it that is two bits long is found: 0, then 0 0 0 0, and ones.
    check_read("_- __-_____-_- ---------- -------", 19_200, "<f0>");
}

#[test]
fn at_twice_the_rate_each_bit_is_read_twice() {
    // A: _ -_____-_ -, a bit of which is two here: __ --__________--__ --
    // start, 0 1 1 0 0 0 0 0, and 0 for the stop bit; then the rest is found by its next edge.
    let levels = levels("_ -_____-_ -", SECOND / 4800);
    assert_eq!(read(&levels, at(9600)), "<06>!<fe>");
}

#[test]
fn a_rate_far_below_is_all_breaks_and_one_far_above_is_single_bits() {
    // 9600 at 115200: every low bit is twelve bits long.
    let slow = levels("_ -_____-_ -", SECOND / 9600);
    assert_eq!(read(&slow, at(115_200)), "<00>#<00>#<00>#");
    // 115200 at 9600: a character is shorter than a bit. Its seventh bit decides whether its edge
    // begins one: it is low in an A, and high in an a, which passes for noise.
    let fast = |diagram| read(&levels(diagram, SECOND / 115_200), at(9600));
    assert_eq!(fast("_ -_____-_ -"), "<ff>");
    assert_eq!(fast("_ -____--_ -"), "");
}

#[test]
fn noise_shorter_than_half_a_bit_is_no_start_bit() {
    let bit = SECOND / 9600;
    let level = |is_high, length| Level { is_high, length };
    let noise = [level(false, bit / 3), level(true, 5 * bit)];
    let levels = [&noise[..], &levels("_ -_____-_ -", bit)].concat();
    assert_eq!(read(&levels, at(9600)), "A");
    // In the middle of a data bit it changes that bit.
    check_read("_ -_____-_ - _ -_--__-_ -", 9600, "AM");
}

#[test]
fn a_receiver_that_joins_in_the_middle_of_a_byte_finds_the_next_pause() {
    let mut receiver = UartReceiver::new(at(9600));
    let mut read = String::new();
    // From the third bit of an A on. Its last 0 passes for a start bit. The data after it are the
    // stop bit of the A and what B begins with, 1 0 0 1 0 0 0 0; the stop bit is its seventh bit.
    // Then the last 0 of B passes for a start bit, with the pause for data. A is found.
    let line = "____-_ - _ _-____-_ - -------------------- _ -_____-_ -";
    for level in levels(line, SECOND / 9600) {
        read.extend(receiver.follow(level).map(shown));
    }
    assert_eq!(read, "<09><ff>A");
}

/// Text sent by a UART whose clock is wrong by so many thousandths, with that many bits of rest
/// after each byte.
fn text(bytes: &[u8], baud: u32, thousandths: i64, rest: u64) -> Vec<Level> {
    let mut format = at(baud);
    format.bit = (format.bit as i64 * 1000 / (1000 + thousandths)) as u64;
    let pause = (rest > 0).then_some(Level {
        is_high: true,
        length: rest * format.bit,
    });
    let send = |byte: &u8| format.send(*byte).chain(pause).collect::<Vec<_>>();
    bytes.iter().flat_map(send).collect()
}

#[test]
fn clocks_may_differ_by_two_percent_each_but_not_by_six() {
    let bytes: Vec<u8> = (0..=255).collect();
    for baud in [300, 9600, 74_880, 115_200, 1_000_000] {
        for thousandths in [-40, -20, -1, 0, 1, 20, 40] {
            let mut receiver = UartReceiver::new(at(baud));
            let mut read = Vec::new();
            receiver
                .follow(Level {
                    is_high: true,
                    length: 1,
                })
                .for_each(drop);
            for level in text(&bytes, baud, thousandths, 0) {
                read.extend(receiver.follow(level));
            }
            let read: Vec<_> = read.into_iter().map(|it| (it.byte, it.error)).collect();
            let expected: Vec<_> = bytes.iter().map(|byte| (*byte, None)).collect();
            assert_eq!(read, expected, "{baud} baud, {thousandths}/1000");
        }
        for thousandths in [-80, -60, 60, 80] {
            let line = text(b"\x55\xaa\x0f\xf0\x01\x80", baud, thousandths, 3);
            let read = read(&line, at(baud));
            assert_ne!(read, "U<aa><0f><f0><01><80>", "{thousandths}/1000");
        }
    }
}

proptest! {
    #[test]
    fn what_is_sent_is_read_in_every_format(
        bytes in prop::collection::vec(any::<u8>(), 1..40),
        data_bits in 5_u8..=8,
        parity in 0_usize..5,
        stop_bits in 1_u8..=2,
        cut in 1_u64..1_000_000,
    ) {
        let parity = [Parity::None, Parity::Odd, Parity::Even, Parity::Mark, Parity::Space][parity];
        let format = form(data_bits, parity, stop_bits);
        let mut receiver = UartReceiver::new(format);
        receiver.follow(Level { is_high: true, length: 1 }).for_each(drop);
        let mut read = Vec::new();
        for Level { is_high, length } in bytes.iter().flat_map(|byte| format.send(*byte)) {
            // However the levels are cut.
            let first = length * cut / 1_000_000;
            for length in [first, length - first] {
                read.extend(receiver.follow(Level { is_high, length }));
            }
        }
        let mask = 0xff >> (8 - data_bits);
        let expected: Vec<_> = bytes
            .iter()
            .map(|byte| Character { byte: byte & mask, error: None })
            .collect();
        prop_assert_eq!(read, expected);
    }
}
