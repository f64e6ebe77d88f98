//! Every member of every message is in `tests/messages.jsonl`, with which the types of the client library
//! are compared.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::hub::{
    Advice, BaudChange, DeviceInfo, FlowControl, LineErrors, LineSettings, LockHolder, ModemInputs,
    Parity, Playback, PlaybackChange, PlaybackSpeed, SettingsChange,
};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/messages.jsonl");

/// Fails to compile for a new type of message, which needs its place below.
fn knows(server: &ServerMessage<'_>, client: &ClientMessage) {
    match server {
        ServerMessage::Hello(_)
        | ServerMessage::Status(_)
        | ServerMessage::Line { .. }
        | ServerMessage::Data { .. }
        | ServerMessage::Chunk(_)
        | ServerMessage::Missed { .. }
        | ServerMessage::Ack { .. }
        | ServerMessage::Reply { .. }
        | ServerMessage::Error { .. }
        | ServerMessage::Written { .. }
        | ServerMessage::Devices { .. }
        | ServerMessage::Unknown => {}
    }
    match client {
        ClientMessage::Write { .. }
        | ClientMessage::Ask(_)
        | ClientMessage::Signals { .. }
        | ClientMessage::Break { .. }
        | ClientMessage::Settings(_)
        | ClientMessage::Playback(_)
        | ClientMessage::Lock { .. }
        | ClientMessage::Unlock
        | ClientMessage::Record { .. }
        | ClientMessage::Note { .. }
        | ClientMessage::Reset
        | ClientMessage::Release(_)
        | ClientMessage::Resume { .. }
        | ClientMessage::Unknown => {}
    }
}

#[test]
fn the_file_of_messages_has_every_member() {
    let (server, client) = (server_messages(), client_messages());
    for (server, client) in server.iter().zip(client.iter().cycle()) {
        knows(server, client);
    }
    let id = Id::from(&json!(7));
    let server = server.iter().map(ServerMessage::to_json);
    let client = client.iter().map(|message| message.to_json(&id));
    let rows = server.map(|message| format!("{{\"from\":\"serial-ws\",\"message\":{message}}}\n"));
    let rows = rows.chain(client.map(|it| format!("{{\"from\":\"client\",\"message\":{it}}}\n")));
    let rows: String = rows.collect();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(FILE, &rows).unwrap();
    }
    let file = std::fs::read_to_string(FILE).unwrap();
    assert_eq!(
        file, rows,
        "to rewrite it: UPDATE_DOCS=1 cargo test members_tests"
    );
}

fn server_messages() -> Vec<ServerMessage<'static>> {
    let t = Timestamp(1_795_169_654_514_300);
    let texts = [Content::Text("light: 80".into()), Content::Bytes(bytes())];
    let line = |content| ServerMessage::Line {
        seq: 5,
        t,
        content,
        values: Some(json!({ "light": 80 })),
        partial: true,
    };
    let written = |content| ServerMessage::Written {
        t,
        content,
        client: 3,
        name: Some("esptool".into()),
    };
    let mut messages = vec![
        ServerMessage::Hello(Box::new(hello())),
        ServerMessage::Status(status()),
        ServerMessage::Data {
            offset: 18,
            t,
            bytes: bytes(),
        },
        ServerMessage::Chunk(chunk()),
        ServerMessage::Missed { lines: 3, bytes: 9 },
        ServerMessage::Ack {
            id: Id::from(&json!(7)),
            bytes: 3,
        },
        ServerMessage::Error {
            error: "the port is not open".into(),
            id: Some(Id::from(&json!(7))),
            bytes: 1,
            code: Some(hub::ErrorCode::Timeout),
        },
        // What they have is made by the program; the tests of the types take it from there.
        ServerMessage::Devices {
            devices: Vec::new(),
        },
    ];
    let reply = |content| ServerMessage::Reply {
        id: Id::from(&json!(7)),
        content,
    };
    messages.extend(texts.clone().map(reply));
    messages.extend(texts.clone().map(line));
    messages.extend(texts.map(written));
    messages
}

