//! The `values` view: for each line with numbers, one text message with them and their names.

use super::{Definition, Part, Payload, PayloadSink};
use crate::hub::{Event, Kind, StreamItem};

/// Leaves out lines without values, and parts of lines: a number in one may be cut short.
pub(super) const VALUES: Definition = Definition {
    name: "values",
    item: StreamItem::Values,
    has_statuses: false,
    encode,
};

fn encode(event: &Event, part: Part, sink: &mut PayloadSink<'_>) {
    let Kind::Data(data) = &event.kind else {
        return;
    };
    let mut text = Vec::new();
    // To go through all lines is as much work as to find those with values first.
    let item = match part {
        Part::Newest => StreamItem::Values,
        Part::After(_) => StreamItem::Line,
    };
    for (index, frame) in part.frames(item, data) {
        let values = frame.values();
        if !values.is_empty() {
            text.clear();
            values.write_json(&mut text);
            sink(Payload::Text(&text), event.before.line + 1 + index as u64);
        }
    }
}
