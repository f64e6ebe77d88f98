//! Events of a port as parts of a stream: Server-Sent Events, or payloads that a line feed ends. Each
//! event is encoded once per format and view, and shared by all its clients.

use bytes::Bytes;

use super::format::StreamFormat;
use crate::hub::{EncodingSlot, Event, Kind, Position, Status};
use crate::server::client::delivery::Encoder;
use crate::view::{Part, Payload, View};

/// Encodes the events of a port for clients of one format and view.
pub(super) struct StreamEncoder {
    pub(super) format: StreamFormat,
    pub(super) view: View,
    /// The name of the run in which lines are numbered.
    pub(super) run: String,
    /// True if each part is sent as a chunk (RFC 9112 §7.1), which libraries pass on at once. Clients of
    /// HTTP/1.0 know none.
    pub(super) is_chunked: bool,
}

/// The chunk that ends an answer.
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Encodings of an event that may be kept: each view in two ways, as events and with line feeds.
const SLOTS: usize = 2 * View::ALL.len();

impl Encoder for StreamEncoder {
    fn event(&self, event: &Event, part: Part) -> Bytes {
        if self.is_blank(event) {
            return Bytes::new();
        }
        if part != Part::WHOLE || !self.is_chunked {
            return self.encode(event, part);
        }
        event.encoding(self.slot(), SLOTS, || self.encode(event, part))
    }

    fn missed(&self, missed: Position, place: Position) -> Bytes {
        let object = self.format.protocol().missed(missed);
        let place = place.count(self.view.unit());
        self.object("missed", Some(place), object)
    }

    fn status(&self, status: &Status) -> Bytes {
        let object = self.format.protocol().status(status);
        self.object("status", None, object)
    }

    fn has_numbers(&self) -> bool {
        self.format != StreamFormat::Text
    }
}

impl StreamEncoder {
    /// Returns what a client gets first: the greeting, if there is one, and how soon to come again.
    pub(super) fn greeting(&self, place: Position, greeting: Option<String>) -> Bytes {
        let place = place.count(self.view.unit());
        let hello = self.object("hello", Some(place), greeting);
        match self.format {
            StreamFormat::Events => [&*self.chunk(RETRY.to_vec()), &hello].concat().into(),
            StreamFormat::Ndjson | StreamFormat::Text => hello,
        }
    }

    /// Returns what ends the answer.
    pub(super) fn end(&self) -> Bytes {
        Bytes::from_static(if self.is_chunked { LAST_CHUNK } else { b"" })
    }

    /// Returns what a client gets last: a Close code and the reason.
    pub(super) fn closed(&self, code: u16, reason: &str) -> Bytes {
        match self.format {
            StreamFormat::Events => {
                let object = serde_json::json!({ "code": code, "reason": reason });
                self.object("closed", None, Some(object.to_string()))
            }
            StreamFormat::Ndjson | StreamFormat::Text => Bytes::new(),
        }
    }

    /// Returns what shows others on the way, and our own system, that the client is still there.
    pub(super) fn keepalive(&self) -> Bytes {
        match self.format {
            StreamFormat::Events => self.chunk(b":\n\n".to_vec()),
            StreamFormat::Ndjson | StreamFormat::Text => Bytes::new(),
        }
    }

    fn chunk(&self, part: Vec<u8>) -> Bytes {
        if !self.is_chunked || part.is_empty() {
            return part.into();
        }
        let mut chunk = format!("{:x}\r\n", part.len()).into_bytes();
        chunk.reserve_exact(part.len() + 2);
        chunk.extend_from_slice(&part);
        chunk.extend_from_slice(b"\r\n");
        chunk.into()
    }

    fn slot(&self) -> EncodingSlot {
        EncodingSlot::Stream(match self.format {
            StreamFormat::Events => self.view as usize,
            StreamFormat::Ndjson | StreamFormat::Text => View::ALL.len() + self.view as usize,
        })
    }

    fn is_blank(&self, event: &Event) -> bool {
        let has_statuses =
            self.format == StreamFormat::Events && !matches!(event.kind, Kind::Data(_));
        !has_statuses && self.view.is_blank(event)
    }

    fn encode(&self, event: &Event, part: Part) -> Bytes {
        let mut out = Vec::new();
        let (name, view) = match event.kind {
            Kind::Data(_) | Kind::Note(_) => (None, self.view),
            Kind::Status(_) => (Some("status"), View::JsonLines),
            Kind::Written(_) => (Some("written"), View::JsonLines),
        };
        view.encode(event, part, &mut |payload, place| {
            let (Payload::Text(bytes) | Payload::Binary(bytes)) = payload;
            match self.format {
                StreamFormat::Events => {
                    let place = name.is_none().then_some(place);
                    self.append_event(name, place, bytes, &mut out);
                }
                StreamFormat::Ndjson | StreamFormat::Text => {
                    append_line(self.view, bytes, &mut out)
                }
            }
        });
        self.chunk(out)
    }

    /// Returns an object that is no event of the port; nothing where there is none.
    fn object(&self, name: &str, place: Option<u64>, object: Option<String>) -> Bytes {
        let Some(object) = object else {
            return Bytes::new();
        };
        let mut out = Vec::new();
        match self.format {
            StreamFormat::Events => {
                self.append_event(Some(name), place, object.as_bytes(), &mut out)
            }
            StreamFormat::Ndjson | StreamFormat::Text => {
                append_line(self.view, object.as_bytes(), &mut out)
            }
        }
        self.chunk(out)
    }

    /// Appends a Server-Sent Event. Those without a name are messages. A carriage return or a line feed
    /// would end the field, and so begins another one.
    fn append_event(&self, name: Option<&str>, place: Option<u64>, data: &[u8], out: &mut Vec<u8>) {
        use std::io::Write;
        // Writing to a Vec cannot fail.
        if let Some(place) = place {
            let _ = writeln!(out, "id: {}:{place}", self.run);
        }
        if let Some(name) = name {
            let _ = writeln!(out, "event: {name}");
        }
        out.extend_from_slice(b"data: ");
        let mut rest = data;
        while let Some(at) = memchr::memchr2(b'\r', b'\n', rest) {
            out.extend_from_slice(&rest[..at]);
            out.extend_from_slice(b"\ndata: ");
            let is_pair = rest[at..].starts_with(b"\r\n");
            rest = &rest[at + 1 + usize::from(is_pair)..];
        }
        out.extend_from_slice(rest);
        out.extend_from_slice(b"\n\n");
    }
}

/// Asks EventSource to come again a second after its connection has ended.
const RETRY: &[u8] = b"retry: 1000\n\n";

/// Appends a payload, ended by a line feed unless it is text that has its own.
fn append_line(view: View, payload: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(payload);
    if view != View::Text {
        out.push(b'\n');
    }
}
