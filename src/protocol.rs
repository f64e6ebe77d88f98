//! The json protocol, version 1, as types: each object that goes over the wire, in both
//! directions. PROTOCOL.md explains it to people. The meaning and the limits of
//! requests are decided by the server's protocol for json clients, except for leases, which HTTP
//! requests share.

mod ask;
mod chunk;
mod release;
mod status;

use std::borrow::Cow;
use std::ops::Not;

use base64::Engine;
use base64::display::Base64Display;
use base64::prelude::BASE64_STANDARD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Number, Value};

pub use ask::AskMessage;
pub use chunk::{ChunkLine, ChunkMessage, HeaderMessage, StreamPlace};
pub use release::ReleaseMessage;
pub use status::{OutputMessage, RecordingMessage, StatusMessage};

use crate::hub::{self, ErrorCode, Timestamp};

/// The version that `hello` announces. Within it, objects only grow.
pub const VERSION: u32 = 1;

/// A number that no client has.
pub const NO_CLIENT: u64 = 0;

/// The header of the answer to a WebSocket handshake that names the ending which is added to text
/// messages. It is there where text messages are written to a device as they are.
pub(crate) const APPEND_HEADER: &str = "serial-ws-append";

/// A message from serial-ws to a client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ServerMessage<'a> {
    /// The first message.
    Hello(Box<HelloMessage<'a>>),
    /// The port's status changed, or is told again after a gap.
    Status(StatusMessage<'a>),
    /// A line from the device without its line end, with `data=lines`.
    Line {
        /// Its number, counted from the start of the program.
        seq: u64,
        /// The time at which its last byte was read, in seconds since 1970.
        #[serde(with = "seconds")]
        t: Timestamp,
        /// Its text or bytes.
        #[serde(flatten)]
        content: Content<'a>,
        /// Its numbers, with `&values`: an object if they have names, otherwise an array. A number
        /// that is missing is null.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        values: Option<Value>,
        /// True if it is only a part of a line.
        #[serde(default, skip_serializing_if = "Not::not")]
        partial: bool,
    },
    /// A chunk of bytes from the device exactly as it was read, with `data=chunks`.
    Data {
        /// The number of bytes before it, counted from the start of the program.
        offset: u64,
        /// The time at which it was read, in seconds since 1970.
        #[serde(with = "seconds")]
        t: Timestamp,
        /// Its bytes.
        bytes: Base64<'a>,
    },
    /// Everything that came with one read, with `data=all`.
    Chunk(ChunkMessage<'a>),
    /// Something is missing at exactly this place. A count that is zero or not known is left out.
    Missed {
        /// Lines.
        #[serde(default, skip_serializing_if = "is_zero")]
        lines: u64,
        /// Bytes.
        #[serde(default, skip_serializing_if = "is_zero")]
        bytes: u64,
    },
    /// A request was carried out: the operating system took its last byte.
    Ack {
        /// The identifier of the request.
        id: Id,
        /// The bytes that were written.
        bytes: u64,
    },
    /// The reply of the device to a question.
    Reply {
        /// The identifier of the request.
        id: Id,
        /// Its text or bytes.
        #[serde(flatten)]
        content: Content<'a>,
    },
    /// A request was not carried out, or not to its end.
    Error {
        /// A sentence for people.
        error: Cow<'a, str>,
        /// The identifier of the request, if it had one.
        #[serde(
            default,
            deserialize_with = "present",
            skip_serializing_if = "Option::is_none"
        )]
        id: Option<Id>,
        /// The bytes that were written before it failed.
        #[serde(default, skip_serializing_if = "is_zero")]
        bytes: u64,
        /// The reason for programs, where it is one that they may want to tell apart.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<ErrorCode>,
    },
    /// The operating system took a client's bytes for the device, with `&writes`.
    Written {
        /// The time at which it took them, in seconds since 1970.
        #[serde(with = "seconds")]
        t: Timestamp,
        /// Their text or bytes.
        #[serde(flatten)]
        content: Content<'a>,
        /// The number of the client that sent them.
        client: u64,
        /// The name that the client gave itself, which nobody has checked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<Cow<'a, str>>,
    },
    /// The devices of this computer, to those who watch them.
    Devices {
        /// All that the client is shown, in their order.
        devices: Vec<Value>,
    },
    /// A type of a later version, which clients ignore.
    #[serde(other)]
    Unknown,
}

