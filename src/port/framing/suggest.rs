//! Guesses which framing was meant by a value that is none.

use super::{FRAMINGS, delim};

/// Bytes of the longest value that is taken for the delimiter itself.
const MAX_LITERAL: usize = 4;

/// Other names of framings.
const SYNONYMS: &[(&str, &str)] = &[
    ("newline", "lf"),
    ("cr+lf", "crlf"),
    ("return", "cr"),
    ("etx", "delim:03"),
    ("nul", "delim:00"),
];

/// Returns the framing that was probably meant.
pub(super) fn meant(text: &str) -> Option<String> {
    let text = text.trim().to_lowercase();
    let (name, parameters) = text.split_once(':').unwrap_or((&text, ""));
    let names = FRAMINGS
        .iter()
        .map(|framing| (framing.name(), framing.usage));
    let mut known = SYNONYMS.iter().copied().chain(names);
    let (_, usage) = known
        .find(|(other, _)| is_near(name, other))
        .unwrap_or(("", "delim:HEX"));
    if usage != "delim:HEX" {
        return Some(usage.to_owned());
    }
    meant_by_bytes(if name == text { name } else { parameters })
}

/// Returns true for the same name, or a longer one with one slip.
fn is_near(name: &str, other: &str) -> bool {
    name == other || (name.len() > 2 && strsim::damerau_levenshtein(name, other) == 1)
}

/// Returns the framing that ends lines with these bytes, written as in a program: `;`, `\r`, `0x3b`.
fn meant_by_bytes(text: &str) -> Option<String> {
    let digits = text.replace("0x", "").replace("\\x", "");
    let digits = digits.replace([' ', ':', ',', '-'], "");
    if delim::is_hex(&digits) {
        return Some(format!("delim:{digits}"));
    }
    let escapes = [("\\r", "\r"), ("\\n", "\n"), ("\\t", "\t"), ("\\0", "\0")];
    let literal = escapes
        .into_iter()
        .fold(text.to_owned(), |text, (escape, byte)| {
            text.replace(escape, byte)
        });
    match &*literal {
        "\n" => Some("lf".to_owned()),
        "\r\n" => Some("crlf".to_owned()),
        "\r" => Some("cr".to_owned()),
        _ => {
            let is_short = (1..=MAX_LITERAL).contains(&literal.len());
            let is_word = literal.chars().any(char::is_alphanumeric);
            (is_short && !is_word).then(|| delim::shown(literal.as_bytes()))
        }
    }
}
