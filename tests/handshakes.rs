//! The handshakes of other people's libraries and apps, byte for byte: each gets lines, or an answer
//! that says what would let it in. What begins in another protocol is told so.

use std::net::SocketAddr;

use crate::support::{Bridge, Pair, RawSocket, Reply, http, upgrade};

/// A name, and the head that it sends. `{at}` is the address of the program as text, `{host}` the
/// same without the TCP port.
type Head = (&'static str, &'static str);

/// Heads that are answered with lines.
const SERVED: [Head; 11] = [
    (
        "Go, golang.org/x/net/websocket",
        "GET / HTTP/1.1\r\nHost: {at}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://localhost/\r\n\
         Sec-WebSocket-Version: 13\r\n\r\n",
    ),
    (
        "Go, with the TCP port and a subprotocol",
        "GET / HTTP/1.1\r\nHost: {at}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://127.0.0.1:8080/\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat, superchat\r\n\r\n",
    ),
    (
        "libwebsockets, lws-minimal-ws-client",
        "GET / HTTP/1.1\r\nPragma: no-cache\r\nCache-Control: no-cache\r\nHost: localhost\r\n\
         Origin: http://localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: dumb-increment-protocol\r\n\
         Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\
         Sec-WebSocket-Version: 13\r\n\r\n",
    ),
    (
        "Python, websocket-client",
        "GET / HTTP/1.1\r\nUpgrade: websocket\r\nHost: {at}\r\nOrigin: http://{at}\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Protocol: mqtt,mqttv3.1\r\n\r\n",
    ),
    (
        "ArduinoHttpClient, with the address as text",
        "GET / HTTP/1.1\r\nHost: {at}\r\nUser-Agent: Arduino/2.2.0\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Version: 13\r\n\r\n",
    ),
    (
        "ESP-IDF, esp_websocket_client",
        "GET / HTTP/1.1\r\nConnection: Upgrade\r\nHost: {at}\r\n\
         User-Agent: ESP32 Websocket Client\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: esp\r\n\r\n",
    ),
    (
        "arduinoWebSockets without its extra header",
        "GET / HTTP/1.1\r\nHost: {at}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: arduino\r\nUser-Agent: arduino-WebSocket-Client\r\n\r\n",
    ),
    (
        "Capacitor on Android",
        "GET / HTTP/1.1\r\nHost: {at}\r\nConnection: Upgrade\r\nPragma: no-cache\r\n\
         Cache-Control: no-cache\r\nUpgrade: websocket\r\nOrigin: http://localhost\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    ),
    (
        "Tauri on Windows",
        "GET / HTTP/1.1\r\nHost: {at}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Origin: http://tauri.localhost\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    ),
    (
        "two lines of subprotocols",
        "GET / HTTP/1.1\r\nHost: {at}\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: soap\r\nSec-WebSocket-Protocol: wamp\r\n\r\n",
    ),
    (
        "one of ours behind others",
        "GET / HTTP/1.1\r\nHost: {at}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: binary, mqtt, serial-ws.lines\r\n\r\n",
    ),
];

/// arduinoWebSockets by Links2004, whose `beginWebSocket` offers `arduino` and says `file://`.
const LINKS2004: &str = "GET {path} HTTP/1.1\r\nHost: {at}\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: arduino\r\n\
    Origin: file://\r\nUser-Agent: arduino-WebSocket-Client\r\n\r\n";

/// ArduinoWebsockets by gilmaimon, which names its repository as the origin.
const GILMAIMON: &str = "GET {path} HTTP/1.1\r\nHost: {host}\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nUser-Agent: TinyWebsockets Client\r\n\
    Origin: https://github.com/gilmaimon/TinyWebsockets\r\n\r\n";

/// ArduinoHttpClient, constructed with an IPAddress: it sends no Host.
const IP_ADDRESS: &str = "GET {path} HTTP/1.1\r\nUser-Agent: Arduino/2.2.0\r\n\
    Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

const TOKEN: &str = "correct-horse-battery";

async fn simulated(flags: &[&str]) -> Bridge {
    Bridge::start(&[&["--port", "sim"], flags].concat()).await
}

/// Starts a bridge that requires the token of everybody.
async fn guarded(name: &str) -> Bridge {
    let name = format!("serial-ws-{name}-{}", std::process::id());
    let file = std::env::temp_dir().join(name);
    std::fs::write(&file, TOKEN).expect("a token can be kept");
    let bridge = simulated(&["--token", file.to_str().expect("the path is text")]).await;
    let _ = std::fs::remove_file(file);
    bridge
}

async fn ask(at: SocketAddr, head: &str, path: &str) -> (Reply, RawSocket) {
    let head = head
        .replace("{path}", path)
        .replace("{at}", &at.to_string());
    RawSocket::ask(at, &head.replace("{host}", &at.ip().to_string())).await
}

/// Asserts that the head of a library is answered with lines.
async fn served(at: SocketAddr, name: &str, head: &str, path: &str) -> Reply {
    let (reply, mut socket) = ask(at, head, path).await;
    assert_eq!(reply.status, 101, "{name}: {reply:?}");
    assert!(!socket.text().await.is_empty(), "{name}");
    reply
}

#[tokio::test]
async fn libraries_connect_as_they_are() {
    let bridge = simulated(&[]).await;
    for (name, head) in SERVED {
        let reply = served(bridge.address(), name, head, "/").await;
        let offered = head.split("\r\nSec-WebSocket-Protocol: ").nth(1);
        let offered = offered.map(|rest| rest.split(['\r', ',']).next().expect("a name"));
        let expected = match offered {
            Some("binary") => Some("serial-ws.lines"),
            first => first,
        };
        assert_eq!(reply.header("Sec-WebSocket-Protocol"), expected, "{name}");
    }
}

#[tokio::test]
async fn boards_with_the_token_connect_as_they_are() {
    let bridge = guarded("boards").await;
    let path = format!("/?token={TOKEN}");
    for (name, head) in [("Links2004", LINKS2004), ("gilmaimon", GILMAIMON)] {
        served(bridge.address(), name, head, &path).await;
        let (reply, _) = ask(bridge.address(), head, "/").await;
        assert_eq!(reply.status, 401, "{name}: {reply:?}");
        assert!(reply.body.contains("?token="), "{name}: {reply:?}");
    }
}

/// Asserts that the head is refused, and let in by what the terminal and the answer advise.
async fn let_in_as_advised(name: &str, head: &str, printed: &str) {
    let bridge = simulated(&[]).await;
    let (reply, _) = ask(bridge.address(), head, "/").await;
    assert_eq!(reply.status, 403, "{name}: {reply:?}");
    let advice = format!("--allow-origin {printed}");
    assert!(reply.body.contains(&advice), "{name}: {reply:?}");
    bridge.program.said(&advice).await;
    drop(bridge);
    let bridge = simulated(&["--allow-origin", printed.trim_matches('"')]).await;
    served(bridge.address(), name, head, "/").await;
}

#[tokio::test]
async fn what_is_refused_is_let_in_by_what_is_printed() {
    let repository = "https://github.com/gilmaimon/TinyWebsockets";
    let_in_as_advised("Links2004", LINKS2004, "null").await;
    let_in_as_advised("gilmaimon", GILMAIMON, repository).await;
    for origin in [
        "vscode-webview://0b1c2d3e4f5061728394a5b6c7d8e9f0",
        "capacitor://localhost",
        "ionic://localhost",
        "app://obsidian.md",
        "ws://localhost",
        "http://localhost/index.html",
    ] {
        let head = GILMAIMON.replace(repository, origin);
        let_in_as_advised(origin, &head, origin).await;
    }
    let origin = "https://a.example/?b=1&c=2";
    let head = GILMAIMON.replace(repository, origin);
    let_in_as_advised(origin, &head, &format!("\"{origin}\"")).await;
}

#[tokio::test]
async fn a_page_of_a_web_site_is_not_let_in_by_what_libraries_send() {
    let allowed = [
        "--allow-origin",
        "https://github.com/gilmaimon/TinyWebsockets",
    ];
    let bridge = simulated(&allowed).await;
    for origin in [
        "https://github.com",
        "https://github.com/",
        "https://github.com/gilmaimon",
        "https://github.com/gilmaimon/tinywebsockets",
        "null",
        "http://localhost.evil.example/",
        "http://evil.example/",
    ] {
        for offered in ["arduino", "binary", "serial-ws.lines"] {
            let headers = [("Origin", origin), ("Sec-WebSocket-Protocol", offered)];
            let reply = upgrade(bridge.address(), "/", &headers).await;
            assert_eq!(reply.status, 403, "{origin}: {reply:?}");
        }
    }
}

#[tokio::test]
async fn a_board_that_sends_no_host_is_told_how_to_send_one() {
    let bridge = guarded("hostless").await;
    let at = bridge.address();
    let empty = IP_ADDRESS.replace("HTTP/1.1\r\n", "HTTP/1.1\r\nHost:\r\n");
    for (head, path) in [
        (IP_ADDRESS, "/".to_owned()),
        (IP_ADDRESS, format!("/?token={TOKEN}")),
        (&empty, format!("/?token={TOKEN}")),
    ] {
        let (reply, _) = ask(at, head, &path).await;
        assert_eq!(reply.status, 400, "{reply:?}");
        let advice = format!(
            "WebSocketClient client(wifi, \"{}\", {})",
            at.ip(),
            at.port()
        );
        assert!(reply.body.contains(&advice), "{reply:?}");
        assert!(reply.body.contains(&format!("\"Host: {at}\"")), "{reply:?}");
    }
    bridge.program.said("instead of an IPAddress").await;
    // As the library sends it if that advice is taken.
    let (_, text) = SERVED[4];
    let text = text.replace("GET /", "GET {path}");
    served(at, "text", &text, &format!("/?token={TOKEN}")).await;
}

#[tokio::test]
async fn binary_means_raw() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    for offered in ["binary", "binary, base64"] {
        let mut client = bridge.client_as("/", offered).await;
        assert_eq!(client.protocol.as_deref(), Some("binary"));
        pair.device.write([0, 1, 0xff, b'\n']).await;
        assert_eq!(client.bytes_of(4).await, [0, 1, 0xff, b'\n']);
        client.send_bytes([2, 0xfe]).await;
        pair.device.expect([2, 0xfe]).await;
    }
    let mut client = bridge.client_as("/?view=json", "binary").await;
    assert_eq!(client.json().await["type"], "hello");
}

#[tokio::test]
async fn a_client_without_one_of_our_subprotocols_gets_the_view_of_the_port() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &["--text"]).await;
    let mut client = bridge.client_as("/", "chat").await;
    assert_eq!(client.protocol.as_deref(), Some("chat"));
    pair.device.write("no line end").await;
    assert_eq!(client.text_of(11).await, "no line end");
}

