//! Cuts the input, typed or piped, into messages.

use std::io::{self, Read};
use std::string::FromUtf8Error;
use std::thread;

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio::runtime::Handle;
use tokio_tungstenite::tungstenite::Message;

use super::note;
use crate::platform::reason;
use crate::view::LineEnding;

/// Limits the length of a line that has to be one message. A longer one ends the client with an
/// error; bridges accept far less in one message.
const MAX_LINE_BYTES: usize = 1024 * 1024;
/// Bytes of a line that go out in one message, with its end less than bridges accept unless they
/// were told otherwise. A longer line goes out in several.
const MAX_PIECE_BYTES: usize = 64 * 1024 - 2;
/// Bytes that are read at once, and the longest message where there are no lines.
const BUFFER_BYTES: usize = 16 * 1024;

/// The end of the lines that go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineEnd {
    /// The end of the message, as for the json view: each line is one, without its own end.
    Message,
    /// The ending that the bridge adds to text. Bytes, to which it adds nothing, get it here.
    Added(LineEnding),
    /// The end that the line has in the input, or a newline if it has none.
    Kept,
    /// A newline, whatever the terminal sends for Enter.
    Newline,
}

/// Cuts an input into messages.
pub(crate) struct MessageReader<R> {
    reader: BufReader<R>,
    /// True if bytes go out as they are read; otherwise each line is a message.
    raw: bool,
    end: LineEnd,
    /// True in the middle of a line that was too long for one message.
    is_cut: bool,
    /// A carriage return that may belong to the end of such a line.
    held: Vec<u8>,
}

impl<R: AsyncRead + Unpin> MessageReader<R> {
    /// Reads lines, or bytes if the view is `raw`.
    pub(crate) fn new(reader: R, end: LineEnd, view: Option<&str>) -> MessageReader<R> {
        MessageReader {
            reader: BufReader::with_capacity(BUFFER_BYTES, reader),
            raw: view == Some("raw"),
            end,
            is_cut: false,
            held: Vec::new(),
        }
    }

    /// Ends the lines from now on like this.
    pub(crate) fn end_lines(&mut self, end: LineEnd) {
        self.end = end;
    }

    /// The next message, or nothing at the end of the input.
    pub(crate) async fn next(&mut self) -> Result<Option<Message>> {
        let next = if self.raw {
            self.chunk().await
        } else {
            self.line().await
        };
        next.context("cannot read the input")
    }

    /// Returns true if another message is there already, so that both can go out together.
    pub(crate) fn has_more(&self) -> bool {
        let waiting = self.reader.buffer();
        if self.raw {
            !waiting.is_empty()
        } else {
            memchr::memchr(b'\n', waiting).is_some()
        }
    }

    /// A line with its end: text, or bytes if it is not UTF-8. A line that is too long for a message
    /// goes out as bytes, in pieces.
    async fn line(&mut self) -> Result<Option<Message>> {
        let mut line = std::mem::take(&mut self.held);
        let is_message = self.end == LineEnd::Message;
        let max = if is_message {
            MAX_LINE_BYTES + 1
        } else {
            MAX_PIECE_BYTES
        };
        let mut limited = (&mut self.reader).take((max - line.len()) as u64);
        let has_ended = limited.read_until(b'\n', &mut line).await? == 0;
        if has_ended && line.is_empty() && !self.is_cut {
            return Ok(None);
        }
        if line.len() == max && !line.ends_with(b"\n") {
            ensure!(
                !is_message,
                "a line of it is longer than {MAX_LINE_BYTES} bytes. Try --raw"
            );
            if line.pop_if(|last| *last == b'\r').is_some() {
                self.held.push(b'\r');
            }
            self.is_cut = true;
            return Ok(Some(Message::binary(line)));
        }
        let is_cut = std::mem::take(&mut self.is_cut);
        self.end.finish(&mut line);
        let text = if is_cut {
            Err(line)
        } else {
            String::from_utf8(line).map_err(FromUtf8Error::into_bytes)
        };
        Ok(Some(match text {
            Ok(text) => Message::text(text),
            Err(mut bytes) => {
                if let LineEnd::Added(ending) = self.end {
                    bytes.extend_from_slice(ending.bytes());
                }
                Message::binary(bytes)
            }
        }))
    }

    async fn chunk(&mut self) -> Result<Option<Message>> {
        let chunk = self.reader.fill_buf().await?.to_vec();
        self.reader.consume(chunk.len());
        Ok((!chunk.is_empty()).then(|| Message::binary(chunk)))
    }
}

impl LineEnd {
    /// Gives a line of the input the end that it has in a text message.
    fn finish(self, line: &mut Vec<u8>) {
        if self == Self::Kept {
            if !line.ends_with(b"\n") {
                line.push(b'\n');
            }
            return;
        }
        if line.ends_with(b"\n") {
            line.truncate(line.len() - if line.ends_with(b"\r\n") { 2 } else { 1 });
        }
        if self == Self::Newline {
            line.push(b'\n');
        }
    }
}

