//! Classifies a line by its first byte, and counts the fields of a row. This runs for every line, so
//! it takes few instructions; eight bytes are compared at once where that pays.

/// The class of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineClass {
    /// Nothing can be seen in it.
    Blank,
    /// It begins with a number.
    Row,
    /// It begins with a letter, so it may be a header.
    Text,
    /// Anything else.
    Other,
}

/// The class of a line by its first byte; None where others must be looked at.
static CLASSES: [Option<LineClass>; 256] = {
    let mut classes = [Some(LineClass::Other); 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'0'..=b'9' | b'+' | b'-' | b'.' => Some(LineClass::Row),
            // Blanks and colours stand before other bytes; "nan" and a number in quotes begin a row.
            0..=b' ' | 0x7f | b'"' | b'n' | b'N' | b'i' | b'I' | b'o' | b'O' => None,
            b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'#' | b'\'' | 0x80.. => Some(LineClass::Text),
            _ => Some(LineClass::Other),
        };
        byte += 1;
    }
    classes
};

/// Returns the class of a line.
#[inline]
pub(super) fn of(line: &[u8]) -> LineClass {
    let Some(first) = line.first() else {
        return LineClass::Blank;
    };
    CLASSES[usize::from(*first)].unwrap_or_else(|| of_visible(line))
}

/// Returns the class of a line whose first byte does not tell it.
#[inline(never)]
fn of_visible(line: &[u8]) -> LineClass {
    match visible(line) {
        [] => LineClass::Blank,
        [b'"', b'0'..=b'9' | b'+' | b'-' | b'.', ..] => LineClass::Row,
        line if is_missing(line) => LineClass::Row,
        [first, ..] => CLASSES[usize::from(*first)].unwrap_or(LineClass::Text),
    }
}

/// Returns true if a line begins with "nan" or the like.
fn is_missing(line: &[u8]) -> bool {
    let Some((word, rest)) = line.split_at_checked(3) else {
        return false;
    };
    let is_word = [b"nan", b"inf", b"ovf"]
        .iter()
        .any(|it| word.eq_ignore_ascii_case(*it));
    is_word && !rest.first().is_some_and(u8::is_ascii_alphabetic)
}

/// Returns a line from its first visible byte on: after blanks, control characters and colours.
fn visible(mut line: &[u8]) -> &[u8] {
    loop {
        match line {
            [0x1b, b'[', rest @ ..] => {
                let end = rest.iter().position(|byte| !(b' '..=b'?').contains(byte));
                line = &rest[end.map_or(rest.len(), |end| end + 1)..];
            }
            [0..=b' ' | 0x7f, rest @ ..] => line = rest,
            _ => return line,
        }
    }
}

/// Returns true if a row has so many fields: one separator between each two, or one more at its end.
/// Several blanks are one separator.
#[inline(never)]
pub(super) fn has_fields(row: &[u8], separator: u8, fields: usize) -> bool {
    if separator == b' ' {
        return count_words(row) == fields;
    }
    let separators = count(row, separator);
    separators + 1 == fields || separators == fields && is_closed(row, separator)
}

/// Returns true if a separator is the last that can be seen of a row.
#[inline(never)]
fn is_closed(row: &[u8], separator: u8) -> bool {
    let is_blank = |byte: &u8| *byte <= b' ' && *byte != separator;
    let end = row.iter().rposition(|byte| !is_blank(byte));
    end.is_some_and(|end| row[end] == separator)
}

/// The lowest and the highest bit of each of eight bytes.
const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = LOW << 7;

/// Counts the bytes of `row` that are `wanted`, which is not NUL.
#[inline(always)]
fn count(row: &[u8], wanted: u8) -> usize {
    let pattern = u64::from(wanted) * LOW;
    let mut sum = 0;
    each_eight_bytes(row, |bytes| {
        let different = bytes ^ pattern;
        // The highest bit of each byte that is not zero (Hacker's Delight, section 6-1).
        let is_different = ((different & !HIGH) + !HIGH) | different;
        sum += count_bytes(!is_different & HIGH);
    });
    sum
}

/// Counts the words of `row`: visible bytes after a blank or at the beginning.
#[inline(never)]
fn count_words(row: &[u8]) -> usize {
    let mut was_visible = 0;
    let mut sum = 0;
    each_eight_bytes(row, |bytes| {
        let above_blank = 0x7f - u64::from(b' ');
        let is_visible = (((bytes & !HIGH) + above_blank * LOW) | bytes) & HIGH;
        sum += count_bytes(is_visible & !((is_visible << 8) | was_visible));
        was_visible = is_visible >> 56;
    });
    sum
}

/// Counts the bytes whose highest bit is set; no other bit is.
#[inline]
fn count_bytes(bits: u64) -> usize {
    ((bits >> 7).wrapping_mul(LOW) >> 56) as usize
}

/// Passes on eight bytes at a time, the first one lowest; the last ones with zeros after them.
#[inline(always)]
fn each_eight_bytes(row: &[u8], mut take: impl FnMut(u64)) {
    let mut rest = row;
    while let Some((bytes, after)) = rest.split_first_chunk::<8>() {
        take(u64::from_le_bytes(*bytes));
        rest = after;
    }
    let bytes = match row.last_chunk::<8>() {
        _ if rest.is_empty() => return,
        Some(last) => u64::from_le_bytes(*last) >> (64 - 8 * rest.len()),
        None => rest
            .iter()
            .rev()
            .fold(0, |bytes, byte| (bytes << 8) | u64::from(*byte)),
    };
    take(bytes);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_visible_byte_tells_the_class() {
        for (line, class) in [
            ("512", LineClass::Row),
            ("\x1b[32m-1", LineClass::Row),
            ("\0\0 .5", LineClass::Row),
            ("nan,1", LineClass::Row),
            ("\"21\"", LineClass::Row),
            ("name", LineClass::Text),
            ("\"name\"", LineClass::Text),
            ("é", LineClass::Text),
            ("{}", LineClass::Other),
            (" \t", LineClass::Blank),
            ("", LineClass::Blank),
        ] {
            assert_eq!(of(line.as_bytes()), class, "{line:?}");
        }
    }

    proptest! {
        #[test]
        fn eight_bytes_at_a_time_count_as_one_by_one(
            row in prop::collection::vec(prop::sample::select(&b"a1, \t\x80\xff!"[..]), 0..900),
        ) {
            let commas = row.iter().filter(|byte| **byte == b',').count();
            prop_assert_eq!(count(&row, b','), commas);
            let words = row.split(|byte| *byte <= b' ').filter(|word| !word.is_empty()).count();
            prop_assert_eq!(count_words(&row), words);
        }
    }
}
