//! What views deliver of a stream, and that `history` and `latest` count just that.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::hub::{
    Hub, HubConfig, Start, State, Status, SubscriberKind, Subscription, Taken, Timestamp,
};
use crate::port::framing::{Framer, lines::LineFramer};

#[test]
fn a_name_alone_means_lines_where_there_is_a_choice() {
    assert_eq!("json".parse(), Ok(View::JsonLines));
}

/// A thing that happens to a port.
#[derive(Clone, Debug)]
enum Step {
    Read(Vec<u8>),
    Status,
    /// The device is lost, and comes back in the middle of a line or not.
    Loss {
        starts_whole: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let byte = prop_oneof![
        3 => Just(b'\n'),
        3 => prop::sample::select(b"a1,\r".as_slice()),
        // Parts of "é" and "😀", and what is no text.
        3 => prop::sample::select(b"\xc3\xa9\xf0\x9f\x98\x80\xff".as_slice()),
    ];
    let character = prop_oneof![
        byte.prop_map(|byte| vec![byte]),
        Just("é".into()),
        Just("😀".into())
    ];
    prop_oneof![
        4 => prop::collection::vec(character, 1..9).prop_map(|all| Step::Read(all.concat())),
        1 => Just(Step::Status),
        2 => any::<bool>().prop_map(|starts_whole| Step::Loss { starts_whole }),
    ]
}

/// A port to which these things happen, with one who has been there from the beginning.
fn port(steps: &[Step]) -> (Arc<Hub>, Subscription) {
    let limits = HubConfig {
        history: 1 << 20,
        max_behind: Duration::from_secs(3600),
    };
    let hub = Hub::new(limits, Status::new(State::Waiting, ""));
    let witness = hub.subscribe(SubscriberKind::Client, Start::Live);
    let mut framer = LineFramer::new(6);
    let publish = |data| hub.publish(Timestamp::now(), Kind::Data(data));
    for (number, step) in steps.iter().enumerate() {
        match step {
            Step::Read(bytes) => publish(framer.push(Bytes::copy_from_slice(bytes))),
            Step::Status => hub.publish_status(Status::new(State::Open, number.to_string())),
            Step::Loss { starts_whole } => {
                framer.cut().into_iter().for_each(publish);
                framer.begin(*starts_whole);
            }
        }
    }
    (hub, witness)
}

/// All that is ready.
fn take(subscription: &mut Subscription) -> Vec<Taken> {
    let mut taken = Vec::new();
    subscription.take(&mut taken);
    taken.retain(|taken| !taken.event.is_status());
    taken
}

/// The payloads of this part of an event.
fn payloads(view: View, event: &Event, part: Part) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    view.encode(event, part, &mut |payload, _| {
        let (Payload::Text(bytes) | Payload::Binary(bytes)) = payload;
        payloads.push(bytes.to_vec());
    });
    if part == Part::WHOLE {
        // It knows without encoding whether it delivers something, except for values.
        let is_blank = view.is_blank(event) || view == View::Values && payloads.is_empty();
        assert_eq!(payloads.is_empty(), is_blank, "{view:?}");
    }
    payloads
}

/// The payloads of what was taken.
fn delivered(view: View, taken: &[Taken]) -> Vec<Vec<u8>> {
    let payloads = |taken: &Taken| payloads(view, &taken.event, Part::After(taken.had));
    taken.iter().flat_map(payloads).collect()
}

/// The device's bytes in the payloads of a view of chunks.
fn bytes(view: View, payloads: &[Vec<u8>]) -> Vec<u8> {
    let decode = |object: &Vec<u8>| {
        let object: serde_json::Value = serde_json::from_slice(object).unwrap();
        let bytes = serde_json::from_value::<crate::protocol::Base64<'_>>(object["bytes"].clone());
        bytes.unwrap().0.into_owned()
    };
    match view {
        View::JsonChunks | View::JsonAll => payloads.iter().flat_map(decode).collect(),
        _ => payloads.concat(),
    }
}

