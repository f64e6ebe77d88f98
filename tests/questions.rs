//! Questions to the device: which reply belongs to whom, whatever the device does, and how each question
//! ends with one answer.

use serde_json::{Value, json};

use crate::support::{Bridge, Client, Pair, Reply, bare, request};

/// A question about the end of whose reply nothing is said.
fn ask(text: &str, id: u64) -> Value {
    json!({"type": "ask", "text": text, "id": id})
}

/// A question that waits as long as one may.
fn patient(text: &str, id: u64) -> Value {
    json!({"type": "ask", "text": text, "timeout": 30_000, "id": id})
}

/// The reply or the error for the request with this `id`.
async fn answer(client: &mut Client, id: u64) -> Value {
    loop {
        let object = client.json().await;
        if object["id"] == id {
            return object;
        }
    }
}

#[track_caller]
fn check_error(answer: &Value, part: &str) {
    assert_eq!(answer["type"], "error", "{answer}");
    let error = answer["error"].as_str().unwrap_or_default();
    assert!(error.contains(part), "{answer}");
}

async fn post(bridge: &Bridge, query: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let length = body.len().to_string();
    let headers = [headers, &[("Content-Length", &length)]].concat();
    let path = format!("/api/ports/board/ask{query}");
    let head = request(bridge.address(), "POST", &path, &headers);
    Reply::parse(&bare(bridge.address(), &[head.as_bytes(), body].concat()).await)
}

#[tokio::test]
async fn the_reply_goes_to_who_asked_and_the_lines_to_everybody() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let (mut asker, mut other) = (bridge.json_client().await, bridge.json_client().await);
    let mut page = bridge.client("/").await;
    asker.send_json(ask("*IDN?\n", 7)).await;
    pair.device.expect("*IDN?\n").await;
    pair.device.write("ACME,42\r\nready\r\n").await;
    assert_eq!(
        answer(&mut asker, 7).await,
        json!({"type": "reply", "id": 7, "text": "ACME,42"})
    );
    for line in ["ACME,42", "ready"] {
        assert_eq!(other.json_of("line").await["text"], line);
        assert_eq!(page.text().await, line);
    }
}

#[tokio::test]
async fn a_reply_ends_where_the_question_says() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &["--append", "lf"]).await;
    let mut asker = bridge.json_client().await;
    for (until, said, expected) in [
        (json!("line"), "\r\nOK\r\n", json!({"text": "OK"})),
        (
            json!({"bytes": 3}),
            "\x01\n\x02\x03",
            json!({"text": "\x01\n\x02"}),
        ),
        (
            json!({"text": ["ok", "error:"]}),
            "[x]\r\nerror:9\r\nok\r\n",
            json!({"text": "[x]\r\nerror:9"}),
        ),
        (
            json!({"text": "> "}),
            "1\r\n2\r\n> ",
            json!({"text": "1\r\n2\r\n> "}),
        ),
        (json!({"gap": 50}), "no end", json!({"text": "no end"})),
    ] {
        asker
            .send_json(json!({"type": "ask", "text": "?", "until": until, "id": 1}))
            .await;
        pair.device.expect("?\n").await;
        pair.device.write(said).await;
        let reply = answer(&mut asker, 1).await;
        assert_eq!(reply["text"], expected["text"], "{until}: {reply}");
        pair.device.write("\n").await;
    }
    let lines = json!({"type": "ask", "text": "?", "lines": 2, "id": 2});
    asker.send_json(lines).await;
    pair.device.expect("?\n").await;
    pair.device.write("a\nb\nc\n").await;
    assert_eq!(answer(&mut asker, 2).await["text"], "a\nb");
}

#[tokio::test]
async fn a_question_in_bytes_gets_its_reply_in_bytes() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &["--append", "lf"]).await;
    let mut asker = bridge.json_client().await;
    // Modbus: read a register of slave 1. The reply is valid UTF-8, and still bytes.
    let question = json!({"type": "ask", "bytes": "AQMAAAABhAo=", "until": {"bytes": 7}, "id": 1});
    asker.send_json(question).await;
    pair.device.expect(b"\x01\x03\0\0\0\x01\x84\x0a").await;
    pair.device.write(b"\x01\x03\x02\0\x2a\x39\x5b").await;
    let expected = json!({"type": "reply", "id": 1, "bytes": "AQMCACo5Ww=="});
    assert_eq!(answer(&mut asker, 1).await, expected);
}

