//! A device that writes as fast as the tty accepts it.

use std::time::Instant;

use anyhow::Result;

use crate::effort::Effort;
use crate::rig::Rig;
use crate::subject::Kind;
use crate::table::{Table, Target, measure};

struct Flood {
    /// Lines per second that every client receives.
    rate: f64,
    lost: f64,
    /// Microseconds of processor time for each message delivered to a client.
    cpu: f64,
}

/// Measures a flood with this many clients. The peers are left out: they buffer without limit for
/// slow clients.
pub fn flood(clients: u64, effort: Effort, kinds: &[Kind], table: &mut Table) -> Result<()> {
    let lines = if effort.is_short { 200_000 } else { 2_000_000 };
    let measured = measure(effort, &kinds[..2], |kind| run(kind, clients, lines))?;
    let target = Target::RatioAtLeast(0.5);
    table.add("lines per second", &measured, |flood| flood.rate, target);
    table.add(
        "lines lost",
        &measured,
        |flood| flood.lost,
        Target::AtMost(0.0),
    );
    table.add(
        "CPU per message, µs",
        &measured,
        |flood| flood.cpu,
        Target::None,
    );
    Ok(())
}

fn run(kind: Kind, clients: u64, lines: u64) -> Result<Flood> {
    let mut rig = Rig::new(kind, clients)?;
    rig.device.flood(lines / 10)?;
    rig.wait_for_arrival()?;
    rig.load.ask("reset")?;
    let (start, cpu) = (Instant::now(), rig.subject.cpu()?);
    let sent = rig.device.flood(lines)?;
    let report = rig.wait_for_arrival()?;
    let cpu = rig.subject.cpu()? - cpu;
    Ok(Flood {
        rate: sent as f64 / start.elapsed().as_secs_f64(),
        lost: (report.gaps + report.wrong + report.closed) as f64,
        cpu: cpu.as_secs_f64() * 1e6 / report.lines as f64,
    })
}
