//! What subscribers can rely on, whatever the pace of each.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::port::framing::{Framer, lines::LineFramer};

const LIMITS: HubConfig = HubConfig {
    history: 1 << 20,
    max_behind: Duration::from_secs(3600),
};

fn hub(limits: HubConfig) -> Arc<Hub> {
    Hub::new(limits, Status::new(State::Waiting, "not open yet"))
}

fn publish(hub: &Hub, framer: &mut LineFramer, chunk: impl Into<Bytes>) {
    hub.publish(Timestamp::now(), Kind::Data(framer.push(chunk.into())));
}

/// A hub that has published one line per number.
fn counted(limits: HubConfig, numbers: std::ops::Range<u64>) -> (Arc<Hub>, LineFramer) {
    let (hub, mut framer) = (hub(limits), LineFramer::new(999));
    for number in numbers {
        publish(&hub, &mut framer, format!("{number}\n"));
    }
    (hub, framer)
}

/// Everything that is ready, as lines, with what was missed before them.
fn take(subscription: &mut Subscription) -> (Position, Vec<String>) {
    let (mut missed, mut taken) = (Position::default(), Vec::new());
    loop {
        let more = subscription.take(&mut taken).unwrap_or_default();
        missed.line += more.line;
        missed.offset += more.offset;
        if subscription.is_up_to_date() {
            break;
        }
    }
    let mut lines = Vec::new();
    for Taken { event, had } in taken {
        if let Kind::Data(data) = &event.kind {
            let frames = data.frames.iter().skip(had.line as usize);
            lines.extend(frames.map(|frame| String::from_utf8_lossy(frame.bytes).into_owned()));
        }
    }
    (missed, lines)
}

#[track_caller]
fn check_start(start: Start, missed: u64, expected: &[&str]) {
    let (hub, _) = counted(LIMITS, 0..5);
    let mut subscription = hub.subscribe(SubscriberKind::Client, start);
    let (told, lines) = take(&mut subscription);
    assert_eq!(
        (told.line, lines),
        (
            missed,
            expected.iter().map(|&line| line.to_owned()).collect()
        )
    );
}

#[test]
fn a_subscriber_begins_where_it_asks_to() {
    check_start(Start::Live, 0, &[]);
    check_start(Start::Last(StreamItem::Line, 2), 0, &["3", "4"]);
    check_start(
        Start::Last(StreamItem::Line, 99),
        0,
        &["0", "1", "2", "3", "4"],
    );
    check_start(Start::Last(StreamItem::Line, 0), 0, &[]);
    check_start(Start::After(Unit::Lines, 4), 0, &["4"]);
    check_start(Start::After(Unit::Lines, 5), 0, &[]);
    check_start(Start::After(Unit::Lines, 99), 0, &[]);
    check_start(Start::Last(StreamItem::Byte, 4), 0, &["3", "4"]);
}

#[test]
fn a_start_may_lie_inside_a_chunk() {
    let (hub, mut framer) = (hub(LIMITS), LineFramer::new(999));
    publish(&hub, &mut framer, "a\nb\nc\n");
    let mut subscription = hub.subscribe(SubscriberKind::Client, Start::After(Unit::Lines, 2));
    assert_eq!(take(&mut subscription).1, ["c"]);
    let mut taken = Vec::new();
    hub.subscribe(SubscriberKind::Client, Start::Last(StreamItem::Byte, 3))
        .take(&mut taken);
    assert_eq!(taken[0].had.offset, 3);
}

#[test]
fn received_and_missed_make_up_what_was_published() {
    let limits = HubConfig {
        history: 0,
        ..LIMITS
    };
    let (hub, mut framer) = counted(limits, 0..0);
    let mut subscription = hub.subscribe(SubscriberKind::Client, Start::Live);
    let line = vec![b'x'; 999];
    let published = 9000;
    for _ in 0..published {
        publish(&hub, &mut framer, [&line[..], b"\n"].concat());
    }
    let (missed, lines) = take(&mut subscription);
    assert_eq!(missed.line + lines.len() as u64, published);
    assert_eq!(missed.offset + 1000 * lines.len() as u64, 1000 * published);
    // It kept the newest million bytes, and lost no more than it had to.
    assert!((1000..1100).contains(&lines.len()), "{}", lines.len());
}

