//! Tests of all framings: what ends a line, and that it does not depend on how the input is cut.

use proptest::prelude::*;

use super::*;
use crate::hub::Extent::{self, Fragment, Piece as Part, Whole};

type Line = (Vec<u8>, Extent);

/// One of each kind, and delimiters that overlap themselves and line ends.
const ALL: [&str; 8] = [
    "lf",
    "crlf",
    "cr",
    "delim:3b",
    "delim:03",
    "delim:0d0d",
    "delim:0d0a0d",
    "delim:c3a9",
];

fn framer(framing: &str, max_line: usize) -> Box<dyn Framer> {
    let framing: Framing = framing.parse().unwrap();
    framing.framer(max_line)
}

fn lines(data: &[Data]) -> Vec<Line> {
    let frames = data.iter().flat_map(|data| data.frames.iter());
    frames
        .map(|frame| (frame.bytes.to_vec(), frame.extent))
        .collect()
}

fn frame(framing: &str, max_line: usize, chunks: &[&[u8]]) -> Vec<Line> {
    let mut framer = framer(framing, max_line);
    let pushed = chunks.iter().map(|chunk| Bytes::copy_from_slice(chunk));
    let mut data: Vec<Data> = pushed.map(|chunk| framer.push(chunk)).collect();
    data.extend(framer.cut());
    lines(&data)
}

#[track_caller]
fn check(framing: &str, chunks: &[&str], expected: &[(&str, Extent)]) {
    check_limit(framing, 99, chunks, expected);
}

#[track_caller]
fn check_limit(framing: &str, max_line: usize, chunks: &[&str], expected: &[(&str, Extent)]) {
    let chunks: Vec<_> = chunks.iter().map(|chunk| chunk.as_bytes()).collect();
    let lines = frame(framing, max_line, &chunks);
    let shown = lines
        .iter()
        .map(|(line, extent)| (str::from_utf8(line).unwrap(), *extent));
    assert_eq!(shown.collect::<Vec<_>>(), expected);
}

#[test]
fn a_line_has_begun_from_its_first_byte_to_its_end() {
    let mut framer = framer("lf", 4);
    framer.begin(false);
    let chunks = ["", "b\n", "1", "2\n", "12345", "67\r", "\n"];
    let begun = chunks.map(|chunk| {
        if !chunk.is_empty() {
            framer.push(chunk.into());
        }
        framer.has_begun()
    });
    assert_eq!(begun, [true, false, true, false, true, true, false]);
}

#[test]
fn carriage_returns_beside_a_line_feed_belong_to_it() {
    let whole = [("1", Whole), ("2", Whole)];
    for ends in [
        ["\n", "\n"],
        ["\r\n", "\r\n"],
        ["\n\r", "\n\r"],
        ["\r\r\n", "\r\r\n"],
        ["\r\n\r", "\r\n\r"],
        ["\n\r\r\r", "\r\r\n\r"],
    ] {
        let text = format!("1{}2{}", ends[0], ends[1]);
        check("lf", &[&text], &whole);
        let (bytes, mut single) = (text.as_bytes(), Vec::new());
        single.extend(bytes.chunks(1));
        assert_eq!(frame("lf", 99, &single), frame("lf", 99, &[bytes]));
    }
}

#[test]
fn a_carriage_return_elsewhere_stays() {
    check(
        "lf",
        &["\ra\rb\n10%\r20%\r\n\n\r\n"],
        &[
            ("\ra\rb", Whole),
            ("10%\r20%", Whole),
            ("", Whole),
            ("", Whole),
        ],
    );
    check("lf", &["a\r", "b\n"], &[("a\rb", Whole)]);
    check("lf", &["a\r"], &[("a\r", Fragment)]);
}

#[test]
fn a_line_is_delivered_at_its_line_feed_and_what_follows_leaves_nothing() {
    let mut framer = framer("lf", 99);
    assert_eq!(lines(&[framer.push("1\n".into())]), [(b"1".into(), Whole)]);
    for _ in 0..3 {
        assert_eq!(lines(&[framer.push("\r".into())]), []);
    }
    assert!(framer.cut().is_none(), "nothing is unfinished");
    assert_eq!(lines(&[framer.push("2\n".into())]), [(b"2".into(), Whole)]);
}

