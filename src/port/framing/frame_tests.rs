//! Tests of the framings whose frames need not be lines: what a frame is, when it counts as whole,
//! and that what is written is read again.

use proptest::prelude::*;

use super::*;
use crate::hub::Extent::{self, Fragment, Piece as Part, Whole};

type Seen = (Vec<u8>, Extent);

/// One of each kind, and marks that overlap themselves and one another.
const ALL: [&str; 17] = [
    "len:1",
    "len:3",
    "gap:20ms",
    "start:02:03",
    "start:7e:7e",
    "start:24:0d0a",
    "start:0202:0302",
    "start:02:0203",
    "start:020302:03",
    "start:0202:0202",
    "slip",
    "cobs",
    "packet:02:1:1",
    "packet:0202:2:2be",
    "packet:02:1:2:2",
    "packet:0203:3:1:7",
    "json",
];

/// The silence that the framers are told of.
const SILENCE: Duration = Duration::from_millis(20);

fn framer(framing: &str, max_frame: usize) -> Box<dyn Framer> {
    let framing: Framing = framing.parse().unwrap();
    framing.framer(max_frame)
}

fn frames<'a>(data: impl IntoIterator<Item = &'a Data>) -> Vec<Seen> {
    let frames = data.into_iter().flat_map(|data| data.frames.iter());
    frames
        .map(|frame| (frame.bytes.to_vec(), frame.extent))
        .collect()
}

/// Pushes these chunks, none of which is empty, into a stream that begins whole or not.
fn cut(framing: &str, max_frame: usize, starts_whole: bool, chunks: &[&[u8]]) -> Vec<Seen> {
    let mut framer = framer(framing, max_frame);
    framer.begin(starts_whole);
    let chunks = chunks.iter().filter(|chunk| !chunk.is_empty());
    let pushed = chunks.map(|chunk| framer.push(Bytes::copy_from_slice(chunk)));
    let mut data: Vec<Data> = pushed.collect();
    data.extend(framer.cut());
    frames(&data)
}

/// Checks the frames of a stream that begins at its beginning.
#[track_caller]
fn check(framing: &str, input: &[u8], expected: &[(&[u8], Extent)]) {
    check_start(framing, true, input, expected);
}

#[track_caller]
fn check_start(framing: &str, starts_whole: bool, input: &[u8], expected: &[(&[u8], Extent)]) {
    let seen = cut(framing, 99, starts_whole, &[input]);
    let seen: Vec<_> = seen
        .iter()
        .map(|(bytes, extent)| (&**bytes, *extent))
        .collect();
    assert_eq!(seen, expected);
}

