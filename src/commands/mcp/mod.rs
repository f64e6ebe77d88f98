//! `serial-ws mcp`: a server of the Model Context Protocol on standard input and output, by which a
//! coding agent uses a running serial-ws. It is a client of serial-ws like any other.
//!
//! The MCP SDK speaks the protocol. Here is what the tools do, and what an agent may read of a device.

#[cfg(feature = "mcp")]
mod answer;
#[cfg(feature = "mcp")]
mod bridge;
#[cfg(feature = "mcp")]
mod locks;
#[cfg(feature = "mcp")]
mod schema;
#[cfg(feature = "mcp")]
mod server;
#[cfg(feature = "mcp")]
mod start;
#[cfg(feature = "mcp")]
mod stdio;
#[cfg(feature = "mcp")]
mod text;
#[cfg(feature = "mcp")]
mod tools;

use anyhow::Result;
use clap::Args;

use super::client::AccessArgs;
use crate::cli::default_tcp_port;

/// The longest message of a client, in bytes. A longer one is dropped, and the log says so.
#[cfg(feature = "mcp")]
const MAX_MESSAGE_BYTES: usize = 1024 * 1024;

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

/// Serves the client at standard input and output, until it leaves.
///
/// # Errors
/// When an argument is wrong, the client speaks something else, or nothing can be started.
#[cfg(feature = "mcp")]
pub(crate) async fn run(args: McpArgs) -> Result<()> {
    use std::io::IsTerminal;

    use super::client::Address;
    use super::wrong_usage;

    if std::io::stdin().is_terminal() {
        return Err(wrong_usage(anyhow::anyhow!(
            "serial-ws mcp is for coding agents, which start it and talk to it by its standard input. \
             docs/coding-agents.md says how to set one up"
        )));
    }
    let address = Address::new(&args.url, args.port.as_deref(), &[], &args.access);
    let address = address.map_err(wrong_usage)?;
    let bridge = bridge::Bridge {
        url: args.url,
        port: args.port,
        access: args.access,
        client: String::new(),
    };
    match args.start {
        Some(device) => {
            let config = start::config(&device, &address, &bridge.access)?;
            start::beside(config, &address, serve(bridge, args.write)).await
        }
        None => serve(bridge, args.write).await,
    }
}

/// Serves the client at standard input and output, until it leaves.
#[cfg(feature = "mcp")]
async fn serve(bridge: bridge::Bridge, may_write: bool) -> Result<()> {
    use anyhow::bail;
    use rmcp::ServiceExt;
    use rmcp::service::ServerInitializeError;
    use rmcp::transport::async_rw::AsyncRwTransport;
    use tokio_util::sync::CancellationToken;

    let gone = CancellationToken::new();
    let server = server::AgentServer {
        bridge,
        may_write,
        locks: locks::Locks::default(),
        gone: gone.clone(),
    };
    let transport = AsyncRwTransport::new(stdio::ClientInput::new(gone), tokio::io::stdout());
    let transport = transport.with_max_line_length(MAX_MESSAGE_BYTES);
    let running = match server.serve(transport).await {
        Ok(running) => running,
        // A client may leave before it has said anything, as one does that only looks who is there.
        Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        Err(error) => {
            tracing::debug!(%error, "no MCP");
            bail!("the program at standard input does not begin as a client of MCP does")
        }
    };
    running.waiting().await?;
    Ok(())
}

/// This build has no MCP.
#[cfg(not(feature = "mcp"))]
pub(crate) async fn run(_args: McpArgs) -> Result<()> {
    anyhow::bail!("this build has no MCP. Build it with: cargo install --features mcp")
}