#[test]
fn a_stream_that_begins_anew_has_no_line_end_before_it() {
    let mut framer = framer("lf", 99);
    framer.push("1\n".into());
    framer.begin(true);
    let data = framer.push("\r2\n".into());
    assert_eq!(lines(&[data]), [(b"\r2".into(), Whole)]);
}

#[test]
fn a_line_may_come_in_many_chunks() {
    let whole = [("300,12", Whole), ("9", Fragment)];
    check("lf", &["3", "0", "", "0,1", "2\n9"], &whole);
    check("delim:3b", &["3", "0", "", "0,1", "2;9"], &whole);
    check("crlf", &["3", "0", "", "0,12\r", "\n9"], &whole);
}

#[test]
fn a_line_over_the_limit_comes_in_pieces() {
    check_limit(
        "lf",
        4,
        &["abcdefghij\nk\n"],
        &[("abcd", Part), ("efgh", Part), ("ij", Part), ("k", Whole)],
    );
    check_limit(
        "delim:3b",
        4,
        &["abcdef;k;"],
        &[("abcd", Part), ("ef", Part), ("k", Whole)],
    );
}

#[test]
fn what_may_belong_to_the_line_end_does_not_make_a_line_too_long() {
    let whole = [("abcd", Whole), ("abcd", Whole)];
    check_limit("lf", 4, &["abcd\r", "\n", "abcd\n"], &whole);
    check_limit("lf", 4, &["abcd\r\r", "\r\n\rabcd\n"], &whole);
    check_limit("crlf", 4, &["abcd\r", "\nabcd\r\n"], &whole);
    check_limit("delim:0d0d", 4, &["abcd\r", "\rabcd\r\r"], &whole);
    let pieces = [("abcd", Part), ("e", Part)];
    check_limit("lf", 4, &["abcde\r\n"], &pieces);
    check_limit("lf", 4, &["abcd\re\n"], &[("abcd", Part), ("\re", Part)]);
}

#[test]
fn carriage_returns_without_end_are_cut_as_well() {
    let lines = frame("lf", 4, &[&[b'\r'; 100]]);
    assert!(lines.iter().all(|(line, _)| line.len() <= 8), "{lines:?}");
}

#[test]
fn a_piece_never_splits_a_character() {
    check_limit(
        "lf",
        4,
        &["abcé\nabé\n"],
        &[("abc", Part), ("é", Part), ("abé", Whole)],
    );
}

#[test]
fn a_line_whose_beginning_was_missed_is_a_fragment() {
    for framing in ["lf", "delim:0a"] {
        let mut framer = framer(framing, 99);
        framer.begin(false);
        let data = framer.push("ello\nhello\n".into());
        let expected = [(b"ello".into(), Fragment), (b"hello".into(), Whole)];
        assert_eq!(lines(&[data]), expected);
    }
}

#[test]
fn crlf_ends_a_line_only_where_both_come() {
    check(
        "crlf",
        &["a\nb\rc\r\n\r\r\n\n\r", "\nd"],
        &[
            ("a\nb\rc", Whole),
            ("\r", Whole),
            ("\n", Whole),
            ("d", Fragment),
        ],
    );
}

#[test]
fn a_line_feed_right_after_a_carriage_return_belongs_to_it() {
    let codes = [("1", Whole), ("2", Whole)];
    check("cr", &["1\r2\r"], &codes);
    check("cr", &["1\r\n2\r\n"], &codes);
    check("cr", &["1\r", "\n", "2\r", "\n"], &codes);
    check("cr", &["1\r\n\n\r"], &[("1", Whole), ("\n", Whole)]);
    check("cr", &["1\r\r"], &[("1", Whole), ("", Whole)]);
}

