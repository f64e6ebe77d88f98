//! What came before a client: late joiners, clients that come back, and clients that want only now.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Bridge, Client, Pair};

#[tokio::test]
async fn a_late_client_gets_the_last_lines_it_asks_for_and_then_the_new_ones() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    all_seen(&bridge, &mut pair, "1\n2\n3\n4\n5\n").await;
    let mut client = bridge.client("/?history=2").await;
    pair.device.write("6\n").await;
    for line in ["4", "5", "6"] {
        assert_eq!(client.text().await, line);
    }
}

#[tokio::test]
async fn without_asking_there_is_no_history() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    all_seen(&bridge, &mut pair, "1\n2\n").await;
    let mut lines = bridge.client("/").await;
    let mut raw = bridge.client("/?view=raw").await;
    pair.device.write("3\n").await;
    assert_eq!(lines.text().await, "3");
    assert_eq!(raw.bytes_of(2).await, b"3\n");
}

#[tokio::test]
async fn history_counts_bytes_where_there_are_no_lines() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    all_seen(&bridge, &mut pair, "0123456789").await;
    let mut raw = bridge.client("/?view=raw&history=4").await;
    let mut text = bridge.client("/?view=text&history=4").await;
    let mut chunks = bridge.client("/?view=json&data=chunks&history=4").await;
    pair.device.write("!").await;
    assert_eq!(raw.bytes_of(5).await, b"6789!");
    assert_eq!(text.text_of(5).await, "6789!");
    chunks.json_of("hello").await;
    // "6789" in base64.
    assert_eq!(chunks.json_of("data").await["bytes"], "Njc4OQ==");
}

#[tokio::test]
async fn more_history_than_there_is_gives_what_there_is() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    all_seen(&bridge, &mut pair, "a\nb\n").await;
    let mut client = bridge.client("/?view=json&history=1000").await;
    client.json_of("hello").await;
    // The first line is the one that brought the test and the bridge into step.
    for text in ["", "a", "b"] {
        assert_eq!(client.json_of("line").await["text"], text);
    }
}

#[tokio::test]
async fn history_0_keeps_nothing() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &["--history", "0"]).await;
    all_seen(&bridge, &mut pair, "1\n2\n").await;
    let mut client = bridge.client("/?history=10").await;
    pair.device.write("3\n").await;
    assert_eq!(client.text().await, "3");
}

#[tokio::test]
async fn a_client_that_comes_back_goes_on_exactly_where_it_was() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut client = bridge.client("/?view=json").await;
    let hello = client.json_of("hello").await;
    pair.device.write("1\n2\n3\n").await;
    client.json_of("line").await;
    let second = client.json_of("line").await;
    client.leave().await;
    all_seen(&bridge, &mut pair, "4\n").await;

    let mut client = bridge.client(&since(&hello, &second["seq"])).await;
    let again = client.json_of("hello").await;
    assert_eq!(again["run"], hello["run"]);
    pair.device.write("5\n").await;
    let mut seq = second["seq"].as_u64().expect("seq is a number");
    for text in ["3", "4", "5"] {
        let line = client.json_of("line").await;
        seq += 1;
        assert_eq!(line["text"], text);
        assert_eq!(line["seq"], seq, "{line}");
    }
}

#[tokio::test]
async fn a_client_that_comes_back_too_late_is_told_exactly_what_it_missed() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &["--history", "4000"]).await;
    let mut client = bridge.client("/?view=json").await;
    let hello = client.json_of("hello").await;
    pair.device.write("first\n").await;
    let first = client.json_of("line").await["seq"]
        .as_u64()
        .expect("seq is a number");
    client.leave().await;
    // Some 30,000 bytes, of which at most 4,000 are kept.
    for hundred in 0..10 {
        let lines: String = (0..100)
            .map(|n| format!("{:030}\n", hundred * 100 + n))
            .collect();
        all_seen(&bridge, &mut pair, &lines).await;
    }

    let mut client = bridge.client(&since(&hello, &Value::from(first))).await;
    client.json_of("hello").await;
    let missed = client.json_of("missed").await;
    let lines = missed["lines"]
        .as_u64()
        .expect("missed has a number of lines");
    assert!((800..=1000).contains(&lines), "{missed}");
    assert_eq!(client.json().await["type"], "status");
    pair.device.write("last\n").await;
    let mut seq = first + lines;
    loop {
        let line = client.json_of("line").await;
        seq += 1;
        assert_eq!(line["seq"], seq, "{line} after {missed}");
        if line["text"] == "last" {
            break;
        }
    }
    assert_eq!(seq, first + 1001);
}

