//! Outputs: programs that are no WebSocket clients at a port.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Bridge, Pair, Program, Quirks, Remote, SerialServer, until, within};

/// A TCP port that nobody listens at.
async fn free_tcp_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await;
    let address = listener.and_then(|listener| listener.local_addr());
    address.expect("a socket can listen").port()
}

async fn connect(at: impl Into<SocketAddr>) -> TcpStream {
    let connected = within("a connection", TcpStream::connect(at.into())).await;
    connected.expect("serial-ws listens")
}

/// A bridge with a port that has an output of this kind, and a connection to it.
async fn output(pair: &mut Pair, kind: &str, arguments: &[&str]) -> (Bridge, TcpStream, u16) {
    let tcp_port = free_tcp_port().await;
    let setting = format!("{tcp_port}");
    let bridge = Bridge::on(pair, &[&[kind, &setting], arguments].concat()).await;
    let stream = connect(([127, 0, 0, 1], tcp_port)).await;
    bridge
        .program
        .said(&format!("connected: {}", &kind[2..]))
        .await;
    (bridge, stream, tcp_port)
}

async fn read(stream: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    let read = within("bytes from serial-ws", stream.read_exact(&mut bytes)).await;
    read.expect("serial-ws writes");
    bytes
}

async fn write(stream: &mut TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).await.expect("serial-ws reads");
}

/// Waits until serial-ws has closed the connection.
async fn closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    // It may break off what it does not read.
    let _ = within("the end of the connection", stream.read_to_end(&mut rest)).await;
}

#[tokio::test]
async fn raw_tcp_clients_share_the_port_with_pages() {
    let mut pair = Pair::open().await;
    let (bridge, mut stream, tcp_port) = output(&mut pair, "--tcp", &[]).await;
    let mut page = bridge.client("/?view=raw").await;
    let mut other = connect(([127, 0, 0, 1], tcp_port)).await;
    let all: Vec<u8> = (0..=255).cycle().take(4 << 10).collect();
    write(&mut stream, &all).await;
    pair.device.expect(&all).await;
    write(&mut other, b"short").await;
    pair.device.expect("short").await;
    pair.device.write(&all).await;
    assert!(read(&mut stream, all.len()).await == all);
    assert!(page.bytes_of(all.len()).await == all);
    let port = bridge.port("board").await;
    assert_eq!(port["clients"], 1, "an output is no client: {port}");
}

#[tokio::test]
async fn nothing_that_a_browser_sends_is_written() {
    let mut pair = Pair::open().await;
    let (bridge, stream, tcp_port) = output(&mut pair, "--tcp", &[]).await;
    drop(stream);
    for bytes in [
        &b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..],
        b"POST /x HTTP/1.1\r\nContent-Length: 4\r\n\r\nG28\n",
        b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1",
        b"\x00\x70\x00\x01\x00\x5c\x21\x12\xa4\x42user",
    ] {
        let mut stream = connect(([127, 0, 0, 1], tcp_port)).await;
        write(&mut stream, bytes).await;
        closed(&mut stream).await;
    }
    bridge
        .program
        .said("it began with an HTTP request, as a browser does")
        .await;
    bridge.program.said("it began with a TLS handshake").await;
    bridge.program.said("it began with a STUN request").await;
    let mut stream = connect(([127, 0, 0, 1], tcp_port)).await;
    write(&mut stream, b"G28\n").await;
    pair.device.expect("G28\n").await;
}

#[tokio::test]
async fn while_a_client_has_the_write_lock_an_output_writes_nothing() {
    let mut pair = Pair::open().await;
    let (bridge, mut stream, _) = output(&mut pair, "--tcp", &[]).await;
    let mut client = bridge.json_client().await;
    client
        .acked(json!({"type": "lock", "name": "esptool"}))
        .await;
    write(&mut stream, b"dropped!").await;
    bridge.program.said("has the write lock").await;
    client.acked(json!({"type": "write", "text": "mine"})).await;
    pair.device.expect("mine").await;
    client.acked(json!({"type": "unlock"})).await;
    write(&mut stream, b"yours").await;
    pair.device.expect("yours").await;
}

#[tokio::test]
async fn a_port_that_only_reads_has_outputs_that_only_read() {
    let mut pair = Pair::open().await;
    let (bridge, mut stream, _) = output(&mut pair, "--tcp", &["--read-only"]).await;
    write(&mut stream, b"anything").await;
    bridge
        .program
        .said("dropped what it sent: this output only reads")
        .await;
    pair.device.write("12\n").await;
    assert_eq!(read(&mut stream, 3).await, b"12\n");
}

