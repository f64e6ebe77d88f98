//! The messages of p5.serialserver, in both directions: JSON objects with a `method` and its `data`.
//! Pure.

use std::sync::LazyLock;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::hub::SettingsChange;
use crate::server::client::line_query;
use crate::server::websocket::frame;
use crate::server::websocket::protocol::not_json;
use crate::terminal::shown;

/// The form of a message, for those who do not know it.
const EXPECTED: &str = r#"a message is an object such as {"method":"list","data":{}}"#;

/// The `data` of an array or an object that stands for bytes.
const BYTES: &str = "an array holds bytes, which are numbers from 0 to 255";

/// A request of a sketch.
#[derive(Debug)]
pub(super) enum SketchRequest {
    /// Return this.
    Echo(Box<RawValue>),
    /// Tell the ports that could be opened.
    List,
    /// Open a port.
    Open(OpenRequest),
    /// Write to all ports that are open.
    Write(Bytes),
    /// Close all ports that are open.
    Close,
}

/// The wish to open a port.
#[derive(Debug, PartialEq)]
pub(super) struct OpenRequest {
    /// The port, as the sketch calls it.
    pub(super) name: String,
    /// The settings that the sketch gives.
    pub(super) change: SettingsChange,
}

/// A message as it comes.
#[derive(Deserialize)]
struct IncomingMessage<'a> {
    method: Option<Value>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

impl SketchRequest {
    /// Reads the request in a message.
    ///
    /// # Errors
    /// A sentence for the sketch.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let IncomingMessage { method, data } = match serde_json::from_str(text) {
            Ok(message) => message,
            Err(_) if serde_json::from_str::<Value>(text).is_ok() => return Err(EXPECTED.into()),
            Err(error) => return Err(format!("{}; {EXPECTED}", not_json(&error))),
        };
        let Some(Value::String(method)) = method else {
            return Err(format!("the message has no method; {EXPECTED}"));
        };
        match method.as_str() {
            "echo" => Ok(Self::Echo(data.unwrap_or(RawValue::NULL).to_owned())),
            "list" => Ok(Self::List),
            "openserial" => open(data).map(Self::Open),
            "write" => bytes(data.unwrap_or(RawValue::NULL)).map(Self::Write),
            "close" => Ok(Self::Close),
            other => Err(format!(
                "unknown method {} (known: echo, list, openserial, write, close)",
                shown(other)
            )),
        }
    }
}

fn open(data: Option<&RawValue>) -> Result<OpenRequest, String> {
    let data: Value = data.map_or(Ok(Value::Null), value)?;
    let name = data["serialport"].as_str().unwrap_or_default();
    if name.is_empty() {
        return Err("You must specify a serial port to open".to_owned());
    }
    let change = match &data["serialoptions"] {
        Value::Null => SettingsChange::default(),
        Value::Object(options) => {
            let known = options.iter().filter_map(|(key, value)| option(key, value));
            let known = line_query::take(&mut known.collect());
            known.map_err(|error| format!("cannot open {}: {}", shown(name), error.reason))?
        }
        other => {
            let other = shown(&other.to_string());
            return Err(format!(
                "serialoptions is {other}; expected an object such as {{\"baudRate\":9600}}"
            ));
        }
    };
    Ok(OpenRequest {
        name: name.to_owned(),
        change,
    })
}

