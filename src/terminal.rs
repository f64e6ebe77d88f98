//! Text that reaches a terminal: escapes what comes from outside (device strings, paths, origins,
//! serial bytes) and prints results to readers that may leave early, as after `| head`.

use std::io::Write;

use anyhow::{Context, Result};

use crate::platform;

/// How much of one text is shown; the rest is cut off and marked with `…`.
const LONGEST: usize = 120;

/// How much is shown of a sentence of our own that came a long way.
const LONGEST_SENTENCE: usize = 240;

/// The text with its control characters escaped, at most 120 characters of it, for a terminal or
/// a log. What it hides from a terminal: escape sequences of both kinds (ESC and C1), line
/// breaks, and marks that reverse the direction of the text around them.
pub(crate) fn shown(text: &str) -> String {
    cut(text, LONGEST)
}

/// The first line of what a bridge says, which may be a sentence with advice: at most 240
/// characters of it, safe in the same way.
pub(crate) fn excerpt(text: &str) -> String {
    let line = text.trim_start().lines().next().unwrap_or_default();
    cut(line.trim_end(), LONGEST_SENTENCE)
}

fn cut(text: &str, mut room: usize) -> String {
    let mut result = String::new();
    for (at, character) in text.char_indices() {
        let piece = if is_unsafe(character) {
            character.escape_default().to_string()
        } else {
            character.to_string()
        };
        let is_last = at + character.len_utf8() == text.len();
        let size = piece.chars().count();
        // One place is kept for the mark, unless nothing follows.
        if size + usize::from(!is_last) > room {
            result.push('…');
            break;
        }
        result.push_str(&piece);
        room -= size;
    }
    result
}

/// JSON that means the same and is safe to show: what `shown` would hide is written as `\u….`.
pub(crate) fn shown_json(json: &str) -> String {
    let mut result = String::with_capacity(json.len());
    for character in json.chars() {
        // Between strings JSON has line breaks, inside of them it has none.
        if character != '\n' && is_unsafe(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                result.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            result.push(character);
        }
    }
    result
}

fn is_unsafe(character: char) -> bool {
    let is_direction_or_break = matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    character.is_control() || is_direction_or_break
}

/// Writes a result. That nobody reads it any more is no error.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn print(out: &mut dyn Write, result: impl AsRef<[u8]>) -> Result<()> {
    match out.write_all(result.as_ref()).and_then(|()| out.flush()) {
        Err(error) if platform::is_reader_gone(&error) => Ok(()),
        written => written.context("cannot write the output"),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(shown(text), expected);
    }

    #[test]
    fn control_characters_are_escaped() {
        check("Arduino Uno", "Arduino Uno");
        check("Größe °C 🙂", "Größe °C 🙂");
        check("a\x1b[31mred\r\n", r"a\u{1b}[31mred\r\n");
        check("c1 \u{9b}2J", r"c1 \u{9b}2J");
        check("\u{202e}evil", r"\u{202e}evil");
    }

    #[test]
    fn long_text_is_cut() {
        check(&"x".repeat(120), &"x".repeat(120));
        check(&"x".repeat(121), &format!("{}…", "x".repeat(119)));
        check(
            &format!("{}\x1b", "x".repeat(119)),
            &format!("{}…", "x".repeat(119)),
        );
    }

    #[test]
    fn an_excerpt_is_one_line_of_bearable_length() {
        assert_eq!(excerpt("\r\nforeign origin\r\nmore"), "foreign origin");
        assert_eq!(excerpt(""), "");
        assert_eq!(excerpt(&"ö".repeat(1_000)).chars().count(), 240);
    }

    #[test]
    fn json_keeps_its_meaning() {
        let value = serde_json::json!({ "product": "a\u{9b}b\u{7f}\u{202e}\n°" });
        let text = shown_json(&serde_json::to_string_pretty(&value).unwrap());
        assert!(text.contains(r#""a\u009bb\u007f\u202e\n°""#), "{text}");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).unwrap(),
            value
        );
    }

    #[test]
    fn a_reader_may_leave() {
        struct Failing(io::ErrorKind);
        impl Write for Failing {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(self.0.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        print(&mut Failing(io::ErrorKind::BrokenPipe), "text").unwrap();
        print(&mut Failing(io::ErrorKind::StorageFull), "text").unwrap_err();
    }

    proptest! {
        #[test]
        fn nothing_unsafe_or_long_comes_out(text in "\\PC*|.{0,200}|[\\x00-\\x9f]{0,200}") {
            let result = shown(&text);
            prop_assert!(!result.chars().any(char::is_control));
            prop_assert!(result.chars().count() <= LONGEST);
        }
    }
}
