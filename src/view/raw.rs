//! The `raw` view: binary messages with the bytes exactly as they were read.

use super::{Part, wire};
use crate::hub::Data;

/// Appends the chunk as one message; where it begins and ends means nothing.
pub(crate) fn encode(data: &Data, part: Part, out: &mut Vec<u8>) {
    let chunk = &data.chunk[part.bytes_to_skip(data.chunk.len())..];
    if !chunk.is_empty() {
        wire::binary(chunk, out);
    }
}
