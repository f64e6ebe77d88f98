//! Byte streams with pauses, and the hint that is right for each, or none.

use bytes::Bytes;
use serde_json::json;

use super::*;
use crate::config::Config;

const SECOND: u64 = 1000;

/// A stream: what comes, each after so many milliseconds.
type Stream = Vec<(u64, Vec<u8>)>;

/// The same pieces at even distances.
fn every(millis: u64, pieces: &[&[u8]]) -> Stream {
    pieces
        .iter()
        .map(|piece| (millis, piece.to_vec()))
        .collect()
}

/// One piece many times.
fn repeat(millis: u64, times: usize, piece: &[u8]) -> Stream {
    vec![(millis, piece.to_vec()); times]
}

/// Text as it arrives from a line with 7 data bits and parity.
fn with_parity(text: &str, is_odd: bool) -> Vec<u8> {
    let top = |byte: u8| (byte.count_ones() % 2 == 1) != is_odd;
    text.bytes()
        .map(|byte| byte | u8::from(top(byte)) << 7)
        .collect()
}

/// Bytes that look random, the same each time.
fn noise(count: usize) -> Vec<u8> {
    let next = |state: &u32| Some(state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    let states = std::iter::successors(Some(7), next);
    states
        .map(|state| (state >> 24) as u8)
        .take(count)
        .collect()
}

/// Returns the hints that a port with these settings gives, up to 30 s after the last byte.
fn hints_of(settings: &str, has_rate: bool, stream: Stream) -> Vec<Hint> {
    let arguments = ["serial-ws", "--port", &format!("/dev/x{settings}")];
    let config = Config::from_args(arguments).unwrap();
    let config = &config.ports[0].port;
    let mut framer = config.frame.framer(config.max_line);
    let mut hints = Hints::new(Expectations::new(config, &config.line, has_rate));
    let (mut now, mut given) = (Instant::now(), Vec::new());
    for (millis, bytes) in stream.into_iter().chain([(30 * SECOND, Vec::new())]) {
        now += Duration::from_millis(millis);
        while let Some(due) = hints.deadline().filter(|due| *due <= now) {
            given.extend(hints.on_silence(due));
        }
        if !bytes.is_empty() {
            given.extend(hints.look(&framer.push(Bytes::from(bytes)), now));
        }
    }
    given
}

#[track_caller]
fn check_with(settings: &str, stream: Stream, parts: &[&str], advice: serde_json::Value) {
    let hints = hints_of(settings, true, stream);
    let [
        Hint {
            text,
            advice: given,
        },
    ] = &hints[..]
    else {
        panic!("there is not one hint: {hints:?}");
    };
    assert!(parts.iter().all(|part| text.contains(part)), "{text}");
    assert_eq!(json!(given), advice, "{text}");
}

#[track_caller]
fn check(stream: Stream, parts: &[&str], advice: serde_json::Value) {
    check_with("", stream, parts, advice);
}

#[track_caller]
fn check_none(stream: Stream) {
    assert_eq!(hints_of("", true, stream), []);
}

#[test]
fn ordinary_data_gives_no_hint() {
    check_none(repeat(20, 300, b"512,300,0\r\n"));
    check_none(repeat(0, 300, b"512\n"));
    check_none(every(SECOND, &[b"FOOD1\n\r", b"FOOD2\n\r", b"FOOD3\n\r"]));
    check_none(repeat(SECOND, 9, "23.5 °C, Größe 4 µm\n".as_bytes()));
    check_none(repeat(SECOND, 9, "温度: 23.5\r\n".as_bytes()));
    check_none(repeat(SECOND, 9, b"\x1b[0;32mI (523) wifi: up\x1b[0m\r\n"));
    // UTF-16, for which there is no setting.
    check_none(repeat(100, 12, b"2\x003\0\r\0\n\0"));
    check_none(repeat(100, 12, b"2\x003\0\n\0"));
    check_none(repeat(100, 300, b""));
    check_none(vec![]);
}

#[test]
fn lines_that_come_in_small_pieces_give_no_hint() {
    let text = "temperature: 23.5\r\n".repeat(20);
    check_none(text.bytes().map(|byte| (1, vec![byte])).collect());
    // At 300 baud, the adapter hands over each character on its own.
    let slow = text.bytes().map(|byte| (37, vec![byte])).collect();
    assert_eq!(hints_of(",baud=300", true, slow), []);
    let parts = [&b"{\"a\":1,"[..], b"\"b\":2,", b"\"c\":3}\r\n"];
    check_none(every(300, &parts.repeat(5)));
}

#[test]
fn a_line_that_takes_long_gives_no_hint() {
    check_none(every(
        700,
        &[b"Starting", b" the", b" motor", b" ... done\r\n"],
    ));
    check_none(
        [
            every(0, &[b"Connecting"]),
            repeat(500, 20, b"."),
            every(0, &[b"\r\nup\r\n"]),
        ]
        .concat(),
    );
    check_none([repeat(500, 40, b"."), every(0, &[b"\r\nup\r\n"])].concat());
    check_none(
        [
            every(0, &[b"a\n"]),
            repeat(SECOND, 9, &[b'x'; 300]),
            every(0, &[b"\n"]),
        ]
        .concat(),
    );
    check_none(repeat(5, 60, &[b'x'; 200]));
}

#[test]
fn a_prompt_gives_no_hint() {
    check_none(every(0, &[b"Router> "]));
    check_none(every(0, &[b"login: "]));
    check_none(every(0, &[b"\r\n>>> "]));
    check_none(every(4 * SECOND, &[b"login: ", b"Password: "]));
    // What is typed comes back.
    check_none(every(
        400,
        &[
            b"Router> ",
            b"s",
            b"h",
            b"o",
            b"w",
            b"\r\nIOS 15\r\nRouter> ",
        ],
    ));
    check_none(repeat(SECOND, 9, b"41 0C 1A F8\r\n>"));
    check_none(every(
        SECOND,
        &[b"ok\r\n# ", b"ls\r\nbin\r\n# ", b"id\r\nroot\r\n# "],
    ));
}

#[test]
fn messages_that_end_with_something_else_name_the_framing() {
    let cr = json!({ "frame": "cr" });
    let use_cr = ["CR", "use --frame cr"];
    let codes: [&[u8]; 4] = [
        b"4006381333931\r",
        b"4012345678901\r",
        b"59012345\r",
        b"001\r",
    ];
    check(every(1100, &codes), &use_cr, cr.clone());
    check(every(1100, &codes[..1]), &use_cr, cr.clone());
    check(repeat(10, 300, b"300,12\r"), &use_cr, cr.clone());
    check(repeat(300, 20, b"23.5 \xb0C\r"), &use_cr, cr);
    let replies: [&[u8]; 4] = [
        b"ID019;",
        b"FA00007074000;",
        b"IF0000    +00;",
        b"FA00007074500;",
    ];
    check(
        every(1100, &replies),
        &["`;`", "use --frame 3b", "delim:3b"],
        json!({ "frame": "delim:3b" }),
    );
    check(
        every(2500, &[b"AB>", b"CD>", b"EF>"]),
        &["`>`", "--frame 3e"],
        json!({ "frame": "delim:3e" }),
    );
    check(
        every(SECOND, &[b"12.5#", b"12.7#", b"12.9#", b"13.0#"]),
        &["--frame 23"],
        json!({ "frame": "delim:23" }),
    );
}

#[test]
fn messages_that_end_with_control_characters_name_the_framing() {
    check(
        every(
            1200,
            &[
                b"\x020A00B1C2D379\x03",
                b"\x022B00A1B2C3FB\x03",
                b"\x023C00\x03",
            ],
        ),
        &["ETX", "--frame 03"],
        json!({ "frame": "delim:03" }),
    );
    check(
        every(1100, &[b"1\r\r", b"22\r\r", b"3\r\r"]),
        &["CR CR", "--frame 0d0d"],
        json!({ "frame": "delim:0d0d" }),
    );
    check(
        every(500, &[&b"\x020A00B1C2\r\n\x03"[..]; 6]),
        &["CR LF ETX", "--frame 0d0a03"],
        json!({ "frame": "delim:0d0a03" }),
    );
    check(
        every(700, &[b"alpha\0", b"beta\0", b"gamma\0", b"delta\0"]),
        &["NUL", "--frame 00"],
        json!({ "frame": "delim:00" }),
    );
    check(
        every(700, &[b"a=1\x04", b"a=22\x04", b"a=3\x04", b"b=4\x04"]),
        &["EOT"],
        json!({ "frame": "delim:04" }),
    );
    check(
        every(
            700,
            &[
                b"e\0\x01\x01\xff\xff\xff",
                b"p\x05\xff\xff\xff",
                b"\x1a\xff\xff\xff",
                b"\x66\x02\xff\xff\xff",
            ],
        ),
        &["--frame ffffff"],
        json!({ "frame": "delim:ffffff" }),
    );
}

#[test]
fn a_framing_that_does_not_fit_names_the_one_that_does() {
    let lines = every(700, &[b"a1\r\n", b"b22\r\n", b"c333\r\n", b"d4\r\n"]);
    check_with(
        ",frame=3b",
        lines.clone(),
        &["--frame lf"],
        json!({ "frame": "lf" }),
    );
    let lines = every(700, &[b"a1\n", b"b22\n", b"c333\n", b"d4\n"]);
    check_with(
        ",frame=crlf",
        lines,
        &["each message ends with LF, not as --frame crlf says: use --frame lf"],
        json!({ "frame": "lf" }),
    );
    let codes = every(SECOND, &[b"4006381333931\r", b"4012345678901\r"]);
    assert_eq!(hints_of(",frame=cr", true, codes), []);
    let tags = every(SECOND, &[&b"\x02A0\x03"[..]; 5]);
    assert_eq!(hints_of(",frame=03", true, tags), []);
}

#[test]
fn text_without_line_ends_hints_at_println_and_text() {
    let stream = repeat(500, 30, b"512");
    let parts = ["no line ends seen", "Serial.println", "--text"];
    check(stream, &parts, json!({ "view": "text" }));
    let stream = every(300, &[&b"{\"a\":1,\"b\":2}"[..]; 20]);
    check(stream, &parts, json!({ "view": "text" }));
    check(
        repeat(10, 500, &[b'x'; 200]),
        &parts,
        json!({ "view": "text" }),
    );
    for stream in [repeat(500, 30, b"512"), repeat(700, 30, b"temp 23 C ")] {
        let hints = hints_of("", true, stream);
        assert!(hints.iter().all(|hint| !hint.text.contains("Serial.write")));
    }
}

#[test]
fn bytes_that_are_no_text_hint_at_raw_and_the_rate() {
    let parts = [
        "no line ends seen",
        "Serial.write",
        "--raw",
        "is --baud 9600 right? Try 115200",
    ];
    check(repeat(SECOND, 3, &[7]), &parts, json!({ "view": "raw" }));
    check(repeat(0, 3, &[7; 200]), &parts, json!({ "view": "raw" }));
    check(repeat(0, 1, &[0; 300]), &parts, json!({ "view": "raw" }));
    let mut bytes = noise(600);
    bytes.retain(|byte| *byte != b'\n');
    check(vec![(0, bytes)], &parts, json!({ "view": "raw" }));
    let garbage =
        b"\xfa\xe0\xec\xd5\xd8\xbc\xc0\xfe\xfb\xf3\xc6\xf0\xf0\xe1\xf0\xf1\xf1\xfb\xfb\xfb"
            .repeat(5);
    check(repeat(300, 4, &garbage), &parts, json!({ "baud": 115_200 }));
    check_with(
        ",baud=115200",
        repeat(300, 9, &garbage),
        &["Try 9600"],
        json!({ "baud": 9600 }),
    );
    // Short lines at a far lower rate than that at which they were sent.
    let ones = repeat(300, 30, b"\xfe\xf8\xff\xff\xff");
    check(ones, &parts, json!({ "baud": 115_200 }));
    // Notes of MIDI, a message of a GPS receiver, and a reply of Modbus have letters among them.
    let notes = (0..20).map(|note| (100, vec![0x90, 60 + note, 100]));
    check(notes.collect(), &parts, json!({ "view": "raw" }));
    let packet = b"\xb5\x62\x01\x07\x04\x00\x11\x22\x33\x44\x55";
    check(repeat(200, 30, packet), &parts, json!({ "view": "raw" }));
    let reply = b"\x01\x03\x02\x00\x12\x34\xb5\x33";
    check(repeat(300, 30, reply), &parts, json!({ "view": "raw" }));
    let parts = ["no line ends seen", "--raw"];
    check(
        every(0, &[&[10], &[200; 200], &[200; 200], &[200; 200]]),
        &parts,
        json!({ "baud": 115_200 }),
    );
}

#[test]
fn lines_that_are_no_text_hint_at_the_rate_once() {
    let parts = ["most of the data is not text", "Try 115200"];
    check(
        repeat(0, 30, b"\xff\xfe\n"),
        &parts,
        json!({ "baud": 115_200 }),
    );
    check(
        repeat(9, 30, b"\xfe\x80\xf8\xe0\n"),
        &parts,
        json!({ "baud": 115_200 }),
    );
    check(
        repeat(9, 30, b"\x00\x80\xf8\x06\x9e\x66\n"),
        &parts,
        json!({ "baud": 115_200 }),
    );
    check(vec![(0, noise(4000))], &parts, json!({ "baud": 115_200 }));
    // The board was given another sketch.
    let stream = [repeat(9, 999, b"300,12\r\n"), repeat(9, 200, b"\xff\xfe\n")].concat();
    check(stream, &parts, json!({ "baud": 115_200 }));
}

#[test]
fn a_device_without_a_rate_gets_no_hint_at_it() {
    assert_eq!(hints_of("", false, repeat(9, 30, b"\xff\xfe\n")), []);
    let hints = hints_of("", false, repeat(0, 3, &[200; 200]));
    assert_eq!(hints.len(), 1);
    assert!(!hints[0].text.contains("baud"), "{hints:?}");
    assert_eq!(json!(hints[0].advice), json!({ "view": "raw" }));
    let scale = with_parity("  0.00 kg \r\n", true);
    assert!(
        hints_of("", false, repeat(350, 20, &scale))
            .iter()
            .all(|hint| !hint.text.contains("parity"))
    );
}

#[test]
fn seven_bits_with_parity_are_recognised() {
    let odd = json!({ "dataBits": 7, "parity": "odd" });
    let even = json!({ "dataBits": 7, "parity": "even" });
    let use_odd = ["--data-bits 7 --parity odd"];
    let use_even = ["--data-bits 7 --parity even"];
    let scale = b"\x20\x20\xb0\xae\xb0\xb0\x20\x6b\x67\x20\x0d\x8a";
    check(repeat(350, 8, scale), &use_odd, odd.clone());
    check(
        repeat(5, 8, &with_parity("ST,GS,+  12.345kg\r\n", true)),
        &use_odd,
        odd.clone(),
    );
    check(
        repeat(SECOND, 9, &with_parity("ID019;FA00007074000;", true)),
        &use_odd,
        odd,
    );
    check(
        repeat(350, 20, &with_parity("+0012.5 g\r\n", false)),
        &use_even,
        even.clone(),
    );
    check(
        repeat(100, 99, &with_parity("0\r\n", false)),
        &use_even,
        even.clone(),
    );
    check(
        repeat(SECOND, 9, &with_parity("VOLT:DC 4.99932\r", false)),
        &use_even,
        even,
    );
    let marked: Vec<u8> = b"12.5 V\r\n".iter().map(|byte| byte | 0x80).collect();
    check(
        repeat(300, 20, &marked),
        &["use --data-bits 7"],
        json!({ "dataBits": 7 }),
    );
    let bytes = repeat(350, 8, scale);
    assert!(
        hints_of(",data-bits=7,parity=even", true, bytes)
            .iter()
            .all(|hint| !hint.text.contains("parity"))
    );
}

#[test]
fn another_encoding_is_no_wrong_rate() {
    let parts = ["not UTF-8", "U+FFFD", "json"];
    let line = b"Humidit\xe9: 41.20 %  Temp\xe9rature: 23.50 \xb0C\r\n";
    check(repeat(20, 12, line), &parts, json!(null));
    check(
        repeat(SECOND, 12, b"23.5 \xb0C\r\n"),
        &["0xb0"],
        json!(null),
    );
    let mixed = every(
        20,
        &[&b"23.5 \xb0C\r\n"[..], b"41 %\r\n", b"1013 hPa\r\n"].repeat(9),
    );
    check(mixed, &parts, json!(null));
    // GBK, Shift-JIS, Windows-1251 and KOI8.
    check(
        repeat(
            99,
            12,
            b"\xf4\xc5\xcd\xd0\xc5\xd2\xc1\xd4\xd5\xd2\xc1 5\r\n",
        ),
        &parts,
        json!(null),
    );
    check(
        repeat(99, 12, b"\xce\xc2\xb6\xc8: 23.5\r\n"),
        &parts,
        json!(null),
    );
    check(
        repeat(99, 12, b"\x89\xb7\x93x: 23.5\r\n"),
        &parts,
        json!(null),
    );
    check(
        repeat(99, 12, b"\xd2\xe5\xec\xef\xe5\xf0\xe0: 23.5 C\r\n"),
        &parts,
        json!(null),
    );
    // Single errors on the line are no encoding.
    let stream = [repeat(9, 400, b"300,12\n"), repeat(9, 2, b"3\xb00,12\n")].concat();
    check_none([stream.clone(), stream.clone(), stream].concat());
}

#[test]
fn a_line_that_was_cut_names_a_limit_that_is_enough() {
    let line = |length: usize| [&vec![b'x'; length][..], b"\n"].concat();
    let pieces = |text: Vec<u8>| {
        text.chunks(4000)
            .map(|piece| (1, piece.to_vec()))
            .collect::<Stream>()
    };
    let limit = json!({ "maxLine": 65_536 });
    check(
        pieces(line(26_000)),
        &["26000 bytes", "use --max-line 32KiB"],
        json!({ "maxLine": 32_768 }),
    );
    check(
        pieces(line(30_000)),
        &["use --max-line 64KiB"],
        limit.clone(),
    );
    // Also among others, and however slowly it comes.
    check(
        pieces([line(9), line(30_000), line(9)].concat()),
        &["--max-line 64KiB"],
        limit.clone(),
    );
    check(
        vec![(0, line(9)), (0, line(30_000)), (0, line(30_000))],
        &["--max-line 64KiB"],
        limit,
    );
    check_with(
        ",max-line=16",
        vec![(0, line(40))],
        &["--max-line 64"],
        json!({ "maxLine": 64 }),
    );
    check(
        pieces(line(2_100_000)),
        &["at most 1 MiB", "--text"],
        json!({ "view": "text" }),
    );
    check_none(pieces(line(16_384)));
    let longer = pieces([line(20_000), line(90_000), line(20_000)].concat());
    let hints = hints_of("", true, longer);
    assert_eq!(hints.len(), 2, "{hints:?}");
    assert!(hints[1].text.contains("--max-line 128KiB"), "{hints:?}");
}

#[test]
fn a_port_for_bytes_or_text_is_not_told_what_lines_need() {
    for stream in [
        repeat(300, 9, &[200; 200]),
        repeat(SECOND, 9, b"401\r"),
        repeat(9, 30, b"\xff\n"),
    ] {
        assert_eq!(hints_of(",raw", true, stream), []);
    }
    assert_eq!(
        hints_of(",text", true, repeat(SECOND, 9, b"4006381333931\r")),
        []
    );
    check_with(
        ",text",
        repeat(9, 30, b"\xff\xfe\n"),
        &["--baud 9600"],
        json!({ "baud": 115_200 }),
    );
}
