//! Parses the SPEC of `--port`, which names a kind of device and the device. Pure. To select the
//! serial port that a SPEC means is the business of `serial::select`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Error, Result, bail, ensure};

use super::exec::command::ProgramCommand;
use super::network::endpoint;
use super::play::{PLAY, PlayFiles};
use super::serial::enumerate::Usb;
use super::sim::Pattern;
use crate::dial::Endpoint;
use crate::port::config::is_name_char;
use crate::port::upstream::address::UpstreamAddress;
use crate::terminal::shown;

/// The prefix of a device's name in Windows' own notation, which may be left out.
pub(crate) const DEVICE_PREFIX: &str = r"\\.\";

/// The characters between which a comma belongs to a value.
pub(crate) const QUOTES: [char; 2] = ['"', '\''];

/// The port that the user wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Spec {
    /// A name that the system can open: `/dev/ttyACM0`, `COM3`.
    Path(String),
    /// A USB device, wherever it is plugged in.
    Usb {
        /// The number of its vendor.
        vid: u16,
        /// The number of the product.
        pid: u16,
        /// Tells equal boards apart.
        serial: Option<String>,
    },
    /// The device with this ID, see `serial::device_id`.
    Device(String),
    /// The only USB board.
    Auto,
    /// A simulated board that runs a pattern.
    Sim(Pattern),
    /// A device that sends back what it is sent.
    Loop,
    /// A raw TCP connection.
    Tcp(Endpoint),
    /// A serial port behind an RFC 2217 server.
    Rfc2217(Endpoint),
    /// A port of another serial-ws.
    Upstream(UpstreamAddress),
    /// A program.
    Exec(ProgramCommand),
    /// A recording.
    Play(PlayFiles),
}

/// A kind of device that a SPEC names by its first word.
struct SpecKind {
    /// The word, which a colon ends if something follows.
    word: &'static str,
    /// The way to write it, for the help and for mistakes.
    form: &'static str,
    /// Reads what stands behind the colon.
    parse: fn(Option<&str>) -> Result<Spec>,
}

/// The kinds of device beside paths. A new one is a line here and a variant of [`Spec`].
const KINDS: [SpecKind; 11] = [
    SpecKind {
        word: "usb",
        form: "usb:VID:PID[:SERIAL]",
        parse: |rest| parse_usb(rest.unwrap_or_default()),
    },
    SpecKind {
        word: "auto",
        form: "auto",
        parse: |rest| alone("auto", rest, Spec::Auto),
    },
    SpecKind {
        word: "sim",
        form: "sim[:NAME]",
        parse: |rest| Ok(Spec::Sim(rest.unwrap_or_default().parse()?)),
    },
    SpecKind {
        word: "loop",
        form: "loop",
        parse: |rest| alone("loop", rest, Spec::Loop),
    },
    SpecKind {
        word: "tcp",
        form: "tcp://HOST:PORT",
        parse: |rest| Ok(Spec::Tcp(endpoint::parse("tcp", rest)?)),
    },
    SpecKind {
        word: "rfc2217",
        form: "rfc2217://HOST:PORT",
        parse: |rest| Ok(Spec::Rfc2217(endpoint::parse("rfc2217", rest)?)),
    },
    SpecKind {
        word: "ws",
        form: "ws://HOST[:PORT]/ports/NAME",
        parse: |rest| Ok(Spec::Upstream(UpstreamAddress::parse("ws", rest)?)),
    },
    SpecKind {
        word: "wss",
        form: "wss://HOST[:PORT]/ports/NAME",
        parse: |rest| Ok(Spec::Upstream(UpstreamAddress::parse("wss", rest)?)),
    },
    SpecKind {
        word: "exec",
        form: "exec:COMMAND",
        parse: |rest| program(false, rest),
    },
    SpecKind {
        word: "exec-pty",
        form: "exec-pty:COMMAND",
        parse: |rest| program(true, rest),
    },
    SpecKind {
        word: PLAY,
        form: "play:FILE",
        parse: |rest| PlayFiles::parse(rest).map(Spec::Play).map_err(Error::msg),
    },
];

