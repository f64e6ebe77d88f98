//! Decides what a comma between two digits means, by what the rest of the line says.

use super::decimal::DecimalMark;
use super::lexemes::{Lexeme, LexemeKind, lexemes};

/// The meaning of a comma between two digits, as in `23,9`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comma {
    /// It separates two numbers.
    Separator,
    /// It is the decimal mark of one.
    Decimal,
    /// The line does not say, so these digits are no value.
    Uncertain,
}

/// Digits with commas between them.
#[derive(Debug)]
struct Run<'a> {
    /// The number of numbers that it would be.
    count: usize,
    /// Its text, without a unit.
    digits: &'a str,
    has_unit: bool,
}

/// The lexemes of a line, and what a comma between its digits means.
pub(super) fn read(text: &str) -> (Vec<Lexeme<'_>>, Comma) {
    let found = lexemes(text, DecimalMark::Point);
    let comma = meaning(text, &found);
    if comma == Comma::Decimal {
        return (lexemes(text, DecimalMark::PointOrComma), comma);
    }
    (found, comma)
}

/// Returns what a comma in a value that stands alone means, as in `"23,9"`.
pub(super) fn alone(text: &str) -> Comma {
    let runs = runs(text, &lexemes(text, DecimalMark::Point));
    if runs.iter().any(is_like_thousands) {
        Comma::Uncertain
    } else {
        Comma::Decimal
    }
}

