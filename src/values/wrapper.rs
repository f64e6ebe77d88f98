//! The wrappers that protocols put around their values: `<…>` with `|` inside, `/* */`, `>`, `$…;`, sentences.

use super::commas::Comma;
use super::decimal::DecimalMark;
use super::lexemes::lexemes;
use super::{LineValues, read, read_lexemes, teleplot};

/// Returns the values of a line with something around them; None where nothing is.
pub(super) fn read_wrapped(text: &str, depth: usize) -> Option<LineValues> {
    if let Some(inside) = text.strip_prefix("/*").and_then(|it| it.strip_suffix("*/")) {
        return Some(read(inside.trim(), depth));
    }
    if let Some(inside) = text.strip_prefix('<') {
        return Some(between_angles(inside, depth));
    }
    if let Some(rest) = text.strip_prefix('>') {
        // `>>>` is Python's prompt, with what a person typed.
        let is_prompt = rest.starts_with('>');
        let line = || teleplot::read(rest).unwrap_or_else(|| read(rest.trim(), depth));
        return Some(if is_prompt {
            LineValues::default()
        } else {
            line()
        });
    }
    if let Some(rest) = text.strip_prefix(['$', '!']) {
        return Some(after_dollar(rest, depth));
    }
    if let Some(inside) = text.strip_prefix('(').and_then(|it| it.strip_suffix(')')) {
        return Some(read(inside.trim(), depth));
    }
    text.strip_prefix("ok ").map(|rest| after_ok(rest, depth))
}

/// Returns the values of `<12,34>`, or of grbl's `<Idle|MPos:0.000,0.000,0.000|FS:0,0>`, whose
/// commas always separate.
fn between_angles(inside: &str, depth: usize) -> LineValues {
    let Some(inside) = inside
        .strip_suffix('>')
        .filter(|it| !it.contains(['<', '>']))
    else {
        return LineValues::default();
    };
    if inside.contains('|') {
        let lexemes = lexemes(inside, DecimalMark::Point);
        return read_lexemes(inside, &lexemes, Comma::Separator);
    }
    read(inside.trim(), depth)
}

/// Returns the values of `$1,2,3;`. A sentence, as `$GPGGA,…`, has none: what its fields mean is
/// known to its standard alone, and sentences of several kinds come in turn. A setting of grbl, as
/// `$110=500.000`, is no reading.
fn after_dollar(rest: &str, depth: usize) -> LineValues {
    let starts_number =
        rest.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'));
    if !starts_number || rest.contains(['=', '$']) {
        return LineValues::default();
    }
    read(rest.trim_end_matches(';'), depth)
}

/// Returns the values after Marlin's `ok`, which have labels.
fn after_ok(rest: &str, depth: usize) -> LineValues {
    let values = read(rest.trim(), depth);
    if values.iter().any(|value| value.name.is_some()) {
        return values;
    }
    LineValues::default()
}
