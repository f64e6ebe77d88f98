//! Devices behind a TCP connection, which the test plays at the other end.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Bridge, Client, Program, Quirks, Remote, SerialServer, until, within};

async fn write(device: &mut TcpStream, bytes: &[u8]) {
    device.write_all(bytes).await.expect("serial-ws reads");
}

/// Reads exactly so many bytes.
async fn read(device: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    let read = within("bytes from serial-ws", device.read_exact(&mut bytes)).await;
    read.expect("serial-ws writes");
    bytes
}

/// Waits for this line.
async fn line(client: &mut Client, text: &str) {
    while client.json_of("line").await["text"] != text {}
}

#[tokio::test]
async fn a_device_behind_tcp_is_a_port_like_any_other() {
    for at in ["127.0.0.1:0", "[::1]:0"] {
        let remote = Remote::listen(at).await;
        let bridge = Bridge::start(&["--port", &remote.spec()]).await;
        let mut device = remote.connected().await;
        let status = bridge.state("board", "open").await;
        assert_eq!(status["detail"], format!("tcp://{} is open", remote.at));
        let mut client = bridge.json_client().await;
        write(&mut device, b"\n12,3\n").await;
        line(&mut client, "12,3").await;
        let all: Vec<u8> = (0..=255).cycle().take(16 << 10).collect();
        let mut raw = bridge.client("/?view=raw").await;
        raw.send_bytes(all.clone()).await;
        assert_eq!(read(&mut device, all.len()).await, all);
        write(&mut device, &all).await;
        assert_eq!(raw.bytes_of(all.len()).await, all);
    }
}

#[tokio::test]
async fn a_connection_that_ends_is_lost_and_made_again() {
    let remote = Remote::listen("127.0.0.1:0").await;
    let bridge = Bridge::start(&["--port", &remote.spec()]).await;
    let device = remote.connected().await;
    let mut client = bridge.json_client().await;
    bridge.open("board").await;
    drop(device);
    let at = remote.at;
    loop {
        let status = client.json().await;
        if status["state"] == "lost" {
            let detail = format!("tcp://{at} was lost: it closed the connection");
            assert_eq!(status["detail"], detail);
            break;
        }
    }
    let mut device = remote.connected().await;
    while client.json().await["state"] != "open" {}
    write(&mut device, b"\nback\n").await;
    line(&mut client, "back").await;
    let port = bridge.port("board").await;
    assert_eq!(port["counters"]["reconnects"], 1, "{port}");
}

#[tokio::test]
async fn one_that_was_lost_and_is_not_there_again_is_said_why() {
    let remote = Remote::listen("127.0.0.1:0").await;
    let (at, spec) = (remote.at, remote.spec());
    let bridge = Bridge::start(&["--port", &spec]).await;
    let device = remote.connected().await;
    let mut client = bridge.json_client().await;
    bridge.open("board").await;
    drop(remote);
    drop(device);
    let status = loop {
        let status = client.json().await;
        if status["state"] == "lost" && status["hint"] != json!(null) {
            break status;
        }
    };
    let expected = format!("cannot connect to {at}: nothing listens there. Check that");
    let hint = status["hint"].as_str().expect("it is text");
    assert!(hint.starts_with(&expected), "{status}");
    bridge.program.said(&expected).await;
    let remote = Remote::listen(&at.to_string()).await;
    let _device = remote.connected().await;
    let status = bridge.state("board", "open").await;
    assert_eq!(status["hint"], json!(null), "{status}");
}

#[tokio::test]
async fn one_that_ends_each_connection_at_once_does_not_fill_the_log() {
    let remote = Remote::listen("127.0.0.1:0").await;
    let bridge = Bridge::start(&["--port", &remote.spec()]).await;
    for _ in 0..4 {
        drop(remote.connected().await);
    }
    let _device = remote.connected().await;
    let count = |part: &str| {
        let log = bridge.program.log();
        log.iter().filter(|line| line.contains(part)).count()
    };
    assert_eq!(count("is open"), 3, "{:#?}", bridge.program.log());
    assert_eq!(count("was lost"), 3, "{:#?}", bridge.program.log());
}

