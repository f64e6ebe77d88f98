//! What the user asked for (SPEC) and which of the listed ports that is. Pure: the list of ports
//! comes from `enumerate`. Knowing a board again after a loss is in `identity`.

use std::fmt;
use std::str::FromStr;

use anyhow::{Result, bail};

use super::serial::enumerate::{PortInfo, Usb};
use crate::terminal::shown;

/// What comes before the name of a device in Windows' own notation, and may be left out.
const DEVICE_PREFIX: &str = r"\\.\";

const ADVICE: &str = "Plug a board in, with a cable that carries data (some only charge), \
                      or try without one: --port sim";

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
    /// The only USB board.
    Auto,
    /// A simulated device, by the name of its pattern; empty for the first one.
    Sim(String),
    /// A device that sends back what it is sent.
    Loop,
}

/// Why no port was chosen, in words for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Undecided {
    /// No port is what was asked for; one may come.
    Absent(String),
    /// More than one is.
    Several(String),
}

impl fmt::Display for Undecided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Undecided::Absent(text) | Undecided::Several(text)) = self;
        f.write_str(text)
    }
}

impl std::error::Error for Undecided {}

impl FromStr for Spec {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Spec> {
        let text = text.strip_prefix(DEVICE_PREFIX).unwrap_or(text);
        let (word, rest) = match text.split_once(':') {
            Some((word, rest)) => (word, Some(rest)),
            None => (text, None),
        };
        match (word, rest) {
            ("", _) => bail!("no port is named. For example: --port auto"),
            ("auto", None) => Ok(Spec::Auto),
            ("loop", None) => Ok(Spec::Loop),
            ("sim", name) => Ok(Spec::Sim(name.unwrap_or_default().to_owned())),
            ("usb", rest) => match rest.and_then(parse_usb) {
                Some(spec) => Ok(spec),
                None => bail!(
                    "{} is not usb:VID:PID[:SERIAL], VID and PID in hex. For example: --port usb:2341:0043",
                    shown(text)
                ),
            },
            // `mode` and old manuals write `COM3:`.
            (word, None | Some("")) if is_com_port(word) => Ok(Spec::Path(word.to_uppercase())),
            (word, Some(_)) if !word.contains(['/', '\\', '.']) && word.len() > 1 => bail!(
                "{} is no kind of port. Use a path, usb:VID:PID, auto, sim[:NAME] or loop",
                shown(text)
            ),
            _ => Ok(Spec::Path(text.to_owned())),
        }
    }
}

fn parse_usb(text: &str) -> Option<Spec> {
    let mut parts = text.splitn(3, ':');
    let (vid, pid) = (parse_id(parts.next()?)?, parse_id(parts.next()?)?);
    let serial = match parts.next() {
        Some("") => return None,
        serial => serial.map(str::to_owned),
    };
    Some(Spec::Usb { vid, pid, serial })
}

fn parse_id(text: &str) -> Option<u16> {
    let digits = text.trim_start_matches("0x");
    let is_hex = digits.chars().all(|c| c.is_ascii_hexdigit());
    is_hex.then(|| u16::from_str_radix(digits, 16).ok())?
}

fn is_com_port(text: &str) -> bool {
    let (word, number) = text.split_at_checked(3).unwrap_or((text, ""));
    let is_number = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit());
    word.eq_ignore_ascii_case("com") && is_number
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Spec::Path(path) => f.write_str(path),
            Spec::Usb { vid, pid, serial } => {
                write!(f, "usb:{vid:04x}:{pid:04x}")?;
                match serial {
                    Some(serial) => write!(f, ":{serial}"),
                    None => Ok(()),
                }
            }
            Spec::Auto => f.write_str("auto"),
            Spec::Sim(name) if name.is_empty() => f.write_str("sim"),
            Spec::Sim(name) => write!(f, "sim:{name}"),
            Spec::Loop => f.write_str("loop"),
        }
    }
}