/// The greeting: what the client is connected to, and where its data begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HelloMessage<'a> {
    /// [`VERSION`].
    pub version: u32,
    /// Random for each start of the program; numbers of different runs do not compare.
    pub run: Cow<'a, str>,
    /// The number of the line after which this client's lines begin.
    pub seq: u64,
    /// The number of bytes after which this client's bytes begin.
    pub offset: u64,
    /// The number of this client, which no other one of this run has; None before version 0.2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<u64>,
    /// Bytes of the longest message that the client may send; 0 where it is not known.
    #[serde(rename = "maxMessage", default, skip_serializing_if = "is_zero")]
    pub max_message: u64,
    /// The port that the client is connected to.
    pub port: ConnectedPort<'a>,
    /// The place that the stream has reached, with `data=all`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<StreamPlace>,
    /// The names of all ports.
    pub ports: Cow<'a, [String]>,
    /// The port's status now.
    pub status: StatusMessage<'a>,
}

/// The port of a [`HelloMessage`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConnectedPort<'a> {
    /// The name that users gave it.
    pub name: Cow<'a, str>,
    /// The device that is or was last behind it.
    #[serde(flatten)]
    pub device: Option<Cow<'a, hub::DeviceInfo>>,
    /// Its line settings.
    pub settings: Value,
}

/// Data from the device or for it: text, or bytes where it is not UTF-8.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Content<'a> {
    /// Text.
    Text(Cow<'a, str>),
    /// Bytes.
    Bytes(Base64<'a>),
}

/// A message from a client to serial-ws, apart from its `id`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ClientMessage {
    /// Writes either `text`, completed by the line ending of `append` unless it is urgent, or exactly
    /// these `bytes`, or a `frame` with what the port's framing adds.
    Write {
        /// Before everything that waits, also within another write.
        #[serde(default, skip_serializing_if = "Not::not")]
        urgent: bool,
        /// Text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        /// Bytes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bytes: Option<Base64<'static>>,
        /// The bytes of a frame.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        frame: Option<Base64<'static>>,
    },
    /// Asks the device, and waits for its reply.
    Ask(AskMessage),
    /// Sets the modem lines, one or both.
    Signals {
        /// Data Terminal Ready.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dtr: Option<bool>,
        /// Request To Send.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rts: Option<bool>,
    },
    /// Holds the line in the break condition: for a time, or until it is ended.
    Break {
        /// For so many milliseconds, or a fraction of one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ms: Option<Number>,
        /// Begins or ends it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        on: Option<bool>,
    },
    /// Changes line settings.
    Settings(hub::SettingsChange),
    /// Changes the playing of a recording.
    Playback(hub::PlaybackChange),
    /// Takes the write lock.
    Lock {
        /// A name that others are told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// True if all settings and lines are to return when the lock ends.
        #[serde(default, skip_serializing_if = "Not::not")]
        restore: bool,
    },
    /// Ends it.
    Unlock,
    /// Starts recording the port, or stops it.
    Record {
        /// True to start.
        on: bool,
    },
    /// Adds a remark to what is being recorded.
    Note {
        /// The remark.
        text: String,
    },
    /// Restarts the board by its modem lines.
    Reset,
    /// Leases the port to another program.
    Release(ReleaseMessage),
    /// Takes the port back before its time.
    Resume {
        /// The client that must have released it, if it is released. No write lock ends then.
        #[serde(
            rename = "releasedBy",
            default,
            skip_serializing_if = "Option::is_none"
        )]
        released_by: Option<u64>,
    },
    /// A type of a later version, or a mistake.
    #[serde(other)]
    Unknown,
}

/// The answer to `GET /hello`: who answers, and whether the caller may connect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HelloAnswer<'a> {
    /// `serial-ws`.
    pub name: Cow<'a, str>,
    /// The version of the program.
    pub version: Cow<'a, str>,
    /// The origin of the page that asks.
    pub origin: Option<Cow<'a, str>>,
    /// True if it may connect.
    pub allowed: bool,
    /// True if it may only read.
    #[serde(rename = "readOnly")]
    pub read_only: bool,
    /// The way to allow it.
    pub remedy: Option<Cow<'a, str>>,
}

/// The identifier that a client gave to a request: any JSON value, kept as its text, which is
/// smaller and comes back unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Id(Box<str>);

/// Bytes, in base64 on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base64<'a>(pub Cow<'a, [u8]>);

impl ServerMessage<'_> {
    /// Returns the text of the message.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("its maps have keys of text, and its values are finite")
    }
}

impl ClientMessage {
    /// The words for the types.
    pub const TYPES: [&str; 13] = [
        "write", "ask", "signals", "break", "settings", "reset", "release", "resume", "lock",
        "unlock", "playback", "record", "note",
    ];

