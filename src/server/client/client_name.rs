//! The name that a client gives itself (`?client=NAME`). Nobody checks that it is true, so it is shown in
//! quotes wherever it is shown. Pure.

use std::sync::Arc;

/// The longest name, in characters.
const MAX_CHARS: usize = 40;

/// The characters of names beside letters, digits and blanks, for an error.
const SIGNS: &str = "-_.:/@+";

/// Reads a name.
///
/// # Errors
/// Says what was expected, in a sentence that fits a Close reason.
pub(crate) fn parse(text: &str) -> Result<Arc<str>, String> {
    // Whoever reads it must not take blanks for no name, or two names for one.
    let has_blanks_around = text.starts_with(' ') || text.ends_with(' ');
    if text.is_empty() || text.len() > MAX_CHARS || has_blanks_around || !text.chars().all(is_known)
    {
        return Err(format!(
            "client must be 1 to {MAX_CHARS} letters a-z, digits, blanks or {SIGNS}"
        ));
    }
    Ok(text.into())
}

/// Returns what of a text can be a name; it may be empty.
#[cfg(any(feature = "mcp", test))]
pub(crate) fn from_text(text: &str) -> String {
    let known = text.trim_start().chars().filter(|&c| is_known(c));
    let name: String = known.take(MAX_CHARS).collect();
    name.trim().to_owned()
}

fn is_known(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == ' ' || SIGNS.contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_few_plain_characters() {
        for right in [
            "a",
            "esptool 4.7",
            "claude-code/1.0",
            "me@lab:3_+",
            &"x".repeat(40),
        ] {
            assert_eq!(parse(right).as_deref(), Ok(right));
        }
        for wrong in [
            "",
            " a",
            "a ",
            "a\"b",
            "a\n",
            "\u{202e}a",
            "é",
            "a,b",
            &"x".repeat(41),
        ] {
            let why = parse(wrong).expect_err(wrong);
            assert!(why.len() <= 123, "a Close reason has no room for it");
        }
    }

    #[test]
    fn what_can_be_a_name_is_left_of_a_text() {
        for (name, expected) in [
            ("claude-code", "claude-code"),
            ("Visual Studio Code", "Visual Studio Code"),
            (" \"x\"\u{202e}\n", "x"),
            ("编辑器", ""),
            (&"x".repeat(50), &"x".repeat(40)),
        ] {
            assert_eq!(from_text(name), expected);
        }
    }
}
