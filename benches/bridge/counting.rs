//! Counts allocations: serial-ws runs inside this executable, which has a counting allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{BufRead, BufReader, Write};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use serial_ws::Config;
use tokio_util::sync::CancellationToken;

use crate::device::Device;
use crate::effort::Effort;
use crate::rig::Rig;
use crate::subject::{Kind, Subject, bridge_arguments, free_address};
use crate::table::{Table, Target};

#[global_allocator]
static COUNTING: Counting = Counting(AtomicU64::new(0));

/// The system allocator with a counter.
struct Counting(AtomicU64);

// SAFETY: every call is passed on to the system allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.0.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller upholds the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller upholds the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        self.0.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller upholds the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Runs the role `--counted`: serial-ws with these arguments. It answers each line on stdin with the
/// number of allocations so far.
pub fn run(arguments: &[String]) -> Result<()> {
    let name = std::iter::once("serial-ws");
    let arguments = name.chain(arguments.iter().map(String::as_str));
    let config = Config::from_args(arguments).context("these arguments are right")?;
    std::thread::spawn(|| {
        for _ in std::io::stdin().lines() {
            println!("{}", COUNTING.0.load(Ordering::Relaxed));
        }
    });
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(serial_ws::serve(config, CancellationToken::new()))?;
    Ok(())
}

/// Measures how many allocations one more client adds per message.
pub fn allocations(effort: Effort, _: &[Kind], table: &mut Table) -> Result<()> {
    const MORE: u64 = 100;
    let (one, many) = (per_line(1, effort)?, per_line(1 + MORE, effort)?);
    let rows = [
        ("per line, with 1 client", one, Target::None),
        ("per line, with 101 clients", many, Target::None),
        (
            "per message for each further client",
            (many - one) / MORE as f64,
            Target::AtMost(0.01),
        ),
    ];
    for (figure, count, target) in rows {
        table.add(
            figure,
            &vec![(Kind::SerialWs, vec![count])],
            |count| *count,
            target,
        );
    }
    Ok(())
}

fn per_line(clients: u64, effort: Effort) -> Result<f64> {
    let (device, address) = (Device::new()?, free_address()?);
    let tty = device.path().to_str().context("a tty has a plain name")?;
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg("--counted")
        .args(bridge_arguments(tty, address));
    let mut subject = Subject::spawn(command, address)?;
    let mut ask = subject.child.stdin.take().context("stdin is a pipe")?;
    let mut answers = BufReader::new(subject.child.stdout.take().context("stdout is a pipe")?);
    let mut count = || -> Result<u64> {
        writeln!(ask, "count")?;
        let mut answer = String::new();
        answers.read_line(&mut answer)?;
        Ok(answer.trim().parse()?)
    };
    let mut rig = Rig::with(device, subject, clients)?;
    rig.device.pace(1000, effort.time / 2)?;
    rig.wait_for_arrival()?;
    let before = count()?;
    let lines = rig.device.pace(1000, effort.time)?;
    rig.wait_for_arrival()?;
    Ok((count()? - before) as f64 / lines as f64)
}