/// Something that happens to a framer.
enum Step {
    Push(&'static [u8]),
    /// Nothing comes until the deadline.
    Silence,
}

#[track_caller]
fn check_steps(framing: &str, starts_whole: bool, steps: &[Step], expected: &[(&[u8], Extent)]) {
    let mut framer = framer(framing, 99);
    framer.set_silence(SILENCE);
    framer.begin(starts_whole);
    let mut data = Vec::new();
    for step in steps {
        match step {
            Step::Push(bytes) => data.push(framer.push(Bytes::from_static(bytes))),
            Step::Silence => {
                let now = Instant::now();
                assert!(framer.deadline(now).is_some_and(|end| end == now + SILENCE));
                data.extend(framer.on_silence());
                assert_eq!(framer.deadline(now), None, "it is awaited once");
            }
        }
    }
    let seen = frames(&data);
    let seen: Vec<_> = seen
        .iter()
        .map(|(bytes, extent)| (&**bytes, *extent))
        .collect();
    assert_eq!(seen, expected);
}

#[test]
fn a_frame_of_some_length_has_just_that() {
    check(
        "len:2",
        b"abcde",
        &[(b"ab", Whole), (b"cd", Whole), (b"e", Fragment)],
    );
    check("len:200", &[7; 200], &[(&[7; 200], Whole)]);
}

#[test]
fn frames_of_some_length_begin_after_a_pause_if_the_beginning_was_missed() {
    check_start(
        "len:2",
        false,
        b"abc",
        &[(b"ab", Fragment), (b"c", Fragment)],
    );
    let steps = [Step::Push(b"abc"), Step::Silence, Step::Push(b"defg")];
    let expected: [(&[u8], Extent); 4] = [
        (b"ab", Fragment),
        (b"c", Fragment),
        (b"de", Whole),
        (b"fg", Whole),
    ];
    check_steps("len:2", false, &steps, &expected);
    let steps = [Step::Push(b"ab"), Step::Silence, Step::Push(b"cd")];
    check_steps("len:2", false, &steps, &[(b"ab", Fragment), (b"cd", Whole)]);
}

#[test]
fn silence_ends_a_frame() {
    let steps = [
        Step::Push(b"a"),
        Step::Push(b"b"),
        Step::Silence,
        Step::Push(b"c"),
        Step::Silence,
    ];
    check_steps("gap:20ms", true, &steps, &[(b"ab", Whole), (b"c", Whole)]);
    check_steps(
        "gap:20ms",
        false,
        &steps,
        &[(b"ab", Fragment), (b"c", Whole)],
    );
    // The end of the stream is no silence.
    check("gap:20ms", b"ab", &[(b"ab", Fragment)]);
}

#[test]
fn a_frame_stands_between_its_marks() {
    check(
        "start:02:03",
        b"\x02a\x03\r\n\x02b\x03",
        &[(b"a", Whole), (b"b", Whole)],
    );
    check("start:02:03", b"\x02\x03\x03\x02", &[(b"", Whole)]);
    check(
        "start:24:0d0a",
        b"$GP\r,1\r\n\r\n$G",
        &[(b"GP\r,1", Whole), (b"G", Fragment)],
    );
    // The end of the first was lost.
    check(
        "start:02:03",
        b"\x02a\x02b\x03",
        &[(b"a", Fragment), (b"b", Whole)],
    );
    check_start("start:02:03", false, b"a\x03\x02b\x03", &[(b"b", Whole)]);
}

#[test]
fn equal_marks_part_frames_and_may_be_there_once_or_twice() {
    check(
        "start:7e:7e",
        b"~a~b~~c~",
        &[(b"a", Whole), (b"b", Whole), (b"c", Whole)],
    );
    check_start("start:7e:7e", false, b"x~a~", &[(b"a", Whole)]);
}

#[track_caller]
fn check_begun(framing: &str, chunks: [&'static [u8]; 2], expected: [bool; 4]) {
    let mut framer = framer(framing, 99);
    framer.begin(true);
    let before = framer.has_begun();
    let [first, second] = chunks.map(|chunk| {
        framer.push(Bytes::from_static(chunk));
        framer.has_begun()
    });
    framer.cut();
    framer.begin(false);
    assert_eq!([before, first, second, framer.has_begun()], expected);
}

#[test]
fn a_frame_has_begun_from_its_first_byte_to_its_end() {
    check_begun("slip", [b"\xdb", b"\xdc\xc0"], [false, true, false, true]);
    check_begun("cobs", [b"\x02", b"a\x00"], [false, true, false, true]);
    check_begun("len:2", [b"a", b"b"], [false, true, false, true]);
    check_begun("gap:20ms", [b"a", b"b"], [false, true, true, true]);
    check_begun(
        "packet:aa:1:1",
        [b"\xaa", b"\x00"],
        [false, true, false, true],
    );
    check_begun("json", [b"{", b"}\n"], [false, true, false, true]);
    // Its beginning is seen in any case.
    check_begun(
        "start:02:03",
        [b"x\x02", b"\x03"],
        [false, true, false, false],
    );
}

#[test]
fn slip_is_decoded() {
    check(
        "slip",
        b"a\xc0\xc0b\xdb\xdc\xdb\xddc\xc0",
        &[(b"a", Whole), (b"b\xc0\xdbc", Whole)],
    );
    check_start(
        "slip",
        false,
        b"a\xc0b\xc0",
        &[(b"a", Fragment), (b"b", Whole)],
    );
    check_start("slip", false, b"\xc0b\xc0", &[(b"b", Whole)]);
    // A wrong escape is taken as it is, but the frame is damaged.
    check(
        "slip",
        b"a\xdbb\xc0c\xc0",
        &[(b"ab", Fragment), (b"c", Whole)],
    );
    check(
        "slip",
        b"a\xdb\xc0c\xc0",
        &[(b"a", Fragment), (b"c", Whole)],
    );
}

#[test]
fn cobs_is_decoded() {
    check(
        "cobs",
        b"\x03ab\x00\x01\x02c\x00",
        &[(b"ab", Whole), (b"\x00c", Whole)],
    );
    check(
        "cobs",
        b"\x01\x00\x00\x01\x01\x00",
        &[(b"", Whole), (b"\x00", Whole)],
    );
    check_start(
        "cobs",
        false,
        b"a\x00\x02b\x00",
        &[(b"", Fragment), (b"b", Whole)],
    );
    check(
        "cobs",
        b"\x05ab\x00\x02c\x00",
        &[(b"ab", Fragment), (b"c", Whole)],
    );
}

#[test]
fn a_packet_says_its_length() {
    check(
        "packet:aa:1:1",
        b"\xaa\x02ab\xaa\x00\xaa\x01",
        &[
            (b"\xaa\x02ab", Whole),
            (b"\xaa\x00", Whole),
            (b"\xaa\x01", Fragment),
        ],
    );
    check(
        "packet:7e:1:2be:4",
        b"~\x00\x02ab*",
        &[(b"~\x00\x02ab*", Whole)],
    );
    check(
        "packet:b562:4:2:8",
        b"\xb5b\x01\x02\x01\x00a12",
        &[(b"\xb5b\x01\x02\x01\x00a12", Whole)],
    );
    check("packet:01:1:1:0", b"\x01\x03a", &[(b"\x01\x03a", Whole)]);
}

#[test]
fn after_bytes_that_belong_to_no_packet_one_counts_once_another_follows() {
    let packets: &[(&[u8], Extent)] = &[(b"\xaa\x01a", Whole), (b"\xaa\x01b", Whole)];
    check("packet:aa:1:1", b"log\xaa\x01a\xaa\x01b", packets);
    // The mark within a packet is no beginning.
    check_start(
        "packet:aa:1:1",
        false,
        b"\xaa\x01x\x02\xaa\x01a\xaa\x01b",
        packets,
    );
    let steps = [
        Step::Push(b"log\xaa\x01a"),
        Step::Silence,
        Step::Push(b"\xaa\x01b"),
    ];
    check_steps("packet:aa:1:1", true, &steps, packets);
    let steps = [
        Step::Push(b"\xaa\x09a"),
        Step::Silence,
        Step::Push(b"\xaa\x01b"),
    ];
    let expected: [(&[u8], Extent); 2] = [(b"\xaa\x09a", Fragment), (b"\xaa\x01b", Whole)];
    check_steps("packet:aa:1:1", false, &steps, &expected);
}

#[test]
fn a_packet_that_says_too_much_is_none() {
    let seen = cut(
        "packet:aa:1:1",
        4,
        true,
        &[b"\xaa\x63\xaa\x01a\xaa\x01b\xaa\x00"],
    );
    assert_eq!(
        seen,
        [
            (b"\xaa\x01a".into(), Whole),
            (b"\xaa\x01b".into(), Whole),
            (b"\xaa\x00".into(), Whole)
        ]
    );
}

#[test]
fn a_json_value_may_have_many_lines() {
    check(
        "json",
        b"{\n  \"a\": [\n    1\n  ]\n}\r\n[1] {}\n",
        &[
            (b"{\n  \"a\": [\n    1\n  ]\n}", Whole),
            (b"[1]", Whole),
            (b"{}", Whole),
        ],
    );
    check(
        "json",
        b"21.5\r\n\"a{\"\ntrue\n{\"a\"",
        &[
            (b"21.5", Whole),
            (b"\"a{\"", Whole),
            (b"true", Whole),
            (b"{\"a\"", Fragment),
        ],
    );
}

#[test]
fn what_is_no_json_ends_with_its_line() {
    check(
        "json",
        b"ets Jun 8\n[I] up\n{\"a\":1}\n{}",
        &[
            (b"ets Jun 8", Fragment),
            (b"[I] up", Fragment),
            (b"{\"a\":1}", Whole),
            (b"{}", Whole),
        ],
    );
    // Values were cut by a restart that nobody noticed.
    let seen: &[(&[u8], Extent)] = &[
        (b"{\"a\":12", Fragment),
        (b"{\"a\":3}", Whole),
        (b"{}", Whole),
    ];
    check(
        "json",
        b"{\"a\":12{\"a\":3}{}[",
        &[seen, &[(b"[", Fragment)]].concat(),
    );
    check(
        "json",
        b"{\"a\":\nboot\n{}\n7\n",
        &[
            (b"{\"a\":\n", Fragment),
            (b"boot", Fragment),
            (b"{}", Whole),
            (b"7", Whole),
        ],
    );
}

#[test]
fn a_value_within_one_that_was_cut_is_none() {
    check_start(
        "json",
        false,
        b"\"a\": {\"b\": 1},\n3\n]\n{}\n{}\n",
        &[
            (b"\"a\": {\"b\": 1},", Fragment),
            (b"3", Fragment),
            (b"]", Fragment),
            (b"{}", Whole),
            (b"{}", Whole),
        ],
    );
    check_start(
        "json",
        false,
        b"3.5\n4\n5\n",
        &[(b"3.5", Fragment), (b"4", Whole), (b"5", Whole)],
    );
    let steps = [Step::Push(b"{}"), Step::Silence, Step::Push(b"[]")];
    check_steps("json", false, &steps, &[(b"{}", Whole), (b"[]", Whole)]);
}

#[test]
fn a_frame_over_the_limit_comes_in_pieces_and_the_next_is_whole() {
    let pieces = |framing, input: &[u8]| cut(framing, 4, true, &[input]);
    let expected = [
        (b"abcd".into(), Part),
        (b"ef".into(), Part),
        (b"g".into(), Whole),
    ];
    assert_eq!(pieces("start:02:03", b"\x02abcdef\x03\x02g\x03"), expected);
    assert_eq!(pieces("slip", b"abcdef\xc0g\xc0"), expected);
    assert_eq!(pieces("cobs", b"\x07abcdef\x00\x02g\x00"), expected);
    let values = pieces("json", b"[1234]{}");
    assert_eq!(
        values,
        [
            (b"[123".into(), Part),
            (b"4]".into(), Part),
            (b"{}".into(), Whole)
        ]
    );
    let mut framer = framer("gap:20ms", 4);
    let data = [framer.push("abcdef".into()), framer.on_silence().unwrap()];
    assert_eq!(frames(&data), expected[..2]);
}

#[track_caller]
fn check_encoding(framing: &str, frame: &[u8], expected: Result<&[u8], &str>) {
    let framing: Framing = framing.parse().unwrap();
    match (framing.encode(frame), expected) {
        (Ok(bytes), expected) => assert_eq!(Ok(&*bytes), expected),
        (Err(reason), Err(part)) => assert!(reason.contains(part), "{reason}"),
        (Err(reason), Ok(bytes)) => panic!("{reason}, not {bytes:?}"),
    }
}

#[test]
fn a_frame_is_written_with_what_marks_it() {
    check_encoding("lf", b"a", Ok(b"a\n"));
    check_encoding(
        "lf",
        b"a\nb",
        Err("the frame contains 0a, which would end it"),
    );
    check_encoding("lf", b"a\r", Err("would belong to a line end"));
    check_encoding("cr", b"a", Ok(b"a\r"));
    check_encoding("cr", b"\na", Err("begins with 0a"));
    check_encoding("crlf", b"a\rb", Ok(b"a\rb\r\n"));
    check_encoding("delim:0d0d", b"a\r", Err("the frame contains 0d0d"));
    check_encoding("start:02:03", b"a", Ok(b"\x02a\x03"));
    check_encoding("start:02:03", b"a\x02", Err("the frame contains 02"));
    check_encoding("start:7e:7e", b"", Err("never empty"));
    check_encoding("slip", b"\xc0\xdb", Ok(b"\xc0\xdb\xdc\xdb\xdd\xc0"));
    check_encoding("slip", b"", Err("no empty frames"));
    check_encoding("cobs", b"a\0", Ok(b"\x02a\x01\0"));
    check_encoding("len:2", b"ab", Ok(b"ab"));
    check_encoding("len:2", b"abc", Err("a frame has 2 bytes, and this one 3"));
    check_encoding("packet:aa:1:1", b"\xaa\x01a", Ok(b"\xaa\x01a"));
    check_encoding(
        "packet:aa:1:1",
        b"\xaa\x02a",
        Err("says that it has 4 bytes, and it has 3"),
    );
    check_encoding(
        "packet:aa:1:1",
        b"\xaa",
        Err("at least 2 bytes, and this one 1"),
    );
    check_encoding("packet:aa:1:1", b"a", Err("begins with aa"));
    check_encoding("json", b"[1]", Ok(b"[1]\n"));
    check_encoding("json", b"[1", Err("no JSON value"));
    check_encoding("gap:20ms", b"a", Err("silence ends a frame"));
}

/// Bytes among which those that mean something to a framing are frequent.
fn byte() -> impl Strategy<Value = u8> {
    let frequent = b"\x00\x01\x02\x03\x02\x04\xc0\xdb\xdc\xdd~$\r\n{}[]\",:1a -\xc3\xa9".to_vec();
    prop_oneof![9 => prop::sample::select(frequent), 1 => any::<u8>()]
}

/// Bytes, or tokens of JSON.
fn input() -> impl Strategy<Value = Vec<u8>> {
    let tokens = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"a\"",
        "1",
        "null",
        " ",
        "\n",
        "\r\n",
        "x",
        "{\"b\":[2]}",
        "{}\n",
        "                  ",
    ]);
    prop_oneof![
        prop::collection::vec(byte(), 0..200),
        prop::collection::vec(tokens, 0..80).prop_map(|tokens| tokens.concat().into_bytes()),
    ]
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
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// However the input is cut, the frames are the same, and the chunks joined are the input.
    #[test]
    fn frames_do_not_depend_on_how_the_input_is_cut(
        framing in prop::sample::select(ALL.to_vec()),
        input in input(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..60),
        max_frame in 4_usize..20,
        starts_whole: bool,
    ) {
        let whole = cut(framing, max_frame, starts_whole, &[&input]);
        let single: Vec<_> = input.chunks(1).collect();
        prop_assert_eq!(&cut(framing, max_frame, starts_whole, &single), &whole);
        let chunks = chunks(&input, &cuts);
        prop_assert_eq!(&cut(framing, max_frame, starts_whole, &chunks), &whole);

        let mut framer = framer(framing, max_frame);
        let chunks = chunks.into_iter().filter(|chunk| !chunk.is_empty());
        let pushed = chunks.map(|chunk| framer.push(Bytes::copy_from_slice(chunk)));
        let seen: Vec<u8> = pushed.flat_map(|data| data.chunk).collect();
        prop_assert_eq!(&seen, &input);
    }

