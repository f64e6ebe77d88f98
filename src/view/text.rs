//! The `text` view: the bytes as text messages, with no character split between two of them.

use super::{Part, wire};
use crate::hub::{Data, unfinished};

/// Appends the characters that `data` completes. A character that it only begins comes with the
/// next chunk; one that the end of the stream cut short becomes U+FFFD, as all invalid bytes do.
pub fn encode(data: &Data, part: Part, out: &mut Vec<u8>) {
    let skip = part.bytes_to_skip(data.chunk.len());
    let begun = if skip == 0 {
        data.split.as_bytes()
    } else {
        &[]
    };
    let mut text = [begun, &data.chunk[skip..]].concat();
    if !data.chunk.is_empty() {
        text.truncate(text.len() - unfinished(&text));
    }
    if !text.is_empty() {
        wire::text(&*String::from_utf8_lossy(&text), out);
    }
}
