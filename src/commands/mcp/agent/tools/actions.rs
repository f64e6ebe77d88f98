//! The tools that hand one request on: `write`, `reset`, `release`, `resume` and `settings`.

use std::time::Duration;

use anyhow::Result;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::ask::complete;
use super::{Call, PortArgument};
use crate::commands::lease::bridge_client::BridgeClient;
use crate::commands::mcp::agent::answer::{ToolAnswer, ToolError};
use crate::commands::mcp::agent::bridge::{about_port, place};
use crate::protocol::{ClientMessage, NO_CLIENT, ReleaseMessage};

/// Limits the wait until a request is carried out; others' writes may be before it.
pub(super) const TURN_TIMEOUT: Duration = Duration::from_secs(60);

/// Limits how long an answer waits for the status that a request leads to.
const STATUS_TIMEOUT: Duration = Duration::from_secs(5);

/// Limits how long `resume` waits for the board. The bootloader of a native USB board keeps the
/// sketch waiting for 8 s.
const RETURN_TIMEOUT: Duration = Duration::from_secs(12);

/// Arguments of `write`.
#[derive(Deserialize)]
pub(super) struct WriteArguments {
    port: Option<String>,
    text: String,
    append: Option<String>,
}

/// Arguments of `release`.
#[derive(Deserialize)]
pub(super) struct ReleaseArguments {
    port: Option<String>,
    seconds: Option<f64>,
}

/// Arguments of `settings`: those of the json protocol, and two of our own.
#[derive(Deserialize)]
pub(super) struct SettingsArguments {
    port: Option<String>,
    #[serde(rename = "findBaud", default)]
    finds_baud: bool,
    #[serde(flatten)]
    change: Map<String, Value>,
}

/// Writes a text.
pub(super) async fn write(
    call: &Call<'_>,
    arguments: WriteArguments,
) -> Result<ToolAnswer, ToolError> {
    let WriteArguments { port, text, append } = arguments;
    let visit = call.bridge.visit_quietly(port.as_deref(), async |client| {
        let bytes = complete(&text, append.as_deref(), &client);
        let message = ClientMessage::Write {
            urgent: false,
            text: None,
            bytes: Some(bytes),
            frame: None,
        };
        carry_out(call, client, message, async |_| Ok(())).await
    });
    visit.await
}

/// Resets the board.
pub(super) async fn reset(
    call: &Call<'_>,
    arguments: PortArgument,
) -> Result<ToolAnswer, ToolError> {
    let port = arguments.port.as_deref();
    request(call, port, ClientMessage::Reset, async |_| Ok(())).await
}

/// Releases the port, and waits until it is free.
pub(super) async fn release(
    call: &Call<'_>,
    arguments: ReleaseArguments,
) -> Result<ToolAnswer, ToolError> {
    let message = ClientMessage::Release(ReleaseMessage {
        seconds: arguments.seconds,
        r#while: None,
    });
    let port = arguments.port.as_deref();
    let freed = request(call, port, message, async |client| {
        client.wait_for("released", STATUS_TIMEOUT).await.map(drop)
    });
    freed.await
}

/// Takes the port back, and waits until it is open. Unlike the operator, an agent ends neither the write
/// lock nor the release of anybody else by that.
pub(super) async fn resume(
    call: &Call<'_>,
    arguments: PortArgument,
) -> Result<ToolAnswer, ToolError> {
    let visit = call
        .bridge
        .visit_quietly(arguments.port.as_deref(), async |client| {
            let released_by = call.releases.of(client.name());
            let message = ClientMessage::Resume {
                released_by: Some(released_by.unwrap_or(NO_CLIENT)),
            };
            carry_out(call, client, message, async |client| {
                client.wait_for("open", RETURN_TIMEOUT).await.map(drop)
            })
            .await
        });
    visit.await
}

/// Changes settings, and waits until they are in force.
pub(super) async fn settings(
    call: &Call<'_>,
    arguments: SettingsArguments,
) -> Result<ToolAnswer, ToolError> {
    let SettingsArguments {
        port,
        finds_baud,
        mut change,
    } = arguments;
    if finds_baud && change.insert("baud".to_owned(), "auto".into()).is_some() {
        return Err(ToolError::usage("`baud` and `findBaud` exclude each other"));
    }
    if change.is_empty() {
        return Err(ToolError::usage(
            "there is no setting to change: give `baud`, for example",
        ));
    }
    let asked = serde_json::from_value(json!(change)).map(ClientMessage::Settings);
    let message = asked.map_err(|error| {
        tracing::debug!(%error, "settings fit the schema, but not the protocol");
        ToolError::usage("these settings do not go together")
    })?;
    let changed = request(call, port.as_deref(), message, async |client| {
        let is_early = |client: &BridgeClient<'_>| !has(&client.settings(), &change);
        client.wait_while(is_early, STATUS_TIMEOUT).await.map(drop)
    });
    changed.await
}

/// Returns true if settings have all that was asked for, as far as they tell. A rate that is to be found
/// may take as long as the board is silent.
fn has(settings: &Map<String, Value>, change: &Map<String, Value>) -> bool {
    change.iter().all(|(name, value)| {
        let own = settings.get(name);
        *value == "auto" || own.is_none_or(|own| own == value)
    })
}

/// Connects to a port, and carries out a request there.
async fn request(
    call: &Call<'_>,
    port: Option<&str>,
    message: ClientMessage,
    then: impl AsyncFnOnce(&mut BridgeClient<'_>) -> Result<()>,
) -> Result<ToolAnswer, ToolError> {
    let visit = call.bridge.visit_quietly(port, async |client| {
        carry_out(call, client, message, then).await
    });
    visit.await
}

/// Carries out a request, waits for what it leads to by `then`, and returns the status after it.
async fn carry_out(
    call: &Call<'_>,
    mut client: BridgeClient<'_>,
    message: ClientMessage,
    then: impl AsyncFnOnce(&mut BridgeClient<'_>) -> Result<()>,
) -> Result<ToolAnswer> {
    let since = place(&client);
    let releases = matches!(message, ClientMessage::Release(_));
    let exchanged = call.locks.exchange(&mut client, message, TURN_TIMEOUT);
    let number = exchanged.await?.client;
    if let Some(number) = number.filter(|_| releases) {
        call.releases.note(client.name(), number);
    }
    then(&mut client).await?;
    let answer = done(&client, &since);
    client.close().await;
    Ok(answer)
}

/// Returns the answer to a request that was carried out.
pub(super) fn done(client: &BridgeClient<'_>, since: &str) -> ToolAnswer {
    about_port(client)
        .with("since", since)
        .with("settings", Value::Object(client.settings()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(change: Value, expected: bool) {
        let settings = json!({"baud": 9600, "parity": "none"});
        let [settings, change] = [settings, change].map(|value| value.as_object().cloned());
        assert_eq!(has(&settings.unwrap(), &change.unwrap()), expected);
    }

    #[test]
    fn a_change_is_made_when_the_settings_tell_so() {
        check(json!({"baud": 9600, "parity": "none"}), true);
        check(json!({"baud": 9600, "parity": "odd"}), false);
        check(json!({"baud": "auto"}), true);
        check(json!({"dtr": true}), true);
    }
}
