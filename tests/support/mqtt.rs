//! MQTT 3.1.1 as a test needs it: a broker of its own, packets, subscribers, and a broker that a test
//! plays itself.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::{skip, spawn, within};

/// The configuration of the broker in its folder.
const CONFIG: &str = "mosquitto.conf";

/// The folders where the broker is looked for. Debian keeps it where only root looks for commands.
static SEARCHED: LazyLock<String> =
    LazyLock::new(|| format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default()));

/// The kinds of packets (§2.2.1), with the flags that belong to them.
pub mod kind {
    pub const CONNECT: u8 = 0x10;
    pub const CONNACK: u8 = 0x20;
    pub const PUBLISH: u8 = 0x30;
    pub const PUBACK: u8 = 0x40;
    pub const SUBSCRIBE: u8 = 0x82;
    pub const SUBACK: u8 = 0x90;
}

/// One end of a connection that speaks MQTT.
pub struct MqttStream(BufReader<TcpStream>);

/// A packet: the first byte, and what follows its length.
pub struct Packet {
    first: u8,
    body: Vec<u8>,
}

/// What was published.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    pub topic: String,
    pub payload: String,
    /// True if the broker had kept it, or is to keep it.
    pub is_retained: bool,
    /// The number by which it is acknowledged, with QoS 1.
    pub id: Option<u16>,
}

impl MqttStream {
    /// Speaks on this connection.
    pub fn new(stream: TcpStream) -> Self {
        Self(BufReader::new(stream))
    }

    /// Subscribes to a topic on a connection to a broker, as a client of this name.
    ///
    /// # Errors
    /// When the broker has gone.
    pub async fn subscribe(stream: TcpStream, name: &str, topic: &str) -> io::Result<Self> {
        let mut stream = Self::new(stream);
        // The protocol, a clean session, no keep-alive, and the client's name (§3.1).
        let mut connect = b"\x00\x04MQTT\x04\x02\x00\x00".to_vec();
        connect.extend([0, name.len() as u8]);
        connect.extend(name.as_bytes());
        stream.send(kind::CONNECT, &connect).await?;
        // A number, the topic, and QoS 1, by which `hello` is not lost (§3.8).
        let mut subscribe = vec![0, 1, 0, topic.len() as u8];
        subscribe.extend(topic.as_bytes());
        subscribe.push(1);
        stream.send(kind::SUBSCRIBE, &subscribe).await?;
        for expected in [kind::CONNACK, kind::SUBACK] {
            let packet = stream.packet().await?;
            assert_eq!(packet.kind(), expected, "{:?}", packet.body);
        }
        Ok(stream)
    }

    /// Reads a packet (§2.2.3).
    ///
    /// # Errors
    /// When the other end has gone.
    pub async fn packet(&mut self) -> io::Result<Packet> {
        let first = self.0.read_u8().await?;
        let (mut length, mut shift) = (0, 0);
        loop {
            let byte = self.0.read_u8().await?;
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await?;
        Ok(Packet { first, body })
    }

    /// Reads what was published next, and acknowledges it if that is wanted.
    ///
    /// # Errors
    /// When the other end has gone.
    pub async fn message(&mut self) -> io::Result<Message> {
        loop {
            let Some(message) = self.packet().await?.message() else {
                continue;
            };
            if let Some(id) = message.id {
                self.send(kind::PUBACK, &id.to_be_bytes()).await?;
            }
            return Ok(message);
        }
    }

    /// Sends a packet of less than 128 bytes.
    ///
    /// # Errors
    /// When the other end has gone.
    pub async fn send(&mut self, first: u8, body: &[u8]) -> io::Result<()> {
        assert!(body.len() < 128, "its length has one byte");
        self.send_bytes(&[&[first, body.len() as u8], body].concat())
            .await
    }

    /// Sends what need not be a packet.
    ///
    /// # Errors
    /// When the other end has gone.
    pub async fn send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.get_mut().write_all(bytes).await
    }

