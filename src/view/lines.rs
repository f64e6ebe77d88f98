//! The `lines` view: one text message per line, without its line end.

use super::{Definition, Part, Payload, PayloadSink};
use crate::hub::{Event, Extent, Kind, Unit};

/// Leaves out a line whose beginning was missed or whose end was cut off: it could be taken for a
/// whole one.
pub(super) const LINES: Definition = Definition {
    name: "lines",
    unit: Unit::Lines,
    encode,
    is_blank: |event| !matches!(&event.kind, Kind::Data(data) if !data.frames.is_empty()),
};

fn encode(event: &Event, part: Part, sink: &mut PayloadSink<'_>) {
    let Kind::Data(data) = &event.kind else {
        return;
    };
    let skip = part.lines_to_skip(data.frames.len());
    for frame in data.frames.iter().skip(skip) {
        if frame.extent == Extent::Fragment {
            continue;
        }
        if frame.utf8 {
            sink(Payload::Text(frame.bytes));
        } else {
            sink(Payload::Text(
                String::from_utf8_lossy(frame.bytes).as_bytes(),
            ));
        }
    }
}
