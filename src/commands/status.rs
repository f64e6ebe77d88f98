//! `serial-ws status`: prints the status of a port of a running serial-ws, or waits for one.

use std::io::Write;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, ValueEnum};
use serde_json::Value;

use super::connect::{EXIT_CODES, Failure};
use super::lease::{LeaseArgs, with_client};
use super::wrong_usage;
use crate::config::units;
use crate::protocol::OutputMessage;
use crate::terminal::{excerpt, print};

/// Arguments of `serial-ws status`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct StatusArgs {
    /// Print the status as a JSON object
    #[arg(long)]
    json: bool,
    /// Wait until the port is open, or until it is not
    #[arg(long, value_name = "STATE")]
    wait: Option<AwaitedState>,
    /// Longest time to wait
    #[arg(long, value_name = "TIME", value_parser = units::parse_time, requires = "wait")]
    timeout: Option<Duration>,
    /// The port.
    #[command(flatten)]
    port: LeaseArgs,
}

/// A state that can be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum AwaitedState {
    /// The device is open.
    Open,
    /// It is not, whatever the reason.
    Lost,
}

/// Prints the status to `output`, once it is the one that is waited for.
///
/// # Errors
/// When there is no status, or it does not come in time.
pub(crate) async fn run(args: StatusArgs, output: &mut dyn Write) -> Result<()> {
    let address = args.port.address("status", &[]).map_err(wrong_usage)?;
    let stream = address.dial().await?;
    with_client(&address, stream, async |mut client| {
        if let Some(wanted) = args.wait {
            let limit = args.timeout.unwrap_or(Duration::MAX);
            let wants_open = wanted == AwaitedState::Open;
            let has_come = client.wait_until(|state| (state == "open") == wants_open, limit);
            if !has_come.await? {
                let status = client.status();
                let limit = units::show_time(limit);
                let reason = format!("not {} within {limit} (--timeout): {status}", name(wanted));
                return Err(Failure::Timeout(reason).into());
            }
        }
        let status = if args.json {
            let mut status = serde_json::to_value(client.status_message())?;
            status["port"] = Value::from(client.name());
            status.to_string()
        } else {
            let outputs = client.status_message().outputs.iter().map(describe);
            let lines: Vec<_> = std::iter::once(client.status()).chain(outputs).collect();
            lines.join("\n")
        };
        print(output, status + "\n")?;
        client.close().await;
        Ok(())
    })
    .await
}

/// Describes an output in a line: `mqtt mqtt://localhost/lab: open, sent 12345 bytes`.
fn describe(output: &OutputMessage<'_>) -> String {
    let mut text = excerpt(&output.kind);
    if !output.at.is_empty() {
        text += &format!(" {}", excerpt(&output.at));
    }
    text += &format!(": {}", excerpt(&output.state));
    if !output.problem.is_empty() {
        text += &format!(" ({})", excerpt(&output.problem));
    }
    if let Some(clients) = output.clients {
        text += &format!(", {clients} connected");
    }
    text += &format!(", sent {} bytes", output.sent);
    if output.missed > 0 {
        text += &format!(", missed {} bytes", output.missed);
    }
    match output.reconnects {
        0 => text,
        1 => text + ", reconnected once",
        times => text + &format!(", reconnected {times} times"),
    }
}

fn name(state: AwaitedState) -> &'static str {
    match state {
        AwaitedState::Open => "open",
        AwaitedState::Lost => "lost",
    }
}
