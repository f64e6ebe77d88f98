//! Decimal numbers in text, kept digit by digit: what a line says is what a client gets.

/// Digits of one number. A longer run of digits is a code or a key, and no value.
const MAX_DIGITS: usize = 40;

/// A number as the text of a JSON number. Its digits stand in the line in this order; only zeros
/// that JSON asks for are added (`.5` is `0.5`), and zeros that it forbids are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decimal(Box<str>);

/// The mark between the whole part of a number and its fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DecimalMark {
    /// A point only; a comma ends the number.
    Point,
    /// A point or a comma.
    PointOrComma,
}

/// A number at the beginning of a text.
#[derive(Debug, PartialEq)]
pub(super) struct Scanned {
    /// Its bytes in the text.
    pub(super) len: usize,
    /// The number; None where it is too large for a double, and so no number to calculate with.
    pub(super) number: Option<Decimal>,
}

impl Decimal {
    /// Returns the number as JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Reads the number that `text` begins with: a sign, digits with at most one decimal mark, and an
/// exponent. What follows it is for the caller to judge.
pub(super) fn scan(text: &str, mark: DecimalMark) -> Option<Scanned> {
    let (sign, unsigned) = split_sign(text);
    let whole = digits(unsigned);
    let after_whole = &unsigned[whole.len()..];
    let has_mark = after_whole.starts_with('.')
        || (mark == DecimalMark::PointOrComma && after_whole.starts_with(',') && !whole.is_empty());
    let fraction = if has_mark {
        digits(&after_whole[1..])
    } else {
        ""
    };
    // `5.` is a number, `5,` one with a separator after it.
    let has_mark = has_mark && (!fraction.is_empty() || after_whole.starts_with('.'));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mantissa = whole.len() + usize::from(has_mark) + fraction.len();
    let exponent = exponent(&unsigned[mantissa..]);
    let digits = whole.len() + fraction.len() + exponent.len();
    let json = json(sign == Sign::Minus, whole, fraction, exponent);
    let is_finite = json.parse::<f64>().is_ok_and(f64::is_finite);
    (digits <= MAX_DIGITS).then(|| Scanned {
        len: text.len() - unsigned.len() + mantissa + exponent.len(),
        number: is_finite.then(|| Decimal(json.into())),
    })
}

/// The sign of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    Plus,
    Minus,
}

/// Splits a sign off, and the blanks that scales print after it.
fn split_sign(text: &str) -> (Sign, &str) {
    match text.as_bytes().first() {
        Some(b'-') => (Sign::Minus, text[1..].trim_start_matches(' ')),
        Some(b'+') => (Sign::Plus, text[1..].trim_start_matches(' ')),
        _ => (Sign::Plus, text),
    }
}

/// Returns the digits that `text` begins with.
fn digits(text: &str) -> &str {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit());
    &text[..end.unwrap_or(text.len())]
}

/// Returns the exponent that `text` begins with, such as `e-3`.
fn exponent(text: &str) -> &str {
    let Some(rest) = text.strip_prefix(['e', 'E']) else {
        return "";
    };
    let unsigned = rest.strip_prefix(['+', '-']).unwrap_or(rest);
    match digits(unsigned).len() {
        0 => "",
        count => &text[..text.len() - unsigned.len() + count],
    }
}

/// Joins the parts of a number as JSON writes them.
fn json(is_negative: bool, whole: &str, fraction: &str, exponent: &str) -> String {
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        significant => significant,
    };
    let sign = if is_negative { "-" } else { "" };
    let point = if fraction.is_empty() { "" } else { "." };
    [sign, whole, point, fraction, exponent].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, mark: DecimalMark, expected: Option<(&str, usize)>) {
        let scanned = scan(text, mark);
        let found = scanned.as_ref().map(|scanned| {
            let number = scanned.number.as_ref().map_or("null", Decimal::as_str);
            (number, scanned.len)
        });
        assert_eq!(found, expected, "{text}");
    }

    use DecimalMark::{Point, PointOrComma};

    #[test]
    fn a_number_keeps_its_digits() {
        check("512", Point, Some(("512", 3)));
        check("-2.50,7", Point, Some(("-2.50", 5)));
        check("1.5E+3 V", Point, Some(("1.5E+3", 6)));
        check("5e", Point, Some(("5", 1)));
        check("- 129.6", Point, Some(("-129.6", 7)));
    }

    #[test]
    fn json_has_no_plus_no_leading_zeros_and_no_bare_point() {
        check("+12", Point, Some(("12", 3)));
        check("0042", Point, Some(("42", 4)));
        check("000", Point, Some(("0", 3)));
        check("-.5", Point, Some(("-0.5", 3)));
        check("5.", Point, Some(("5", 2)));
    }

    #[test]
    fn a_comma_is_a_decimal_mark_where_it_is_said_to_be() {
        check("23,9", Point, Some(("23", 2)));
        check("23,9", PointOrComma, Some(("23.9", 4)));
        check("23,", PointOrComma, Some(("23", 2)));
        check(",5", PointOrComma, None);
    }

    #[test]
    fn what_a_double_cannot_hold_is_null_or_no_number() {
        check("1e999", Point, Some(("null", 5)));
        check(&"7".repeat(41), Point, None);
        check(".", Point, None);
        check("-", Point, None);
    }
}