/// Returns the words of all kinds.
pub(crate) fn words() -> Vec<&'static str> {
    KINDS.iter().map(|kind| kind.word).collect()
}

/// Returns the ways to write a SPEC, for people.
pub(crate) fn forms() -> String {
    let path = if cfg!(windows) {
        "COM3"
    } else {
        "/dev/ttyACM0"
    };
    let forms: Vec<_> = KINDS.iter().map(|kind| kind.form).collect();
    let forms = forms.join(", ");
    format!("a path such as {path}, {forms}")
}

impl FromStr for Spec {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Spec> {
        let device = text.trim_start_matches(DEVICE_PREFIX);
        ensure!(!device.is_empty(), "expected {}", forms());
        // Without the prefix, other names would not be known as those of devices.
        let is_com_port = is_com_port(device.trim_end_matches(':'));
        let text = if is_com_port { device } else { text };
        let (word, rest) = match text.split_once(':') {
            Some((word, rest)) => (word, Some(rest)),
            None => (text, None),
        };
        if let Some(kind) = KINDS.iter().find(|kind| kind.word == word) {
            return (kind.parse)(rest);
        }
        match (word, rest) {
            // `mode` and old manuals write `COM3:`.
            (word, None | Some("")) if is_com_port => Ok(Spec::Path(word.to_uppercase())),
            (word, Some(_)) if !word.contains(['/', '\\', '.', '"', '\'']) && word.len() != 1 => {
                let word = if word.is_empty() { text } else { word };
                bail!(
                    "unknown kind of device `{}` (known: {})",
                    shown(word),
                    forms()
                )
            }
            _ => Ok(Spec::Path(unquoted(text)?.to_owned())),
        }
    }
}

/// Reads a kind that has nothing behind its word.
fn alone(word: &str, rest: Option<&str>, spec: Spec) -> Result<Spec> {
    ensure!(rest.is_none(), "`{word}` stands alone, without a colon");
    Ok(spec)
}

/// Reads the command of a program.
fn program(has_terminal: bool, rest: Option<&str>) -> Result<Spec> {
    let command = ProgramCommand::parse(has_terminal, rest);
    command.map(Spec::Exec).map_err(Error::msg)
}

/// Returns a text without the quotes around it, in which a comma belongs to it.
fn unquoted(text: &str) -> Result<&str> {
    let Some(quote) = text.chars().next().filter(|c| QUOTES.contains(c)) else {
        return Ok(text);
    };
    let inside = text[1..].strip_suffix(quote);
    let inside = inside.filter(|inside| !inside.contains(quote) && !inside.is_empty());
    inside.with_context(|| format!("expected a name between two quotes, not {}", shown(text)))
}

/// Writes a text with quotes around it where a comma must belong to it.
pub(crate) fn quoted(text: &str) -> Cow<'_, str> {
    if text.contains(',') || text.starts_with(QUOTES) {
        in_quotes(text)
    } else {
        text.into()
    }
}

/// Writes a path, with quotes around it where it would be read as something else.
fn quoted_path(path: &str) -> Cow<'_, str> {
    match path.parse() {
        Ok(Spec::Path(read)) if read == path => quoted(path),
        _ => in_quotes(path),
    }
}

/// Writes a text with quotes around it, unless it has both kinds of them.
fn in_quotes(text: &str) -> Cow<'_, str> {
    let quote = QUOTES.iter().find(|quote| !text.contains(**quote));
    match quote {
        Some(quote) => format!("{quote}{text}{quote}").into(),
        None => text.into(),
    }
}

/// Reads what stands behind `usb:`.
fn parse_usb(text: &str) -> Result<Spec> {
    usb(text)?.with_context(|| {
        let wrong = shown(&format!("usb:{text}"));
        format!("`{wrong}` is not of the form usb:VID:PID[:SERIAL], such as usb:2341:0043")
    })
}

/// Returns None for what is not of the form `VID:PID[:SERIAL]`.
fn usb(text: &str) -> Result<Option<Spec>> {
    let mut parts = text.splitn(3, ':');
    let (vid, pid) = (
        parts.next().and_then(parse_id),
        parts.next().and_then(parse_id),
    );
    let (Some(vid), Some(pid)) = (vid, pid) else {
        return Ok(None);
    };
    let serial = match parts.next() {
        Some("") => return Ok(None),
        serial => serial.map(unquoted).transpose()?.map(str::to_owned),
    };
    Ok(Some(Spec::Usb { vid, pid, serial }))
}

