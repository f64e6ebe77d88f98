//! Lines without labels: numbers with separators between them, a word and a number, a number with
//! its unit.

use super::commas::{self, Comma};
use super::decimal::{Decimal, DecimalMark};
use super::lexemes::{Lexeme, LexemeKind, lexemes};
use super::{LineValues, MAX_NAME_CHARS, units};

/// Fields of one line; further ones are not read.
pub(super) const MAX_FIELDS: usize = 4096;

/// Letters after a scale's unit that tell its state, as in `129.6 kg N`.
const MAX_STATE_BYTES: usize = 3;

/// One field of a line.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Field<'a> {
    Empty,
    /// A number, or one that is missing, and whether it has a unit.
    Number(Option<Decimal>, bool),
    /// A time or a date.
    Time,
    /// One word that can be a name.
    Word(&'a str),
    /// Anything else.
    Text,
}

/// The values of a line whose lexemes are `lexemes`, none of them a label's sign.
pub(super) fn unlabelled(text: &str, lexemes: &[Lexeme<'_>], comma: Comma) -> LineValues {
    let has = |separator| {
        lexemes
            .iter()
            .any(|it| it.kind == LexemeKind::Separator(separator))
    };
    if comma == Comma::Uncertain {
        return LineValues::default();
    }
    let mark = match comma {
        Comma::Decimal => DecimalMark::PointOrComma,
        _ => DecimalMark::Point,
    };
    let separator = [';', '\t', '|', ','].into_iter().find(|it| has(*it));
    let mut fields = match separator {
        Some(separator) => split(text, separator, mark),
        None => lexemes.iter().map(single).collect(),
    };
    fields.retain(|field| *field != Field::Time);
    while fields.last() == Some(&Field::Empty) {
        fields.pop();
    }
    drop_units(&mut fields);
    values_of(&fields, separator.is_some())
}

/// Splits `text` at a separator, but not inside quotes.
pub(super) fn split(text: &str, separator: char, mark: DecimalMark) -> Vec<Field<'_>> {
    pieces(text, separator)
        .map(|piece| classify(piece, mark))
        .collect()
}

/// Returns the pieces between separators that are not inside quotes.
pub(super) fn pieces(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let has_quotes = text.bytes().filter(|byte| *byte == b'"').count() % 2 == 0;
    let mut is_quoted = false;
    let ends_piece = move |c: char| {
        is_quoted ^= c == '"' && has_quotes;
        c == separator && !is_quoted
    };
    text.split(ends_piece).take(MAX_FIELDS).map(str::trim)
}

/// Tells what a field between separators is.
pub(super) fn classify(piece: &str, mark: DecimalMark) -> Field<'_> {
    // A comma inside quotes separates nothing.
    let mark = if piece.starts_with('"') {
        mark_alone(piece)
    } else {
        mark
    };
    let found = lexemes(piece, mark);
    match &found[..] {
        [] => Field::Empty,
        [one] => single(one),
        times if times.iter().all(|lexeme| lexeme.kind == LexemeKind::Time) => Field::Time,
        // A number, and a letter that tells its state.
        [number, state] if is_state(number, state) => single(number),
        [name, suffix] if name.kind == LexemeKind::Name && suffix.kind == LexemeKind::Suffix => {
            Field::Word(&piece[name.start..suffix.end()])
        }
        _ => Field::Text,
    }
}

/// Returns the decimal mark of a value that stands alone, with no separators beside it.
pub(super) fn mark_alone(piece: &str) -> DecimalMark {
    match commas::alone(piece) {
        Comma::Decimal => DecimalMark::PointOrComma,
        _ => DecimalMark::Point,
    }
}

