//! Cuts the visible text of a line into names, numbers, times and marks.

use super::decimal::{self, Decimal, DecimalMark};
use super::time::{is_half_of_day, is_time};
use super::units;

/// Lexemes of one line; what comes after them is not read.
const MAX_LEXEMES: usize = 8192;

/// Bytes up to a closing bracket that still belong to a name, as in `temp (deg C)`.
const MAX_SUFFIX_BYTES: usize = 16;

/// A piece of a line.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lexeme<'a> {
    pub(super) kind: LexemeKind,
    /// Its text in the line; of a number, with its unit.
    pub(super) text: &'a str,
    /// The index of its first byte.
    pub(super) start: usize,
    /// True if nothing stands between it and the lexeme before.
    pub(super) is_tight: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum LexemeKind {
    /// A word that begins with a letter or an underscore.
    Name,
    /// A bracket with a word in it after a name, such as the `(C)` of `temp (C)`.
    Suffix,
    /// A number, with its unit if it has one.
    Number(Measure),
    /// A time or a date.
    Time,
    /// `:`, `=` or `=>`.
    Sign,
    /// `,`, `;`, `|`, `&` or a tab.
    Separator(char),
    /// An opening bracket.
    Open,
    /// Anything else.
    Other,
}

/// A number in a line.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Measure {
    /// None for "nan" and the like: a number that is missing.
    pub(super) number: Option<Decimal>,
    pub(super) has_unit: bool,
    /// True if the unit may be a hexadecimal digit as well, as in `12A`.
    pub(super) may_be_hex: bool,
    /// The bytes of the number without its unit.
    pub(super) digits: usize,
}

impl Lexeme<'_> {
    pub(super) fn measure(&self) -> Option<&Measure> {
        match &self.kind {
            LexemeKind::Number(measure) => Some(measure),
            _ => None,
        }
    }

    pub(super) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    pub(super) fn is_separator(&self) -> bool {
        matches!(self.kind, LexemeKind::Separator(_))
    }
}

/// Cuts `text`; `mark` says whether a comma may stand inside a number.
pub(super) fn lexemes(text: &str, mark: DecimalMark) -> Vec<Lexeme<'_>> {
    let mut found: Vec<Lexeme<'_>> = Vec::new();
    let mut at = 0;
    let mut is_tight = true;
    while let Some(character) = text[at..].chars().next() {
        if matches!(character, ' ' | '"' | '\'') {
            at += 1;
            is_tight = false;
            continue;
        }
        if found.len() == MAX_LEXEMES {
            break;
        }
        let (kind, length) = lexeme(&text[at..], character, found.last(), mark);
        found.push(Lexeme {
            kind,
            text: &text[at..at + length],
            start: at,
            is_tight,
        });
        at += length;
        is_tight = true;
    }
    found
}

/// Reads the lexeme at the beginning of `rest`; returns its kind and its length.
fn lexeme(
    rest: &str,
    first: char,
    before: Option<&Lexeme<'_>>,
    mark: DecimalMark,
) -> (LexemeKind, usize) {
    match first {
        ',' | ';' | '|' | '&' | '\t' => return (LexemeKind::Separator(first), 1),
        '=' if rest.starts_with("=>") => return (LexemeKind::Sign, 2),
        ':' | '=' => return (LexemeKind::Sign, 1),
        '(' | '[' if before.is_some_and(|before| before.kind == LexemeKind::Name) => {
            if let Some(length) = suffix(rest) {
                return (LexemeKind::Suffix, length);
            }
            return (LexemeKind::Open, 1);
        }
        '(' | '[' | '{' => return (LexemeKind::Open, 1),
        ')' | ']' | '}' => return (LexemeKind::Other, 1),
        _ => {}
    }
    let starts_number = first.is_ascii_digit() || matches!(first, '+' | '-' | '.');
    if starts_number && let Some(found) = number(rest, before, mark) {
        return found;
    }
    let word = word(rest, first.is_ascii_digit());
    if is_missing_number(word) {
        let measure = Measure {
            number: None,
            has_unit: false,
            may_be_hex: false,
            digits: word.len(),
        };
        return (LexemeKind::Number(measure), word.len());
    }
    let is_after_time = before.is_some_and(|before| before.kind == LexemeKind::Time);
    if is_time(word) || (is_after_time && is_half_of_day(word)) {
        return (LexemeKind::Time, word.len());
    }
    let is_name = first.is_alphabetic() || first == '_';
    let kind = if is_name {
        LexemeKind::Name
    } else {
        LexemeKind::Other
    };
    (kind, word.len())
}

/// Reads a number that ends where a number may end, with its unit.
fn number(
    rest: &str,
    before: Option<&Lexeme<'_>>,
    mark: DecimalMark,
) -> Option<(LexemeKind, usize)> {
    let scanned = decimal::scan(rest, mark)?;
    let is_spaced_sign =
        rest[1..].starts_with(' ') && !rest.starts_with(|c: char| c.is_ascii_digit());
    // Elsewhere a sign with a blank after it is a dash.
    let may_be_spaced = before.is_none_or(|before| {
        before.is_separator() || matches!(before.kind, LexemeKind::Sign | LexemeKind::Open)
    });
    if is_spaced_sign && !may_be_spaced {
        return None;
    }
    let after = &rest[scanned.len..];
    let mut measure = Measure {
        number: scanned.number,
        has_unit: false,
        may_be_hex: false,
        digits: scanned.len,
    };
    if ends_number(after) {
        let unit = unit_after_blank(after);
        measure.has_unit = unit > 0;
        return Some((LexemeKind::Number(measure), scanned.len + unit));
    }
    let unit = word(after, false).trim_end_matches('.');
    let is_whole = rest[..scanned.len]
        .bytes()
        .all(|byte| byte.is_ascii_digit());
    let may_be_hex = is_whole && units::is_hex_digit(unit);
    let is_hex = may_be_hex && (scanned.len == 1 || rest.starts_with('0'));
    if !units::is_unit(unit) || is_hex {
        return None;
    }
    measure.has_unit = true;
    measure.may_be_hex = may_be_hex;
    Some((LexemeKind::Number(measure), scanned.len + unit.len()))
}