#[tokio::test]
async fn a_line_that_had_begun_before_the_question_is_no_reply() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut asker = bridge.json_client().await;
    let mut bytes = bridge.client("/?view=raw").await;
    pair.device.write("temp: 2").await;
    bytes.bytes_of(7).await;
    asker.send_json(ask("?\n", 1)).await;
    pair.device.expect("?\n").await;
    pair.device.write("1.5\n").await;
    pair.device.write("42\n").await;
    assert_eq!(answer(&mut asker, 1).await["text"], "42");
}

#[tokio::test]
async fn a_reply_that_is_late_or_double_is_not_that_of_a_later_question() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut asker = bridge.json_client().await;
    asker
        .send_json(json!({"type": "ask", "text": "1\n", "timeout": 100, "id": 1}))
        .await;
    pair.device.expect("1\n").await;
    let error = answer(&mut asker, 1).await;
    check_error(&error, "no reply within 100 ms");
    assert_eq!(error["code"], "timeout");
    pair.device.write("late\n").await;
    assert_eq!(asker.json_of("line").await["text"], "late");

    asker.send_json(ask("2\n", 2)).await;
    pair.device.expect("2\n").await;
    pair.device.write("two\ntwo again\n").await;
    assert_eq!(answer(&mut asker, 2).await["text"], "two");
    asker.send_json(ask("3\n", 3)).await;
    pair.device.expect("3\n").await;
    pair.device.write("three\n").await;
    assert_eq!(answer(&mut asker, 3).await["text"], "three");
}

#[tokio::test]
async fn a_reply_among_lines_of_the_devices_own_is_found_by_its_text() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut asker = bridge.json_client().await;
    for id in 1..=3 {
        let until = json!({"text": [format!("={id}")]});
        asker
            .send_json(json!({"type": "ask", "text": "?\n", "until": until, "id": id}))
            .await;
        pair.device.expect("?\n").await;
        // A reading of its own, half of the next, the reply in between, and what is doubled.
        let said = format!("t:21\nt:2\nv={id}\nv={id}\n");
        pair.device.write(said).await;
        let reply = answer(&mut asker, id).await;
        assert_eq!(reply["text"], format!("t:21\nt:2\nv={id}"), "{reply}");
    }
}

#[cfg(unix)] // a pty can be unplugged
#[tokio::test]
async fn whatever_ends_the_write_lock_of_who_asks_the_question_gets_one_answer() {
    if !Pair::are_ours() {
        return;
    }
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let (mut holder, mut other) = (bridge.json_client().await, bridge.json_client().await);
    for (end, part) in [
        ("lend", "the port was released to another program"),
        ("resume", ""),
        ("unplug", "the device was lost before the reply came"),
    ] {
        holder.acked(json!({"type": "lock"})).await;
        holder.send_json(patient("?\n", 1)).await;
        pair.device.expect("?\n").await;
        match end {
            // The lock lasts on.
            "lend" => {
                let lend = json!({"type": "release", "seconds": 60, "id": 2});
                holder.send_json(lend).await;
            }
            // The operator ends the lock, and the question goes on.
            "resume" => {
                other.acked(json!({"type": "resume"})).await;
                pair.device.write("42\n").await;
            }
            _ => pair.unplug(),
        }
        let reply = answer(&mut holder, 1).await;
        if part.is_empty() {
            assert_eq!(reply["text"], "42", "{reply}");
        } else {
            check_error(&reply, part);
        }
        holder.send_json(json!({"type": "resume", "id": 9})).await;
        let mut answers = Vec::new();
        while answers.last() != Some(&json!(9)) {
            let object = holder.json().await;
            answers.extend(object.get("id").cloned());
        }
        assert!(!answers.contains(&json!(1)), "it is answered twice");
        if end == "lend" {
            bridge.open("board").await;
            bridge.in_step("board", &mut pair).await;
        }
    }
}

