//! From the clients to the device: whole, in order, at most once, and by those who may.

use std::time::Instant;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Value, json};

use crate::support::{Bridge, Pair, until, upgrade};

#[cfg(target_os = "linux")] // other systems may discard what had arrived
#[tokio::test]
async fn what_had_come_of_a_program_that_left_is_written_though_the_device_talks() {
    /// The first waits for the device, the second for room, and the third in the socket.
    const MESSAGES: [(u8, usize); 3] = [(b'a', 40_000), (b'b', 40_000), (b'c', 40_000)];
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut client = bridge.client("/").await;
    let mut witness = bridge.client("/").await;
    for (byte, length) in MESSAGES {
        client.send_bytes(vec![byte; length]).await;
    }
    drop(client);
    for _ in 0..3 {
        // Nothing of this can be sent to the client any more.
        pair.device.write("ok\n").await;
        assert_eq!(witness.text().await, "ok");
    }
    for (byte, length) in MESSAGES {
        assert!(pair.device.take(length).await == vec![byte; length]);
    }
    let counters = &bridge.port("board").await["counters"];
    assert_eq!(counters["refused"], 0, "{counters}");
}

#[tokio::test]
async fn a_text_message_reaches_the_device_as_it_is() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    for view in ["lines", "raw", "text"] {
        let mut client = bridge.client(&format!("/?view={view}")).await;
        client.send("H\n").await;
        client.send("µ").await;
        pair.device.expect("H\nµ").await;
    }
}

#[tokio::test]
async fn every_byte_value_reaches_the_device() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let all: Vec<u8> = (0..=255).chain([0, 0, 0]).collect();
    for view in ["lines", "raw", "text"] {
        let mut client = bridge.client(&format!("/?view={view}")).await;
        client.send_bytes(all.clone()).await;
        pair.device.expect(&all).await;
    }
}

#[tokio::test]
async fn append_ends_the_text_messages_that_lack_it_and_no_others() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    for (name, ending) in [("lf", "\n"), ("crlf", "\r\n"), ("cr", "\r"), ("none", "")] {
        let mut client = bridge.client(&format!("/?append={name}")).await;
        client.send("on").await;
        client.send(format!("off{ending}")).await;
        client.send_bytes("bytes").await;
        pair.device
            .expect(format!("on{ending}off{ending}bytes"))
            .await;
    }
}

#[tokio::test]
async fn append_may_be_the_default_and_a_client_may_differ() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &["--append", "lf"]).await;
    let mut plain = bridge.client("/").await;
    plain.send("1").await;
    pair.device.expect("1\n").await;
    let mut other = bridge.client("/?append=none").await;
    other.send("2").await;
    pair.device.expect("2").await;
}

#[tokio::test]
async fn the_handshake_names_the_ending_that_is_added() {
    let bridge = Bridge::start(&["--port", "sim", "--append", "cr"]).await;
    for (target, expected) in [
        ("/", Some("cr")),
        ("/?view=raw&append=crlf", Some("crlf")),
        ("/?view=text&append=none", Some("none")),
        ("/?view=json", None),
    ] {
        let reply = upgrade(bridge.address(), target, &[]).await;
        assert_eq!(
            reply.header("Serial-Ws-Append"),
            expected,
            "{target}: {reply:?}"
        );
    }
}

#[tokio::test]
async fn a_json_write_is_acknowledged_with_its_id_and_size() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut client = bridge.json_client().await;
    client
        .send_json(json!({"type": "write", "text": "µ\n", "id": 7}))
        .await;
    let ack = client.json_of("ack").await;
    assert_eq!((&ack["id"], &ack["bytes"]), (&json!(7), &json!(3)), "{ack}");
    pair.device.expect("µ\n").await;

    let bytes = BASE64.encode([0, 255, 10]);
    client
        .send_json(json!({"type": "write", "bytes": bytes, "id": "b"}))
        .await;
    let ack = client.json_of("ack").await;
    assert_eq!(
        (&ack["id"], &ack["bytes"]),
        (&json!("b"), &json!(3)),
        "{ack}"
    );
    pair.device.expect([0, 255, 10]).await;
}

