//! When a device is polled, on a fake UART whose time is injected.

use proptest::prelude::*;
use tokio::time::sleep;

use super::*;
use crate::hub::{Done, Start, SubscriberKind, Subscription};
use crate::port::fake_uart::Bench;

const PORT: &str = "/dev/uart,poll=A,every=50ms";

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn watcher(bench: &Bench) -> Subscription {
    bench.hub.subscribe(SubscriberKind::Client, Start::Live)
}

/// Lets the device answer each poll after `delay`, for `time`. Returns how many it got.
async fn answer(bench: &Bench, delay: Duration, time: Duration) -> usize {
    let end = Instant::now() + time;
    let begun = bench.sent().len();
    let mut answered = begun;
    while Instant::now() < end {
        if bench.sent().len() > answered {
            sleep(delay).await;
            answered += 1;
            assert!(bench.sent().len() <= answered, "polls pile up");
            bench.say("1,2\r\n");
        }
        sleep(millis(1)).await;
    }
    answered - begun
}

#[tokio::test(start_paused = true)]
async fn polls_keep_to_their_interval() {
    let bench = Bench::with_port(PORT).await;
    let _watcher = watcher(&bench);
    let polls = answer(&bench, millis(5), millis(10_000)).await;
    assert!((199..=201).contains(&polls), "{polls} in 10 s");
}

#[tokio::test(start_paused = true)]
async fn a_slow_device_is_asked_again_only_when_it_has_replied() {
    let bench = Bench::with_port(PORT).await;
    let _watcher = watcher(&bench);
    let polls = answer(&bench, millis(200), millis(10_000)).await;
    assert!((47..=50).contains(&polls), "{polls} in 10 s");
}

#[tokio::test(start_paused = true)]
async fn a_reply_need_not_be_a_line() {
    let bench = Bench::with_port(PORT).await;
    let _watcher = watcher(&bench);
    sleep(millis(10)).await;
    for count in 1..=5 {
        assert_eq!(bench.sent().len(), count);
        bench.say("\x01\x02");
        sleep(millis(50)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_poll_without_a_reply_is_repeated_and_the_user_is_told() {
    let bench = Bench::with_port(PORT).await;
    let _watcher = watcher(&bench);
    sleep(millis(7_000)).await;
    assert_eq!(bench.sent(), b"AAAA");
    let hint = bench.hub.status().hint;
    assert!(
        hint.starts_with(
            "the device does not answer --poll A within 2 s; one that reads whole lines"
        ),
        "{hint}"
    );
    let unanswered = &bench.hub.counters.unanswered_polls;
    assert_eq!(unanswered.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn nobody_watches_and_nothing_is_asked() {
    let bench = Bench::with_port(PORT).await;
    sleep(millis(10_000)).await;
    assert_eq!(bench.sent(), b"");
    for kind in [
        SubscriberKind::Client,
        SubscriberKind::Output {
            backpressure: false,
        },
    ] {
        let before = bench.sent().len();
        let watcher = bench.hub.subscribe(kind, Start::Live);
        answer(&bench, millis(5), millis(1000)).await;
        assert!(bench.sent().len() > before + 18);
        drop(watcher);
        let after = bench.sent().len();
        sleep(millis(1000)).await;
        assert_eq!(bench.sent().len(), after);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_the_write_lock_has_the_device_for_itself() {
    let bench = Bench::with_port(PORT).await;
    let _watcher = watcher(&bench);
    let mut holder = bench.client();
    sleep(millis(10)).await;
    assert_eq!(bench.sent(), b"A", "the first one has no reply yet");
    bench.hub.lock(holder.sender.client(), None).unwrap();
    sleep(millis(10_000)).await;
    holder.urge("w");
    assert_eq!(holder.outcome().await.1, Ok(Done::Written(1)));
    sleep(millis(10)).await;
    assert_eq!(bench.sent(), b"Aw");
    bench.hub.unlock(None);
    sleep(millis(10)).await;
    assert_eq!(bench.sent(), b"AwA");
}

#[tokio::test(start_paused = true)]
async fn what_clients_write_takes_turns_with_polls_and_what_is_urgent_does_not_wait() {
    let bench = Bench::with_port(PORT).await;
    let _watcher = watcher(&bench);
    let mut client = bench.client();
    sleep(millis(10)).await;
    client.ask(Action::Write("w".into()));
    client.urge("!");
    client.question("?");
    sleep(millis(10)).await;
    assert_eq!(bench.sent(), b"A!", "the poll waits for its reply");
    bench.say("polled\n");
    sleep(millis(10)).await;
    assert_eq!(bench.sent(), b"A!w?", "the question waits for its own");
    sleep(millis(500)).await;
    assert_eq!(bench.sent(), b"A!w?");
    bench.say("asked\n");
    sleep(millis(10)).await;
    let mut replies = Vec::new();
    while let Ok((_, outcome)) = client.replies.try_recv() {
        if let Ok(Done::Replied(reply)) = outcome {
            replies.push(reply.bytes);
        }
    }
    assert_eq!(replies, ["asked"]);
    assert_eq!(bench.sent(), b"A!w?A");
}

#[tokio::test(start_paused = true)]
async fn polls_go_on_after_a_reset_when_the_board_listens() {
    let bench = Bench::with_port("/dev/uart,poll=A,every=50ms,settle=1500").await;
    let _watcher = watcher(&bench);
    sleep(millis(1400)).await;
    assert_eq!(bench.sent(), b"");
    sleep(millis(200)).await;
    assert_eq!(bench.sent(), b"A");
    let mut client = bench.client();
    client.ask(Action::Reset);
    assert!(client.outcome().await.1.is_ok());
    sleep(millis(1000)).await;
    assert_eq!(bench.sent(), b"A");
    sleep(millis(600)).await;
    assert_eq!(bench.sent(), b"AA");
}

proptest! {
    /// However late a poll is, the next is due within the interval, and polls that are no later than that
    /// keep to it.
    #[test]
    fn a_late_poll_brings_no_burst(delays in prop::collection::vec(0_u64..200, 1..50)) {
        let start = Instant::now();
        let mut schedule = Schedule::new(millis(50), start);
        for delay in &delays {
            let now = schedule.next + millis(*delay);
            schedule.polled(now);
            prop_assert!(schedule.next > now && schedule.next <= now + millis(50));
        }
        if delays.iter().all(|delay| *delay < 50) {
            prop_assert_eq!(schedule.next, start + millis(50) * delays.len() as u32);
        }
    }
}