#[tokio::test]
async fn one_that_is_not_there_is_waited_for_with_the_reason() {
    let remote = Remote::listen("127.0.0.1:0").await;
    let (at, spec) = (remote.at, remote.spec());
    drop(remote);
    let bridge = Bridge::start(&["--port", &spec]).await;
    let expected = format!("cannot connect to {at}: nothing listens there");
    let said = bridge.program.said(&expected).await;
    assert!(said.contains("Check that the device is on"), "{said}");
    let status = bridge.state("board", "waiting").await;
    assert_eq!(status["detail"], expected);
    let mut client = bridge.json_client().await;
    let refused = client.refused(json!({"type": "write", "text": "x"})).await;
    assert_eq!(refused, format!("the port is not open: {expected}"));
    let remote = Remote::listen(&at.to_string()).await;
    let _device = remote.connected().await;
    bridge.open("board").await;
}

#[tokio::test]
async fn without_waiting_one_that_is_not_there_ends_the_program() {
    let remote = Remote::listen("127.0.0.1:0").await;
    let (at, spec) = (remote.at, remote.spec());
    drop(remote);
    let ended = Bridge::fail(&["--port", &spec, "--no-wait"]).await;
    ended.with(1, &format!("cannot connect to {at}: nothing listens there"));
}

#[tokio::test]
async fn a_device_that_breaks_off_in_the_middle_is_said_so() {
    let remote = Remote::listen("127.0.0.1:0").await;
    let bridge = Bridge::start(&["--port", &remote.spec()]).await;
    let device = remote.connected().await;
    bridge.open("board").await;
    device.set_zero_linger().expect("a socket can break off");
    drop(device);
    let broken = format!("tcp://{} was lost: it broke off the connection", remote.at);
    bridge.program.said(&broken).await;
}

#[tokio::test]
async fn what_it_has_no_modem_lines_for_is_refused() {
    let remote = Remote::listen("127.0.0.1:0").await;
    let bridge = Bridge::start(&["--port", &remote.spec()]).await;
    let _device = remote.connected().await;
    bridge.open("board").await;
    let mut client = bridge.json_client().await;
    let refused = client.refused(json!({"type": "break", "ms": 10})).await;
    assert_eq!(
        refused,
        "cannot send a break to this device: it cannot do this"
    );
}

/// A modem state as a server tells it: CTS and DSR.
const CTS_AND_DSR: &[u8] = b"\xff\xfa\x2c\x6b\x30\xff\xf0";

#[tokio::test]
async fn a_serial_port_behind_rfc2217_is_set_up_and_its_bytes_pass_unchanged() {
    let mut server = SerialServer::start(Quirks::default()).await;
    let port = format!("{},baud=57600,parity=even,settle=0s", server.spec());
    let bridge = Bridge::start(&["--port", &port]).await;
    let status = bridge.state("board", "open").await;
    let detail = format!("rfc2217://{} is open (57600 baud)", server.at);
    assert_eq!(status["detail"], detail);
    server
        .asks(
            0,
            &["baud 57600", "bits 8", "parity 3", "stop bits 1", "flow 1"],
        )
        .await;
    server.asks(0, &["dtr on", "rts on"]).await;
    let all: Vec<u8> = (0..=255).cycle().take(16 << 10).collect();
    let mut raw = bridge.client("/?view=raw").await;
    raw.send_bytes(all.clone()).await;
    assert!(server.receives(all.len()).await == all);
    let escaped: Vec<u8> = all
        .iter()
        .flat_map(|byte| [*byte].repeat(if *byte == 255 { 2 } else { 1 }))
        .collect();
    for piece in escaped.chunks(1000) {
        server.write(piece).await;
    }
    assert!(raw.bytes_of(all.len()).await == all);
}

