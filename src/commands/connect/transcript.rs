//! The output of `serial-ws connect` over all its connections: prints lines with or without their
//! times, for a person or a pipe, also into a file, until enough was printed.

use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io::Write;

use anyhow::{Context, Result, anyhow};
use jiff::Timestamp as Moment;
use jiff::tz::TimeZone;
use regex_lite::Regex;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::tungstenite::Message;

use super::args::ConnectArgs;
use super::note;
use crate::hub::Timestamp;
use crate::platform::reason;
use crate::protocol::{Content, HelloMessage, ServerMessage, StatusMessage};
use crate::terminal::{coloured_line, excerpt, safe_line, safe_text};

/// The way in which messages become output.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Style {
    /// True if the output is a terminal, which would obey control characters.
    pub(super) is_terminal: bool,
    /// True if the terminal shows colours.
    pub(super) has_colours: bool,
    /// True if text messages are chunks of a text with its own line ends, rather than lines.
    pub(super) is_chunked: bool,
    /// True if messages are objects of the json view that have to be decoded.
    pub(super) decodes: bool,
    /// True if the objects are what is printed.
    pub(super) keeps_objects: bool,
    /// True if each line has its time before it.
    pub(super) has_times: bool,
}

/// The output, and how much of it is still to come.
pub(super) struct Transcript<W> {
    output: W,
    pub(super) style: Style,
    /// Messages still to be printed; None for any number.
    left: Option<u64>,
    /// Ends the output after a line that matches.
    until: Option<Regex>,
    is_matched: bool,
    /// The file that gets the same.
    file: Option<File>,
    /// The run of the bridge and the number of the last line, where it is known.
    run: String,
    seq: u64,
    /// The last status that was told.
    status: String,
}

impl<W: AsyncWrite + Unpin> Transcript<W> {
    /// Begins a transcript.
    ///
    /// # Errors
    /// When its file cannot be opened.
    pub(super) fn new(args: &ConnectArgs, style: Style, output: W) -> Result<Self> {
        let file = args.save.as_ref().map(|path| {
            let file = OpenOptions::new().create(true).append(true).open(path);
            file.map_err(|error| anyhow!("cannot write {}: {}", path.display(), reason(&error)))
        });
        Ok(Self {
            output,
            style,
            left: args.count,
            until: args.until.clone(),
            is_matched: false,
            file: file.transpose()?,
            run: String::new(),
            seq: 0,
            status: String::new(),
        })
    }

    /// Returns true if everything was printed that was asked for.
    pub(super) fn is_complete(&self) -> bool {
        self.left == Some(0) || self.is_matched
    }

    /// Returns the place from which the next connection has to go on, where it is known.
    pub(super) fn place(&self) -> Option<String> {
        (!self.run.is_empty()).then(|| format!("{}:{}", self.run, self.seq))
    }

    /// Notes what a connection is about.
    pub(super) fn greet(&mut self, hello: &HelloMessage<'_>) {
        if self.run != hello.run {
            self.run = hello.run.clone().into_owned();
            self.seq = hello.seq;
        }
        self.tell(&hello.status);
    }

    /// Appends what a message prints as.
    pub(super) fn show(&mut self, message: &Message, out: &mut Vec<u8>) {
        if self.style.decodes
            && let Message::Text(text) = message
        {
            return self.decode(text, out);
        }
        let start = out.len();
        self.prefix(Timestamp::now(), out);
        match message {
            Message::Text(text) => self.line(text, !self.style.is_chunked, out),
            message => self.bytes(&message.clone().into_data(), out),
        }
        self.count(start, out);
    }

    /// Decodes an object, prints a line, and says the rest.
    fn decode(&mut self, text: &str, out: &mut Vec<u8>) {
        // A type or a member of a later version has nothing to be printed.
        let Ok(message) = serde_json::from_str::<ServerMessage<'_>>(text) else {
            return;
        };
        match message {
            ServerMessage::Line {
                seq,
                t,
                content,
                partial,
                ..
            } => {
                self.seq = seq;
                let is_whole = !partial || self.style.keeps_objects;
                if !is_whole {
                    return;
                }
                let start = out.len();
                self.prefix(t, out);
                match content {
                    _ if self.style.keeps_objects => self.line(text, true, out),
                    Content::Text(line) => self.line(&line, true, out),
                    Content::Bytes(bytes) => {
                        self.bytes(&bytes.0, out);
                        if !self.style.is_terminal {
                            out.push(b'\n');
                        }
                    }
                }
                self.count(start, out);
            }
            _ if self.style.keeps_objects => {
                self.line(text, true, out);
            }
            ServerMessage::Status(status) => self.tell(&status),
            ServerMessage::Missed { lines, .. } if lines > 0 => {
                note(&format!("{lines} lines were missed"))
            }
            ServerMessage::Missed { .. } => note("some lines were missed"),
            ServerMessage::Error { error, .. } => note(&format!("not sent: {}", excerpt(&error))),
            _ => {}
        }
    }

    /// Says how the port is, if that is new.
    fn tell(&mut self, status: &StatusMessage<'_>) {
        let StatusMessage { detail, hint, .. } = status;
        let sentence = match &**hint {
            "" => excerpt(detail),
            hint => format!("{}. {}", excerpt(detail), excerpt(hint)),
        };
        if self.status != sentence {
            note(&sentence);
            self.status = sentence;
        }
    }

    /// Appends the time of a line, if lines have it.
    fn prefix(&self, t: Timestamp, out: &mut Vec<u8>) {
        if self.style.has_times {
            out.extend(format!("{} ", clock(t, &TimeZone::system())).into_bytes());
        }
    }

    fn line(&mut self, text: &str, has_end: bool, out: &mut Vec<u8>) {
        self.is_matched |= self
            .until
            .as_ref()
            .is_some_and(|until| until.is_match(text));
        let shown = match self.style {
            Style {
                is_terminal: false, ..
            } => Cow::from(text),
            Style {
                is_chunked: true, ..
            } => safe_text(text).into(),
            Style {
                has_colours: true, ..
            } => coloured_line(text).into(),
            _ => safe_line(text).into(),
        };
        out.extend_from_slice(shown.as_bytes());
        if has_end {
            out.push(b'\n');
        }
    }

    fn bytes(&self, bytes: &[u8], out: &mut Vec<u8>) {
        if self.style.is_terminal {
            out.extend(bytes.escape_ascii());
            out.push(b'\n');
        } else {
            out.extend_from_slice(bytes);
        }
    }

    /// Counts what was appended since `start`, or takes it back if enough was printed before.
    fn count(&mut self, start: usize, out: &mut Vec<u8>) {
        match &mut self.left {
            Some(0) => out.truncate(start),
            Some(left) => *left -= 1,
            None => {}
        }
    }

    /// Writes what was appended.
    ///
    /// # Errors
    /// When it cannot be written; the reader of standard output may be gone.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<Result<(), std::io::Error>> {
        if let Some(file) = &mut self.file {
            file.write_all(bytes)
                .context("cannot write the file of --save")?;
        }
        let written = async {
            self.output.write_all(bytes).await?;
            self.output.flush().await
        };
        Ok(written.await)
    }
}