#[test]
fn a_delimiter_is_any_bytes() {
    check("delim:3b", &["FA;", "IF;"], &[("FA", Whole), ("IF", Whole)]);
    check("delim:03", &["\u{2}A\u{3}"], &[("\u{2}A", Whole)]);
    check(
        "delim:0d0d",
        &["1\r", "\r2\r\r\r", "\r"],
        &[("1", Whole), ("2", Whole), ("", Whole)],
    );
    let lines = frame("delim:ffffff", 99, &[b"e\x01\xff\xff", b"\xff\x70"]);
    assert_eq!(
        lines,
        [(b"e\x01".into(), Whole), (b"\x70".into(), Fragment)]
    );
}

#[track_caller]
fn check_shown(text: &str, shown: &str) {
    let framing: Framing = text.parse().unwrap();
    assert_eq!(framing.to_string(), shown);
}

#[test]
fn a_framing_has_one_way_to_be_shown() {
    for framing in ALL {
        check_shown(framing, framing);
    }
    check_shown("delim:0D0A", "delim:0d0a");
    check_shown("3B", "delim:3b");
    check_shown("gap:1000ms", "gap:1s");
    check_shown("gap:0.0075s", "gap:7.5ms");
    check_shown("start:0A:0D", "start:0a:0d");
    check_shown("packet:AA:01:1:2", "packet:aa:1:1");
    check_shown("packet:7e:1:2be:4", "packet:7e:1:2be:4");
}

#[track_caller]
fn check_wrong(text: &str, parts: &[&str]) {
    let error = text.parse::<Framing>().unwrap_err();
    assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    let suggestions = parts.iter().filter(|part| part.starts_with("did you mean"));
    assert_eq!(error.contains("did you mean"), suggestions.count() == 1);
}

#[test]
fn a_wrong_framing_says_what_is_right() {
    let all = "expected lf, crlf, cr, delim:HEX, len:N, gap:TIME, start:HEX:HEX, slip, cobs, \
               packet:HEX:OFFSET:SIZE or json";
    check_wrong("", &[all]);
    check_wrong("words", &[all]);
    check_wrong("CR", &[all, "did you mean `cr`?"]);
    check_wrong("cr:1", &[all, "did you mean `cr`?"]);
    check_wrong("crfl", &[all, "did you mean `crlf`?"]);
    check_wrong(";", &[all, "did you mean `delim:3b`?"]);
    check_wrong("\\r\\n", &[all, "did you mean `crlf`?"]);
    check_wrong("etx", &[all, "did you mean `delim:03`?"]);
    let hex = "expected 1 to 16 bytes in hex, such as delim:3b";
    check_wrong("delim", &[hex]);
    check_wrong("delim:", &[hex]);
    check_wrong("delim:3", &[hex]);
    check_wrong("delim:;", &[hex, "did you mean `delim:3b`?"]);
    check_wrong("delim:0x0d", &[hex, "did you mean `delim:0d`?"]);
    check_wrong("delim:0d:0a", &[hex, "did you mean `delim:0d0a`?"]);
    check_wrong("delimm:03", &["did you mean `delim:03`?"]);
    check_wrong("SLIP", &[all, "did you mean `slip`?"]);
    check_wrong("gpa:20ms", &[all, "did you mean `gap:20ms`?"]);
    check_wrong("gpa:20", &[all]);
    check_wrong("json:1", &[all, "did you mean `json`?"]);
    check_wrong("gap:1ms", &["at least 5ms: USB"]);
    check_wrong("gap:0.0049s", &["at least 5ms"]);
    check_wrong("gap:2m", &["such as gap:20ms"]);
    check_wrong("gap:-7ms", &["such as gap:20ms"]);
    check_wrong("gap:61s", &["at most 60s"]);
    check_wrong("len", &["such as len:12"]);
    check_wrong("len:0", &["1 to 1048576"]);
    check_wrong("len:1048577", &["1 to 1048576"]);
    check_wrong("start:02", &["such as start:02:03"]);
    check_wrong("start:02:03:04", &["such as start:02:03"]);
    let packet = "such as packet:aa:1:1";
    for wrong in [
        "packet",
        "packet:aa:1",
        "packet:aabb:1:1",
        "packet:aa:1:3",
        "packet:aa:1:1be",
        "packet:aa:256:1",
        "packet:aa:1:1:2:3",
    ] {
        check_wrong(wrong, &[packet]);
    }
    check_wrong(&format!("delim:{}", "00".repeat(17)), &[hex]);
}

