//! `--pace` before a device that loses what overruns its buffer: it takes 64 bytes from the line, and its
//! sketch reads them one by one.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Bridge, Pair, until};

/// Bytes that the buffer of an Arduino takes.
const BUFFER: usize = 64;

/// The time that the sketch takes for each byte, longer than one takes on the line at 9600 baud.
const BYTE_TIME: Duration = Duration::from_millis(4);

/// The line rate of the device: a pseudo-terminal has none.
const LINE_TIME: Duration = Duration::from_micros(1042);

/// A device that hears each byte of the line, keeps as many as fit, and reads them at its own pace.
struct SmallBuffer {
    buffer: VecDeque<u8>,
    read: Vec<u8>,
    lost: usize,
    /// The time at which the line has brought all that was heard.
    line: Instant,
    /// The time at which the sketch is ready for its next byte.
    sketch: Instant,
}

impl SmallBuffer {
    fn new(now: Instant) -> Self {
        Self {
            buffer: VecDeque::new(),
            read: Vec::new(),
            lost: 0,
            line: now,
            sketch: now,
        }
    }

    /// Takes a byte that was written at this time, which the line brings as soon as it can.
    fn hear(&mut self, byte: u8, written: Instant) {
        self.line = self.line.max(written) + LINE_TIME;
        self.run_until(self.line);
        if self.buffer.len() < BUFFER {
            self.sketch = self.sketch.max(if self.buffer.is_empty() {
                self.line
            } else {
                self.sketch
            });
            self.buffer.push_back(byte);
        } else {
            self.lost += 1;
        }
    }

    /// Lets the sketch read what it has time for.
    fn run_until(&mut self, now: Instant) {
        while self.sketch + BYTE_TIME <= now
            && let Some(byte) = self.buffer.pop_front()
        {
            self.sketch += BYTE_TIME;
            self.read.push(byte);
        }
    }
}

/// Writes `messages` at this pace, and returns what the device read, and how many bytes it lost.
async fn written(pace: Option<&str>, messages: &[String]) -> (Vec<u8>, usize) {
    let mut pair = Pair::open().await;
    let arguments = pace.map_or(vec![], |pace| vec!["--pace", pace]);
    let bridge = Bridge::on(&mut pair, &arguments).await;
    let mut client = bridge.json_client().await;
    for text in messages {
        client
            .send_json(json!({"type": "write", "text": text}))
            .await;
    }
    let mut device = SmallBuffer::new(Instant::now());
    for _ in 0..messages.concat().len() {
        let byte = pair.device.take(1).await[0];
        device.hear(byte, Instant::now());
    }
    until("everything to be written", async || {
        let counters = bridge.port("board").await["counters"].clone();
        (counters["written_bytes"] == messages.concat().len()).then_some(())
    })
    .await;
    device.run_until(device.line + BYTE_TIME * 2 * BUFFER as u32);
    (device.read, device.lost)
}

#[tokio::test]
async fn a_buffer_of_64_bytes_loses_what_comes_at_once_and_nothing_of_what_is_paced() {
    let lines: Vec<String> = (0..12)
        .map(|line| format!("G1 X{line:02} Y7\n").repeat(2))
        .collect();
    let (_, lost) = written(None, &lines).await;
    assert!(lost > 100, "only {lost} bytes were lost");
    // A line is 11 bytes, which the sketch reads in 44 ms, and a message 22.
    for pace in ["4ms", "50ms/line", "100ms/message"] {
        let (read, lost) = written(Some(pace), &lines).await;
        assert_eq!(lost, 0, "{pace}");
        assert_eq!(String::from_utf8_lossy(&read), lines.concat(), "{pace}");
    }
}
