//! An entry: one line of a recording after its header.

use std::fmt;
use std::io::Write;

use base64::display::Base64Display;
use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::seconds;
use crate::hub::{DeviceInfo, Timestamp};

/// An entry of a recording.
#[derive(Clone, Debug, PartialEq)]
pub enum RecordingEntry {
    /// Bytes came from the device.
    Received {
        /// The time of the last one.
        t: Timestamp,
        /// Milliseconds since the first one.
        d: u64,
        /// The bytes.
        bytes: Bytes,
    },
    /// The system took bytes for the device.
    Sent {
        /// The time of the last one.
        t: Timestamp,
        /// Milliseconds since the first one.
        d: u64,
        /// The bytes.
        bytes: Bytes,
        /// The number of the client that wrote them.
        client: Option<u64>,
    },
    /// The status of the port changed.
    Status {
        /// The time.
        t: Timestamp,
        /// The word for its state, such as `open`.
        state: String,
        /// A sentence about it.
        detail: String,
        /// The next step for the user; empty where there is none.
        hint: String,
        /// The line settings, where they are others than before.
        settings: Option<Map<String, Value>>,
        /// The device, where it is another one than before.
        device: Option<Box<DeviceInfo>>,
    },
    /// Bytes are not in the recording that belong here.
    Missed {
        /// The time at which recording went on.
        t: Timestamp,
        /// The number of those from the device.
        received: u64,
        /// The number of those for the device.
        sent: u64,
    },
    /// Somebody's remark.
    Note {
        /// The time.
        t: Timestamp,
        /// The text.
        text: String,
    },
}

/// The reason why a line is no entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryError {
    /// It is no JSON object.
    NotJson,
    /// It has no time, or a member is not what it should be.
    Invalid,
}

/// The members of all entries.
#[derive(Deserialize)]
struct Members {
    #[serde(with = "seconds")]
    t: Timestamp,
    #[serde(default)]
    d: f64,
    rx: Option<String>,
    rx64: Option<String>,
    tx: Option<String>,
    tx64: Option<String>,
    client: Option<u64>,
    status: Option<String>,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    hint: String,
    settings: Option<Map<String, Value>>,
    path: Option<String>,
    board: Option<String>,
    usb: Option<String>,
    missed: Option<MissedBytes>,
    note: Option<String>,
}

/// The bytes that are missing in each direction.
#[derive(Deserialize)]
struct MissedBytes {
    #[serde(default)]
    bytes: u64,
    #[serde(default)]
    tx: u64,
}

impl RecordingEntry {
    /// Returns its time: of its last byte, if it has any.
    pub fn t(&self) -> Timestamp {
        match self {
            Self::Received { t, .. }
            | Self::Sent { t, .. }
            | Self::Status { t, .. }
            | Self::Missed { t, .. }
            | Self::Note { t, .. } => *t,
        }
    }

    /// Returns the number of bytes of data in it.
    pub fn data_bytes(&self) -> usize {
        match self {
            Self::Received { bytes, .. } | Self::Sent { bytes, .. } => bytes.len(),
            Self::Status { .. } | Self::Missed { .. } | Self::Note { .. } => 0,
        }
    }

    /// Appends the line, with its line end.
    pub fn write(&self, out: &mut Vec<u8>) {
        append(out, format_args!("{{\"t\":{}", self.t()));
        match self {
            Self::Received { d, bytes, .. } => write_bytes(out, *d, "rx", bytes),
            Self::Sent {
                d, bytes, client, ..
            } => {
                write_bytes(out, *d, "tx", bytes);
                if let Some(client) = client {
                    append(out, format_args!(",\"client\":{client}"));
                }
            }
            Self::Status {
                state,
                detail,
                hint,
                settings,
                device,
                ..
            } => {
                write_text(out, "status", state);
                write_text(out, "detail", detail);
                if !hint.is_empty() {
                    write_text(out, "hint", hint);
                }
                if let Some(settings) = settings {
                    append(out, format_args!(",\"settings\":"));
                    write_json(out, settings);
                }
                if let Some(device) = device {
                    write_device(out, device);
                }
            }
            Self::Missed { received, sent, .. } => {
                append(out, format_args!(",\"missed\":{{\"bytes\":{received}"));
                if *sent > 0 {
                    append(out, format_args!(",\"tx\":{sent}"));
                }
                out.push(b'}');
            }
            Self::Note { text, .. } => write_text(out, "note", text),
        }
        out.extend_from_slice(b"}\n");
    }