#[test]
fn a_subscriber_that_is_too_late_still_gets_the_newest() {
    let limits = HubConfig {
        max_behind: Duration::ZERO,
        ..LIMITS
    };
    let (hub, mut framer) = counted(limits, 0..0);
    let mut subscription = hub.subscribe(SubscriberKind::Client, Start::Live);
    publish(&hub, &mut framer, "old\n");
    publish(&hub, &mut framer, "newest\n");
    hub.publish_status(Status::new(State::Lost, "gone"));
    std::thread::sleep(Duration::from_millis(1));
    let (missed, lines) = take(&mut subscription);
    assert_eq!((missed.line, lines), (1, vec!["newest".to_owned()]));
}

#[test]
fn a_subscriber_that_is_too_late_gets_the_newest_line_also_where_half_a_line_came_after_it() {
    let limits = HubConfig {
        max_behind: Duration::ZERO,
        ..LIMITS
    };
    let (hub, mut framer) = counted(limits, 0..0);
    let mut subscription = hub.subscribe(SubscriberKind::Client, Start::Live);
    let mut of_lines = hub
        .subscribe(SubscriberKind::Client, Start::Live)
        .of(StreamItem::Line);
    for chunk in ["old\n", "BUTTON DOWN\n", "fr", "ag"] {
        publish(&hub, &mut framer, chunk);
    }
    let fragment = framer.cut().expect("half a line has come");
    hub.publish(Timestamp::now(), Kind::Data(fragment));
    std::thread::sleep(Duration::from_millis(1));
    assert_eq!(take(&mut of_lines).1, ["BUTTON DOWN", "frag"]);
    assert_eq!(
        take(&mut subscription).1,
        ["frag"],
        "the newest bytes are enough for it"
    );
}

#[test]
fn a_subscriber_that_is_too_late_for_nothing_but_a_status_is_told_as_well() {
    let limits = HubConfig {
        max_behind: Duration::ZERO,
        ..LIMITS
    };
    let (hub, _) = counted(limits, 0..0);
    let mut subscription = hub.subscribe(SubscriberKind::Client, Start::Live);
    hub.publish_status(Status::new(State::Lost, "gone"));
    std::thread::sleep(Duration::from_millis(1));
    let mut taken = Vec::new();
    assert_eq!(subscription.take(&mut taken), Some(Position::default()));
    assert!(taken.is_empty());
    assert_eq!(subscription.take(&mut taken), None, "it is told once");
}

#[test]
fn history_is_exempt_from_the_limits_for_the_slow() {
    let limits = HubConfig {
        max_behind: Duration::ZERO,
        ..LIMITS
    };
    let (hub, _) = counted(limits, 0..5);
    let mut subscription = hub.subscribe(SubscriberKind::Client, Start::Last(StreamItem::Line, 5));
    assert_eq!(take(&mut subscription).1.len(), 5);
}

#[test]
fn without_history_a_late_joiner_gets_none_and_one_that_returns_is_told() {
    let limits = HubConfig {
        history: 0,
        ..LIMITS
    };
    let (hub, _) = counted(limits, 0..5);
    assert_eq!(
        take(&mut hub.subscribe(SubscriberKind::Client, Start::Last(StreamItem::Line, 5)))
            .1
            .len(),
        0
    );
    assert_eq!(
        take(&mut hub.subscribe(SubscriberKind::Client, Start::After(Unit::Lines, 2)))
            .0
            .line,
        3
    );
}

#[test]
fn an_event_that_is_larger_than_history_leaves_none_until_smaller_ones_follow() {
    let limits = HubConfig {
        history: 2000,
        ..LIMITS
    };
    let (hub, mut framer) = counted(limits, 0..3);
    let start = Start::Last(StreamItem::Line, 9);
    let history = || {
        take(&mut hub.subscribe(SubscriberKind::Client, start))
            .1
            .len()
    };
    assert_eq!(history(), 3);
    publish(&hub, &mut framer, [&[b'x'; 1900][..], b"\n"].concat());
    assert_eq!(history(), 0);
    publish(&hub, &mut framer, "4\n");
    assert_eq!(history(), 1);
}

