//! The `text` view: the bytes as text messages, with no character split between two of them.

use super::{Definition, Part, Payload, PayloadSink};
use crate::hub::{Data, Kind, Unit, incomplete_suffix};

/// Sends the characters that each chunk completes. A character that it only begins comes with the
/// next chunk; one that the end of the stream cut short becomes U+FFFD, as all invalid bytes do.
pub(super) const TEXT: Definition = Definition {
    name: "text",
    unit: Unit::Bytes,
    encode: |event, part, sink| {
        if let Kind::Data(data) = &event.kind {
            encode(data, part, sink);
        }
    },
    // An empty chunk ends the stream, and may end a character.
    is_blank: |event| !matches!(event.kind, Kind::Data(_)),
};

fn encode(data: &Data, part: Part, sink: &mut PayloadSink<'_>) {
    let skip = part.bytes_to_skip(data.chunk.len());
    let chunk = &data.chunk[skip..];
    // Where a client begins inside a character, the rest of that character is no news.
    let (begun, orphans) = match skip {
        0 => (data.split.as_bytes(), 0),
        _ => (&[][..], leading_continuations(chunk)),
    };
    let mut text = [begun, &chunk[orphans..]].concat();
    if !data.chunk.is_empty() {
        text.truncate(text.len() - incomplete_suffix(&text));
    }
    if !text.is_empty() {
        sink(Payload::Text(String::from_utf8_lossy(&text).as_bytes()));
    }
}

fn leading_continuations(bytes: &[u8]) -> usize {
    let is_continuation = |byte: &&u8| **byte & 0b1100_0000 == 0b1000_0000;
    bytes.iter().take(3).take_while(is_continuation).count()
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
    fn a_client_that_begins_inside_a_character_gets_the_next_one() {
        let mut framer = LineFramer::new(999);
        let data = framer.push(Bytes::from_static("aéb".as_bytes()));
        let had = Position { line: 0, offset: 2 };
        assert_eq!(texts(&data, Part::After(had)), ["b"]);
    }
}
