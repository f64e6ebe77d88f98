//! Many clients that write to the device at once.

use std::io::Write;
use std::time::Instant;

use anyhow::Result;

use crate::device::{Device, LINE, number, open_raw};
use crate::effort::Effort;
use crate::rig::Rig;
use crate::subject::Kind;
use crate::table::{Table, Target, measure};

const WRITERS: u64 = 50;

struct Written {
    /// Messages per second.
    rate: f64,
    /// Messages that were broken, or out of their client's order.
    broken: f64,
    /// Microseconds of processor time for each message.
    cpu: f64,
}

/// Measures many writing clients. A bare writer takes the place of the floor: one write(2) after
/// another to the same tty.
pub fn writers(effort: Effort, kinds: &[Kind], table: &mut Table) -> Result<()> {
    let each = if effort.is_short { 200 } else { 1000 };
    let measured = measure(effort, &kinds[..2], |kind| match kind {
        Kind::Floor => bare(WRITERS * each),
        kind => write(kind, each),
    })?;
    table.add(
        "messages broken or out of order",
        &measured,
        |it| it.broken,
        Target::AtMost(0.0),
    );
    table.add("messages per second", &measured, |it| it.rate, Target::None);
    let ours: Vec<_> = measured.into_iter().take(1).collect();
    table.add("CPU per message, µs", &ours, |it| it.cpu, Target::None);
    Ok(())
}

fn write(kind: Kind, each: u64) -> Result<Written> {
    let mut rig = Rig::new(kind, WRITERS)?;
    let (start, cpu) = (Instant::now(), rig.subject.cpu()?);
    rig.load.ask(&format!("send {each}"))?;
    let broken = check(&mut rig.device, WRITERS * each)?;
    let cpu = rig.subject.cpu()? - cpu;
    Ok(Written {
        rate: (WRITERS * each) as f64 / start.elapsed().as_secs_f64(),
        broken: broken as f64,
        cpu: cpu.as_secs_f64() * 1e6 / (WRITERS * each) as f64,
    })
}

fn bare(messages: u64) -> Result<Written> {
    let mut device = Device::new()?;
    let mut tty = open_raw(device.path())?;
    let start = Instant::now();
    let broken = std::thread::scope(|scope| {
        scope.spawn(move || {
            for message in 1..=messages {
                let line = format!("{:011} {message:020}\n", 0);
                tty.write_all(line.as_bytes()).expect("the tty is open");
            }
        });
        check(&mut device, messages)
    })?;
    Ok(Written {
        rate: messages as f64 / start.elapsed().as_secs_f64(),
        broken: broken as f64,
        cpu: 0.0,
    })
}

/// Reads this many messages at the device; returns the number of wrong ones.
fn check(device: &mut Device, messages: u64) -> Result<u64> {
    let mut last = vec![0; WRITERS as usize];
    let (mut seen, mut broken) = (0, 0);
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    while seen < messages {
        let count = device.read(&mut buffer)?;
        bytes.extend_from_slice(&buffer[..count]);
        let whole = bytes.len() - bytes.len() % (LINE + 1);
        for line in bytes.drain(..whole).as_slice().chunks_exact(LINE + 1) {
            let client = number(&line[..11]).unwrap_or(u64::MAX) as usize;
            let message = number(&line[12..LINE]).unwrap_or(0);
            match last.get_mut(client) {
                Some(last) if message == *last + 1 && line[LINE] == b'\n' => *last = message,
                _ => broken += 1,
            }
            seen += 1;
        }
    }
    Ok(broken)
}
