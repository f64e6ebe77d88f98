//! Tests of every end of a reply, against a clock of their own, and laws for any way in which the reply
//! is cut into chunks.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

/// What the device says, and how many milliseconds after the question.
type Speech<'a> = &'a [(u64, &'a str)];

const TIMEOUT: Duration = Duration::from_secs(1);

fn lines(count: usize) -> Until {
    Until::Lines(count)
}

fn texts(texts: &[&'static str]) -> Until {
    Until::Text(texts.iter().map(|text| (*text).into()).collect())
}

fn gap(ms: u64) -> Until {
    Until::Gap(Duration::from_millis(ms))
}

/// The state in which nothing had begun.
const QUIET: StreamState = StreamState {
    has_begun: false,
    last_read: None,
};

/// Returns the end of the reply, and after how many milliseconds it came.
fn run(until: Until, framing: &str, state: StreamState, speech: Speech<'_>) -> (ReplyEnd, u64) {
    let start = state.last_read.unwrap_or_else(Instant::now) + Duration::from_millis(state.pause());
    let question = DeviceQuestion {
        bytes: "?\n".into(),
        until,
        timeout: TIMEOUT,
        is_text: true,
    };
    let framing = framing.parse().expect("a framing");
    let mut reply = PendingReply::new(&question, &framing, state, start);
    let mut speech = speech.iter().peekable();
    for ms in 0..=1000 {
        let now = start + Duration::from_millis(ms);
        while let Some((_, text)) = speech.next_if(|(at, _)| *at == ms) {
            let chunk = Bytes::copy_from_slice(text.as_bytes());
            if let Some(end) = reply.push(&chunk, now) {
                return (end, ms);
            }
        }
        if reply.deadline() <= now
            && let Some(end) = reply.on_deadline(now)
        {
            return (end, ms);
        }
    }
    panic!("the timeout holds no longer");
}

impl StreamState {
    /// The pause before the question in milliseconds: none while a line goes on.
    fn pause(self) -> u64 {
        if self.has_begun { 1 } else { 100 }
    }
}

#[track_caller]
fn check(until: Until, speech: Speech<'_>, expected: &str, ms: u64) {
    check_framed("lf", until, speech, expected, ms);
}

#[track_caller]
fn check_framed(framing: &str, until: Until, speech: Speech<'_>, expected: &str, ms: u64) {
    let (end, at) = run(until, framing, QUIET, speech);
    let text = end.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert_eq!((text.as_deref(), at), (Ok(expected), ms));
}

#[track_caller]
fn check_late(until: Until, speech: Speech<'_>, bytes: usize) {
    let (end, at) = run(until, "lf", QUIET, speech);
    assert_eq!((end, at), (Err(NoReply::Late(bytes)), 1000));
}

#[test]
fn a_line_ends_a_reply_at_once_and_what_follows_is_not_waited_for() {
    check(lines(1), &[(3, "4"), (9, "2\r\nmore\r\n")], "42", 9);
    check(lines(2), &[(3, "a\nb"), (9, "\nc\n")], "a\nb", 9);
    check_framed("cr", lines(1), &[(1, "42\r")], "42", 1);
    check_framed("delim:3b", lines(1), &[(1, "42;43;")], "42", 1);
}

#[test]
fn an_empty_line_is_no_line_of_a_reply() {
    check(lines(1), &[(1, "\r\nOK\r\n")], "OK", 1);
    check(lines(2), &[(1, "\n\na\n\nb\n")], "a\nb", 1);
}

#[test]
fn a_line_that_had_begun_before_is_no_reply() {
    let state = StreamState {
        has_begun: true,
        last_read: Some(Instant::now()),
    };
    let speech: Speech<'_> = &[(2, "est of 7\n"), (5, "42\n")];
    let (end, _) = run(lines(1), "lf", state, speech);
    assert_eq!(end, Ok("42".into()));
    // Neither is it looked at for a text.
    let (end, _) = run(texts(&["7", "2"]), "lf", state, speech);
    assert_eq!(end, Ok("42".into()));
    // Bytes and pauses know no lines.
    let (end, _) = run(Until::Bytes(3), "lf", state, speech);
    assert_eq!(end, Ok("est".into()));
}

#[test]
fn a_prompt_after_which_the_device_was_silent_is_no_line_that_goes_on() {
    let now = Instant::now();
    let mut text = TextEnd::new(
        &["> ".into()],
        &"lf".parse().unwrap(),
        StreamState {
            has_begun: true,
            last_read: Some(now),
        },
        now + PAUSE,
    );
    assert_eq!(text.push(b"42\r\n> "), None);
    assert_eq!(text.take(6), Bytes::from("42\r\n> "));
}

#[test]
fn so_many_bytes_are_a_reply_whatever_they_are() {
    check(
        Until::Bytes(3),
        &[(1, "\n"), (2, "\0"), (3, "xyz")],
        "\n\0x",
        3,
    );
    check_late(Until::Bytes(3), &[(1, "ab")], 2);
}

#[test]
fn a_text_ends_a_reply_with_the_rest_of_its_line() {
    let ok = || texts(&["ok", "error:"]);
    check(
        ok(),
        &[(1, "[MSG:x]\r\n"), (5, "error:"), (7, "9\r\n")],
        "[MSG:x]\r\nerror:9",
        7,
    );
    check(ok(), &[(1, "\r\no"), (2, "k\r\n")], "ok", 2);
    // The first one counts, wherever it stands in the list.
    check(ok(), &[(1, "error:2\nok\n")], "error:2", 1);
    // What ends a line ends the reply itself.
    check(texts(&["\n"]), &[(1, "a\nb\n")], "a", 1);
    check(texts(&["a\n"]), &[(1, "a\nb\n")], "a", 1);
}

#[test]
fn a_text_without_a_line_end_ends_a_reply_after_a_moment_of_silence() {
    check(texts(&["> "]), &[(1, "1\n2\n> ")], "1\n2\n> ", 21);
    check(texts(&[">"]), &[(1, "1\n>"), (15, ">>")], "1\n>>>", 35);
    check_late(texts(&[">"]), &[(1, "1\n")], 2);
}

#[test]
fn a_silence_ends_a_reply_but_only_after_its_first_byte() {
    check(gap(50), &[(200, "ab"), (240, "cd")], "abcd", 290);
    check_late(gap(50), &[], 0);
}

#[test]
fn what_is_not_complete_in_time_is_no_reply() {
    check_late(lines(1), &[], 0);
    check_late(lines(1), &[(1, "42")], 2);
    check_late(lines(2), &[(1, "42\n")], 3);
    check(lines(1), &[(999, "42\n")], "42", 999);
}

#[test]
fn a_reply_has_an_end() {
    let long = "x".repeat(MAX_REPLY_BYTES);
    for until in [lines(1), texts(&["?"]), gap(50)] {
        let (end, at) = run(until, "lf", QUIET, &[(1, &long), (2, "y")]);
        assert_eq!((end, at), (Err(NoReply::TooLong), 2));
    }
    check(
        Until::Bytes(MAX_REPLY_BYTES),
        &[(1, &long), (2, "y")],
        &long,
        1,
    );
    check(lines(1), &[(1, &long), (1, "\n")], &long, 1);
}

proptest! {
    /// A reply does not depend on how its bytes come, as long as they come without a pause.
    #[test]
    fn a_reply_is_the_same_however_it_is_cut(
        words in prop::collection::vec(
            prop::sample::select(vec!["ok", "o", "k", "error:", "1", "\r", "\n", "\r\n", "> "]), 1..20
        ),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..9),
        kind in 0_usize..4,
        has_begun in any::<bool>(),
    ) {
        let until = [lines(1), lines(2), Until::Bytes(4), texts(&["ok", "error:"])][kind].clone();
        let text = words.concat();
        let state = StreamState { has_begun, last_read: Some(Instant::now()) };
        let whole = run(until.clone(), "lf", state, &[(1, &text)]);
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let parts = cuts.windows(2).filter(|cut| cut[0] < cut[1]);
        let parts: Vec<_> = parts.map(|cut| (1, &text[cut[0]..cut[1]])).collect();
        prop_assert_eq!(run(until, "lf", state, &parts), whole);
    }
}