    /// Returns the text of the message with this identifier.
    pub fn to_json(&self, id: &Id) -> String {
        #[derive(Serialize)]
        struct WithId<'a> {
            #[serde(flatten)]
            message: &'a ClientMessage,
            id: &'a Id,
        }
        let message = WithId { message: self, id };
        serde_json::to_string(&message).expect("its maps have keys of text")
    }
}

impl Id {
    /// Returns the length of its text in bytes.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the whole number that it is, if it is one.
    pub(crate) fn number(&self) -> Option<u64> {
        self.0.parse().ok()
    }
}

impl From<&Value> for Id {
    fn from(value: &Value) -> Self {
        Self(value.to_string().into())
    }
}

impl From<&RawValue> for Id {
    fn from(text: &RawValue) -> Self {
        Self(text.get().into())
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(|value| Self::from(&value))
    }
}

impl Serialize for Base64<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Base64Display::new(&self.0, &BASE64_STANDARD))
    }
}

impl<'de> Deserialize<'de> for Base64<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let bytes = BASE64_STANDARD.decode(text.as_bytes());
        let bytes = bytes.map_err(|_| D::Error::custom(r#""bytes" must be base64"#))?;
        Ok(Self(bytes.into()))
    }
}

/// Seconds with six decimals. A float would drop trailing zeros.
mod seconds {
    use super::*;

    pub(super) fn serialize<S: Serializer>(
        t: &Timestamp,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let raw = RawValue::from_string(t.to_string()).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Timestamp, D::Error> {
        let seconds = f64::deserialize(d)?;
        Ok(Timestamp((seconds * 1e6).round() as u64))
    }
}

/// Reads a member that is there, even if it is null.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Id>, D::Error> {
    Id::deserialize(deserializer).map(Some)
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[cfg(test)]
mod members_tests;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::hub::{LineErrors, ModemInputs};

    #[track_caller]
    fn check_server(message: ServerMessage<'static>, text: &str) {
        assert_eq!(message.to_json(), text);
        assert_eq!(
            serde_json::from_str::<ServerMessage>(text).unwrap(),
            message
        );
    }

    #[track_caller]
    fn check_client(message: ClientMessage, text: &str) {
        assert_eq!(message.to_json(&Id::from(&json!(7))), text);
        assert_eq!(
            serde_json::from_str::<ClientMessage>(text).unwrap(),
            message
        );
    }

