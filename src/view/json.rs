//! The `json` view, version 1: objects with numbers, times, status and acknowledgements.

use std::fmt::Write;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Input, LineEnding, Part, wire};
use crate::hub::{
    Action, Data, DeviceInfo, Event, Extent, Frame, Lease, Position, Status, Timestamp,
};

/// The identifier that a client gave to a request: any JSON value, kept as its text, which is
/// smaller.
pub type Id = Box<str>;

/// Bytes of an identifier; a longer one is refused with an error, since many may have to be kept.
const LONGEST_ID: usize = 256;

/// The longest break that a client may ask for.
const LONGEST_BREAK: Duration = Duration::from_secs(5);

/// How long a port is lent where nothing else is said.
const LEASE: Duration = Duration::from_secs(60);

/// The longest time that a port is lent for.
const LONGEST_LEASE: Duration = Duration::from_secs(24 * 60 * 60);

/// The first object that a client gets.
#[derive(Serialize)]
pub struct Hello<'a> {
    /// Random for each start of the program; numbers of different runs do not compare.
    pub run: &'a str,
    /// The number of the line after which this client's lines begin.
    pub seq: u64,
    /// The number of bytes after which this client's bytes begin.
    pub offset: u64,
    /// The port that the client is connected to.
    pub port: ConnectedPort<'a>,
    /// The names of all ports.
    pub ports: &'a [String],
    /// The port's status now.
    pub status: &'a Status,
}

/// A port as a client is told about it.
#[derive(Serialize)]
pub struct ConnectedPort<'a> {
    /// What users call it.
    pub name: &'a str,
    /// The device that is or was last behind it.
    #[serde(flatten)]
    pub device: Option<&'a DeviceInfo>,
    /// Its line settings.
    pub settings: &'a Value,
}

/// The greeting.
pub fn hello(hello: &Hello<'_>) -> String {
    typed("hello", json!({ "version": 1 }), hello)
}

/// A change of status, or the status now.
pub fn status(status: &Status) -> String {
    typed("status", json!({}), status)
}

/// How much was missed; a count that is absent is zero or not known.
pub fn missed(missed: Position) -> String {
    let mut object = json!({ "type": "missed" });
    if missed.line > 0 {
        object["lines"] = missed.line.into();
    }
    if missed.offset > 0 {
        object["bytes"] = missed.offset.into();
    }
    object.to_string()
}

