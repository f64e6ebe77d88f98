//! Cuts the input, typed or piped, into messages.

use std::io::{self, Read};
use std::thread;

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio::runtime::Handle;
use tokio_tungstenite::tungstenite::Message;

use super::note;
use crate::view::LineEnding;

/// Limits the length of a line. A longer one ends the client with an error; bridges accept far less
/// in one message.
const MAX_LINE_BYTES: usize = 1024 * 1024;
/// Bytes that are read at once, and the longest message where there are no lines.
const BUFFER_BYTES: usize = 16 * 1024;

/// Cuts an input into messages.
pub(crate) struct MessageReader<R> {
    reader: BufReader<R>,
    /// True if bytes go out as they are read; otherwise each line is a message.
    raw: bool,
    /// The ending of a line that goes out as bytes, to which the bridge appends nothing.
    ending: &'static [u8],
}

impl<R: AsyncRead + Unpin> MessageReader<R> {
    /// Reads lines, or bytes if the view is `raw`.
    pub(crate) fn new(
        reader: R,
        append: Option<LineEnding>,
        view: Option<&str>,
    ) -> MessageReader<R> {
        MessageReader {
            reader: BufReader::with_capacity(BUFFER_BYTES, reader),
            raw: view == Some("raw"),
            ending: append.map_or(b"", LineEnding::bytes),
        }
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

    /// A line without its end: text, or bytes if it is not UTF-8.
    async fn line(&mut self) -> Result<Option<Message>> {
        let mut line = Vec::new();
        let mut limited = (&mut self.reader).take(MAX_LINE_BYTES as u64 + 1);
        if limited.read_until(b'\n', &mut line).await? == 0 {
            return Ok(None);
        }
        ensure!(
            line.len() <= MAX_LINE_BYTES,
            "a line of it is longer than {MAX_LINE_BYTES} bytes. Try --raw"
        );
        if line.ends_with(b"\n") {
            line.truncate(line.len() - if line.ends_with(b"\r\n") { 2 } else { 1 });
        }
        Ok(Some(match String::from_utf8(line) {
            Ok(text) => Message::text(text),
            Err(error) => Message::binary([error.as_bytes(), self.ending].concat()),
        }))
    }

    async fn chunk(&mut self) -> Result<Option<Message>> {
        let chunk = self.reader.fill_buf().await?.to_vec();
        self.reader.consume(chunk.len());
        Ok((!chunk.is_empty()).then(|| Message::binary(chunk)))
    }
}

/// Returns standard input, read on a thread of its own: tokio's would keep the program from ending
/// until somebody presses Enter. The null device, which services have for input, counts as a silent
/// terminal: a client that has nothing to say may still listen.
///
/// # Panics
///
/// Outside a tokio runtime.
pub(crate) fn stdin() -> DuplexStream {
    let (reader, writer) = tokio::io::duplex(BUFFER_BYTES);
    let runtime = Handle::current();
    thread::spawn(move || {
        if is_null_device() {
            // Holding the writer is what keeps the input from ending.
            loop {
                thread::park();
            }
        }
        if let Err(error) = copy_stdin(writer, &runtime) {
            note(&format!("cannot read the input: {error}"));
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

#[cfg(unix)]
fn is_null_device() -> bool {
    use std::io::IsTerminal;
    use std::os::fd::AsFd;
    use std::os::unix::fs::FileTypeExt;

    let stdin = io::stdin();
    let file = stdin.as_fd().try_clone_to_owned().map(std::fs::File::from);
    let metadata = file.and_then(|file| file.metadata());
    metadata.is_ok_and(|metadata| metadata.file_type().is_char_device()) && !stdin.is_terminal()
}

#[cfg(not(unix))]
fn is_null_device() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn messages(
        input: &[u8],
        append: Option<LineEnding>,
        view: Option<&str>,
    ) -> Vec<Message> {
        let mut input = MessageReader::new(input, append, view);
        let mut messages = Vec::new();
        while let Some(message) = input.next().await.unwrap() {
            messages.push(message);
        }
        messages
    }

    #[tokio::test]
    async fn each_line_is_a_message_without_its_end() {
        let sent = messages(b"one\ntwo\r\n\nlast", None, None).await;
        assert_eq!(sent, ["one", "two", "", "last"].map(Message::text));
    }

    #[tokio::test]
    async fn a_line_that_is_not_text_goes_out_as_bytes_with_its_ending() {
        let sent = messages(b"caf\xe9\ncafe\n", Some(LineEnding::Crlf), None).await;
        assert_eq!(
            sent,
            [
                Message::binary(b"caf\xe9\r\n".as_slice()),
                Message::text("cafe")
            ]
        );
    }

    #[tokio::test]
    async fn a_raw_input_stays_as_it_is() {
        let bytes: Vec<u8> = (0..100_000_u32).map(|n| n as u8).collect();
        let sent = messages(&bytes, None, Some("raw")).await;
        assert!(
            sent.iter()
                .all(|message| message.is_binary() && message.len() <= BUFFER_BYTES)
        );
        let sent: Vec<u8> = sent.into_iter().flat_map(Message::into_data).collect();
        assert_eq!(sent, bytes);
    }

    #[tokio::test]
    async fn a_line_without_end_is_an_error_and_not_a_growing_program() {
        let mut input = MessageReader::new(tokio::io::repeat(b'x'), None, None);
        let error = input.next().await.unwrap_err();
        assert_eq!(
            format!("{error:#}"),
            "cannot read the input: a line of it is longer than 1048576 bytes. Try --raw"
        );
    }
}
