//! Cuts a byte stream into lines, the same lines however its bytes arrive.

use bytes::Bytes;
use memchr::memchr_iter;

use super::Framer;
use crate::hub::{Data, Extent, Frames, IncompleteUtf8, Piece, incomplete_suffix};

/// Cuts at line ends.
///
/// A line ends with `\n` or `\r\n`; neither belongs to it. A line longer than the limit is cut
/// into pieces, so that a device that never ends a line costs bounded memory.
pub struct LineFramer {
    max_line: usize,
    line: Vec<u8>,
    /// The share of its line that the next frame is, if the line ends well: a piece if others have
    /// been delivered already, a fragment if its beginning was not seen.
    extent: Extent,
    split: IncompleteUtf8,
}

impl Framer for LineFramer {
    fn begin(&mut self, starts_whole: bool) {
        self.extent = if starts_whole {
            Extent::Whole
        } else {
            Extent::Fragment
        };
    }

    fn push(&mut self, chunk: Bytes) -> Data {
        let split = self.split;
        self.split = split.after(&chunk);
        let known = self.line.len();
        let text = if known == 0 {
            chunk.clone()
        } else {
            joined(&self.line, &chunk)
        };
        let mut pieces = Vec::new();
        let rest = self.cut_lines(&text, known, &mut pieces);
        let frames = if pieces.is_empty() {
            self.line.extend_from_slice(&chunk);
            Frames::default()
        } else {
            self.line.clear();
            self.line.extend_from_slice(&text[rest..]);
            Frames::new(text.slice(..rest), pieces)
        };
        Data {
            chunk,
            frames,
            split,
        }
    }

    fn cut(&mut self) -> Option<Data> {
        let line = std::mem::take(&mut self.line);
        let split = std::mem::take(&mut self.split);
        if line.is_empty() && split.is_empty() {
            return None;
        }
        let mut pieces = Vec::new();
        if !line.is_empty() {
            self.extent = Extent::Fragment;
            pieces.push(self.piece(&line, 0, line.len()));
        }
        let frames = Frames::new(line.into(), pieces);
        Some(Data {
            chunk: Bytes::new(),
            frames,
            split,
        })
    }
}

impl LineFramer {
    /// Delivers lines longer than `max_line` bytes in pieces.
    pub fn new(max_line: usize) -> Self {
        Self {
            max_line,
            line: Vec::new(),
            extent: Extent::Whole,
            split: IncompleteUtf8::default(),
        }
    }

    /// Appends what `text` completes to `pieces`; no line ends before `known`. Returns where the
    /// unfinished rest begins.
    fn cut_lines(&mut self, text: &[u8], known: usize, pieces: &mut Vec<Piece>) -> usize {
        let mut start = 0;
        for newline in memchr_iter(b'\n', &text[known..]).map(|at| known + at) {
            start = self.cut_overlong(text, start, newline, pieces);
            let end = newline - usize::from(text[start..newline].ends_with(b"\r"));
            pieces.push(self.piece(text, start, end));
            self.extent = Extent::Whole;
            start = newline + 1;
        }
        self.cut_overlong(text, start, text.len(), pieces)
    }

    /// Cuts full pieces off the line at `start..end`; returns where its rest begins.
    fn cut_overlong(
        &mut self,
        text: &[u8],
        mut start: usize,
        end: usize,
        pieces: &mut Vec<Piece>,
    ) -> usize {
        while self.is_over_long(&text[start..end]) {
            if self.extent == Extent::Whole {
                self.extent = Extent::Piece;
            }
            let full = &text[start..start + self.max_line];
            let cut = start + full.len() - incomplete_suffix(full);
            pieces.push(self.piece(text, start, cut));
            start = cut;
        }
        start
    }

    /// A carriage return just past the limit may yet turn out to belong to the line end.
    fn is_over_long(&self, line: &[u8]) -> bool {
        line.len() > self.max_line && !(line.len() == self.max_line + 1 && line.ends_with(b"\r"))
    }

    fn piece(&self, text: &[u8], start: usize, end: usize) -> Piece {
        Piece {
            start: start as u32,
            end: end as u32,
            extent: self.extent,
            utf8: std::str::from_utf8(&text[start..end]).is_ok(),
        }
    }
}

