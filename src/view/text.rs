//! The `text` view: the bytes as text messages, with no character split between two of them.

use super::{Definition, Part, Payload};
use crate::hub::{Data, Kind, StreamItem, incomplete_suffix};

/// Sends the characters that each chunk completes. A character that it only begins comes with the
/// next chunk; one that the end of the stream cut short becomes U+FFFD, as all invalid bytes do.
pub(super) const TEXT: Definition = Definition {
    name: "text",
    item: StreamItem::Character,
    has_statuses: false,
    encode: |event, part, sink| {
        if let Kind::Data(data) = &event.kind {
            encode(data, part, &mut |payload| {
                sink(payload, event.after().offset)
            });
        }
    },
};

fn encode(data: &Data, part: Part, sink: &mut dyn FnMut(Payload<'_>)) {
    let begun = data.split.as_bytes();
    let mut text = [begun, &data.chunk].concat();
    if !data.chunk.is_empty() {
        text.truncate(text.len() - incomplete_suffix(&text));
    }
    let start = match part.bytes_to_skip(data.chunk.len()) {
        0 => 0,
        // A client that begins inside a character gets all of it.
        skip => character_start(&text, begun.len() + skip),
    };
    if start < text.len() {
        let text = String::from_utf8_lossy(&text[start..]);
        sink(Payload::Text(text.as_bytes()));
    }
}

/// The beginning of the character that the byte at `place` belongs to; `place` itself if that is no
/// character.
fn character_start(text: &[u8], place: usize) -> usize {
    /// Bytes of a character in UTF-8.
    const MAX_BYTES: usize = 4;
    let contains_place = |start: &usize| {
        let tail = &text[*start..text.len().min(start + MAX_BYTES)];
        let first = tail.utf8_chunks().next();
        let first = first.and_then(|chunk| chunk.valid().chars().next());
        first.is_some_and(|character| start + character.len_utf8() > place)
    };
    let mut starts = place.saturating_sub(MAX_BYTES - 1)..place;
    starts.find(contains_place).unwrap_or(place)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::hub::Position;
    use crate::port::framing::{Framer, lines::LineFramer};

    fn texts(data: &Data, part: Part) -> Vec<String> {
        let mut texts = Vec::new();
        encode(data, part, &mut |payload| match payload {
            Payload::Text(text) => texts.push(String::from_utf8(text.to_vec()).unwrap()),
            Payload::Binary(bytes) => panic!("{bytes:?}"),
        });
        texts
    }

    #[track_caller]
    fn check(chunks: &[&[u8]], expected: &[&str]) {
        let mut framer = LineFramer::new(999);
        let data = chunks
            .iter()
            .map(|chunk| framer.push(Bytes::copy_from_slice(chunk)));
        let mut data: Vec<Data> = data.collect();
        data.extend(framer.cut());
        let texts: Vec<String> = data
            .iter()
            .flat_map(|data| texts(data, Part::WHOLE))
            .collect();
        assert_eq!(texts, expected);
    }

    #[test]
    fn a_character_comes_whole_with_its_last_byte() {
        check(&[b"caf\xc3", b"\xa9!"], &["caf", "é!"]);
        check(&[b"\xf0\x9f", b"\x98", b"\x80"], &["😀"]);
    }

    #[test]
    fn what_is_no_text_becomes_replacement_characters() {
        check(&[b"a\xffb"], &["a\u{fffd}b"]);
        check(&[b"a\xc3"], &["a", "\u{fffd}"]);
    }

    #[test]
    fn a_client_that_begins_inside_a_character_gets_all_of_it() {
        let mut framer = LineFramer::new(999);
        let mut check = |chunk: &'static [u8], offset, expected: &str| {
            let data = framer.push(Bytes::from_static(chunk));
            let had = Position { line: 0, offset };
            assert_eq!(texts(&data, Part::After(had)), [expected]);
        };
        check(b"a\xc3\xa9b", 2, "éb");
        check(b"a\xc3\xa9b", 3, "b");
        check(b"a\xf0\x9f\x98\x80", 4, "😀");
        // What is no character has no other beginning.
        check(b"\x80\x80b\xf0\x9f", 1, "\u{fffd}b");
        check(b"\x98\x80!", 1, "😀!");
    }
}
