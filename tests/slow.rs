//! Clients that do not keep up: they lose the oldest, are told how much, and delay nobody.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde_json::Value;
use tokio::task::JoinSet;

use crate::support::{Bridge, Client, Pair};

/// Lines sent at once, after which the client that keeps up has its turn.
const BATCH: u64 = 2000;

#[tokio::test]
async fn a_client_that_never_reads_costs_the_others_nothing_and_learns_what_it_missed() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut slow = Client::open_narrow(bridge.address(), "/?view=json").await;
    let mut fast = bridge.client("/?view=json").await;
    let first = fast.json_of("hello").await["seq"]
        .as_u64()
        .expect("seq is a number")
        + 1;
    // Some 4 MB, four times what a client may be behind.
    let last = first + 40 * BATCH;
    for batch in 0..40 {
        send_batch(&mut pair, &mut fast, first + batch * BATCH).await;
    }
    pair.device.write(format!("{}\n", line(last))).await;

    slow.json_of("hello").await;
    let (mut next, mut told) = (first, 0);
    loop {
        let object = slow.json().await;
        match object["type"].as_str() {
            Some("line") => {
                assert_eq!(object["seq"], next, "a gap that was not announced");
                assert_eq!(object["text"], line(next), "{object}");
                next += 1;
                if next > last {
                    break;
                }
            }
            Some("missed") => {
                let lines = object["lines"]
                    .as_u64()
                    .expect("missed has a number of lines");
                next += lines;
                told += lines;
                assert_eq!(
                    slow.json().await["type"],
                    "status",
                    "status now follows missed"
                );
            }
            _ => assert_eq!(object["type"], "status", "{object}"),
        }
    }
    assert!(
        told > 0,
        "a client that did not read 4 MB must have missed some"
    );
    let metrics = bridge.get("/metrics").await.body;
    let counted = format!("serial_ws_missed_lines_total{{port=\"board\"}} {told}\n");
    assert!(metrics.contains(&counted), "{counted}is not in {metrics}");
}

#[tokio::test]
#[ignore = "it takes a minute: tests/run --long"]
async fn a_client_that_takes_nothing_for_40_s_is_closed_and_a_slow_one_stays() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut slow = Client::open_narrow(bridge.address(), "/").await;
    let hung = Client::open_narrow(bridge.address(), "/").await;
    let start = Instant::now();
    let closing = async {
        // What both systems buffer is soon full.
        for line in 0.. {
            pair.device.write(format!("{line:01000}\n")).await;
            // Far slower than the device, and yet it takes something.
            if line % 4 == 0 {
                slow.text().await;
            }
            if line % 64 == 0 && bridge.get("/api/status").await.json()["clients"] == 1 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let closed = tokio::time::timeout(Duration::from_secs(120), closing).await;
    assert!(closed.is_ok(), "it keeps its place");
    assert!(start.elapsed() >= Duration::from_secs(40), "closed early");
    drop(hung);
    pair.device.write("newest\n").await;
    while slow.text().await != "newest" {}
}

#[tokio::test]
async fn a_slow_client_of_any_view_gets_the_newest_in_the_end() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut lines = Client::open_narrow(bridge.address(), "/?view=lines").await;
    let mut raw = Client::open_narrow(bridge.address(), "/?view=raw").await;
    let mut fast = bridge.client("/?view=json").await;
    let first = fast.json_of("hello").await["seq"]
        .as_u64()
        .expect("seq is a number")
        + 1;
    for batch in 0..40 {
        send_batch(&mut pair, &mut fast, first + batch * BATCH).await;
    }
    pair.device.write("newest\n").await;

    let mut count = 0;
    loop {
        let text = lines.text().await;
        if text == "newest" {
            break;
        }
        assert_eq!(
            text.len(),
            WIDTH,
            "a piece of a line passed as a line: {text:?}"
        );
        count += 1;
    }
    assert!(
        count < 40 * BATCH,
        "the slow client cannot have got everything"
    );
    let mut tail = Vec::new();
    while !tail.ends_with(b"\nnewest\n") {
        tail.extend(raw.bytes().await);
    }
    assert!(
        tail.len() < 40 * BATCH as usize * (WIDTH + 1),
        "nor can the raw one"
    );
}

#[tokio::test]
async fn a_slow_client_of_chunks_learns_how_many_bytes_it_missed() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut slow = Client::open_narrow(bridge.address(), "/?view=json&data=chunks").await;
    let mut fast = bridge.client("/?view=json").await;
    let first = fast.json_of("hello").await["seq"]
        .as_u64()
        .expect("seq is a number")
        + 1;
    for batch in 0..40 {
        send_batch(&mut pair, &mut fast, first + batch * BATCH).await;
    }
    pair.device.write("!").await;

    let mut next = slow.json_of("hello").await["offset"].as_u64();
    let mut told = 0;
    loop {
        let object = slow.json().await;
        match object["type"].as_str() {
            Some("data") => {
                let offset = object["offset"].as_u64().expect("offset is a number");
                assert_eq!(
                    offset,
                    next.unwrap_or(offset),
                    "a gap that was not announced"
                );
                let bytes = BASE64.decode(object["bytes"].as_str().expect("bytes are text"));
                let bytes = bytes.expect("bytes are base64");
                next = Some(offset + bytes.len() as u64);
                if bytes.ends_with(b"!") {
                    break;
                }
            }
            Some("missed") => {
                let bytes = object["bytes"]
                    .as_u64()
                    .expect("missed has a number of bytes");
                next = next.map(|next| next + bytes);
                told += bytes;
            }
            _ => assert_eq!(object["type"], "status", "{object}"),
        }
    }
    assert!(
        told > 0,
        "a client that did not read 4 MB must have missed some"
    );
}