#[tokio::test]
async fn one_that_never_reads_delays_nobody_and_what_it_missed_is_counted() {
    let remote = Remote::listen("127.0.0.1:0").await;
    let tcp_port = free_tcp_port().await;
    let port = format!("{},tcp={tcp_port}", remote.spec());
    let bridge = Bridge::start(&["--port", &port]).await;
    let mut device = remote.connected().await;
    bridge.open("board").await;
    let mut stalled = connect(([127, 0, 0, 1], tcp_port)).await;
    bridge.program.said("connected: tcp").await;
    let mut page = bridge.client("/?view=raw").await;
    let total = 24 << 20;
    let flood = tokio::spawn(async move {
        let chunk = vec![b'x'; 64 << 10];
        for _ in 0..total / chunk.len() {
            device.write_all(&chunk).await.expect("serial-ws reads");
        }
        device
    });
    let mut received = 0;
    while received < total {
        received += page.bytes().await.len();
    }
    let mut device = flood.await.expect("the device does not panic");
    assert_eq!(received, total, "the page has everything");
    if let Some(memory) = bridge.program.peak_memory() {
        assert!(memory < 48 << 20, "{memory}");
    }
    // Once it reads, it goes on where it can, and what it missed is counted.
    write(&mut device, b"end").await;
    let mut late = Vec::new();
    while !late.ends_with(b"end") {
        let read = within("the rest", stalled.read_buf(&mut late)).await;
        assert!(read.expect("serial-ws writes") > 0);
    }
    stalled.set_zero_linger().expect("a socket can break off");
    drop(stalled);
    let left = bridge.program.said("left: tcp").await;
    let missed = total + 3 - late.len();
    assert!(
        left.contains(&format!(", which missed {missed} bytes")),
        "{left}"
    );
}

#[tokio::test]
async fn what_cannot_be_an_output_is_refused_at_the_start() {
    let taken = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a socket can listen");
    let port = taken.local_addr().expect("it has an address").port();
    let tcp_port = port.to_string();
    let ended = Bridge::fail(&["--port", "sim", "--tcp", &tcp_port]).await;
    let by = if cfg!(target_os = "linux") {
        format!("(pid {}). Choose another", std::process::id())
    } else {
        "Choose another".to_owned()
    };
    let expected =
        format!("cannot listen on 127.0.0.1:{port} for tcp={port}: the TCP port is in use");
    ended.with(1, &expected);
    ended.with(1, &by);
}

#[tokio::test]
async fn a_program_with_rfc2217_changes_what_is_fixed_while_pages_watch_and_it_returns() {
    let mut device = SerialServer::start(Quirks::default()).await;
    let tcp_port = free_tcp_port().await;
    let port = format!("{},baud=9600,settle=0s,rfc2217={tcp_port}", device.spec());
    let bridge = Bridge::start(&["--port", &port]).await;
    bridge.open("board").await;
    let mut page = bridge.json_client().await;
    let before = device.asked().len();
    let port = format!("board=rfc2217://127.0.0.1:{tcp_port},baud=115200,settle=0s");
    let program = Bridge::start(&["--port", &port]).await;
    device.asks(before, &["baud 115200"]).await;
    let status = program.state("board", "open").await;
    let expected = format!("rfc2217://127.0.0.1:{tcp_port} is open (115200 baud)");
    assert_eq!(
        (&status["detail"], &status["hint"]),
        (&json!(expected), &json!(null))
    );
    let refused = page.refused(json!({"type": "write", "text": "x"})).await;
    assert!(refused.contains("(\"rfc2217 127.0.0.1:"), "{refused}");
    let mut client = program.json_client().await;
    let before = device.asked().len();
    client.acked(json!({"type": "signals", "dtr": false})).await;
    client.acked(json!({"type": "break", "ms": 5})).await;
    device
        .asks(before, &["dtr off", "break on", "break off"])
        .await;
    client
        .acked(json!({"type": "write", "text": "to the board"}))
        .await;
    assert_eq!(device.receives(12).await, b"to the board");
    device.write(b"\nboot log\n").await;
    while page.json_of("line").await["text"] != "boot log" {}
    let before = device.asked().len();
    drop(client);
    drop(program);
    device.asks(before, &["baud 9600"]).await;
    device.asks(before, &["dtr on"]).await;
    until("the write lock to end", async || {
        let status = bridge.port("board").await["status"].clone();
        (status.get("writer").is_none() && status["settings"]["baud"] != 115_200).then_some(())
    })
    .await;
    page.acked(json!({"type": "write", "text": "!"})).await;
}

