//! Recordings as devices: what is played, and how clients control it.

use std::path::PathBuf;

use serde_json::json;

use crate::support::{Bridge, http, until};

const HEADER: &str = r#"{"recording":"serial-ws","version":1,"run":"r","port":"uno","path":"/dev/ttyX","board":"Arduino Uno","settings":{"baud":300,"parity":"even"},"t":100}"#;

/// A recording, which is removed at the end.
struct Recording(PathBuf);

impl Recording {
    /// A recording with these entries, in a folder whose name needs quotes.
    fn new(name: &str, entries: &[String]) -> Self {
        let folder = format!("serial-ws playback, {} {name}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        std::fs::create_dir_all(&folder).expect("a folder can be made");
        let text = format!("{HEADER}\n{}\n", entries.join("\n"));
        std::fs::write(folder.join("lesson.jsonl"), text).expect("a file can be written");
        Self(folder)
    }

    /// The SPEC that plays it.
    fn spec(&self, settings: &str) -> String {
        format!("p=play:'{}'{settings}", self.0.display())
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Lines with the numbers from 0 on, a tenth of a second apart.
fn numbers(count: u64) -> Vec<String> {
    let lines =
        (0..count).map(|n| format!(r#"{{"t":{}.{},"rx":"{n}\r\n"}}"#, 100 + n / 10, n % 10));
    lines.collect()
}

#[tokio::test]
async fn clients_see_the_lines_the_losses_and_the_settings_of_the_recording() {
    let mut entries = numbers(3);
    entries.push(r#"{"t":101,"status":"lost","detail":"it was unplugged"}"#.to_owned());
    entries.push(r#"{"t":102,"status":"open","detail":"it is back"}"#.to_owned());
    entries.push(r#"{"t":103,"rx":"3\n"}"#.to_owned());
    let recording = Recording::new("seen", &entries);
    let bridge = Bridge::start(&["--port", &recording.spec(",speed=max")]).await;
    until("the end", async || {
        let detail = bridge.port("p").await["status"]["detail"].clone();
        (detail == "/dev/ttyX was lost: the recording has ended").then_some(())
    })
    .await;
    let mut client = bridge.client("/?view=json").await;
    let hello = client.json().await;
    assert_eq!(hello["port"]["path"], "/dev/ttyX", "{hello}");
    assert_eq!(hello["port"]["board"], "Arduino Uno", "{hello}");
    let settings = &hello["port"]["settings"];
    assert_eq!(settings["baud"], 300, "{hello}");
    assert_eq!(settings["fixed"]["parity"], "the recording", "{hello}");
    // Not waiting for a reply: lines may come before it.
    client
        .send_json(json!({"type": "playback", "seek": 0}))
        .await;
    let mut seen = Vec::new();
    while seen.last().is_none_or(|last| last != "3") {
        let object = client.json().await;
        match object["type"].as_str() {
            Some("line") => seen.push(object["text"].as_str().unwrap_or("?").to_owned()),
            Some("status") => seen.push(object["detail"].as_str().unwrap_or("?").to_owned()),
            _ => panic!("{object}"),
        }
    }
    seen.dedup();
    let start = seen
        .iter()
        .position(|text| text == "0")
        .expect("0 was played");
    let expected = ["0", "1", "2", "it was unplugged", "it is back", "3"];
    assert_eq!(seen[start..], expected);
    let error = client
        .refused(json!({"type": "settings", "baud": 9600}))
        .await;
    assert_eq!(error, "baud is fixed to 300 by the recording");
    // It stays at its end, and takes no time there.
    bridge.program.rests(0.05).await;
    assert_eq!(bridge.port("p").await["counters"]["opened"], 4);
}

#[tokio::test]
async fn clients_pause_it_and_go_to_other_places() {
    let recording = Recording::new("controlled", &numbers(36_000));
    let bridge = Bridge::start(&["--port", &recording.spec(",from=10s")]).await;
    let mut client = bridge.json_client().await;
    client
        .acked(json!({"type": "playback", "pause": true}))
        .await;
    let length = until("the length to be known", async || {
        bridge.port("p").await["status"]["playback"]["length"].as_f64()
    })
    .await;
    assert_eq!(length, 3599.9);
    client
        .acked(json!({"type": "playback", "seek": 3000, "speed": 1000}))
        .await;
    let playback = bridge.port("p").await["status"]["playback"].clone();
    let expected = json!({"position": 3000, "length": 3599.9, "speed": 1000, "paused": true});
    assert_eq!(playback, expected);
    // What was read before the pause may still be on its way.
    let mut other = bridge.json_client().await;
    client
        .acked(json!({"type": "playback", "pause": false}))
        .await;
    let line = other.json_of("line").await;
    assert_eq!(line["text"], "30000", "{line}");
    bridge.state("p", "lost").await;

    let reply = http(
        bridge.address(),
        "POST",
        "/api/ports/p/playback?seek=0&pause=true",
        &[],
    )
    .await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let playback = reply.json()["status"]["playback"].clone();
    assert_eq!(playback["position"], 0, "{playback}");
    bridge.open("p").await;
}

#[tokio::test]
async fn what_cannot_be_controlled_is_told() {
    let recording = Recording::new("refused", &numbers(600));
    let spec = recording.spec("");
    let bridge = Bridge::start(&["--port", &spec, "--port", "sim"]).await;
    let mut client = bridge.json_client().await;
    until("the length to be known", async || {
        bridge.port("p").await["status"]["playback"]["length"].as_f64()
    })
    .await;
    for (change, expected) in [
        (
            json!({"seek": 60}),
            "from 0 to 59.9, where the recording ends",
        ),
        (
            json!({"seek": -1}),
            "\"seek\" must be a time in seconds such as 90",
        ),
        (
            json!({"speed": 0}),
            "\"speed\" must be a number from 0.01 to 1000",
        ),
        (json!({"paused": true}), "`paused`; did you mean `pause`?"),
        (json!({}), "playback takes one or more of \"pause\", "),
    ] {
        let mut request = change.clone();
        request["type"] = "playback".into();
        let error = client.refused(request).await;
        assert!(error.contains(expected), "{change}: {error}");
    }
    let mut board = bridge.client("/ports/sim?view=json").await;
    board.json_of("hello").await;
    let error = board
        .refused(json!({"type": "playback", "pause": true}))
        .await;
    assert_eq!(error, "this port plays no recording: only play:FILE does");
    for (call, status) in [
        ("p/playback?speed=x", 400),
        ("sim/playback?pause=true", 409),
    ] {
        let path = format!("/api/ports/{call}");
        let reply = http(bridge.address(), "POST", &path, &[]).await;
        assert_eq!(reply.status, status, "{reply:?}");
    }
    let reader = Bridge::start(&["--port", &spec, "--read-only"]).await;
    let mut client = reader.json_client().await;
    let error = client
        .refused(json!({"type": "playback", "pause": true}))
        .await;
    assert!(error.contains("read-only"), "{error}");
}

#[tokio::test]
async fn what_clients_write_is_acknowledged_and_counted() {
    let recording = Recording::new("written", &numbers(600));
    let bridge = Bridge::start(&["--port", &recording.spec("")]).await;
    let mut client = bridge.json_client().await;
    let ack = client
        .reply(json!({"type": "write", "text": "hello"}))
        .await;
    assert_eq!((&ack["type"], &ack["bytes"]), (&json!("ack"), &json!(5)));
    assert_eq!(bridge.port("p").await["counters"]["dropped_bytes"], 5);
    let metrics = bridge.get("/metrics").await.body;
    let expected = "serial_ws_dropped_bytes_total{port=\"p\"} 5\n";
    assert!(metrics.contains(expected), "{metrics}");
}

#[tokio::test]
async fn what_cannot_be_played_ends_the_program_with_the_reason() {
    let recording = Recording::new("wrong", &[]);
    let file = recording.0.join("lesson.jsonl");
    std::fs::write(&file, "584,678,0\n").expect("a file can be written");
    let spec = format!("play:'{}'", file.display());
    let ended = Bridge::fail(&["--port", &spec]).await;
    ended.with(1, "lesson.jsonl: it is no recording of serial-ws");
    let ended = Bridge::fail(&["--port", "play:no-such-file.jsonl"]).await;
    ended.with(1, "cannot read no-such-file.jsonl");
    let ended = Bridge::fail(&["--port", "play:my lesson.jsonl"]).await;
    ended.with(1, "a name with blanks stands between quotes");
}

#[tokio::test]
async fn a_released_recording_stands_still_and_goes_on() {
    let recording = Recording::new("released", &numbers(36_000));
    let bridge = Bridge::start(&["--port", &recording.spec("")]).await;
    let mut client = bridge.json_client().await;
    client
        .acked(json!({"type": "release", "seconds": 60}))
        .await;
    let position = || async { bridge.port("p").await["status"]["playback"]["position"].as_f64() };
    let before = position().await;
    assert_eq!(position().await, before);
    client.acked(json!({"type": "resume"})).await;
    bridge.open("p").await;
    client.json_of("line").await;
    // So does one that has ended.
    client
        .acked(json!({"type": "playback", "speed": "max"}))
        .await;
    bridge.state("p", "lost").await;
    client
        .acked(json!({"type": "release", "seconds": 60}))
        .await;
    bridge.state("p", "released").await;
    client.acked(json!({"type": "playback", "seek": 0})).await;
    client.acked(json!({"type": "resume"})).await;
    bridge.open("p").await;
}