    /// Nothing that is kept is longer than the limit, apart from what may mark the end of a frame.
    #[test]
    fn a_frame_is_never_much_longer_than_the_limit(
        framing in prop::sample::select(ALL.to_vec()),
        input in input(),
        max_frame in 4_usize..20,
    ) {
        for (frame, extent) in cut(framing, max_frame, true, &[&input]) {
            let most = if extent == Fragment { max_frame + 20 } else { max_frame };
            prop_assert!(frame.len() <= most, "{:?} {:?}", frame, extent);
        }
    }

}

proptest! {
    /// What is written as frames is read as the same frames.
    #[test]
    fn what_is_written_as_frames_is_read_as_the_same(
        framing in prop::sample::select([&ALL[..], &["lf", "cr", "crlf", "delim:0302"]].concat()),
        frames in prop::collection::vec(prop::collection::vec(byte(), 0..300), 0..6),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..60),
    ) {
        let parsed: Framing = framing.parse().unwrap();
        let fits = |frame: &Vec<u8>| Some((frame.clone(), parsed.encode(frame).ok()?));
        let packets = frames.iter().filter_map(|frame| {
            // A packet of its own length, where there is one to be made.
            let head: &[u8] = match framing {
                "packet:02:1:1" => &[2],
                "packet:0202:2:2be" => &[2, 2, (frame.len() >> 8) as u8],
                _ => return None,
            };
            let length = u8::try_from(frame.len()).ok().or((head.len() == 3).then_some(frame.len() as u8));
            Some([head, &[length?], frame].concat())
        });
        let framed: Vec<_> = frames.iter().cloned().chain(packets).filter_map(|frame| fits(&frame)).collect();
        let (frames, encoded): (Vec<_>, Vec<_>) = framed.into_iter().unzip();
        let encoded = encoded.concat();
        let seen = cut(framing, 1000, true, &chunks(&encoded, &cuts));
        let expected: Vec<_> = frames.into_iter().map(|frame| (frame, Whole)).collect();
        prop_assert_eq!(seen, expected);
    }

    /// COBS is what the crate `cobs` makes and reads.
    #[test]
    fn cobs_is_as_others_write_it(
        frame in prop_oneof![
            prop::collection::vec(byte(), 0..700),
            prop::collection::vec(1..3_u8, 250..259),
            (0..3_usize, 0..3_usize).prop_map(|(full, zeros)| [vec![1; full * 254], vec![0; zeros]].concat()),
        ],
    ) {
        let framing: Framing = "cobs".parse().unwrap();
        let encoded = framing.encode(&frame).unwrap();
        let theirs = [::cobs::encode_vec(&frame), vec![0]].concat();
        prop_assert_eq!(::cobs::decode_vec(&encoded).unwrap(), &*frame);
        let seen = cut("cobs", 1000, true, &[&theirs]);
        prop_assert_eq!(seen, [(frame, Whole)]);
    }
}
