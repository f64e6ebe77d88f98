//! Recordings of everything that a port receives and sends: that nothing is missing, started and stopped
//! while the program runs, and disks that are full, slow or gone.

use serde_json::{Value, json};
use serial_ws::recording::RecordingEntry;

use crate::support::{Bridge, Pair, Program, Recordings, http, until};

/// A port that is recorded, in a folder that did not exist.
async fn recorded(pair: &mut Pair, arguments: &[&str]) -> (Bridge, Recordings) {
    let recordings = Recordings::new();
    let arguments = [&["--record", recordings.path()], arguments].concat();
    let bridge = Bridge::on(pair, &arguments).await;
    (bridge, recordings)
}

/// What a recorder knows of the port.
async fn recording(bridge: &Bridge) -> Value {
    bridge.port("board").await["status"]["recording"].clone()
}

/// Waits until the recording has this text in an entry.
async fn has(recordings: &Recordings, text: &str) {
    until(&format!("{text:?} in the recording"), async || {
        let files = recordings.names().into_iter();
        let mut texts = files.map(|name| std::fs::read_to_string(recordings.folder.join(name)));
        let found = texts.any(|file| file.is_ok_and(|file| file.contains(text)));
        found.then_some(())
    })
    .await;
}

#[tokio::test]
async fn everything_that_a_port_receives_and_sends_is_recorded_in_order() {
    let mut pair = Pair::open().await;
    let (bridge, recordings) = recorded(&mut pair, &[]).await;
    let mut client = bridge.json_client().await;
    let number = bridge.client("/?view=json").await.json_of("hello").await["client"].clone();
    pair.device.write("584,678,0\r\n").await;
    client.json_of("line").await;
    client.acked(json!({"type": "write", "text": "H\n"})).await;
    pair.device.expect("H\n").await;
    client
        .acked(json!({"type": "note", "text": "second trial"}))
        .await;
    pair.device.write(b"\xff\xfe bad\n").await;
    client.json_of("line").await;
    let status = recording(&bridge).await;
    assert!(status["bytes"].as_u64() > Some(100), "{status}");
    bridge.stop().await;

    assert_eq!(recordings.sent("board"), b"H\n");
    let files = recordings.read("board");
    let [file] = &files[..] else {
        panic!("there are {} files", files.len());
    };
    assert_eq!(status["file"], json!(file.name.to_string()));
    assert_eq!(file.header.offset, 0);
    assert!(!file.is_torn);
    let client = number.as_u64().map(|number| number - 1);
    let mut entries = file.entries.iter().filter_map(|entry| match entry {
        RecordingEntry::Received { bytes, .. } => Some(("rx", bytes.to_vec())),
        RecordingEntry::Sent {
            bytes, client: by, ..
        } => {
            assert_eq!(*by, client);
            Some(("tx", bytes.to_vec()))
        }
        RecordingEntry::Note { text, .. } => Some(("note", text.clone().into())),
        RecordingEntry::Status { .. } => None,
        RecordingEntry::Missed { .. } => panic!("{entry:?}"),
    });
    // The line that brought the port into step.
    assert_eq!(entries.next(), Some(("rx", b"\n".to_vec())));
    for expected in [
        ("rx", &b"584,678,0\r\n"[..]),
        ("tx", b"H\n"),
        ("note", b"second trial"),
        ("rx", b"\xff\xfe bad\n"),
    ] {
        assert_eq!(entries.next(), Some((expected.0, expected.1.to_vec())));
    }
    assert_eq!(entries.next(), None);
    let device = file.entries.iter().find_map(|entry| match entry {
        RecordingEntry::Status { device, state, .. } if state == "open" => device.clone(),
        _ => None,
    });
    let path = device
        .map(|device| device.path)
        .or(file.header.path.clone());
    assert_eq!(path.as_deref(), Some(&*pair.path));
}

#[tokio::test]
async fn a_recording_is_stopped_and_started_again_with_what_came_meanwhile() {
    let mut pair = Pair::open().await;
    let (bridge, recordings) = recorded(&mut pair, &[]).await;
    let mut client = bridge.json_client().await;
    let mut line = async |text: &str| {
        pair.device.write(text).await;
        client.json_of("line").await;
    };
    line("first\n").await;
    let mut other = bridge.json_client().await;
    other.acked(json!({"type": "record", "on": false})).await;
    assert_eq!(recording(&bridge).await, Value::Null);
    let error = other.refused(json!({"type": "note", "text": "now"})).await;
    assert_eq!(error, "nothing is being recorded");
    line("second\n").await;
    let answer = post(&bridge, "record?on=true").await;
    assert!(
        answer["status"]["recording"]["file"].is_string(),
        "{answer}"
    );
    other.acked(json!({"type": "record", "on": true})).await;
    line("third\n").await;
    bridge.stop().await;
    assert_eq!(recordings.received("board"), b"\nfirst\nsecond\nthird\n");
    assert_eq!(recordings.read("board").len(), 2);
}

