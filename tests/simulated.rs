//! Devices that need no board, and the echo that needs no device.

use crate::support::{Bridge, Client, RawSocket, http};

#[tokio::test]
async fn sim_sends_lines_of_numbers_with_commas_fifty_a_second() {
    let bridge = Bridge::start(&["--port", "sim"]).await;
    let mut client = bridge.client("/?view=json").await;
    client.json_of("hello").await;
    let mut lines = Vec::new();
    for _ in 0..26 {
        lines.push(client.json_of("line").await);
    }
    for line in &lines {
        let text = line["text"].as_str().expect("a reading is text");
        let values: Vec<&str> = text.split(',').collect();
        assert!(values.len() > 1, "{text}");
        assert!(
            values
                .iter()
                .all(|value| value.trim().parse::<f64>().is_ok()),
            "{text}"
        );
    }
    assert!(
        lines.iter().any(|line| line["text"] != lines[0]["text"]),
        "the readings stand still"
    );
    let time = |line: &serde_json::Value| line["t"].as_f64().expect("t is a number");
    let took = time(&lines[25]) - time(&lines[0]);
    assert!(
        (0.4..2.0).contains(&took),
        "25 readings took {took} s, not half a second"
    );
}

#[tokio::test]
async fn a_rate_that_a_client_chose_is_found_anew_when_a_client_asks_for_it() {
    let bridge = Bridge::start(&["--port", "sim:uart:57600"]).await;
    let mut client = bridge.client("/?view=json").await;
    let hello = client.json_of("hello").await;
    let settings = &hello["port"]["settings"];
    assert_eq!(settings["baudAuto"], true, "{hello}");
    assert_eq!(
        settings["fixed"],
        serde_json::Value::Null,
        "nothing is fixed"
    );
    client
        .send(r#"{"type":"settings","baud":300,"id":1}"#)
        .await;
    let chosen = status_with(&mut client, |settings| settings["baud"] == 300).await;
    assert_eq!(chosen["baudAuto"], serde_json::Value::Null, "{chosen}");
    let path = "/api/ports/sim-uart-57600/settings?baud=auto";
    let answer = http(bridge.address(), "POST", path, &[]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let found = status_with(&mut client, |settings| settings["baudDetected"] == true).await;
    assert_eq!(found["baud"], 57_600, "{found}");
    assert_eq!(found["baudAuto"], true, "{found}");
}

/// Waits for a status whose settings are as wanted, among lines and other messages.
async fn status_with(
    client: &mut Client,
    is_wanted: impl Fn(&serde_json::Value) -> bool,
) -> serde_json::Value {
    loop {
        let message = client.text().await;
        let message: serde_json::Value = serde_json::from_str(&message).expect("it is json");
        if message["type"] == "status" && is_wanted(&message["settings"]) {
            return message["settings"].clone();
        }
    }
}

#[tokio::test]
async fn a_board_at_another_rate_is_found_and_answers_at_that_rate() {
    let bridge = Bridge::start(&["--port", "sim:uart:57600"]).await;
    let mut client = bridge.client("/?view=json").await;
    let hello = client.json_of("hello").await;
    let mut status = hello["status"].clone();
    if hello["port"]["settings"]["baudDetected"] != true {
        // Pieces of lines come at the first rate.
        while status["settings"]["baudDetected"] != true {
            status = serde_json::from_str(&client.text().await).expect("it is json");
        }
        assert_eq!(status["settings"]["baud"], 57_600);
    }
    let detail = "sim:uart:57600 is open (simulated, 57600 baud, detected)";
    assert_eq!(status["detail"], detail);
    let message = serde_json::json!({"type": "write", "text": "H", "id": 1});
    client.send(&message.to_string()).await;
    for _ in 0..200 {
        let message = client.text().await;
        let message: serde_json::Value = serde_json::from_str(&message).expect("it is json");
        let Some(text) = message["text"].as_str() else {
            continue;
        };
        if text == "led:255" {
            return;
        }
        assert_eq!(text.split(',').count(), 3, "{text}");
    }
    panic!("the board did not answer");
}

#[tokio::test]
async fn a_given_rate_is_kept_and_shows_what_a_real_line_would() {
    let bridge = Bridge::start(&["--port", "sim:uart:57600", "--baud", "9600", "--raw"]).await;
    let mut client = bridge.client("/").await;
    let mut bytes = Vec::new();
    while bytes.len() < 60 {
        bytes.extend(client.bytes().await);
    }
    let strange = bytes.iter().filter(|byte| !byte.is_ascii_graphic()).count();
    assert!(strange > 10, "{:?}", bytes.escape_ascii().to_string());
}

#[tokio::test]
async fn sim_raw_sends_readings_of_one_byte() {
    let bridge = Bridge::start(&["--port", "sim:raw", "--raw"]).await;
    let mut client = bridge.client("/").await;
    let mut readings = Vec::new();
    while readings.len() < 20 {
        readings.extend(client.bytes().await);
    }
    assert!(
        readings.iter().any(|reading| *reading != readings[0]),
        "the readings stand still"
    );
}

#[tokio::test]
async fn sim_call_says_hello_until_spoken_to_and_then_answers_each_byte() {
    let bridge = Bridge::start(&["--port", "sim:call"]).await;
    let mut client = bridge.client("/").await;
    assert_eq!(client.text().await, "hello");
    assert_eq!(client.text().await, "hello");
    client.send("x").await;
    let mut answer = client.text().await;
    while answer == "hello" {
        answer = client.text().await;
    }
    assert!(answer.split(',').count() > 1, "{answer}");
    client.send("xxx").await;
    for _ in 0..3 {
        let answer = client.text().await;
        assert!(answer.split(',').count() > 1, "{answer}");
    }
}

#[tokio::test]
async fn loop_lets_its_clients_talk_to_each_other() {
    let bridge = Bridge::start(&["--port", "room=loop"]).await;
    bridge.open("room").await;
    let mut one = bridge.client("/?append=lf").await;
    let mut two = bridge.client("/ports/room").await;
    one.send("anyone there?").await;
    assert_eq!(one.text().await, "anyone there?");
    assert_eq!(two.text().await, "anyone there?");
    two.send("yes\n").await;
    assert_eq!(one.text().await, "yes");
    let mut raw = bridge.client("/?view=raw").await;
    let all: Vec<u8> = (0..=255).collect();
    raw.send_bytes(all.clone()).await;
    assert_eq!(raw.bytes_of(256).await, all);
}

#[tokio::test]
async fn several_simulated_devices_run_side_by_side() {
    let bridge = Bridge::start(&[
        "--port",
        "a=sim",
        "--port",
        "b=sim:raw,raw",
        "--port",
        "c=sim:call",
    ])
    .await;
    bridge.client("/ports/a").await.text().await;
    bridge.client("/ports/b").await.bytes().await;
    assert_eq!(bridge.client("/ports/c").await.text().await, "hello");
}

#[tokio::test]
async fn an_unknown_simulated_device_is_answered_with_the_nearest_one() {
    let ended = Bridge::fail(&["--port", "sim:volcano"]).await;
    ended.with(2, "unknown simulated device `sim:volcano`");
    let ended = Bridge::fail(&["--port", "sim:butto"]).await;
    ended.with(2, "did you mean `sim:button`?");
    let ended = Bridge::fail(&["--port", "sim:uart:fast"]).await;
    ended.with(2, "sim:uart:fast: expected a rate");
}

#[tokio::test]
async fn echo_returns_every_message_as_it_came() {
    let bridge = Bridge::start(&["--port", "sim"]).await;
    let mut client = bridge.client("/echo").await;
    client.send("Hello").await;
    assert_eq!(client.text().await, "Hello");
    client.send("").await;
    assert_eq!(client.text().await, "");
    let all: Vec<u8> = (0..=255).collect();
    client.send_bytes(all.clone()).await;
    assert_eq!(client.bytes().await, all);
}

#[tokio::test]
async fn a_wifi_board_and_a_page_hear_each_other_in_a_room() {
    const TOKEN: &str = "correct-horse-battery";
    const MASK: [u8; 4] = [7, 9, 11, 13];
    let name = format!("serial-ws-room-{}", std::process::id());
    let file = std::env::temp_dir().join(name);
    std::fs::write(&file, TOKEN).expect("a token can be kept");
    let bridge = Bridge::start(&[
        "--port",
        "room=loop,lines,append=lf",
        "--token",
        file.to_str().expect("the path is text"),
    ])
    .await;
    let target = format!("/?token={TOKEN}");
    let mut page = Client::open(bridge.address(), &target, &[]).await;
    // As ArduinoHttpClient does: no origin, and header, mask and payload written one by one.
    let mut board = RawSocket::open(bridge.address(), &target).await;
    for number in ["51", "204"] {
        board.write(&[0x81, 0x80 | number.len() as u8]).await;
        board.write(&MASK).await;
        let masked = number.bytes().zip(MASK.iter().cycle());
        for (byte, mask) in masked {
            board.write(&[byte ^ mask]).await;
        }
        assert_eq!(page.text().await, number);
        assert_eq!(board.text().await, number, "it hears itself");
    }
    page.send("128").await;
    assert_eq!(board.text().await, "128");
    let _ = std::fs::remove_file(file);
}
