//! Turns the messages of another serial-ws into what this one publishes. Pure.

use std::sync::Arc;

use serde_json::Map;

use super::address::UpstreamAddress;
use crate::hub::{
    Data, DeviceInfo, Extent, Frames, IncompleteUtf8, LineSettings, Piece, Position, State, Status,
    UpstreamRun,
};
use crate::protocol::{
    ChunkLine, ChunkMessage, ConnectedPort, HelloMessage, StatusMessage, StreamPlace,
};
use crate::values::{Header, LineHeaders};

/// The settings of a port that this serial-ws cannot know itself.
const SETTINGS: [&str; 6] = ["frame", "maxLine", "poll", "every", "fixed", "readOnly"];

/// Returns a place of the protocol as one of the hub.
pub(super) fn position(place: StreamPlace) -> Position {
    Position {
        line: place.seq,
        offset: place.offset,
    }
}

/// Returns the run that a greeting is about.
pub(super) fn run(hello: &HelloMessage<'_>) -> UpstreamRun {
    let settings = hello.port.settings.as_object();
    let settings = settings.into_iter().flatten();
    let settings = settings.filter(|(key, _)| SETTINGS.contains(&key.as_str()));
    UpstreamRun {
        name: hello.run.to_string(),
        settings: settings
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
    }
}

/// Returns the line settings of a greeting.
pub(super) fn settings(port: &ConnectedPort<'_>) -> LineSettings {
    let none = Map::new();
    LineSettings::from_json(port.settings.as_object().unwrap_or(&none))
}

/// Returns the device of a greeting as clients here are told of it: its path is that on another computer.
pub(super) fn device(address: &UpstreamAddress, port: &ConnectedPort<'_>) -> Arc<DeviceInfo> {
    let device = port.device.as_deref().cloned().unwrap_or_default();
    Arc::new(DeviceInfo {
        path: address.to_string(),
        ..device
    })
}

/// Returns a status of the other serial-ws as one of the port here. It has the `settings` unless it
/// brings its own.
pub(super) fn status(
    address: &UpstreamAddress,
    message: &StatusMessage<'_>,
    settings: LineSettings,
    device: Arc<DeviceInfo>,
) -> Status {
    let states = State::ALL.into_iter();
    // A state that only a later version knows is none in which this one could do anything.
    let state = states.clone().find(|state| state.word() == message.state);
    let detail = format!("the board at {address}: {}", message.detail);
    let settings = message
        .settings
        .as_ref()
        .map_or(settings, LineSettings::from_json);
    Status::new(state.unwrap_or(State::Waiting), detail)
        .with_hint(message.hint.to_string())
        .with_advice(message.advice.as_deref().cloned())
        .with_errors(message.errors)
        .with_inputs(message.inputs)
        .with_settings(settings)
        .with_device(Some(device))
}

/// Turns chunks into what was read, as the other serial-ws has it.
#[derive(Debug, Default)]
pub(super) struct ChunkDecoder {
    split: IncompleteUtf8,
}

impl ChunkDecoder {
    /// Returns what a chunk has.
    pub(super) fn decode(&mut self, chunk: &ChunkMessage<'_>) -> Data {
        let split = self.split;
        if chunk.cut {
            self.split = IncompleteUtf8::default();
        } else {
            self.split = split.after(&chunk.bytes.0);
        }
        // Frames alone say nothing about the characters of the stream.
        let is_frames_only = chunk.bytes.0.is_empty() && !chunk.cut;
        Data {
            chunk: chunk.bytes.0.to_vec().into(),
            frames: frames(&chunk.lines),
            split: if is_frames_only {
                IncompleteUtf8::default()
            } else {
                split
            },
        }
    }

    /// Begins after something that is missing.
    pub(super) fn skip(&mut self) {
        self.split = IncompleteUtf8::default();
    }
}

fn frames(lines: &[ChunkLine<'_>]) -> Frames {
    let mut text = Vec::new();
    let mut pieces = Vec::with_capacity(lines.len());
    for line in lines {
        let start = text.len() as u32;
        text.extend_from_slice(line.content.as_bytes());
        pieces.push(Piece {
            start,
            end: text.len() as u32,
            extent: match (line.partial, line.piece) {
                (false, _) => Extent::Whole,
                (true, true) => Extent::Piece,
                (true, false) => Extent::Fragment,
            },
            utf8: str::from_utf8(line.content.as_bytes()).is_ok(),
        });
    }
    let headers = lines.iter().map(|line| {
        let header = line.header.as_ref()?;
        let separator = u8::try_from(header.separator).ok()?;
        let names = header.names.iter().map(|name| Box::from(&**name));
        Some(Header::new(names, separator))
    });
    Frames::new(text.into(), pieces).with_headers(LineHeaders::of_lines(headers))
}

/// Returns the end of a chunk.
pub(super) fn end(chunk: &ChunkMessage<'_>) -> Position {
    let Position { line, offset } = position(chunk.place);
    Position {
        line: line + chunk.lines.len() as u64,
        offset: offset + chunk.bytes.0.len() as u64,
    }
}
