//! `--p5`: the protocol of p5.serialserver, as sketches with the library p5.serialport speak it.

use std::net::{Ipv4Addr, SocketAddr};

use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Bridge, Client, Pair, http, upgrade};
#[cfg(target_os = "linux")]
use crate::support::{Machine, until};

#[cfg(target_os = "linux")]
const UNO: &str = "2341:0043:A1";
#[cfg(target_os = "linux")]
const NANO: &str = "1a86:7523";

const TOKEN: &str = "correct-horse-battery";

/// A sketch: its connection to the TCP port of `--p5`.
struct Sketch(Client);

impl Sketch {
    async fn connect(bridge: &Bridge) -> Self {
        Self(Client::open(p5(bridge).await, "/", &[]).await)
    }

    /// Sends a message as the library does.
    async fn send(&mut self, method: &str, data: Value) {
        self.0
            .send_json(json!({"method": method, "data": data}))
            .await;
    }

    /// Returns the next message: its method and its data.
    async fn next(&mut self) -> (String, Value) {
        let text = self.0.text().await;
        let message: Value = serde_json::from_str(&text).expect("a message is JSON");
        let members = message.as_object().expect("a message is an object");
        assert!(members.keys().eq(["method", "data"]), "{text}");
        let method = message["method"].as_str().expect("a method is text");
        (method.to_owned(), message["data"].clone())
    }

    /// Asserts what the next message is.
    #[track_caller]
    fn gets(&mut self, method: &str, data: Value) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        let expected = (method.to_owned(), data);
        async move {
            let next = self.next().await;
            assert_eq!(next, expected, "at {place}");
        }
    }

    /// Asserts that the next message is an error with `part`.
    async fn gets_error(&mut self, part: &str) {
        let (method, data) = self.next().await;
        let error = data.as_str().unwrap_or_default();
        assert_eq!(method, "error", "{data}");
        assert!(error.contains(part), "{part:?} is not in {error:?}");
    }

    /// Asserts that these bytes come next, each in a message of its own.
    async fn gets_bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            assert_eq!(self.next().await, ("data".to_owned(), json!(byte)));
        }
    }

    /// Asserts that nothing has come: the answer to what is asked now is next.
    async fn has_got_nothing(&mut self) {
        self.send("echo", json!("nothing yet")).await;
        self.gets("echo", json!("nothing yet")).await;
    }

    async fn ask_to_open(&mut self, name: &str, options: Value) {
        self.send(
            "openserial",
            json!({"serialport": name, "serialoptions": options}),
        )
        .await;
    }

    async fn open(&mut self, name: &str) {
        self.ask_to_open(name, json!({})).await;
        self.gets("openserial", json!({})).await;
    }

    /// Asks for a port until it opens, as a user would: something else may keep it for a moment.
    #[cfg(target_os = "linux")]
    async fn opens_at_last(&mut self, name: &str) {
        until(&format!("{name} to open"), async || {
            self.ask_to_open(name, json!({"baudrate": 9600})).await;
            let (method, data) = self.next().await;
            assert!(method == "openserial" || method == "error", "{data}");
            (method == "openserial").then_some(())
        })
        .await;
    }

    async fn list(&mut self) -> Value {
        self.send("list", json!({})).await;
        let (method, list) = self.next().await;
        assert_eq!(method, "list");
        list
    }
}

/// The address for sketches.
async fn p5(bridge: &Bridge) -> SocketAddr {
    let line = bridge.program.said("for sketches of p5.serialport").await;
    let (_, rest) = line.split_once("ws://").expect("it is an address");
    let (address, _) = rest.split_once('/').expect("it is an address");
    address.parse().expect("it is an address")
}

/// A bridge for sketches on `pair`, and a sketch.
async fn start(pair: &mut Pair, arguments: &[&str]) -> (Bridge, Sketch) {
    let bridge = Bridge::on(pair, &[&["--p5=0"], arguments].concat()).await;
    let sketch = Sketch::connect(&bridge).await;
    (bridge, sketch)
}

#[tokio::test]
async fn every_byte_is_a_message_for_those_who_opened_the_port_and_nothing_comes_unasked() {
    let mut pair = Pair::open().await;
    let (bridge, mut sketch) = start(&mut pair, &[]).await;
    let mut other = Sketch::connect(&bridge).await;
    let mut witness = bridge.client("/?view=raw").await;
    pair.device.write("before").await;
    witness.bytes_of(6).await;
    sketch.has_got_nothing().await;
    sketch.open("board").await;
    let all: Vec<u8> = (0..=255).collect();
    pair.device.write(&all).await;
    sketch.gets_bytes(&all).await;
    other.has_got_nothing().await;
}