#[tokio::test]
async fn json_that_is_not_json_is_answered_and_the_client_stays() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut client = bridge.json_client().await;
    for wrong in ["on", "{\"type\":", "[]", "7"] {
        client.send(wrong).await;
        let error = client.json_of("error").await;
        assert!(
            error["error"].as_str().is_some_and(|text| !text.is_empty()),
            "{error}"
        );
    }
    client.send_json(json!({"type": "write", "id": 1})).await;
    assert_eq!(client.json_of("error").await["id"], 1);
    client
        .send_json(json!({"type": "write", "bytes": "not base64!", "id": 2}))
        .await;
    assert_eq!(client.json_of("error").await["id"], 2);
    client.send_json(json!({"type": "Write", "id": 3})).await;
    let error = client.json_of("error").await;
    let text = error["error"].as_str().expect("an error is a sentence");
    assert!(error["id"] == 3 && text.contains("`write`"), "{error}");
    // Unknown types without an id and unknown fields are of a later version, and are ignored.
    client.send_json(json!({"type": "dance"})).await;
    client
        .send_json(json!({"type": "write", "text": "x", "id": 4, "colour": "blue"}))
        .await;
    assert_eq!(client.json_of("ack").await["id"], 4);
    // Nothing of all that reached the device.
    pair.device.expect("x").await;
}

