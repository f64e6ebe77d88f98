//! The law of what a client sends once its handshake is over.

use serial_ws::protocol::ServerMessage;

use super::SERVERS;

/// What the client asks for, by the first byte of the data.
const TARGETS: [&str; 6] = [
    "/",
    "/?view=json",
    "/?view=json&data=chunks",
    "/?view=json&latest=30",
    "/?view=raw&history=100",
    "/?view=text",
];

/// Whatever bytes a client sends after its handshake, in whatever parts, it gets whole frames as a
/// server may send them, the last of which is a Close if there is one, and objects of the protocol
/// where it asked for them. The first byte chooses the target, the second the sizes of the parts.
pub fn frames(data: &[u8]) {
    let Some((&[target, size], sent)) = data.split_first_chunk::<2>() else {
        return;
    };
    let target = TARGETS[usize::from(target) % TARGETS.len()];
    let head = format!(
        "GET {target} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    let size = usize::from(size) + 1;
    let parts = std::iter::once(head.as_bytes()).chain(sent.chunks(size));
    let answer = SERVERS.with(|servers| servers.talk(parts));
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let mut rest = &answer[end.expect("the handshake is answered") + 4..];
    let mut is_closed = false;
    while let Some((opcode, payload, after)) = frame(rest) {
        assert!(!is_closed, "nothing comes after a Close");
        match opcode {
            1 => {
                let text = str::from_utf8(payload).expect("a text message is text");
                if target.contains("json") {
                    let object: ServerMessage<'_> =
                        serde_json::from_str(text).expect("it is an object of the protocol");
                    assert_eq!(object.to_json(), text);
                }
            }
            2 | 10 => {}
            8 => is_closed = is_close(payload),
            other => panic!("a frame with opcode {other}"),
        }
        rest = after;
    }
    assert!(rest.is_empty(), "a frame is cut short: {rest:?}");
}

/// Splits off a frame, as a server sends it: whole, not masked, its length written as shortly as it
/// can be.
fn frame(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[first, length], rest) = bytes.split_first_chunk::<2>()?;
    assert_eq!(first & 0xf0, 0x80, "a whole message without extensions");
    assert!(length < 0x80, "a server masks nothing");
    let opcode = first & 0x0f;
    let (length, rest) = match length {
        126 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            let length = usize::from(u16::from_be_bytes(*length));
            assert!(length > 125 && opcode < 8);
            (length, rest)
        }
        127 => {
            let (length, rest) = rest.split_first_chunk::<8>()?;
            let length = u64::from_be_bytes(*length) as usize;
            assert!(length > 0xffff && opcode < 8);
            (length, rest)
        }
        length => (usize::from(length), rest),
    };
    let (payload, rest) = rest.split_at_checked(length)?;
    Some((opcode, payload, rest))
}

/// Checks the payload of a Close: nothing, or a code that may be sent and a reason.
fn is_close(payload: &[u8]) -> bool {
    if let Some((code, reason)) = payload.split_first_chunk::<2>() {
        let code = u16::from_be_bytes(*code);
        assert!(
            matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999),
            "{code}"
        );
        assert!(str::from_utf8(reason).is_ok());
    } else {
        assert!(payload.is_empty());
    }
    true
}
