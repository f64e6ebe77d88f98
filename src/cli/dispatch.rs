//! Parses the command line, starts logging, runs the command, and turns its outcome into an exit code.

use std::io::stdout;
use std::process::ExitCode;
use std::time::Duration;

use super::{Command, LogArgs, mistake};
use crate::commands::{
    ask, completions, connect, doctor, export, lease, list, man, mcp, service, status, tls,
};
use crate::config::{Config, Invocation};
use crate::platform::StopSignal;
use crate::platform::signal::Starting;
use crate::port::Closed;
use crate::terminal::print;
use crate::{log, platform};
use anyhow::{Context, Result};
use tokio::runtime;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::level_filters::LevelFilter;

/// Limits how long the programs of `exec:` take to end after a signal. Then they are killed.
const KILL_DELAY: Duration = Duration::from_millis(1500);

/// Limits how long it takes after that to stop in order. Then the signal ends serial-ws.
const STOP_TIMEOUT: Duration = Duration::from_millis(300);

/// Runs the program with the arguments of its process.
pub fn main() -> ExitCode {
    let starting = Starting::begin();
    let invocation =
        Invocation::parse(std::env::args_os()).unwrap_or_else(|error| mistake::exit(error));
    start_log(&invocation.settings.log);
    let shares_ports = invocation.command.is_none();
    let outcome = run(invocation, starting);
    log::flush();
    let code = exit_code(outcome);
    // What shares ports ends well when it is stopped.
    if !shares_ports || code != ExitCode::SUCCESS {
        platform::keep_window_open();
    }
    code
}

fn exit_code(outcome: Result<ExitCode>) -> ExitCode {
    match outcome {
        Ok(code) => code,
        Err(error) if error.is::<clap::Error>() => error
            .downcast::<clap::Error>()
            .map_or(ExitCode::FAILURE, |error| mistake::exit(error)),
        Err(error) => {
            mistake::print(&error);
            connect::Failure::code(&error)
        }
    }
}

fn run(invocation: Invocation, starting: Starting) -> Result<ExitCode> {
    // All the work is in system calls, and several threads would mostly wake each other up.
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start")?;
    let outcome = runtime.block_on(command(invocation, starting));
    // A thread may be waiting for a line that nobody will type, or for a device.
    runtime.shutdown_background();
    outcome
}

async fn command(mut invocation: Invocation, starting: Starting) -> Result<ExitCode> {
    let Some(command) = invocation.command.take() else {
        return share_ports(&invocation, starting).await;
    };
    starting.end();
    match command {
        Command::Config(_) => {
            print(&mut stdout(), invocation.show(&checked(&invocation)))?;
        }
        Command::List(args) => list::run(&args, &mut stdout()).await?,
        Command::Connect(args) => connect::run(args).await?,
        Command::Ask(args) => ask::run(args, &mut stdout()).await?,
        Command::Status(args) => status::run(args, &mut stdout()).await?,
        Command::Release(args) => lease::release(args, &mut stdout()).await?,
        Command::Resume(args) => lease::resume(args, &mut stdout()).await?,
        Command::Upload(args) => return Ok(lease::upload(args, &mut stdout()).await?.into()),
        Command::Mcp(args) => mcp::run(args).await?,
        Command::Export(args) => return export::run(&args),
        Command::Doctor(args) => {
            let config = checked(&invocation);
            return Ok(code(doctor::run(&args, &config, &mut stdout()).await?));
        }
        Command::Man(args) => man::run(&args, &mut stdout())?,
        Command::Completions(args) => completions::run(&args, &mut stdout())?,
        Command::Tls(args) => tls::run(&args, &mut stdout())?,
        Command::Service(args) => return Ok(code(service::run(&args, &mut stdout())?)),
    }
    Ok(ExitCode::SUCCESS)
}

async fn share_ports(invocation: &Invocation, starting: Starting) -> Result<ExitCode> {
    if let Some(file) = &invocation.file {
        tracing::info!("with the settings in {}", file.display());
    }
    let mut config = checked(invocation);
    config.server.open |= is_double_clicked() && !invocation.is_given("open");
    bridge(config, starting).await?;
    Ok(ExitCode::SUCCESS)
}

/// Tells whether the program was started by a double click, which shows no page by itself.
fn is_double_clicked() -> bool {
    std::env::args_os().len() <= 1 && platform::has_own_window()
}

/// The exit code of a command whose answer may be no.
fn code(is_well: bool) -> ExitCode {
    if is_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Returns the configuration, or ends the program with the exit code for wrong usage.
fn checked(invocation: &Invocation) -> Config {
    invocation.config().unwrap_or_else(|error| {
        log::flush();
        mistake::exit(error)
    })
}

fn start_log(args: &LogArgs) {
    let (own, libraries) = match args.verbose {
        _ if *args.quiet => (LevelFilter::ERROR, LevelFilter::ERROR),
        0 => (LevelFilter::INFO, LevelFilter::INFO),
        1 => (LevelFilter::DEBUG, LevelFilter::INFO),
        _ => (LevelFilter::TRACE, LevelFilter::TRACE),
    };
    log::start(log::Verbosity { own, libraries }, *args.log_format);
}

async fn bridge(config: Config, starting: Starting) -> Result<()> {
    let stop = CancellationToken::new();
    // Before anyone learns that serial-ws is there, so that every signal stops it in order.
    let reopens = config.ports.iter().any(|port| port.saver.is_some());
    let mut signals = starting.listen()?.with_reopening(reopens);
    let mut serving = tokio::spawn(crate::serve(config, stop.clone()));
    let signal = tokio::select! {
        served = &mut serving => return match served? {
            Ok(_) => Ok(()),
            Err(error) => Err(doctor::explain(error).await),
        },
        signal = signals.next() => signal,
    };
    stop.cancel();
    let mut ended = timeout(KILL_DELAY, &mut serving).await;
    if ended.is_err() {
        platform::kill_all();
        ended = timeout(STOP_TIMEOUT, serving).await;
    }
    match ended {
        Ok(served) => match served?? {
            Closed::Free => Ok(()),
            Closed::Stuck => end_by(signal),
        },
        Err(_) => end_by(signal),
    }
}

fn end_by(signal: StopSignal) -> ! {
    platform::kill_all();
    log::flush();
    platform::end_by_signal(signal)
}