/// Counts the lines in the terminal that contain `part`.
fn count(bridge: &Bridge, part: &str) -> usize {
    let log = bridge.program.log();
    log.iter().filter(|line| line.contains(part)).count()
}

#[tokio::test]
async fn every_mistake_of_a_client_is_said_once_in_the_terminal() {
    let bridge = simulated(&[]).await;
    let mistakes = [
        ("/", "serial-ws.rows", 4400, "unknown view `rows`"),
        ("/?vew=raw", "", 4400, "unknown query parameter `vew`"),
        (
            "/?view=raw",
            "serial-ws.lines",
            4400,
            "the subprotocol for `lines`",
        ),
        ("/ports/none", "", 4404, "no port at /ports/none"),
        (
            "/socket.io/?EIO=4&transport=websocket",
            "",
            4400,
            "Socket.IO",
        ),
        ("/?EIO=3&transport=websocket", "", 4400, "Socket.IO"),
    ];
    for (target, offered, code, part) in mistakes {
        for _ in 0..3 {
            let mut client = match offered {
                "" => bridge.client(target).await,
                offered => bridge.client_as(target, offered).await,
            };
            let (closed, reason) = client.closed().await;
            assert_eq!(closed, code, "{target}: {reason}");
            assert!(reason.contains(part), "{target}: {reason}");
        }
        let line = bridge.program.said(part).await;
        assert!(line.contains(&format!("(close code {code})")), "{line}");
        assert_eq!(count(&bridge, part), 1, "{target}");
    }
}

