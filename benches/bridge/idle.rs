//! Costs without any data: memory, processor time, the time to start, the size of the binary.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::client::connect_when_ready;
use crate::device::Device;
use crate::effort::Effort;
use crate::rig::Load;
use crate::subject::{Kind, Subject, serial_ws};
use crate::table::{Table, Target, measure};

/// The time until a program that was busy is idle.
const SETTLE_TIME: Duration = Duration::from_millis(500);

/// The number of starts measured in each round.
const STARTS: usize = 4;

struct Idle {
    /// KiB per client, with many clients.
    per_client: f64,
    /// MiB in total with that many.
    all: f64,
    /// Percent of one core.
    cpu: f64,
}

/// Measures clients that are connected to a silent device.
pub fn idle(effort: Effort, kinds: &[Kind], table: &mut Table) -> Result<()> {
    let effort = Effort {
        rounds: effort.rounds.min(3),
        ..effort
    };
    let measured = measure(effort, kinds, |kind| {
        let (per_client, all) = memory(kind, 500)?;
        let cpu = cpu(
            kind,
            100,
            Duration::from_secs(if effort.is_short { 2 } else { 5 }),
        )?;
        Ok(Idle {
            per_client,
            all,
            cpu,
        })
    })?;
    let target = Target::AtMost(10.0);
    table.add(
        "memory per client of 500, KiB",
        &measured,
        |idle| idle.per_client,
        target,
    );
    table.add(
        "memory with 500 clients, MiB",
        &measured,
        |idle| idle.all,
        target,
    );
    let target = Target::AtMost(0.1);
    table.add(
        "CPU with 100 clients, % of a core",
        &measured,
        |idle| idle.cpu,
        target,
    );
    Ok(())
}

fn memory(kind: Kind, clients: u64) -> Result<(f64, f64)> {
    let device = Device::new()?;
    let subject = Subject::start(kind, &device)?;
    drop(connect_when_ready(subject.address, "/")?);
    sleep(SETTLE_TIME);
    let before = subject.memory()?;
    let _load = Load::connect(subject.address, "/", clients)?;
    sleep(SETTLE_TIME);
    let after = subject.memory()?;
    Ok(((after - before) / clients as f64, after / 1024.0))
}

fn cpu(kind: Kind, clients: u64, time: Duration) -> Result<f64> {
    let device = Device::new()?;
    let subject = Subject::start(kind, &device)?;
    let _load = Load::connect(subject.address, "/", clients)?;
    sleep(SETTLE_TIME);
    let before = subject.cpu()?;
    sleep(time);
    let used = subject.cpu()? - before;
    Ok(used.as_secs_f64() * 100.0 / time.as_secs_f64())
}

/// Measures the time from the start of the program to its first accepted WebSocket.
pub fn start(effort: Effort, kinds: &[Kind], table: &mut Table) -> Result<()> {
    let effort = Effort {
        rounds: effort.rounds * STARTS,
        ..effort
    };
    let measured = measure(effort, kinds, |kind| {
        let device = Device::new()?;
        let start = Instant::now();
        let subject = Subject::start(kind, &device)?;
        connect_when_ready(subject.address, "/")?;
        Ok(start.elapsed().as_secs_f64() * 1000.0)
    })?;
    table.add(
        "to the first WebSocket, ms",
        &measured,
        |time| *time,
        Target::AtMost(10.0),
    );
    Ok(())
}

/// Measures the size of the program.
pub fn size(_: Effort, _: &[Kind], table: &mut Table) -> Result<()> {
    let bytes = std::fs::metadata(serial_ws())?.len();
    let measured = vec![(Kind::SerialWs, vec![bytes as f64 / f64::from(1 << 20)])];
    table.add(
        "stripped binary, MiB",
        &measured,
        |size| *size,
        Target::AtMost(10.5),
    );
    Ok(())
}
