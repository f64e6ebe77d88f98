//! The first lines after an opening or a restart, and the first writes: what a page that has just
//! been let at a board gets from it.

use serde_json::{Value, json};

use crate::support::{Bridge, Client, Pair, http, is_for_windows, skip};

#[tokio::test]
async fn the_answer_to_the_first_question_is_whole_after_start_and_after_every_lease() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::start(&["--port", &format!("board={}", pair.path)]).await;
    bridge.open("board").await;
    let mut page = bridge.client("/").await;
    ask(&mut page, &mut pair).await;
    for _ in 0..3 {
        post(&bridge, "release").await;
        post(&bridge, "resume").await;
        bridge.open("board").await;
        ask(&mut page, &mut pair).await;
    }
    let mut borrower = bridge.json_client().await;
    borrower
        .send_json(json!({"type": "release", "while": "connected", "id": 1}))
        .await;
    borrower.json_of("ack").await;
    borrower.leave().await;
    bridge.open("board").await;
    ask(&mut page, &mut pair).await;
}

#[tokio::test]
async fn the_answer_to_the_first_question_is_whole_when_a_busy_port_comes_free() {
    if !Pair::are_ours() || is_for_windows() {
        return skip("wine and a serial pair from outside let two programs open a port");
    }
    let mut pair = Pair::open().await;
    let port = format!("board={}", pair.path);
    let first = Bridge::start(&["--port", &port]).await;
    first.open("board").await;
    let second = Bridge::start(&["--port", &port]).await;
    second.state("board", "busy").await;
    let mut page = second.client("/").await;
    drop(first);
    second.open("board").await;
    ask(&mut page, &mut pair).await;
}

#[tokio::test]
#[cfg(unix)] // a pty can be hidden
async fn the_answer_to_the_first_question_is_whole_when_a_device_comes() {
    let Some((mut pair, bridge)) = absent().await else {
        return;
    };
    let mut page = bridge.client("/").await;
    pair.show();
    bridge.open("board").await;
    ask(&mut page, &mut pair).await;
}

#[tokio::test]
#[cfg(unix)] // a pty can be hidden
async fn what_waits_when_a_device_comes_may_be_half_a_line() {
    let Some((mut pair, bridge)) = absent().await else {
        return;
    };
    let (mut page, mut watcher) = (bridge.client("/").await, bridge.json_client().await);
    // A board with its own power talks on while its adapter is plugged in.
    pair.device.write("23\n1023\n10").await;
    pair.show();
    lines_are(&mut watcher, &[("23", true), ("1023", false)]).await;
    pair.device.write("23\n").await;
    lines_are(&mut watcher, &[("1023", false)]).await;
    for _ in 0..2 {
        assert_eq!(page.text().await, "1023");
    }
}

#[tokio::test]
async fn what_comes_after_a_break_does_not_join_what_came_before() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let (mut page, mut control) = (bridge.client("/").await, bridge.json_client().await);
    let mut chunks = bridge.client("/?view=json&data=chunks").await;
    chunks.json_of("hello").await;
    for (begun, next) in [
        ("5", "Ready"),
        ("temp: 2", "boot"),
        ("{\"a\":", "{\"a\":1}"),
    ] {
        pair.device.write(begun).await;
        chunks.json_of("data").await;
        control
            .send_json(json!({"type": "break", "ms": 20, "id": 1}))
            .await;
        lines_are(&mut control, &[(begun, true)]).await;
        control.json_of("ack").await;
        pair.device.write(format!("{next}\r\n")).await;
        chunks.json_of("data").await;
        lines_are(&mut control, &[(next, false)]).await;
        assert_eq!(page.text().await, next);
    }
}

#[tokio::test]
async fn a_reset_that_is_not_possible_cuts_no_line() {
    if !Pair::are_ours() {
        return skip("a serial pair from outside may have modem lines");
    }
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let (mut page, mut control) = (bridge.client("/").await, bridge.json_client().await);
    for request in [
        json!({"type": "reset", "id": 1}),
        json!({"type": "signals", "dtr": true, "rts": true, "id": 1}),
    ] {
        pair.device.write("51").await;
        control.send_json(request).await;
        control.json_of("error").await;
        pair.device.write("2\n").await;
        lines_are(&mut control, &[("512", false)]).await;
        assert_eq!(page.text().await, "512");
    }
    assert_eq!(
        http(bridge.address(), "POST", "/api/ports/board/reset", &[])
            .await
            .status,
        409
    );
    pair.device.write("513\n").await;
    assert_eq!(page.text().await, "513");
}

#[tokio::test]
async fn a_held_write_goes_out_when_the_board_has_spoken_and_listens() {
    const BOOT_LOG: &str = "ESP-ROM:esp32s3-20210327\r\nBuild:Mar 27 2021\r\nentry 0x403c98d8\r\n";
    for speech in [
        "ready\r\n",
        "> ",
        "1\n2\n",
        &format!("{BOOT_LOG}MicroPython v1.24\r\nType \"help()\"\r\n>>> "),
    ] {
        let mut pair = Pair::open().await;
        let port = format!("board={}", pair.path);
        let bridge = Bridge::start(&["--port", &port, "--settle", "1h"]).await;
        bridge.open("board").await;
        let mut page = bridge.client("/").await;
        page.send("AT\n").await;
        pair.device.write(speech).await;
        pair.device.expect("AT\n").await;
    }
}

/// Asks the board something, and lets it answer.
async fn ask(page: &mut Client, pair: &mut Pair) {
    page.send("?\n").await;
    pair.device.expect("?\n").await;
    pair.device.write("T:23.5\r\n").await;
    assert_eq!(page.text().await, "T:23.5");
}

async fn post(bridge: &Bridge, what: &str) {
    let path = format!("/api/ports/board/{what}");
    let reply = http(bridge.address(), "POST", &path, &[]).await;
    assert_eq!(reply.status, 200, "{reply:?}");
}

/// Checks the texts of the next lines, and which are partial.
async fn lines_are(client: &mut Client, expected: &[(&str, bool)]) {
    for (text, is_partial) in expected {
        let line = client.json_of("line").await;
        let partial = line
            .get("partial")
            .is_some_and(|it| *it == Value::Bool(true));
        assert_eq!((&line["text"], partial), (&json!(text), *is_partial));
    }
}

/// A bridge that waits for a device.
#[cfg(unix)]
async fn absent() -> Option<(Pair, Bridge)> {
    if !Pair::are_ours() {
        skip("a serial pair from outside cannot be unplugged");
        return None;
    }
    let pair = Pair::open().await;
    pair.hide();
    let bridge = Bridge::start(&["--port", &format!("board={}", pair.path)]).await;
    bridge.state("board", "waiting").await;
    Some((pair, bridge))
}
