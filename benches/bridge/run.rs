//! Parses the arguments: a role, or the scenarios to run and their length.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::effort::Effort;
use crate::subject::Kind;
use crate::table::Table;
use crate::{
    ask, counting, fanout, flood, floor, idle, load, mqtt, noisy, outputs, sketches, stalled,
    writers,
};

type Scenario = fn(Effort, &[Kind], &mut Table) -> Result<()>;

const SCENARIOS: [(&str, Scenario); 25] = [
    ("fanout-100x200", |e, k, t| {
        fanout::fanout(100, 200, e, k, t)
    }),
    ("fanout-500x100", |e, k, t| {
        fanout::fanout(500, 100, e, k, t)
    }),
    ("values-100x1000", fanout::values),
    ("json-100x200", fanout::json),
    ("lines-sse-100", fanout::events),
    ("record-100x200", fanout::record),
    ("single-1x1000", fanout::single),
    ("latency", fanout::latency),
    ("crowd", fanout::crowd),
    ("idle", idle::idle),
    ("flood-1", |e, k, t| flood::flood(1, e, k, t)),
    ("flood-10", |e, k, t| flood::flood(10, e, k, t)),
    ("stalled", stalled::stalled),
    ("noisy", noisy::noisy),
    ("writers", writers::writers),
    ("ask", ask::ask),
    ("sketches", sketches::sketches),
    ("tcp-1x1000", outputs::tcp),
    ("rfc2217-flood", outputs::rfc2217),
    ("exec-flood", outputs::exec),
    ("pty-flood", outputs::pty),
    ("mqtt-100x1000", mqtt::mqtt),
    ("start", idle::start),
    ("size", idle::size),
    ("allocations", counting::allocations),
];

/// Plays a role or runs scenarios.
pub fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.split_first() {
        Some((role, rest)) if role == "--floor" => floor::run(rest),
        Some((role, rest)) if role == "--load" => load::run(rest),
        Some((role, rest)) if role == "--noise" => noisy::run(rest),
        Some((role, rest)) if role == "--counted" => counting::run(rest),
        Some((role, _)) if role == "--shout" => outputs::shout(),
        _ => run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bridge: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<()> {
    // Cargo passes --bench when it benches, but not when it tests all targets.
    if !arguments.iter().any(|argument| argument == "--bench") {
        println!(
            "usage: cargo bench --bench bridge [-- SCENARIO... --short]; scenarios:{}",
            names()
        );
        return Ok(());
    }
    let wanted = |name: &str| arguments.iter().any(|argument| argument == name);
    let mut chosen: Vec<_> = SCENARIOS.iter().filter(|(name, _)| wanted(name)).collect();
    let known = chosen.len() + usize::from(wanted("--short")) + 1;
    if known != arguments.len() {
        bail!(
            "unknown argument; expected --short or scenarios:{}",
            names()
        );
    }
    if chosen.is_empty() {
        chosen = SCENARIOS.iter().collect();
    }
    let is_short = wanted("--short");
    let effort = Effort {
        rounds: if is_short { 1 } else { 5 },
        time: Duration::from_secs(if is_short { 1 } else { 4 }),
        is_short,
    };
    let kinds = Kind::installed();
    let mut table = Table::default();
    for (name, scenario) in chosen {
        eprintln!("{name} …");
        table.begin(name);
        scenario(effort, &kinds, &mut table)?;
    }
    table.print(&kinds);
    Ok(())
}

fn names() -> String {
    SCENARIOS
        .iter()
        .map(|(name, _)| format!(" {name}"))
        .collect()
}
