//! The laws of bytes from a device: what frames they make, and which numbers their lines have.

use bytes::Bytes;
use serial_ws::hub::Extent;
use serial_ws::view::View;
use serial_ws::{Framer, Framing};

/// The frames of a stream do not depend on how it is cut into chunks, stand in it one after the
/// other, unless they are encoded, and are no longer than they may be; what is written as a frame is
/// read as the same; and a framing is written in one way. The first byte sets the longest frame, the
/// next three the sizes of the chunks; the first line is the framing.
pub fn framing(data: &[u8]) {
    let Some(([longest, sizes @ ..], input)) = data.split_first_chunk::<4>() else {
        return;
    };
    let end = input.iter().position(|&byte| byte == b'\n');
    let (written, input) = input.split_at(end.unwrap_or(input.len()));
    let Ok(written) = str::from_utf8(written) else {
        return;
    };
    let framing = match written.parse::<Framing>() {
        Ok(framing) => framing,
        Err(why) => return assert!(why.starts_with("expected "), "{why}"),
    };
    let again: Framing = framing.to_string().parse().expect("it is written so");
    assert_eq!(again.to_string(), framing.to_string());

    let max_line = 4 + usize::from(longest % 16);
    let whole = cut(&framing, max_line, input, [usize::MAX; 3]);
    let sizes = sizes.map(|size| usize::from(size % 9) + 1);
    assert_eq!(cut(&framing, max_line, input, sizes), whole);
    let written = framing.to_string();
    if let Ok(bytes) = framing.encode(input) {
        let frame = if written == "json" {
            input.trim_ascii()
        } else {
            input
        };
        let read = cut(&framing, usize::MAX / 2, &bytes, sizes);
        assert_eq!(read, [(frame.to_vec(), Extent::Whole)]);
    }
    let length = written.strip_prefix("len:");
    let max_line = length.map_or(max_line, |length| length.parse().expect("it is a number"));
    // White space that waits with a JSON value, or a mark that may end a frame.
    let longest_end = written.len().max(max_line).max(20);
    let is_encoded = matches!(&*written, "slip" | "cobs");
    let mut rest = input;
    for (frame, extent) in &whole {
        // What the end of the stream cut short may end with the beginning of a line end.
        let begun = if *extent == Extent::Fragment {
            longest_end
        } else {
            0
        };
        assert!(frame.len() <= max_line + begun, "{frame:?}");
        if is_encoded {
            continue;
        }
        let mut places = rest.windows(frame.len().max(1));
        let at = places.position(|place| place.starts_with(frame));
        let at = at.or_else(|| frame.is_empty().then_some(0));
        rest = &rest[at.expect("a frame stands in the stream") + frame.len()..];
    }
}

/// Returns the frames of `input` if it comes in chunks of these sizes.
fn cut(
    framing: &Framing,
    max_line: usize,
    input: &[u8],
    sizes: [usize; 3],
) -> Vec<(Vec<u8>, Extent)> {
    let mut framer: Box<dyn Framer> = framing.framer(max_line);
    framer.begin(true);
    let (mut rest, mut sizes) = (Bytes::copy_from_slice(input), sizes.into_iter().cycle());
    let mut frames = Vec::new();
    let mut chunks = Vec::new();
    while let (false, Some(size)) = (rest.is_empty(), sizes.next()) {
        chunks.push(framer.push(rest.split_to(size.min(rest.len()))));
    }
    let read: Vec<u8> = chunks.iter().flat_map(|data| data.chunk.to_vec()).collect();
    assert_eq!(read, input, "chunks stay as they were read");
    chunks.extend(framer.cut());
    for data in &chunks {
        let all = data.frames.iter();
        frames.extend(all.map(|frame| (frame.bytes.to_vec(), frame.extent)));
    }
    frames
}

/// The values of lines are JSON, with names for all of a line's values or for none; their digits
/// stand in their line in this order; and what they are does not depend on the chunks. The first
/// three bytes are the sizes of the chunks.
pub fn values(data: &[u8]) {
    let Some((sizes, input)) = data.split_first_chunk::<3>() else {
        return;
    };
    const MAX_LINE: usize = 16 << 10;
    let sizes = sizes.map(|size| usize::from(size) + 1);
    let shown = super::shown(View::Values, input, MAX_LINE, sizes);
    assert_eq!(
        super::shown(View::Values, input, MAX_LINE, [usize::MAX; 3]),
        shown
    );

    let mut framer = serial_ws::LineFramer::new(MAX_LINE);
    let data = framer.push(Bytes::copy_from_slice(input));
    let mut payloads = shown.iter();
    for frame in data.frames.iter() {
        let found = frame.values();
        let names: Vec<_> = found
            .iter()
            .filter_map(|value| value.name.as_deref())
            .collect();
        assert!(names.is_empty() || names.len() == found.iter().len());
        assert!(found.iter().len() <= serial_ws::values::MAX_VALUES);
        let mut digits = frame.bytes.iter().filter(|byte| byte.is_ascii_digit());
        for number in found.iter().filter_map(|value| value.number.as_ref()) {
            // The zero that JSON asks for before a point need not stand in the line.
            let text = number.as_str().trim_start_matches('-');
            let text = text.strip_prefix("0.").unwrap_or(text).bytes();
            let mut wanted = text.filter(u8::is_ascii_digit);
            assert!(
                wanted.all(|wanted| digits.any(|&digit| digit == wanted)),
                "{frame:?}"
            );
        }
        if found.is_empty() {
            continue;
        }
        let mut json = Vec::new();
        found.write_json(&mut json);
        assert_eq!(payloads.next(), Some(&json));
        let parsed: serde_json::Value = serde_json::from_slice(&json).expect("it is JSON");
        let count = parsed.as_object().map(|map| map.len());
        let count = count.or(parsed.as_array().map(Vec::len));
        assert_eq!(count, Some(found.iter().len()), "no name is there twice");
    }
    assert_eq!(payloads.next(), None);
}
