//! What ends a line: carriage returns beside line feeds, the other framings of `--frame`, and the
//! hints that name what would fit.

use serde_json::{Value, json};

use crate::support::{Bridge, Client, Pair, Program, Reply, bare, request};

#[tokio::test]
async fn a_line_has_no_carriage_return_of_its_line_end() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut lines = bridge.client("/").await;
    let mut raw = bridge.client("/?view=raw").await;
    let mut objects = json_client(&bridge).await;
    // As card readers, MicroPython and a printer's console end their lines.
    let sent = "FOOD1\n\rFOOD2\n\rboot\r\r\nok\r\n\r10%\r20%\r\n";
    pair.device.write(sent).await;
    for line in ["FOOD1", "FOOD2", "boot", "ok", "10%\r20%"] {
        assert_eq!(lines.text().await, line);
        assert_eq!(objects.json_of("line").await["text"], line);
    }
    assert_eq!(raw.bytes_of(sent.len()).await, sent.as_bytes());
}

#[tokio::test]
async fn a_line_comes_at_its_line_feed_and_a_late_carriage_return_is_nothing() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut lines = bridge.client("/").await;
    let mut raw = bridge.client("/?view=raw").await;
    for number in ["1", "2", "3"] {
        pair.device.write(format!("{number}\n")).await;
        assert_eq!(lines.text().await, number);
        assert_eq!(raw.bytes_of(2).await, format!("{number}\n").as_bytes());
        pair.device.write("\r").await;
        assert_eq!(raw.bytes_of(1).await, b"\r");
    }
    assert_eq!(bridge.port("board").await["lines"], 4, "one is of the test");
}

#[tokio::test]
#[cfg(unix)] // a pty can be unplugged
async fn a_carriage_return_after_the_last_line_is_no_line_cut_by_the_loss() {
    if !Pair::are_ours() {
        return;
    }
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut objects = json_client(&bridge).await;
    let mut raw = bridge.client("/?view=raw").await;
    pair.device.write("last\n\r").await;
    assert_eq!(raw.bytes_of(6).await, b"last\n\r");
    pair.unplug();
    assert_eq!(objects.json_of("line").await["text"], "last");
    let next = objects.json().await;
    assert_eq!(next["type"], "status", "{next}");
}

#[tokio::test]
async fn a_framing_decides_what_is_a_line() {
    for (framing, sent, lines) in [
        (
            "cr",
            "4006381333931\r0012345678905\r\n7\r",
            ["4006381333931", "0012345678905", "7"],
        ),
        ("crlf", "a\nb\r\nc\rd\r\n\r\n", ["a\nb", "c\rd", ""]),
        (
            "delim:3b",
            "ID019;FA00007074000;IF\r\n;",
            ["ID019", "FA00007074000", "IF\r\n"],
        ),
        (
            "delim:03",
            "\u{2}0A00\u{3}\u{2}2B00\r\n\u{3}\u{3}",
            ["\u{2}0A00", "\u{2}2B00\r\n", ""],
        ),
        ("delim:0d0d", "1\r\r2\r3\r\r4\r\r", ["1", "2\r3", "4"]),
        (
            "3E",
            "41 0C\r\r>41 0D\r\r>ok>",
            ["41 0C\r\r", "41 0D\r\r", "ok"],
        ),
    ] {
        let mut pair = Pair::open().await;
        let port = format!("board={},frame={framing}", pair.path);
        let bridge = Bridge::start(&["--port", &port]).await;
        bridge.open("board").await;
        let mut plain = bridge.client("/").await;
        let mut raw = bridge.client("/?view=raw").await;
        let mut objects = json_client(&bridge).await;
        pair.device.write(sent).await;
        for line in lines {
            // The first line may have begun before the port was opened.
            let object = objects.json_of("line").await;
            assert_eq!(object["text"], line, "{framing}");
            if object["partial"] != true {
                assert_eq!(plain.text().await, line, "{framing}");
            }
        }
        assert_eq!(raw.bytes_of(sent.len()).await, sent.as_bytes());
    }
}