/// Both parts in an allocation without spare room, since it may be kept as history.
fn joined(line: &[u8], chunk: &[u8]) -> Bytes {
    let mut text = Vec::with_capacity(line.len() + chunk.len());
    text.extend_from_slice(line);
    text.extend_from_slice(chunk);
    text.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Line = (Vec<u8>, Extent);

    fn frame(max_line: usize, chunks: &[&[u8]]) -> Vec<Line> {
        let mut framer = LineFramer::new(max_line);
        let mut data: Vec<Data> = chunks
            .iter()
            .map(|chunk| framer.push(Bytes::copy_from_slice(chunk)))
            .collect();
        data.extend(framer.cut());
        data.iter()
            .flat_map(|data| {
                data.frames
                    .iter()
                    .map(|frame| (frame.bytes.to_vec(), frame.extent))
            })
            .collect()
    }

    #[track_caller]
    fn check(max_line: usize, chunks: &[&[u8]], expected: &[(&str, Extent)]) {
        let lines = frame(max_line, chunks);
        let shown: Vec<_> = lines
            .iter()
            .map(|(line, extent)| (str::from_utf8(line).unwrap(), *extent))
            .collect();
        assert_eq!(shown, expected);
    }

    use Extent::{Fragment, Piece as Part, Whole};

    #[test]
    fn a_line_ends_with_lf_or_crlf() {
        check(
            99,
            &[b"a\nb\r\nc\n"],
            &[("a", Whole), ("b", Whole), ("c", Whole)],
        );
        check(99, &[b"a\r", b"\nb"], &[("a", Whole), ("b", Fragment)]);
        check(
            99,
            &[b"a\rb\n\n\r\n"],
            &[("a\rb", Whole), ("", Whole), ("", Whole)],
        );
    }

    #[test]
    fn a_line_may_come_in_many_chunks() {
        check(
            99,
            &[b"3", b"0", b"", b"0,1", b"2\n9"],
            &[("300,12", Whole), ("9", Fragment)],
        );
    }

    #[test]
    fn a_line_over_the_limit_comes_in_pieces() {
        check(
            4,
            &[b"abcdefghij\nk\n"],
            &[("abcd", Part), ("efgh", Part), ("ij", Part), ("k", Whole)],
        );
        check(
            4,
            &[b"abcd\r", b"\n", b"abcd\n"],
            &[("abcd", Whole), ("abcd", Whole)],
        );
        check(4, &[b"abcde\r\n"], &[("abcd", Part), ("e", Part)]);
    }

    #[test]
    fn a_piece_never_splits_a_character() {
        check(
            4,
            &["abcé\nabé\n".as_bytes()],
            &[("abc", Part), ("é", Part), ("abé", Whole)],
        );
    }

    #[test]
    fn a_line_whose_beginning_was_missed_is_a_fragment() {
        let mut framer = LineFramer::new(99);
        framer.begin(false);
        let data = framer.push(Bytes::from_static(b"ello\nhello\n"));
        let extents: Vec<_> = data.frames.iter().map(|frame| frame.extent).collect();
        assert_eq!(extents, [Fragment, Whole]);
    }

    proptest! {
        /// However the input is cut, the frames are the same, and the chunks joined are the input.
        #[test]
        fn framing_does_not_depend_on_how_the_input_is_cut(
            input in prop::collection::vec(
                prop_oneof![Just(b'\n'), Just(b'\r'), Just(b'a'), Just(0xc3), Just(0xa9), any::<u8>()],
                0..200,
            ),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
            max_line in 4_usize..20,
        ) {
            let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
            ends.extend([0, input.len()]);
            ends.sort_unstable();
            let chunks: Vec<&[u8]> = ends.windows(2).map(|pair| &input[pair[0]..pair[1]]).collect();
            prop_assert_eq!(frame(max_line, &chunks), frame(max_line, &[&input]));

            let mut framer = LineFramer::new(max_line);
            let seen: Vec<u8> = chunks
                .iter()
                .flat_map(|chunk| framer.push(Bytes::copy_from_slice(chunk)).chunk)
                .collect();
            prop_assert_eq!(&seen, &input);
        }

        /// Frames hold every byte but line ends, and never more than the limit.
        #[test]
        fn framing_loses_nothing_but_line_ends(
            input in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'a'), any::<u8>()], 0..200),
            max_line in 4_usize..20,
        ) {
            let lines = frame(max_line, &[&input]);
            let kept: Vec<u8> = lines.iter().flat_map(|(line, _)| line.clone()).collect();
            let unterminated = lines.last().filter(|_| !input.ends_with(b"\n"));
            prop_assert!(lines.iter().all(|(line, _)| line.len() <= max_line + 1));
            let mut expected = Vec::new();
            for line in input.split_inclusive(|&byte| byte == b'\n') {
                expected.extend_from_slice(
                    line.strip_suffix(b"\r\n").or(line.strip_suffix(b"\n")).unwrap_or(line),
                );
            }
            prop_assert_eq!(kept, expected);
            prop_assert!(unterminated.is_none_or(|(_, extent)| *extent == Fragment) || input.is_empty());
        }
    }
}
