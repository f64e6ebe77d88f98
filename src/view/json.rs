//! The `json` view: objects with numbers and times for lines or chunks, and changes of status in
//! their place between them. [`ServerMessage`] is the definition of these objects.

use std::borrow::Cow;
use std::io::Write;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::{Definition, Part, Payload, PayloadSink};
use crate::hub::{Data, Event, Extent, Frame, Kind, StreamItem, Timestamp};
use crate::protocol::{
    Base64, ChunkLine, ChunkMessage, Content, HeaderMessage, ServerMessage, StatusMessage,
    StreamPlace,
};
use crate::values::LineValues;

/// One object per line.
pub(super) const LINES: Definition = Definition {
    name: "json",
    item: StreamItem::Frame,
    has_statuses: true,
    encode: |event, part, sink| encode(event, part, sink, lines),
};

/// One object per line, with the values of those that have any.
pub(super) const LINES_WITH_VALUES: Definition = Definition {
    encode: |event, part, sink| encode(event, part, sink, lines_with_values),
    ..LINES
};

/// One object per chunk of bytes.
pub(super) const CHUNKS: Definition = Definition {
    name: "json",
    item: StreamItem::Byte,
    has_statuses: true,
    encode: |event, part, sink| encode(event, part, sink, chunk),
};

/// Everything that came with one read, for another serial-ws.
pub(super) const ALL: Definition = Definition {
    name: "json",
    item: StreamItem::Everything,
    has_statuses: true,
    encode: |event, part, sink| encode(event, part, sink, everything),
};