#[tokio::test]
async fn a_frame_is_written_with_what_its_framing_adds_and_read_without_it() {
    for (framing, written) in [
        ("lf", &b"a,1\n"[..]),
        ("start:02:03", b"\x02a,1\x03"),
        ("slip", b"\xc0a,1\xc0"),
        ("cobs", b"\x04a,1\0"),
        ("len:3", b"a,1"),
    ] {
        let port = format!("board=loop,frame={framing}");
        let bridge = Bridge::start(&["--port", &port]).await;
        let mut objects = json_client(&bridge).await;
        let mut frames = bridge.client("/?view=frames").await;
        let mut lines = bridge.client("/").await;
        let mut raw = bridge.client("/?view=raw").await;
        // "a,1" in base64.
        let request = json!({"type": "write", "frame": "YSwx"});
        let reply = objects.reply(request).await;
        assert_eq!(reply["bytes"], written.len(), "{framing}: {reply}");
        assert_eq!(raw.bytes_of(written.len()).await, written, "{framing}");
        assert_eq!(frames.bytes().await, b"a,1");
        assert_eq!(lines.text().await, "a,1");
        let reply = post(&bridge, "?frame", b"b,2").await;
        assert_eq!(
            (reply.status, reply.json()["bytes"].as_u64()),
            (200, Some(written.len() as u64))
        );
        assert_eq!(frames.bytes().await, b"b,2");
        let mut late = bridge.client("/?view=frames&history=1").await;
        assert_eq!(late.bytes().await, b"b,2");
    }
}

#[tokio::test]
async fn a_frame_that_is_no_text_comes_as_bytes() {
    let bridge = Bridge::start(&["--port", "loop", "--frame", "slip"]).await;
    let mut objects = json_client(&bridge).await;
    let mut frames = bridge.client("/?view=frames").await;
    objects
        .acked(json!({"type": "write", "bytes": "wMDb3AH/29vA"}))
        .await;
    // Its second escape is wrong.
    let object = objects.json_of("line").await;
    assert_eq!(
        (&object["bytes"], &object["partial"]),
        (&json!("wAH/2w=="), &json!(true))
    );
    objects
        .acked(json!({"type": "write", "frame": "wAH/2w==", "urgent": true}))
        .await;
    assert_eq!(objects.json_of("line").await["bytes"], "wAH/2w==");
    assert_eq!(frames.bytes().await, b"\xc0\x01\xff\xdb");
}

#[tokio::test]
async fn bytes_that_are_no_frame_are_refused_with_the_reason() {
    for (framing, frame, reason) in [
        (
            "lf",
            "YQpi",
            "this is no frame of --frame lf: the frame contains 0a, which would end it",
        ),
        (
            "gap:20ms",
            "YQ==",
            "this is no frame of --frame gap:20ms: silence ends a frame",
        ),
        ("len:2", "YQ==", "a frame has 2 bytes, and this one 1"),
        ("json", "ew==", "the frame is no JSON value"),
    ] {
        let port = format!("board=loop,frame={framing}");
        let bridge = Bridge::start(&["--port", &port]).await;
        let mut objects = json_client(&bridge).await;
        let error = objects
            .refused(json!({"type": "write", "frame": frame}))
            .await;
        assert!(error.contains(reason), "{error}");
    }
    let bridge = Bridge::start(&["--port", "board=loop"]).await;
    let reply = post(&bridge, "?frame&append=lf", b"x").await;
    assert_eq!(reply.status, 400, "{reply:?}");
    let reply = post(&bridge, "?frame=yes", b"x").await;
    assert_eq!(reply.status, 400, "{reply:?}");
}

#[tokio::test]
async fn silence_ends_a_frame_of_a_port_that_says_so() {
    let bridge = Bridge::start(&["--port", "loop", "--frame", "gap:200ms"]).await;
    let mut frames = bridge.client("/?view=frames").await;
    for part in ["\u{1}\u{3}", "abc"] {
        frames.send(part).await;
    }
    assert_eq!(frames.bytes().await, b"\x01\x03abc");
    frames.send("d").await;
    assert_eq!(frames.bytes().await, b"d");
}

#[tokio::test]
async fn clients_are_told_the_framing_of_each_port() {
    let ports = ["--port", "a=loop,frame=3B", "--port", "b=loop"];
    let bridge = Bridge::start(&[&ports[..], &["--frame", "cr"]].concat()).await;
    for (name, framing) in [("a", "delim:3b"), ("b", "cr")] {
        let mut client = bridge.client(&format!("/ports/{name}?view=json")).await;
        let hello = client.json_of("hello").await;
        assert_eq!(hello["port"]["settings"]["frame"], framing);
        assert_eq!(bridge.port(name).await["settings"]["frame"], framing);
    }
}

#[tokio::test]
async fn a_wrong_framing_is_told_what_was_meant() {
    for (flag, parts) in [
        ("--frame=words", "expected lf, crlf, cr, delim:HEX, len:N"),
        ("--frame=CR", "did you mean `cr`?"),
        ("--frame=;", "did you mean `delim:3b`?"),
        (
            "--frame=delim",
            "expected 1 to 16 bytes in hex, such as delim:3b",
        ),
        (
            "--port=sim,frame=delim:0x03",
            "`frame` cannot be \"delim:0x03\": expected 1 to 16 bytes",
        ),
    ] {
        Program::run(&[flag]).await.with(2, parts);
    }
}

