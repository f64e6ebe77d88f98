//! Lines with labels: `light:80`, `x=1 y=2`, `Temperature: 23.5 °C, Humidity: 40 %`.

use super::commas::{self, Comma};
use super::decimal::Decimal;
use super::lexemes::{Lexeme, LexemeKind};
use super::{LineValues, MAX_NAME_CHARS};

/// Labels that say that the digits after them are a code.
const CODES: &[&str] = &[
    "crc", "checksum", "chk", "csum", "addr", "address", "id", "uid", "hex",
];

/// Returns the values that have a label. A label may have several: `accel: 1 2 3` becomes
/// `accel 1`, `accel 2` and `accel 3`.
pub(super) fn labelled(text: &str, lexemes: &[Lexeme<'_>], comma: Comma) -> LineValues {
    let mut values = LineValues::default();
    let signs = lexemes.iter().enumerate();
    for (sign, _) in signs.filter(|(_, lexeme)| lexeme.kind == LexemeKind::Sign) {
        if let Some(name) = label(text, lexemes, sign)
            && let Some(numbers) = numbers(lexemes, sign, comma, name)
        {
            values.push_list(name, numbers);
        }
    }
    values
}

/// Returns the label before the sign at this index: the words that end there.
fn label<'a>(text: &'a str, lexemes: &[Lexeme<'_>], sign: usize) -> Option<&'a str> {
    let mut first = sign;
    for at in (0..sign).rev() {
        match &lexemes[at].kind {
            LexemeKind::Name => first = at,
            LexemeKind::Suffix => {}
            // The number of one of several: `sensor 1`.
            LexemeKind::Number(measure) if is_ordinal(lexemes, at) && !measure.has_unit => {}
            _ => break,
        }
    }
    // Of Marlin's `ok T:210.0`.
    if lexemes[first].text == "ok" && first + 1 < sign {
        first += 1;
    }
    // Parts of an address or of a path, as in `aa:bb:12`.
    let is_chained =
        first > 0 && lexemes[first].is_tight && lexemes[first - 1].kind == LexemeKind::Sign;
    if first == sign || is_chained {
        return None;
    }
    let name = text[lexemes[first].start..lexemes[sign].start].trim_end_matches([' ', '"', '\'']);
    // What ends in an operator is compared or computed, as in `a!=5`.
    let is_name = !name.ends_with(['!', '<', '>', '+', '-', '*', '/']);
    (is_name && name.chars().count() < MAX_NAME_CHARS).then_some(name)
}

/// Returns true for one or two digits after a word that is not a value's unit.
fn is_ordinal(lexemes: &[Lexeme<'_>], at: usize) -> bool {
    let text = lexemes[at].text;
    let is_small = text.len() <= 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    is_small && at > 0 && lexemes[at - 1].kind == LexemeKind::Name
}

/// Returns the numbers after the sign at this index; None if what follows is no value.
fn numbers(
    lexemes: &[Lexeme<'_>],
    sign: usize,
    comma: Comma,
    name: &str,
) -> Option<Vec<Option<Decimal>>> {
    let mut at = sign + 1;
    let is_open = lexemes.get(at)?.kind == LexemeKind::Open;
    at += usize::from(is_open);
    let first = lexemes.get(at)?.measure()?;
    let is_code = CODES
        .iter()
        .any(|code| name.to_ascii_lowercase().contains(code));
    // A place in a file, as in `main.c:12: error`.
    let is_place = lexemes
        .get(at + 1)
        .is_some_and(|it| it.kind == LexemeKind::Sign);
    if is_place
        || first.may_be_hex && is_code
        || comma == Comma::Uncertain && commas::continues(lexemes, at)
    {
        return None;
    }
    let mut numbers = vec![first.number.clone()];
    // A second number after a unit says the same in another unit.
    if first.has_unit && !is_open {
        return (!is_change(lexemes, at + 1)).then_some(numbers);
    }
    loop {
        at += 1;
        let is_comma = |it: &Lexeme<'_>| it.kind == LexemeKind::Separator(',');
        let is_separated = lexemes.get(at).is_some_and(is_comma);
        at += usize::from(is_separated);
        let Some(next) = lexemes.get(at).and_then(Lexeme::measure) else {
            // A list of numbers and something else is no list of values.
            let is_listed = is_separated && lexemes.get(at).is_some_and(is_other_item);
            return (!is_listed && !is_change(lexemes, at)).then_some(numbers);
        };
        let is_label = lexemes
            .get(at + 1)
            .is_some_and(|it| it.kind == LexemeKind::Sign);
        if is_label {
            return Some(numbers);
        }
        if comma == Comma::Uncertain && commas::continues(lexemes, at) {
            return None;
        }
        numbers.push(next.number.clone());
    }
}

/// Returns true for an item of a list that is neither a number nor a name.
fn is_other_item(lexeme: &Lexeme<'_>) -> bool {
    lexeme.is_tight && lexeme.kind == LexemeKind::Other
}

/// Returns true if `->` follows, so that this is a change and no value: `state: 2 -> 3`.
fn is_change(lexemes: &[Lexeme<'_>], at: usize) -> bool {
    lexemes.get(at).is_some_and(|it| it.text.starts_with("->"))
}