fn parse_id(text: &str) -> Option<u16> {
    let digits = text.trim_start_matches("0x");
    let is_hex = digits.chars().all(|c| c.is_ascii_hexdigit());
    is_hex.then(|| u16::from_str_radix(digits, 16).ok())?
}

/// Returns whether this is a name such as `COM3`.
pub(crate) fn is_com_port(text: &str) -> bool {
    let (word, number) = text.split_at_checked(3).unwrap_or((text, ""));
    let is_number = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit());
    word.eq_ignore_ascii_case("com") && is_number
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Spec::Path(path) => f.write_str(&quoted_path(path)),
            Spec::Usb { vid, pid, serial } => {
                write!(f, "usb:{vid:04x}:{pid:04x}")?;
                match serial {
                    Some(serial) => write!(f, ":{}", quoted(serial)),
                    None => Ok(()),
                }
            }
            Spec::Device(id) => f.write_str(id),
            Spec::Auto => f.write_str("auto"),
            Spec::Sim(pattern) => write!(f, "{pattern}"),
            Spec::Loop => f.write_str("loop"),
            Spec::Tcp(endpoint) => write!(f, "tcp://{endpoint}"),
            Spec::Rfc2217(endpoint) => write!(f, "rfc2217://{endpoint}"),
            Spec::Upstream(address) => write!(f, "{address}"),
            Spec::Exec(command) => write!(f, "{command}"),
            Spec::Play(files) => write!(f, "{files}"),
        }
    }
}

impl Spec {
    /// Returns the name of a port that the user gave none: the last part of a path, the name of
    /// a program or a recording, or the whole SPEC, with `-` in place of what a name must not contain.
    pub(crate) fn default_name(&self) -> String {
        let text = match self {
            Spec::Upstream(address) => address.name(),
            _ => self.to_string(),
        };
        let last = match self {
            Spec::Path(path) => path.trim_end_matches(['/', '\\']),
            Spec::Exec(command) => command.name(),
            Spec::Play(files) => files.name(),
            _ => &text,
        };
        let last = last.rsplit(['/', '\\']).next().unwrap_or(last);
        // Of an IPv6 address, the brackets and colons would be most of the name.
        let last = last.trim_start_matches(['[', ':']).replace(']', "");
        let name = last.replace(|c| !is_name_char(c), "-");
        if name.is_empty() { "port".into() } else { name }
    }

    /// Returns whether the device is hardware, and not a part of this program.
    pub(crate) fn is_physical(&self) -> bool {
        matches!(
            self,
            Spec::Path(_) | Spec::Usb { .. } | Spec::Device(_) | Spec::Auto
        )
    }

    /// Returns the place of a device in the network.
    pub(crate) fn endpoint(&self) -> Option<&Endpoint> {
        match self {
            Spec::Tcp(endpoint) | Spec::Rfc2217(endpoint) => Some(endpoint),
            Spec::Upstream(address) => Some(&address.endpoint),
            _ => None,
        }
    }

    /// Returns the program that is the device.
    pub(crate) fn program(&self) -> Option<&ProgramCommand> {
        match self {
            Spec::Exec(command) => Some(command),
            _ => None,
        }
    }

    /// Ranks how exactly the device is named. Of two ports that could have the same device, the one
    /// that names it more exactly gets it.
    pub(crate) fn specificity(&self) -> u8 {
        match self {
            Spec::Auto => 0,
            Spec::Usb { serial: None, .. } => 1,
            _ => 2,
        }
    }

