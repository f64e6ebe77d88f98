//! What a client receives: each view, from lines that are usual to bytes that are not.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde_json::json;

use crate::support::{Bridge, Client, Pair};

/// By contract, a first line is whole when so much silence came before it. A little is added for
/// the clock of the program.
const SILENCE: std::time::Duration = std::time::Duration::from_millis(80);

#[tokio::test]
async fn a_plain_client_gets_one_message_per_line_and_nothing_before() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut client = bridge.client("/").await;
    pair.device.write("512,300\n17\n\nlast\n").await;
    for line in ["512,300", "17", "", "last"] {
        assert_eq!(client.text().await, line);
    }
}

#[tokio::test]
async fn a_view_is_chosen_by_query_or_by_subprotocol() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    for way in ["query", "subprotocol"] {
        let mut clients = Vec::new();
        for view in ["lines", "raw", "text", "json"] {
            let protocol = format!("serial-ws.{view}");
            clients.push(if way == "query" {
                bridge.client(&format!("/?view={view}")).await
            } else {
                let client = bridge.client_as("/", &protocol).await;
                assert_eq!(client.protocol, Some(protocol));
                client
            });
        }
        let [lines, raw, text, json] = clients.as_mut_slice() else {
            unreachable!()
        };
        pair.device.write("é,1\r\n").await;
        assert_eq!(lines.text().await, "é,1", "lines by {way}");
        assert_eq!(raw.bytes_of(6).await, "é,1\r\n".as_bytes(), "raw by {way}");
        assert_eq!(text.text_of(6).await, "é,1\r\n", "text by {way}");
        json.json_of("hello").await;
        assert_eq!(json.json_of("line").await["text"], "é,1", "json by {way}");
    }
}

#[tokio::test]
async fn a_query_and_a_subprotocol_may_say_the_same() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut client = bridge.client_as("/?view=raw", "serial-ws.raw").await;
    pair.device.write("abc").await;
    assert_eq!(client.bytes_of(3).await, b"abc");
}

#[tokio::test]
async fn every_view_is_available_whatever_the_default() {
    for default in ["--lines", "--raw", "--text"] {
        let mut pair = Pair::open().await;
        let bridge = Bridge::on(&mut pair, &[default]).await;
        let mut plain = bridge.client("/").await;
        let mut lines = bridge.client("/?view=lines").await;
        let mut raw = bridge.client("/?view=raw").await;
        pair.device.write("7\n").await;
        assert_eq!(lines.text().await, "7");
        assert_eq!(raw.bytes_of(2).await, b"7\n");
        match default {
            "--lines" => assert_eq!(plain.text().await, "7"),
            "--raw" => assert_eq!(plain.bytes_of(2).await, b"7\n"),
            _ => assert_eq!(plain.text_of(2).await, "7\n"),
        }
    }
}

#[tokio::test]
async fn a_raw_view_never_waits_for_a_line_end() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &["--lines"]).await;
    let mut client = bridge.client("/?view=raw").await;
    pair.device.write([200]).await;
    assert_eq!(client.bytes().await, [200]);
}

#[tokio::test]
async fn every_byte_value_reaches_a_raw_client() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &["--raw"]).await;
    let mut client = bridge.client("/").await;
    let all: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
    pair.device.write(&all).await;
    assert_eq!(client.bytes_of(all.len()).await, all);
}

#[tokio::test]
async fn a_character_cut_between_two_reads_arrives_whole() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut witness = bridge.client("/?view=raw").await;
    let mut lines = bridge.client("/?view=lines").await;
    let mut text = bridge.client("/?view=text").await;
    let sent = "5 µm, 20 €, 🌡\n";
    for byte in sent.bytes() {
        pair.device.write([byte]).await;
        // The program has read this byte before the next one is sent.
        assert_eq!(witness.bytes().await, [byte]);
    }
    assert_eq!(lines.text().await, "5 µm, 20 €, 🌡");
    assert_eq!(text.text_of(sent.len()).await, sent);
}

