//! Parses the command line, starts logging, runs the command, and turns its outcome into an exit code.

use std::io::{Write, stderr, stdout};
use std::process::ExitCode;
use std::time::Duration;

use super::{BridgeArgs, Command};
use crate::commands::{completions, connect, doctor, lease, list, man, service};
use crate::config::{self, Config, Told};
use crate::platform::StopSignal;
use crate::platform::signal::Signals;
use crate::port::Closed;
use crate::terminal::print;
use crate::{log, platform};
use anyhow::{Context, Result};
use tokio::runtime;
use tokio_util::sync::CancellationToken;

/// How long the program may take to end after a signal. Then it ends by that signal.
const STOP_WITHIN: Duration = Duration::from_millis(1800);

/// Runs the program with the arguments of its process.
pub fn main() -> ExitCode {
    let told = Told::new(std::env::args_os()).unwrap_or_else(|error| error.exit());
    log::start(told.cli.log);
    let outcome = run(told);
    log::flush();
    match outcome {
        Ok(code) => code,
        Err(error) => {
            // Nobody may be there to read it.
            let _ = writeln!(stderr(), "serial-ws: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(told: Told) -> Result<ExitCode> {
    // All the work is in system calls, and several threads would mostly wake each other up.
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start")?;
    let outcome = runtime.block_on(command(told));
    // A thread may be waiting for a line that nobody will type, or for a device.
    runtime.shutdown_background();
    outcome
}

async fn command(told: Told) -> Result<ExitCode> {
    match told.cli.command {
        None => {
            if let Some(file) = told.file() {
                tracing::info!("with the settings in {}", file.display());
            }
            bridge(&told.cli.bridge).await?;
        }
        Some(Command::Config(ref args)) => print(&mut stdout(), told.show(&checked(args)))?,
        Some(Command::List(args)) => list::run(&args, &mut stdout())?,
        Some(Command::Connect(args)) => connect::run(args).await?,
        Some(Command::Release(args)) => lease::release(args, &mut stdout()).await?,
        Some(Command::Resume(args)) => lease::resume(args, &mut stdout()).await?,
        Some(Command::Upload(args)) => return Ok(lease::upload(args).await?.into()),
        Some(Command::Doctor(args)) => return Ok(code(doctor::run(&args, &mut stdout()).await?)),
        Some(Command::Man(args)) => man::run(&args, &mut stdout())?,
        Some(Command::Completions(args)) => completions::run(&args, &mut stdout())?,
        Some(Command::Service(args)) => return Ok(code(service::run(&args, &mut stdout())?)),
    }
    Ok(ExitCode::SUCCESS)
}

/// The exit code of a command whose answer may be no.
fn code(is_well: bool) -> ExitCode {
    if is_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn checked(args: &BridgeArgs) -> Config {
    Config::new(args).unwrap_or_else(|error| config::exit_with_usage(&error))
}

async fn bridge(args: &BridgeArgs) -> Result<()> {
    let config = checked(args);
    let stop = CancellationToken::new();
    // Before anyone is told that the bridge is there, so that no signal ends it without order.
    let mut signals = Signals::listen()?;
    let mut serving = tokio::spawn(crate::serve(config, stop.clone()));
    let signal = tokio::select! {
        served = &mut serving => return served?.map(drop),
        signal = signals.next() => signal,
    };
    stop.cancel();
    match tokio::time::timeout(STOP_WITHIN, serving).await {
        Ok(served) => match served?? {
            Closed::Free => Ok(()),
            Closed::Stuck => end_by(signal),
        },
        Err(_) => end_by(signal),
    }
}

fn end_by(signal: StopSignal) -> ! {
    log::flush();
    platform::end_by_signal(signal)
}