#[tokio::test]
async fn a_reply_without_its_end_is_told_apart_from_none() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut asker = bridge.json_client().await;
    asker
        .send_json(json!({"type": "ask", "text": "?\n", "timeout": 100, "id": 1}))
        .await;
    pair.device.expect("?\n").await;
    pair.device.write("42").await;
    check_error(
        &answer(&mut asker, 1).await,
        r#"only 2 bytes; a reply without a line end is taken by until {"gap":50}"#,
    );
}

#[tokio::test]
async fn writes_of_others_wait_for_the_reply_and_urgent_ones_do_not() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let (mut asker, mut other) = (bridge.json_client().await, bridge.json_client().await);
    asker.send_json(patient("first\n", 1)).await;
    pair.device.expect("first\n").await;
    other
        .send_json(json!({"type": "write", "text": "second\n", "id": 2}))
        .await;
    other
        .acked(json!({"type": "write", "text": "!", "urgent": true}))
        .await;
    pair.device.expect("!").await;
    asker.send_json(patient("third\n", 3)).await;
    pair.device.write("one\n").await;
    assert_eq!(answer(&mut asker, 1).await["text"], "one");
    pair.device.expect("second\nthird\n").await;
    pair.device.write("three\n").await;
    assert_eq!(answer(&mut asker, 3).await["text"], "three");
}

#[tokio::test]
async fn of_a_thousand_questions_at_once_each_gets_one_answer() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut asker = bridge.json_client().await;
    asker.send_json(patient("0\n", 0)).await;
    pair.device.expect("0\n").await;
    for id in 1..=1000 {
        asker.send_json(patient(&format!("{id}\n"), id)).await;
    }
    for id in 17..=1000 {
        let error = asker.json_of("error").await;
        assert_eq!(error["id"], id);
        check_error(&error, "16 such requests of yours already wait");
    }
    for id in 0..=16 {
        if id > 0 {
            pair.device.expect(format!("{id}\n")).await;
        }
        pair.device.write(format!("reply {id}\n")).await;
        assert_eq!(answer(&mut asker, id).await["text"], format!("reply {id}"));
    }
    asker.acked(json!({"type": "write", "text": "end"})).await;
    pair.device.expect("end").await;
}

#[tokio::test]
async fn a_client_that_leaves_keeps_nobody_waiting_for_its_replies() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let (mut leaving, mut asker) = (bridge.json_client().await, bridge.json_client().await);
    for id in 0..3 {
        leaving.send_json(patient("nobody\n", id)).await;
    }
    pair.device.expect("nobody\n").await;
    asker.send_json(ask("somebody\n", 1)).await;
    leaving.leave().await;
    pair.device.expect("somebody\n").await;
    pair.device.write("yes\n").await;
    assert_eq!(answer(&mut asker, 1).await["text"], "yes");
}

#[tokio::test]
async fn the_write_lock_of_another_ends_a_question_and_those_that_wait() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let (mut asker, mut holder) = (bridge.json_client().await, bridge.json_client().await);
    asker.send_json(patient("1\n", 1)).await;
    pair.device.expect("1\n").await;
    asker.send_json(patient("2\n", 2)).await;
    asker
        .send_json(json!({"type": "write", "text": "w", "id": 3}))
        .await;
    // Taken once the three are there.
    asker
        .refused(json!({"type": "ask", "text": "x", "lines": 0}))
        .await;
    holder
        .acked(json!({"type": "lock", "name": "esptool"}))
        .await;
    let mut answers = vec![];
    while answers.len() < 3 {
        let object = asker.json().await;
        if object["id"].is_number() {
            answers.push(object);
        }
    }
    answers.sort_by_key(|it| it["id"].as_u64());
    check_error(&answers[0], "(\"esptool\") has the write lock");
    check_error(&answers[1], "(\"esptool\") has the write lock");
    assert_eq!(answers[2]["type"], "ack");
    pair.device.expect("w").await;
    asker.send_json(ask("4\n", 4)).await;
    check_error(
        &answer(&mut asker, 4).await,
        "(\"esptool\") has the write lock",
    );
    holder.send_json(ask("5\n", 5)).await;
    pair.device.expect("5\n").await;
    pair.device.write("five\n").await;
    assert_eq!(answer(&mut holder, 5).await["text"], "five");
}

