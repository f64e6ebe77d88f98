//! The protocol of clients of the json view: objects in both directions, with an answer to each
//! request that has an `id`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Number, Value};
use tokio_tungstenite::tungstenite::Message;

use super::{ClientProtocol, Greeting, Input};
use crate::config::unknown_name;
use crate::hub::{Action, Done, Position, RequestError, Status};
use crate::output::recorder::RecorderAction;
use crate::protocol::{
    self, ClientMessage, ConnectedPort, Content, HelloMessage, Id, ServerMessage, StatusMessage,
    StreamPlace,
};
use crate::server::{playback, settings};
use crate::view::LineEnding;

/// Bytes of an identifier. A longer one is an error, since many may have to be kept.
const MAX_ID_BYTES: usize = 256;

/// Characters of the name of a client that takes the write lock.
const MAX_NAME: usize = 64;

/// The longest break; a request for more is an error.
const MAX_BREAK: Duration = Duration::from_secs(5);

/// Bytes of an object beside what it writes.
const OBJECT_BYTES: usize = 1024;

/// The type of a message, one of its members, what that can be, and the same in words.
type Member = (&'static str, &'static str, fn(&Value) -> bool, &'static str);

const MEMBERS: [Member; 18] = [
    ("write", "urgent", Value::is_boolean, "true or false"),
    ("write", "text", is_text, "text"),
    ("write", "bytes", is_text, "base64"),
    ("write", "frame", is_text, "base64"),
    ("ask", "text", is_text, "text"),
    ("ask", "bytes", is_text, "base64"),
    ("ask", "lines", is_number, "a number such as 2"),
    ("ask", "timeout", is_number, "a number such as 2000"),
    ("signals", "dtr", is_switch, "true or false"),
    ("signals", "rts", is_switch, "true or false"),
    ("break", "ms", is_number, "a number such as 250"),
    ("break", "on", is_switch, "true or false"),
    ("record", "on", Value::is_boolean, "true or false"),
    ("note", "text", Value::is_string, "text"),
    ("lock", "name", is_text, "text"),
    ("lock", "restore", Value::is_boolean, "true or false"),
    ("release", "seconds", is_number, "a number such as 60"),
    ("release", "while", is_text, r#""connected""#),
];

pub(super) struct Json;

impl ClientProtocol for Json {
    fn greet(&self, greeting: &Greeting<'_>) -> Option<String> {
        let Greeting { port, status, .. } = greeting;
        let device = status.device.as_deref();
        let hello = ServerMessage::Hello(Box::new(HelloMessage {
            version: protocol::VERSION,
            run: greeting.run.into(),
            seq: greeting.position.line,
            offset: greeting.position.offset,
            client: Some(greeting.client),
            max_message: greeting.max_message as u64,
            port: ConnectedPort {
                name: (&*port.name).into(),
                device: device.map(Cow::Borrowed),
                settings: port.settings(greeting.rights),
            },
            newest: greeting.newest.map(|place| StreamPlace {
                seq: place.line,
                offset: place.offset,
            }),
            ports: greeting.ports.into(),
            status: status.into(),
        }));
        Some(hello.to_json())
    }

    fn missed(&self, missed: Position) -> Option<String> {
        let (lines, bytes) = (missed.line, missed.offset);
        Some(ServerMessage::Missed { lines, bytes }.to_json())
    }

    fn status(&self, status: &Status) -> Option<String> {
        Some(ServerMessage::Status(StatusMessage::complete(status)).to_json())
    }

    fn reply(&self, id: Id, done: &Done) -> Option<String> {
        let reply = match done {
            Done::Written(written) => ServerMessage::Ack {
                id,
                bytes: *written as u64,
            },
            Done::Replied(reply) => ServerMessage::Reply {
                id,
                content: Content::of_reply(reply),
            },
        };
        Some(reply.to_json())
    }

    fn reject(&self, id: Option<Id>, error: &RequestError) -> Option<String> {
        let error = ServerMessage::Error {
            error: (&*error.reason).into(),
            id,
            bytes: error.written as u64,
            code: error.code,
        };
        Some(error.to_json())
    }

    fn has_replies(&self) -> bool {
        true
    }

    /// An escape such as `\u0000` takes 6 bytes for one, and base64 4 for 3.
    fn max_message(&self, max_write: usize) -> usize {
        max_write.saturating_mul(6).saturating_add(OBJECT_BYTES)
    }

    fn decode(&self, message: Message, append: LineEnding) -> Input {
        match message {
            Message::Text(text) => decode(&text, append),
            Message::Binary(_) => Input::Invalid(
                "the json view takes text messages, each with one object".into(),
                None,
            ),
            _ => Input::Nothing,
        }
    }
}

fn decode(text: &str, append: LineEnding) -> Input {
    let object = match serde_json::from_str::<Value>(text) {
        Ok(object) if object.is_object() => object,
        Ok(_) => return Input::Invalid("a message must be one JSON object".into(), None),
        Err(error) => return Input::Invalid(not_json(&error), None),
    };
    let id = object.get("id").and_then(|_| id(text));
    if let Some(length) = id.as_ref().map(Id::len).filter(|len| *len > MAX_ID_BYTES) {
        let reason = format!(r#"an "id" may have {MAX_ID_BYTES} bytes; this one has {length}"#);
        return Input::Invalid(reason, None);
    }
    let Some(name) = object["type"].as_str().map(str::to_owned) else {
        return Input::Invalid(r#"a message needs a "type" such as "write""#.into(), id);
    };
    let message = check(&object).and_then(|()| {
        let message = ClientMessage::deserialize(object);
        message.map_err(|error| misfit(text).unwrap_or_else(|| error.to_string()))
    });
    let action = match message {
        Ok(ClientMessage::Lock { name, restore }) => match lock_name(name) {
            Ok(name) => return Input::Lock { name, restore, id },
            Err(reason) => Err(reason),
        },
        Ok(ClientMessage::Unlock) => return Input::Unlock(id),
        Ok(ClientMessage::Playback(change)) => return Input::Playback(change, id),
        Ok(ClientMessage::Record { on }) => {
            return Input::Recorder(RecorderAction::Record(on), id);
        }
        Ok(ClientMessage::Note { text }) => match RecorderAction::note(text) {
            Ok(note) => return Input::Recorder(note, id),
            Err(reason) => Err(reason),
        },
        message => message.and_then(|message| action(message, append)),
    };
    match action {
        Ok(Some(Action::Ask(_))) if id.is_none() => {
            Input::Invalid(r#"ask needs an "id", which its reply repeats"#.into(), None)
        }
        Ok(Some(action)) => Input::Action(action, id),
        // Who gives an identifier waits for an answer.
        Ok(None) if id.is_some() => {
            let known = ClientMessage::TYPES;
            Input::Invalid(unknown_name("unknown type", &name, &known), id)
        }
        Ok(None) => Input::Nothing,
        Err(reason) => Input::Invalid(reason, id),
    }
}

/// Returns a sentence about a text that is not JSON.
pub(crate) fn not_json(error: &serde_json::Error) -> String {
    match (error.is_eof(), error.line(), error.column()) {
        (true, ..) => "this is not JSON: it ends too early".to_owned(),
        (false, 1, column) => format!("this is not JSON: it has a mistake at character {column}"),
        (false, line, column) => {
            format!("this is not JSON: it has a mistake at character {column} of line {line}")
        }
    }
}

/// Checks the name of a client that takes the write lock. Others show it.
fn lock_name(name: Option<String>) -> Result<Option<String>, String> {
    let is_right = |name: &String| {
        let count = name.chars().count();
        (1..=MAX_NAME).contains(&count) && !name.chars().any(char::is_control)
    };
    match name {
        Some(name) if !is_right(&name) => Err(format!(
            r#""name" must be printable text of at most {MAX_NAME} characters"#
        )),
        name => Ok(name),
    }
}

/// Checks what its type alone does not tell of a message.
fn check(object: &Value) -> Result<(), String> {
    match object.as_object() {
        Some(members) if object["type"] == "settings" => settings::RULES.check(members),
        Some(members) if object["type"] == "playback" => playback::RULES.check(members),
        _ => Ok(()),
    }
}

/// Returns the identifier exactly as the client wrote it: a number would lose digits.
fn id(text: &str) -> Option<Id> {
    let members: HashMap<String, &RawValue> = serde_json::from_str(text).ok()?;
    members.get("id").map(|id| Id::from(*id))
}

/// Returns a sentence about the member of a message that is of the wrong kind.
fn misfit(text: &str) -> Option<String> {
    let object: Value = serde_json::from_str(text).ok()?;
    let mut members = MEMBERS.iter();
    let (_, name, _, expected) = members.find(|(kind, name, fits, _)| {
        object["type"] == *kind && object.get(name).is_some_and(|value| !fits(value))
    })?;
    Some(format!(r#""{name}" must be {expected}"#))
}

fn is_text(value: &Value) -> bool {
    value.is_string() || value.is_null()
}

fn is_switch(value: &Value) -> bool {
    value.is_boolean() || value.is_null()
}

fn is_number(value: &Value) -> bool {
    value.is_number() || value.is_null()
}

/// Returns what a message asks of the port; nothing for a type that is not known.
fn action(message: ClientMessage, append: LineEnding) -> Result<Option<Action>, String> {
    Ok(Some(match message {
        ClientMessage::Write {
            urgent,
            text,
            bytes,
            frame,
        } => {
            let bytes = match (text, bytes, frame) {
                // Within another line, an ending would end that line.
                (Some(text), None, None) if urgent => text.into(),
                (Some(text), None, None) => append.complete(text.into()),
                (None, Some(bytes), None) => bytes.0.into_owned().into(),
                (None, None, Some(frame)) => {
                    let bytes = frame.0.into_owned().into();
                    return Ok(Some(Action::WriteFrame { bytes, urgent }));
                }
                _ => return Err(r#"write takes either "text", "bytes" or "frame""#.into()),
            };
            if urgent {
                Action::WriteUrgently(bytes)
            } else {
                Action::Write(bytes)
            }
        }
        ClientMessage::Ask(ask) => {
            let mut question = ask.question()?;
            if question.is_text {
                question.bytes = append.complete(question.bytes);
            }
            Action::Ask(question)
        }
        ClientMessage::Signals {
            dtr: None,
            rts: None,
        } => return Err(r#"signals takes "dtr", "rts" or both"#.into()),
        ClientMessage::Signals { dtr, rts } => Action::Signals { dtr, rts },
        ClientMessage::Break {
            ms: Some(ms),
            on: None,
        } => Action::Break(break_time(&ms)?),
        ClientMessage::Break {
            ms: None,
            on: Some(on),
        } => Action::HoldBreak(on),
        ClientMessage::Break { .. } => return Err(r#"break takes either "ms" or "on""#.into()),
        ClientMessage::Settings(change) => Action::Settings(change),
        ClientMessage::Reset => Action::Reset,
        ClientMessage::Release(release) => Action::Release(release.lease()?),
        ClientMessage::Resume { released_by } => Action::Resume(released_by),
        // The session deals with these itself.
        ClientMessage::Lock { .. }
        | ClientMessage::Unlock
        | ClientMessage::Playback(_)
        | ClientMessage::Record { .. }
        | ClientMessage::Note { .. }
        | ClientMessage::Unknown => return Ok(None),
    }))
}

fn break_time(ms: &Number) -> Result<Duration, String> {
    let seconds = ms.as_f64().map(|ms| ms / 1000.0);
    let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    time.filter(|time| *time <= MAX_BREAK).ok_or_else(|| {
        let max = MAX_BREAK.as_millis();
        format!(r#""ms" must be a time from 0 to {max}"#)
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::*;
    use crate::hub::{DeviceQuestion, SettingsChange, Until};

    #[track_caller]
    fn check_decode(text: &str, expected: Input) {
        assert_eq!(decode(text, LineEnding::Lf), expected);
    }

    #[track_caller]
    fn check_invalid(text: &str, part: &str) {
        match decode(text, LineEnding::None) {
            Input::Invalid(reason, _) => assert!(reason.contains(part), "{reason}"),
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
                Some(Id::from(&json!(7))),
            ),
        );
        check_decode(
            r#"{"type":"write","text":"!","urgent":true}"#,
            Input::Action(Action::WriteUrgently("!".into()), None),
        );
        check_decode(
            r#"{"type":"write","bytes":"AAH/","urgent":false}"#,
            Input::Action(Action::Write(Bytes::from_static(&[0, 1, 255])), None),
        );
        check_decode(
            r#"{"type":"write","frame":"AAH/"}"#,
            Input::Action(
                Action::WriteFrame {
                    bytes: Bytes::from_static(&[0, 1, 255]),
                    urgent: false,
                },
                None,
            ),
        );
        check_invalid(r#"{"type":"write"}"#, "either");
        check_invalid(r#"{"type":"write","text":"","frame":""}"#, "either");
        check_invalid(
            r#"{"type":"write","text":"!","urgent":"yes"}"#,
            "true or false",
        );
        check_invalid(r#"{"type":"write","bytes":"?"}"#, "base64");
        check_invalid(r#"{"type":"write","text":7}"#, "must be text");
    }

    #[test]
    fn a_question_has_text_or_bytes_an_end_of_its_reply_and_an_identifier() {
        check_decode(
            r#"{"type":"ask","text":"*IDN?","timeout":500,"id":7}"#,
            Input::Action(
                Action::Ask(DeviceQuestion {
                    bytes: "*IDN?\n".into(),
                    until: Until::Lines(1),
                    timeout: Duration::from_millis(500),
                    is_text: true,
                }),
                Some(Id::from(&json!(7))),
            ),
        );
        check_invalid(r#"{"type":"ask","text":"?"}"#, r#"needs an "id""#);
        check_invalid(r#"{"type":"ask","text":7,"id":7}"#, "must be text");
        check_invalid(
            r#"{"type":"ask","text":"?","lines":"2","id":7}"#,
            r#""lines" must be a number such as 2"#,
        );
        check_invalid(
            r#"{"type":"ask","text":"?","timeout":30001,"id":7}"#,
            "from 1 to 30000",
        );
    }

    #[test]
    fn an_identifier_is_kept_as_it_was_written() {
        let ids = [
            "12345678901234567890123",
            "1e2",
            "-0",
            "0.1000000000000000055511151231257827",
            "null",
            r#"{"b": [1, 2],"b":3}"#,
            r#""\u0041""#,
        ];
        for id in ids {
            let text = format!(r#"{{"id":0,"type":"reset","\u0069d": {id} }}"#);
            let raw: &RawValue = serde_json::from_str(id).unwrap();
            check_decode(&text, Input::Action(Action::Reset, Some(Id::from(raw))));
        }
    }

    #[test]
    fn a_break_may_last_a_fraction_of_a_millisecond() {
        for (ms, micros) in [("250", 250_000), ("0.1", 100), ("0", 0), ("5e3", 5_000_000)] {
            check_decode(
                &format!(r#"{{"type":"break","ms":{ms}}}"#),
                Input::Action(Action::Break(Duration::from_micros(micros)), None),
            );
        }
        for ms in ["-1", "5000.1", "1e99"] {
            check_invalid(&format!(r#"{{"type":"break","ms":{ms}}}"#), "5000");
        }
    }

    #[test]
    fn what_is_no_object_is_invalid() {
        check_invalid("hello", "not JSON: it has a mistake at character 1");
        check_invalid("{\n x", "a mistake at character 2 of line 2");
        check_invalid("[1", "it ends too early");
        check_invalid("7", "object");
        check_invalid("{}", "type");
        check_invalid(r#"{"type":"break"}"#, "ms");
        check_invalid(r#"{"type":"break","ms":60000}"#, "5000");
        check_invalid(r#"{"type":"break","ms":1,"on":true}"#, "either");
        check_invalid(r#"{"type":"release","seconds":-1}"#, "seconds");
    }

    #[test]
    fn a_member_of_the_wrong_kind_is_named_with_what_is_right() {
        for (members, reason) in [
            (r#""write","text":5"#, r#""text" must be text"#),
            (r#""write","bytes":[1]"#, r#""bytes" must be base64"#),
            (r#""write","bytes":"?""#, r#""bytes" must be base64"#),
            (
                r#""write","urgent":null"#,
                r#""urgent" must be true or false"#,
            ),
            (r#""signals","dtr":1"#, r#""dtr" must be true or false"#),
            (
                r#""break","ms":"a""#,
                r#""ms" must be a number such as 250"#,
            ),
            (r#""break","on":"yes""#, r#""on" must be true or false"#),
            (
                r#""release","seconds":"5""#,
                r#""seconds" must be a number"#,
            ),
            (r#""release","while":1"#, r#""while" must be "connected""#),
        ] {
            check_invalid(&format!(r#"{{"type":{members}}}"#), reason);
        }
    }

    #[test]
    fn a_change_of_settings_has_only_settings() {
        check_decode(
            r#"{"type":"settings","baud":115200,"parity":null,"id":7}"#,
            Input::Action(
                Action::Settings(SettingsChange {
                    baud: Some(115_200.into()),
                    ..SettingsChange::default()
                }),
                Some(Id::from(&json!(7))),
            ),
        );
        check_invalid(r#"{"type":"settings","baud":0}"#, "a whole number such as");
        check_invalid(
            r#"{"type":"settings","baudRate":1}"#,
            "did you mean `baud`?",
        );
    }

    #[test]
    fn unknown_types_and_fields_are_ignored_unless_an_answer_is_expected() {
        check_decode(r#"{"type":"dance"}"#, Input::Nothing);
        check_invalid(r#"{"type":"dance","id":1}"#, "known: write, ask, signals,");
        check_invalid(r#"{"type":"Write","id":1}"#, "did you mean `write`?");
        check_invalid(r#"{"type":"relase","id":1}"#, "did you mean `release`?");
        check_decode(
            r#"{"type":"reset","colour":"red"}"#,
            Input::Action(Action::Reset, None),
        );
    }
}
