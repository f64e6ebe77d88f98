//! Guesses which framing was meant by a value that is none.

use super::{FRAMINGS, Framing, delim};

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
        .map(|framing| (framing.name(), framing.name()));
    let mut known = SYNONYMS.iter().copied().chain(names);
    let found = known.find(|(other, _)| is_near(name, other));
    let (_, meant) = found.unwrap_or(("", "delim"));
    match meant {
        "delim" => meant_by_bytes(if name == text { name } else { parameters }),
        // With its own name, what is wrong are the parameters.
        _ if meant == name => without_parameters(name),
        _ if meant.parse::<Framing>().is_ok() => Some(meant.to_owned()),
        _ => Some(format!("{meant}:{parameters}")).filter(|text| text.parse::<Framing>().is_ok()),
    }
}

/// Returns the name of a framing that has no parameters.
fn without_parameters(name: &str) -> Option<String> {
    let mut framings = FRAMINGS.iter();
    let framing = framings.find(|framing| framing.usage == name);
    framing.map(|framing| framing.usage.to_owned())
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