impl Spec {
    /// What to call the port when the user gave it no name: the last part of a path, or the whole
    /// SPEC, with `-` in place of what a name may not have.
    pub(crate) fn default_name(&self) -> String {
        let text = self.to_string();
        let last = match self {
            Spec::Path(path) => path.trim_end_matches(['/', '\\']),
            _ => &text,
        };
        let last = last.rsplit(['/', '\\']).next().unwrap_or(last);
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let name: String = last
            .chars()
            .map(|c| if is_allowed(c) { c } else { '-' })
            .collect();
        if name.is_empty() { "port".into() } else { name }
    }

    /// How exactly it tells which device is meant: of two ports that could have the same one, it is
    /// for the one that tells more.
    pub(crate) fn precision(&self) -> u8 {
        match self {
            Spec::Auto => 0,
            Spec::Usb { serial: None, .. } => 1,
            _ => 2,
        }
    }

    /// Whether a device with this USB identity could be meant.
    pub(crate) fn fits(&self, usb: &Usb) -> bool {
        match self {
            Spec::Usb { vid, pid, serial } => {
                (*vid, *pid) == (usb.vid, usb.pid) && (serial.is_none() || *serial == usb.serial)
            }
            Spec::Auto => true,
            _ => false,
        }
    }
}

/// The listed port that is meant.
///
/// # Errors
///
/// A sentence that names what is here and what to type instead.
pub(crate) fn choose<'a>(spec: &Spec, ports: &'a [PortInfo]) -> Result<&'a PortInfo, Undecided> {
    let boards = boards(ports);
    let fitting: Vec<_> = boards
        .iter()
        .filter(|board| board.usb().is_some_and(|usb| spec.fits(usb)))
        .copied()
        .collect();
    match (spec, fitting.as_slice()) {
        (Spec::Path(path), _) => ports
            .iter()
            .find(|port| port.is_called(path))
            .ok_or_else(|| Undecided::Absent(absent(&format!("port {path}"), ports))),
        (_, [board]) => Ok(board),
        (_, []) => Err(Undecided::Absent(match spec {
            Spec::Auto => no_board(ports),
            _ => absent(&format!("board {spec}"), ports),
        })),
        (_, several) => {
            let count = several.len();
            let what = match spec {
                Spec::Auto => format!("{count} boards found, --port auto needs one"),
                _ => format!("{count} boards are {spec}, name one"),
            };
            let flags: Vec<_> = several.iter().map(|board| flag(board, &boards)).collect();
            let text = format!("{}: {}", shown(&what), flags.join(", "));
            Err(Undecided::Several(text))
        }
    }
}

/// One port of each USB board: of those that belong to one device, the lowest interface.
fn boards(ports: &[PortInfo]) -> Vec<&PortInfo> {
    let mut boards: Vec<Vec<(&PortInfo, &Usb)>> = Vec::new();
    for port in ports.iter().filter(|port| !port.is_ghost()) {
        let Some(usb) = port.usb() else { continue };
        let same = boards
            .iter_mut()
            .find(|board| board.iter().all(|(_, other)| is_other_side(usb, other)));
        match same {
            Some(board) => board.push((port, usb)),
            None => boards.push(vec![(port, usb)]),
        }
    }
    boards
        .iter()
        .filter_map(|board| board.iter().min_by_key(|(_, usb)| usb.interface))
        .map(|(port, _)| *port)
        .collect()
}

/// Whether both are ports of one device. Twins in systems that do not tell the socket are told
/// apart by having the same interface.
fn is_other_side(usb: &Usb, other: &Usb) -> bool {
    usb.is_equal_board(other)
        && usb.location == other.location
        && usb.interface.is_some()
        && usb.interface != other.interface
}