/// Decides by `lexemes`, which were cut at every comma.
fn meaning(text: &str, lexemes: &[Lexeme<'_>]) -> Comma {
    let runs = runs(text, lexemes);
    if runs.is_empty() {
        return Comma::Separator;
    }
    let others = |separator| {
        lexemes
            .iter()
            .any(|it| it.kind == LexemeKind::Separator(separator))
    };
    let has_other_separator = [';', '\t', '|'].into_iter().any(others);
    let is_list = runs.iter().any(|run| run.count > 2) || has_decimal_point(lexemes);
    if has_other_separator {
        return if is_list {
            Comma::Uncertain
        } else {
            Comma::Decimal
        };
    }
    let is_labelled = lexemes.iter().any(|lexeme| lexeme.kind == LexemeKind::Sign);
    if is_labelled && runs.iter().any(is_grouped) {
        return Comma::Uncertain;
    }
    if is_list || has_comma_before_sign(lexemes) {
        return Comma::Separator;
    }
    let decimal = if runs.iter().all(is_like_thousands) {
        Comma::Uncertain
    } else {
        Comma::Decimal
    };
    match is_labelled {
        true if has_tight_comma_before_word(lexemes) => Comma::Uncertain,
        true => decimal,
        false => meaning_between_words(&runs, lexemes, decimal),
    }
}

/// Decides for a line without labels, in which every run is of the form `23,9`.
fn meaning_between_words(runs: &[Run<'_>], lexemes: &[Lexeme<'_>], decimal: Comma) -> Comma {
    let in_runs = runs.len() * 3;
    let is_comma = |lexeme: &&Lexeme<'_>| lexeme.kind == LexemeKind::Separator(',');
    let other_commas = lexemes.iter().filter(is_comma).count() - runs.len();
    let others = lexemes.len() - in_runs - other_commas;
    let has_unit = runs.iter().any(|run| run.has_unit);
    if other_commas > 0 {
        // `1,5, 2,5` may be two numbers or four; `1,5, 2` was written without care.
        let is_all_pairs = others == 0 && runs.len() == other_commas + 1 && runs.len() > 1;
        return if is_all_pairs {
            Comma::Uncertain
        } else {
            Comma::Separator
        };
    }
    let stray_numbers = lexemes
        .iter()
        .filter(|lexeme| lexeme.measure().is_some())
        .count()
        - runs.len() * 2;
    match (runs.len(), others) {
        (1, 0) if !has_unit => Comma::Separator,
        _ if stray_numbers > 0 && !has_unit => Comma::Uncertain,
        _ => decimal,
    }
}

/// Finds the digits with commas between them: numbers and commas in turn, nothing else between.
fn runs<'a>(text: &'a str, lexemes: &[Lexeme<'a>]) -> Vec<Run<'a>> {
    let mut runs: Vec<Run<'a>> = Vec::new();
    let mut at = 0;
    while at < lexemes.len() {
        let first = at;
        while continues(lexemes, at) {
            at += 2;
        }
        if let Some(last) = lexemes[at].measure().filter(|_| at > first) {
            runs.push(Run {
                count: (at - first) / 2 + 1,
                digits: &text[lexemes[first].start..lexemes[at].start + last.digits],
                has_unit: last.has_unit,
            });
        }
        at += 1;
    }
    runs
}

/// Returns true if the number at `at` is followed by a comma and a number without a sign, with no
/// blank between them.
pub(super) fn continues(lexemes: &[Lexeme<'_>], at: usize) -> bool {
    let [number, comma, next, ..] = &lexemes[at.min(lexemes.len())..] else {
        return false;
    };
    let begins_with_digit = next.text.starts_with(|c: char| c.is_ascii_digit());
    number.measure().is_some_and(|it| !it.has_unit)
        && comma.kind == LexemeKind::Separator(',')
        && comma.is_tight
        && next.is_tight
        && next.measure().is_some()
        && begins_with_digit
}

/// Returns true if a number of the line has a decimal point.
fn has_decimal_point(lexemes: &[Lexeme<'_>]) -> bool {
    let mut numbers = lexemes
        .iter()
        .filter_map(|it| Some((it.text, it.measure()?)));
    numbers.any(|(text, measure)| text[..measure.digits].contains('.'))
}

/// Returns true if a comma stands right before a signed number: `1,-2`.
fn has_comma_before_sign(lexemes: &[Lexeme<'_>]) -> bool {
    lexemes.windows(2).any(|pair| {
        pair[0].kind == LexemeKind::Separator(',')
            && pair[1].is_tight
            && pair[1].measure().is_some()
            && pair[1].text.starts_with(['+', '-'])
    })
}

/// Returns true if a comma stands right before a word: `a:1,b:2`.
fn has_tight_comma_before_word(lexemes: &[Lexeme<'_>]) -> bool {
    lexemes.windows(2).any(|pair| {
        pair[0].kind == LexemeKind::Separator(',')
            && pair[1].is_tight
            && pair[1].measure().is_none()
    })
}

/// Returns true for `12,345`, which some write for twelve thousand and others for twelve and a bit.
fn is_like_thousands(run: &Run<'_>) -> bool {
    let (whole, fraction) = run.digits.split_once(',').unwrap_or((run.digits, ""));
    let whole = whole.trim_start_matches(['+', '-', ' ']);
    fraction.len() == 3 && whole.len() <= 3 && !whole.starts_with('0')
}

/// Returns true for `1,234.50`, which may be one number with its thousands apart.
fn is_grouped(run: &Run<'_>) -> bool {
    let Some((whole, fraction)) = run.digits.rsplit_once('.') else {
        return false;
    };
    let mut groups = whole.split(',').skip(1);
    !fraction.contains(',') && run.count > 1 && groups.all(|group| group.len() == 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Comma) {
        assert_eq!(read(text).1, expected, "{text}");
    }

    #[test]
    fn a_comma_alone_between_numbers_separates_them() {
        check("512,3", Comma::Separator);
        check("512,300,1", Comma::Separator);
        check("512,3, 0", Comma::Separator);
        check("1,-2", Comma::Separator);
        check("21.5,40", Comma::Separator);
    }

    #[test]
    fn a_comma_beside_another_separator_or_a_label_is_decimal() {
        check("23,9;40,2", Comma::Decimal);
        check("23,9\t40", Comma::Decimal);
        check("Temp: 23,9", Comma::Decimal);
        check("Temp 23,9", Comma::Decimal);
        check("T: 21,5, H: 40,25", Comma::Decimal);
        check("21,5 40,2", Comma::Decimal);
        check("23,9 °C", Comma::Decimal);
    }

    #[test]
    fn a_comma_is_uncertain_where_it_could_be_both() {
        check("Count: 12,345", Comma::Uncertain);
        check("a:1,5,b:2,5", Comma::Uncertain);
        check("1,5, 2,5", Comma::Uncertain);
        check("1,2,3;4,5,6", Comma::Uncertain);
        check("12,345 kg", Comma::Uncertain);
        check("Total: 1,234.50", Comma::Uncertain);
    }
}
