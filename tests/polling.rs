//! `--poll`: a device that speaks only when it is asked, for all who watch.

use std::time::{Duration, Instant};

use serde_json::json;

#[cfg(unix)]
use crate::support::Recordings;
use crate::support::{Bridge, Pair, until};

/// Starts a bridge that polls the device of `pair` every 20 ms, on which nobody watches yet.
async fn polling(pair: &Pair, arguments: &[&str]) -> Bridge {
    let port = format!("board={},poll=A,every=20ms", pair.path);
    let bridge = Bridge::start(&[&["--port", port.as_str()], arguments].concat()).await;
    bridge.open("board").await;
    bridge
}

#[tokio::test]
async fn thirty_pages_get_each_reading_by_one_request() {
    const PAGES: usize = 30;
    const READINGS: u32 = 25;
    let mut pair = Pair::open().await;
    let bridge = polling(&pair, &[]).await;
    let mut pages = Vec::new();
    for _ in 0..PAGES {
        pages.push(bridge.client("/").await);
    }
    let begin = Instant::now();
    for reading in 1..=READINGS {
        pair.device.expect("A").await;
        pair.device.write(format!("{reading}\r\n")).await;
        for page in &mut pages {
            assert_eq!(page.text().await, reading.to_string());
        }
    }
    // The first was sent before, and the second follows its reply.
    let least = Duration::from_millis(20) * (READINGS - 3);
    assert!(begin.elapsed() >= least, "{:?}", begin.elapsed());
    let port = bridge.port("board").await;
    assert_eq!(port["settings"]["poll"], "A", "{port}");
    assert_eq!(port["settings"]["every"], 20.0, "{port}");
    let polls = port["counters"]["polls"].as_u64().expect("a number");
    // The next one may be on its way.
    assert!(polls - u64::from(READINGS) <= 1, "{port}");
}

#[cfg(unix)] // a pty can be unplugged
#[tokio::test]
async fn polls_go_on_when_a_lost_device_is_back() {
    if !Pair::are_ours() {
        return;
    }
    let mut pair = Pair::open().await;
    let bridge = polling(&pair, &[]).await;
    let mut page = bridge.json_client().await;
    pair.device.expect("A").await;
    pair.unplug();
    while page.json_of("status").await["state"] != "lost" {}
    pair.plug_in();
    while page.json_of("status").await["state"] != "open" {}
    for reading in ["1", "2"] {
        pair.device.expect("A").await;
        pair.device.write(format!("{reading}\n")).await;
        assert_eq!(page.json_of("line").await["text"], reading);
    }
}

#[tokio::test]
async fn only_who_may_not_write_is_needed_for_polls() {
    let mut pair = Pair::open().await;
    let bridge = polling(&pair, &["--read-only"]).await;
    let mut page = bridge.client("/?view=json&writes").await;
    page.json_of("hello").await;
    pair.device.expect("A").await;
    pair.device.write("42\n").await;
    assert_eq!(page.json_of("line").await["text"], "42");
    page.refused(json!({"type": "write", "text": "x"})).await;
    pair.device.expect("A").await;
}

#[tokio::test]
async fn polls_pause_while_nobody_watches_and_while_a_client_has_the_write_lock() {
    let mut pair = Pair::open().await;
    let bridge = polling(&pair, &[]).await;
    let mut page = bridge.json_client().await;
    pair.device.expect("A").await;
    pair.device.write("1\n").await;
    page.json_of("line").await;
    pair.device.expect("A").await;
    page.acked(json!({"type": "lock"})).await;
    for byte in ["x", "y"] {
        page.acked(json!({"type": "write", "text": byte})).await;
        pair.device.expect(byte).await;
    }
    page.acked(json!({"type": "unlock"})).await;
    pair.device.expect("A").await;
    page.leave().await;
    until("the page to be gone", async || {
        (bridge.port("board").await["clients"] == 0).then_some(())
    })
    .await;
    pair.device.write("2\n").await;
    let counted = bridge.port("board").await["counters"]["polls"].clone();
    let mut page = bridge.json_client().await;
    pair.device.expect("A").await;
    assert_eq!(counted, 3, "before the page came back");
    pair.device.write("3\n").await;
    assert_eq!(page.json_of("line").await["text"], "3");
}

#[cfg(unix)]
#[tokio::test]
async fn a_recording_counts_as_somebody_who_watches() {
    let mut pair = Pair::open().await;
    let folder = Recordings::new();
    let _bridge = polling(&pair, &["--record", folder.path()]).await;
    for _ in 0..3 {
        pair.device.expect("A").await;
        pair.device.write("1\n").await;
    }
}

#[tokio::test]
async fn a_poll_has_escapes_and_the_line_ending_of_the_port() {
    let mut pair = Pair::open().await;
    let port = format!(r"board={},poll=\x01\tR,append=crlf", pair.path);
    let bridge = Bridge::start(&["--port", &port]).await;
    bridge.open("board").await;
    let mut page = bridge.client("/?view=json&writes").await;
    page.json_of("hello").await;
    pair.device.expect("\x01\tR\r\n").await;
    let written = page.json_of("written").await;
    assert_eq!(written["client"], 0, "{written}");
    let settings = &bridge.port("board").await["settings"];
    assert_eq!(settings["poll"], r"\x01\tR\r\n", "{settings}");
}