/// What to type for this board and no other, with what it is.
fn flag(board: &PortInfo, boards: &[&PortInfo]) -> String {
    let is_unique = |spec: &String| {
        spec.parse::<Spec>().is_ok_and(|spec| {
            let fitting = boards.iter().filter_map(|board| board.usb());
            fitting.filter(|usb| spec.fits(usb)).count() == 1
        })
    };
    let by_place = || {
        let mut aliases = board.aliases.iter();
        aliases.find(|alias| alias.contains("/by-path/")).cloned()
    };
    let spec = board.usb_spec().filter(is_unique).or_else(by_place);
    let spec = spec.unwrap_or_else(|| board.path.clone());
    let name = board.board().unwrap_or_else(|| "unknown board".into());
    if spec == board.path {
        return format!("--port {} ({})", shown(&spec), shown(&name));
    }
    let path = shown(&board.path);
    format!("--port {} ({}, {path})", shown(&spec), shown(&name))
}

fn no_board(ports: &[PortInfo]) -> String {
    let others: Vec<_> = ports
        .iter()
        .filter(|port| !port.is_ghost())
        .map(|port| format!("--port {}", shown(&port.path)))
        .collect();
    if others.is_empty() {
        format!("no board found. {ADVICE}")
    } else {
        format!(
            "no USB board found. {ADVICE}. Other ports: {}",
            others.join(", ")
        )
    }
}

fn absent(what: &str, ports: &[PortInfo]) -> String {
    let what = shown(what);
    let here: Vec<_> = ports
        .iter()
        .filter(|port| !port.is_ghost())
        .map(summary)
        .collect();
    if here.is_empty() {
        format!("no {what}, and no other is here. {ADVICE}")
    } else {
        format!("no {what}. Here are: {}", here.join(", "))
    }
}

