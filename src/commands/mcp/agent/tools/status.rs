//! `status`: the status of a port.

use serde_json::{Value, json};

use super::{Call, PortArgument};
use crate::commands::mcp::agent::answer::{ToolAnswer, ToolError};
use crate::commands::mcp::agent::bridge::{about_port, place, port_names};

/// Returns the status of a port.
pub(super) async fn run(call: &Call<'_>, arguments: PortArgument) -> Result<ToolAnswer, ToolError> {
    let port = arguments.port.as_deref();
    let visit = call.bridge.visit_quietly(port, async |client| {
        let status = client.status_message();
        let answer = about_port(&client)
            .with("port", client.name())
            .with("ports", port_names(&client))
            .with("settings", Value::Object(client.settings()))
            .with_some("advice", status.advice.as_ref().map(|advice| json!(advice)))
            .with_some("errors", status.errors.map(|errors| json!(errors)))
            .with_some("writer", status.writer.as_ref().map(|writer| writer.client))
            .with("recording", status.recording.is_some())
            .with("next", place(&client));
        client.close().await;
        Ok(answer)
    });
    visit.await
}
