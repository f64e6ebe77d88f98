//! `serial-ws completions`: prints a script with which a shell completes our flags, from the
//! definitions of `--help`.

use std::io::Write;

use anyhow::Result;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::terminal::print;

/// Arguments of `serial-ws completions`.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// Shell to complete for
    shell: Shell,
}

/// Prints the script.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn run(args: &CompletionsArgs, out: &mut dyn Write) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "serial-ws", &mut script);
    print(out, script)
}