    /// Reads a line, with or without its line end. Returns None for an entry of a later version.
    ///
    /// # Errors
    /// If it is no entry, such as a line that was torn.
    pub fn parse(line: &[u8]) -> Result<Option<Self>, EntryError> {
        let members: Members = serde_json::from_slice(line).map_err(|error| {
            if error.is_data() {
                EntryError::Invalid
            } else {
                EntryError::NotJson
            }
        })?;
        members.entry()
    }
}

impl Members {
    fn entry(self) -> Result<Option<RecordingEntry>, EntryError> {
        let t = self.t;
        let d = self.d.round() as u64;
        if let Some(bytes) = decoded(self.rx, self.rx64)? {
            return Ok(Some(RecordingEntry::Received { t, d, bytes }));
        }
        if let Some(bytes) = decoded(self.tx, self.tx64)? {
            let client = self.client;
            return Ok(Some(RecordingEntry::Sent {
                t,
                d,
                bytes,
                client,
            }));
        }
        if let Some(state) = self.status {
            return Ok(Some(RecordingEntry::Status {
                t,
                state,
                detail: self.detail,
                hint: self.hint,
                settings: self.settings,
                device: self.path.map(|path| {
                    Box::new(DeviceInfo {
                        path,
                        board: self.board,
                        usb: self.usb,
                        low_latency: false,
                    })
                }),
            }));
        }
        if let Some(MissedBytes { bytes, tx }) = self.missed {
            let (received, sent) = (bytes, tx);
            return Ok(Some(RecordingEntry::Missed { t, received, sent }));
        }
        Ok(self.note.map(|text| RecordingEntry::Note { t, text }))
    }
}

/// Returns the bytes of a text or of base64.
fn decoded(text: Option<String>, base64: Option<String>) -> Result<Option<Bytes>, EntryError> {
    match (text, base64) {
        (Some(text), _) => Ok(Some(text.into())),
        (None, Some(base64)) => {
            let bytes = BASE64_STANDARD.decode(base64);
            bytes
                .map(|bytes| Some(bytes.into()))
                .map_err(|_| EntryError::Invalid)
        }
        (None, None) => Ok(None),
    }
}

/// Appends bytes as text if they are UTF-8, else as base64.
fn write_bytes(out: &mut Vec<u8>, d: u64, key: &str, bytes: &[u8]) {
    if d > 0 {
        append(out, format_args!(",\"d\":{d}"));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => write_text(out, key, text),
        Err(_) => {
            let base64 = Base64Display::new(bytes, &BASE64_STANDARD);
            append(out, format_args!(",\"{key}64\":\"{base64}\""));
        }
    }
}

fn write_device(out: &mut Vec<u8>, device: &DeviceInfo) {
    write_text(out, "path", &device.path);
    if let Some(board) = &device.board {
        write_text(out, "board", board);
    }
    if let Some(usb) = &device.usb {
        write_text(out, "usb", usb);
    }
}

fn write_text(out: &mut Vec<u8>, key: &str, text: &str) {
    append(out, format_args!(",\"{key}\":"));
    write_json(out, text);
}

fn write_json<T: serde::Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(out, value)
        .expect("its maps have keys of text, and a vector takes everything");
}

fn append(out: &mut Vec<u8>, text: fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a vector takes everything");
}

impl fmt::Display for EntryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotJson => "it is no JSON object",
            Self::Invalid => "it has no time, or a member is damaged",
        })
    }
}