#[tokio::test]
async fn a_client_of_an_earlier_run_begins_with_missed() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut client = bridge.client("/?view=json&since=anotherrun:5").await;
    client.json_of("hello").await;
    client.json_of("missed").await;
    pair.device.write("now\n").await;
    assert_eq!(last_line(&mut client, "now").await["text"], "now");
}

#[tokio::test]
async fn every_start_of_the_program_is_another_run() {
    let mut pair = Pair::open().await;
    let mut runs = Vec::new();
    for _ in 0..2 {
        let bridge = Bridge::on(&mut pair, &[]).await;
        let mut client = bridge.client("/?view=json").await;
        runs.push(client.json_of("hello").await["run"].clone());
    }
    assert_ne!(runs[0], runs[1]);
}

#[tokio::test]
async fn a_client_of_the_latest_gets_few_messages_and_always_the_newest() {
    const PER_SECOND: u32 = 10;
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut client = bridge.client(&format!("/?latest={PER_SECOND}")).await;
    let mut witness = bridge.client("/?view=raw").await;
    let started = Instant::now();
    for n in 0..500 {
        all_seen_by(&mut witness, &mut pair, &format!("{n}\n")).await;
    }
    all_seen_by(&mut witness, &mut pair, "newest\n").await;
    let mut messages = 1;
    let mut before = -1;
    loop {
        let text = client.text().await;
        if text == "newest" {
            break;
        }
        let number: i32 = text.parse().expect("it is one of the lines");
        assert!(number > before, "{number} after {before}");
        before = number;
        messages += 1;
    }
    let most = (started.elapsed() + Duration::from_secs(1)).as_secs_f64() * f64::from(PER_SECOND);
    assert!(
        f64::from(messages) <= most,
        "{messages} messages in {:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn a_client_of_the_latest_gets_a_single_line_without_waiting_for_another() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut client = bridge.client("/?latest=1").await;
    pair.device.write("only\n").await;
    assert_eq!(client.text().await, "only");
}

#[cfg(unix)] // a pty can be unplugged
#[tokio::test]
async fn after_a_loss_in_a_line_history_and_latest_still_give_the_newest_line() {
    if !Pair::are_ours() {
        return crate::support::skip("a serial pair from outside cannot be unplugged");
    }
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut latest = Vec::new();
    for query in ["latest=1", "latest=20", "latest=1000", "view=json&latest=2"] {
        latest.push(bridge.client(&format!("/?{query}")).await);
    }
    let mut witness = bridge.client("/?view=raw").await;
    for text in ["UP\n", "DOWN\nfrag", "ment\nSTOP\nfrag"] {
        all_seen_by(&mut witness, &mut pair, text).await;
    }
    pair.unplug();
    bridge.state("board", "lost").await;
    // The next loss comes in another line.
    pair.plug_in();
    bridge.open("board").await;
    all_seen_by(&mut witness, &mut pair, "again").await;
    pair.unplug();
    bridge.state("board", "lost").await;

    for client in &mut latest[..3] {
        while client.text().await != "STOP" {}
    }
    latest[3].json_of("hello").await;
    last_line(&mut latest[3], "STOP").await;
    for (count, expected) in [(1, &["STOP"][..]), (2, &["fragment", "STOP"])] {
        let mut late = bridge.client(&format!("/?history={count}")).await;
        for line in expected {
            assert_eq!(late.text().await, *line, "history={count}");
        }
    }
    // In json, a part of a line is delivered, and counts.
    let mut late = bridge.client("/?view=json&history=2").await;
    let hello = late.json_of("hello").await;
    for (number, text) in (1..).zip(["frag", "again"]) {
        let line = late.json_of("line").await;
        assert_eq!(
            (&line["text"], &line["partial"]),
            (&text.into(), &true.into())
        );
        assert_eq!(
            line["seq"].as_u64(),
            hello["seq"].as_u64().map(|seq| seq + number)
        );
    }
}

/// Sends `text` from the device and waits until the bridge has passed it on.
async fn all_seen(bridge: &Bridge, pair: &mut Pair, text: &str) {
    all_seen_by(&mut bridge.client("/?view=raw").await, pair, text).await;
}

async fn all_seen_by(witness: &mut Client, pair: &mut Pair, text: &str) {
    pair.device.write(text).await;
    assert_eq!(witness.bytes_of(text.len()).await, text.as_bytes());
}

/// Lines up to the one with `text`.
async fn last_line(client: &mut Client, text: &str) -> Value {
    loop {
        let line = client.json_of("line").await;
        if line["text"] == text {
            return line;
        }
    }
}

/// The target of a client that saw line `seq` of the run of `hello`.
fn since(hello: &Value, seq: &Value) -> String {
    format!(
        "/?view=json&since={}:{seq}",
        hello["run"].as_str().expect("the run is text")
    )
}
