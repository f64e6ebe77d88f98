//! Payloads as WebSocket frames (RFC 6455 §5.2), ready for any number of sockets: a server's
//! frames are not masked. Each event is encoded once per view, and shared by all its clients.

use bytes::Bytes;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::hub::{EncodingSlot, Event, Kind, StreamItem};
use crate::view::{Part, Payload, View};

/// Bytes of the header of a frame with less than 64 KiB of payload.
const HEADER_BYTES: usize = 4;

/// A ping without payload, which asks for a pong (RFC 6455 §5.5.2).
pub(crate) const PING: [u8; 2] = [0x89, 0];

/// An unsolicited pong, which asks for nothing (RFC 6455 §5.5.3).
pub(crate) const PONG: [u8; 2] = [0x8a, 0];

/// Returns the frames of an event in a view. Those of a whole event are made by the first client
/// that asks for them, and kept with the event.
pub(crate) fn of_event(view: View, event: &Event, part: Part) -> Bytes {
    if part != Part::WHOLE {
        return encode(view, event, part);
    }
    let slot = EncodingSlot::Message(view as usize);
    match event.cached(slot) {
        Some(frames) => frames,
        None if view.is_blank(event) => Bytes::new(),
        None => event.encoding(slot, View::ALL.len(), || encode(view, event, part)),
    }
}

fn encode(view: View, event: &Event, part: Part) -> Bytes {
    let mut out = Vec::new();
    // What is kept with the event should take no more memory than it needs.
    if let (Kind::Data(data), StreamItem::Frame | StreamItem::Line) = (&event.kind, view.item()) {
        let frames = data.frames.iter();
        out.reserve_exact(frames.map(|frame| frame.bytes.len() + HEADER_BYTES).sum());
    }
    view.encode(event, part, &mut |payload, _| append(payload, &mut out));
    out.into()
}

/// Returns the frame of a text message.
pub(crate) fn text(text: &str) -> Bytes {
    frame(Payload::Text(text.as_bytes()))
}

/// Returns the frame of a message as it came; nothing for a ping and the like.
pub(crate) fn echo(message: &Message) -> Bytes {
    match message {
        Message::Text(text) => frame(Payload::Text(text.as_bytes())),
        Message::Binary(bytes) => frame(Payload::Binary(bytes)),
        _ => Bytes::new(),
    }
}

fn frame(payload: Payload<'_>) -> Bytes {
    let (Payload::Text(bytes) | Payload::Binary(bytes)) = payload;
    let mut out = Vec::with_capacity(bytes.len() + HEADER_BYTES);
    append(payload, &mut out);
    out.into()
}

fn append(payload: Payload<'_>, out: &mut Vec<u8>) {
    let (kind, payload) = match payload {
        Payload::Text(text) => (Data::Text, text),
        Payload::Binary(bytes) => (Data::Binary, bytes),
    };
    let header = FrameHeader {
        opcode: OpCode::Data(kind),
        ..FrameHeader::default()
    };
    header
        .format(payload.len() as u64, out)
        .expect("a Vec takes all that is written to it");
    out.extend_from_slice(payload);
}
