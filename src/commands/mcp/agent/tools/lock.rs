//! `lock`: takes the write lock of a port, and ends it.

use anyhow::Result;
use serde::Deserialize;

use super::Call;
use super::actions::{TURN_TIMEOUT, done};
use crate::commands::mcp::agent::answer::{ToolAnswer, ToolError};
use crate::commands::mcp::agent::bridge::place;

/// Arguments of the tool.
#[derive(Deserialize)]
pub(super) struct LockArguments {
    port: Option<String>,
    on: bool,
}

/// Takes or ends the lock.
pub(super) async fn run(
    call: &Call<'_>,
    arguments: LockArguments,
) -> Result<ToolAnswer, ToolError> {
    let port = arguments.port.as_deref();
    let visit = call.bridge.visit_quietly(port, async |client| {
        let answer = (client.name().to_owned(), done(&client, &place(&client)));
        client.close().await;
        Ok(answer)
    });
    let (port, answer) = visit.await?;
    if arguments.on {
        let Call { bridge, locks, .. } = call;
        locks.take(bridge, &port, TURN_TIMEOUT).await?;
    } else if !call.locks.end(&port, TURN_TIMEOUT).await? {
        return Err(ToolError::refused(format!(
            "there is no write lock of yours to end at the port {port}"
        )));
    }
    Ok(answer)
}
