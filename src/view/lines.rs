//! The `lines` view: one text message per line, without its line end.

use super::{Part, wire};
use crate::hub::{Data, Extent};

/// Appends the lines that `data` completes. A line whose beginning was missed, or whose end was
/// cut off, is left out: it could be taken for a whole one.
pub(crate) fn encode(data: &Data, part: Part, out: &mut Vec<u8>) {
    let bytes: usize = data.frames.iter().map(|frame| frame.bytes.len() + 4).sum();
    out.reserve_exact(bytes);
    for frame in data
        .frames
        .iter()
        .skip(part.lines_to_skip(data.frames.len()))
    {
        if frame.extent == Extent::Fragment {
            continue;
        }
        if frame.utf8 {
            wire::text(frame.bytes, out);
        } else {
            wire::text(&*String::from_utf8_lossy(frame.bytes), out);
        }
    }
}
