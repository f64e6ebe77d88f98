//! The time from a question of a client to the device's reply: what taking turns, finding the end of the
//! reply and answering the right client cost.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::client::{Frame, connect_when_ready, push_text};
use crate::device::Device;
use crate::effort::Effort;
use crate::subject::{Kind, Subject};
use crate::table::{Table, Target, measure};

/// Questions before those that are measured.
const WARM_UP: usize = 20;

/// The reply of the device.
const REPLY: &[u8] = b"42";

/// Measures questions one after another. For the floor, a question is a message that it writes to the tty,
/// and its reply the next line.
pub fn ask(effort: Effort, kinds: &[Kind], table: &mut Table) -> Result<()> {
    let questions = if effort.is_short { 300 } else { 3000 };
    let measured = measure(effort, &kinds[..2], |kind| round_trip(kind, questions))?;
    table.add(
        "question and reply, µs, median",
        &measured,
        |micros| *micros,
        Target::RatioAtMost(1.3),
    );
    Ok(())
}

/// Returns the median time of so many questions in microseconds.
fn round_trip(kind: Kind, questions: usize) -> Result<f64> {
    let mut device = Device::new()?;
    let subject = Subject::start(kind, &device)?;
    let (path, question, mark): (_, &[u8], &[u8]) = match kind {
        Kind::Floor => ("/", b"?\n", REPLY),
        _ => (
            "/?view=json",
            br#"{"type":"ask","text":"?\n","id":1}"#,
            br#"{"type":"reply""#,
        ),
    };
    let (stream, received) = connect_when_ready(subject.address, path)?;
    let mut client = Client { stream, received };
    let all = questions + WARM_UP;
    let mut times = std::thread::scope(|scope| {
        let device = scope.spawn(move || answer(&mut device, all));
        let times: Result<Vec<f64>> = (0..all)
            .map(|_| {
                let start = Instant::now();
                client.ask(question, mark)?;
                Ok(start.elapsed().as_secs_f64() * 1e6)
            })
            .collect();
        device.join().expect("the device does not panic")?;
        times
    })?
    .split_off(WARM_UP);
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

/// Answers so many questions, each a line.
fn answer(device: &mut Device, questions: usize) -> Result<()> {
    let mut buffer = [0; 256];
    let mut answered = 0;
    while answered < questions {
        let count = device.read(&mut buffer)?;
        for _ in buffer[..count].iter().filter(|byte| **byte == b'\n') {
            device.write(&[REPLY, b"\n"].concat())?;
            answered += 1;
        }
    }
    Ok(())
}

/// The client that asks.
struct Client {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Client {
    /// Asks, and waits for the message that begins with `mark`.
    fn ask(&mut self, question: &[u8], mark: &[u8]) -> Result<()> {
        let mut frame = Vec::new();
        push_text(question, &mut frame);
        self.stream.write_all(&frame)?;
        loop {
            while let Some(frame) = Frame::parse(&self.received) {
                let is_reply = frame.payload.starts_with(mark);
                let length = frame.len;
                self.received.drain(..length);
                if is_reply {
                    return Ok(());
                }
            }
            let mut buffer = [0; 1024];
            let count = self.stream.read(&mut buffer)?;
            if count == 0 {
                bail!("the connection has ended");
            }
            self.received.extend_from_slice(&buffer[..count]);
        }
    }
}