#[test]
fn history_is_bounded_in_memory_even_byte_by_byte() {
    let limits = HubConfig {
        history: 100 << 10,
        ..LIMITS
    };
    let (hub, mut framer) = counted(limits, 0..0);
    for number in 0..100_000_u32 {
        publish(
            &hub,
            &mut framer,
            vec![if number % 10 == 9 { b'\n' } else { b'x' }],
        );
    }
    let (_, lines) = take(&mut hub.subscribe(
        SubscriberKind::Client,
        Start::Last(StreamItem::Line, u64::MAX),
    ));
    // Each byte is charged for some 320 bytes of bookkeeping.
    assert!((20..40).contains(&lines.len()), "{}", lines.len());
}

/// Takes everything, and has it encoded to so many bytes in each of five views.
fn look_at_all(subscription: &mut Subscription, size: usize) {
    let mut taken = Vec::new();
    subscription.take(&mut taken);
    for Taken { event, .. } in taken {
        for view in 0..5 {
            let encoding = event.encoding(EncodingSlot::Message(view), 5, || {
                Bytes::from(vec![0; size])
            });
            assert_eq!(encoding.len(), size);
        }
    }
}

#[test]
fn encodings_are_bounded_and_give_way_before_events_do() {
    let limits = HubConfig {
        history: 0,
        ..LIMITS
    };
    let (hub, mut framer) = counted(limits, 0..0);
    let mut slow = hub.subscribe(SubscriberKind::Client, Start::Live);
    let mut fast = hub.subscribe(SubscriberKind::Client, Start::Live);
    for _ in 0..20 {
        publish(&hub, &mut framer, vec![b'x'; 50_000]);
        look_at_all(&mut fast, 50_000);
        assert!(hub.history().encoded.used() <= encodings::ENCODING_CAPACITY);
    }
    let mut taken = Vec::new();
    assert_eq!(slow.take(&mut taken), None, "it was less than 1 MiB behind");
    let bytes = taken
        .iter()
        .map(|it| it.event.after().offset - it.event.before.offset);
    assert_eq!(bytes.sum::<u64>(), 1_000_000);
    drop(taken);
    publish(&hub, &mut framer, "\n");
    look_at_all(&mut fast, 1000);
    let newest = hub
        .history()
        .events
        .back()
        .map(|event| event.cached(EncodingSlot::Message(4)).is_some());
    assert_eq!(
        newest,
        Some(true),
        "there is room for those of the newest event"
    );
}

#[test]
fn a_joiner_who_looks_at_all_of_history_does_not_shorten_it() {
    let limits = HubConfig {
        history: 8 << 20,
        ..LIMITS
    };
    let (hub, mut framer) = counted(limits, 0..20_000);
    let join = || {
        hub.subscribe(
            SubscriberKind::Client,
            Start::Last(StreamItem::Line, u64::MAX),
        )
    };
    let kept = take(&mut join()).1.len();
    look_at_all(&mut join(), 500);
    assert_eq!(take(&mut join()).1.len(), kept);
    publish(&hub, &mut framer, "20000\n");
    assert_eq!(take(&mut join()).1.len(), kept + 1);
}

#[test]
fn one_line_per_read_is_kept_for_40_000_reads() {
    let limits = HubConfig {
        history: 0,
        ..LIMITS
    };
    let (hub, mut framer) = counted(limits, 0..0);
    let mut slow = hub.subscribe(SubscriberKind::Client, Start::Live);
    for _ in 0..40_000 {
        publish(&hub, &mut framer, [&[b'x'; 25][..], b"\n"].concat());
    }
    let (missed, lines) = take(&mut slow);
    assert_eq!((missed.line, lines.len()), (0, 40_000));
}

#[test]
fn a_mebibyte_of_line_ends_is_kept_where_reads_are_of_64_bytes() {
    let limits = HubConfig {
        history: 0,
        ..LIMITS
    };
    let (hub, mut framer) = counted(limits, 0..0);
    let mut slow = hub.subscribe(SubscriberKind::Client, Start::Live);
    for _ in 0..(1 << 20) / 64 {
        publish(&hub, &mut framer, vec![b'\n'; 64]);
    }
    let (missed, lines) = take(&mut slow);
    assert_eq!((missed.line, lines.len()), (0, 1 << 20));
}

