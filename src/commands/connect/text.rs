//! What came from outside, made fit for a terminal. Pure.

/// Appends `text` without what a terminal would obey or be misled by: control characters but tab,
/// and marks that reorder what stands around them, appear as escapes.
pub(crate) fn push_safe(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '\t' => out.push('\t'),
            c if c.is_ascii_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if c.is_control() || reorders(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
}

/// Like [`push_safe`], for a text that has its own line ends in it.
pub(crate) fn push_safe_lines(text: &str, out: &mut String) {
    for (number, line) in text.split('\n').enumerate() {
        if number > 0 {
            out.push('\n');
        }
        // The other half of a `\r\n` may be in the next message.
        push_safe(line.strip_suffix('\r').unwrap_or(line), out);
    }
}

/// The line and paragraph separators and the bidirectional embeddings, overrides and isolates.
fn reorders(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let mut safe = String::new();
        push_safe(text, &mut safe);
        assert_eq!(safe, expected);
    }

    #[test]
    fn ordinary_text_stays_as_it_is() {
        check(
            "23.5 °C\t\"warm\" \\o/ 温度 🌡",
            "23.5 °C\t\"warm\" \\o/ 温度 🌡",
        );
    }

    #[test]
    fn a_terminal_is_told_nothing() {
        check("\u{1b}[2Jgone", "\\x1b[2Jgone");
        check("a\rb\nc\0\u{7f}", "a\\x0db\\x0ac\\x00\\x7f");
        check("\u{9b}2J\u{202e}txt", "\\u{9b}2J\\u{202e}txt");
    }

    #[test]
    fn chunks_of_text_keep_their_line_ends() {
        let mut safe = String::new();
        for chunk in ["one\r\ntw", "o\r", "\n\u{7}three\n"] {
            push_safe_lines(chunk, &mut safe);
        }
        assert_eq!(safe, "one\ntwo\n\\x07three\n");
    }
}