    /// Waits until the other end has closed the connection, whatever it sends before.
    pub async fn closed(mut self) {
        within("the connection to be closed", async {
            while self.packet().await.is_ok() {}
        })
        .await;
    }
}

impl Packet {
    /// The kind, with the flags where they belong to it.
    pub fn kind(&self) -> u8 {
        match self.first & 0xf0 {
            kind::PUBLISH => kind::PUBLISH,
            _ => self.first,
        }
    }

    /// Returns what is published (§3.3); None if it is another packet.
    pub fn message(&self) -> Option<Message> {
        if self.kind() != kind::PUBLISH {
            return None;
        }
        let number = |at: usize| u16::from_be_bytes([self.body[at], self.body[at + 1]]);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("it is text");
        let after_topic = 2 + usize::from(number(0));
        let has_id = self.first & 0b110 != 0;
        let payload = after_topic + if has_id { 2 } else { 0 };
        Some(Message {
            topic: text(&self.body[2..after_topic]),
            payload: text(&self.body[payload..]),
            is_retained: self.first & 1 != 0,
            id: has_id.then(|| number(after_topic)),
        })
    }
}

/// A broker that the test plays.
pub struct FakeBroker {
    listener: TcpListener,
    pub at: SocketAddr,
}

impl FakeBroker {
    /// Listens, and accepts nobody by itself.
    pub async fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a socket can listen");
        let at = listener.local_addr().expect("it has an address");
        Self { listener, at }
    }

    /// The argument of `--mqtt`.
    pub fn url(&self) -> String {
        format!("mqtt://{}/lab", self.at)
    }

    /// Waits for a connection.
    pub async fn connection(&self) -> MqttStream {
        let accepted = within("a connection", self.listener.accept()).await;
        MqttStream::new(accepted.expect("it can be accepted").0)
    }

    /// Waits for a client, and lets it in.
    pub async fn client(&self) -> MqttStream {
        let mut stream = self.connection().await;
        let packet = within("CONNECT", stream.packet()).await;
        assert_eq!(packet.expect("the client is there").kind(), kind::CONNECT);
        // No session of before, and accepted (§3.2).
        let sent = stream.send(kind::CONNACK, &[0, 0]).await;
        sent.expect("the client is there");
        stream
    }
}

/// A broker of other people, mosquitto, that ends with the test.
pub struct Broker {
    child: Child,
    folder: PathBuf,
}

impl Broker {
    /// Starts mosquitto by a command that runs it somewhere, to listen at `address` there; None where it is
    /// not installed.
    pub fn start(command: Command, address: SocketAddr) -> Option<Self> {
        let mut folders = std::env::split_paths(SEARCHED.as_str());
        if !folders.any(|folder| folder.join("mosquitto").is_file()) {
            skip("mosquitto is not installed");
            return None;
        }
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("serial-ws-broker-{}-{count}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).expect("a folder can be made");
        let (ip, port) = (address.ip(), address.port());
        // It drops nothing for those who are slow, however busy the machine is.
        let text = format!(
            "listener {port} {ip}\nallow_anonymous true\nmax_connections -1\nmax_queued_messages 0\n"
        );
        std::fs::write(folder.join(CONFIG), text).expect("a file can be written");
        let child = start(command, &folder);
        Some(Self { child, folder })
    }

    /// Ends it by a signal, and starts it again by a command as before.
    pub fn restart(&mut self, signal: Signal, command: Command) {
        self.signal(signal);
        self.child.wait().expect("it ends");
        self.child = start(command, &self.folder);
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    /// The processor time that it has used since it was started.
    pub fn processor_time(&self) -> Duration {
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

/// Starts it with the configuration in its folder.
fn start(mut command: Command, folder: &Path) -> Child {
    let config = folder.join(CONFIG);
    command.env("PATH", &*SEARCHED).arg("-c").arg(config);
    command.stderr(Stdio::null());
    spawn(command).expect("it is installed")
}
