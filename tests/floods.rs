//! Minutes of load, each test ignored unless `tests/run --long` asks for it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::support::{Bridge, Client, Pair, skip};

const MIB: usize = 1024 * 1024;

/// The stream of the device: numbered lines of many lengths, with all that views change on the way.
#[derive(Default)]
struct Stream {
    number: u64,
    /// What is left of the current line, with its end.
    rest: Vec<u8>,
    /// The bytes taken so far.
    taken: u64,
}

impl Stream {
    /// The next line, with its end.
    fn line(&mut self) -> Vec<u8> {
        assert!(self.rest.is_empty(), "a line has begun");
        let n = self.number;
        self.number += 1;
        let filler =
            &"0123456789 \"quoted\" back\\slash\ttab é ü 漢字 😀 abcdefghijklmnopqrstuvwxyz";
        let ends = filler.char_indices().map(|(at, _)| at);
        let ends: Vec<usize> = ends.collect();
        let end = ends[n as usize % ends.len()];
        let line = format!("{n} {}\r\n", &filler[..end]);
        self.taken += line.len() as u64;
        line.into_bytes()
    }

    /// Takes as many bytes as these, which must be the next ones.
    fn expect(&mut self, mut bytes: &[u8], who: &str) {
        while !bytes.is_empty() {
            if self.rest.is_empty() {
                self.rest = self.line();
                self.taken -= self.rest.len() as u64;
            }
            let count = bytes.len().min(self.rest.len());
            let (now, later) = bytes.split_at(count);
            assert_eq!(now, &self.rest[..count], "{who} after {} bytes", self.taken);
            self.rest.drain(..count);
            self.taken += count as u64;
            bytes = later;
        }
    }

    /// Takes a line, which must be the next one.
    fn expect_line(&mut self, line: &str, who: &str) {
        let expected = self.line();
        let expected = expected.strip_suffix(b"\r\n").expect("it has an end");
        assert_eq!(line.as_bytes(), expected, "{who} at line {}", self.number);
    }
}

/// How a client of the mixed crowd takes what it gets.
#[derive(Clone, Copy)]
enum Taken {
    Line,
    Bytes,
    Text,
    LineObject,
    ChunkObject,
}

/// Two of each.
const CROWD: [(&str, Taken); 10] = [
    ("/", Taken::Line),
    ("/?view=lines&history=0", Taken::Line),
    ("/?view=raw", Taken::Bytes),
    ("/?view=raw&append=lf", Taken::Bytes),
    ("/?view=text", Taken::Text),
    ("/?view=text&append=crlf", Taken::Text),
    ("/?view=json", Taken::LineObject),
    ("/?view=json&values", Taken::LineObject),
    ("/?view=json&data=chunks", Taken::ChunkObject),
    ("/?view=json&data=chunks", Taken::ChunkObject),
];

impl Taken {
    /// Takes the next message and compares it with the stream.
    async fn take(self, client: &mut Client, stream: &mut Stream, who: &str) {
        match self {
            Self::Line => stream.expect_line(&client.text().await, who),
            Self::Bytes => stream.expect(&client.bytes().await, who),
            Self::Text => stream.expect(client.text().await.as_bytes(), who),
            Self::LineObject => {
                let object = object(client, "line").await;
                let text = object["text"].as_str().expect("the line is text");
                stream.expect_line(text, who);
            }
            Self::ChunkObject => {
                let object = object(client, "data").await;
                match (&object["text"], &object["bytes"]) {
                    (Value::String(text), _) => stream.expect(text.as_bytes(), who),
                    (_, Value::String(bytes)) => {
                        let bytes = BASE64_STANDARD.decode(bytes).expect("it is base64");
                        stream.expect(&bytes, who);
                    }
                    _ => panic!("{object}"),
                }
            }
        }
    }
}

