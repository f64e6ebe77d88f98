//! Messages as WebSocket frames, ready for any number of sockets: a server's are not masked.

use bytes::Bytes;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

/// Appends a text message; `text` must be valid UTF-8.
pub(crate) fn text(text: impl AsRef<[u8]>, out: &mut Vec<u8>) {
    message(Data::Text, text.as_ref(), out);
}

/// Appends a binary message.
pub(crate) fn binary(bytes: &[u8], out: &mut Vec<u8>) {
    message(Data::Binary, bytes, out);
}

/// One text message.
pub fn text_frame(message: &str) -> Bytes {
    let mut out = Vec::with_capacity(message.len() + 4);
    text(message, &mut out);
    out.into()
}

/// A question for a sign of life: a ping without payload (RFC 6455 §5.5.2).
pub fn ping() -> Bytes {
    Bytes::from_static(&[0x89, 0])
}

/// A sign of life that asks for none (RFC 6455 §5.5.3), as a frame.
pub fn pong() -> Bytes {
    Bytes::from_static(&[0x8a, 0])
}

/// A message as it came; nothing for a ping and the like.
pub fn frame(message: &Message) -> Bytes {
    let mut out = Vec::new();
    match message {
        Message::Text(payload) => text(payload, &mut out),
        Message::Binary(payload) => binary(payload, &mut out),
        _ => {}
    }
    out.into()
}

fn message(kind: Data, payload: &[u8], out: &mut Vec<u8>) {
    let header = FrameHeader {
        opcode: OpCode::Data(kind),
        ..FrameHeader::default()
    };
    header
        .format(payload.len() as u64, out)
        .expect("a Vec takes all that is written to it");
    out.extend_from_slice(payload);
}
