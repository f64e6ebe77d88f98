//! UTF-8 characters that the borders of chunks cut in two. Pure.

/// The first one to three bytes of a UTF-8 character whose rest has not come yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IncompleteUtf8 {
    bytes: [u8; 3],
    len: u8,
}

impl IncompleteUtf8 {
    /// The incomplete character at the end of `chunk`, which comes after this one.
    pub fn after(self, chunk: &[u8]) -> Self {
        let mut tail = [0; 6];
        let known = self.as_bytes().len();
        tail[..known].copy_from_slice(self.as_bytes());
        let new = &chunk[chunk.len().saturating_sub(3)..];
        let end = known + new.len();
        tail[known..end].copy_from_slice(new);
        // After more than three bytes, those before them cannot be part of an incomplete character.
        let tail = if chunk.len() > 3 {
            &tail[known..end]
        } else {
            &tail[..end]
        };
        let len = incomplete_suffix(tail);
        let mut bytes = [0; 3];
        bytes[..len].copy_from_slice(&tail[tail.len() - len..]);
        Self {
            bytes,
            len: len as u8,
        }
    }

    /// The bytes of the character so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// Returns true if no character is incomplete.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// The number of bytes at the end of `text` that begin a UTF-8 character without completing it.
pub fn incomplete_suffix(text: &[u8]) -> usize {
    (1..=text.len().min(3))
        .find(|&len| {
            let tail = &text[text.len() - len..];
            std::str::from_utf8(tail)
                .is_err_and(|e| e.valid_up_to() == 0 && e.error_len().is_none())
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(chunks: &[&[u8]], expected: &[u8]) {
        let split = chunks
            .iter()
            .fold(IncompleteUtf8::default(), |split, chunk| split.after(chunk));
        assert_eq!(split.as_bytes(), expected);
    }

    #[test]
    fn an_incomplete_character_is_kept_until_it_is_whole() {
        check(&[b"abc"], b"");
        check(&[b"caf\xc3"], b"\xc3");
        check(&[b"\xf0\x9f", b"\x98"], b"\xf0\x9f\x98");
        check(&[b"\xf0\x9f", b"\x98", b"\x80"], b"");
        check(&[b"\xf0\x9f", b"x\xc3"], b"\xc3");
        check(&[b"\xe2", b"\x82\xac\xe2\x82"], b"\xe2\x82");
    }

    #[test]
    fn what_can_never_become_a_character_is_not_waited_for() {
        check(&[b"\xff"], b"");
        check(&[b"\xc3", b"\xc3"], b"\xc3");
        check(&[b"\x80\x80\x80"], b"");
        check(&[b"\xed\xa0"], b"");
    }
}