fn encode(
    event: &Event,
    part: Part,
    sink: &mut PayloadSink<'_>,
    data: fn(&Event, &Data, Part, &mut PayloadSink<'_>),
) {
    match &event.kind {
        Kind::Data(chunk) => data(event, chunk, part, sink),
        Kind::Status(status) => {
            let status = ServerMessage::Status(StatusMessage::complete(status));
            sink(
                Payload::Text(status.to_json().as_bytes()),
                event.before.line,
            );
        }
        Kind::Written(written) => {
            let content = Content::of(&written.bytes);
            let message = ServerMessage::Written {
                t: event.at,
                content,
                client: written.client,
                name: written.name.as_deref().map(Cow::from),
            };
            sink(
                Payload::Text(message.to_json().as_bytes()),
                event.before.line,
            );
        }
        Kind::Note(_) => {}
    }
}

fn lines(event: &Event, data: &Data, part: Part, sink: &mut PayloadSink<'_>) {
    each_line(event, data, part, sink, |_| LineValues::default());
}

fn lines_with_values(event: &Event, data: &Data, part: Part, sink: &mut PayloadSink<'_>) {
    each_line(event, data, part, sink, |frame| frame.values());
}

fn each_line(
    event: &Event,
    data: &Data,
    part: Part,
    sink: &mut PayloadSink<'_>,
    values: impl Fn(Frame<'_>) -> LineValues,
) {
    let mut object = Vec::new();
    for (index, frame) in part.frames(LINES.item, data) {
        object.clear();
        let number = event.before.line + 1 + index as u64;
        line(number, event.at, frame, &values(frame), &mut object);
        sink(Payload::Text(&object), number);
    }
}

fn chunk(event: &Event, data: &Data, part: Part, sink: &mut PayloadSink<'_>) {
    let skip = part.bytes_to_skip(data.chunk.len());
    if skip == data.chunk.len() {
        return;
    }
    let mut object = Vec::new();
    let offset = event.before.offset + skip as u64;
    self::data(offset, event.at, &data.chunk[skip..], &mut object);
    sink(Payload::Text(&object), event.after().offset);
}

fn everything(event: &Event, data: &Data, part: Part, sink: &mut PayloadSink<'_>) {
    let skip = part.bytes_to_skip(data.chunk.len());
    let frames: Vec<_> = part.frames(ALL.item, data).collect();
    let first = frames
        .first()
        .map_or(data.frames.len(), |(first, _)| *first);
    let lines = frames.into_iter().map(|(_, frame)| chunk_line(frame));
    let lines = lines.collect();
    let place = StreamPlace {
        seq: event.before.line + first as u64,
        offset: event.before.offset + skip as u64,
    };
    let message = ServerMessage::Chunk(ChunkMessage {
        place,
        t: event.at,
        bytes: Base64(data.chunk[skip..].into()),
        lines,
        cut: data.chunk.is_empty() && !data.split.is_empty(),
    });
    let end = event.after().offset;
    sink(Payload::Text(message.to_json().as_bytes()), end);
}

fn chunk_line(frame: Frame<'_>) -> ChunkLine<'_> {
    let header = frame.header.filter(|_| frame.extent == Extent::Whole);
    ChunkLine {
        content: Content::of(frame.bytes),
        partial: frame.extent != Extent::Whole,
        piece: frame.extent == Extent::Piece,
        header: header.map(|header| HeaderMessage {
            separator: header.separator().into(),
            names: header.names().map(Into::into).collect(),
        }),
    }
}

/// Appends a [`ServerMessage::Line`]. This runs for every line, and is faster than the serializer
/// of the type.
fn line(number: u64, at: Timestamp, frame: Frame<'_>, values: &LineValues, out: &mut Vec<u8>) {
    // Writing to a Vec cannot fail.
    let _ = write!(out, r#"{{"type":"line","seq":{number},"t":{at},"#);
    if let Ok(text) = str::from_utf8(frame.bytes) {
        out.extend_from_slice(br#""text":"#);
        let _ = serde_json::to_writer(&mut *out, text);
    } else {
        out.extend_from_slice(br#""bytes":"#);
        base64(frame.bytes, out);
    }
    if !values.is_empty() {
        out.extend_from_slice(br#","values":"#);
        values.write_json(out);
    }
    if frame.extent != Extent::Whole {
        out.extend_from_slice(br#","partial":true"#);
    }
    out.push(b'}');
}

/// Appends a [`ServerMessage::Data`], for the same reason.
fn data(offset: u64, at: Timestamp, bytes: &[u8], out: &mut Vec<u8>) {
    // Writing to a Vec cannot fail.
    let _ = write!(
        out,
        r#"{{"type":"data","offset":{offset},"t":{at},"bytes":"#
    );
    base64(bytes, out);
    out.push(b'}');
}

fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(BASE64_STANDARD.encode(bytes).as_bytes());
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::{Base64, Content};

    #[track_caller]
    fn check_line(bytes: &[u8], extent: Extent, expected: &str) {
        let mut out = Vec::new();
        let frame = Frame {
            bytes,
            extent,
            utf8: true,
            header: None,
        };
        line(5, Timestamp(1_500_000), frame, &frame.values(), &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn a_line_has_its_number_time_and_text() {
        check_line(
            b"a\"\x00",
            Extent::Whole,
            r#"{"type":"line","seq":5,"t":1.500000,"text":"a\"\u0000"}"#,
        );
        check_line(
            b"\xff",
            Extent::Whole,
            r#"{"type":"line","seq":5,"t":1.500000,"bytes":"/w=="}"#,
        );
        check_line(
            b"t:21.5 h:nan",
            Extent::Whole,
            r#"{"type":"line","seq":5,"t":1.500000,"text":"t:21.5 h:nan","values":{"t":21.5,"h":null}}"#,
        );
        check_line(
            b"512,3",
            Extent::Whole,
            r#"{"type":"line","seq":5,"t":1.500000,"text":"512,3","values":[512,3]}"#,
        );
        check_line(
            b"a",
            Extent::Piece,
            r#"{"type":"line","seq":5,"t":1.500000,"text":"a","partial":true}"#,
        );
    }

    proptest! {
        #[test]
        fn a_line_with_values_reads_as_its_type(numbers: Vec<i16>, is_named: bool) {
            let name = if is_named { "n:" } else { "" };
            let text = numbers.iter().map(|number| (f64::from(*number) / 8.0).to_string());
            let text: Vec<_> = text.collect();
            let text = format!("{name}{}", text.join(", "));
            let frame = Frame {
                bytes: text.as_bytes(),
                extent: Extent::Whole,
                utf8: true,
                header: None,
            };
            let mut out = Vec::new();
            line(5, Timestamp(7), frame, &frame.values(), &mut out);
            let read: ServerMessage<'_> = serde_json::from_slice(&out).unwrap();
            let again: ServerMessage<'_> = serde_json::from_str(&read.to_json()).unwrap();
            prop_assert_eq!(&read, &again);
            let ServerMessage::Line { values, .. } = read else {
                panic!("{read:?}");
            };
            prop_assert_eq!(values.is_some(), !numbers.is_empty());
        }

        #[test]
        fn lines_and_chunks_are_written_as_their_types_are(
            bytes in prop_oneof![
                any::<Vec<u8>>(),
                any::<String>().prop_map(String::into_bytes),
            ],
            number: u64,
            micros in 0..1u64 << 52,
            is_whole: bool,
        ) {
            let t = Timestamp(micros);
            let extent = if is_whole { Extent::Whole } else { Extent::Piece };
            let frame = Frame { bytes: &bytes, extent, utf8: true, header: None };
            let mut out = Vec::new();
            line(number, t, frame, &LineValues::default(), &mut out);
            let base64 = || Base64(bytes.as_slice().into());
            let content = str::from_utf8(&bytes).map(|text| Content::Text(text.into()));
            let content = content.unwrap_or_else(|_| Content::Bytes(base64()));
            let message = ServerMessage::Line { seq: number, t, content, values: None, partial: !is_whole };
            prop_assert_eq!(out, message.to_json().into_bytes());

            let mut out = Vec::new();
            data(number, t, &bytes, &mut out);
            let message = ServerMessage::Data { offset: number, t, bytes: base64() };
            prop_assert_eq!(out, message.to_json().into_bytes());
        }
    }
}