    fn bytes() -> Base64<'static> {
        Base64(vec![0, 1, 255].into())
    }

    fn device() -> hub::DeviceInfo {
        hub::DeviceInfo {
            path: "/dev/ttyACM0".into(),
            board: Some("Arduino Uno".into()),
            usb: Some("usb:2341:0043:A1".into()),
            low_latency: true,
        }
    }

    fn hello(
        device: Option<hub::DeviceInfo>,
        status: StatusMessage<'static>,
    ) -> ServerMessage<'static> {
        ServerMessage::Hello(Box::new(HelloMessage {
            version: VERSION,
            run: "a343848cc485e218".into(),
            seq: 4,
            offset: 18,
            client: Some(2),
            max_message: 65536,
            port: ConnectedPort {
                name: "uno".into(),
                device: device.map(Cow::Owned),
                settings: json!({ "baud": 9600, "parity": "none" }),
            },
            newest: None,
            ports: vec!["uno".to_owned(), "knob".to_owned()].into(),
            status,
        }))
    }

    fn status(errors: Option<LineErrors>, hint: &'static str) -> StatusMessage<'static> {
        StatusMessage {
            state: "open".into(),
            detail: "loop is \"open\"".into(),
            hint: hint.into(),
            advice: None,
            errors,
            inputs: None,
            writer: None,
            playback: None,
            recording: None,
            outputs: Vec::new(),
            settings: None,
        }
    }

    #[test]
    fn a_hello_has_the_port_with_its_device_and_all_names() {
        check_server(
            hello(Some(device()), status(None, "")),
            r#"{"type":"hello","version":1,"run":"a343848cc485e218","seq":4,"offset":18,"client":2,"maxMessage":65536,"port":{"name":"uno","path":"/dev/ttyACM0","board":"Arduino Uno","usb":"usb:2341:0043:A1","lowLatency":true,"settings":{"baud":9600,"parity":"none"}},"ports":["uno","knob"],"status":{"state":"open","detail":"loop is \"open\""}}"#,
        );
        check_server(
            hello(None, status(None, "")),
            r#"{"type":"hello","version":1,"run":"a343848cc485e218","seq":4,"offset":18,"client":2,"maxMessage":65536,"port":{"name":"uno","settings":{"baud":9600,"parity":"none"}},"ports":["uno","knob"],"status":{"state":"open","detail":"loop is \"open\""}}"#,
        );
    }

    #[test]
    fn a_status_leaves_out_what_is_empty() {
        check_server(
            ServerMessage::Status(status(None, "")),
            r#"{"type":"status","state":"open","detail":"loop is \"open\""}"#,
        );
        let errors = LineErrors {
            framing: 1,
            parity: 2,
            overrun: 3,
        };
        check_server(
            ServerMessage::Status(status(Some(errors), "Plug it in")),
            r#"{"type":"status","state":"open","detail":"loop is \"open\"","hint":"Plug it in","errors":{"framing":1,"parity":2,"overrun":3}}"#,
        );
    }

    #[track_caller]
    fn check_advice(advice: hub::Advice, text: &str) {
        let status = StatusMessage {
            advice: Some(Cow::Owned(advice)),
            ..status(None, "Try it")
        };
        let text = format!(
            r#"{{"type":"status","state":"open","detail":"loop is \"open\"","hint":"Try it","advice":{text}}}"#
        );
        check_server(ServerMessage::Status(status), &text);
    }

    #[test]
    fn advice_has_the_setting_that_would_help() {
        let none = hub::Advice::default();
        check_advice(
            hub::Advice {
                frame: Some("delim:3b".into()),
                ..none.clone()
            },
            r#"{"frame":"delim:3b"}"#,
        );
        check_advice(
            hub::Advice {
                data_bits: Some(7),
                parity: Some(hub::Parity::Odd),
                ..none.clone()
            },
            r#"{"dataBits":7,"parity":"odd"}"#,
        );
        check_advice(
            hub::Advice {
                baud: Some(115_200),
                view: Some("raw".into()),
                max_line: Some(65_536),
                ..none
            },
            r#"{"baud":115200,"view":"raw","maxLine":65536}"#,
        );
    }

    #[test]
    fn a_status_has_the_inputs_of_a_modem() {
        let inputs = ModemInputs {
            cts: true,
            ri: true,
            ..ModemInputs::default()
        };
        let status = StatusMessage {
            inputs: Some(inputs),
            ..status(None, "")
        };
        check_server(
            ServerMessage::Status(status),
            r#"{"type":"status","state":"open","detail":"loop is \"open\"","inputs":{"cts":true,"dsr":false,"dcd":false,"ri":true}}"#,
        );
    }

    #[test]
    fn a_status_on_its_own_has_the_settings() {
        let of_hub = hub::Status::new(hub::State::Open, "");
        let settings = StatusMessage::complete(&of_hub).settings;
        check_server(
            ServerMessage::Status(StatusMessage {
                settings,
                ..status(None, "")
            }),
            r#"{"type":"status","state":"open","detail":"loop is \"open\"","settings":{"baud":9600,"dataBits":8,"parity":"none","stopBits":1,"flowControl":"none"}}"#,
        );
    }

    #[test]
    fn a_line_has_text_or_bytes() {
        let line = |content, partial| ServerMessage::Line {
            seq: 5,
            t: Timestamp(1_795_169_654_514_300),
            content,
            values: None,
            partial,
        };
        check_server(
            line(Content::Text("a\"\u{0}é".into()), false),
            r#"{"type":"line","seq":5,"t":1795169654.514300,"text":"a\"\u0000é"}"#,
        );
        check_server(
            line(Content::Bytes(bytes()), true),
            r#"{"type":"line","seq":5,"t":1795169654.514300,"bytes":"AAH/","partial":true}"#,
        );
    }

    #[test]
    fn a_line_may_have_values() {
        check_server(
            ServerMessage::Line {
                seq: 5,
                t: Timestamp(1_500_000),
                content: Content::Text("t:21.5".into()),
                values: Some(json!({ "t": 21.5 })),
                partial: false,
            },
            r#"{"type":"line","seq":5,"t":1.500000,"text":"t:21.5","values":{"t":21.5}}"#,
        );
    }

    #[test]
    fn a_chunk_has_its_place_time_and_bytes() {
        check_server(
            ServerMessage::Data {
                offset: 1134,
                t: Timestamp(1_500_000),
                bytes: bytes(),
            },
            r#"{"type":"data","offset":1134,"t":1.500000,"bytes":"AAH/"}"#,
        );
    }

    #[test]
    fn missed_leaves_out_what_is_not_known() {
        let missed = |lines, bytes| ServerMessage::Missed { lines, bytes };
        check_server(missed(0, 0), r#"{"type":"missed"}"#);
        check_server(missed(3, 0), r#"{"type":"missed","lines":3}"#);
        check_server(missed(3, 9), r#"{"type":"missed","lines":3,"bytes":9}"#);
    }

    #[test]
    fn an_answer_has_the_identifier_as_it_came() {
        let ids = [
            json!(7),
            json!("a\"b"),
            json!({ "b": [1, null], "a": 2.5 }),
            Value::Null,
        ];
        for id in ids {
            check_server(
                ServerMessage::Ack {
                    id: Id::from(&id),
                    bytes: 3,
                },
                &format!(r#"{{"type":"ack","id":{id},"bytes":3}}"#),
            );
            check_server(
                ServerMessage::Error {
                    error: "no".into(),
                    id: Some(Id::from(&id)),
                    bytes: 0,
                    code: None,
                },
                &format!(r#"{{"type":"error","error":"no","id":{id}}}"#),
            );
        }
        let error = |id, bytes| ServerMessage::Error {
            error: "no \"room\"".into(),
            id,
            bytes,
            code: None,
        };
        check_server(error(None, 0), r#"{"type":"error","error":"no \"room\""}"#);
        check_server(
            error(Some(Id::from(&json!(7))), 9),
            r#"{"type":"error","error":"no \"room\"","id":7,"bytes":9}"#,
        );
    }

    #[test]
    fn what_was_written_has_its_client() {
        check_server(
            ServerMessage::Written {
                t: Timestamp(1_500_000),
                content: Content::Text("H\n".into()),
                client: 3,
                name: None,
            },
            r#"{"type":"written","t":1.500000,"text":"H\n","client":3}"#,
        );
    }

    #[test]
    fn each_request_reads_as_it_is_written() {
        check_client(
            ClientMessage::Write {
                urgent: false,
                text: Some("H\n".into()),
                bytes: None,
                frame: None,
            },
            r#"{"type":"write","text":"H\n","id":7}"#,
        );
        check_client(
            ClientMessage::Write {
                urgent: true,
                text: None,
                bytes: Some(bytes()),
                frame: None,
            },
            r#"{"type":"write","urgent":true,"bytes":"AAH/","id":7}"#,
        );
        check_client(
            ClientMessage::Signals {
                dtr: Some(true),
                rts: Some(false),
            },
            r#"{"type":"signals","dtr":true,"rts":false,"id":7}"#,
        );
        check_client(
            ClientMessage::Break {
                ms: Some(250.into()),
                on: None,
            },
            r#"{"type":"break","ms":250,"id":7}"#,
        );
        check_client(
            ClientMessage::Break {
                ms: Number::from_f64(0.1),
                on: None,
            },
            r#"{"type":"break","ms":0.1,"id":7}"#,
        );
        check_client(
            ClientMessage::Break {
                ms: None,
                on: Some(true),
            },
            r#"{"type":"break","on":true,"id":7}"#,
        );
        let change = hub::SettingsChange {
            baud: Some(115_200.into()),
            data_bits: Some(7),
            dtr: Some(false),
            ..hub::SettingsChange::default()
        };
        check_client(
            ClientMessage::Settings(change),
            r#"{"type":"settings","baud":115200,"dataBits":7,"dtr":false,"id":7}"#,
        );
        check_client(
            ClientMessage::Lock {
                name: None,
                restore: false,
            },
            r#"{"type":"lock","id":7}"#,
        );
        check_client(ClientMessage::Unlock, r#"{"type":"unlock","id":7}"#);
        check_client(ClientMessage::Reset, r#"{"type":"reset","id":7}"#);
        check_client(
            ClientMessage::Release(ReleaseMessage {
                seconds: Some(1.5),
                r#while: None,
            }),
            r#"{"type":"release","seconds":1.5,"id":7}"#,
        );
        check_client(
            ClientMessage::Release(ReleaseMessage {
                seconds: None,
                r#while: Some("connected".into()),
            }),
            r#"{"type":"release","while":"connected","id":7}"#,
        );
        check_client(
            ClientMessage::Resume { released_by: None },
            r#"{"type":"resume","id":7}"#,
        );
        check_client(
            ClientMessage::Resume {
                released_by: Some(3),
            },
            r#"{"type":"resume","releasedBy":3,"id":7}"#,
        );
    }

    #[test]
    fn types_of_later_versions_are_known_as_such() {
        let text = r#"{"type":"dance","id":7}"#;
        let server: ServerMessage = serde_json::from_str(text).unwrap();
        assert_eq!(server, ServerMessage::Unknown);
        let client: ClientMessage = serde_json::from_str(text).unwrap();
        assert_eq!(client, ClientMessage::Unknown);
    }
}