/// Returns an option of node-serialport as a parameter that serial-ws knows. The names have been
/// written in many ways; options that mean nothing to serial-ws are left out.
fn option(key: &str, value: &Value) -> Option<(String, String)> {
    let text = match value {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let is_on = *value == Value::Bool(true);
    let (key, text) = match key.to_ascii_lowercase().as_str() {
        "baudrate" | "baud" => ("baud", text),
        "databits" => ("dataBits", text),
        "stopbits" => ("stopBits", text),
        "parity" => ("parity", text.to_ascii_lowercase()),
        "rtscts" if is_on => ("flowControl", "hardware".to_owned()),
        "xon" | "xoff" if is_on => ("flowControl", "software".to_owned()),
        _ => return None,
    };
    Some((key.to_owned(), text))
}

/// Returns the bytes that `data` stands for: text is UTF-8, a number is a byte, an array is one byte
/// for each of its numbers, and so is what JSON makes of a typed array. Any other object is written
/// as the JSON that it is.
fn bytes(data: &RawValue) -> Result<Bytes, String> {
    match value(data)? {
        Value::Null => Err("nothing to write: the message has no data".to_owned()),
        Value::String(text) => Ok(text.into()),
        Value::Array(items) => array(items.iter()),
        Value::Object(members) => match members.get("data") {
            Some(Value::Array(items)) if members.get("type") == Some(&json!("Buffer")) => {
                array(items.iter())
            }
            _ if is_typed_array(&members) => array(members.values()),
            _ => Ok(Bytes::copy_from_slice(data.get().as_bytes())),
        },
        scalar => byte(&scalar).map(|byte| Bytes::copy_from_slice(&[byte])),
    }
}

/// Returns true for an object whose keys are 0, 1, 2 and so on.
fn is_typed_array(members: &serde_json::Map<String, Value>) -> bool {
    let mut keys = members.keys().enumerate();
    !members.is_empty() && keys.all(|(index, key)| *key == index.to_string())
}

fn array<'a>(items: impl Iterator<Item = &'a Value>) -> Result<Bytes, String> {
    items
        .map(byte)
        .collect::<Result<Vec<_>, _>>()
        .map(Bytes::from)
}

/// Returns the byte that JavaScript makes of a value in a `Buffer` or an `Uint8Array` (`ToUint8` of
/// ECMA-262 §7.1.11), where that is one of a number.
fn byte(value: &Value) -> Result<u8, String> {
    let number = match value {
        Value::Bool(is_set) => Some(f64::from(u8::from(*is_set))),
        // `split("1,2", ",")` of p5 gives these.
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_f64(),
    };
    let number = number.filter(|number| number.is_finite());
    let number = number.ok_or_else(|| format!("{BYTES}; {} is none", shown(&value.to_string())))?;
    Ok(number.trunc().rem_euclid(256.0) as u8)
}

fn value(data: &RawValue) -> Result<Value, String> {
    serde_json::from_str(data.get()).map_err(|error| not_json(&error))
}

/// The frames of all `data` messages, one for each value of a byte.
static DATA: LazyLock<[Bytes; 256]> =
    LazyLock::new(|| std::array::from_fn(|byte| message("data", &byte)));

/// Returns the frames that pass on what a device sent: one for each byte.
pub(super) fn data(bytes: &[u8]) -> Bytes {
    let frames = bytes.iter().map(|byte| &DATA[usize::from(*byte)]);
    let mut out = Vec::with_capacity(frames.clone().map(Bytes::len).sum());
    frames.for_each(|frame| out.extend_from_slice(frame));
    out.into()
}

/// Returns the frame that lists ports.
pub(super) fn list(names: &[String]) -> Bytes {
    message("list", &names)
}

/// Returns the frame that says that a port is open.
pub(super) fn opened() -> Bytes {
    message("openserial", &json!({}))
}

/// Returns the frame that says that the sketch has closed its ports.
pub(super) fn closed() -> Bytes {
    message("close", &json!({}))
}

/// Returns the frame that says that a port has lost its device.
pub(super) fn disconnected() -> Bytes {
    message("close", &json!({"disconnected": true}))
}

/// Returns the frame that says what is wrong.
pub(super) fn error(reason: &str) -> Bytes {
    message("error", &reason)
}

/// Returns the frame that returns what was sent.
pub(super) fn echo(data: &RawValue) -> Bytes {
    message("echo", &data)
}