#[tokio::test]
async fn whatever_a_sketch_writes_arrives_and_nothing_acknowledges_it() {
    let mut pair = Pair::open().await;
    let (_bridge, mut sketch) = start(&mut pair, &[]).await;
    sketch.open("board").await;
    for data in [
        json!("é\n"),
        json!([7]),
        json!([0, 255]),
        json!(65),
        json!(66.7),
        json!({"0": 67, "1": 68}),
        json!({"led": 1}),
    ] {
        sketch.send("write", data).await;
    }
    pair.device.expect("é\n\u{7}").await;
    pair.device.expect([0, 255]).await;
    pair.device.expect("ABCD{\"led\":1}").await;
    sketch.has_got_nothing().await;
}

#[tokio::test]
async fn a_sketch_is_not_read_while_there_is_no_room_so_that_nothing_it_writes_is_lost() {
    const COUNT: usize = 400;
    let mut pair = Pair::open().await;
    let (_bridge, mut sketch) = start(&mut pair, &["--settle", "0"]).await;
    sketch.open("board").await;
    let line = |n: usize| format!("{n:0>4000}\n");
    let writing = tokio::spawn(async move {
        for n in 0..COUNT {
            sketch.send("write", json!(line(n))).await;
        }
        sketch
    });
    for n in 0..COUNT {
        pair.device.expect(line(n)).await;
    }
    let mut sketch = writing.await.expect("it is not cancelled");
    sketch.has_got_nothing().await;
}

