//! Brokers that do not do what a broker should, played by the tests: serial-ws says why, tries again, and
//! ends well meanwhile.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::mqtt::{FakeBroker, MqttStream, kind};
use crate::support::{Bridge, Pair, within};

/// By contract, the program has ended so long after the signal.
const GONE: Duration = Duration::from_secs(2);

/// Starts serial-ws with this broker.
async fn publish_to(broker: &FakeBroker, pair: &mut Pair) -> Bridge {
    Bridge::on(pair, &["--mqtt", &broker.url()]).await
}

/// Ends it by SIGTERM, which has to end well.
async fn stop(mut bridge: Bridge) {
    let pressed = Instant::now();
    bridge.program.signal(Signal::TERM);
    bridge.program.ended().await.with(0, "");
    assert!(pressed.elapsed() < GONE, "it took {:?}", pressed.elapsed());
}

/// Reads objects of `json` until there is one of this type.
async fn object(stream: &mut MqttStream, wanted: &str) -> serde_json::Value {
    within(wanted, async {
        loop {
            let message = stream.message().await.expect("it is there");
            if message.topic == "lab/board/json" {
                let object: serde_json::Value =
                    serde_json::from_str(&message.payload).expect("it is an object");
                if object["type"] == wanted {
                    return object;
                }
            }
        }
    })
    .await
}

/// The state of the broker in the status of the port.
async fn problem(bridge: &Bridge) -> Option<String> {
    let port = bridge.port("board").await;
    let problem = &port["status"]["outputs"][0]["problem"];
    problem.as_str().map(str::to_owned)
}

/// Lets serial-ws in, which says `hello` then.
async fn greeted(broker: &FakeBroker) -> MqttStream {
    let mut stream = broker.client().await;
    object(&mut stream, "hello").await;
    stream
}

#[tokio::test]
async fn sigterm_ends_it_well_while_the_broker_does_not_let_it_in() {
    let mut pair = Pair::open().await;
    let broker = FakeBroker::listen().await;
    let bridge = publish_to(&broker, &mut pair).await;
    let _silent = broker.connection().await;
    stop(bridge).await;
}

#[tokio::test]
async fn sigterm_ends_it_well_while_the_broker_answers_nothing_any_more() {
    let mut pair = Pair::open().await;
    let broker = FakeBroker::listen().await;
    let bridge = publish_to(&broker, &mut pair).await;
    let _stream = greeted(&broker).await;
    stop(bridge).await;
}

#[tokio::test]
async fn sigterm_ends_it_well_while_the_broker_reads_nothing_any_more() {
    let mut pair = Pair::open().await;
    let broker = FakeBroker::listen().await;
    let bridge = publish_to(&broker, &mut pair).await;
    let _stream = broker.client().await;
    // More than the buffers of a connection hold.
    let mut witness = bridge.client("/?view=json").await;
    for _ in 0..400 {
        pair.device.write("0123456789\n".repeat(1_000)).await;
    }
    pair.device.write("last\n").await;
    within("the last line to be read", async {
        while witness.json().await["text"] != "last" {}
    })
    .await;
    stop(bridge).await;
}

#[tokio::test]
async fn sigterm_ends_it_well_while_a_connection_is_half_open() {
    let mut pair = Pair::open().await;
    // Its queue has room for two, and whoever comes after them gets no answer.
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket can be made");
    let any = "127.0.0.1:0".parse().expect("it is an address");
    socket.bind(any).expect("there is a free TCP port");
    let listener = socket.listen(1).expect("it can listen");
    let at = listener.local_addr().expect("it has an address");
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let stream = tokio::net::TcpStream::connect(at).await;
        waiting.push(stream.expect("there is room"));
    }
    let url = format!("mqtt://{at}/lab");
    let bridge = Bridge::on(&mut pair, &["--mqtt", &url]).await;
    assert_eq!(problem(&bridge).await.as_deref(), Some("connecting"));
    stop(bridge).await;
}

#[tokio::test]
async fn a_broker_that_accepts_a_connection_and_says_nothing_does_not_answer() {
    let mut pair = Pair::open().await;
    let broker = FakeBroker::listen().await;
    let bridge = publish_to(&broker, &mut pair).await;
    let silent = broker.connection().await;
    bridge.program.said("cannot publish to").await;
    let said = bridge.program.said("it does not answer").await;
    assert!(said.contains(&broker.url()), "{said}");
    silent.closed().await;
    // It tries again.
    let _stream = greeted(&broker).await;
    bridge.program.said("publishes to").await;
}

