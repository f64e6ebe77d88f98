//! The `frames` view: one binary message per frame, decoded.

use super::{Definition, Part, Payload, PayloadSink};
use crate::hub::{Event, Kind, StreamItem};

/// Leaves out all that is no whole frame, pieces of overlong ones too: bytes do not show what they
/// lack.
pub(super) const FRAMES: Definition = Definition {
    name: "frames",
    item: StreamItem::Whole,
    has_statuses: false,
    encode,
};

fn encode(event: &Event, part: Part, sink: &mut PayloadSink<'_>) {
    let Kind::Data(data) = &event.kind else {
        return;
    };
    for (index, frame) in part.frames(FRAMES.item, data) {
        let number = event.before.line + 1 + index as u64;
        sink(Payload::Binary(frame.bytes), number);
    }
}