#[tokio::test]
async fn a_program_with_rfc2217_that_sets_what_is_in_force_changes_nothing() {
    let mut pair = Pair::open().await;
    let (bridge, mut stream, _) = output(&mut pair, "--rfc2217", &[]).await;
    // As pyserial opens a port.
    write(
        &mut stream,
        b"\xff\xfd\x01\xff\xfb\x03\xff\xfd\x03\xff\xfd\x2c\xff\xfb\x2c",
    )
    .await;
    let agreed =
        b"\xff\xfc\x01\xff\xfd\x03\xff\xfb\x03\xff\xfb\x2c\xff\xfa\x2c\x6b\0\xff\xf0\xff\xfd\x2c";
    assert_eq!(read(&mut stream, agreed.len()).await, agreed);
    for (asked, answer) in [
        (&b"\x01\0\0\x25\x80"[..], &b"\x65\0\0\x25\x80"[..]),
        (b"\x02\x08", b"\x66\x08"),
        (b"\x03\x01", b"\x67\x01"),
        (b"\x04\x01", b"\x68\x01"),
        (b"\x05\x01", b"\x69\x01"),
        (b"\x05\x08", b"\x69\x08"),
        (b"\x05\x0b", b"\x69\x0b"),
        (b"\x0c\x01", b"\x70\x01"),
        (b"\x01\0\0\0\0", b"\x65\0\0\x25\x80"),
    ] {
        write(&mut stream, &[b"\xff\xfa\x2c", asked, b"\xff\xf0"].concat()).await;
        let expected = [b"\xff\xfa\x2c", answer, b"\xff\xf0"].concat();
        assert_eq!(read(&mut stream, expected.len()).await, expected);
    }
    let status = bridge.port("board").await["status"].clone();
    assert!(status.get("writer").is_none(), "{status}");
    write(&mut stream, b"\xff\xff data").await;
    pair.device.expect(b"\xff data").await;
    pair.device.write(b"\xff\n").await;
    assert_eq!(read(&mut stream, 3).await, b"\xff\xff\n");
}

#[tokio::test]
async fn data_before_rfc2217_was_agreed_and_what_a_browser_sends_is_never_written() {
    let mut pair = Pair::open().await;
    let (_bridge, mut stream, tcp_port) = output(&mut pair, "--rfc2217", &[]).await;
    write(&mut stream, b"dropped, as nothing was agreed").await;
    let mut page = connect(([127, 0, 0, 1], tcp_port)).await;
    write(
        &mut page,
        b"POST / HTTP/1.1\r\n\r\n\xff\xfb\x2c\xff\xfd\x2cG28\n",
    )
    .await;
    closed(&mut page).await;
    write(&mut stream, b"\xff\xfb\x2cwritten").await;
    pair.device.expect("written").await;
}

#[tokio::test]
async fn what_no_program_sends_by_rfc2217_is_left_out_and_its_data_still_arrives() {
    let mut pair = Pair::open().await;
    let (bridge, mut stream, _) = output(&mut pair, "--rfc2217", &[]).await;
    stream.set_nodelay(true).expect("a socket can send at once");
    write(&mut stream, b"\xff\xfb\x2c\xff\xfd\x2c").await;
    // Options that nobody knows, in both directions, and a message of one.
    for option in 45..=254 {
        let verbs = [251, 252, 253, 254].map(|verb| [255, verb, option]);
        write(&mut stream, &verbs.concat()).await;
    }
    write(&mut stream, b"\xff\xfa\x18\x00ANSI\xff\xf0").await;
    // A message without end.
    write(&mut stream, b"\xff\xfa\x2c\x01").await;
    for _ in 0..64 {
        write(&mut stream, &[7; 64 << 10]).await;
    }
    write(&mut stream, b"\xff\xf0").await;
    // Values that no port has, and a cut after each byte.
    for byte in b"a\xff\xff\xff\xfa\x2c\x03\x09\xff\xf0b\xff\xfa\x2c\xff\xf0\xff\xf1c\n" {
        write(&mut stream, &[*byte]).await;
    }
    pair.device.expect(b"a\xffbc\n").await;
    let status = bridge.port("board").await["status"].clone();
    assert!(
        status.get("writer").is_none(),
        "it has changed nothing: {status}"
    );
    if let Some(memory) = bridge.program.peak_memory() {
        assert!(memory < 48 << 20, "{memory}");
    }
}

