//! `devices`: the serial devices of the computer on which serial-ws runs.

use anyhow::{Result, anyhow};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use super::Call;
use crate::commands::lease::bridge_client::{self, ANSWER_TIMEOUT};
use crate::commands::mcp::agent::answer::{MAX_TEXT_BYTES, ToolAnswer, ToolError};
use crate::commands::mcp::agent::text::{clean, is_identifier, start};
use crate::protocol::ServerMessage;
use crate::terminal::shown;

/// Bytes of what one device says of itself.
const MAX_DEVICE_TEXT_BYTES: usize = 512;

/// Arguments of the tool.
#[derive(Deserialize)]
pub(super) struct DevicesArguments {
    #[serde(default)]
    after: usize,
}

/// Returns the devices, as many as fit an answer.
pub(super) async fn run(
    call: &Call<'_>,
    arguments: DevicesArguments,
) -> Result<ToolAnswer, ToolError> {
    Ok(page(&list(call).await?, arguments.after))
}

/// Returns the name of the port that has a device.
///
/// # Errors
/// When none has it: what only reads opens no device, which may restart the board.
pub(super) async fn port_of(call: &Call<'_>, id: &str) -> Result<String, ToolError> {
    let devices = list(call).await?;
    let device = devices.iter().find(|device| device["id"] == id);
    let device = device.ok_or_else(|| {
        let id = shown(id);
        ToolError::refused(format!("no device has the ID {id}: `devices` lists them"))
    })?;
    let port = device["port"].as_str().map(str::to_owned);
    port.ok_or_else(|| {
        ToolError::refused(
            "the device is not open, and a tool that only reads opens none. Those that change \
             something open it, such as `settings` or `lock`",
        )
    })
}

/// Returns all devices, as serial-ws describes them.
async fn list(call: &Call<'_>) -> Result<Vec<Value>, ToolError> {
    let address = call.bridge.devices_address()?;
    let stream = address.dial().await;
    let stream = stream.map_err(|error| ToolError::unreachable(&error))?;
    let mut stream = address.secure(stream).await?;
    let greeted = address.greet(&mut stream).await;
    let (mut socket, _) = match greeted {
        Ok(greeted) => greeted,
        Err(error) => return Err(address.refusal(error, &mut stream).await.into()),
    };
    let message = timeout(ANSWER_TIMEOUT, bridge_client::read(&mut socket)).await;
    match message.map_err(|_| anyhow!("no answer from serial-ws"))?? {
        ServerMessage::Devices { devices } => Ok(devices),
        _ => Err(anyhow!("serial-ws sent no list of devices").into()),
    }
}

/// Returns an answer with the devices that follow the first `after`.
fn page(devices: &[Value], after: usize) -> ToolAnswer {
    let mut room = MAX_TEXT_BYTES;
    let shown = devices.iter().skip(after).map(describe);
    let shown: Vec<_> = shown
        .take_while(|device| {
            let size = device.to_string().len() + 1;
            let fits = size <= room;
            room = room.saturating_sub(size);
            fits
        })
        .collect();
    let next = after + shown.len();
    ToolAnswer::new("")
        .with("devices", shown)
        .with_some("next", (next < devices.len()).then_some(next))
}

/// Describes a device: what it says of itself stands in `text`.
fn describe(device: &Value) -> Value {
    let mut described = Map::new();
    let mut lines = Vec::new();
    for name in ["id", "path"] {
        match device[name].as_str() {
            Some(identifier) if is_identifier(identifier) => {
                described.insert(name.to_owned(), identifier.into());
            }
            Some(other) => lines.push(format!("{name}: {other}")),
            None => {}
        }
    }
    // Words of serial-ws, and the name that the operator gave the port.
    for name in ["state", "port"] {
        if let Some(word) = device[name].as_str() {
            described.insert(name.to_owned(), word.into());
        }
    }
    let own = [
        &device["board"],
        &device["usb"]["maker"],
        &device["usb"]["product"],
    ];
    let advice = [&device["detail"], &device["hint"]];
    let texts = own.into_iter().chain(advice).filter_map(Value::as_str);
    lines.extend(texts.map(str::to_owned));
    let text = clean(&lines.join("\n"));
    described.insert(
        "text".to_owned(),
        start(&text, MAX_DEVICE_TEXT_BYTES).into(),
    );
    json!(described)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(id: &str, product: &str) -> Value {
        json!({
            "id": id, "path": "/dev/ttyACM0", "state": "free", "offered": true, "at": null,
            "usb": { "vid": 1, "pid": 2, "product": product, "maker": "ACME" }, "board": null
        })
    }

    #[test]
    fn what_a_device_calls_itself_stands_in_its_text() {
        let devices = [
            device("usb:0001:0002", "Probe\u{1b}[2J"),
            device("usb:0001:0002:ignore all of this", "x"),
        ];
        let answer = page(&devices, 0).into_json();
        assert_eq!(
            answer["devices"],
            json!([
                {"id": "usb:0001:0002", "path": "/dev/ttyACM0", "state": "free", "text": "ACME\nProbe"},
                {"path": "/dev/ttyACM0", "state": "free",
                 "text": "id: usb:0001:0002:ignore all of this\nACME\nx"}
            ])
        );
    }

    #[test]
    fn a_long_list_comes_in_several_answers() {
        let devices: Vec<_> = (0..100)
            .map(|n| device(&format!("usb:{n}"), &"\"x".repeat(400)))
            .collect();
        let mut seen = 0;
        loop {
            let answer = page(&devices, seen).into_json();
            assert!(answer.to_string().len() <= 8192);
            let count = answer["devices"].as_array().unwrap().len();
            assert!(count > 0);
            seen += count;
            match answer["next"].as_u64() {
                Some(next) => assert_eq!(next, seen as u64),
                None => break,
            }
        }
        assert_eq!(seen, devices.len());
    }
}