/// `/dev/ttyACM0 (Arduino Uno, usb:2341:0043)`
fn summary(port: &PortInfo) -> String {
    let path = shown(&port.path);
    match (port.usb(), port.board()) {
        (Some(usb), Some(board)) => format!("{path} ({}, {})", shown(&board), usb.id()),
        (Some(usb), None) => format!("{path} ({})", usb.id()),
        _ => path,
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
        check("sim", Spec::Sim("".into()), "sim");
        check("sim:raw", Spec::Sim("raw".into()), "sim-raw");
        check("loop", Spec::Loop, "loop");
    }

    #[track_caller]
    fn check_wrong(text: &str, expected: &str) {
        let error = text.parse::<Spec>().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn wrong_specs_say_what_is_right() {
        check_wrong("", "--port auto");
        check_wrong("usb", "usb is not usb:VID:PID[:SERIAL]");
        check_wrong(
            "usb:2341",
            "usb:2341 is not usb:VID:PID[:SERIAL], VID and PID in hex. For example: --port usb:2341:0043",
        );
        check_wrong("usb:2341:uno", "usb:2341:uno is not");
        check_wrong("usb:+341:0043", "is not");
        check_wrong("usb:12345:0043", "is not");
        check_wrong("usb:2341:0043:", "is not");
        check_wrong("simm:raw", "simm:raw is no kind of port");
        check_wrong("loop:x", "loop:x is no kind of port");
    }

    const UNO: &str = "2341:0043";

    #[track_caller]
    fn check_choice(spec: &str, ports: &[PortInfo], expected: &str) {
        let chosen = choose(&spec.parse().unwrap(), ports);
        assert_eq!(chosen.map(|port| port.path.as_str()), Ok(expected));
    }

    #[test]
    fn the_port_that_is_meant_is_chosen() {
        let ports = [
            PortInfo::fake_usb("/dev/ttyACM0", "2341:0043:A"),
            PortInfo::fake_usb("/dev/ttyACM1", "2341:0043:B"),
            PortInfo::fake_usb("/dev/ttyACM3", "239a:80f4:C@1-2/2"),
            PortInfo::fake_usb("/dev/ttyACM2", "239a:80f4:C@1-2/0"),
            PortInfo::fake("/dev/ttyAMA0"),
        ];
        check_choice("usb:2341:0043:B", &ports, "/dev/ttyACM1");
        check_choice("usb:239A:80F4", &ports, "/dev/ttyACM2");
        check_choice("auto", &ports[2..], "/dev/ttyACM2");
        check_choice("auto", &ports[1..2], "/dev/ttyACM1");
        check_choice("/dev/ttyAMA0", &ports, "/dev/ttyAMA0");
    }

    #[track_caller]
    fn check_absent(spec: &str, ports: &[PortInfo], expected: &str) {
        let chosen = choose(&spec.parse().unwrap(), ports);
        assert_eq!(chosen, Err(Undecided::Absent(expected.into())));
    }

    #[test]
    fn an_absent_port_names_those_that_are_here() {
        let ports = [
            PortInfo::fake_usb("/dev/ttyACM0", UNO),
            PortInfo::fake("/dev/ttyAMA0"),
        ];
        check_absent(
            "/dev/ttyACM1",
            &ports,
            "no port /dev/ttyACM1. Here are: /dev/ttyACM0 (Arduino Uno, usb:2341:0043), /dev/ttyAMA0",
        );
        check_absent(
            "usb:2341:0042",
            &ports[..1],
            "no board usb:2341:0042. Here are: /dev/ttyACM0 (Arduino Uno, usb:2341:0043)",
        );
        check_absent(
            "usb:2341:0043:x",
            &ports[..1],
            "no board usb:2341:0043:x. Here are: /dev/ttyACM0 (Arduino Uno, usb:2341:0043)",
        );
        check_absent("auto", &[], &format!("no board found. {ADVICE}"));
        check_absent(
            "auto",
            &ports[1..],
            &format!("no USB board found. {ADVICE}. Other ports: --port /dev/ttyAMA0"),
        );
        check_absent(
            "COM9",
            &[],
            &format!("no port COM9, and no other is here. {ADVICE}"),
        );
    }

    #[track_caller]
    fn check_several(spec: &str, ports: &[PortInfo], expected: &str) {
        let chosen = choose(&spec.parse().unwrap(), ports);
        assert_eq!(chosen, Err(Undecided::Several(expected.into())));
    }

    #[test]
    fn of_several_boards_each_is_listed_with_what_to_type() {
        let mut twins = [
            PortInfo::fake_usb("/dev/ttyUSB0", "0403:6001:X@1-1/0"),
            PortInfo::fake_usb("/dev/ttyUSB1", "0403:6001:X@1-2/0"),
        ];
        twins[0].aliases = vec![
            "/dev/serial/by-id/x".into(),
            "/dev/serial/by-path/1-1".into(),
        ];
        check_several(
            "usb:0403:6001",
            &twins,
            "2 boards are usb:0403:6001, name one: --port /dev/serial/by-path/1-1 \
             (FTDI USB serial, /dev/ttyUSB0), --port /dev/ttyUSB1 (FTDI USB serial)",
        );
        let boards = [
            PortInfo::fake_usb("COM3", "2341:0043:A"),
            PortInfo::fake_usb("COM4", "2341:0043:$(reboot)"),
            PortInfo::fake_usb("COM5", "1a86:7523"),
        ];
        check_several(
            "auto",
            &boards,
            "3 boards found, --port auto needs one: --port usb:2341:0043:A (Arduino Uno, COM3), \
             --port COM4 (Arduino Uno), --port usb:1a86:7523 (CH340 USB serial, COM5)",
        );
    }

    #[test]
    fn twins_of_two_ports_each_are_two_boards() {
        let ports = [
            PortInfo::fake_usb("COM3", "239a:80f4/0"),
            PortInfo::fake_usb("COM4", "239a:80f4/2"),
            PortInfo::fake_usb("COM5", "239a:80f4/0"),
            PortInfo::fake_usb("COM6", "239a:80f4/2"),
        ];
        let paths: Vec<_> = boards(&ports).iter().map(|port| &port.path).collect();
        assert_eq!(paths, ["COM3", "COM5"]);
    }

    proptest! {
        #[test]
        fn every_name_may_be_a_name(text in "\\PC{1,40}") {
            if let Ok(spec) = text.parse::<Spec>() {
                let name = spec.default_name();
                prop_assert!(!name.is_empty());
                prop_assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)));
            }
        }
    }
}