/// Answers to the next connection as a broker does (MQTT 3.1.1, §3.2): with 0 it accepts.
async fn broker_answers(listener: &TcpListener, code: u8) -> TcpStream {
    let accepted = within("a client of the broker", listener.accept()).await;
    let (mut stream, _) = accepted.expect("a socket can accept");
    assert_eq!(read(&mut stream, 1).await, [0x10], "CONNECT");
    write(&mut stream, &[0x20, 2, 0, code]).await;
    stream
}

/// Waits until an output of the port `board` is in this state, and returns it.
async fn output_in(bridge: &Bridge, kind: &str, state: &str) -> Value {
    until(&format!("{kind} to be {state}"), async || {
        let port = bridge.port("board").await;
        let outputs = port["status"]["outputs"].as_array().expect("a list");
        let mut outputs = outputs.iter().filter(|output| output["kind"] == kind);
        outputs.find(|output| output["state"] == state).cloned()
    })
    .await
}

#[tokio::test]
async fn the_status_tells_how_each_output_is() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("mqtt://{}/lab", listener.local_addr().unwrap());
    let mut pair = Pair::open().await;
    let flags = ["--mqtt", &url, "--osc", "127.0.0.1:9"];
    let (bridge, mut stream, tcp_port) = output(&mut pair, "--tcp", &flags).await;
    let mut page = bridge.json_client().await;
    let connection = broker_answers(&listener, 0).await;
    let mqtt = output_in(&bridge, "mqtt", "open").await;
    assert_eq!(
        (&mqtt["at"], &mqtt["reconnects"]),
        (&json!(url), &json!(0)),
        "{mqtt}"
    );
    output_in(&bridge, "osc", "open").await;
    pair.device.write("a,1\r\n").await;
    read(&mut stream, 5).await;
    let tcp = output_in(&bridge, "tcp", "open").await;
    let place = json!(tcp_port.to_string());
    let expected = json!({"kind": "tcp", "at": place, "state": "open", "clients": 1, "sent": 5,
        "missed": 0, "reconnects": 0});
    assert_eq!(tcp, expected);
    stream.set_zero_linger().expect("a socket can break off");
    drop(stream);
    until("nobody to be connected", async || {
        (output_in(&bridge, "tcp", "open").await["clients"] == 0).then_some(())
    })
    .await;
    // Gone, then refusing, then back.
    drop(connection);
    let refused = broker_answers(&listener, 5).await;
    let mqtt = until("the reason", async || {
        let mqtt = output_in(&bridge, "mqtt", "waiting").await;
        let problem = mqtt["problem"].as_str().expect("a sentence");
        problem.contains("--mqtt-user").then(|| mqtt.clone())
    })
    .await;
    assert!(mqtt["sent"].as_u64() > Some(0), "{mqtt}");
    drop(refused);
    let _connection = broker_answers(&listener, 0).await;
    let mqtt = output_in(&bridge, "mqtt", "open").await;
    assert_eq!(mqtt["reconnects"], 1, "{mqtt}");
    let metrics = bridge.get("/metrics").await.body;
    let labels = format!(r#"{{port="board",output="mqtt",at="{url}"}}"#);
    for line in [
        format!("serial_ws_output_up{labels} 1\n"),
        format!("serial_ws_output_reconnects_total{labels} 1\n"),
    ] {
        assert!(metrics.contains(&line), "{metrics}");
    }
    // Clients are told of each change, and of nothing else.
    let mut states = Vec::new();
    while states.last() != Some(&json!("open")) || states.len() < 3 {
        let message = page.json().await;
        if message["type"] == "status" {
            let outputs = message["outputs"].as_array().expect("a list");
            let mqtt = outputs.iter().find(|output| output["kind"] == "mqtt");
            states.push(mqtt.expect("it is there")["state"].clone());
            states.dedup();
        }
    }
    assert_eq!(states, ["open", "waiting", "open"]);
}

#[tokio::test]
async fn the_command_status_has_a_line_for_each_output() {
    let mut pair = Pair::open().await;
    let (bridge, stream, tcp_port) = output(&mut pair, "--tcp", &[]).await;
    let url = format!("http://{}", bridge.address());
    let ended = Program::run(&["status", "--url", &url]).await;
    ended.with(0, "");
    let expected = format!("tcp {tcp_port}: open, 1 connected, sent 0 bytes");
    assert_eq!(ended.stdout.lines().nth(1), Some(&*expected), "{ended:?}");
    drop(stream);
}