#[tokio::test]
async fn bytes_that_are_not_utf8_show_as_such() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut lines = bridge.client("/?view=lines").await;
    let mut text = bridge.client("/?view=text").await;
    let mut json = json_client(&bridge, "/?view=json").await;
    pair.device.write(b"a\xffb\nok\n").await;
    assert_eq!(lines.text().await, "a\u{fffd}b");
    assert_eq!(lines.text().await, "ok");
    assert_eq!(
        text.text_of("a\u{fffd}b\nok\n".len()).await,
        "a\u{fffd}b\nok\n"
    );
    let line = json.json_of("line").await;
    assert_eq!(line["bytes"], BASE64.encode(b"a\xffb"), "{line}");
    assert!(line.get("text").is_none(), "{line}");
    assert_eq!(json.json_of("line").await["text"], "ok");
}

#[tokio::test]
async fn a_nul_is_a_character_of_a_line_like_any_other() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut lines = bridge.client("/").await;
    let mut json = json_client(&bridge, "/?view=json").await;
    pair.device.write(b"a\0b\n\0\n").await;
    assert_eq!(lines.text().await, "a\0b");
    assert_eq!(lines.text().await, "\0");
    assert_eq!(json.json_of("line").await["text"], "a\0b");
}

#[tokio::test]
async fn json_begins_with_hello_and_numbers_and_times_every_line() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut client = bridge.client("/?view=json").await;
    let hello = client.json().await;
    assert_eq!(hello["type"], "hello", "{hello}");
    assert_eq!(hello["version"], 1, "{hello}");
    assert!(
        hello["run"].as_str().is_some_and(|run| !run.is_empty()),
        "{hello}"
    );
    assert_eq!(hello["port"]["name"], "board", "{hello}");
    assert_eq!(hello["ports"], json!(["board"]), "{hello}");
    assert_eq!(hello["status"]["state"], "open", "{hello}");

    pair.device.write("one\ntwo\nthree\n").await;
    let before = hello["seq"].as_u64().expect("seq is a number");
    let mut time = 0.0;
    for (number, text) in ["one", "two", "three"].iter().enumerate() {
        let line = client.json_of("line").await;
        assert_eq!(line["text"], *text, "{line}");
        assert_eq!(
            line["seq"],
            before + 1 + number as u64,
            "{line} after {hello}"
        );
        assert!(
            line.get("partial").is_none_or(|partial| partial == false),
            "{line}"
        );
        let now = line["t"].as_f64().expect("t is a number");
        assert!(now >= time, "time went back: {line}");
        time = now;
    }
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let off = clock.expect("it is after 1970").as_secs_f64() - time;
    assert!((-1.0..60.0).contains(&off), "the last line is {off} s old");
}

#[tokio::test]
async fn json_chunks_are_the_bytes_with_their_place_in_the_stream() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut client = json_client(&bridge, "/?view=json&data=chunks").await;
    let sent: Vec<u8> = (0..=255).cycle().take(3000).collect();
    pair.device.write(&sent).await;
    let mut received = Vec::new();
    let mut next = None;
    while received.len() < sent.len() {
        let data = client.json_of("data").await;
        let offset = data["offset"].as_u64().expect("offset is a number");
        assert_eq!(
            offset,
            next.unwrap_or(offset),
            "a gap or an overlap before {data}"
        );
        let bytes = BASE64.decode(data["bytes"].as_str().expect("bytes are text"));
        let bytes = bytes.expect("bytes are base64");
        next = Some(offset + bytes.len() as u64);
        received.extend_from_slice(&bytes);
    }
    assert_eq!(received, sent);
}

#[tokio::test]
async fn a_line_over_the_limit_comes_in_pieces_that_json_marks() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &["--max-line", "16"]).await;
    let mut lines = bridge.client("/?view=lines").await;
    let mut json = json_client(&bridge, "/?view=json").await;
    let long = "abcdefghijklmnopqrstuvwxyz0123456789ABCD";
    pair.device.write(format!("{long}\nwhole\n")).await;

    let mut joined = String::new();
    while joined.len() < long.len() {
        let piece = lines.text().await;
        assert!(piece.len() <= 16, "{piece:?} is longer than --max-line");
        let object = json.json_of("line").await;
        assert_eq!(object["text"], piece, "{object}");
        assert_eq!(object["partial"], true, "{object}");
        joined += &piece;
    }
    assert_eq!(joined, long);
    assert_eq!(lines.text().await, "whole");
    let object = json.json_of("line").await;
    assert_eq!(object["text"], "whole", "{object}");
    assert!(
        object.get("partial").is_none_or(|partial| partial == false),
        "{object}"
    );
}

