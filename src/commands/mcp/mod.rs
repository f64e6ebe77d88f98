//! `serial-ws mcp`: a server of the Model Context Protocol on standard input and output, by which a
//! coding agent uses a running serial-ws. It is a client of serial-ws like any other.

#[cfg(not(feature = "mcp"))]
mod absent;
#[cfg(feature = "mcp")]
mod agent;

#[cfg(not(feature = "mcp"))]
use absent as agent;
use clap::Args;

use super::client::AccessArgs;
use crate::cli::default_tcp_port;

pub(crate) use agent::run;

/// Arguments of `serial-ws mcp`.
#[derive(Debug, Args)]
pub(crate) struct McpArgs {
    /// Let the agent write to the board, reset it, release the port, and change settings
    #[arg(long)]
    write: bool,
    /// Serial port to share, as after serial-ws, where no serial-ws runs at --url: it is shared as long
    /// as the agent runs, and pages can connect to it
    #[arg(long, value_name = "DEVICE", value_hint = clap::ValueHint::FilePath)]
    start: Option<String>,
    /// Address of the running serial-ws
    #[arg(
        long,
        value_name = "URL",
        default_value = concat!("http://localhost:", default_tcp_port!()),
        env = "SERIAL_WS_URL",
        hide_env_values = true
    )]
    url: String,
    /// Name of the port that is meant where the agent names none [default: the first one]
    #[arg(long, value_name = "NAME", value_parser = super::lease::port_name)]
    port: Option<String>,
    /// The token and the fingerprint.
    #[command(flatten)]
    access: AccessArgs,
}
