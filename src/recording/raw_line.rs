//! The lines of a recording as they stand there, of a bounded length, whatever the file holds.

use std::io::{self, BufRead};

use super::MAX_LINE_BYTES;

/// A line of a file, which may be no recording at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RawLine<'a> {
    /// A line without its line end.
    Whole(&'a [u8]),
    /// The last line, which has no line end: it was torn when writing ended, or is being written.
    Torn(&'a [u8]),
    /// A line of so many bytes, which is more than [`MAX_LINE_BYTES`]. It was skipped.
    TooLong(u64),
}

/// Reads the next line. It is kept in `buffer`, which grows to [`MAX_LINE_BYTES`] at most. Returns
/// None at the end.
///
/// # Errors
/// If the file cannot be read, or its compressed form is damaged or ends too soon.
pub fn next_line<'a>(
    file: &mut impl BufRead,
    buffer: &'a mut Vec<u8>,
) -> io::Result<Option<RawLine<'a>>> {
    buffer.clear();
    let mut skipped = 0;
    loop {
        let available = match file.fill_buf() {
            Ok(available) => available,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let (part, end) = match memchr::memchr(b'\n', available) {
            Some(end) => (&available[..end], Some(end)),
            None => (available, None),
        };
        let is_over = available.is_empty();
        let used = part.len() + usize::from(end.is_some());
        if skipped > 0 || buffer.len() + part.len() > MAX_LINE_BYTES {
            skipped += (std::mem::take(buffer).len() + part.len()) as u64;
        } else {
            buffer.extend_from_slice(part);
        }
        file.consume(used);
        if end.is_some() || is_over {
            return Ok(match (skipped, end) {
                (0, Some(_)) => Some(RawLine::Whole(buffer)),
                (0, None) if buffer.is_empty() => None,
                (0, None) => Some(RawLine::Torn(buffer)),
                (skipped, _) => Some(RawLine::TooLong(skipped)),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor, Read};

    use super::*;

    /// The same block again and again.
    struct BlockOf {
        block: Vec<u8>,
        left: u64,
    }

    impl Read for BlockOf {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            unreachable!("it is only read from its buffer")
        }
    }

    impl BufRead for BlockOf {
        fn fill_buf(&mut self) -> io::Result<&[u8]> {
            let available = self.left.min(self.block.len() as u64) as usize;
            Ok(&self.block[..available])
        }

        fn consume(&mut self, count: usize) {
            self.left -= count as u64;
        }
    }

    #[test]
    fn a_line_is_whole_torn_or_the_end() {
        // Reads of three bytes cut lines everywhere.
        let mut file = BufReader::with_capacity(3, Cursor::new("one\n\ntwo\r\nthr"));
        let mut buffer = Vec::new();
        let mut next = || {
            let line = next_line(&mut file, &mut buffer).unwrap();
            line.map(|line| match line {
                RawLine::Whole(line) => (true, String::from_utf8_lossy(line).into_owned()),
                RawLine::Torn(line) => (false, String::from_utf8_lossy(line).into_owned()),
                RawLine::TooLong(_) => panic!("{line:?}"),
            })
        };
        assert_eq!(next(), Some((true, "one".to_owned())));
        assert_eq!(next(), Some((true, String::new())));
        assert_eq!(next(), Some((true, "two\r".to_owned())));
        assert_eq!(next(), Some((false, "thr".to_owned())));
        assert_eq!(next(), None);
        assert_eq!(next(), None);
    }

    #[test]
    fn a_line_of_a_gibibyte_takes_no_memory() {
        const LENGTH: u64 = 1 << 30;
        let mut file = BlockOf {
            block: vec![b'x'; 1 << 20],
            left: LENGTH,
        }
        .chain(Cursor::new("\nnext\n"));
        let mut buffer = Vec::new();
        let line = next_line(&mut file, &mut buffer).unwrap();
        assert_eq!(line, Some(RawLine::TooLong(LENGTH)));
        assert!(buffer.capacity() <= 2 * MAX_LINE_BYTES);
        let line = next_line(&mut file, &mut buffer).unwrap();
        assert_eq!(line, Some(RawLine::Whole(b"next")));
    }

    #[test]
    fn the_longest_line_is_taken_and_one_byte_more_is_not() {
        for (length, expected) in [
            (MAX_LINE_BYTES, None),
            (MAX_LINE_BYTES + 1, Some(MAX_LINE_BYTES as u64 + 1)),
        ] {
            let mut file = Cursor::new([vec![b'x'; length], vec![b'\n']].concat());
            let mut buffer = Vec::new();
            let line = next_line(&mut file, &mut buffer).unwrap().unwrap();
            let skipped = match line {
                RawLine::TooLong(skipped) => Some(skipped),
                RawLine::Whole(_) | RawLine::Torn(_) => None,
            };
            assert_eq!(skipped, expected);
        }
    }
}