#[test]
fn many_lines_of_one_read_become_several_events_with_the_same_lines_bytes_and_text() {
    let (hub, mut framer) = counted(LIMITS, 0..0);
    let mut subscription = hub.subscribe(SubscriberKind::Client, Start::Live);
    let lines: Vec<String> = (0..600).map(|number| format!("{number}")).collect();
    let chunk = [lines.join("\r\n").as_bytes(), b"\r\n\xc3"].concat();
    publish(&hub, &mut framer, chunk.clone());
    let mut late = hub.subscribe(
        SubscriberKind::Client,
        Start::Last(StreamItem::Character, 1),
    );
    publish(&hub, &mut framer, vec![0xa9]);
    let mut taken = Vec::new();
    late.take(&mut taken);
    let Kind::Data(data) = &taken[0].event.kind else {
        panic!("it is data");
    };
    assert_eq!(&data.chunk[taken[0].had.offset as usize..], b"\n\xc3");
    taken.clear();
    subscription.take(&mut taken);
    let (mut frames, mut bytes) = (Vec::new(), Vec::new());
    for Taken { event, .. } in &taken {
        let Kind::Data(data) = &event.kind else {
            panic!("it is data");
        };
        assert_eq!(event.before.line, frames.len() as u64);
        assert_eq!(event.before.offset, bytes.len() as u64);
        let text = |frame: Frame<'_>| String::from_utf8_lossy(frame.bytes).into_owned();
        frames.extend(data.frames.iter().map(text));
        bytes.extend_from_slice(&data.chunk);
    }
    assert_eq!((taken.len(), frames), (4, lines));
    assert_eq!(bytes, [&chunk[..], b"\xa9"].concat());
}

#[test]
fn statuses_and_data_come_in_one_order() {
    let (hub, mut framer) = counted(LIMITS, 0..0);
    let mut subscription = hub.subscribe(SubscriberKind::Client, Start::Live);
    publish(&hub, &mut framer, "a\n");
    hub.publish_status(Status::new(State::Lost, "gone"));
    publish(&hub, &mut framer, "b\n");
    let mut taken = Vec::new();
    subscription.take(&mut taken);
    let order: Vec<bool> = taken.iter().map(|taken| taken.event.is_status()).collect();
    assert_eq!(order, [false, true, false]);
}

#[test]
fn a_status_from_before_joining_is_not_repeated() {
    let (hub, mut framer) = counted(LIMITS, 0..1);
    hub.publish_status(Status::new(State::Lost, "gone"));
    publish(&hub, &mut framer, "b\n");
    let mut taken = Vec::new();
    hub.subscribe(SubscriberKind::Client, Start::Last(StreamItem::Line, 9))
        .take(&mut taken);
    assert!(taken.iter().all(|taken| !taken.event.is_status()));
}

#[test]
fn times_never_go_back_nor_stop_when_the_clock_is_set_back() {
    const HOUR: u64 = 3600 * 1_000_000;
    let pause = Duration::from_millis(2);
    let (hub, mut framer) = counted(LIMITS, 0..0);
    let mut subscription = hub.subscribe(SubscriberKind::Client, Start::Live);
    for hours in [5, 3, 3, 7] {
        let data = Kind::Data(framer.push(Bytes::from_static(b"a\n")));
        hub.publish(Timestamp(hours * HOUR), data);
        std::thread::sleep(pause);
    }
    let mut taken = Vec::new();
    subscription.take(&mut taken);
    let times: Vec<u64> = taken.iter().map(|taken| taken.event.at.0).collect();
    assert_eq!((times[0], times[3]), (5 * HOUR, 7 * HOUR));
    let pauses = times.windows(2).map(|pair| pair[1] - pair[0]);
    let least = pause.as_micros() as u64;
    assert!(pauses.into_iter().all(|pause| pause >= least), "{times:?}");
}