#[tokio::test]
async fn a_line_as_long_as_the_limit_is_whole() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &["--max-line", "16"]).await;
    let mut json = json_client(&bridge, "/?view=json").await;
    pair.device
        .write("0123456789abcdef\n0123456789abcdef\r\n")
        .await;
    for _ in 0..2 {
        let line = json.json_of("line").await;
        assert_eq!(line["text"], "0123456789abcdef", "{line}");
        assert!(
            line.get("partial").is_none_or(|partial| partial == false),
            "{line}"
        );
    }
}

#[tokio::test]
async fn a_line_already_begun_at_opening_is_never_passed_off_as_whole() {
    // On a busy machine the device itself may fall silent long enough for its next byte to count
    // as the beginning of a line, but not time and again.
    for _ in 0..5 {
        if the_first_line_is_marked().await {
            return;
        }
    }
    panic!("the first line was passed off as whole");
}

async fn the_first_line_is_marked() -> bool {
    let mut pair = Pair::open().await;
    let count = 60;
    // The device talks all the time, from before the port is opened.
    let line = format!("<{}>", "x".repeat(998));
    let flood = format!("{line}\n").repeat(count);
    let path = pair.path.clone();
    let device = tokio::spawn(async move {
        pair.device.write(flood).await;
        pair
    });
    let bridge = Bridge::start(&["--port", &format!("board={path}")]).await;
    bridge.open("board").await;
    let mut pair = device.await.expect("the device does not panic");
    let mut lines = bridge
        .client(&format!("/?view=lines&history={count}"))
        .await;
    let mut json = json_client(&bridge, &format!("/?view=json&history={count}")).await;
    pair.device.write("end\n").await;

    let first = json.json_of("line").await;
    if first["partial"] != true {
        return false;
    }
    loop {
        let object = json.json_of("line").await;
        assert!(
            object.get("partial").is_none_or(|partial| partial == false),
            "{object}"
        );
        let text = lines.text().await;
        assert_eq!(object["text"], text, "lines and json differ");
        if text == "end" {
            return true;
        }
        assert_eq!(text, line, "a fragment passed as a line");
    }
}

#[tokio::test]
async fn a_first_line_after_silence_is_whole() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::start(&["--port", &format!("board={}", pair.path)]).await;
    bridge.open("board").await;
    let mut client = bridge.client("/").await;
    tokio::time::sleep(SILENCE).await;
    pair.device.write("ready\n").await;
    assert_eq!(client.text().await, "ready");
}

#[tokio::test]
async fn what_waited_in_the_system_before_opening_is_discarded() {
    let mut pair = Pair::open().await;
    pair.device.write("old\nold\n").await;
    let bridge = Bridge::start(&["--port", &format!("board={}", pair.path)]).await;
    bridge.open("board").await;
    let mut client = bridge.client("/?view=raw&history=100").await;
    pair.device.write("new").await;
    assert_eq!(client.bytes_of(3).await, b"new");
}

#[tokio::test]
async fn a_sketch_that_ends_no_lines_is_noticed_once() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::start(&["--port", &format!("board={}", pair.path), "--lines"]).await;
    bridge.open("board").await;
    pair.device.write([200; 300]).await;
    let hint = bridge.program.said("no line ends seen").await;
    assert!(hint.contains("--raw"), "{hint}");
}

#[tokio::test]
async fn a_wrong_baud_rate_is_suspected_when_lines_are_not_text() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &["--lines"]).await;
    pair.device.write(b"\xfe\x80\xf8\xe0\n".repeat(200)).await;
    let hint = bridge.program.said("most of the data is not text").await;
    assert!(hint.contains("--baud 9600"), "{hint}");
}

async fn json_client(bridge: &Bridge, target: &str) -> Client {
    let mut client = bridge.client(target).await;
    client.json_of("hello").await;
    client
}