/// Returns a time of day, to the millisecond.
fn clock(t: Timestamp, zone: &TimeZone) -> String {
    let moment = i64::try_from(t.0)
        .ok()
        .and_then(|t| Moment::from_microsecond(t).ok());
    let moment = moment.unwrap_or_default().to_zoned_datetime(zone.clone());
    moment.strftime("%H:%M:%S%.3f").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transcript(args: &ConnectArgs, style: Style) -> Transcript<Vec<u8>> {
        Transcript::new(args, style, Vec::new()).unwrap()
    }

    #[track_caller]
    fn check(style: Style, message: Message, expected: &[u8]) {
        let mut out = Vec::new();
        transcript(&ConnectArgs::default(), style).show(&message, &mut out);
        assert_eq!(
            out.escape_ascii().to_string(),
            expected.escape_ascii().to_string()
        );
    }

    fn style(is_terminal: bool, is_chunked: bool) -> Style {
        Style {
            is_terminal,
            is_chunked,
            ..Style::default()
        }
    }

    #[test]
    fn a_text_message_is_a_line() {
        check(
            style(false, false),
            Message::text("12,\u{1b}[0m"),
            b"12,\x1b[0m\n",
        );
        check(
            style(true, false),
            Message::text("12,\u{1b}[0m"),
            b"12,\\x1b[0m\n",
        );
    }

    #[test]
    fn chunks_of_text_are_joined() {
        check(style(false, true), Message::text("12\r\n3"), b"12\r\n3");
        check(
            style(true, true),
            Message::text("12\r\n3\u{7}"),
            b"12\n3\\x07",
        );
    }

    #[test]
    fn bytes_stay_as_they_are_except_at_a_terminal() {
        let bytes = b"\x00\xffA\r\n".as_slice();
        check(style(false, false), Message::binary(bytes), bytes);
        check(
            style(true, false),
            Message::binary(bytes),
            b"\\x00\\xffA\\r\\n\n",
        );
    }

    #[test]
    fn lines_are_decoded_and_the_rest_is_not_printed() {
        let decodes = Style {
            decodes: true,
            ..Style::default()
        };
        let line = r#"{"type":"line","seq":7,"t":1.5,"text":"5,6"}"#;
        check(decodes, Message::text(line), b"5,6\n");
        let bytes = r#"{"type":"line","seq":7,"t":1.5,"bytes":"/0E="}"#;
        check(decodes, Message::text(bytes), b"\xffA\n");
        for other in [
            r#"{"type":"line","seq":7,"t":1.5,"text":"5,","partial":true}"#,
            r#"{"type":"ack","id":1,"bytes":2}"#,
            r#"{"type":"later"}"#,
            "no object",
        ] {
            check(decodes, Message::text(other), b"");
        }
        let keeps_objects = Style {
            keeps_objects: true,
            ..decodes
        };
        check(
            keeps_objects,
            Message::text(line),
            format!("{line}\n").as_bytes(),
        );
    }

    #[test]
    fn enough_is_a_count_or_a_match() {
        let args = ConnectArgs {
            count: Some(2),
            until: Some(Regex::new("^OK$").unwrap()),
            ..ConnectArgs::default()
        };
        let mut counted = transcript(&args, Style::default());
        let mut out = Vec::new();
        for line in ["1", "2", "3"] {
            counted.show(&Message::text(line), &mut out);
        }
        assert_eq!(
            (out.as_slice(), counted.is_complete()),
            (b"1\n2\n".as_slice(), true)
        );
        let mut matched = transcript(&args, Style::default());
        matched.show(&Message::text("NOT OK"), &mut out);
        assert!(!matched.is_complete());
        matched.show(&Message::text("OK"), &mut out);
        assert!(matched.is_complete());
    }

    #[test]
    fn a_time_is_that_of_the_day() {
        let t = Timestamp(1_753_868_767_654_321);
        assert_eq!(clock(t, &TimeZone::UTC), "09:46:07.654");
    }
}
