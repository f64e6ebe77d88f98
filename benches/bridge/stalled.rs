//! Ten clients that read, beside one that stops reading and later reads again.

use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::client::{self, Frame};
use crate::device::number;
use crate::effort::Effort;
use crate::rig::Rig;
use crate::subject::Kind;
use crate::table::{Table, Target, measure};

/// More lines than the sockets and the buffers for slow clients can hold together.
const OVERFLOW: u64 = 60_000;

/// Lines per second while the latency is measured.
const RATE: u32 = 1000;

struct Stalled {
    /// The others' median latency beside the stalled client, in microseconds.
    beside: f64,
    /// The others' median latency without it, in microseconds.
    without: f64,
    /// Lines that the others lost.
    lost: f64,
    /// Memory growth in KiB.
    growth: f64,
    /// The difference between the reported and the real number of missed lines.
    error: f64,
    missed: f64,
}

/// Measures that a client that does not read affects only itself.
pub fn stalled(effort: Effort, _: &[Kind], table: &mut Table) -> Result<()> {
    let measured = measure(effort, &[Kind::SerialWs], |kind| stall(kind, effort.time))?;
    table.add(
        "lines lost by the others",
        &measured,
        |it| it.lost,
        Target::AtMost(0.0),
    );
    table.add(
        "latency of the others without it, µs",
        &measured,
        |it| it.without,
        Target::None,
    );
    table.add(
        "latency of the others beside it, µs",
        &measured,
        |it| it.beside,
        Target::None,
    );
    let target = Target::AtMost(1.1);
    table.add(
        "ratio of the two",
        &measured,
        |it| it.beside / it.without,
        target,
    );
    table.add(
        "memory growth, KiB",
        &measured,
        |it| it.growth,
        Target::AtMost(1024.0),
    );
    table.add(
        "lines missed by the stalled client",
        &measured,
        |it| it.missed,
        Target::None,
    );
    table.add(
        "error in its reported missed lines",
        &measured,
        |it| it.error,
        Target::AtMost(0.0),
    );
    Ok(())
}

fn stall(kind: Kind, time: Duration) -> Result<Stalled> {
    let mut rig = Rig::new(kind, 10)?;
    // Fills the history first, so that it does not count as growth.
    rig.device.flood(OVERFLOW)?;
    let without = phase(&mut rig, time)?;
    let before = rig.subject.memory()?;
    let (stream, early) = client::connect(rig.subject.address, "/?view=json")?;
    rig.device.flood(OVERFLOW)?;
    let beside = phase(&mut rig, time)?;
    let growth = rig.subject.memory()? - before;
    rig.device.flood(OVERFLOW)?;
    let flood = rig.wait_for_arrival()?;
    let received = resume(stream, early, rig.device.sent)?;
    Ok(Stalled {
        beside: beside.0,
        without: without.0,
        lost: without.1 + beside.1 + (flood.gaps + flood.wrong) as f64,
        growth,
        error: received.expected.abs_diff(received.lines + received.missed) as f64,
        missed: received.missed as f64,
    })
}

/// Returns the median latency of this phase, and the lines lost in it and since the last phase.
fn phase(rig: &mut Rig, time: Duration) -> Result<(f64, f64)> {
    let flood = rig.wait_for_arrival()?;
    rig.load.ask("reset")?;
    rig.device.pace(RATE, time)?;
    let report = rig.wait_for_arrival()?;
    let lost = flood.gaps + flood.wrong + report.gaps + report.wrong + report.closed;
    Ok((report.median, lost as f64))
}

struct Received {
    /// Lines from the first received to the last one sent, by the device's own numbers.
    expected: u64,
    lines: u64,
    missed: u64,
}

/// Reads everything for the client, up to the last line.
fn resume(mut stream: TcpStream, mut bytes: Vec<u8>, last: u64) -> Result<Received> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let (mut first, mut lines, mut missed) = (None, 0, 0);
    loop {
        while let Some(frame) = Frame::parse(&bytes) {
            let len = frame.len;
            let object: Value = serde_json::from_slice(frame.payload).unwrap_or_default();
            match object["type"].as_str() {
                Some("line") => {
                    let text = object["text"].as_str().context("a line has text")?;
                    let sent = number(&text.as_bytes()[..11]).context("a line has a number")?;
                    let first = *first.get_or_insert(sent);
                    lines += 1;
                    if sent == last {
                        let expected = last - first + 1;
                        return Ok(Received {
                            expected,
                            lines,
                            missed,
                        });
                    }
                }
                Some("missed") => missed += object["lines"].as_u64().unwrap_or(0),
                _ => {}
            }
            bytes.drain(..len);
        }
        let mut buffer = [0; 64 << 10];
        let count = stream
            .read(&mut buffer)
            .context("the stalled client receives nothing")?;
        ensure!(count > 0, "the stalled client was disconnected");
        bytes.extend_from_slice(&buffer[..count]);
    }
}
