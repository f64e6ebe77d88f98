//! Lines at a steady rate: the cost of each delivered message, and its age on arrival.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::device::Device;
use crate::effort::Effort;
use crate::rig::Rig;
use crate::subject::{Kind, Subject};
use crate::table::{Measured, Table, Target, measure};

/// What a run at a steady rate cost.
pub struct Paced {
    /// Microseconds of processor time for each message delivered to a client.
    pub cpu: f64,
    /// Microseconds from the device's write to the client's read.
    median: f64,
    p99: f64,
    /// Lines that did not arrive, or not correctly.
    lost: f64,
    /// Peak memory in MiB.
    peak: f64,
}

/// Measures the cost of a message with many clients.
pub fn fanout(
    clients: u64,
    rate: u32,
    effort: Effort,
    kinds: &[Kind],
    table: &mut Table,
) -> Result<()> {
    let measured = measure(effort, kinds, |kind| pace(kind, clients, rate, effort.time))?;
    let target = Target::RatioAtMost(1.3);
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

/// Measures the cost of a message with one client.
pub fn single(effort: Effort, kinds: &[Kind], table: &mut Table) -> Result<()> {
    let measured = measure(effort, kinds, |kind| pace(kind, 1, 1000, effort.time))?;
    let target = Target::RatioAtMost(1.5);
    table.add("CPU per message, µs", &measured, |paced| paced.cpu, target);
    add_lost(&measured, table);
    Ok(())
}

/// Measures the latency with one client.
pub fn latency(effort: Effort, kinds: &[Kind], table: &mut Table) -> Result<()> {
    let measured = measure(effort, kinds, |kind| pace(kind, 1, 1000, effort.time))?;
    let target = Target::RatioAtMost(1.5);
    table.add("median, µs", &measured, |paced| paced.median, target);
    let target = Target::RatioAtMost(3.0);
    table.add("99th percentile, µs", &measured, |paced| paced.p99, target);
    add_lost(&measured, table);
    Ok(())
}

/// Measures as many clients and lines as a small machine can handle.
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
        Target::AtMost(32.0),
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

/// Measures the values view beside the json view, with lines of five numbers. The json view takes
/// the place of the floor.
pub fn values(effort: Effort, _: &[Kind], table: &mut Table) -> Result<()> {
    beside(
        ["/?view=values", "/?view=json"],
        true,
        1000,
        1.3,
        effort,
        table,
    )
}

/// Measures the json view beside the lines view, which takes the place of the floor.
pub fn json(effort: Effort, _: &[Kind], table: &mut Table) -> Result<()> {
    beside(["/?view=json", "/"], false, 200, 1.15, effort, table)
}

/// Measures streams of Server-Sent Events beside WebSockets, which take the place of the floor.
pub fn events(effort: Effort, _: &[Kind], table: &mut Table) -> Result<()> {
    let stream = "/api/ports/board/lines";
    beside([stream, "/"], false, 200, 1.15, effort, table)
}

/// Measures what recording costs with 100 clients, beside the same without it, which takes the place
/// of the floor.
pub fn record(effort: Effort, _: &[Kind], table: &mut Table) -> Result<()> {
    let name = format!("serial-ws-bench-{}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    let path = folder.to_str().context("the folder has a plain name")?;
    let measured = measure(effort, &[Kind::SerialWs, Kind::Floor], |kind| {
        let device = Device::new()?;
        let arguments = ["--record", path];
        let is_on = kind == Kind::SerialWs;
        let subject = Subject::start_with(&device, if is_on { &arguments } else { &[] })?;
        paced(Rig::at(device, subject, "/", 100)?, 200, effort.time)
    });
    // Where the scenario failed early, there may be none.
    let _ = std::fs::remove_dir_all(&folder);
    let measured = measured?;
    let target = Target::RatioAtMost(1.1);
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

/// Measures what 100 clients of one view cost beside those of another one, which takes the place of
/// the floor.
fn beside(
    [path, other]: [&str; 2],
    has_columns: bool,
    rate: u32,
    most: f64,
    effort: Effort,
    table: &mut Table,
) -> Result<()> {
    let views = [Kind::SerialWs, Kind::Floor];
    let measured = measure(effort, &views, |view| {
        let path = if view == Kind::SerialWs { path } else { other };
        let mut device = Device::new()?;
        device.has_columns = has_columns;
        let subject = Subject::start(Kind::SerialWs, &device)?;
        let rig = Rig::at(device, subject, path, 100)?;
        paced(rig, rate, effort.time)
    })?;
    let target = Target::RatioAtMost(most);
    table.add("CPU per message, µs", &measured, |paced| paced.cpu, target);
    add_lost(&measured, table);
    Ok(())
}

/// Adds the lines that did not arrive.
pub fn add_lost(measured: &Measured<Paced>, table: &mut Table) {
    table.add(
        "lines lost",
        measured,
        |paced| paced.lost,
        Target::AtMost(0.0),
    );
}

fn pace(kind: Kind, clients: u64, rate: u32, time: Duration) -> Result<Paced> {
    paced(Rig::new(kind, clients)?, rate, time)
}

/// Measures a run at a steady rate.
pub fn paced(mut rig: Rig, rate: u32, time: Duration) -> Result<Paced> {
    // Fills the caches and the history first.
    rig.device.pace(rate, time / 4)?;
    rig.wait_for_arrival()?;
    rig.load.ask("reset")?;
    let before = rig.subject.cpu()?;
    rig.device.pace(rate, time)?;
    let report = rig.wait_for_arrival()?;
    let cpu = rig.subject.cpu()? - before;
    Ok(Paced {
        cpu: cpu.as_secs_f64() * 1e6 / report.lines as f64,
        median: report.median,
        p99: report.p99,
        lost: (report.gaps + report.wrong + report.closed) as f64,
        peak: rig.subject.peak_memory()? / 1024.0,
    })
}
