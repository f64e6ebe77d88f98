//! What is there when nothing happens: memory, processor time, the time to start, the binary.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::client::connect_soon;
use crate::device::Device;
use crate::effort::Effort;
use crate::rig::Load;
use crate::subject::{Kind, Subject, serial_ws};
use crate::table::{Table, Target, measure};

/// Time after which a program that was busy is at rest.
const REST: Duration = Duration::from_millis(500);

/// How often the start is measured in each round.
const STARTS: usize = 4;

struct Idle {
    /// KiB for each of many clients.
    per_client: f64,
    /// MiB in all with that many.
    all: f64,
    /// Percent of one core.
    cpu: f64,
}

/// Clients that are connected to a device that says nothing.
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
    let target = Target::Most(10.0);
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
    let target = Target::Most(0.1);
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
    drop(connect_soon(subject.address, "/")?);
    sleep(REST);
    let before = subject.memory()?;
    let _load = Load::connect(subject.address, "/", clients)?;
    sleep(REST);
    let after = subject.memory()?;
    Ok(((after - before) / clients as f64, after / 1024.0))
}

fn cpu(kind: Kind, clients: u64, time: Duration) -> Result<f64> {
    let device = Device::new()?;
    let subject = Subject::start(kind, &device)?;
    let _load = Load::connect(subject.address, "/", clients)?;
    sleep(REST);
    let before = subject.cpu()?;
    sleep(time);
    let used = subject.cpu()? - before;
    Ok(used.as_secs_f64() * 100.0 / time.as_secs_f64())
}

/// From the start of the program to its first accepted WebSocket.
pub fn start(effort: Effort, kinds: &[Kind], table: &mut Table) -> Result<()> {
    let effort = Effort {
        rounds: effort.rounds * STARTS,
        ..effort
    };
    let measured = measure(effort, kinds, |kind| {
        let device = Device::new()?;
        let start = Instant::now();
        let subject = Subject::start(kind, &device)?;
        connect_soon(subject.address, "/")?;
        Ok(start.elapsed().as_secs_f64() * 1000.0)
    })?;
    table.add(
        "to the first WebSocket, ms",
        &measured,
        |time| *time,
        Target::Most(10.0),
    );
    Ok(())
}

/// The program as it is released.
pub fn size(_: Effort, _: &[Kind], table: &mut Table) -> Result<()> {
    let bytes = std::fs::metadata(serial_ws())?.len();
    let measured = vec![(Kind::SerialWs, vec![bytes as f64 / f64::from(1 << 20)])];
    table.add(
        "stripped binary, MiB",
        &measured,
        |size| *size,
        Target::Most(6.0),
    );
    Ok(())
}
