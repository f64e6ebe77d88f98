//! The results as one table: medians, ratios, and whether the targets are met.

use std::fmt::Write;

use anyhow::Result;

use crate::effort::Effort;
use crate::subject::{Kind, serial_ws};

/// The target of a figure.
#[derive(Clone, Copy)]
pub enum Target {
    /// At most this value.
    AtMost(f64),
    /// At most this multiple of the floor.
    RatioAtMost(f64),
    /// At least this multiple of the floor.
    RatioAtLeast(f64),
    /// No target; the figure is only reported.
    None,
}

/// The measurements of each program, one per round.
pub type Measured<T> = Vec<(Kind, Vec<T>)>;

/// All rows, in the order of their measurement.
#[derive(Default)]
pub struct Table {
    scenario: String,
    rows: Vec<Row>,
}

struct Row {
    scenario: String,
    figure: &'static str,
    medians: Vec<(Kind, f64)>,
    ratio: Option<f64>,
    target: Target,
}

/// Measures serial-ws and the floor in turn, once per round, and each peer once. A peer that fails
/// is left out.
pub fn measure<T>(
    effort: Effort,
    kinds: &[Kind],
    mut measure: impl FnMut(Kind) -> Result<T>,
) -> Result<Measured<T>> {
    let mut measured: Measured<T> = kinds.iter().map(|kind| (*kind, Vec::new())).collect();
    for round in 0..effort.rounds {
        for (kind, values) in &mut measured {
            let is_peer = !matches!(kind, Kind::SerialWs | Kind::Floor);
            if is_peer && round > 0 {
                continue;
            }
            match measure(*kind) {
                Ok(value) => values.push(value),
                Err(error) if is_peer => eprintln!("{kind}: {error:#}"),
                Err(error) => return Err(error.context(format!("with {kind}"))),
            }
        }
    }
    measured.retain(|(_, values)| !values.is_empty());
    Ok(measured)
}

impl Table {
    /// Starts a scenario, to which the following rows belong.
    pub fn begin(&mut self, scenario: &str) {
        self.scenario = scenario.into();
    }

    /// Adds a row of medians. Its ratio is the median of the rounds' ratios.
    pub fn add<T>(
        &mut self,
        figure: &'static str,
        measured: &Measured<T>,
        value: impl Fn(&T) -> f64,
        target: Target,
    ) {
        let values = |kind| {
            let found = measured.iter().find(|(of, _)| *of == kind);
            found.map_or(Vec::new(), |(_, values)| {
                values.iter().map(&value).collect()
            })
        };
        let pairs = values(Kind::SerialWs).into_iter().zip(values(Kind::Floor));
        let ratios: Vec<f64> = pairs.map(|(ours, floor)| ours / floor).collect();
        let medians = measured
            .iter()
            .map(|(kind, _)| (*kind, median(values(*kind))))
            .collect();
        self.rows.push(Row {
            scenario: self.scenario.clone(),
            figure,
            medians,
            ratio: (!ratios.is_empty())
                .then(|| median(ratios))
                .filter(|ratio| ratio.is_finite()),
            target,
        });
    }

    /// Prints the table in Markdown.
    pub fn print(&self, kinds: &[Kind]) {
        let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpu.lines().find_map(|line| line.strip_prefix("model name"));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let model = model.unwrap_or_default().trim_matches([' ', '\t', ':']);
        println!("{}", serial_ws().display());
        println!(
            "{cores} cores, {model}; load at the end {}",
            &load[..load.len().min(14)]
        );
        for kind in [Kind::Websocat, Kind::Node] {
            if !kinds.contains(&kind) {
                println!("{kind}: not installed");
            }
        }
        let peers = &kinds[2..];
        let mut head =
            String::from("| scenario | figure | serial-ws | floor | ratio | target | met |");
        for kind in peers {
            let _ = write!(head, " {kind} |");
        }
        println!("\n{head}\n|{}", "---|".repeat(7 + peers.len()));
        for row in &self.rows {
            println!("{}", row.to_markdown(peers));
        }
    }
}

impl Row {
    fn to_markdown(&self, peers: &[Kind]) -> String {
        let of = |kind| {
            let found = self.medians.iter().find(|(of, _)| *of == kind);
            found.map_or("–".into(), |(_, value)| short(*value))
        };
        let ratio = self.ratio.map_or("–".into(), |ratio| format!("{ratio:.2}"));
        let target = match self.target {
            Target::AtMost(most) => format!("≤ {}", short(most)),
            Target::RatioAtMost(most) => format!("≤ {most} × floor"),
            Target::RatioAtLeast(least) => format!("≥ {least} × floor"),
            Target::None => String::new(),
        };
        let met = self
            .is_met()
            .map_or("", |met| if met { "yes" } else { "**no**" });
        let mut line = format!(
            "| {} | {} | {} | {} | {ratio} | {target} | {met} |",
            self.scenario,
            self.figure,
            of(Kind::SerialWs),
            of(Kind::Floor),
        );
        for kind in peers {
            let _ = write!(line, " {} |", of(*kind));
        }
        line
    }

    fn is_met(&self) -> Option<bool> {
        let ours = self
            .medians
            .iter()
            .find(|(kind, _)| *kind == Kind::SerialWs);
        match self.target {
            Target::AtMost(most) => ours.map(|(_, value)| *value <= most),
            Target::RatioAtMost(most) => self.ratio.map(|ratio| ratio <= most),
            Target::RatioAtLeast(least) => self.ratio.map(|ratio| ratio >= least),
            Target::None => None,
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        (values[middle - 1] + values[middle]) / 2.0
    }
}

/// Formats a value with three digits, which is as exact as these measurements are.
fn short(value: f64) -> String {
    match value.abs() {
        1e6.. => format!("{:.2} M", value / 1e6),
        1e4.. => format!("{:.1} k", value / 1e3),
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        0.0 => "0".into(),
        _ => format!("{value:.2}"),
    }
}
