//! The agent's side of `serial-ws mcp`: what the tools do, and what an agent may read of a device. The
//! MCP SDK speaks the protocol.

mod answer;
mod bridge;
mod locks;
mod opened;
mod releases;
mod remedy;
mod schema;
mod server;
mod start;
mod stdio;
mod text;
mod tools;

use std::io::IsTerminal;

use anyhow::{Result, anyhow, bail};
use rmcp::ServiceExt;
use rmcp::service::ServerInitializeError;
use rmcp::transport::async_rw::AsyncRwTransport;
use tokio_util::sync::CancellationToken;

use super::McpArgs;
use crate::commands::client::Address;
use crate::commands::wrong_usage;

/// The longest message of a client, in bytes. A longer one is dropped, and the log says so.
const MAX_MESSAGE_BYTES: usize = 1024 * 1024;

/// Serves the client at standard input and output, until it leaves.
///
/// # Errors
/// When an argument is wrong, the client speaks something else, or nothing can be started.
pub(crate) async fn run(args: McpArgs) -> Result<()> {
    if std::io::stdin().is_terminal() {
        return Err(wrong_usage(anyhow!(
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
async fn serve(bridge: bridge::Bridge, may_write: bool) -> Result<()> {
    let gone = CancellationToken::new();
    let server = server::AgentServer {
        bridge,
        may_write,
        locks: locks::Locks::default(),
        opened: opened::OpenedDevices::default(),
        releases: releases::Releases::default(),
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
