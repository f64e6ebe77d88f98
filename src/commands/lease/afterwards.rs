//! Prints the lines of the board after `upload`, until one matches or for a time.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use regex_lite::Regex;
use tokio::time::timeout;

use super::bridge_client::BridgeClient;
use crate::commands::ask::shown;
use crate::commands::connect::{Failure, parse_regex};
use crate::config::units;
use crate::platform::signal::Signals;
use crate::protocol::Content;
use crate::terminal::print;

/// The end of printing what the board says.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct AfterwardsArgs {
    /// Print what the board says after the command, until a line matches this regular expression
    #[arg(long, value_name = "REGEX", value_parser = parse_regex)]
    pub(super) until: Option<Regex>,
    /// Print what the board says after the command for this time, such as 5s
    #[arg(long, value_name = "TIME", value_parser = units::parse_time, conflicts_with = "until")]
    pub(super) wait: Option<Duration>,
    /// Longest time to wait for the line of --until
    #[arg(long, value_name = "TIME", value_parser = units::parse_time, requires = "until")]
    pub(super) timeout: Option<Duration>,
}

/// The exit codes of `upload`.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
  that of COMMAND, if it fails; otherwise
  0  the command has succeeded, and the line of --until has come
  1  serial-ws refused, or does not run there, but was to print what the board says
  2  wrong usage
  3  the time of --timeout is over
  4  serial-ws has stopped, or the connection was lost";

impl AfterwardsArgs {
    /// Returns true if anything is to be printed.
    pub(super) fn is_wanted(&self) -> bool {
        self.until.is_some() || self.wait.is_some()
    }

    /// Prints the lines that come, until there have been enough, or somebody stops it.
    ///
    /// # Errors
    /// When the line that is waited for does not come, and why.
    pub(super) async fn print(
        &self,
        client: &mut BridgeClient<'_>,
        output: &mut dyn Write,
    ) -> Result<()> {
        let limit = self.wait.or(self.timeout).unwrap_or(Duration::MAX);
        let mut signals = Signals::listen()?;
        let printed = tokio::select! {
            printed = timeout(limit, self.print_lines(client, output)) => printed,
            _ = signals.next() => return Ok(()),
        };
        match printed {
            Ok(outcome) => outcome,
            Err(_) if self.wait.is_some() => Ok(()),
            Err(_) => {
                let limit = units::show_time(limit);
                let reason = format!("what was waited for did not come within {limit} (--timeout)");
                Err(Failure::Timeout(reason).into())
            }
        }
    }

    async fn print_lines(
        &self,
        client: &mut BridgeClient<'_>,
        output: &mut dyn Write,
    ) -> Result<()> {
        let is_terminal = io::stdout().is_terminal();
        loop {
            let line = client.line().await?;
            let mut printed = shown(&line, false, is_terminal);
            // Bytes that are no text come as they are, without the end of their line.
            if !printed.ends_with(b"\n") {
                printed.push(b'\n');
            }
            print(output, printed)?;
            let text = match &line {
                Content::Text(text) => text.clone(),
                Content::Bytes(bytes) => String::from_utf8_lossy(&bytes.0),
            };
            if self.until.as_ref().is_some_and(|it| it.is_match(&text)) {
                return Ok(());
            }
        }
    }
}
