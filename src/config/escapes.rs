//! Bytes as text with escapes, as users type them: `*IDN?\n`, `\x01\x03`.

use bytes::Bytes;

/// The end of a sentence that says which escapes there are.
const KNOWN: &str = r"expected \n, \r, \t, \0, \\, or \x and two hex digits";

/// Reads text with escapes.
///
/// # Errors
/// The sentence for the user.
pub(super) fn read(text: &str) -> Result<Bytes, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        let Some((byte, length)) = escaped(after) else {
            let wrong: String = after.chars().take(1).collect();
            return Err(format!("\\{wrong} is no escape: {KNOWN}"));
        };
        bytes.push(byte);
        rest = &after[length..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes.into())
}

/// Returns the byte for which the text behind a backslash stands, and the length of that text.
fn escaped(text: &str) -> Option<(u8, usize)> {
    let byte = match text.chars().next()? {
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        '0' => 0,
        '\\' => b'\\',
        'x' => {
            let digits = text.get(1..3)?;
            let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            let byte = u8::from_str_radix(digits, 16).ok().filter(|_| is_hex)?;
            return Some((byte, 3));
        }
        _ => return None,
    };
    Some((byte, 1))
}

/// Writes bytes as [`read`] reads them.
pub(crate) fn show(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\n' => text.push_str(r"\n"),
                '\r' => text.push_str(r"\r"),
                '\t' => text.push_str(r"\t"),
                '\\' => text.push_str(r"\\"),
                c if c.is_control() => {
                    let mut buffer = [0; 4];
                    push_hex(c.encode_utf8(&mut buffer).as_bytes(), &mut text);
                }
                c => text.push(c),
            }
        }
        push_hex(chunk.invalid(), &mut text);
    }
    text
}

fn push_hex(bytes: &[u8], text: &mut String) {
    text.extend(bytes.iter().map(|byte| format!("\\x{byte:02x}")));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_escape_stands_for_one_byte() {
        assert_eq!(
            read(r"*IDN?\r\n\t\\\0\x01\xfFé"),
            Ok(Bytes::from_static(b"*IDN?\r\n\t\\\0\x01\xff\xc3\xa9"))
        );
        for wrong in [r"\", r"a\q", r"\x", r"\x1", r"\x+1", r"\xé1", r"\é"] {
            let error = read(wrong).unwrap_err();
            assert!(error.contains("is no escape: expected \\n"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_and_has_no_control_characters(
            bytes in prop::collection::vec(any::<u8>(), 0..20)
        ) {
            let shown = show(&bytes);
            prop_assert_eq!(read(&shown), Ok(Bytes::from(bytes)), "{}", &shown);
            prop_assert!(!shown.chars().any(char::is_control), "{:?}", shown);
        }
    }
}