#[tokio::test]
async fn releasing_the_port_ends_a_question_with_an_answer_that_says_so() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let (mut asker, mut other) = (bridge.json_client().await, bridge.json_client().await);
    asker.send_json(patient("1\n", 1)).await;
    pair.device.expect("1\n").await;
    other.acked(json!({"type": "release", "seconds": 60})).await;
    let error = answer(&mut asker, 1).await;
    check_error(
        &error,
        "the port was released to another program before the reply came",
    );
    assert_eq!(error["code"], "gone");
    asker.send_json(ask("2\n", 2)).await;
    check_error(&answer(&mut asker, 2).await, "the port is not open");
}

#[cfg(unix)] // a pty can be unplugged
#[tokio::test]
async fn a_device_that_is_lost_ends_a_question_with_an_answer_that_says_so() {
    if !Pair::are_ours() {
        return;
    }
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut asker = bridge.json_client().await;
    asker.send_json(patient("1\n", 1)).await;
    pair.device.expect("1\n").await;
    asker.send_json(patient("2\n", 2)).await;
    asker
        .refused(json!({"type": "ask", "text": "x", "lines": 0}))
        .await;
    pair.unplug();
    let error = answer(&mut asker, 1).await;
    check_error(&error, "the device was lost before the reply came");
    assert_eq!(error["code"], "gone");
    check_error(
        &answer(&mut asker, 2).await,
        "the device was lost before this could be written",
    );
}

#[tokio::test]
async fn who_may_only_read_asks_nothing() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &["--read-only"]).await;
    let mut asker = bridge.json_client().await;
    asker.send_json(ask("?\n", 1)).await;
    check_error(&answer(&mut asker, 1).await, "--read-only");
    let reply = post(&bridge, "", &[], b"?\n").await;
    assert_eq!(reply.status, 403, "{reply:?}");
}

#[tokio::test]
async fn scripts_ask_by_http() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let device = async {
        pair.device.expect("*IDN?\n").await;
        pair.device.write("ACME,42\r\n").await;
        pair.device.expect("AT\r").await;
        pair.device.write("\r\nERROR\r\n").await;
        pair.device.expect(b"\x01\x03").await;
        pair.device.write(b"\x01\x03").await;
        pair.device.expect("silence\n").await;
    };
    let script = async {
        let reply = post(&bridge, "?append=lf", &[], b"*IDN?").await;
        assert_eq!(reply.json(), json!({"text": "ACME,42"}), "{reply:?}");
        let reply = post(
            &bridge,
            "?append=cr&until=text:OK&until=text:ERROR",
            &[],
            b"AT",
        )
        .await;
        assert_eq!(reply.json(), json!({"text": "ERROR"}), "{reply:?}");
        let bytes = [("Content-Type", "application/octet-stream")];
        let reply = post(&bridge, "?until=bytes:2&timeout=5s", &bytes, b"\x01\x03").await;
        assert_eq!(reply.json(), json!({"bytes": "AQM="}), "{reply:?}");
        let reply = post(&bridge, "?timeout=100", &[], b"silence\n").await;
        assert_eq!(
            (reply.status, &*reply.body),
            (504, "no reply within 100 ms\n")
        );
    };
    tokio::join!(device, script);
    for (query, part) in [
        (
            "?until=lines",
            "expected line, bytes:N, text:TEXT, or gap:TIME instead of `lines`",
        ),
        ("?untill=line", "did you mean `until`?"),
        ("?timeout=31s", "from 1 to 30000 ms"),
        ("?timeout=soon", "`timeout` must be a time such as"),
        ("?lines=two", "`lines` must be a whole number"),
        ("?until=gap:1ms", "from 5 to 30000"),
    ] {
        let reply = post(&bridge, query, &[], b"x").await;
        assert_eq!(reply.status, 400, "{reply:?}");
        assert!(reply.body.contains(part), "{reply:?}");
    }
}