/// Enough that reading waits for clients.
const BURST: usize = 300 << 10;

/// Takes everything, and waits for more, as a session whose socket takes everything does.
async fn catch_up(subscription: &mut Subscription) {
    let mut taken = Vec::new();
    while !subscription.is_up_to_date() {
        subscription.take(&mut taken);
    }
    subscription.delivered();
    let more = tokio::time::timeout(Duration::ZERO, subscription.ready()).await;
    assert!(more.is_err(), "nothing was published meanwhile");
}

/// Waits as a port does, and returns for how long.
async fn wait_for_room(hub: &Hub) -> Duration {
    let begun = tokio::time::Instant::now();
    while let Some(time) = hub.read_pause() {
        hub.wait_for_readers(begun + time).await;
    }
    begun.elapsed()
}

#[tokio::test(start_paused = true)]
async fn reading_waits_for_the_fastest_client_and_not_for_ever() {
    let (hub, mut framer) = counted(LIMITS, 0..0);
    let mut client = hub.subscribe(SubscriberKind::Client, Start::Live);
    publish(&hub, &mut framer, vec![b'x'; BURST]);
    assert_eq!(hub.read_pause(), Some(MAX_STALL_PAUSE));
    catch_up(&mut client).await;
    assert_eq!(hub.read_pause(), None);
    publish(&hub, &mut framer, vec![b'x'; BURST]);
    assert_eq!(wait_for_room(&hub).await, MAX_STALL_PAUSE, "nobody moved");
}