#[tokio::test]
async fn a_mistake_gets_a_sentence_and_the_sketch_goes_on() {
    let mut pair = Pair::open().await;
    let (bridge, mut sketch) = start(&mut pair, &[]).await;
    sketch.0.send("hello").await;
    sketch.gets_error("this is not JSON").await;
    sketch.0.send("[1,2]").await;
    sketch
        .gets_error(r#"such as {"method":"list","data":{}}"#)
        .await;
    sketch.0.send_bytes(*b"H").await;
    sketch.gets_error("must be text").await;
    sketch.send("opn", json!({})).await;
    sketch.gets_error("unknown method opn").await;
    sketch.send("openserial", json!({})).await;
    sketch
        .gets_error("You must specify a serial port to open")
        .await;
    sketch.send("openserial", Value::Null).await;
    sketch
        .gets_error("You must specify a serial port to open")
        .await;
    sketch
        .ask_to_open("board", json!({"baudrate": "fast"}))
        .await;
    sketch.gets_error("cannot open board: baud must be").await;
    sketch.send("write", json!("H")).await;
    sketch.gets_error("no port is open").await;
    sketch.send("close", json!({})).await;
    sketch.has_got_nothing().await;
    // A port without options, and the library's old messages without data.
    sketch
        .send("openserial", json!({"serialport": "board"}))
        .await;
    sketch.gets("openserial", json!({})).await;
    sketch.open("board").await;
    sketch.send("write", json!(["H"])).await;
    sketch.gets_error("\"H\" is none").await;
    pair.device.write("x").await;
    sketch.gets_bytes(b"x").await;
    assert!(!bridge.program.log().join("\n").contains("panicked"));
}

#[tokio::test]
async fn ports_are_listed_by_their_names_and_found_by_name_and_path() {
    let mut pair = Pair::open().await;
    let path = pair.path.clone();
    let (_bridge, mut sketch) = start(&mut pair, &["--port", "other=sim"]).await;
    assert_eq!(sketch.list().await, json!(["board", "other"]));
    sketch.open(&path).await;
    pair.device.write("x").await;
    sketch.gets_bytes(b"x").await;
    sketch.ask_to_open("/dev/cu.usbmodem1421", json!({})).await;
    sketch
        .gets_error("there is no port /dev/cu.usbmodem1421; there are: board, other")
        .await;
}

#[tokio::test]
async fn a_name_of_another_computer_is_the_only_board_and_the_log_says_so() {
    let mut pair = Pair::open().await;
    let (bridge, mut sketch) = start(&mut pair, &[]).await;
    sketch.open("/dev/cu.usbmodem1421").await;
    pair.device.write("x").await;
    sketch.gets_bytes(b"x").await;
    let said = "asked for /dev/cu.usbmodem1421, got the only board";
    bridge.program.said(said).await;
}

#[tokio::test]
async fn close_is_for_the_sketch_that_asks_and_opening_again_at_once_works() {
    let mut pair = Pair::open().await;
    let (bridge, mut sketch) = start(&mut pair, &[]).await;
    let mut other = Sketch::connect(&bridge).await;
    sketch.open("board").await;
    other.open("board").await;
    for _ in 0..20 {
        sketch.send("close", json!({})).await;
        sketch.ask_to_open("board", json!({})).await;
        sketch.gets("close", json!({})).await;
        sketch.gets("openserial", json!({})).await;
        pair.device.write("x").await;
        sketch.gets_bytes(b"x").await;
        other.gets_bytes(b"x").await;
    }
    sketch.send("close", json!({})).await;
    sketch.gets("close", json!({})).await;
    pair.device.write("y").await;
    other.gets_bytes(b"y").await;
    sketch.has_got_nothing().await;
    sketch.send("write", json!("H")).await;
    sketch.gets_error("no port is open").await;
}

#[tokio::test]
async fn several_ports_of_one_sketch_are_written_together() {
    let mut pair = Pair::open().await;
    let arguments = ["--port", "mirror=loop"];
    let (_bridge, mut sketch) = start(&mut pair, &arguments).await;
    sketch.open("board").await;
    sketch.open("mirror").await;
    sketch.send("write", json!("H")).await;
    pair.device.expect("H").await;
    sketch.gets_bytes(b"H").await;
    pair.device.write("x").await;
    sketch.gets_bytes(b"x").await;
}

#[tokio::test]
async fn the_first_gets_its_settings_and_others_join_with_them() {
    let mut pair = Pair::open().await;
    let (bridge, mut sketch) = start(&mut pair, &[]).await;
    sketch
        .ask_to_open("board", json!({"baudrate": 57600, "databits": 7}))
        .await;
    sketch.gets("openserial", json!({})).await;
    let settings = bridge.port("board").await["settings"].clone();
    assert_eq!(settings["baud"], 57600, "{settings}");
    assert_eq!(settings["dataBits"], 7, "{settings}");
    let mut other = Sketch::connect(&bridge).await;
    other.ask_to_open("board", json!({"baudRate": 9600})).await;
    other.gets("openserial", json!({})).await;
    pair.device.write("x").await;
    other.gets_bytes(b"x").await;
    let settings = bridge.port("board").await["settings"].clone();
    assert_eq!(settings["baud"], 57600, "{settings}");
    let line = bridge.program.said("which it did not get").await;
    assert!(line.contains(r#"asked for {"baud":9600}"#), "{line}");
    assert!(line.contains("others use it with 57600 baud"), "{line}");
}

#[tokio::test]
async fn settings_of_the_operator_stay_and_the_log_says_what_a_sketch_asked_for() {
    let mut pair = Pair::open().await;
    let (bridge, mut sketch) = start(&mut pair, &["--baud", "57600"]).await;
    sketch.ask_to_open("board", json!({"baudrate": 9600})).await;
    sketch.gets("openserial", json!({})).await;
    let settings = bridge.port("board").await["settings"].clone();
    assert_eq!(settings["baud"], 57600, "{settings}");
    let line = bridge.program.said("which it did not get").await;
    assert!(line.contains("baud is fixed to 57600 by --baud"), "{line}");
}

#[tokio::test]
async fn who_may_only_read_and_who_meets_the_write_lock_is_told_so() {
    let mut pair = Pair::open().await;
    let path = format!("locked={}", pair.path);
    let arguments = ["--p5=0", "--port", "sim,read-only", "--port", &path];
    let bridge = Bridge::start(&arguments).await;
    bridge.open("locked").await;
    let mut sketch = Sketch::connect(&bridge).await;
    sketch.open("locked").await;
    let mut holder = bridge.client("/ports/locked?view=json").await;
    holder.json_of("hello").await;
    holder
        .acked(json!({"type": "lock", "name": "esptool"}))
        .await;
    sketch.send("write", json!("H")).await;
    sketch.gets_error("(\"esptool\") has the write lock").await;
    holder.acked(json!({"type": "unlock"})).await;
    sketch.send("write", json!("L")).await;
    pair.device.expect("L").await;
    let mut reader = Sketch::connect(&bridge).await;
    reader.open("sim").await;
    reader.send("write", json!("H")).await;
    loop {
        let (method, data) = reader.next().await;
        if method == "error" {
            assert!(data.to_string().contains("read-only"), "{data}");
            break;
        }
    }
}

#[tokio::test]
async fn the_operator_sees_the_sketches_of_each_port_and_may_disconnect_one() {
    let mut pair = Pair::open().await;
    let (bridge, mut sketch) = start(&mut pair, &[]).await;
    let clients = async || bridge.get("/api/clients").await.json();
    let idle = clients().await;
    assert_eq!(idle[0]["view"], "p5", "{idle}");
    assert_eq!(idle[0]["port"], Value::Null, "{idle}");
    sketch.open("board").await;
    let list = clients().await;
    assert_eq!(list.as_array().map(Vec::len), Some(1), "{list}");
    assert_eq!(list[0]["view"], "p5", "{list}");
    assert_eq!(list[0]["port"], "board", "{list}");
    assert_eq!(bridge.port("board").await["clients"], 1);
    sketch.send("close", json!({})).await;
    sketch.gets("close", json!({})).await;
    assert_eq!(clients().await, idle);
    sketch.open("board").await;
    let id = clients().await[0]["id"].to_string();
    let path = format!("/api/clients/{id}");
    let reply = http(bridge.address(), "DELETE", &path, &[]).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(sketch.0.closed().await.0, 4410);
    let metrics = bridge.get("/metrics").await.body;
    assert!(
        metrics.contains("serial_ws_clients{port=\"board\"} 0"),
        "{metrics}"
    );
}

#[tokio::test]
async fn the_access_policy_is_that_of_every_page() {
    let arguments = ["--port", "sim", "--p5=0"];
    let allowed = ["--allow-origin", "https://class.example,read-only"];
    let bridge = Bridge::start(&[&arguments[..], &allowed].concat()).await;
    let at = p5(&bridge).await;
    for origin in ["https://evil.example", "null", "http://192.168.1.5"] {
        let reply = upgrade(at, "/", &[("Origin", origin)]).await;
        assert_eq!(reply.status, 403, "{origin}: {reply:?}");
    }
    let reply = upgrade(at, "/", &[("Host", "rebound.example")]).await;
    assert_eq!(reply.status, 403, "{reply:?}");
    let page = [("Origin", "http://localhost:5500")];
    let mut local = Sketch(Client::open(at, "/", &page).await);
    assert_eq!(local.list().await, json!(["sim"]));
    let page = [("Origin", "https://class.example")];
    let mut reader = Sketch(Client::open(at, "/", &page).await);
    reader.open("sim").await;
    reader.send("write", json!("H")).await;
    while reader.next().await.0 != "error" {}
    // Nothing else is there: no page, no API, no Socket.IO.
    for path in ["/", "/api/status", "/hello", "/serial-ws.js"] {
        let reply = http(at, "GET", path, &[]).await;
        assert_eq!(reply.status, 404, "{path}: {reply:?}");
        assert!(reply.body.contains("p5.serialport only"), "{reply:?}");
    }
    let reply = http(at, "GET", "/socket.io/?EIO=4&transport=polling", &[]).await;
    assert!(reply.body.contains("Socket.IO"), "{reply:?}");
}

#[tokio::test]
async fn with_a_token_for_everybody_sketches_need_it_and_the_terminal_says_how() {
    let file = std::env::temp_dir().join(format!("serial-ws-p5-token-{}", std::process::id()));
    std::fs::write(&file, TOKEN).expect("a file can be written");
    let path = file.to_str().expect("it is text");
    let bridge = Bridge::start(&["--port", "sim", "--p5=0", "--token", path]).await;
    let at = p5(&bridge).await;
    let port = at.port();
    let said = format!("new p5.SerialPort(\"localhost:{port}/?token=TOKEN&\")");
    bridge.program.said(&said).await;
    assert_eq!(upgrade(at, "/", &[]).await.status, 401);
    // What the library makes of that: it adds a colon and its TCP port.
    let target = format!("/?token={TOKEN}&:8081");
    let mut sketch = Sketch(Client::open(at, &target, &[]).await);
    assert_eq!(sketch.list().await, json!(["sim"]));
    let _ = std::fs::remove_file(file);
}

#[tokio::test]
async fn other_computers_never_reach_it() {
    let Some(network) = crate::support::network::Network::new("p5", &["--p5=0"]).await else {
        return;
    };
    let at = p5(&network.bridge).await;
    assert!(at.ip().is_loopback(), "{at}");
    Sketch(Client::open(at, "/", &[]).await)
        .has_got_nothing()
        .await;
    let beyond = SocketAddr::new(network.at.ip(), at.port());
    let error = TcpStream::connect(beyond).await.expect_err("it is closed");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn a_tcp_port_that_is_taken_is_said_by_whom() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let taken = taken.expect("there are TCP ports");
    let port = taken.local_addr().expect("it has an address").port();
    let ended = Bridge::fail(&["--port", "sim", &format!("--p5={port}")]).await;
    let whose = if cfg!(target_os = "linux") {
        " by suite"
    } else {
        ""
    };
    ended.with(1, &format!("TCP port {port} is in use{whose}"));
    let advice = format!(
        "--p5={0}, and in the sketch new p5.SerialPort(\"localhost\", {0})",
        port + 10
    );
    ended.with(1, &advice);
}

#[cfg(unix)]
#[tokio::test]
async fn a_named_port_that_was_unplugged_opens_again_and_data_flows() {
    if !Pair::are_ours() {
        return;
    }
    let mut pair = Pair::open().await;
    let (bridge, mut sketch) = start(&mut pair, &[]).await;
    sketch.open("board").await;
    pair.unplug();
    sketch.gets("close", json!({"disconnected": true})).await;
    sketch.ask_to_open("board", json!({})).await;
    sketch.gets_error("board is not open: ").await;
    pair.plug_in();
    sketch.open("board").await;
    pair.device.write("again").await;
    sketch.gets_bytes(b"again").await;
    sketch.send("write", json!("H")).await;
    pair.device.expect("H").await;
    drop(bridge);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_board_on_offer_is_opened_by_its_path_and_again_after_each_time_it_was_away() {
    let Some(mut machine) = Machine::new() else {
        return;
    };
    let bridge = machine.start(&["--p5=0"]).await;
    let mut sketch = Sketch::connect(&bridge).await;
    assert_eq!(sketch.list().await, json!([]));
    sketch.ask_to_open("/dev/ttyACM0", json!({})).await;
    let (method, error) = sketch.next().await;
    assert_eq!(method, "error", "{error}");
    for _ in 0..3 {
        let mut uno = machine.plug("ttyACM0", UNO, "1-1");
        listed(&mut sketch, json!(["/dev/ttyACM0"])).await;
        // The name is that of where the sketch was written.
        sketch.opens_at_last("/dev/tty.usbmodem1421").await;
        uno.write("hello").await;
        sketch.gets_bytes(b"hello").await;
        sketch.send("write", json!("H")).await;
        uno.expect("H").await;
        machine.unplug("ttyACM0", uno);
        sketch.gets("close", json!({"disconnected": true})).await;
        listed(&mut sketch, json!([])).await;
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn of_two_boards_a_menu_opens_the_one_that_is_chosen() {
    let Some(mut machine) = Machine::new() else {
        return;
    };
    let bridge = machine
        .start(&["--port", "sim", "--offer", "usb", "--p5=0"])
        .await;
    let mut devices = vec![machine.plug("ttyACM0", UNO, "1-1")];
    devices.push(machine.plug("ttyUSB0", NANO, "1-2"));
    let mut sketch = Sketch::connect(&bridge).await;
    let paths = ["/dev/ttyACM0", "/dev/ttyUSB0"];
    listed(&mut sketch, json!(["/dev/ttyACM0", "/dev/ttyUSB0", "sim"])).await;
    sketch.ask_to_open("COM3", json!({})).await;
    sketch
        .gets_error("there is no port COM3; there are: /dev/ttyACM0, ")
        .await;
    for path in paths {
        sketch.opens_at_last(path).await;
        sketch.send("close", json!({})).await;
        sketch.gets("close", json!({})).await;
    }
    sketch.open(paths[1]).await;
    for index in [0, 1, 0, 1] {
        let (path, device) = (paths[index], &mut devices[index]);
        // As a menu does it, in one go.
        sketch.send("close", json!({})).await;
        sketch.ask_to_open(path, json!({"baudRate": 115_200})).await;
        sketch.gets("close", json!({})).await;
        sketch.gets("openserial", json!({})).await;
        device.write(path.as_bytes()).await;
        sketch.gets_bytes(path.as_bytes()).await;
    }
}

/// Waits until a sketch is given this list.
#[cfg(target_os = "linux")]
async fn listed(sketch: &mut Sketch, expected: Value) {
    until(&format!("the list to be {expected}"), async || {
        (sketch.list().await == expected).then_some(())
    })
    .await;
}
