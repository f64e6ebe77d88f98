//! The header: the first line of a recording, which says what was recorded.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{VERSION, seconds};
use crate::hub::Timestamp;

/// The member by which a recording is known.
const FORMAT: &str = "serial-ws";

/// The first line of a recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordingHeader {
    /// The run of serial-ws, as in its greeting.
    #[serde(default)]
    pub run: String,
    /// The name of the port.
    #[serde(default)]
    pub port: String,
    /// The system's name for the device, if there was one by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The name of the board, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub board: Option<String>,
    /// Its USB identity in the form that `--port` takes: `usb:2341:0043:SERIAL`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usb: Option<String>,
    /// The line settings, as in the greeting.
    #[serde(default)]
    pub settings: Map<String, Value>,
    /// The number of bytes that had come from the device before this file, counted from the start of
    /// the run.
    #[serde(default)]
    pub offset: u64,
    /// The time at which the recording begins.
    #[serde(with = "seconds")]
    pub t: Timestamp,
}

/// The reason why a line is no header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// It is something else.
    NotARecording,
    /// It is of another version of the format.
    Version(u64),
    /// A member of it is missing, or not what it should be.
    Invalid,
}

/// The members that come first, and say how to read the others.
#[derive(Serialize, Deserialize)]
struct FormatTag<'a> {
    recording: &'a str,
    version: u64,
}

impl RecordingHeader {
    /// Appends the line, with its line end.
    pub fn write(&self, out: &mut Vec<u8>) {
        #[derive(Serialize)]
        struct Line<'a> {
            #[serde(flatten)]
            format: FormatTag<'a>,
            #[serde(flatten)]
            header: &'a RecordingHeader,
        }
        let format = FormatTag {
            recording: FORMAT,
            version: VERSION,
        };
        let header = self;
        serde_json::to_writer(&mut *out, &Line { format, header })
            .expect("its maps have keys of text, and a vector takes everything");
        out.push(b'\n');
    }

    /// Reads a line, with or without its line end.
    ///
    /// # Errors
    /// If it is no header of this version.
    pub fn parse(line: &[u8]) -> Result<Self, HeaderError> {
        let format: FormatTag =
            serde_json::from_slice(line).map_err(|_| HeaderError::NotARecording)?;
        match format {
            FormatTag {
                recording: FORMAT,
                version: VERSION,
            } => serde_json::from_slice(line).map_err(|_| HeaderError::Invalid),
            FormatTag {
                recording: FORMAT,
                version,
            } => Err(HeaderError::Version(version)),
            _ => Err(HeaderError::NotARecording),
        }
    }
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotARecording => write!(
                f,
                "it is no recording of serial-ws: its first line does not begin with \
                 {{\"recording\":\"{FORMAT}\",\"version\":{VERSION}"
            ),
            Self::Version(version) => write!(
                f,
                "it is a recording of version {version}, and this serial-ws reads version \
                 {VERSION}: use a newer serial-ws"
            ),
            Self::Invalid => f.write_str("its first line has no time, or a member is damaged"),
        }
    }
}

impl std::error::Error for HeaderError {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const LINE: &str = r#"{"recording":"serial-ws","version":1,"run":"f6d5","port":"uno","path":"/dev/ttyACM0","usb":"usb:2341:0043:A1","settings":{"baud":9600},"offset":0,"t":1795169621.402840}"#;

    fn header() -> RecordingHeader {
        let settings = Map::from_iter([("baud".to_owned(), json!(9600))]);
        RecordingHeader {
            run: "f6d5".to_owned(),
            port: "uno".to_owned(),
            path: Some("/dev/ttyACM0".to_owned()),
            board: None,
            usb: Some("usb:2341:0043:A1".to_owned()),
            settings,
            offset: 0,
            t: Timestamp(1_795_169_621_402_840),
        }
    }

    #[track_caller]
    fn check_error(line: &str, expected: HeaderError) {
        assert_eq!(RecordingHeader::parse(line.as_bytes()), Err(expected));
    }

    #[test]
    fn a_header_is_one_line_that_reads_back() {
        let mut line = Vec::new();
        header().write(&mut line);
        assert_eq!(
            String::from_utf8(line.clone()).unwrap(),
            format!("{LINE}\n")
        );
        assert_eq!(RecordingHeader::parse(&line), Ok(header()));
    }

    #[test]
    fn members_of_later_times_are_ignored_and_those_that_are_missing_are_empty() {
        let line = br#"{"recording":"serial-ws","version":1,"colour":[1],"t":1.5}"#;
        let header = RecordingHeader::parse(line).unwrap();
        assert_eq!((header.port.as_str(), header.t), ("", Timestamp(1_500_000)));
    }

    #[test]
    fn what_is_no_header_is_told_from_another_version() {
        check_error("", HeaderError::NotARecording);
        check_error("584,678,0", HeaderError::NotARecording);
        check_error(r#"{"t":1.5,"rx":"1\n"}"#, HeaderError::NotARecording);
        check_error(r#"{"version":3,"term":{}}"#, HeaderError::NotARecording);
        let other = r#"{"recording":"other","version":1,"t":1.5}"#;
        check_error(other, HeaderError::NotARecording);
        let later = r#"{"recording":"serial-ws","version":2,"when":1.5}"#;
        check_error(later, HeaderError::Version(2));
        let timeless = r#"{"recording":"serial-ws","version":1}"#;
        check_error(timeless, HeaderError::Invalid);
        let impossible = r#"{"recording":"serial-ws","version":1,"t":-1}"#;
        check_error(impossible, HeaderError::Invalid);
        check_error(&LINE[..LINE.len() - 4], HeaderError::NotARecording);
    }
}
