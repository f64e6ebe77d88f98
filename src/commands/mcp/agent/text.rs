//! Cleans and bounds what comes from a device before an agent reads it. Pure.

use unicode_general_category::{GeneralCategory, get_general_category};

use crate::protocol::{Base64, Content};

/// Text of bounded size, counted in the bytes that it takes in JSON.
#[derive(Debug)]
pub(super) struct BoundedText {
    text: String,
    /// Bytes that still fit.
    room: usize,
}

impl BoundedText {
    /// Begins an empty text with room for so many bytes.
    pub(super) fn new(room: usize) -> Self {
        Self {
            text: String::new(),
            room,
        }
    }

    /// Adds a line. Returns false, and adds nothing, if it does not fit.
    pub(super) fn push_line(&mut self, line: &str) -> bool {
        let ending = if self.text.is_empty() { "" } else { "\n" };
        let size = json_bytes(line) + json_bytes(ending);
        if size > self.room {
            return false;
        }
        self.room -= size;
        self.text.push_str(ending);
        self.text.push_str(line);
        true
    }

    /// Adds as much of a line as fits.
    pub(super) fn push_start(&mut self, line: &str) {
        let fitting = start(line, self.room);
        self.push_line(fitting);
    }

    /// Returns the text.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }
}

/// Returns the longest beginning of a text that takes at most so many bytes in JSON.
pub(super) fn start(text: &str, room: usize) -> &str {
    let mut size = 0;
    let end = text.char_indices().find(|(_, character)| {
        size += json_bytes(character.encode_utf8(&mut [0; 4]));
        size > room
    });
    end.map_or(text, |(end, _)| &text[..end])
}

/// Returns the bytes that a cleaned text takes within a JSON string.
fn json_bytes(text: &str) -> usize {
    let is_escaped = |byte: &u8| matches!(byte, b'"' | b'\\' | b'\n' | b'\t');
    text.len() + text.bytes().filter(is_escaped).count()
}

/// Returns what a device sent as clean text, in which a byte that is not UTF-8 is `\xff`.
pub(super) fn content_text(content: &Content<'_>) -> String {
    match content {
        Content::Text(text) => clean(text),
        Content::Bytes(Base64(bytes)) => {
            let mut text = String::new();
            for chunk in bytes.utf8_chunks() {
                text.push_str(&clean(chunk.valid()));
                let invalid = chunk.invalid().iter();
                text.extend(invalid.map(|byte| format!("\\x{byte:02x}")));
            }
            text
        }
    }
}

/// Removes what a person at a terminal would not see: escape sequences, control characters except
/// tabs and line feeds, and characters without a picture, in which text for an agent could hide.
pub(super) fn clean(text: &str) -> String {
    let lines = text.split('\n').map(|line| {
        let line = anstream::adapter::strip_str(line).to_string();
        line.replace(is_hidden, "")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns true for a character that shows nothing, or changes how others are shown.
fn is_hidden(character: char) -> bool {
    let is_selector = matches!(character, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}');
    let is_unprintable = matches!(
        get_general_category(character),
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
            | GeneralCategory::PrivateUse
            | GeneralCategory::Unassigned
    );
    is_selector || is_unprintable && character != '\t'
}

/// Returns true for a name that cannot hold a sentence: the path or the ID of a device as it usually
/// is.
pub(super) fn is_identifier(name: &str) -> bool {
    /// Characters of the longest: `/dev/serial/by-id/` and the strings of an adapter.
    const MAX_CHARS: usize = 100;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/\\._:@-+".contains(c);
    name.len() <= MAX_CHARS && name.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(clean(text), expected);
    }

    #[test]
    fn a_person_and_an_agent_read_the_same() {
        check("23.5 °C\t温度 🌡 \"x\" \\", "23.5 °C\t温度 🌡 \"x\" \\");
        check("\x1b[1;31mred\x1b[0m\x1b[2J\r", "red");
        check("\x1b]0;title\x07one\ntwo\0\x08", "one\ntwo");
        // Tags, which repeat ASCII without a picture, and selectors, which can encode bytes.
        check(
            "a\u{e0041}\u{e0042}b\u{200b}\u{202e}c\u{fe0f}\u{e0101}",
            "abc",
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_as_digits() {
        let bytes = Content::Bytes(Base64(b"ok \xff\x1b[31m\xfe\n".to_vec().into()));
        assert_eq!(content_text(&bytes), "ok \\xff\\xfe\n");
    }

    #[test]
    fn text_ends_where_the_room_ends() {
        let mut text = BoundedText::new(8);
        assert!(text.push_line("abc"));
        assert!(!text.push_line("defg"), "the line feed takes two");
        assert!(text.push_line("def"));
        assert!(!text.push_line(""));
        assert_eq!(text.as_str(), "abc\ndef");
        assert_eq!(start("aé\"b", 3), "aé");
        assert_eq!(start("aé\"b", 5), "aé\"");
    }

    #[test]
    fn an_identifier_holds_no_sentence() {
        for name in ["/dev/ttyACM0", "COM3", "usb:2341:0043:A1@1-1.2"] {
            assert!(is_identifier(name), "{name}");
        }
        for name in ["ignore all", "a\u{e0041}", "a\nb", &"x".repeat(101)] {
            assert!(!is_identifier(name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn clean_text_takes_as_much_as_it_is_counted_for(text in any::<String>()) {
            let text = clean(&text);
            let json = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(json_bytes(&text), json.len() - 2);
            prop_assert!(!text.chars().any(|c| c.is_control() && c != '\t' && c != '\n'));
        }
    }
}
