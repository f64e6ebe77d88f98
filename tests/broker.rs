//! Viewers beyond one machine: a real broker between serial-ws and 2,000 subscribers.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::support::{Bridge, Pair, raise_descriptor_limit, skip, spawn, until};

/// A broker that ends with the test.
struct Broker {
    child: Child,
    port: u16,
    folder: PathBuf,
}

impl Broker {
    /// Starts mosquitto; None where it is not installed.
    async fn start() -> Option<Self> {
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("there is a free TCP port");
        let port = free.local_addr().expect("it is bound").port();
        drop(free);
        let folder = std::env::temp_dir().join(format!("serial-ws-broker-{port}"));
        std::fs::create_dir_all(&folder).expect("a folder can be made");
        let config = folder.join("mosquitto.conf");
        let text = format!("listener {port} 127.0.0.1\nallow_anonymous true\nmax_connections -1\n");
        std::fs::write(&config, text).expect("a file can be written");
        // Debian keeps it where only root looks for commands.
        let path = std::env::var("PATH").unwrap_or_default();
        let mut mosquitto = Command::new("mosquitto");
        mosquitto.env("PATH", format!("{path}:/usr/sbin"));
        mosquitto.arg("-c").arg(&config).stderr(Stdio::null());
        let Ok(child) = spawn(mosquitto) else {
            skip("mosquitto is not installed");
            return None;
        };
        let broker = Self {
            child,
            port,
            folder,
        };
        until("the broker to listen", async || {
            TcpStream::connect(("127.0.0.1", port)).await.ok()
        })
        .await;
        Some(broker)
    }

    /// The processor time that the broker has used.
    fn processor_time(&self) -> Duration {
        let text = std::fs::read_to_string(format!("/proc/{}/schedstat", self.child.id()));
        let text = text.expect("the broker runs");
        let nanoseconds = text.split_whitespace().next().expect("it has a number");
        Duration::from_nanos(nanoseconds.parse().expect("a number"))
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A subscriber of one topic, with the least of MQTT 3.1.1 that it takes.
struct Subscriber(BufReader<TcpStream>);

impl Subscriber {
    async fn new(port: u16, number: usize, topic: &str) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await;
        let mut stream = stream.expect("the broker listens");
        let id = format!("viewer{number}");
        // CONNECT (§3.1): the protocol, a clean session, no keep-alive, and the client's name.
        let mut connect = b"\x00\x04MQTT\x04\x02\x00\x00".to_vec();
        connect.extend([0, id.len() as u8]);
        connect.extend(id.as_bytes());
        // SUBSCRIBE (§3.8): a number, the topic, and QoS 0.
        let mut subscribe = vec![0, 1, 0, topic.len() as u8];
        subscribe.extend(topic.as_bytes());
        subscribe.push(0);
        for (kind, body) in [(0x10, connect), (0x82, subscribe)] {
            let packet = [&[kind, body.len() as u8], &body[..]].concat();
            let written = stream.write_all(&packet).await;
            written.expect("the broker is there");
        }
        let mut subscriber = Self(BufReader::new(stream));
        assert_eq!(subscriber.packet().await.0 >> 4, 2, "CONNACK");
        assert_eq!(subscriber.packet().await.0 >> 4, 9, "SUBACK");
        subscriber
    }

    /// Reads a packet: its first byte, and what follows its length (§2.2.3).
    async fn packet(&mut self) -> (u8, Vec<u8>) {
        let kind = self.0.read_u8().await.expect("the broker is there");
        let (mut length, mut shift) = (0, 0);
        loop {
            let byte = self.0.read_u8().await.expect("the broker is there");
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                break;
            }
        }
        let mut body = vec![0; length];
        let read = self.0.read_exact(&mut body).await;
        read.expect("the broker is there");
        (kind, body)
    }

    /// Reads what was published next.
    async fn payload(&mut self) -> String {
        let (kind, body) = self.packet().await;
        assert_eq!(kind >> 4, 3, "PUBLISH");
        let topic = usize::from(u16::from_be_bytes([body[0], body[1]]));
        String::from_utf8(body[2 + topic..].to_vec()).expect("a line is text")
    }
}

#[tokio::test]
#[ignore = "takes a minute: tests/run --long"]
async fn two_thousand_subscribers_get_every_line_in_order() {
    const SUBSCRIBERS: usize = 2_000;
    const LINES: usize = 1_000;
    const INTERVAL: Duration = Duration::from_millis(20);
    // For the test, and for the broker, which inherits the limit.
    if raise_descriptor_limit(SUBSCRIBERS as u64 + 500).is_none() {
        return;
    }
    let Some(broker) = Broker::start().await else {
        return;
    };
    let mut pair = Pair::open().await;
    let url = format!("mqtt://127.0.0.1:{}/lab", broker.port);
    let bridge = Bridge::on(&mut pair, &["--mqtt", &url]).await;
    bridge.program.said("publishes to").await;
    let mut subscribers = JoinSet::new();
    for number in 0..SUBSCRIBERS {
        let mut subscriber = Subscriber::new(broker.port, number, "lab/board/line").await;
        subscribers.spawn(async move {
            for line in 0..LINES {
                assert_eq!(subscriber.payload().await, format!("{line},512,300"));
            }
        });
    }
    let before = (broker.processor_time(), bridge.program.processor_time());
    let mut clock = tokio::time::interval(INTERVAL);
    for line in 0..LINES {
        clock.tick().await;
        pair.device.write(format!("{line},512,300\n")).await;
    }
    while let Some(ended) = subscribers.join_next().await {
        ended.expect("each gets every line in order");
    }
    let used = broker.processor_time() - before.0;
    let messages = (SUBSCRIBERS * LINES) as f64;
    let each = used.as_secs_f64() * 1e6 / messages;
    println!("the broker: {each:.2} µs for each message of each of {SUBSCRIBERS} subscribers");
    if let (Some(before), Some(after)) = (before.1, bridge.program.processor_time()) {
        let each = (after - before).as_secs_f64() * 1e6 / LINES as f64;
        println!("serial-ws: {each:.0} µs for each line, in a build with debug assertions");
    }
}