impl std::error::Error for EntryError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(entry: RecordingEntry, line: &str) {
        let mut written = Vec::new();
        entry.write(&mut written);
        assert_eq!(String::from_utf8(written).unwrap(), format!("{line}\n"));
        assert_eq!(RecordingEntry::parse(line.as_bytes()), Ok(Some(entry)));
    }

    const T: Timestamp = Timestamp(1_795_169_621_412_840);

    #[test]
    fn each_kind_of_entry_is_written_as_documented() {
        let (t, d) = (T, 0);
        let bytes = Bytes::from("584,678,0\r\n");
        check(
            RecordingEntry::Received { t, d, bytes },
            r#"{"t":1795169621.412840,"rx":"584,678,0\r\n"}"#,
        );
        let bytes = Bytes::from_static(b"\xff\xfe bad");
        check(
            RecordingEntry::Received { t, d: 12, bytes },
            r#"{"t":1795169621.412840,"d":12,"rx64":"//4gYmFk"}"#,
        );
        let (bytes, client) = (Bytes::from("H\n"), Some(3));
        check(
            RecordingEntry::Sent {
                t,
                d,
                bytes,
                client,
            },
            r#"{"t":1795169621.412840,"tx":"H\n","client":3}"#,
        );
        check(
            RecordingEntry::Missed {
                t,
                received: 5_787_404,
                sent: 0,
            },
            r#"{"t":1795169621.412840,"missed":{"bytes":5787404}}"#,
        );
        let text = "second \"trial\"".to_owned();
        check(
            RecordingEntry::Note { t, text },
            r#"{"t":1795169621.412840,"note":"second \"trial\""}"#,
        );
        check(
            RecordingEntry::Status {
                t,
                state: "lost".to_owned(),
                detail: "it has gone".to_owned(),
                hint: String::new(),
                settings: None,
                device: None,
            },
            r#"{"t":1795169621.412840,"status":"lost","detail":"it has gone"}"#,
        );
    }

    #[test]
    fn entries_and_members_of_later_times_are_ignored() {
        assert_eq!(
            RecordingEntry::parse(br#"{"t":1,"colour":"red"}"#),
            Ok(None)
        );
        let header = br#"{"recording":"serial-ws","version":1,"t":1}"#;
        assert_eq!(RecordingEntry::parse(header), Ok(None));
        let bytes = Bytes::from("1");
        let (t, d) = (Timestamp(1_000_000), 0);
        assert_eq!(
            RecordingEntry::parse(br#"{"colour":["red"],"rx":"1","t":1}"#),
            Ok(Some(RecordingEntry::Received { t, d, bytes }))
        );
    }

    #[test]
    fn what_is_no_entry_is_an_error() {
        let check = |line: &str, error| {
            assert_eq!(RecordingEntry::parse(line.as_bytes()), Err(error), "{line}");
        };
        check("", EntryError::NotJson);
        check("\u{0}", EntryError::NotJson);
        check(r#"{"t":1795169621.4128,"rx":"584,6"#, EntryError::NotJson);
        check(r#"{"rx":"584"}"#, EntryError::Invalid);
        check(r#"{"t":"1","rx":"584"}"#, EntryError::Invalid);
        check(r#"{"t":1,"rx":584}"#, EntryError::Invalid);
        check(r#"{"t":1,"rx64":"%"}"#, EntryError::Invalid);
        check(r#"{"t":-1,"rx":"1"}"#, EntryError::Invalid);
        check(r#"{"t":1e30,"rx":"1"}"#, EntryError::Invalid);
        check("[1]", EntryError::Invalid);
    }

    fn entries() -> impl Strategy<Value = RecordingEntry> {
        let t = || (0..253_402_300_799_999_999_u64).prop_map(Timestamp);
        let bytes = || {
            prop_oneof![
                any::<Vec<u8>>().prop_map(Bytes::from),
                any::<String>().prop_map(Bytes::from),
            ]
        };
        let d = || 0..1_000_000_u64;
        let device = any::<[Option<String>; 3]>().prop_map(|[path, board, usb]| {
            path.map(|path| {
                Box::new(DeviceInfo {
                    path,
                    board,
                    usb,
                    low_latency: false,
                })
            })
        });
        let settings = prop::option::of(
            any::<u32>().prop_map(|baud| Map::from_iter([("baud".to_owned(), Value::from(baud))])),
        );
        prop_oneof![
            (t(), d(), bytes()).prop_map(|(t, d, bytes)| RecordingEntry::Received { t, d, bytes }),
            (t(), d(), bytes(), any::<Option<u64>>()).prop_map(|(t, d, bytes, client)| {
                RecordingEntry::Sent {
                    t,
                    d,
                    bytes,
                    client,
                }
            }),
            (t(), any::<[String; 3]>(), settings, device).prop_map(
                |(t, [state, detail, hint], settings, device)| {
                    RecordingEntry::Status {
                        t,
                        state,
                        detail,
                        hint,
                        settings,
                        device,
                    }
                }
            ),
            (t(), any::<u64>(), any::<u64>())
                .prop_map(|(t, received, sent)| RecordingEntry::Missed { t, received, sent }),
            (t(), any::<String>()).prop_map(|(t, text)| RecordingEntry::Note { t, text }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(entry in entries()) {
            let mut line = Vec::new();
            entry.write(&mut line);
            prop_assert_eq!(line.iter().position(|byte| *byte == b'\n'), Some(line.len() - 1));
            prop_assert_eq!(RecordingEntry::parse(&line), Ok(Some(entry)));
        }

        #[test]
        fn no_line_makes_the_reader_fail_otherwise(line in any::<Vec<u8>>()) {
            let _ = RecordingEntry::parse(&line);
        }
    }
}
