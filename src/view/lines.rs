//! The `lines` view: one text message per line, without its line end.

use super::{Definition, Part, Payload, PayloadSink};
use crate::hub::{Event, Kind, StreamItem};

/// Leaves out a line whose beginning was missed or whose end was cut off: it could be taken for a
/// whole one.
pub(super) const LINES: Definition = Definition {
    name: "lines",
    item: StreamItem::Line,
    has_statuses: false,
    encode,
};

fn encode(event: &Event, part: Part, sink: &mut PayloadSink<'_>) {
    let Kind::Data(data) = &event.kind else {
        return;
    };
    for (index, frame) in part.frames(LINES.item, data) {
        let number = event.before.line + 1 + index as u64;
        if frame.utf8 {
            sink(Payload::Text(frame.bytes), number);
        } else {
            let text = String::from_utf8_lossy(frame.bytes);
            sink(Payload::Text(text.as_bytes()), number);
        }
    }
}