#[tokio::test]
async fn max_behind_is_how_long_a_client_may_be_late() {
    let late = Duration::from_secs(1);
    for (argument, skips) in [("1s", true), ("60s", false)] {
        let mut pair = Pair::open().await;
        let bridge = Bridge::on(&mut pair, &["--max-behind", argument]).await;
        let mut slow = Client::open_narrow(bridge.address(), "/?view=json").await;
        let mut fast = bridge.client("/?view=json").await;
        let first = fast.json_of("hello").await["seq"]
            .as_u64()
            .expect("seq is a number")
            + 1;
        // More than the system holds for a client that does not read, less than 1 MiB.
        for batch in 0..7 {
            send_batch(&mut pair, &mut fast, first + batch * BATCH).await;
        }
        tokio::time::sleep(late + Duration::from_millis(300)).await;
        pair.device.write("now\n").await;

        slow.json_of("hello").await;
        let mut told = 0;
        loop {
            let object = slow.json().await;
            told += object["lines"].as_u64().unwrap_or(0);
            if object["text"] == "now" {
                break;
            }
        }
        assert_eq!(
            told > 0,
            skips,
            "--max-behind {argument}: {told} lines missed"
        );
    }
}

#[cfg(unix)] // a pty can be unplugged
#[tokio::test]
async fn a_client_too_slow_to_hear_of_the_loss_hears_it_when_it_goes_on() {
    // The client takes all that came of the device before it stalls.
    hears_of_the_loss("/?view=json", "\n".repeat(4000), 1).await;
}

#[cfg(unix)] // a pty can be unplugged
#[tokio::test]
async fn a_slow_client_of_the_latest_hears_of_the_loss_too() {
    let line = "x".repeat(4000) + "\n";
    hears_of_the_loss("/?view=json&latest=1000", line, 200).await;
}

/// The device sends `burst` so often, and is unplugged while the client of `target` reads nothing.
#[cfg(unix)]
async fn hears_of_the_loss(target: &str, burst: String, times: usize) {
    if !Pair::are_ours() {
        return crate::support::skip("a serial pair from outside cannot be unplugged");
    }
    let late = Duration::from_secs(1);
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &["--max-behind", "1s"]).await;
    let mut slow = Client::open_narrow(bridge.address(), target).await;
    let mut fast = bridge.client("/?view=raw").await;
    for _ in 0..times {
        pair.device.write(&burst).await;
        fast.bytes_of(burst.len()).await;
    }
    pair.unplug();
    bridge.state("board", "lost").await;
    tokio::time::sleep(late + Duration::from_millis(300)).await;
    while slow.json().await["state"] != "lost" {}
}

#[tokio::test]
async fn a_flood_reaches_all_clients_that_keep_up_whole_beside_one_that_does_not() {
    const SIZE: usize = 16 * 1024 * 1024;
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let _stalled = Client::open_narrow(bridge.address(), "/?view=raw").await;
    let flood: Arc<[u8]> = (0_u64..)
        .flat_map(|n| line(n).into_bytes())
        .take(SIZE)
        .collect();
    let mut tasks = JoinSet::new();
    for _ in 0..3 {
        let (mut client, flood) = (bridge.client("/?view=raw").await, Arc::clone(&flood));
        tasks.spawn(async move {
            let mut received = 0;
            while received < SIZE {
                let bytes = client.bytes().await;
                assert!(
                    flood[received..].starts_with(&bytes),
                    "a gap or a change after {received} bytes"
                );
                received += bytes.len();
            }
        });
    }
    tokio::join!(pair.device.write(flood), tasks.join_all());
}

/// Sends a batch of lines from `first` on and waits until a client that keeps up has them all.
async fn send_batch(pair: &mut Pair, fast: &mut Client, first: u64) {
    let batch: String = (first..first + BATCH).map(|seq| line(seq) + "\n").collect();
    let device = pair.device.write(batch);
    let client = async {
        for seq in first..first + BATCH {
            let object: Value = fast.json_of("line").await;
            assert_eq!(object["seq"], seq, "the client that keeps up has a gap");
            assert_eq!(object["text"], line(seq), "{object}");
        }
    };
    tokio::join!(device, client);
}

/// The characters of a line.
const WIDTH: usize = 49;

/// The line with number `seq`.
fn line(seq: u64) -> String {
    format!("{seq:0WIDTH$}")
}