/// Returns true if a number may end before `rest`.
fn ends_number(rest: &str) -> bool {
    let mut characters = rest.chars();
    let first = characters.next();
    let is_last = characters.next().is_none_or(|next| next == ' ');
    match first {
        None | Some(' ' | '\t' | ',' | ';' | '|' | ')' | ']' | '}' | '"' | '\'' | '&') => true,
        // Before a blank these end a sentence or a label; elsewhere they are inside a time, an
        // address or a version.
        Some('.' | ':' | '=') => is_last,
        _ => false,
    }
}

/// Returns the length of the unit after blanks at the beginning of `rest`, with the blanks; zero
/// if there is none. A letter before a number or a sign is a label, not a unit.
fn unit_after_blank(rest: &str) -> usize {
    let unit = rest.trim_start_matches(' ');
    let word = word(unit, false);
    let blanks = rest.len() - unit.len();
    if blanks == 0 || !units::is_unit(word) {
        return 0;
    }
    let after = unit[word.len()..].trim_start_matches(' ');
    let is_letter = word.starts_with(char::is_alphabetic);
    let starts_value = |c: char| c.is_ascii_digit() || matches!(c, ':' | '=' | '+' | '-' | '.');
    if is_letter && after.starts_with(starts_value) {
        return 0;
    }
    blanks + word.len()
}

/// Returns the word that `rest` begins with: up to a blank, a separator or a quote, and up to a sign
/// unless it begins with a digit, since times have colons.
fn word(rest: &str, begins_with_digit: bool) -> &str {
    let ends_word = |c: char| {
        matches!(c, ' ' | '\t' | ',' | ';' | '|' | '"' | '{' | '}')
            || (!begins_with_digit && matches!(c, ':' | '='))
    };
    let first = rest.chars().next().map_or(0, char::len_utf8);
    let end = rest[first..]
        .find(ends_word)
        .map_or(rest.len(), |end| first + end);
    let word = &rest[..end];
    match word.trim_end_matches(['\'', ':']) {
        "" => word,
        trimmed => trimmed,
    }
}

/// Returns the length of a bracket with one or two words in it.
fn suffix(rest: &str) -> Option<usize> {
    let close = rest
        .bytes()
        .take(MAX_SUFFIX_BYTES)
        .position(|byte| matches!(byte, b')' | b']'))?;
    let inside = &rest[1..close];
    let is_plain = !inside.contains([',', ';', '|', '\t', ':', '=', '"', '(', '[', '.']);
    (is_plain && !inside.is_empty()).then_some(close + 1)
}

/// Returns true for what libraries print where there is no number.
fn is_missing_number(word: &str) -> bool {
    let word = word.strip_prefix(['+', '-']).unwrap_or(word);
    ["nan", "inf", "infinity", "ovf"]
        .iter()
        .any(|missing| word.eq_ignore_ascii_case(missing))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each lexeme as a letter for its kind and its text.
    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let found = lexemes(text, DecimalMark::Point);
        let shown: Vec<_> = found
            .iter()
            .map(|lexeme| {
                let kind = match lexeme.kind {
                    LexemeKind::Name => 'w',
                    LexemeKind::Suffix => 's',
                    LexemeKind::Number(_) => 'n',
                    LexemeKind::Time => 't',
                    LexemeKind::Sign | LexemeKind::Separator(_) | LexemeKind::Open => ' ',
                    LexemeKind::Other => '?',
                };
                format!("{kind}{}", lexeme.text)
            })
            .collect();
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn numbers_end_where_numbers_may_end() {
        check("21.5C 40 %", &["n21.5C", "n40 %"]);
        check("x:1,y:-2", &["wx", " :", "n1", " ,", "wy", " :", "n-2"]);
        check("0x1F 3D 1.2.3 7/8", &["?0x1F", "?3D", "?1.2.3", "?7/8"]);
        check("T 21 H 40", &["wT", "n21", "wH", "n40"]);
        check("- 129.6 kg N", &["n- 129.6 kg", "wN"]);
        check("a - 5", &["wa", "?-", "n5"]);
    }

    #[test]
    fn times_are_one_piece() {
        check("at 12:30:05 PM", &["wat", "t12:30:05", "tPM"]);
        check(
            "2025-10-31-18:35:45;42.8",
            &["t2025-10-31-18:35:45", " ;", "n42.8"],
        );
        check("24:0A:C4", &["?24:0A:C4"]);
    }

    #[test]
    fn brackets_after_a_name_belong_to_it() {
        check("Temp (C): 5", &["wTemp", "s(C)", " :", "n5"]);
        check("p=(1,2)", &["wp", " =", " (", "n1", " ,", "n2", "?)"]);
    }
}