#[tokio::test]
async fn nobody_records_where_the_operator_named_no_folder() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut client = bridge.json_client().await;
    let error = client.refused(json!({"type": "record", "on": true})).await;
    let expected = "there is no folder for recordings: start serial-ws with --record DIR";
    assert_eq!(error, expected);
    let reply = http(
        bridge.address(),
        "POST",
        "/api/ports/board/record?on=true",
        &[],
    )
    .await;
    assert_eq!((reply.status, reply.body.trim_end()), (409, expected));
    let reply = http(
        bridge.address(),
        "POST",
        "/api/ports/board/record?off=1",
        &[],
    )
    .await;
    assert_eq!(reply.status, 400);
}

#[tokio::test]
async fn one_who_may_only_read_neither_records_nor_remarks() {
    let mut pair = Pair::open().await;
    let (bridge, _recordings) = recorded(&mut pair, &["--read-only"]).await;
    let mut client = bridge.json_client().await;
    for request in [
        json!({"type": "record", "on": false}),
        json!({"type": "note", "text": "x"}),
    ] {
        let error = client.refused(request).await;
        assert_eq!(error, "this port is read-only (--read-only)");
    }
    let reply = http(
        bridge.address(),
        "POST",
        "/api/ports/board/note?text=x",
        &[],
    )
    .await;
    assert_eq!(reply.status, 403);
}