/// Tells what a lexeme is as a field of its own.
fn single<'a>(lexeme: &Lexeme<'a>) -> Field<'a> {
    match &lexeme.kind {
        LexemeKind::Number(measure) => Field::Number(measure.number.clone(), measure.has_unit),
        LexemeKind::Time => Field::Time,
        LexemeKind::Name if lexeme.text.chars().count() < MAX_NAME_CHARS => {
            Field::Word(lexeme.text)
        }
        LexemeKind::Other if lexeme.text == "->" => Field::Time,
        _ => Field::Text,
    }
}

fn is_state(number: &Lexeme<'_>, state: &Lexeme<'_>) -> bool {
    number.measure().is_some_and(|measure| measure.has_unit)
        && state.kind == LexemeKind::Name
        && state.text.len() <= MAX_STATE_BYTES
}

/// Joins units in fields of their own to the numbers before them: `12.5,kg`, or `5 V 3 A`. After a
/// word they are words, as the `H` of `T 21 H 40`.
fn drop_units(fields: &mut Vec<Field<'_>>) {
    if fields.len() > 2 && is_pairs(fields) {
        return;
    }
    let mut joined: Vec<Field<'_>> = Vec::with_capacity(fields.len());
    for field in fields.drain(..) {
        match (&field, joined.last_mut()) {
            (Field::Word(word), Some(Field::Number(_, has_unit))) if units::is_unit(word) => {
                *has_unit = true;
            }
            _ => joined.push(field),
        }
    }
    *fields = joined;
}

/// Decides which of the fields are values, and what their names are.
fn values_of(fields: &[Field<'_>], has_separators: bool) -> LineValues {
    let mut values = LineValues::default();
    let is_number = |field: &Field<'_>| matches!(field, Field::Number(..));
    let is_text = |field: &Field<'_>| matches!(field, Field::Word(_) | Field::Text);
    let numbers = fields.iter().filter(|field| is_number(field)).count();
    let texts = fields.iter().filter(|field| is_text(field)).count();
    match fields {
        _ if numbers == 0 => {}
        _ if texts == 0 && has_separators || numbers == fields.len() => values.push_columns(fields),
        // One word names what follows it.
        [Field::Word(name), rest @ ..] if rest.iter().all(is_number) => {
            values.push_list(name, rest.iter().filter_map(number));
        }
        _ if is_pairs(fields) => {
            for pair in fields.chunks(2) {
                if let [Field::Word(name), value] = pair {
                    values.push_list(name, number(value));
                }
            }
        }
        // Words that tell the state of a scale, and what it weighs.
        _ if is_weight(fields, has_separators) => {
            values.push_columns_of(fields.iter().filter(|field| is_number(field)));
        }
        // A text column among numbers keeps its place, so that the others keep theirs.
        [first, ..] if has_separators && is_number(first) && numbers * 2 >= fields.len() => {
            values.push_columns(fields);
        }
        _ => {}
    }
    values
}

fn number(field: &Field<'_>) -> Option<Option<Decimal>> {
    match field {
        Field::Number(number, _) => Some(number.clone()),
        _ => None,
    }
}

/// Returns true for words and numbers in turn: `T,21.5,H,40`.
fn is_pairs(fields: &[Field<'_>]) -> bool {
    let mut pairs = fields.chunks(2);
    pairs.all(|pair| matches!(pair, [Field::Word(_), Field::Number(..)]))
}

/// Returns true for one number with its unit, with words that can be a scale's: `ST,GS,+ 12.3kg`,
/// `129.6 kg N`, `S S 100.00 g`.
fn is_weight(fields: &[Field<'_>], has_separators: bool) -> bool {
    let is_measured = |field: &Field<'_>| matches!(field, Field::Number(_, true));
    let Some(at) = fields.iter().position(is_measured) else {
        return false;
    };
    let (before, after) = (&fields[..at], &fields[at + 1..]);
    let is_short = |field: &Field<'_>| match field {
        Field::Word(word) => word.len() <= MAX_STATE_BYTES && (has_separators || is_capital(word)),
        _ => false,
    };
    before.iter().all(is_short) && after.len() <= 1 && after.iter().all(is_short)
}

fn is_capital(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_uppercase())
}
