//! A device that goes and comes back, and one that does not read: what its clients notice.

use serde_json::json;

use crate::support::{Bridge, Client, Pair, skip};

#[tokio::test]
async fn a_device_that_returns_is_used_again_without_anyone_doing_anything() {
    let Some((mut pair, bridge)) = bridge().await else {
        return;
    };
    let mut watcher = json_client(&bridge).await;
    let mut page = bridge.client("/").await;
    for _ in 0..3 {
        pair.device.write("1\n").await;
        assert_eq!(page.text().await, "1");
        assert_eq!(watcher.json_of("line").await["text"], "1");
        pair.unplug();
        state(&mut watcher, "lost").await;

        pair.plug_in();
        state(&mut watcher, "open").await;
        pair.device.write("2\n").await;
        assert_eq!(page.text().await, "2", "the first line is whole");
        assert_eq!(watcher.json_of("line").await["text"], "2");
        page.send("hello").await;
        pair.device.expect("hello").await;
    }
    let counters = &bridge.port("board").await["counters"];
    assert_eq!(counters["reconnects"], 3, "{counters}");
}

#[tokio::test]
async fn a_port_whose_name_vanishes_goes_on_as_long_as_the_device_does() {
    let Some((mut pair, bridge)) = bridge().await else {
        return;
    };
    let mut page = bridge.client("/").await;
    pair.hide();
    pair.device.write("still here\n").await;
    assert_eq!(page.text().await, "still here");
    pair.show();
    pair.device.write("and now\n").await;
    assert_eq!(page.text().await, "and now");
    assert_eq!(bridge.port("board").await["counters"]["opened"], 1);
}

#[tokio::test]
async fn a_line_cut_by_the_loss_is_marked_and_not_shown_as_a_line() {
    let Some((mut pair, bridge)) = bridge().await else {
        return;
    };
    let mut watcher = json_client(&bridge).await;
    let mut chunks = json_client_of(&bridge, "/?view=json&data=chunks").await;
    let mut page = bridge.client("/").await;
    pair.device.write("hal").await;
    // Only what has been read is not lost with the device.
    assert_eq!(chunks.json_of("data").await["bytes"], "aGFs");
    pair.unplug();
    let cut = watcher.json_of("line").await;
    assert_eq!(
        (&cut["text"], &cut["partial"]),
        (&json!("hal"), &json!(true))
    );
    pair.plug_in();
    bridge.open("board").await;
    pair.device.write("whole\n").await;
    assert_eq!(page.text().await, "whole");
}

#[tokio::test]
async fn a_write_cut_by_the_loss_is_reported_and_nothing_is_sent_again() {
    const LARGE: usize = 60_000;
    let Some((mut pair, bridge)) = bridge().await else {
        return;
    };
    let mut client = json_client(&bridge).await;
    let large = "x".repeat(LARGE);
    client
        .send_json(json!({"type": "write", "text": "first", "id": 0}))
        .await;
    client.json_of("ack").await;
    pair.device.expect("first").await;
    client
        .send_json(json!({"type": "write", "text": large, "id": 1}))
        .await;
    client
        .send_json(json!({"type": "write", "text": "left!", "id": 2}))
        .await;
    // The device reads a little, and no more.
    pair.device.take(100).await;
    pair.unplug();
    let cut = client.json_of("error").await;
    assert_eq!(cut["id"], 1, "{cut}");
    let written = cut["bytes"].as_u64().expect("the bytes are counted") as usize;
    assert!((100..LARGE).contains(&written), "{cut}");
    let reason = cut["error"].as_str().expect("there is a reason");
    assert!(reason.contains(&format!("{written} of {LARGE}")), "{cut}");
    let refused = client.json_of("error").await;
    assert_eq!(refused["id"], 2, "{refused}");
    assert_eq!(refused.get("bytes"), None, "{refused}");

    client
        .send_json(json!({"type": "write", "text": "away!", "id": 3}))
        .await;
    assert_eq!(client.json_of("error").await["id"], 3);
    pair.plug_in();
    bridge.open("board").await;
    client
        .send_json(json!({"type": "write", "text": "again", "id": 4}))
        .await;
    assert_eq!(client.json_of("ack").await["id"], 4);
    pair.device.expect("again").await;
}

#[tokio::test]
async fn waiting_for_a_device_costs_next_to_nothing() {
    let Some((mut pair, bridge)) = bridge().await else {
        return;
    };
    pair.unplug();
    bridge.state("board", "lost").await;
    if bridge.program.rests(0.01).await.is_none() {
        skip("the processor time of the program cannot be known here");
    }
}

#[tokio::test]
async fn a_device_that_does_not_read_is_read_from_all_the_same() {
    const LINES: usize = 20_000;
    let Some((mut pair, bridge)) = bridge().await else {
        return;
    };
    let mut writer = json_client(&bridge).await;
    for id in 0..3 {
        let text = "w".repeat(30_000);
        writer
            .send_json(json!({"type": "write", "text": text, "id": id}))
            .await;
    }
    let answer = writer.json_of("error").await;
    assert!(
        answer["error"]
            .as_str()
            .is_some_and(|error| error.contains("may wait")),
        "{answer}"
    );
    let mut page = bridge.client("/?view=raw").await;
    let lines: String = (0..LINES).map(|number| format!("{number}\n")).collect();
    let sent = lines.clone();
    let device = tokio::spawn(async move {
        pair.device.write(sent).await;
        pair
    });
    assert!(page.bytes_of(lines.len()).await == lines.as_bytes());
    device.await.expect("the device can send");
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_refused_with_the_arithmetic() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut client = json_client(&bridge).await;
    let text = "x".repeat(100_000);
    client
        .send_json(json!({"type": "write", "text": text, "id": 1}))
        .await;
    let refused = client.json_of("error").await;
    let reason = "100000 bytes take 104 s at 9600 baud; such a write may have at most 65536";
    assert_eq!(refused, json!({"type": "error", "error": reason, "id": 1}));
}

/// A bridge on a device that can be unplugged.
async fn bridge() -> Option<(Pair, Bridge)> {
    if !Pair::are_ours() {
        skip("a serial pair from outside cannot be unplugged");
        return None;
    }
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    pair.let_go();
    Some((pair, bridge))
}

async fn json_client(bridge: &Bridge) -> Client {
    json_client_of(bridge, "/?view=json").await
}

async fn json_client_of(bridge: &Bridge, target: &str) -> Client {
    let mut client = bridge.client(target).await;
    client.json_of("hello").await;
    client
}

/// Waits for the status that says so.
async fn state(client: &mut Client, state: &str) {
    while client.json_of("status").await["state"] != state {}
}
