//! Parses the SPEC of `--port`, which names a kind of device and the device. Pure. To select the
//! serial port that a SPEC means is the business of `serial::select`.

use std::fmt;
use std::str::FromStr;

use anyhow::{Result, bail};

use super::serial::enumerate::Usb;
use super::sim::Pattern;
use crate::port::config::is_name_char;
use crate::terminal::shown;

/// The prefix of a device's name in Windows' own notation, which may be left out.
pub(crate) const DEVICE_PREFIX: &str = r"\\.\";

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
    /// A simulated board that runs a pattern.
    Sim(Pattern),
    /// A device that sends back what it is sent.
    Loop,
}

impl FromStr for Spec {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Spec> {
        let text = text.trim_start_matches(DEVICE_PREFIX);
        let (word, rest) = match text.split_once(':') {
            Some((word, rest)) => (word, Some(rest)),
            None => (text, None),
        };
        match (word, rest) {
            ("", _) => bail!("no port given. For example: --port auto"),
            ("auto", None) => Ok(Spec::Auto),
            ("loop", None) => Ok(Spec::Loop),
            ("sim", name) => Ok(Spec::Sim(name.unwrap_or_default().parse()?)),
            ("usb", rest) => match rest.and_then(parse_usb) {
                Some(spec) => Ok(spec),
                None => bail!(
                    "{} is not of the form usb:VID:PID[:SERIAL] with VID and PID in hex. \
                     For example: --port usb:2341:0043",
                    shown(text)
                ),
            },
            // `mode` and old manuals write `COM3:`.
            (word, None | Some("")) if is_com_port(word) => Ok(Spec::Path(word.to_uppercase())),
            (word, Some(_)) if !word.contains(['/', '\\', '.']) && word.len() > 1 => bail!(
                "unknown kind of port {}: use a path, usb:VID:PID, auto, sim[:NAME] or loop",
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

/// Returns whether this is a name such as `COM3`.
pub(crate) fn is_com_port(text: &str) -> bool {
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
            Spec::Sim(pattern) => write!(f, "{pattern}"),
            Spec::Loop => f.write_str("loop"),
        }
    }
}

impl Spec {
    /// Returns the name of a port that the user gave none: the last part of a path, or the whole
    /// SPEC, with `-` in place of what a name must not contain.
    pub(crate) fn default_name(&self) -> String {
        let text = self.to_string();
        let last = match self {
            Spec::Path(path) => path.trim_end_matches(['/', '\\']),
            _ => &text,
        };
        let last = last.rsplit(['/', '\\']).next().unwrap_or(last);
        let name = last.replace(|c| !is_name_char(c), "-");
        if name.is_empty() { "port".into() } else { name }
    }

    /// Returns whether the device is hardware, and not a part of this program.
    pub(crate) fn is_physical(&self) -> bool {
        matches!(self, Spec::Path(_) | Spec::Usb { .. } | Spec::Auto)
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
    }

    #[track_caller]
    fn check_wrong(text: &str, expected: &str) {
        let error = text.parse::<Spec>().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn wrong_specs_say_what_is_right() {
        check_wrong("", "--port auto");
        check_wrong("usb", "usb is not of the form usb:VID:PID[:SERIAL]");
        check_wrong(
            "usb:2341",
            "usb:2341 is not of the form usb:VID:PID[:SERIAL] with VID and PID in hex. For example: --port usb:2341:0043",
        );
        check_wrong("usb:2341:uno", "usb:2341:uno is not");
        check_wrong("usb:+341:0043", "is not");
        check_wrong("usb:12345:0043", "is not");
        check_wrong("usb:2341:0043:", "is not");
        check_wrong("simm:raw", "unknown kind of port simm:raw");
        check_wrong("loop:x", "unknown kind of port loop:x");
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
