//! `serial-ws mcp` in a build without MCP.

use anyhow::{Result, bail};

use super::McpArgs;

/// Returns an error.
pub(crate) async fn run(_args: McpArgs) -> Result<()> {
    bail!("this build has no MCP. Build it with: cargo install --features mcp")
}