/// The operating system took the last of `bytes`.
pub fn ack(id: &Id, bytes: usize) -> String {
    format!(r#"{{"type":"ack","id":{id},"bytes":{bytes}}}"#)
}

/// Something that the client asked for was not done, or not to its end.
pub fn error(id: Option<&Id>, reason: &str, written: usize) -> String {
    let mut object = format!(r#"{{"type":"error","error":{}"#, Value::from(reason));
    // Writing to a String cannot fail.
    if let Some(id) = id {
        let _ = write!(object, r#","id":{id}"#);
    }
    if written > 0 {
        let _ = write!(object, r#","bytes":{written}"#);
    }
    object + "}"
}

/// `fields` and those of `rest` behind a `type`.
fn typed(name: &str, fields: Value, rest: &impl Serialize) -> String {
    let mut object = serde_json::Map::new();
    object.insert("type".into(), name.into());
    for part in [fields, serde_json::to_value(rest).unwrap_or_default()] {
        if let Value::Object(part) = part {
            object.extend(part);
        }
    }
    Value::Object(object).to_string()
}

/// Appends a `line` object for each line that `data` completes.
pub(crate) fn encode_lines(event: &Event, data: &Data, part: Part, out: &mut Vec<u8>) {
    let mut text = String::new();
    let skip = part.lines_to_skip(data.frames.len());
    for (number, frame) in (event.before.line + 1..).zip(data.frames.iter()).skip(skip) {
        text.clear();
        line(number, event.at, frame, &mut text);
        wire::text(&text, out);
    }
}

fn line(number: u64, at: Timestamp, frame: Frame<'_>, out: &mut String) {
    // Writing to a String cannot fail.
    let _ = write!(out, r#"{{"type":"line","seq":{number},"t":{at},"#);
    match str::from_utf8(frame.bytes) {
        Ok(text) => {
            let _ = write!(out, r#""text":{}"#, Value::from(text));
        }
        Err(_) => {
            out.push_str(r#""bytes":""#);
            BASE64_STANDARD.encode_string(frame.bytes, out);
            out.push('"');
        }
    }
    if frame.extent != Extent::Whole {
        out.push_str(r#","partial":true"#);
    }
    out.push('}');
}

/// Appends a `data` object for the chunk.
pub(crate) fn encode_chunk(event: &Event, data: &Data, part: Part, out: &mut Vec<u8>) {
    let skip = part.bytes_to_skip(data.chunk.len());
    if skip == data.chunk.len() {
        return;
    }
    let mut text = String::new();
    let offset = event.before.offset + skip as u64;
    let _ = write!(
        text,
        r#"{{"type":"data","offset":{offset},"t":{},"bytes":""#,
        event.at
    );
    BASE64_STANDARD.encode_string(&data.chunk[skip..], &mut text);
    text.push_str("\"}");
    wire::text(&text, out);
}

/// What a client may send.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Message {
    Write {
        text: Option<String>,
        bytes: Option<String>,
    },
    Signals {
        dtr: Option<bool>,
        rts: Option<bool>,
    },
    Break {
        ms: u64,
    },
    Reset,
    Release {
        seconds: Option<f64>,
        r#while: Option<String>,
    },
    Resume,
    #[serde(other)]
    Unknown,
}

/// What a client's message asks for.
pub(crate) fn decode(text: &str, append: LineEnding) -> Input {
    let object = match serde_json::from_str::<Value>(text) {
        Ok(object) if object.is_object() => object,
        Ok(_) => return Input::Mistake("a message is one JSON object".into(), None),
        Err(e) => return Input::Mistake(format!("this is not JSON: {e}"), None),
    };
    let id = object.get("id").filter(|id| !id.is_null());
    let id = id.map(|id| Id::from(id.to_string()));
    if let Some(length) = id
        .as_ref()
        .map(|id| id.len())
        .filter(|length| *length > LONGEST_ID)
    {
        let mistake = format!("an \"id\" has at most {LONGEST_ID} bytes, and this one {length}");
        return Input::Mistake(mistake, None);
    }
    if !object["type"].is_string() {
        return Input::Mistake(r#"an object needs a "type", such as "write""#.into(), id);
    }
    match Message::deserialize(object)
        .map_err(|e| e.to_string())
        .and_then(|m| action(m, append))
    {
        Ok(Some(action)) => Input::Action(action, id),
        Ok(None) => Input::Nothing,
        Err(mistake) => Input::Mistake(mistake, id),
    }
}

fn action(message: Message, append: LineEnding) -> Result<Option<Action>, String> {
    Ok(Some(match message {
        Message::Write {
            text: Some(text),
            bytes: None,
        } => Action::Write(append.complete(text.into())),
        Message::Write {
            text: None,
            bytes: Some(bytes),
        } => {
            let bytes = BASE64_STANDARD.decode(bytes);
            Action::Write(
                bytes
                    .map_err(|e| format!(r#""bytes" is not base64: {e}"#))?
                    .into(),
            )
        }
        Message::Write { .. } => return Err(r#"a write has either "text" or "bytes""#.into()),
        Message::Signals {
            dtr: None,
            rts: None,
        } => {
            return Err(r#"signals has "dtr" or "rts" or both"#.into());
        }
        Message::Signals { dtr, rts } => Action::Signals { dtr, rts },
        Message::Break { ms } => {
            let longest = LONGEST_BREAK.as_millis();
            if u128::from(ms) > longest {
                return Err(format!("a break lasts at most {longest} ms"));
            }
            Action::Break(Duration::from_millis(ms))
        }
        Message::Reset => Action::Reset,
        Message::Release { seconds, r#while } => {
            Action::Release(lease(seconds, r#while.as_deref())?)
        }
        Message::Resume => Action::Resume,
        Message::Unknown => return Ok(None),
    }))
}

/// How long a port is to be lent.
///
/// # Errors
/// What would be right.
pub fn lease(seconds: Option<f64>, r#while: Option<&str>) -> Result<Lease, String> {
    match (seconds, r#while) {
        (None, None) => Ok(Lease::For(LEASE)),
        (None, Some("connected")) => Ok(Lease::WhileConnected),
        (Some(seconds), None) if seconds <= LONGEST_LEASE.as_secs_f64() => {
            let time = Duration::try_from_secs_f64(seconds);
            time.map(Lease::For)
                .map_err(|_| r#""seconds" is a time, such as 60"#.into())
        }
        _ => Err(format!(
            r#"a release is for "seconds", at most {}, or "while":"connected""#,
            LONGEST_LEASE.as_secs()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[track_caller]
    fn check_decode(text: &str, expected: Input) {
        assert_eq!(decode(text, LineEnding::Lf), expected);
    }

    #[track_caller]
    fn check_mistake(text: &str, part: &str) {
        match decode(text, LineEnding::None) {
            Input::Mistake(reason, _) => assert!(reason.contains(part), "{reason}"),
            other => panic!("{other:?}"),
        }
    }

    fn write(text: &'static str) -> Action {
        Action::Write(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn a_write_has_text_or_bytes() {
        check_decode(
            r#"{"type":"write","text":"H"}"#,
            Input::Action(write("H\n"), None),
        );
        check_decode(
            r#"{"type":"write","bytes":"AAH/","id":7}"#,
            Input::Action(
                Action::Write(Bytes::from_static(&[0, 1, 255])),
                Some("7".into()),
            ),
        );
        check_mistake(r#"{"type":"write"}"#, "either");
        check_mistake(r#"{"type":"write","bytes":"?"}"#, "base64");
        check_mistake(r#"{"type":"write","text":7}"#, "string");
    }

    #[test]
    fn what_is_no_object_is_a_mistake() {
        check_mistake("hello", "not JSON");
        check_mistake("7", "object");
        check_mistake("{}", "type");
        check_mistake(r#"{"type":"break"}"#, "ms");
        check_mistake(r#"{"type":"break","ms":60000}"#, "5000");
        check_mistake(r#"{"type":"release","seconds":-1}"#, "seconds");
    }

    #[test]
    fn unknown_types_and_fields_are_ignored() {
        check_decode(r#"{"type":"dance"}"#, Input::Nothing);
        check_decode(
            r#"{"type":"reset","colour":"red"}"#,
            Input::Action(Action::Reset, None),
        );
    }

    #[track_caller]
    fn check_line(bytes: &[u8], extent: Extent, expected: &str) {
        let mut out = String::new();
        let frame = Frame {
            bytes,
            extent,
            utf8: true,
        };
        line(5, Timestamp(1_500_000), frame, &mut out);
        assert_eq!(out, expected);
        serde_json::from_str::<Value>(&out).unwrap();
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
            b"a",
            Extent::Piece,
            r#"{"type":"line","seq":5,"t":1.500000,"text":"a","partial":true}"#,
        );
    }

    #[test]
    fn missed_leaves_out_what_is_not_known() {
        assert_eq!(
            missed(Position { line: 3, offset: 0 }),
            r#"{"type":"missed","lines":3}"#
        );
    }
}
