//! The `raw` view: binary messages with the bytes exactly as they were read.

use super::{Definition, Part, Payload, PayloadSink};
use crate::hub::{Event, Kind, StreamItem};

/// Sends each chunk as one message. Its beginning and end mean nothing.
pub(super) const RAW: Definition = Definition {
    name: "raw",
    item: StreamItem::Byte,
    has_statuses: false,
    encode,
};

fn encode(event: &Event, part: Part, sink: &mut PayloadSink<'_>) {
    let Kind::Data(data) = &event.kind else {
        return;
    };
    let chunk = &data.chunk[part.bytes_to_skip(data.chunk.len())..];
    if !chunk.is_empty() {
        sink(Payload::Binary(chunk), event.after().offset);
    }
}
