//! A device that writes as fast as the tty takes it.

use std::time::Instant;

use anyhow::Result;

use crate::effort::Effort;
use crate::rig::Rig;
use crate::subject::Kind;
use crate::table::{Table, Target, measure};

struct Flood {
    /// Lines that every client gets in a second.
    rate: f64,
    lost: f64,
    /// Microseconds of processor time for each message delivered to a client.
    cpu: f64,
}

/// So many clients. The peers are left out: what they keep for a slow client has no limit.
pub fn flood(clients: u64, effort: Effort, kinds: &[Kind], table: &mut Table) -> Result<()> {
    let lines = if effort.is_short { 200_000 } else { 2_000_000 };
    let measured = measure(effort, &kinds[..2], |kind| drown(kind, clients, lines))?;
    let target = Target::RatioLeast(0.5);
    table.add("lines per second", &measured, |flood| flood.rate, target);
    table.add(
        "lines lost",
        &measured,
        |flood| flood.lost,
        Target::Most(0.0),
    );
    table.add(
        "CPU per message, µs",
        &measured,
        |flood| flood.cpu,
        Target::None,
    );
    Ok(())
}

fn drown(kind: Kind, clients: u64, lines: u64) -> Result<Flood> {
    let mut rig = Rig::new(kind, clients)?;
    rig.device.flood(lines / 10)?;
    rig.arrived()?;
    rig.load.ask("reset")?;
    let (start, cpu) = (Instant::now(), rig.subject.cpu()?);
    let spoken = rig.device.flood(lines)?;
    let report = rig.arrived()?;
    let cpu = rig.subject.cpu()? - cpu;
    Ok(Flood {
        rate: spoken as f64 / start.elapsed().as_secs_f64(),
        lost: (report.gaps + report.wrong + report.closed) as f64,
        cpu: cpu.as_secs_f64() * 1e6 / report.lines as f64,
    })
}