#[tokio::test]
async fn a_broker_that_ends_the_connection_at_once_may_be_at_another_port_or_encrypted() {
    let mut pair = Pair::open().await;
    let broker = FakeBroker::listen().await;
    let bridge = publish_to(&broker, &mut pair).await;
    let mut stream = broker.connection().await;
    assert_eq!(
        stream.packet().await.expect("it is there").kind(),
        kind::CONNECT
    );
    drop(stream);
    let said = bridge.program.said("the connection has ended").await;
    assert!(said.contains("Check the TCP port"), "{said}");
    let _stream = greeted(&broker).await;
    assert_eq!(problem(&bridge).await, None);
}

#[tokio::test]
async fn a_broker_that_says_something_else_is_none() {
    let mut pair = Pair::open().await;
    let broker = FakeBroker::listen().await;
    let bridge = publish_to(&broker, &mut pair).await;
    let mut stream = broker.connection().await;
    let page = "HTTP/1.1 400 Bad Request\r\n\r\n<h1>This is no broker.</h1>".repeat(4);
    let sent = stream.send_bytes(page.as_bytes()).await;
    sent.expect("it is there");
    bridge.program.said("its answer is not MQTT").await;
    stream.closed().await;
    // Also one that begins well.
    let mut stream = greeted(&broker).await;
    let sent = stream.send_bytes(&[0xff; 64]).await;
    sent.expect("it is there");
    bridge.program.said("lost the broker").await;
    stream.closed().await;
    let _stream = greeted(&broker).await;
    assert_eq!(problem(&bridge).await, None);
}

#[tokio::test]
async fn a_broker_that_accepts_everyone_and_disconnects_them_is_not_tried_faster_and_faster() {
    let mut pair = Pair::open().await;
    let broker = FakeBroker::listen().await;
    let bridge = publish_to(&broker, &mut pair).await;
    let mut delays = Vec::new();
    for _ in 0..4 {
        drop(greeted(&broker).await);
        let start = Instant::now();
        let next = broker.client().await;
        delays.push(start.elapsed());
        drop(next);
    }
    assert!(delays[3] > delays[0] * 2, "{delays:?}");
    drop(bridge);
}

#[tokio::test]
#[ignore = "takes a minute: tests/run --long"]
async fn a_broker_that_answers_no_ping_is_lost() {
    let mut pair = Pair::open().await;
    let broker = FakeBroker::listen().await;
    let bridge = publish_to(&broker, &mut pair).await;
    let _stream = greeted(&broker).await;
    let start = Instant::now();
    while !bridge
        .program
        .log()
        .iter()
        .any(|line| line.contains("lost the broker"))
    {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "{:#?}",
            bridge.program.log()
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bridge.program.said("it does not answer").await;
}

#[tokio::test]
async fn what_a_lost_broker_did_not_take_is_published_later_once_and_in_order() {
    const LINES: u64 = 20_000;
    let mut pair = Pair::open().await;
    let broker = FakeBroker::listen().await;
    let bridge = Bridge::on(&mut pair, &["--mqtt", &broker.url(), "--history", "16MiB"]).await;
    let mut stream = broker.client().await;
    let first = object(&mut stream, "hello").await;
    let text: String = (0..LINES).map(|count| format!("{count}\n")).collect();
    pair.device.write(text).await;
    // In the middle of many lines that came at once.
    let mut last = 0;
    while last < 200 {
        last = object(&mut stream, "line").await["seq"]
            .as_u64()
            .expect("a number");
    }
    drop(stream);
    bridge.program.said("lost the broker").await;
    let mut stream = broker.client().await;
    let mut is_online = false;
    let hello = within("hello", async {
        loop {
            let message = stream.message().await.expect("it is there");
            is_online |= message.topic == "lab/bridge" && message.payload == "online";
            if message.topic == "lab/board/json" {
                break serde_json::from_str::<serde_json::Value>(&message.payload);
            }
        }
    });
    let hello = hello.await.expect("it is an object");
    assert!(is_online, "the broker is told that serial-ws is there");
    assert_eq!(hello["run"], first["run"]);
    let mut seq = hello["seq"].as_u64().expect("a number");
    assert!(seq >= last, "{hello} after line {last}");
    while seq < LINES {
        let line = object(&mut stream, "line").await;
        assert_eq!(line["seq"], seq + 1, "{line}");
        seq += 1;
    }
}