#[tokio::test]
async fn an_id_comes_back_exactly_as_it_was_written() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut client = bridge.json_client().await;
    for id in [
        "12345678901234567890123",
        "1e2",
        "-0",
        "0.10",
        "null",
        r#"{"b":[1,2],"a":null}"#,
        r#""\u0041""#,
    ] {
        for (kind, request) in [
            ("ack", r#"{"type":"write","text":"x","id":ID}"#),
            ("error", r#"{"type":"write","text":7,"id":ID}"#),
            ("error", r#"{"type":"dance","id":ID}"#),
        ] {
            client.send(request.replace("ID", id)).await;
            let reply = client.text().await;
            let is_kept = reply.contains(&format!(r#""type":"{kind}""#))
                && reply.contains(&format!(r#""id":{id}"#));
            assert!(is_kept, "{id} came back as {reply}");
        }
    }
}

#[tokio::test]
async fn an_id_has_256_bytes_and_more_is_refused() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut client = bridge.json_client().await;
    // With its quotes, the longest that there may be.
    let longest = "x".repeat(254);
    for (text, id) in [
        ("a", json!(longest.clone() + "x")),
        ("b", json!(vec![json!([]); 20_000])),
    ] {
        client
            .send_json(json!({"type": "write", "text": text, "id": id}))
            .await;
        let error = client.json_of("error").await;
        assert!(error["error"].as_str().unwrap().contains("256"), "{error}");
        assert_eq!(error.get("id"), None);
    }
    client
        .send_json(json!({"type": "write", "text": "c", "id": longest}))
        .await;
    assert_eq!(client.json_of("ack").await["id"], longest);
    pair.device.expect("c").await;
}

#[tokio::test]
async fn a_write_that_cannot_go_out_is_refused_with_its_id() {
    let bridge = Bridge::start(&["--port", "board=/nonexistent/serial-ws"]).await;
    let mut client = bridge.client("/?view=json").await;
    assert_ne!(client.json_of("hello").await["status"]["state"], "open");
    client
        .send_json(json!({"type": "write", "text": "x", "id": 1}))
        .await;
    assert_eq!(client.json_of("error").await["id"], 1);
}

#[tokio::test]
async fn messages_of_fifty_writers_arrive_whole_and_in_order() {
    const WRITERS: u8 = 50;
    const MESSAGES: usize = 20;
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let mut client = bridge.client("/?view=raw").await;
        writers.spawn(async move {
            for message in 0..MESSAGES {
                client
                    .send_bytes(signed(writer, length(writer, message)))
                    .await;
            }
            client
        });
    }

    let lengths = |writer| (0..MESSAGES).map(move |message| length(writer, message));
    let total: usize = (0..WRITERS).flat_map(lengths).sum();
    let stream = pair.device.take(total).await;
    let mut received = vec![Vec::new(); usize::from(WRITERS)];
    for message in stream.split_inclusive(|byte| byte & MORE == 0) {
        let writer = message[message.len() - 1];
        assert!(
            message.iter().all(|byte| byte & !MORE == writer),
            "a message of writer {writer} was cut by another"
        );
        received[usize::from(writer)].push(message.len());
    }
    for writer in 0..WRITERS {
        let expected: Vec<usize> = lengths(writer).collect();
        assert_eq!(
            received[usize::from(writer)],
            expected,
            "the messages of writer {writer}"
        );
    }
    // The writers stay to the end: leaving early is another test.
    drop(writers);
}

#[tokio::test]
async fn what_a_client_sent_before_it_left_still_arrives() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut client = bridge.client("/").await;
    client.send("goodbye\n").await;
    client.leave().await;
    pair.device.expect("goodbye\n").await;
}

#[tokio::test]
async fn a_client_with_too_much_waiting_is_held_back_and_loses_nothing() {
    const MESSAGES: usize = 100;
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut client = bridge.client("/?view=raw").await;
    // Four times what one client may have waiting; the device reads nothing yet.
    let sender = tokio::spawn(async move {
        for message in 0..MESSAGES {
            client.send_bytes(vec![message as u8; 2600]).await;
        }
        client
    });
    let mut other = bridge.json_client().await;
    pair.device.write("7\n").await;
    assert_eq!(
        other.json_of("line").await["text"],
        "7",
        "reading goes on meanwhile"
    );
    for message in 0..MESSAGES {
        pair.device.expect([message as u8; 2600]).await;
    }
    sender.await.expect("the sender does not panic");
}

#[tokio::test]
async fn a_json_client_with_too_much_waiting_is_refused_at_once() {
    const MESSAGES: u64 = 8;
    // More than a pty takes while nobody reads it, and two of them fit 64 KiB.
    const SIZE: usize = 30_000;
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut client = bridge.json_client().await;
    for id in 0..MESSAGES {
        let text = char::from(b'a' + id as u8).to_string().repeat(SIZE);
        client
            .send_json(json!({"type": "write", "text": text, "id": id}))
            .await;
    }
    // The refusals come while the device still reads nothing.
    for id in 2..MESSAGES {
        let answer = client.json().await;
        assert_eq!(answer["type"], "error");
        assert_eq!(answer["id"], id);
    }
    for id in 0..2 {
        pair.device.expect([b'a' + id].repeat(SIZE)).await;
        assert_eq!(client.json_of("ack").await["id"], id);
    }
    client
        .send_json(json!({"type": "write", "text": "!", "id": "again"}))
        .await;
    assert_eq!(client.json_of("ack").await["id"], "again");
    pair.device.expect("!").await;
}

#[tokio::test]
async fn the_refusal_of_too_many_small_writes_says_what_each_counts_for() {
    // More than a pty takes while nobody reads it.
    const LONG: usize = 30_000;
    const SMALL: usize = (65_536 - LONG) / 64;
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut client = bridge.json_client().await;
    client
        .send_json(json!({"type": "write", "text": "x".repeat(LONG)}))
        .await;
    for id in 0..=SMALL {
        client
            .send_json(json!({"type": "write", "text": "y", "id": id}))
            .await;
    }
    let error = client.json_of("error").await;
    assert_eq!(error["id"], SMALL, "{error}");
    let text = error["error"].as_str().expect("an error is a sentence");
    let waiting = LONG + SMALL * 64;
    assert!(
        text.starts_with(&format!("{waiting} bytes of yours already wait")),
        "{text}"
    );
    assert!(
        text.ends_with("at most 65536 may wait, each request counting for at least 64"),
        "{text}"
    );
    pair.device
        .expect("x".repeat(LONG) + &"y".repeat(SMALL))
        .await;
}

#[tokio::test]
async fn a_read_only_bridge_tells_json_clients_and_drops_what_others_send() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &["--read-only"]).await;
    let mut plain = bridge.client("/").await;
    plain.send("on\n").await;
    bridge.program.said("read-only").await;
    let mut json = bridge.json_client().await;
    json.send_json(json!({"type": "write", "text": "on\n", "id": 1}))
        .await;
    assert_eq!(json.json_of("error").await["id"], 1);
    // Both are still there, and hear the device.
    pair.device.write("5\n").await;
    assert_eq!(plain.text().await, "5");
    assert_eq!(json.json_of("line").await["text"], "5");
    drop(bridge);
    // Whatever had been written would come before this.
    let bridge = Bridge::on(&mut pair, &[]).await;
    bridge.client("/").await.send("mark").await;
    pair.device.expect("mark").await;
}

#[tokio::test]
async fn what_is_dropped_is_said_once_a_minute_for_each_port() {
    const DROPPED: u64 = 9;
    let ports = ["--port", "one=sim", "--port", "two=sim", "--read-only"];
    let bridge = Bridge::start(&ports).await;
    for port in ["one", "two"] {
        let mut client = bridge.client(&format!("/ports/{port}")).await;
        for _ in 0..DROPPED {
            client.send("on").await;
        }
        until("all to be dropped", async || {
            let refused = bridge.port(port).await["counters"]["refused"].as_u64();
            (refused == Some(DROPPED)).then_some(())
        })
        .await;
    }
    bridge.program.said("sent port=\"two\"").await;
    let log = bridge.program.log();
    let said = log.iter().filter(|line| line.contains("dropped")).count();
    assert_eq!(said, 2, "{log:#?}");
}

#[tokio::test]
async fn an_urgent_write_passes_the_messages_of_all_clients_and_cuts_none_but_one() {
    const SIZE: usize = 60_000;
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &["--append", "lf"]).await;
    let mut busy = bridge.client("/?view=raw").await;
    let sender = tokio::spawn(async move {
        for letter in [b'a', b'b'] {
            busy.send_bytes(vec![letter; SIZE]).await;
        }
        busy
    });
    let mut panel = bridge.json_client().await;
    // The device reads nothing yet, and the first message fills the system's buffer.
    until("the buffer to be full", async || {
        let written = bridge.port("board").await["counters"]["written_bytes"].as_u64();
        (written > Some(0)).then_some(())
    })
    .await;
    panel
        .send_json(json!({"type": "write", "text": "!", "urgent": true, "id": 1}))
        .await;
    panel
        .send_json(json!({"type": "write", "bytes": BASE64.encode("?"), "urgent": true, "id": 2}))
        .await;
    let all = pair.device.take(2 * SIZE + 2).await;
    sender.await.expect("the sender does not panic");
    let place = all.iter().position(|byte| *byte == b'!');
    assert!(
        place < Some(SIZE),
        "the urgent write waited for the message"
    );
    let (urgent, rest): (Vec<u8>, Vec<u8>) =
        all.iter().partition(|byte| byte.is_ascii_punctuation());
    assert_eq!(urgent, b"!?");
    assert_eq!(rest, [[b'a'; SIZE], [b'b'; SIZE]].concat());
    for id in [1, 2] {
        assert_eq!(panel.json_of("ack").await["id"], id);
    }
}