proptest! {
    /// `history=N` is the end of what somebody got who was there from the beginning.
    #[test]
    fn history_is_the_last_that_the_view_delivers(
        steps in prop::collection::vec(step(), 0..40),
        count in 0_usize..12,
    ) {
        let (hub, mut witness) = port(&steps);
        let seen = take(&mut witness);
        for &view in View::ALL {
            let start = Start::Last(view.item(), count as u64);
            let mut late = hub.subscribe(SubscriberKind::Client, start).of(view.item());
            let begun = late.position();
            let history = delivered(view, &take(&mut late));
            let all = delivered(view, &seen);
            match view.unit() {
                Unit::Lines => {
                    prop_assert_eq!(&history, &all[all.len() - count.min(all.len())..]);
                    if view == View::JsonLines {
                        // The number that hello tells goes on without a gap.
                        let seq = hub.end().line - history.len() as u64;
                        prop_assert_eq!(begun.line, seq);
                    }
                }
                Unit::Bytes => {
                    let (history, all) = (bytes(view, &history), bytes(view, &all));
                    prop_assert!(all.ends_with(&history));
                    match view {
                        // It has a whole character more where the last bytes begin inside one.
                        View::Text => prop_assert!(history.len() >= count.min(all.len() / 3)),
                        _ => prop_assert_eq!(history.len(), count.min(all.len())),
                    }
                }
            }
        }
    }

    /// `latest` ends with the newest line that is no fragment, or with the newest chunk.
    #[test]
    fn the_latest_is_the_newest_line_and_never_a_fragment(
        steps in prop::collection::vec(step(), 0..40),
    ) {
        let (_hub, mut witness) = port(&steps);
        let seen = take(&mut witness);
        let is_fragment = |frame: &Frame<'_>| frame.extent == crate::hub::Extent::Fragment;
        for &view in View::ALL {
            let newest = seen.iter().rev().find_map(|Taken { event, .. }| {
                let part = view.newest(event)?;
                Some(payloads(view, event, part))
            });
            let expected = seen.iter().rev().find_map(|Taken { event, .. }| {
                let Kind::Data(data) = &event.kind else { return None };
                let whole = payloads(view, event, Part::WHOLE);
                if view.unit() == Unit::Bytes {
                    return (!whole.is_empty() && !data.chunk.is_empty()).then_some(whole);
                }
                let shown = data.frames.iter().filter(|f| view.item().includes(f));
                let pairs: Vec<_> = shown.zip(whole).collect();
                let last = pairs.into_iter().rev().find(|(frame, _)| !is_fragment(frame));
                last.map(|(_, payload)| vec![payload])
            });
            prop_assert_eq!(newest, expected);
        }
    }
}

#[track_caller]
fn check_history(steps: &[Step], view: View, count: u64, expected: &[&str]) {
    let (hub, _) = port(steps);
    let start = Start::Last(view.item(), count);
    let mut late = hub.subscribe(SubscriberKind::Client, start).of(view.item());
    let history = delivered(view, &take(&mut late));
    let history: Vec<_> = history
        .iter()
        .map(|it| String::from_utf8_lossy(it))
        .collect();
    assert_eq!(history, expected);
}

#[test]
fn history_in_lines_passes_over_fragments() {
    let read = |bytes: &[u8]| Step::Read(bytes.into());
    let loss = |starts_whole| Step::Loss { starts_whole };
    let after_loss = [read(b"a\nb\nbut"), loss(true)];
    check_history(&after_loss, View::Lines, 1, &["b"]);
    check_history(&after_loss, View::Lines, 2, &["a", "b"]);
    let at_start = [loss(false), read(b"ment\na\n")];
    check_history(&at_start, View::Lines, 9, &["a"]);
    let several = [
        read(b"a\nx"),
        loss(false),
        read(b"y\nb\nz"),
        loss(false),
        read(b"w"),
    ];
    check_history(&several, View::Lines, 1, &["b"]);
    check_history(&several, View::Lines, 2, &["a", "b"]);
    // Each piece of a line of more than 6 bytes is a message, except where messages are frames.
    let overlong = [read(b"a\n123456abcdef7\nx"), loss(false)];
    check_history(&overlong, View::Frames, 2, &["a"]);
    check_history(&overlong, View::Lines, 2, &["abcdef", "7"]);
    check_history(&overlong, View::Lines, 4, &["a", "123456", "abcdef", "7"]);
}

#[test]
fn history_in_text_is_whole_characters_that_were_delivered() {
    let read = |text: &[u8]| Step::Read(text.into());
    check_history(&[read("aé".as_bytes())], View::Text, 1, &["é"]);
    check_history(&[read(b"ab\xc3")], View::Text, 1, &["b"]);
    check_history(&[read(b"ab\xc3"), read(b"\xa9")], View::Text, 1, &["é"]);
}
