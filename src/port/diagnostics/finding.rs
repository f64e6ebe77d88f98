//! The content of hints: words for people, and the setting that would help.

use super::expectations::Expectations;
use crate::hub::{Advice, Parity};
use crate::port::MAX_LINE_LIMIT;
use crate::port::framing::Framing;

/// Something that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// The characters have 7 data bits and this parity; none is for one that is always set.
    SevenBits(Parity),
    /// Lines have another encoding than UTF-8. This byte shows it.
    Encoding(u8),
    /// Lines come, and most are not text.
    Rate,
    /// Most of what comes is no text, at any usual rate.
    NoText,
    /// Each message ends with these bytes.
    Terminator(Vec<u8>),
    /// Frames of this framing.
    Frames(String),
    /// Text without any line end.
    Text,
    /// Neither text nor lines. True if it is more like text at another rate than like bytes.
    Bytes(bool),
    /// A line of so many bytes was cut into pieces.
    LongLine(usize),
    /// A program with pipes has written nothing.
    Buffered,
}

/// A hint to the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hint {
    /// A sentence without its full stop, safe for a terminal.
    pub(crate) text: String,
    /// The setting that would help, if it is one.
    pub(crate) advice: Option<Advice>,
}

impl Finding {
    /// Returns the hint for a port where these settings are in force.
    pub(super) fn hint(&self, expected: &Expectations) -> Hint {
        let (text, advice) = match self {
            Self::SevenBits(parity) => seven_bits(*parity),
            Self::Encoding(byte) => (encoding(*byte), None),
            Self::Rate => {
                let (question, advice) = rate(expected.baud);
                (
                    format!("most of the data is not text: {question}"),
                    Some(advice),
                )
            }
            Self::NoText => (
                "most of the data is not text, at no usual rate: does the sketch use Serial.write? \
                 Try --raw"
                    .to_owned(),
                Some(view("raw")),
            ),
            Self::Terminator(bytes) => terminator(bytes, &expected.frame),
            Self::Frames(framing) => frames(framing),
            Self::Text => (
                "no line ends seen, though this is text: end each message with one, as \
                 Serial.println does in a sketch, or use --text for the text as it comes"
                    .to_owned(),
                Some(view("text")),
            ),
            Self::Bytes(is_rate) => bytes(*is_rate, expected),
            Self::LongLine(length) => long_line(*length),
            Self::Buffered => (buffered(), None),
        };
        Hint { text, advice }
    }
}

fn view(name: &str) -> Advice {
    Advice {
        view: Some(name.to_owned()),
        ..Advice::default()
    }
}

fn frames(framing: &str) -> (String, Option<Advice>) {
    let name = match framing {
        "slip" => "frames of SLIP",
        "cobs" => "frames of COBS",
        _ => "packets with their length in them",
    };
    let advice = Advice {
        frame: Some(framing.to_owned()),
        ..Advice::default()
    };
    let text = format!("the data is no text, but {name}: use --frame {framing}");
    (text, Some(advice))
}

/// Asks about the baud rate, and suggests another one.
fn rate(baud: u32) -> (String, Advice) {
    let likely = if baud == 115_200 { 9600 } else { 115_200 };
    let advice = Advice {
        baud: Some(likely),
        ..Advice::default()
    };
    (format!("is --baud {baud} right? Try {likely}"), advice)
}

fn bytes(is_rate: bool, expected: &Expectations) -> (String, Option<Advice>) {
    let hint = "no line ends seen: does the sketch use Serial.write? Try --raw";
    if !expected.has_rate {
        return (hint.to_owned(), Some(view("raw")));
    }
    // A sketch that sends at another rate looks like one that sends bytes.
    let (question, advice) = rate(expected.baud);
    let text = format!("{hint}. Or {question}");
    (text, Some(if is_rate { advice } else { view("raw") }))
}

fn seven_bits(parity: Parity) -> (String, Option<Advice>) {
    let (word, text) = match parity {
        Parity::Odd => ("odd", "every byte has the same parity"),
        Parity::Even => ("even", "every byte has the same parity"),
        _ => ("", "the top bit of every byte is set"),
    };
    let flags = match word {
        "" => "--data-bits 7".to_owned(),
        word => format!("--data-bits 7 --parity {word}"),
    };
    let advice = Advice {
        data_bits: Some(7),
        parity: (parity != Parity::None).then_some(parity),
        ..Advice::default()
    };
    let text = format!("{text}, and the other seven bits are text: use {flags}");
    (text, Some(advice))
}

fn encoding(byte: u8) -> String {
    format!(
        "some lines are text, but not UTF-8 (byte 0x{byte:02x}; Latin-1, perhaps): lines and text \
         show U+FFFD for such bytes, json has these lines as bytes, and raw has every byte"
    )
}

fn terminator(end: &[u8], expected: &str) -> (String, Option<Advice>) {
    let frame = Framing::ended_by(end).to_string();
    let short = frame.strip_prefix("delim:");
    let flag = match short {
        Some(hex) => format!("--frame {hex}, which is short for {frame}"),
        None => format!("--frame {frame}"),
    };
    let names: Vec<_> = end.iter().map(|byte| name(*byte)).collect();
    let advice = Advice {
        frame: Some(frame),
        ..Advice::default()
    };
    let names = names.join(" ");
    let instead = match expected {
        "lf" => " instead of a line feed".to_owned(),
        frame => format!(", not as --frame {frame} says"),
    };
    let text = format!("each message ends with {names}{instead}: use {flag}");
    (text, Some(advice))
}

/// Returns the name of a byte.
fn name(byte: u8) -> String {
    match byte {
        0x00 => "NUL".to_owned(),
        0x02 => "STX".to_owned(),
        0x03 => "ETX".to_owned(),
        0x04 => "EOT".to_owned(),
        b'\n' => "LF".to_owned(),
        b'\r' => "CR".to_owned(),
        0x17 => "ETB".to_owned(),
        b'!'..=b'~' => format!("`{}`", char::from(byte)),
        _ => format!("0x{byte:02x}"),
    }
}

fn long_line(length: usize) -> (String, Option<Advice>) {
    if length > MAX_LINE_LIMIT {
        let text = format!(
            "a line of {length} bytes was cut into pieces: a line can have at most 1 MiB, so use \
             --raw or --text"
        );
        return (text, Some(view("text")));
    }
    let enough = enough(length);
    let size = match enough {
        0..1024 => enough.to_string(),
        _ => format!("{}KiB", enough >> 10),
    };
    let advice = Advice {
        max_line: Some(enough),
        ..Advice::default()
    };
    let text = format!("a line of {length} bytes was cut into pieces: use --max-line {size}");
    (text, Some(advice))
}

fn buffered() -> String {
    let advice = if cfg!(windows) {
        "have it flush what it writes, as python -u does"
    } else {
        "exec-pty: gives it a terminal, where it does not, or have it flush what it writes, as \
         python3 -u and stdbuf -oL do"
    };
    format!(
        "the program has written nothing for 3 s: many programs keep what they write into a pipe until \
         they have much of it; {advice}"
    )
}

/// Returns a limit for lines of about this length.
pub(super) fn enough(length: usize) -> usize {
    (length + length / 4)
        .next_power_of_two()
        .min(MAX_LINE_LIMIT)
}