#[tokio::test]
async fn socket_io_by_polling_is_told_what_to_write_instead() {
    let bridge = simulated(&[]).await;
    let own = format!("http://{}", bridge.address());
    for path in [
        "/socket.io/?EIO=4&transport=polling&t=P1",
        "/?EIO=4&transport=polling",
        "/socket.io/socket.io.js.map",
    ] {
        let reply = http(bridge.address(), "GET", path, &[("Origin", &own)]).await;
        assert_eq!(reply.status, 400, "{path}: {reply:?}");
        assert!(reply.body.contains("new WebSocket("), "{path}: {reply:?}");
        assert_eq!(
            reply.header("Access-Control-Allow-Origin"),
            Some(own.as_str())
        );
    }
    bridge.program.said("Socket.IO is not served here").await;
    assert_eq!(count(&bridge, "Socket.IO"), 1);
    let evil = [("Origin", "https://evil.example")];
    let reply = http(bridge.address(), "GET", "/socket.io/", &evil).await;
    assert_eq!(reply.status, 403, "{reply:?}");
}

/// What p5.serialport sends to open a port.
const OPEN_SERIAL: &str = r#"{"method":"openserial","data":{"serialport":"/dev/ttyACM0","serialoptions":{"baudrate":9600}}}"#;

#[tokio::test]
async fn a_sketch_for_p5_serialport_is_told_where_it_is_served() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    for first in [None, Some(r#"{"method":"list","data":{}}"#)] {
        let mut client = bridge.client("/").await;
        if let Some(first) = first {
            client.send(first).await;
            pair.device.expect(first).await;
        }
        client.send(OPEN_SERIAL).await;
        let (code, reason) = client.closed().await;
        assert_eq!(code, 4400, "{reason}");
        assert!(reason.contains("--p5"), "{reason}");
    }
    let line = bridge.program.said("p5.serialport").await;
    assert!(line.contains("--p5"), "{line}");
    assert_eq!(count(&bridge, "p5.serialport"), 1);
    // Nothing of it was written.
    bridge.client("/").await.send("on").await;
    pair.device.expect("on").await;
}

#[tokio::test]
async fn all_other_json_is_written_exactly() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    for first in [
        r#"{"method":"openserial"}"#,
        r#"{"method":"openserial","data":{}}"#,
        r#"{ "method": "openserial", "data": { "serialport": "COM3" } }"#,
        r#"{"method":"write","data":"H"}"#,
        r#"{"type":"reset"}"#,
        "[1,2]",
    ] {
        let mut client = bridge.client("/").await;
        client.send(first).await;
        pair.device.expect(first).await;
        // Who has once spoken to the device may say anything.
        client.send(OPEN_SERIAL).await;
        pair.device.expect(OPEN_SERIAL).await;
    }
    let mut client = bridge.client("/").await;
    client.send_bytes(OPEN_SERIAL).await;
    pair.device.expect(OPEN_SERIAL).await;
}