#[tokio::test]
async fn a_reset_and_a_release_have_room_where_the_writes_of_the_same_client_have_none() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut client = bridge.json_client().await;
    // The device reads nothing.
    let (mut id, mut refused) = (0, json!(null));
    while refused.is_null() {
        let text = "x".repeat(1000);
        client
            .send_json(json!({"type": "write", "text": text, "id": id}))
            .await;
        client
            .send_json(json!({"type": "write", "id": "next"}))
            .await;
        // The error about the second message shows that the first was looked at.
        let answers = client.json_until("next").await;
        let full = |it: &&Value| {
            it["error"]
                .as_str()
                .is_some_and(|it| it.contains("may wait"))
        };
        refused = answers.iter().find(full).cloned().unwrap_or_default();
        id += 1;
    }
    // A pseudo-terminal has no lines to reset it with, and says so itself.
    client
        .send_json(json!({"type": "reset", "id": "reset"}))
        .await;
    let answers = client.json_until("reset").await;
    let reset = answers.last().expect("it is answered");
    let error = reset["error"].as_str().unwrap_or_default();
    assert!(!error.contains("may wait"), "{reset}");
    client
        .send_json(json!({"type": "release", "id": "release"}))
        .await;
    let answers = client.json_until("release").await;
    assert_eq!(answers.last().expect("it is answered")["type"], "ack");
    client
        .send_json(json!({"type": "resume", "id": "resume"}))
        .await;
    let answers = client.json_until("resume").await;
    assert_eq!(answers.last().expect("it is answered")["type"], "ack");
}