#[tokio::test]
async fn complete_files_are_compressed_and_the_oldest_go() {
    let mut pair = Pair::open().await;
    let sizes = ["--record-segment", "4KiB", "--record-keep", "16KiB"];
    let (bridge, recordings) = recorded(&mut pair, &sizes).await;
    let mut client = bridge.json_client().await;
    // Digits can hardly be compressed to less than a half.
    let text: String = (0..1200_u64)
        .map(|n| format!("{:020}\n", n * n * 7_919_017_733_111))
        .collect();
    for lines in text.as_bytes().chunks(21 * 50) {
        pair.device.write(lines).await;
        for _ in 0..50 {
            client.json_of("line").await;
        }
    }
    has(
        &recordings,
        text.lines().next_back().expect("there are lines"),
    )
    .await;
    until("old files to be compressed and removed", async || {
        let names = recordings.names();
        let plain = names.iter().filter(|name| name.ends_with(".jsonl")).count();
        let files = names.iter().map(|name| recordings.folder.join(name));
        let sizes = files.map(|file| file.metadata().map_or(0, |file| file.len()));
        (plain == 1 && sizes.sum::<u64>() <= 16 << 10).then_some(())
    })
    .await;
    bridge.stop().await;
    let files = recordings.read("board");
    assert!(files.len() > 2 && files[0].header.offset > 0);
    let last: Vec<u8> =
        files
            .iter()
            .flat_map(|file| &file.entries)
            .fold(Vec::new(), |mut all, entry| {
                if let RecordingEntry::Received { bytes, .. } = entry {
                    all.extend_from_slice(bytes);
                }
                all
            });
    assert!(
        text.as_bytes().ends_with(&last),
        "the newest lines are not there"
    );
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_to_ends_the_program_with_the_reason() {
    let recordings = Recordings::new();
    let missing = recordings.folder.join("missing");
    let missing = missing.to_str().expect("its path is text");
    let ended = Program::run(&["sim", "--listen", "0", "--record", missing]).await;
    ended.with(1, &format!("cannot record to {missing}: "));
    // Not even root writes there.
    #[cfg(target_os = "linux")]
    {
        let ended = Program::run(&["sim", "--listen", "0", "--record", "/sys"]).await;
        ended.with(1, "cannot record to /sys: permission denied");
    }
}

async fn post(bridge: &Bridge, action: &str) -> Value {
    let path = format!("/api/ports/board/{action}");
    let reply = http(bridge.address(), "POST", &path, &[]).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.json()
}

/// What a recording tells beside bytes: notes, and statuses without those that are of playing itself.
fn told(recordings: &Recordings) -> (Vec<String>, Vec<(String, String)>) {
    let entries = recordings
        .read("board")
        .into_iter()
        .flat_map(|file| file.entries);
    let (mut notes, mut statuses) = (Vec::new(), Vec::new());
    for entry in entries {
        match entry {
            RecordingEntry::Note { text, .. } => notes.push(text),
            RecordingEntry::Status { state, detail, .. } => statuses.push((state, detail)),
            _ => {}
        }
    }
    let is_of_playing = |detail: &str| {
        detail == "not open yet"
            || detail.contains("is open (recording, ")
            || detail.ends_with("the recording has ended")
    };
    statuses.retain(|(_, detail)| !is_of_playing(detail));
    (notes, statuses)
}

#[tokio::test]
async fn a_recording_that_is_played_and_recorded_again_is_the_same() {
    let mut pair = Pair::open().await;
    let (bridge, recordings) = recorded(&mut pair, &[]).await;
    let mut client = bridge.json_client().await;
    for (n, line) in ["584,678,0\r\n", "\u{fffd} no number\n", "\x00\x01\x7f\n"]
        .iter()
        .enumerate()
    {
        pair.device.write(line).await;
        client.json_of("line").await;
        client
            .acked(json!({"type": "note", "text": format!("note {n}")}))
            .await;
        client
            .acked(json!({"type": "write", "text": format!("{n}\n")}))
            .await;
        pair.device.expect(format!("{n}\n")).await;
    }
    // What a board sends without a line end, and after it was lost, where one can be.
    let mut bytes = bridge.port("board").await["bytes"].as_u64().unwrap_or(0);
    let mut sent = async |pair: &mut Pair, text: &str| {
        pair.device.write(text).await;
        bytes += text.len() as u64;
        until("all of it", async || {
            (bridge.port("board").await["bytes"] == bytes).then_some(())
        })
        .await;
    };
    sent(&mut pair, "no end").await;
    #[cfg(unix)]
    if Pair::are_ours() {
        pair.unplug();
        bridge.state("board", "lost").await;
        pair.plug_in();
        bridge.open("board").await;
        sent(&mut pair, "again\n").await;
    }
    bridge.stop().await;
    let received = recordings.received("board");
    assert!(
        received.windows(6).any(|part| part == b"no end"),
        "{received:?}"
    );

    let again = Recordings::new();
    let play = format!("board=play:{},speed=max", recordings.path());
    let bridge = Bridge::start(&["--port", &play, "--record", again.path()]).await;
    let path = until("the end", async || {
        let port = bridge.port("board").await;
        let detail = port["status"]["detail"].as_str()?;
        detail
            .contains("the recording has ended")
            .then(|| port["path"].clone())
    })
    .await;
    assert_eq!(
        path, *pair.path,
        "it is shown as the device that was recorded"
    );
    bridge.stop().await;
    assert_eq!(again.received("board"), received);
    assert_eq!(again.sent("board"), recordings.sent("board"));
    assert_eq!(again.sent("board"), b"0\n1\n2\n");
    assert_eq!(told(&again), told(&recordings));
}

#[tokio::test]
async fn two_ports_record_to_one_folder_where_others_have_files() {
    let recordings = Recordings::new();
    std::fs::create_dir(&recordings.folder).expect("a folder can be made");
    let write = |name: &str, text: &str| {
        std::fs::write(recordings.folder.join(name), text).expect("it can be written");
    };
    write("a-20000101T000000Z.jsonl", "somebody else's\n");
    write("notes.txt", "mine\n");
    let keep = ["--record-keep", "4KiB", "--record-segment", "4KiB"];
    let ports = ["a=sim", "b=sim", "--record", recordings.path()];
    let bridge = Bridge::start(&[&ports[..], &keep].concat()).await;
    for port in ["a", "b"] {
        until("the third file", async || {
            let status = bridge.port(port).await["status"]["recording"].clone();
            (status["bytes"].as_u64() > Some(12 << 10)).then_some(())
        })
        .await;
    }
    bridge.stop().await;
    for port in ["a", "b"] {
        let files = recordings.names().into_iter();
        let ours = files
            .filter(|name| name.starts_with(&format!("{port}-20")) && !name.starts_with("a-2000"));
        assert!(ours.count() > 0, "{port} has no files");
    }
    let read = |name: &str| std::fs::read_to_string(recordings.folder.join(name));
    assert!(read("a-20000101T000000Z.jsonl").is_ok_and(|text| text == "somebody else's\n"));
    assert!(read("notes.txt").is_ok_and(|text| text == "mine\n"));
}