/// Two records of a sensor as SLIP, with escapes.
const SLIP: &[u8] =
    b"\x01\xdb\xdc\x80\x00\x91\xfe\x07\x99\x80\x83\xc0\x02\xdb\xdd\x81\x00\x92\xff\xc0";

#[tokio::test]
async fn a_hint_reaches_every_client_with_the_setting_that_helps() {
    for (sent, said, advice) in [
        (
            &b"4006381333931\r"[..],
            "use --frame cr",
            json!({ "frame": "cr" }),
        ),
        (
            b"\x020A00B1C2D379\x03",
            "use --frame 03",
            json!({ "frame": "delim:03" }),
        ),
        (
            &SLIP.repeat(12),
            "the data is no text, but frames of SLIP: use --frame slip",
            json!({ "frame": "slip" }),
        ),
        (
            &[0xc8; 300],
            "no line ends seen",
            json!({ "baud": 115_200 }),
        ),
    ] {
        let mut pair = Pair::open().await;
        let port = format!("board={}", pair.path);
        let bridge = Bridge::start(&["--port", &port]).await;
        bridge.open("board").await;
        let mut client = json_client(&bridge).await;
        let mut chunks = bridge.client("/?view=json&data=chunks").await;
        pair.device.write(sent).await;
        for client in [&mut client, &mut chunks] {
            let status = status(client).await;
            assert_eq!(status["state"], "open");
            let hint = status["hint"].as_str().unwrap_or_default();
            assert!(hint.contains(said), "{status}");
            assert_eq!(status["advice"], advice, "{status}");
        }
        bridge.program.said(said).await;
        assert_eq!(bridge.port("board").await["status"]["advice"], advice);
        let mut late = bridge.client("/?view=json").await;
        assert_eq!(late.json_of("hello").await["status"]["advice"], advice);
    }
}

#[tokio::test]
async fn a_line_that_was_cut_names_the_limit_that_it_needs() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut client = json_client(&bridge).await;
    let line = format!("{{\"fft\":[{}]}}\n", "1.37,".repeat(5000));
    pair.device.write(&line).await;
    let status = status(&mut client).await;
    assert_eq!(status["advice"], json!({ "maxLine": 32768 }), "{status}");

    let bridge = Bridge::start(&["--port", "loop", "--max-line", "32KiB"]).await;
    let mut lines = bridge.client("/").await;
    lines.send(line.as_str()).await;
    assert_eq!(lines.text().await, line.trim_end());
}

#[tokio::test]
#[cfg(unix)] // a pty can be unplugged
async fn a_hint_is_gone_when_the_device_is_opened_again() {
    if !Pair::are_ours() {
        return;
    }
    let mut pair = Pair::open().await;
    let port = format!("board={}", pair.path);
    let bridge = Bridge::start(&["--port", &port]).await;
    bridge.open("board").await;
    let mut client = json_client(&bridge).await;
    pair.device.write("4006381333931\r").await;
    assert_eq!(status(&mut client).await["advice"]["frame"], "cr");
    pair.unplug();
    let lost = status(&mut client).await;
    assert_eq!(
        (&lost["state"], &lost["advice"]),
        (&json!("lost"), &json!(null))
    );
    pair.plug_in();
    let open = status(&mut client).await;
    assert_eq!(open["state"], "open");
    assert_eq!(
        (&open["hint"], &open["advice"]),
        (&json!(null), &json!(null))
    );
}

/// Returns the next status, whatever comes before it.
async fn status(client: &mut Client) -> Value {
    loop {
        let object = client.json().await;
        if object["type"] == "status" {
            return object;
        }
    }
}

async fn json_client(bridge: &Bridge) -> Client {
    let mut client = bridge.client("/?view=json").await;
    assert_eq!(
        client.json_of("hello").await["status"]["state"],
        json!("open")
    );
    client
}

/// Writes a body by HTTP, in the way that the query says.
async fn post(bridge: &Bridge, query: &str, body: &[u8]) -> Reply {
    let length = [("Content-Length", &*body.len().to_string())];
    let path = format!("/api/ports/board/write{query}");
    let head = request(bridge.address(), "POST", &path, &length);
    Reply::parse(&bare(bridge.address(), &[head.as_bytes(), body].concat()).await)
}