/// The next object that is no status; it is of this type.
async fn object(client: &mut Client, kind: &str) -> Value {
    loop {
        let text = client.text().await;
        let object: Value = serde_json::from_str(&text).expect("it is JSON");
        if object["type"] == kind {
            return object;
        }
        let is_other = object["type"] == "status" || object["type"] == "hello";
        assert!(is_other, "{object}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: tests/run --long"]
async fn a_gibibyte_reaches_ten_clients_of_all_views_byte_by_byte() {
    const SIZE: u64 = 1024 * MIB as u64;
    /// What the slowest may be behind; PROTOCOL.md promises that a client this near loses nothing.
    const WINDOW: u64 = 200 << 10;
    const PART: usize = 4000;
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let progress: Arc<[AtomicU64; CROWD.len()]> = Arc::default();
    let moved = Arc::new(Notify::new());
    let mut crowd = JoinSet::new();
    for (number, (target, taken)) in CROWD.into_iter().enumerate() {
        let mut client = bridge.client(target).await;
        let (progress, moved) = (Arc::clone(&progress), Arc::clone(&moved));
        crowd.spawn(async move {
            let mut stream = Stream::default();
            while stream.taken < SIZE {
                taken.take(&mut client, &mut stream, target).await;
                progress[number].store(stream.taken, Ordering::SeqCst);
                moved.notify_one();
            }
        });
    }
    let mut stream = Stream::default();
    let device = tokio::spawn(async move {
        // Beyond the end too, so that nobody waits for the rest of a chunk.
        while stream.taken < SIZE + PART as u64 {
            let mut part = Vec::with_capacity(2 * PART);
            while part.len() < PART {
                part.extend(stream.line());
            }
            pair.device.write(&part).await;
            let slowest = || progress.iter().map(|one| one.load(Ordering::SeqCst)).min();
            while stream.taken.saturating_sub(slowest().unwrap_or(0)) > WINDOW {
                moved.notified().await;
            }
        }
        pair
    });
    while let Some(client) = crowd.join_next().await {
        client.expect("each client gets every byte");
    }
    device.abort();
}

#[tokio::test]
#[ignore = "takes minutes: tests/run --long"]
async fn a_gibibyte_reaches_the_client_that_keeps_up_beside_those_that_do_not() {
    const SIZE: usize = 1024 * MIB;
    const BOUND: u64 = 64 * MIB as u64;
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut stalled = Vec::new();
    for view in ["lines", "raw", "text", "json"].repeat(5) {
        let target = format!("/?view={view}");
        stalled.push(Client::open_narrow(bridge.address(), &target).await);
    }
    let mut client = bridge.client("/?view=raw").await;
    // Lines of a length that divides no buffer.
    let line: Vec<u8> = (b'0'..=b'z')
        .filter(u8::is_ascii_alphanumeric)
        .chain(*b"\r\n")
        .collect();
    let part = line.repeat(10_000);
    let sent = part.clone();
    let device = tokio::spawn(async move {
        for _ in 0..SIZE / sent.len() + 1 {
            pair.device.write(&sent).await;
        }
        pair
    });
    let mut received = 0;
    while received < SIZE {
        let bytes = client.bytes().await;
        let mut expected = part.iter().cycle().skip(received % line.len());
        assert!(
            bytes.iter().all(|byte| expected.next() == Some(byte)),
            "after {received} bytes"
        );
        received += bytes.len();
    }
    device.abort();
    match bridge.program.peak_memory() {
        Some(peak) => assert!(peak < BOUND, "{} MiB", peak / MIB as u64),
        None => skip("the memory of the program cannot be known here"),
    }
}

#[tokio::test]
#[ignore = "takes minutes: tests/run --long"]
async fn two_hundred_clients_get_every_line() {
    const CLIENTS: usize = 200;
    const LINES: u64 = 20_000;
    const BATCH: u64 = 100;
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut witness = bridge.client("/?view=raw").await;
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        let mut client = bridge.client("/").await;
        readers.spawn(async move {
            for n in 0..LINES {
                assert_eq!(client.text().await, n.to_string());
            }
        });
    }
    for batch in 0..LINES / BATCH {
        let lines: String = (batch * BATCH..(batch + 1) * BATCH)
            .map(|n| format!("{n}\n"))
            .collect();
        pair.device.write(&lines).await;
        assert_eq!(witness.bytes_of(lines.len()).await, lines.as_bytes());
    }
    while let Some(reader) = readers.join_next().await {
        reader.expect("each client gets every line");
    }
}
