//! The answers of tools: JSON of bounded size, in which everything that a device says stands in the
//! member `text`. Pure.

use serde_json::{Map, Value, json};

use super::text::{clean, start};
use crate::commands::connect::Failure;
use crate::terminal::excerpt;

/// The longest answer, as JSON. An agent keeps all that it reads.
pub(super) const MAX_ANSWER_BYTES: usize = 8 * 1024;

/// The part of an answer that is kept for its members beside `text`.
const MEMBERS_BYTES: usize = 1024;

/// The room for `text` in an answer with few members.
pub(super) const MAX_TEXT_BYTES: usize = MAX_ANSWER_BYTES - MEMBERS_BYTES;

/// An answer.
#[derive(Debug, Default)]
pub(super) struct ToolAnswer {
    members: Map<String, Value>,
    text: String,
}

impl ToolAnswer {
    /// Makes an answer from text that may come from a device.
    pub(super) fn new(text: &str) -> Self {
        Self {
            members: Map::new(),
            text: clean(text),
        }
    }

    /// Replaces the text.
    pub(super) fn with_text(mut self, text: &str) -> Self {
        self.text = clean(text);
        self
    }

    /// Adds a member. Nothing in it may come from a device.
    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a member if there is a value.
    pub(super) fn with_some(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Returns the answer as JSON. Text that does not fit is cut, and `cut` says so.
    pub(super) fn into_json(mut self) -> Value {
        let members = Value::Object(self.members.clone()).to_string().len();
        let frame = r#","cut":true,"text":"""#.len();
        let room = MAX_ANSWER_BYTES.saturating_sub(members + frame);
        let fitting = start(&self.text, room);
        if fitting.len() < self.text.len() {
            self.members.insert("cut".to_owned(), true.into());
        }
        self.members.insert("text".to_owned(), fitting.into());
        Value::Object(self.members)
    }
}

/// The reason why a tool has no answer.
#[derive(Debug)]
pub(super) struct ToolError {
    kind: &'static str,
    text: String,
}

impl ToolError {
    /// The arguments are wrong.
    pub(super) fn usage(text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            kind: "usage",
            text,
        }
    }

    /// No serial-ws answers.
    pub(super) fn unreachable(error: &anyhow::Error) -> Self {
        Self {
            kind: "unreachable",
            text: format!("{error:#}"),
        }
    }

    /// serial-ws or the board does not do it.
    pub(super) fn refused(text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            kind: "refused",
            text,
        }
    }

    /// Returns it as JSON. The sentence of serial-ws may quote the device.
    pub(super) fn into_json(self) -> Value {
        json!({ "error": self.kind, "text": excerpt(&clean(&self.text)) })
    }
}

impl From<anyhow::Error> for ToolError {
    fn from(error: anyhow::Error) -> Self {
        let kind = match error.downcast_ref() {
            Some(Failure::Timeout(_)) => "timeout",
            Some(Failure::Gone(_)) => "gone",
            Some(Failure::Refused(..)) | None => "refused",
        };
        Self {
            kind,
            text: format!("{error:#}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_device_says_stands_in_one_member() {
        let answer = ToolAnswer::new("\u{1b}[31m\"},\"state\":\"closed").with("state", "open");
        let json = answer.into_json().to_string();
        assert_eq!(json, r#"{"state":"open","text":"\"},\"state\":\"closed"}"#);
    }

    #[test]
    fn a_refusal_has_its_kind_and_one_sentence() {
        let error = ToolError::from(anyhow::Error::from(Failure::Timeout("no reply\nx".into())));
        let json = error.into_json().to_string();
        assert_eq!(json, r#"{"error":"timeout","text":"no reply"}"#);
    }

    proptest! {
        #[test]
        fn no_answer_is_too_long(text in "(.|\\PC|\"|\n){0,200}", times in 0usize..200) {
            let answer = ToolAnswer::new(&text.repeat(times)).with("next", "03c445868fbed052:96");
            let json = answer.into_json();
            prop_assert!(json.to_string().len() <= MAX_ANSWER_BYTES);
            prop_assert_eq!(json.get("cut").is_some(), json["text"] != clean(&text.repeat(times)));
        }
    }
}
