//! `serial-ws ask`: asks the device of a running serial-ws, and prints its reply.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use anyhow::{Result, anyhow};
use clap::Args;
use serde_json::Number;

use super::lease::{LeaseArgs, with_client};
use super::wrong_usage;
use crate::config::units;
use crate::config::value::Setting;
use crate::protocol::{AskMessage, Base64, ClientMessage, Content};
use crate::terminal::{print, safe_text};
use crate::view::LineEnding;

/// The time beyond that of the reply in which the question has to get its turn.
const TURN_TIMEOUT: Duration = Duration::from_secs(30);

/// Arguments of `serial-ws ask`.
#[derive(Debug, Args)]
pub(crate) struct AskArgs {
    /// Question to write to the device, as it stands: unlike in --poll, \n is a backslash and an n
    #[arg(value_name = "TEXT", allow_hyphen_values = true)]
    text: String,
    /// End of the reply: line, bytes:N, text:TEXT for the line in which a text stands, or gap:TIME for
    /// a silence; text:TEXT can be repeated
    #[arg(long, value_name = "END", default_value = "line")]
    until: Vec<String>,
    /// Number of lines of the reply
    #[arg(long, value_name = "N", default_value = "1", hide_default_value = true)]
    lines: u64,
    /// Longest time to wait for the reply, at most 30s
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = units::parse_time)]
    timeout: Duration,
    /// Line ending of the question; none sends it without any
    /// [default: that of the port; without one, a newline]
    #[arg(long, value_name = "ENDING")]
    append: Option<Setting<LineEnding>>,
    /// Take the question for bytes in hex, such as "01 03 00 00 00 01 84 0a", and print the reply so
    #[arg(long, conflicts_with = "append")]
    hex: bool,
    /// The port.
    #[command(flatten)]
    port: LeaseArgs,
}

impl AskArgs {
    /// Returns the question, all but its bytes.
    ///
    /// # Errors
    /// A sentence that says what would be right.
    fn question(&self) -> Result<AskMessage, String> {
        let mut ask = AskMessage {
            text: Some(String::new()),
            timeout: Number::from_f64(self.timeout.as_secs_f64() * 1000.0),
            ..AskMessage::default()
        };
        ask.set_until(&self.until)?;
        if self.lines != 1 {
            ask.lines = Some(self.lines.into());
        }
        ask.clone().question()?;
        Ok(ask)
    }
}

/// Asks the device, and prints its reply to `output`.
///
/// # Errors
/// When there is no reply, and why.
pub(crate) async fn run(args: AskArgs, output: &mut dyn Write) -> Result<()> {
    let mut ask = args
        .question()
        .map_err(|error| wrong_usage(anyhow!(error)))?;
    let mut parameters = Vec::new();
    if let Some(append) = args.append.as_deref() {
        parameters.push(format!("append={append}"));
    }
    if args.hex {
        let bytes = bytes_of_hex(&args.text).map_err(|error| wrong_usage(anyhow!(error)))?;
        (ask.text, ask.bytes) = (None, Some(Base64(Cow::Owned(bytes))));
    }
    let address = args.port.address("ask", &parameters).map_err(wrong_usage)?;
    let stream = address.dial().await?;
    with_client(&address, stream, async |mut client| {
        if !args.hex {
            let is_bare = args.append.is_none() && client.setting("append") == Some("none");
            let ending = if is_bare {
                LineEnding::Lf
            } else {
                LineEnding::None
            };
            let text = ending.complete(args.text.clone().into());
            ask.text = Some(String::from_utf8_lossy(&text).into_owned());
        }
        let limit = args.timeout + TURN_TIMEOUT;
        let reply = client.ask(&ClientMessage::Ask(ask), limit).await?;
        print(output, shown(&reply, args.hex, io::stdout().is_terminal()))?;
        client.close().await;
        Ok(())
    })
    .await
}

/// Returns a reply as it is printed: text with a newline, and bytes as they are or in hex.
pub(super) fn shown(reply: &Content<'_>, is_hex: bool, is_terminal: bool) -> Vec<u8> {
    match reply {
        Content::Text(text) if is_terminal => format!("{}\n", safe_text(text)).into_bytes(),
        Content::Text(text) => format!("{text}\n").into_bytes(),
        Content::Bytes(Base64(bytes)) if is_hex || is_terminal => {
            let digits: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{}\n", digits.join(" ")).into_bytes()
        }
        Content::Bytes(Base64(bytes)) => bytes.to_vec(),
    }
}

/// Reads bytes in hex, with or without blanks between them.
fn bytes_of_hex(text: &str) -> Result<Vec<u8>, String> {
    let digits: Vec<u8> = text.bytes().filter(|c| !c.is_ascii_whitespace()).collect();
    let byte = |pair: &[u8]| {
        let digits = str::from_utf8(pair).ok()?;
        let is_hex = pair.len() == 2 && pair.iter().all(u8::is_ascii_hexdigit);
        is_hex
            .then(|| u8::from_str_radix(digits, 16).ok())
            .flatten()
    };
    let bytes: Option<Vec<u8>> = digits.chunks(2).map(byte).collect();
    let bytes = bytes.filter(|bytes| !bytes.is_empty());
    bytes.ok_or_else(|| {
        format!("`{text}` is not bytes in hex: expected two digits for each, such as \"01 03 ff\"")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_and_shown_in_hex() {
        assert_eq!(bytes_of_hex("01 03fF\n"), Ok(vec![1, 3, 255]));
        for wrong in ["", "1", "01 3", "+1", "0x01", "zz", "é"] {
            assert!(bytes_of_hex(wrong).is_err(), "{wrong}");
        }
        let bytes = Content::Bytes(Base64(vec![1, 255].into()));
        assert_eq!(shown(&bytes, true, false), b"01 ff\n");
        assert_eq!(shown(&bytes, false, true), b"01 ff\n");
        assert_eq!(shown(&bytes, false, false), [1, 255]);
    }

    #[test]
    fn text_has_a_newline_and_no_control_characters_for_a_terminal() {
        let text = Content::Text("a\u{1b}[2J".into());
        assert_eq!(shown(&text, false, false), b"a\x1b[2J\n");
        assert!(!shown(&text, false, true).contains(&0x1b));
    }
}
