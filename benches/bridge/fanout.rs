//! Lines at a steady rate: what each delivered message costs, and how old it is on arrival.

use std::time::Duration;

use anyhow::Result;

use crate::effort::Effort;
use crate::rig::Rig;
use crate::subject::Kind;
use crate::table::{Measured, Table, Target, measure};

struct Paced {
    /// Microseconds of processor time for each message delivered to a client.
    cpu: f64,
    /// Microseconds from the device's write to the client's read.
    median: f64,
    p99: f64,
    /// Lines that did not come, or not as they should.
    lost: f64,
    /// MiB.
    peak: f64,
}

/// Many clients.
pub fn fanout(
    clients: u64,
    rate: u32,
    effort: Effort,
    kinds: &[Kind],
    table: &mut Table,
) -> Result<()> {
    let measured = measure(effort, kinds, |kind| pace(kind, clients, rate, effort.time))?;
    let target = Target::RatioMost(1.3);
    table.add("CPU per message, µs", &measured, |paced| paced.cpu, target);
    table.add(
        "latency, median, µs",
        &measured,
        |paced| paced.median,
        Target::None,
    );
    add_lost(&measured, table);
    Ok(())
}

/// One client: what its messages cost.
pub fn single(effort: Effort, kinds: &[Kind], table: &mut Table) -> Result<()> {
    let measured = measure(effort, kinds, |kind| pace(kind, 1, 1000, effort.time))?;
    let target = Target::RatioMost(1.5);
    table.add("CPU per message, µs", &measured, |paced| paced.cpu, target);
    add_lost(&measured, table);
    Ok(())
}

/// One client: how old its messages are.
pub fn latency(effort: Effort, kinds: &[Kind], table: &mut Table) -> Result<()> {
    let measured = measure(effort, kinds, |kind| pace(kind, 1, 1000, effort.time))?;
    let target = Target::RatioMost(1.5);
    table.add("median, µs", &measured, |paced| paced.median, target);
    let target = Target::RatioMost(3.0);
    table.add("99th percentile, µs", &measured, |paced| paced.p99, target);
    add_lost(&measured, table);
    Ok(())
}

/// As many clients and lines as a small machine can take.
pub fn crowd(effort: Effort, kinds: &[Kind], table: &mut Table) -> Result<()> {
    let time = Duration::from_secs(if effort.is_short { 3 } else { 20 });
    let effort = Effort {
        rounds: 1,
        ..effort
    };
    let measured = measure(effort, kinds, |kind| pace(kind, 1000, 1000, time))?;
    add_lost(&measured, table);
    table.add(
        "peak memory, MiB",
        &measured,
        |paced| paced.peak,
        Target::Most(32.0),
    );
    table.add(
        "CPU per message, µs",
        &measured,
        |paced| paced.cpu,
        Target::None,
    );
    table.add(
        "latency, 99th percentile, µs",
        &measured,
        |paced| paced.p99,
        Target::None,
    );
    Ok(())
}

fn add_lost(measured: &Measured<Paced>, table: &mut Table) {
    table.add(
        "lines lost",
        measured,
        |paced| paced.lost,
        Target::Most(0.0),
    );
}

fn pace(kind: Kind, clients: u64, rate: u32, time: Duration) -> Result<Paced> {
    let mut rig = Rig::new(kind, clients)?;
    // Caches fill, and the history of recent lines.
    rig.device.pace(rate, time / 4)?;
    rig.arrived()?;
    rig.load.ask("reset")?;
    let before = rig.subject.cpu()?;
    rig.device.pace(rate, time)?;
    let report = rig.arrived()?;
    let cpu = rig.subject.cpu()? - before;
    Ok(Paced {
        cpu: cpu.as_secs_f64() * 1e6 / report.lines as f64,
        median: report.median,
        p99: report.p99,
        lost: (report.gaps + report.wrong + report.closed) as f64,
        peak: rig.subject.peak_memory()? / 1024.0,
    })
}
