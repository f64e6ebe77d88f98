//! Questions to the device as clients write them: objects of the json protocol, and words as HTTP and
//! the command line take them.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value, json};

use super::Base64;
use crate::config::units;
use crate::hub::{
    DEFAULT_REPLY_TIMEOUT, DeviceQuestion, MAX_REPLY_BYTES, MAX_REPLY_LINES, MAX_REPLY_TEXT_BYTES,
    MAX_REPLY_TEXTS, MAX_REPLY_TIMEOUT, MIN_REPLY_GAP, Until,
};

/// The ends of a reply as words.
const UNTIL: &str = "line, bytes:N, text:TEXT, or gap:TIME";

/// A question, apart from its `id`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AskMessage {
    /// Text, completed by the line ending of `append`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Bytes. The reply comes in bytes then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Base64<'static>>,
    /// The end of the reply: `"line"`, or an object with `bytes`, `text` or `gap`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Value>,
    /// The number of lines, where lines end the reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<Number>,
    /// The longest time to wait for the reply, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Number>,
}

impl AskMessage {
    /// Returns the question. Its text has no ending yet.
    ///
    /// # Errors
    /// A sentence that says what would be right.
    pub(crate) fn question(self) -> Result<DeviceQuestion, String> {
        let until = until(self.until.as_ref(), self.lines.as_ref())?;
        let timeout = timeout(self.timeout.as_ref())?;
        let (bytes, is_text) = match (self.text, self.bytes) {
            (Some(text), None) => (text.into(), true),
            (None, Some(bytes)) => (bytes.0.into_owned().into(), false),
            _ => return Err(r#"ask takes either "text" or "bytes""#.to_owned()),
        };
        Ok(DeviceQuestion {
            bytes,
            until,
            timeout,
            is_text,
        })
    }

    /// Sets the end of the reply from words such as `bytes:2`. Several `text:TEXT` are several texts.
    ///
    /// # Errors
    /// A sentence that says what would be right.
    pub(crate) fn set_until(&mut self, words: &[impl AsRef<str>]) -> Result<(), String> {
        let mut texts = Vec::new();
        for word in words.iter().map(AsRef::as_ref) {
            let (kind, value) = word.split_once(':').unwrap_or((word, ""));
            let until = match kind {
                "text" => {
                    texts.push(value);
                    json!({ "text": texts })
                }
                "line" if value.is_empty() => json!("line"),
                "bytes" => {
                    let count: u64 = value.parse().map_err(|_| expected(word))?;
                    json!({ "bytes": count })
                }
                "gap" => {
                    let time = units::time(value, 0.001).ok_or_else(|| expected(word))?;
                    json!({ "gap": time.as_secs_f64() * 1000.0 })
                }
                _ => return Err(expected(word)),
            };
            if words.len() > 1 && kind != "text" {
                let why = "only text:TEXT can be given several times";
                return Err(format!(
                    "`{word}` does not go with another end of the reply: {why}"
                ));
            }
            self.until = Some(until);
        }
        Ok(())
    }
}

fn expected(word: &str) -> String {
    format!("expected {UNTIL} instead of `{word}`")
}

/// Reads the end of a reply.
fn until(until: Option<&Value>, lines: Option<&Number>) -> Result<Until, String> {
    match until {
        None => return Ok(Until::Lines(line_count(lines)?)),
        Some(Value::String(word)) if word == "line" => {
            return Ok(Until::Lines(line_count(lines)?));
        }
        Some(_) if lines.is_some() => {
            return Err(r#""lines" goes with "until":"line" alone"#.to_owned());
        }
        Some(Value::Object(members)) => one_member(members),
        Some(_) => None,
    }
    .ok_or_else(|| {
        r#""until" must be "line", {"bytes":2}, {"text":["OK","ERROR"]} or {"gap":50}"#.to_owned()
    })?
}

/// Reads an object with one member; returns `None` for any other.
fn one_member(members: &Map<String, Value>) -> Option<Result<Until, String>> {
    let mut members = members.iter();
    let (name, value) = members.next().filter(|_| members.len() == 0)?;
    match name.as_str() {
        "bytes" => Some(byte_count(value)),
        "text" => Some(texts(value)),
        "gap" => Some(gap(value)),
        _ => None,
    }
}

fn line_count(lines: Option<&Number>) -> Result<usize, String> {
    let count = lines.map_or(Some(1), Number::as_u64);
    let count = count.filter(|count| (1..=MAX_REPLY_LINES as u64).contains(count));
    let count = count.map(|count| count as usize);
    count.ok_or_else(|| format!(r#""lines" must be a whole number from 1 to {MAX_REPLY_LINES}"#))
}

fn byte_count(value: &Value) -> Result<Until, String> {
    let count = value.as_u64();
    let count = count.filter(|count| (1..=MAX_REPLY_BYTES as u64).contains(count));
    let until = count.map(|count| Until::Bytes(count as usize));
    until.ok_or_else(|| format!(r#""bytes" must be a whole number from 1 to {MAX_REPLY_BYTES}"#))
}

fn texts(value: &Value) -> Result<Until, String> {
    let values = match value {
        Value::Array(values) => &values[..],
        value => std::slice::from_ref(value),
    };
    let is_right = |text: &&str| (1..=MAX_REPLY_TEXT_BYTES).contains(&text.len());
    let texts = values.iter().map(|it| it.as_str().filter(is_right));
    let texts: Option<Vec<_>> = texts
        .map(|text| text.map(|text| Bytes::copy_from_slice(text.as_bytes())))
        .collect();
    let texts = texts.filter(|texts| (1..=MAX_REPLY_TEXTS).contains(&texts.len()));
    texts.map(Until::Text).ok_or_else(|| {
        format!(
            r#""text" must be one text or up to {MAX_REPLY_TEXTS}, each of 1 to {MAX_REPLY_TEXT_BYTES} bytes"#
        )
    })
}

fn gap(value: &Value) -> Result<Until, String> {
    let time = value.as_f64().and_then(milliseconds);
    let time = time.filter(|time| (MIN_REPLY_GAP..=MAX_REPLY_TIMEOUT).contains(time));
    time.map(Until::Gap).ok_or_else(|| {
        let (min, max) = (MIN_REPLY_GAP.as_millis(), MAX_REPLY_TIMEOUT.as_millis());
        format!(
            r#""gap" must be a time from {min} to {max} ms: USB may gather bytes, so shorter gaps cannot be seen"#
        )
    })
}

fn timeout(timeout: Option<&Number>) -> Result<Duration, String> {
    let Some(timeout) = timeout else {
        return Ok(DEFAULT_REPLY_TIMEOUT);
    };
    let time = timeout.as_f64().and_then(milliseconds);
    let time = time.filter(|time| *time >= Duration::from_millis(1) && *time <= MAX_REPLY_TIMEOUT);
    time.ok_or_else(|| {
        let max = MAX_REPLY_TIMEOUT.as_millis();
        format!(r#""timeout" must be a time from 1 to {max} ms"#)
    })
}

fn milliseconds(ms: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(ms / 1000.0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(members: Value) -> Result<DeviceQuestion, String> {
        let message: AskMessage = serde_json::from_value(members).unwrap();
        message.question()
    }

    #[track_caller]
    fn check(until: Value, expected: Until) {
        let question = read(json!({ "text": "?", "until": until })).unwrap();
        assert_eq!(question.until, expected);
    }

    #[track_caller]
    fn check_wrong(members: Value, part: &str) {
        let error = read(members).unwrap_err();
        assert!(error.contains(part), "{error}");
    }

    #[track_caller]
    fn check_words(words: &[&str], expected: Until) {
        let mut message = AskMessage {
            text: Some(String::new()),
            ..AskMessage::default()
        };
        message.set_until(words).unwrap();
        assert_eq!(message.question().unwrap().until, expected);
    }

    fn texts(texts: &[&'static str]) -> Until {
        Until::Text(texts.iter().map(|text| (*text).into()).collect())
    }

    #[test]
    fn a_reply_ends_with_a_line_unless_something_else_is_said() {
        let question = read(json!({ "text": "*IDN?\n" })).unwrap();
        let expected = DeviceQuestion {
            bytes: "*IDN?\n".into(),
            until: Until::Lines(1),
            timeout: Duration::from_secs(2),
            is_text: true,
        };
        assert_eq!(question, expected);
        check(json!("line"), Until::Lines(1));
        check(json!({ "bytes": 2 }), Until::Bytes(2));
        check(json!({ "text": ["OK", "ERROR"] }), texts(&["OK", "ERROR"]));
        check(json!({ "text": "> " }), texts(&["> "]));
        check(json!({ "gap": 50 }), Until::Gap(Duration::from_millis(50)));
        let lines = read(json!({ "bytes": "AAE=", "until": "line", "lines": 3 })).unwrap();
        assert_eq!((lines.until, lines.is_text), (Until::Lines(3), false));
        assert_eq!(&lines.bytes[..], [0, 1]);
    }

    #[test]
    fn what_is_out_of_bounds_is_refused_with_the_bounds() {
        let wrong = |until: Value| json!({ "text": "?", "until": until });
        check_wrong(json!({}), "either");
        check_wrong(json!({ "text": "?", "bytes": "AA==" }), "either");
        for until in [
            json!("lines"),
            json!(3),
            json!({}),
            json!({ "bytes": 1, "gap": 50 }),
            json!({ "regex": "x" }),
        ] {
            check_wrong(wrong(until), r#""until" must be"#);
        }
        for count in [json!(0), json!(65_537), json!(-1), json!(1.5), json!("2")] {
            check_wrong(wrong(json!({ "bytes": count })), "from 1 to 65536");
        }
        for text in [
            json!([]),
            json!(""),
            json!(["OK", 1]),
            json!("x".repeat(257)),
        ] {
            check_wrong(wrong(json!({ "text": text })), "1 to 256 bytes");
        }
        for gap in [json!(4.9), json!(30_001), json!("50"), json!(1e300)] {
            check_wrong(wrong(json!({ "gap": gap })), "from 5 to 30000");
        }
        for timeout in [json!(0), json!(30_001), json!(-1)] {
            check_wrong(
                json!({ "text": "?", "timeout": timeout }),
                "from 1 to 30000",
            );
        }
        for lines in [json!(0), json!(1001), json!(1.5)] {
            check_wrong(json!({ "text": "?", "lines": lines }), "from 1 to 1000");
        }
        let both = json!({ "text": "?", "lines": 2, "until": { "bytes": 2 } });
        check_wrong(both, "alone");
    }

    #[test]
    fn words_say_the_same() {
        check_words(&[], Until::Lines(1));
        check_words(&["line"], Until::Lines(1));
        check_words(&["bytes:2"], Until::Bytes(2));
        check_words(&["gap:50ms"], Until::Gap(Duration::from_millis(50)));
        check_words(&["gap:50"], Until::Gap(Duration::from_millis(50)));
        check_words(&["text:OK", "text:a:b"], texts(&["OK", "a:b"]));
        for words in [
            &["lines"][..],
            &["bytes:x"],
            &["bytes:2", "text:OK"],
            &["gap:"],
        ] {
            let error = AskMessage::default().set_until(words).unwrap_err();
            assert!(error.contains(words[0]), "{error}");
        }
    }
}
