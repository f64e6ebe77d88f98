//! The `raw` view: binary messages with the bytes exactly as they were read.

use super::{Definition, Part, Payload, PayloadSink};
use crate::hub::{Event, Kind, Unit};

/// Sends each chunk as one message. Its beginning and end mean nothing.
pub(super) const RAW: Definition = Definition {
    name: "raw",
    unit: Unit::Bytes,
    encode,
    is_blank: |event| !matches!(&event.kind, Kind::Data(data) if !data.chunk.is_empty()),
};

fn encode(event: &Event, part: Part, sink: &mut PayloadSink<'_>) {
    let Kind::Data(data) = &event.kind else {
        return;
    };
    let chunk = &data.chunk[part.bytes_to_skip(data.chunk.len())..];
    if !chunk.is_empty() {
        sink(Payload::Binary(chunk));
    }
}