/// Returns standard input, read on a thread of its own: tokio's would keep the program from ending
/// until somebody presses Enter.
///
/// # Panics
///
/// Outside a tokio runtime.
pub(crate) fn stdin() -> DuplexStream {
    let (reader, writer) = tokio::io::duplex(BUFFER_BYTES);
    let runtime = Handle::current();
    thread::spawn(move || {
        if let Err(error) = copy_stdin(writer, &runtime) {
            note(&format!("cannot read the input: {}", reason(&error)));
        }
    });
    reader
}

/// Copies until the input ends or nobody reads `writer` any more.
fn copy_stdin(mut writer: DuplexStream, runtime: &Handle) -> io::Result<()> {
    let mut stdin = io::stdin().lock();
    let mut bytes = vec![0; BUFFER_BYTES];
    loop {
        let length = match stdin.read(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            length => length?,
        };
        if length == 0
            || runtime
                .block_on(writer.write_all(&bytes[..length]))
                .is_err()
        {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn messages(input: &[u8], end: LineEnd, view: Option<&str>) -> Vec<Message> {
        let mut input = MessageReader::new(input, end, view);
        let mut messages = Vec::new();
        while let Some(message) = input.next().await.unwrap() {
            messages.push(message);
        }
        messages
    }

    async fn check(input: &str, end: LineEnd, expected: &[&str]) {
        let sent = messages(input.as_bytes(), end, None).await;
        let expected: Vec<_> = expected.iter().copied().map(Message::text).collect();
        assert_eq!(sent, expected, "{input:?}");
    }

    #[tokio::test]
    async fn each_line_is_a_message_without_its_end() {
        for end in [LineEnd::Message, LineEnd::Added(LineEnding::Lf)] {
            check("one\ntwo\r\n\nlast", end, &["one", "two", "", "last"]).await;
        }
    }

    #[tokio::test]
    async fn each_line_keeps_its_end_and_the_last_gets_one() {
        let kept = ["one\n", "two\r\n", "\n", "a\rb\n", "last\n"];
        check("one\ntwo\r\n\na\rb\nlast", LineEnd::Kept, &kept).await;
        check("one\n", LineEnd::Kept, &["one\n"]).await;
        check("", LineEnd::Kept, &[]).await;
    }

    #[tokio::test]
    async fn each_line_that_is_typed_ends_with_a_newline() {
        check("one\r\ntwo\n", LineEnd::Newline, &["one\n", "two\n"]).await;
    }

    #[tokio::test]
    async fn a_line_that_is_not_text_goes_out_as_bytes_with_its_ending() {
        for (end, ending) in [
            (LineEnd::Added(LineEnding::Crlf), b"\r\n".as_slice()),
            (LineEnd::Kept, b"\n"),
            (LineEnd::Message, b""),
        ] {
            let sent = messages(b"caf\xe9\ncafe", end, None).await;
            let expected = [b"caf\xe9".as_slice(), ending].concat();
            assert_eq!(sent[0], Message::binary(expected));
            assert!(sent[1].is_text());
        }
    }

    #[tokio::test]
    async fn a_long_line_goes_out_in_pieces_that_are_the_line() {
        for length in [0, 1, 2].map(|more| MAX_PIECE_BYTES - 2 + more) {
            for (ends, added) in [("\n", "\n"), ("\r\n", "\r\n"), ("", "\n")] {
                let line = "x".repeat(2 * MAX_PIECE_BYTES + length);
                let input = format!("{line}{ends}next\n");
                let last = ends.is_empty();
                let input = if last { &line } else { &input };
                let sent = messages(input.as_bytes(), LineEnd::Kept, None).await;
                assert!(sent.iter().all(|piece| piece.len() <= 64 * 1024));
                let sent: Vec<_> = sent.into_iter().flat_map(Message::into_data).collect();
                let rest = if last { "" } else { "next\n" };
                assert!(
                    sent == format!("{line}{added}{rest}").into_bytes(),
                    "{length}"
                );

                let sent = messages(input.as_bytes(), LineEnd::Added(LineEnding::Cr), None).await;
                let long = sent.iter().take_while(|piece| piece.is_binary());
                let long: Vec<_> = long.flat_map(|piece| piece.clone().into_data()).collect();
                assert!(long == format!("{line}\r").into_bytes(), "{length}");
            }
        }
    }

    #[tokio::test]
    async fn a_raw_input_stays_as_it_is() {
        let bytes: Vec<u8> = (0..100_000_u32).map(|n| n as u8).collect();
        let sent = messages(&bytes, LineEnd::Kept, Some("raw")).await;
        assert!(
            sent.iter()
                .all(|message| message.is_binary() && message.len() <= BUFFER_BYTES)
        );
        let sent: Vec<u8> = sent.into_iter().flat_map(Message::into_data).collect();
        assert_eq!(sent, bytes);
    }

    #[tokio::test]
    async fn a_message_without_end_is_an_error_and_not_a_growing_program() {
        let mut input = MessageReader::new(tokio::io::repeat(b'x'), LineEnd::Message, None);
        let error = input.next().await.unwrap_err();
        assert_eq!(
            format!("{error:#}"),
            "cannot read the input: a line of it is longer than 1048576 bytes. Try --raw"
        );
    }
}
