//! Takes away what terminals do not show: colours, control characters, invisible characters.

/// Returns the text of a line as a person sees it. Escape sequences that only set colours vanish;
/// control characters and sequences that move the cursor become blanks, except for tabs.
pub(super) fn visible_text(line: &[u8]) -> String {
    let line = String::from_utf8_lossy(line);
    let mut text = String::with_capacity(line.len());
    let mut rest = &*line;
    while let Some(character) = rest.chars().next() {
        if let Some(sequence) = escape_sequence(rest) {
            if !sequence.ends_with('m') {
                text.push(' ');
            }
            rest = &rest[sequence.len()..];
            continue;
        }
        match character {
            '\t' => text.push('\t'),
            '\u{2212}' => text.push('-'),
            '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' => {}
            _ if character.is_control() || character.is_whitespace() => text.push(' '),
            _ => text.push(character),
        }
        rest = &rest[character.len_utf8()..];
    }
    text
}

/// Returns the escape sequence that `text` begins with: `ESC [`, parameters, and a final byte from
/// `@` to `~` (ECMA-48, section 5.4).
fn escape_sequence(text: &str) -> Option<&str> {
    let parameters = text.strip_prefix("\x1b[")?;
    let is_final = |byte: u8| (b'@'..=b'~').contains(&byte);
    let length = parameters
        .bytes()
        .position(|byte| !(b' '..=b'?').contains(&byte))?;
    is_final(parameters.as_bytes()[length]).then(|| &text[..2 + length + 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &[u8], expected: &str) {
        assert_eq!(visible_text(line), expected);
    }

    #[test]
    fn colours_vanish_and_controls_are_blanks() {
        check(b"\x1b[0;32mtemp: 23.5\x1b[0m", "temp: 23.5");
        check(b"\x1b[2J\x1b[H21", "  21");
        check(b"\0\x0212\x03\t7", "  12 \t7");
        check(b"\x1b 5 \x1b[", "  5  [");
    }

    #[test]
    fn blanks_and_minus_signs_are_plain_ones() {
        check("\u{feff}\u{2212}5\u{a0}°C".as_bytes(), "-5 °C");
        check(b"23.5\xb0C", "23.5\u{fffd}C");
    }
}