/// Bytes among which those that end lines are frequent.
fn byte() -> impl Strategy<Value = u8> {
    let frequent = prop::sample::select(b"\n\r\r;\x03a\xc3\xa9".to_vec());
    prop_oneof![4 => frequent, 1 => any::<u8>()]
}

fn chunks<'a>(input: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
    ends.extend([0, input.len()]);
    ends.sort_unstable();
    ends.windows(2)
        .map(|pair| &input[pair[0]..pair[1]])
        .collect()
}

proptest! {
    /// However the input is cut, the frames are the same, and the chunks joined are the input.
    #[test]
    fn framing_does_not_depend_on_how_the_input_is_cut(
        framing in prop::sample::select(ALL.to_vec()),
        input in prop::collection::vec(byte(), 0..200),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..60),
        max_line in 4_usize..20,
    ) {
        let chunks = chunks(&input, &cuts);
        prop_assert_eq!(frame(framing, max_line, &chunks), frame(framing, max_line, &[&input]));

        let mut framer = framer(framing, max_line);
        let pushed = chunks.iter().map(|chunk| framer.push(Bytes::copy_from_slice(chunk)));
        let seen: Vec<u8> = pushed.flat_map(|data| data.chunk).collect();
        prop_assert_eq!(&seen, &input);
    }

    /// Lines that are not too long are what lies between the line ends, and nothing else.
    #[test]
    fn framing_loses_nothing_but_line_ends(input in prop::collection::vec(byte(), 0..200)) {
        let text: String = input.iter().map(|byte| char::from(*byte)).collect();
        let ends = |end: &str| {
            let mut lines: Vec<_> = text.split(end).map(str::to_owned).collect();
            let rest = lines.pop().unwrap_or_default();
            (lines, rest)
        };
        let seen = |framing: &str| {
            let mut lines = frame(framing, 999, &[&input]);
            let rest = lines.pop_if(|(_, extent)| *extent == Fragment);
            let text = |line: Line| line.0.into_iter().map(char::from).collect::<String>();
            (lines.into_iter().map(text).collect::<Vec<_>>(), rest.map(text).unwrap_or_default())
        };
        for (framing, end) in [("crlf", "\r\n"), ("delim:3b", ";"), ("delim:0d0d", "\r\r")] {
            prop_assert_eq!(seen(framing), ends(end));
        }
        let (mut lines, mut rest) = ends("\n");
        for line in lines.iter_mut().skip(1).chain([&mut rest]) {
            *line = line.trim_start_matches('\r').to_owned();
        }
        for line in &mut lines {
            *line = line.trim_end_matches('\r').to_owned();
        }
        if lines.is_empty() {
            rest.clone_from(&text);
        }
        prop_assert_eq!(seen("lf"), (lines, rest));
        let (mut lines, mut rest) = ends("\r");
        for line in lines.iter_mut().skip(1).chain([&mut rest]) {
            *line = line.strip_prefix('\n').unwrap_or(line).to_owned();
        }
        if lines.is_empty() {
            rest.clone_from(&text);
        }
        prop_assert_eq!(seen("cr"), (lines, rest));
    }

    /// Nothing that is kept is longer than the limit, apart from what may belong to a line end.
    #[test]
    fn a_frame_is_never_much_longer_than_the_limit(
        framing in prop::sample::select(ALL.to_vec()),
        input in prop::collection::vec(byte(), 0..200),
        max_line in 4_usize..20,
    ) {
        let lines = frame(framing, max_line, &[&input]);
        for (line, extent) in &lines {
            let most = if *extent == Fragment { 2 * max_line } else { max_line };
            prop_assert!(line.len() <= most, "{:?} {:?}", line, extent);
        }
    }
}
