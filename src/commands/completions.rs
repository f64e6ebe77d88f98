//! `serial-ws completions`: what a shell needs to complete our flags, by the definitions of
//! `--help`.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;

/// The script for a shell.
pub(crate) fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "serial-ws", &mut script);
    script
}
