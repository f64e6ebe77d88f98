//! Text files as editors and shells write them: with a byte order mark or without, and in UTF-16, as
//! `>` does in Windows PowerShell.

use std::fs;
use std::io;
use std::path::Path;

/// Reads a file of text.
///
/// # Errors
/// Where it cannot be read, or is neither UTF-8 nor marked as UTF-16.
pub(crate) fn read(path: &Path) -> io::Result<String> {
    decode(&fs::read(path)?).ok_or_else(|| io::Error::other("it is not text in UTF-8. Save it so"))
}

fn decode(bytes: &[u8]) -> Option<String> {
    match bytes {
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xEF, 0xBB, 0xBF, rest @ ..] | rest => String::from_utf8(rest.to_vec()).ok(),
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    let (pairs, rest) = bytes.as_chunks();
    let units: Vec<_> = pairs.iter().copied().map(unit).collect();
    String::from_utf16(&units).ok().filter(|_| rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_however_it_was_saved() {
        let text = "web = \"Gänge\"";
        let little: Vec<_> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<_> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let marked = |mark: &[u8], bytes: &[u8]| decode(&[mark, bytes].concat());
        assert_eq!(decode(text.as_bytes()).as_deref(), Some(text));
        assert_eq!(
            marked(b"\xEF\xBB\xBF", text.as_bytes()).as_deref(),
            Some(text)
        );
        assert_eq!(marked(b"\xFF\xFE", &little).as_deref(), Some(text));
        assert_eq!(marked(b"\xFE\xFF", &big).as_deref(), Some(text));
        assert_eq!(decode(b""), Some(String::new()));
        assert_eq!(decode(b"gr\xfcn"), None);
        assert_eq!(marked(b"\xFF\xFE", b"odd"), None);
    }
}