#[tokio::test]
async fn settings_lines_and_breaks_reach_a_serial_port_behind_rfc2217() {
    let mut server = SerialServer::start(Quirks::default()).await;
    let bridge = Bridge::start(&["--port", &format!("{},settle=0s", server.spec())]).await;
    bridge.open("board").await;
    let mut client = bridge.json_client().await;
    let before = server.asked().len();
    client
        .acked(json!({"type": "settings", "baud": 115_200}))
        .await;
    server.asks(before, &["baud 115200"]).await;
    while client.json().await["settings"]["baud"] != 115_200 {}
    let before = server.asked().len();
    client
        .acked(json!({"type": "signals", "dtr": false, "rts": false}))
        .await;
    client.acked(json!({"type": "break", "ms": 5})).await;
    server
        .asks(before, &["rts off", "dtr off", "break on", "break off"])
        .await;
    let before = server.asked().len();
    client.acked(json!({"type": "reset"})).await;
    let reset = [
        "rts on", "dtr off", "purge 2", "rts off", "dtr on", "rts on",
    ];
    server.asks(before, &reset).await;
    server.write(CTS_AND_DSR).await;
    let inputs = json!({"cts": true, "dsr": true, "dcd": false, "ri": false});
    until("the inputs", async || {
        let status = bridge.port("board").await["status"].clone();
        (status["inputs"] == inputs).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_the_server_has_in_force_is_what_the_status_shows() {
    let quirks = Quirks {
        rate: Some(9600),
        ..Quirks::default()
    };
    let server = SerialServer::start(quirks).await;
    let port = format!("{},baud=115200,settle=0s", server.spec());
    let bridge = Bridge::start(&["--port", &port]).await;
    let status = bridge.state("board", "open").await;
    let at = server.at;
    assert_eq!(
        status["detail"],
        format!("rfc2217://{at} is open (9600 baud)")
    );
    let hint = "It was asked for 115200 baud, 8N1, and has 9600 baud, 8N1";
    assert_eq!(status["hint"], hint);
    assert_eq!(bridge.port("board").await["settings"]["baud"], 9600);
    let mut client = bridge.json_client().await;
    let refused = client
        .refused(json!({"type": "settings", "baud": 115_200}))
        .await;
    let expected = "cannot change the settings: asked for 115200 baud, 8N1, the device has 9600 \
        baud, 8N1; the settings stay as they were";
    assert_eq!(refused, expected);
    assert_eq!(bridge.port("board").await["settings"]["baud"], 9600);
    // What is asked for when it is opened again is what the user gave.
    let before = server.asked().len();
    let mut server = server;
    server.hang_up().await;
    server.asks(before, &["baud 115200"]).await;
}

#[tokio::test]
async fn what_is_no_rfc2217_server_is_told_so_with_what_to_try() {
    let mute = SerialServer::start(Quirks {
        is_mute: true,
        ..Quirks::default()
    })
    .await;
    let (silent, closes, refuses) = (
        Remote::listen("127.0.0.1:0").await,
        Remote::listen("127.0.0.1:0").await,
        Remote::listen("127.0.0.1:0").await,
    );
    let is_none = "is no RFC 2217 server: ";
    for (at, why) in [
        (silent.at, "it does not answer as one"),
        (mute.at, "it answers no settings"),
        (refuses.at, "it refuses to be one"),
        (closes.at, ""),
    ] {
        let spec = format!("rfc2217://{at}");
        let port = Program::start(&["--port", &spec, "--no-wait", "--listen", "127.0.0.1:0"]);
        let mut port = port;
        let mut device = None;
        if at == refuses.at {
            let mut stream = refuses.connected().await;
            write(&mut stream, b"\xff\xfe\x2c\xff\xfc\x2c").await;
            device = Some(stream);
        }
        if at == closes.at {
            drop(closes.connected().await);
        }
        let expected = match why {
            "" => format!(
                "cannot open the serial port of {at}: it closed the connection. Check that nobody \
                 else uses that port"
            ),
            why => format!("{at} {is_none}{why}. If it is raw TCP: tcp://{at}"),
        };
        port.ended().await.with(1, &expected);
        drop(device);
    }
}