#[tokio::test]
async fn a_json_client_may_write_as_much_as_a_message_may_have() {
    const SIZE: usize = 200_000;
    let mut pair = Pair::open().await;
    let flags = ["--max-message", &SIZE.to_string()];
    let bridge = Bridge::on(&mut pair, &flags).await;
    let mut client = bridge.json_client().await;
    let all: Vec<u8> = (0..SIZE).map(|at| (at % 251) as u8).collect();
    client
        .send_json(json!({"type": "write", "bytes": BASE64.encode(&all), "id": 1}))
        .await;
    pair.device.expect(&all).await;
    assert_eq!(client.json_of("ack").await["bytes"], SIZE);
    // As most escapes as there are: 6 bytes for one.
    let text = "\u{1}".repeat(SIZE);
    client
        .send_json(json!({"type": "write", "text": text, "id": 2}))
        .await;
    pair.device.expect(&text).await;
    assert_eq!(client.json_of("ack").await["id"], 2);
    client
        .send_json(json!({"type": "write", "text": "x".repeat(SIZE + 1), "id": 3}))
        .await;
    let error = client.json_of("error").await;
    assert!(
        error["id"] == 3
            && error["error"]
                .as_str()
                .is_some_and(|it| it.contains("200000"))
    );
}

/// Set in every byte of a signed message but the last.
const MORE: u8 = 0x80;

/// A message that shows whose it is and where it ends, whatever its length.
fn signed(writer: u8, length: usize) -> Vec<u8> {
    let mut message = vec![writer | MORE; length];
    message[length - 1] = writer;
    message
}

/// Lengths from 1 to 4096, both included, and different for each writer.
fn length(writer: u8, message: usize) -> usize {
    match message {
        0 => 1,
        1 => 4096,
        _ => 1 + (usize::from(writer) * 7919 + message * 104_729) % 4096,
    }
}

#[tokio::test]
async fn whoever_may_write_sees_what_others_write_if_it_asks() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut asks = bridge.client("/?view=json&writes").await;
    let mut newest = bridge.client("/?view=json&writes&latest=1").await;
    let mut silent = bridge.client("/?view=json").await;
    let mut plain = bridge.client("/").await;
    let number = silent.json_of("hello").await["client"].clone();
    assert!(number.is_u64(), "{number}");
    for client in [&mut asks, &mut newest] {
        assert_ne!(client.json_of("hello").await["client"], number);
    }
    silent
        .send_json(json!({ "type": "write", "text": "G28\n", "id": 1 }))
        .await;
    let written = asks.json_of("written").await;
    assert_eq!(written["text"], "G28\n", "{written}");
    assert_eq!(written["client"], number, "{written}");
    assert!(written["t"].is_f64(), "{written}");
    assert_eq!(newest.json_of("written").await["text"], "G28\n");
    plain.send_bytes([0xff, 0]).await;
    let written = asks.json_of("written").await;
    assert_eq!(written["bytes"], "/wA=", "{written}");
    assert_ne!(written["client"], number, "{written}");
    pair.device.expect(b"G28\n\xff\0").await;
    pair.device.write("end\n").await;
    // A client that did not ask gets the line next.
    assert_eq!(silent.json().await["type"], "ack");
    assert_eq!(silent.json_of("line").await["text"], "end");
}

#[tokio::test]
async fn writes_are_for_the_json_view() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    for (query, reason) in [
        ("view=lines&writes", "writes needs view=json"),
        (
            "view=json&writes=no",
            "writes takes no value, as in view=json&writes",
        ),
    ] {
        let mut client = bridge.client(&format!("/?{query}")).await;
        assert_eq!(client.closed().await, (4400, reason.to_owned()), "{query}");
    }
}

/// Writes `messages`, and returns how many milliseconds the device waited for all of them.
async fn paced(pace: &str, messages: &[&str]) -> u128 {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &["--pace", pace]).await;
    let mut client = bridge.json_client().await;
    let start = Instant::now();
    for text in messages {
        client
            .send_json(json!({"type": "write", "text": text}))
            .await;
    }
    pair.device.expect(messages.concat()).await;
    start.elapsed().as_millis()
}

#[tokio::test]
async fn a_board_that_loses_what_comes_too_fast_gets_bytes_lines_or_messages_at_a_pace() {
    // The pause after the last one keeps nobody waiting.
    for (pace, messages, least) in [
        ("2ms", &["0123456789".repeat(10).as_str()][..], 99 * 2),
        ("20ms/line", &["1\n2\n3\n4\n", "5\n6"], 5 * 20),
        ("40ms/message", &["1\n2\n", "3", "4", "5"], 3 * 40),
    ] {
        let took = paced(pace, messages).await;
        assert!(took >= least, "{pace}: {took} ms");
    }
}