    /// Returns whether a device with this USB identity could be meant.
    pub(crate) fn matches(&self, usb: &Usb) -> bool {
        match self {
            Spec::Usb { vid, pid, serial } => {
                (*vid, *pid) == (usb.vid, usb.pid) && (serial.is_none() || *serial == usb.serial)
            }
            Spec::Auto => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn usb(vid: u16, pid: u16, serial: Option<&str>) -> Spec {
        let serial = serial.map(str::to_owned);
        Spec::Usb { vid, pid, serial }
    }

    #[track_caller]
    fn check(text: &str, expected: Spec, name: &str) {
        let spec: Spec = text.parse().unwrap();
        assert_eq!(spec, expected);
        assert_eq!(spec.default_name(), name);
        assert_eq!(spec.to_string().parse::<Spec>().unwrap(), spec);
    }

    #[test]
    fn specs_are_read() {
        let path = |path: &str| Spec::Path(path.into());
        check("/dev/ttyACM0", path("/dev/ttyACM0"), "ttyACM0");
        check(
            "/dev/serial/by-id/usb-A.b_if00",
            path("/dev/serial/by-id/usb-A.b_if00"),
            "usb-A-b_if00",
        );
        check(
            "/dev/serial/by-path/pci-0:1.0",
            path("/dev/serial/by-path/pci-0:1.0"),
            "pci-0-1-0",
        );
        check("/", path("/"), "port");
        check("COM3", path("COM3"), "COM3");
        check("com12", path("COM12"), "COM12");
        check(r"\\.\com12", path("COM12"), "COM12");
        check("COM3:", path("COM3"), "COM3");
        check(r"\\.\CNCA0", path(r"\\.\CNCA0"), "CNCA0");
        check("CNCA0", path("CNCA0"), "CNCA0");
        check(r"C:\no port", path(r"C:\no port"), "no-port");
        check("usb:2341:0043", usb(0x2341, 0x43, None), "usb-2341-0043");
        check("usb:2A03:43", usb(0x2a03, 0x43, None), "usb-2a03-0043");
        check("usb:0x2341:0x43", usb(0x2341, 0x43, None), "usb-2341-0043");
        check(
            "usb:303a:1001:B4:3A",
            usb(0x303a, 0x1001, Some("B4:3A")),
            "usb-303a-1001-B4-3A",
        );
        check("auto", Spec::Auto, "auto");
        check("sim", Spec::Sim(Pattern::Sensors), "sim");
        check("sim:raw", Spec::Sim(Pattern::Raw), "sim-raw");
        check("loop", Spec::Loop, "loop");
        let tcp = |host: &str| {
            Spec::Tcp(Endpoint {
                host: host.into(),
                port: 4000,
            })
        };
        check("tcp://a.local:4000", tcp("a.local"), "a-local-4000");
        check("tcp://[::1]:4000", tcp("::1"), "1-4000");
    }

    #[track_caller]
    fn check_wrong(text: &str, expected: &str) {
        let error = text.parse::<Spec>().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn wrong_specs_say_what_is_right() {
        check_wrong("", "expected a path such as ");
        check_wrong("usb", "`usb:` is not of the form usb:VID:PID[:SERIAL]");
        check_wrong(
            "usb:2341",
            "`usb:2341` is not of the form usb:VID:PID[:SERIAL], such as usb:2341:0043",
        );
        check_wrong("usb:2341:uno", "`usb:2341:uno` is not");
        check_wrong("usb:+341:0043", "is not");
        check_wrong("usb:12345:0043", "is not");
        check_wrong("usb:2341:0043:", "is not");
        check_wrong("simm:raw", "unknown kind of device `simm` (known: a path");
        check_wrong("loop:x", "`loop` stands alone");
    }

    #[test]
    fn a_path_in_quotes_stays_a_path() {
        for text in ["\"sim\"", "\"00:\"", "'auto'", "\"com3\"", "\"'a\""] {
            let path = Spec::Path(text[1..text.len() - 1].to_owned());
            assert_eq!(text.parse::<Spec>().ok().as_ref(), Some(&path), "{text}");
            let shown = path.to_string();
            assert_eq!(shown.parse::<Spec>().ok(), Some(path), "{shown}");
        }
    }

    proptest! {
        #[test]
        fn every_name_may_be_a_name(text in "\\PC{1,40}") {
            if let Ok(spec) = text.parse::<Spec>() {
                prop_assert_eq!(spec.to_string().parse::<Spec>().ok(), Some(spec.clone()));
                let name = spec.default_name();
                prop_assert!(!name.is_empty());
                prop_assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)));
            }
        }
    }
}