fn message(method: &str, data: &impl serde::Serialize) -> Bytes {
    #[derive(serde::Serialize)]
    struct OutgoingMessage<'a, D> {
        method: &'a str,
        data: D,
    }
    let text = serde_json::to_string(&OutgoingMessage { method, data });
    frame::text(&text.expect("texts, numbers and JSON are JSON"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hub::{BaudChange, FlowControl, Parity};

    #[track_caller]
    fn check_write(data: &str, expected: &[u8]) {
        let message = format!(r#"{{"method":"write","data":{data}}}"#);
        match SketchRequest::parse(&message) {
            Ok(SketchRequest::Write(bytes)) => assert_eq!(bytes, expected),
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn check_wrong(message: &str, expected: &str) {
        let error = SketchRequest::parse(message).expect_err("it is wrong");
        assert!(error.starts_with(expected), "{error}");
    }

    #[track_caller]
    fn check_options(options: &str, expected: SettingsChange) {
        let data = format!(r#"{{"serialport":"uno","serialoptions":{options}}}"#);
        let message = format!(r#"{{"method":"openserial","data":{data}}}"#);
        match SketchRequest::parse(&message) {
            Ok(SketchRequest::Open(open)) => assert_eq!(open.change, expected),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn whatever_a_sketch_writes_becomes_bytes() {
        check_write(r#""H""#, b"H");
        check_write(r#""é\n""#, "é\n".as_bytes());
        check_write("7", &[7]);
        check_write("127.9", &[127]);
        check_write("-1", &[255]);
        check_write("300", &[44]);
        check_write("true", &[1]);
        check_write("[1,2,255]", &[1, 2, 255]);
        check_write("[]", &[]);
        check_write(r#"["1"," 2"]"#, &[1, 2]);
        check_write(r#"{"0":1,"1":2}"#, &[1, 2]);
        check_write(r#"{"type":"Buffer","data":[1,2]}"#, &[1, 2]);
        check_write(r#"{"led":1, "b":[2]}"#, br#"{"led":1, "b":[2]}"#);
        check_write("{}", b"{}");
    }

    #[test]
    fn a_message_that_is_wrong_is_told_so() {
        check_wrong("hello", "this is not JSON: ");
        check_wrong("", "this is not JSON: ");
        check_wrong("[]", EXPECTED);
        check_wrong("7", EXPECTED);
        check_wrong("{}", "the message has no method; ");
        check_wrong(r#"{"method":7,"data":1}"#, "the message has no method; ");
        check_wrong(r#"{"method":"lsit"}"#, "unknown method lsit (known: ");
        check_wrong(r#"{"method":"write"}"#, "nothing to write");
        check_wrong(r#"{"method":"write","data":["H"]}"#, "an array holds bytes");
        check_wrong(r#"{"method":"write","data":[[1]]}"#, "an array holds bytes");
        check_wrong(
            r#"{"method":"write","data":[null]}"#,
            "an array holds bytes",
        );
        for data in [
            "",
            r#","data":{}"#,
            r#","data":"COM3""#,
            r#","data":{"serialport":7}"#,
        ] {
            let message = format!(r#"{{"method":"openserial"{data}}}"#);
            check_wrong(&message, "You must specify a serial port to open");
        }
        let wrong = r#"{"method":"openserial","data":{"serialport":"uno","serialoptions":9600}}"#;
        check_wrong(wrong, "serialoptions is 9600; expected an object");
        let wrong = wrong.replace("9600", r#"{"baudRate":"fast"}"#);
        check_wrong(&wrong, "cannot open uno: baud must be a whole number");
    }

    #[test]
    fn options_are_known_by_all_names_that_sketches_use() {
        let none = SettingsChange::default();
        let baud = |baud| SettingsChange {
            baud: Some(BaudChange::Rate(baud)),
            ..none
        };
        check_options("null", none);
        check_options("{}", none);
        check_options(r#"{"baudRate":115200}"#, baud(115_200));
        check_options(r#"{"baudrate":9600}"#, baud(9600));
        check_options(r#"{"baud":"57600","parser":{},"lock":false}"#, baud(57600));
        check_options(r#"{"baudRate":null}"#, none);
        let all = SettingsChange {
            data_bits: Some(7),
            parity: Some(Parity::Even),
            stop_bits: Some(2),
            flow_control: Some(FlowControl::Hardware),
            ..none
        };
        check_options(
            r#"{"dataBits":7,"parity":"Even","stopbits":2,"rtscts":true,"xon":false}"#,
            all,
        );
        let software = SettingsChange {
            flow_control: Some(FlowControl::Software),
            ..none
        };
        check_options(r#"{"xon":true,"xoff":true}"#, software);
    }

    proptest! {
        #[test]
        fn every_byte_is_a_message_of_its_own(bytes in any::<Vec<u8>>()) {
            let text = |byte: &u8| format!(r#"{{"method":"data","data":{byte}}}"#);
            let frames: Vec<u8> = bytes.iter().flat_map(|byte| frame::text(&text(byte))).collect();
            prop_assert_eq!(data(&bytes), frames);
        }

        #[test]
        fn no_message_is_too_much(text in any::<String>()) {
            let _ = SketchRequest::parse(&text);
            let _ = SketchRequest::parse(&format!(r#"{{"method":"write","data":{}}}"#, json!(text)));
        }
    }
}
