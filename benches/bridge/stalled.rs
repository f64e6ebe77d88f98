//! Ten clients that read, beside one that does not, and then reads again.

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

/// Lines that are more than the sockets, and what is kept for the slow, can hold together.
const TOO_MANY: u64 = 60_000;

/// Lines per second while the latency is measured.
const RATE: u32 = 1000;

struct Stalled {
    /// Microseconds of the others' median latency beside the stalled client, and without it.
    beside: f64,
    without: f64,
    /// Lines that the others lost.
    lost: f64,
    /// KiB.
    growth: f64,
    /// Lines by which what it was told that it missed is wrong.
    inexact: f64,
    missed: f64,
}

/// A client that never reads concerns nobody but itself.
pub fn stalled(effort: Effort, _: &[Kind], table: &mut Table) -> Result<()> {
    let measured = measure(effort, &[Kind::SerialWs], |kind| stall(kind, effort.time))?;
    table.add(
        "lines lost by the others",
        &measured,
        |it| it.lost,
        Target::Most(0.0),
    );
    table.add(
        "latency of the others without it, µs",
        &measured,
        |it| it.without,
        Target::None,
    );
    table.add(
        "the same beside it, µs",
        &measured,
        |it| it.beside,
        Target::None,
    );
    let target = Target::Most(1.1);
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
        Target::Most(1024.0),
    );
    table.add(
        "lines that it missed",
        &measured,
        |it| it.missed,
        Target::None,
    );
    table.add(
        "lines by which it is told wrong",
        &measured,
        |it| it.inexact,
        Target::Most(0.0),
    );
    Ok(())
}

fn stall(kind: Kind, time: Duration) -> Result<Stalled> {
    let mut rig = Rig::new(kind, 10)?;
    // What is kept of the stream fills up, so that it does not count as growth.
    rig.device.flood(TOO_MANY)?;
    let without = phase(&mut rig, time)?;
    let before = rig.subject.memory()?;
    let (stream, early) = client::connect(rig.subject.address, "/?view=json")?;
    rig.device.flood(TOO_MANY)?;
    let beside = phase(&mut rig, time)?;
    let growth = rig.subject.memory()? - before;
    rig.device.flood(TOO_MANY)?;
    let flood = rig.arrived()?;
    let told = resume(stream, early, rig.device.spoken)?;
    Ok(Stalled {
        beside: beside.0,
        without: without.0,
        lost: without.1 + beside.1 + (flood.gaps + flood.wrong) as f64,
        growth,
        inexact: told.expected.abs_diff(told.received + told.missed) as f64,
        missed: told.missed as f64,
    })
}

/// The median latency and the lines lost, since the last phase too.
fn phase(rig: &mut Rig, time: Duration) -> Result<(f64, f64)> {
    let flood = rig.arrived()?;
    rig.load.ask("reset")?;
    rig.device.pace(RATE, time)?;
    let report = rig.arrived()?;
    let lost = flood.gaps + flood.wrong + report.gaps + report.wrong + report.closed;
    Ok((report.median, lost as f64))
}

struct Told {
    /// Lines from the first received to the last one spoken, by the device's own numbers.
    expected: u64,
    received: u64,
    missed: u64,
}

/// Reads what there is for the client, up to the last line.
fn resume(mut stream: TcpStream, mut bytes: Vec<u8>, last: u64) -> Result<Told> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let (mut first, mut received, mut missed) = (None, 0, 0);
    loop {
        while let Some(frame) = Frame::parse(&bytes) {
            let len = frame.len;
            let object: Value = serde_json::from_slice(frame.payload).unwrap_or_default();
            match object["type"].as_str() {
                Some("line") => {
                    let text = object["text"].as_str().context("a line has text")?;
                    let spoken = number(&text.as_bytes()[..11]).context("a line has a number")?;
                    let first = *first.get_or_insert(spoken);
                    received += 1;
                    if spoken == last {
                        let expected = last - first + 1;
                        return Ok(Told {
                            expected,
                            received,
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
            .context("the stalled client hears nothing")?;
        ensure!(count > 0, "the stalled client was disconnected");
        bytes.extend_from_slice(&buffer[..count]);
    }
}
