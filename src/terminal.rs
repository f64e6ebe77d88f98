//! Text that reaches a terminal or a log: escapes what comes from outside (device strings, paths,
//! origins, what a device sends), shortens it, and prints results to readers that may leave early,
//! as after `| head`. Every text from outside passes one of these functions.

use std::io::Write;

use anyhow::{Context, Result};

use crate::platform;

/// Limits how many characters of a text are shown. The rest is cut off and marked with `…`.
const MAX_TEXT_CHARS: usize = 120;

/// Limits how many characters of a sentence from another serial-ws are shown.
const MAX_SENTENCE_CHARS: usize = 240;

/// Limits how many characters of parameters a colour has. A longer sequence is escaped.
const MAX_SGR_CHARS: usize = 20;

/// Escapes the control characters of a text, and shortens it to 120 characters. Neither escape
/// sequences of both kinds (ESC and C1) nor line breaks nor marks that change the direction of the
/// text around them reach the terminal.
pub(crate) fn shown(text: &str) -> String {
    escape_and_cut(text, MAX_TEXT_CHARS)
}

/// Returns the first line of a sentence from another serial-ws, shortened to 240 characters and
/// escaped in the same way.
pub(crate) fn excerpt(text: &str) -> String {
    let line = text.trim_start().lines().next().unwrap_or_default();
    escape_and_cut(line.trim_end(), MAX_SENTENCE_CHARS)
}

fn escape_and_cut(text: &str, mut room: usize) -> String {
    let mut result = String::new();
    for (at, character) in text.char_indices() {
        let escaped = if is_unsafe(character) {
            character.escape_default().to_string()
        } else {
            character.to_string()
        };
        let is_last = at + character.len_utf8() == text.len();
        let size = escaped.chars().count();
        // One character is kept for the `…`, unless nothing follows.
        if size + usize::from(!is_last) > room {
            result.push('…');
            break;
        }
        result.push_str(&escaped);
        room -= size;
    }
    result
}

/// Escapes a line that a device sent, whole, and keeps its tabs.
pub(crate) fn safe_line(line: &str) -> String {
    let mut safe = String::with_capacity(line.len());
    for character in line.chars() {
        match character {
            '\t' => safe.push('\t'),
            c if !is_unsafe(c) => safe.push(c),
            c if c.is_ascii() => safe.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => safe.extend(c.escape_unicode()),
        }
    }
    safe
}

/// Escapes a line in the same way, but keeps its colours, which end with the line.
pub(crate) fn coloured_line(line: &str) -> String {
    let (mut safe, is_coloured) = keep_colours(line);
    if is_coloured {
        safe += "\x1b[0m";
    }
    safe
}

/// Escapes a line except for its colours: the sequences of a terminal that only change how text looks
/// (SGR, ECMA-48 8.3.117). Returns true with it if there are any.
fn keep_colours(line: &str) -> (String, bool) {
    let mut parts = line.split("\x1b[");
    let mut safe = safe_line(parts.next().unwrap_or_default());
    let mut is_coloured = false;
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_digit() && c != ';');
        let parameters = end.map(|end| part.split_at(end));
        match parameters {
            Some((parameters, rest))
                if rest.starts_with('m') && parameters.len() <= MAX_SGR_CHARS =>
            {
                is_coloured = true;
                safe += &format!("\x1b[{parameters}m{}", safe_line(&rest[1..]));
            }
            _ => safe += &safe_line(&format!("\x1b[{part}")),
        }
    }
    (safe, is_coloured)
}

/// Escapes a text that a device sent in the same way, except for its line ends.
pub(crate) fn safe_text(text: &str) -> String {
    // The other half of a `\r\n` may be in the next message.
    let lines = text.split('\n');
    let lines = lines.map(|line| safe_line(line.strip_suffix('\r').unwrap_or(line)));
    lines.collect::<Vec<_>>().join("\n")
}

/// Escapes a line of the log in the same way, except for its end and its colours, which the logging
/// library puts in: it escapes those of others.
pub(crate) fn safe_log_line(line: &str) -> String {
    let (line, end) = match line.strip_suffix('\n') {
        Some(line) => (line, "\n"),
        None => (line, ""),
    };
    keep_colours(line).0 + end
}

/// Escapes JSON so that it is safe to show and means the same: unsafe characters become `\u….`.
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

/// Returns true for control characters, for line and paragraph separators, and for the characters
/// that change the direction of text (Unicode's property Bidi_Control).
fn is_unsafe(character: char) -> bool {
    let is_direction_or_break = matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    character.is_control() || is_direction_or_break
}

/// Writes a result. It is not an error if nobody reads it any more.
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

    #[test]
    fn only_the_looks_of_text_are_kept() {
        let plain = coloured_line("a\tb\x1b[2Jc\x1b[31");
        assert_eq!(plain, "a\tb\\x1b[2Jc\\x1b[31");
        let red = coloured_line("\x1b[1;31mred\x1b[0m \x1b[8\x07m");
        assert_eq!(red, "\x1b[1;31mred\x1b[0m \\x1b[8\\x07m\x1b[0m");
        let long = format!("\x1b[{}m", "1;".repeat(20));
        assert!(!coloured_line(&long).contains('\x1b'));
    }

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
    fn a_line_of_the_log_keeps_its_colours_and_its_end() {
        let line = "\x1b[2mDEBUG\x1b[0m a\u{202e}b\nc\x1b[2Jd\x1b]0;x\u{61c}\te\n";
        let safe = "\x1b[2mDEBUG\x1b[0m a\\u{202e}b\\x0ac\\x1b[2Jd\\x1b]0;x\\u{61c}\te\n";
        assert_eq!(safe_log_line(line), safe);
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
    fn an_excerpt_is_one_line_of_limited_length() {
        assert_eq!(excerpt("\r\nforeign origin\r\nmore"), "foreign origin");
        assert_eq!(excerpt(""), "");
        assert_eq!(excerpt(&"ö".repeat(1_000)).chars().count(), 240);
    }

    #[track_caller]
    fn check_line(line: &str, expected: &str) {
        assert_eq!(safe_line(line), expected);
    }

    #[test]
    fn a_line_of_a_device_stays_as_it_is() {
        let line = "23.5 °C\t\"warm\" \\o/ 温度 🌡";
        check_line(line, line);
    }

    #[test]
    fn a_device_cannot_command_the_terminal() {
        check_line("\u{1b}[2Jgone", "\\x1b[2Jgone");
        check_line("a\rb\nc\0\u{7f}", "a\\x0db\\x0ac\\x00\\x7f");
        check_line(
            "\u{9b}2J\u{202e}txt\u{61c}",
            "\\u{9b}2J\\u{202e}txt\\u{61c}",
        );
    }

    #[test]
    fn chunks_of_text_keep_their_line_ends() {
        let chunks = ["one\r\ntw", "o\r", "\n\u{7}three\n"].map(safe_text);
        assert_eq!(chunks.concat(), "one\ntwo\n\\x07three\n");
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
            prop_assert!(result.chars().count() <= MAX_TEXT_CHARS);
        }
    }
}
