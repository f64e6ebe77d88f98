//! Devices behind a TCP connection, which the test plays at the other end.

use std::net::SocketAddr;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Bridge, Client, within};

/// A device in the network.
struct Remote {
    listener: TcpListener,
    at: SocketAddr,
}

impl Remote {
    async fn listen(at: &str) -> Self {
        let listener = TcpListener::bind(at).await.expect("a socket can listen");
        let at = listener.local_addr().expect("it has an address");
        Self { listener, at }
    }

    /// Waits until serial-ws connects.
    async fn connected(&self) -> TcpStream {
        let accepted = within("serial-ws to connect", self.listener.accept()).await;
        accepted.expect("a connection can be accepted").0
    }

    fn spec(&self) -> String {
        format!("board=tcp://{}", self.at)
    }
}

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
    assert_eq!(refused, "cannot send a break to this device: unsupported");
}
