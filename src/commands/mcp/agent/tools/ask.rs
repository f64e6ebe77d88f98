//! `ask`: a question to the device, and its reply.

use std::borrow::Cow;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Number;

use super::Call;
use crate::commands::lease::bridge_client::BridgeClient;
use crate::commands::mcp::agent::answer::{ToolAnswer, ToolError};
use crate::commands::mcp::agent::bridge::place;
use crate::commands::mcp::agent::text::content_text;
use crate::protocol::{AskMessage, Base64, ClientMessage};
use crate::view::LineEnding;

/// The time beyond that of the reply in which the question has to get its turn.
const TURN_TIMEOUT: Duration = Duration::from_secs(30);

/// Arguments of the tool.
#[derive(Deserialize)]
pub(super) struct AskArguments {
    port: Option<String>,
    text: String,
    append: Option<String>,
    #[serde(default)]
    until: Vec<String>,
    lines: Option<u64>,
    timeout: Option<f64>,
}

/// Asks the device, and returns its reply.
pub(super) async fn run(call: &Call<'_>, arguments: AskArguments) -> Result<ToolAnswer, ToolError> {
    let mut ask = AskMessage {
        bytes: Some(Base64(Cow::Owned(Vec::new()))),
        lines: arguments
            .lines
            .filter(|lines| *lines != 1)
            .map(Number::from),
        timeout: arguments
            .timeout
            .and_then(|seconds| Number::from_f64(seconds * 1000.0)),
        ..AskMessage::default()
    };
    ask.set_until(&arguments.until).map_err(ToolError::usage)?;
    let question = ask.clone().question().map_err(ToolError::usage)?;
    let limit = question.timeout + TURN_TIMEOUT;
    let port = arguments.port.as_deref();
    let visit = call.bridge.visit_quietly(port, async |mut client| {
        let text = complete(&arguments.text, arguments.append.as_deref(), &client);
        ask.bytes = Some(text);
        let since = place(&client);
        let message = ClientMessage::Ask(ask);
        let exchanged = call.locks.exchange(&mut client, message, limit).await?;
        let reply = exchanged.reply.as_ref();
        let reply = reply.map(content_text).unwrap_or_default();
        client.close().await;
        Ok(ToolAnswer::new(&reply).with("since", since))
    });
    visit.await
}

/// Returns a text with its line ending as bytes, which serial-ws does not change any more: the ending
/// of `append`, else that of the port, or a line feed where it has none.
pub(super) fn complete(
    text: &str,
    append: Option<&str>,
    client: &BridgeClient<'_>,
) -> Base64<'static> {
    let own = client.setting("append").filter(|own| *own != "none");
    let append = append.or(own).and_then(|append| append.parse().ok());
    let ending: LineEnding = append.unwrap_or(LineEnding::Lf);
    let bytes = ending.complete(text.to_owned().into());
    Base64(Cow::Owned(bytes.to_vec()))
}