fn client_messages() -> Vec<ClientMessage> {
    let write = |text, bytes, frame| ClientMessage::Write {
        urgent: true,
        text,
        bytes,
        frame,
    };
    let ask = |text, bytes, until: serde_json::Value| {
        ClientMessage::Ask(AskMessage {
            text,
            bytes,
            lines: (until == "line").then(|| 1.into()),
            until: Some(until),
            timeout: Some(2000.into()),
        })
    };
    let release = |seconds, r#while| ClientMessage::Release(ReleaseMessage { seconds, r#while });
    vec![
        write(Some("H\n".to_owned()), None, None),
        write(None, Some(bytes()), None),
        write(None, None, Some(bytes())),
        ask(Some("*IDN?\n".to_owned()), None, json!("line")),
        ask(None, Some(bytes()), json!({ "bytes": 8 })),
        ask(
            Some("AT\r".to_owned()),
            None,
            json!({ "text": ["OK", "ERROR"] }),
        ),
        ask(Some("?".to_owned()), None, json!({ "gap": 50 })),
        ClientMessage::Signals {
            dtr: Some(true),
            rts: Some(false),
        },
        ClientMessage::Break {
            ms: Some(250.into()),
            on: None,
        },
        ClientMessage::Break {
            ms: None,
            on: Some(true),
        },
        ClientMessage::Settings(SettingsChange {
            baud: Some(BaudChange::Auto),
            data_bits: Some(7),
            parity: Some(Parity::Even),
            stop_bits: Some(2),
            flow_control: Some(FlowControl::Hardware),
            dtr: Some(true),
            rts: Some(false),
        }),
        ClientMessage::Playback(PlaybackChange {
            pause: Some(true),
            seek: Some(90.5),
            speed: Some(PlaybackSpeed::Times(2.0)),
        }),
        ClientMessage::Playback(PlaybackChange {
            speed: Some(PlaybackSpeed::Max),
            ..PlaybackChange::default()
        }),
        ClientMessage::Lock {
            name: Some("esptool".to_owned()),
            restore: true,
        },
        ClientMessage::Unlock,
        ClientMessage::Record { on: true },
        ClientMessage::Note {
            text: "second trial".to_owned(),
        },
        ClientMessage::Reset,
        release(Some(60.0), None),
        release(None, Some("connected".to_owned())),
        ClientMessage::Resume { released_by: None },
        ClientMessage::Resume {
            released_by: Some(3),
        },
    ]
}

fn chunk() -> ChunkMessage<'static> {
    ChunkMessage {
        place: StreamPlace { seq: 4, offset: 18 },
        t: Timestamp(1_795_169_654_514_300),
        bytes: bytes(),
        lines: vec![ChunkLine {
            content: Content::Text("21,40".into()),
            partial: true,
            piece: true,
            header: Some(HeaderMessage {
                separator: ',',
                names: vec!["t".into(), "h".into()],
            }),
        }],
        cut: true,
    }
}

fn hello() -> HelloMessage<'static> {
    HelloMessage {
        version: VERSION,
        run: "a343848cc485e218".into(),
        seq: 4,
        offset: 18,
        client: Some(2),
        max_message: 65536,
        port: ConnectedPort {
            name: "uno".into(),
            device: Some(Cow::Owned(DeviceInfo {
                path: "/dev/ttyACM0".into(),
                board: Some("Arduino Uno".into()),
                usb: Some("usb:2341:0043:A1".into()),
                low_latency: true,
            })),
            // As for the devices.
            settings: json!({}),
        },
        newest: Some(StreamPlace { seq: 5, offset: 22 }),
        ports: vec!["uno".to_owned()].into(),
        status: StatusMessage {
            settings: None,
            ..status()
        },
    }
}

fn status() -> StatusMessage<'static> {
    let settings = LineSettings {
        baud_auto: true,
        baud_detected: true,
        ..LineSettings::default()
    };
    StatusMessage {
        state: "open".into(),
        detail: "/dev/ttyUSB0 is open (9600 baud)".into(),
        hint: "each message ends with CR instead of a line feed: use --frame cr".into(),
        advice: Some(Cow::Owned(Advice {
            baud: Some(115_200),
            data_bits: Some(7),
            parity: Some(Parity::Odd),
            frame: Some("cr".into()),
            view: Some("raw".into()),
            max_line: Some(65_536),
        })),
        errors: Some(LineErrors {
            framing: 1,
            parity: 2,
            overrun: 3,
        }),
        inputs: Some(ModemInputs {
            cts: true,
            dsr: true,
            dcd: false,
            ri: false,
        }),
        writer: Some(Cow::Owned(LockHolder {
            client: 3,
            name: Some("esptool".into()),
        })),
        playback: Some(Box::new(Playback {
            position: Duration::from_millis(12_345),
            length: Some(Duration::from_secs(300)),
            speed: PlaybackSpeed::Times(2.0),
            paused: true,
        })),
        recording: Some(Box::new(RecordingMessage {
            file: "uno-20261201T101141Z.jsonl".into(),
            bytes: 4711,
            since: Timestamp(1_795_169_654_514_300),
            problem: "the disk is full".into(),
        })),
        outputs: vec![OutputMessage {
            kind: "mqtt".into(),
            at: "mqtt://localhost/lab".into(),
            state: "waiting".into(),
            problem: "nothing listens there. Check that the broker runs, and its TCP port".into(),
            clients: Some(0),
            sent: 4711,
            missed: 12,
            reconnects: 1,
        }],
        settings: Some(settings.to_json()),
    }
}

fn bytes() -> Base64<'static> {
    Base64(vec![0, 1, 255].into())
}