#[tokio::test(start_paused = true)]
async fn reading_waits_a_moment_for_a_client_that_kept_up_and_no_more_when_it_is_slow() {
    let (hub, mut framer) = counted(LIMITS, 0..0);
    let (mut fast, mut other) = (
        hub.subscribe(SubscriberKind::Client, Start::Live),
        hub.subscribe(SubscriberKind::Client, Start::Live),
    );
    let mut burst = || publish(&hub, &mut framer, vec![b'x'; BURST]);
    burst();
    catch_up(&mut fast).await;
    assert_eq!(hub.read_pause(), Some(MAX_PAUSE));
    let (waited, ()) = tokio::join!(wait_for_room(&hub), catch_up(&mut other));
    assert_eq!(waited, Duration::ZERO, "it caught up");
    burst();
    catch_up(&mut fast).await;
    assert_eq!(wait_for_room(&hub).await, MAX_PAUSE);
    for _ in 0..9 {
        burst();
        catch_up(&mut fast).await;
        assert_eq!(hub.read_pause(), None, "a slow client is not waited for");
    }
    catch_up(&mut other).await;
    burst();
    catch_up(&mut fast).await;
    assert_eq!(hub.read_pause(), None, "it was slow a moment ago");
    tokio::time::advance(Duration::from_secs(2)).await;
    catch_up(&mut other).await;
    burst();
    catch_up(&mut fast).await;
    assert_eq!(hub.read_pause(), Some(MAX_PAUSE), "it has kept up again");
    drop(other);
    assert_eq!(hub.read_pause(), None);
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_clients_that_is_interrupted_again_and_again_ends_as_well() {
    let (hub, mut framer) = counted(LIMITS, 0..0);
    let _stalled = hub.subscribe(SubscriberKind::Client, Start::Live);
    publish(&hub, &mut framer, vec![b'x'; BURST]);
    let begun = tokio::time::Instant::now();
    while hub.read_pause().is_some() {
        assert!(
            begun.elapsed() <= MAX_STALL_PAUSE,
            "reading would never go on"
        );
        let room = hub.wait_for_readers(begun + MAX_STALL_PAUSE);
        let _ = tokio::time::timeout(MAX_STALL_PAUSE / 10, room).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_output_is_no_client_and_is_waited_for_only_if_it_takes_part_in_backpressure() {
    let (hub, mut framer) = counted(LIMITS, 0..0);
    let mut burst = || publish(&hub, &mut framer, vec![b'x'; BURST]);
    let output = |backpressure| SubscriberKind::Output { backpressure };
    let mut bystander = hub.subscribe(output(false), Start::Live);
    burst();
    assert_eq!(hub.clients(), 0);
    assert_eq!(hub.read_pause(), None, "it is behind, and not waited for");
    let mut client = hub.subscribe(SubscriberKind::Client, Start::Live);
    burst();
    catch_up(&mut bystander).await;
    assert_eq!(hub.clients(), 1);
    assert_eq!(
        hub.read_pause(),
        Some(MAX_STALL_PAUSE),
        "what a bystander delivers does not count for the client"
    );
    catch_up(&mut client).await;
    let _recorder = hub.subscribe(output(true), Start::Live);
    burst();
    catch_up(&mut client).await;
    assert_eq!(
        hub.read_pause(),
        Some(MAX_PAUSE),
        "a recorder is waited for"
    );
}

#[test]
fn written_bytes_are_published_only_for_those_who_ask() {
    let (hub, mut framer) = counted(LIMITS, 0..0);
    let written = || Written {
        bytes: Bytes::from_static(b"H"),
        client: 7,
        name: None,
    };
    let mut client = hub.subscribe(SubscriberKind::Client, Start::Live);
    hub.publish_written(|| panic!("nobody asked"));
    assert!(client.is_up_to_date());
    let output = SubscriberKind::Output { backpressure: true };
    let mut recorder = hub.subscribe(output, Start::Live).with_written();
    publish(&hub, &mut framer, "a\n");
    hub.publish_written(written);
    let (mut of_client, mut of_recorder) = (Vec::new(), Vec::new());
    client.take(&mut of_client);
    recorder.take(&mut of_recorder);
    assert_eq!((of_client.len(), of_recorder.len()), (1, 2));
    assert!(client.is_up_to_date(), "there was nothing else for it");
    let last = &of_recorder[1].event.kind;
    assert!(matches!(last, Kind::Written(it) if *it == written()));
    drop(recorder);
    hub.publish_written(|| panic!("nobody asks any more"));
}

#[test]
fn what_was_written_is_counted_also_where_it_is_skipped() {
    let (hub, mut framer) = counted(LIMITS, 0..0);
    let output = SubscriberKind::Output {
        backpressure: false,
    };
    let write = |size: usize| {
        hub.publish_written(|| Written {
            bytes: vec![b'x'; size].into(),
            client: 7,
            name: None,
        });
    };
    // Before it joins, somebody else wants to know.
    let _other = hub.subscribe(output, Start::Live).with_written();
    write(1000);
    let mut recorder = hub.subscribe(output, Start::Live).with_written();
    let (mut taken, mut lost, mut had, mut written) = (Vec::new(), 0, 0, 0);
    for round in 1..=300 {
        write(round);
        written += round as u64;
        // More than it may be behind, in two of three rounds.
        if round % 100 < 66 {
            publish(&hub, &mut framer, "y".repeat(50_000) + "\n");
        } else {
            recorder.take(&mut taken);
            lost += recorder.take_missed_written();
        }
    }
    recorder.take(&mut taken);
    lost += recorder.take_missed_written();
    for event in taken {
        if let Kind::Written(written) = &event.event.kind {
            had += written.bytes.len() as u64;
        }
    }
    assert!(lost > 0 && had > 0, "{lost} bytes were lost, and {had} not");
    assert_eq!(lost + had, written);
}

#[tokio::test(start_paused = true)]
async fn a_hub_is_idle_once_no_client_has_been_there_for_a_time() {
    const SECOND: Duration = Duration::from_secs(1);
    let hub = hub(LIMITS);
    let start = tokio::time::Instant::now();
    let idle = hub.idle(SECOND * 10);
    let clients = async {
        let first = hub.subscribe(SubscriberKind::Client, Start::Live);
        tokio::time::sleep(SECOND * 30).await;
        drop(first);
        tokio::time::sleep(SECOND * 9).await;
        // It comes and goes before anybody looks.
        drop(hub.subscribe(SubscriberKind::Client, Start::Live));
        // An output is no client.
        let recorder = SubscriberKind::Output { backpressure: true };
        let _recorder = hub.subscribe(recorder, Start::Live);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = idle => assert_eq!(start.elapsed(), SECOND * 49),
        () = clients => {}
    }
}
