//! The serial ports of this machine and what is known of each. Lists; never opens a port, and
//! chooses none.

use anyhow::{Context, Result, bail};
use serialport::{SerialPortInfo, SerialPortType, UsbPortInfo};

use super::boards;
use super::os;

/// A serial port of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PortInfo {
    /// What to open: `/dev/ttyACM0`, `COM3`.
    pub(crate) path: String,
    /// What it is attached by.
    pub(crate) kind: Kind,
    /// Other names, such as `/dev/serial/by-id/…`.
    pub(crate) aliases: Vec<String>,
}

/// What a port is attached by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// USB, which says what is there.
    Usb(Usb),
    /// A paired Bluetooth device.
    Bluetooth,
    /// A card in the machine; on macOS, anything that is not USB.
    Pci,
    /// On the main board, virtual, or unknown.
    Other,
}

/// How a USB device names itself. The texts are whatever the device says: escape them before
/// showing them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Usb {
    /// The number of its vendor.
    pub(crate) vid: u16,
    /// The vendor's number for the product; a bootloader has another than the sketch.
    pub(crate) pid: u16,
    /// Tells equal boards apart, though some makers give all of theirs the same.
    pub(crate) serial: Option<String>,
    /// Who made it.
    pub(crate) manufacturer: Option<String>,
    /// What it is.
    pub(crate) product: Option<String>,
    /// Which function of the device this port is, where one device has several ports.
    pub(crate) interface: Option<u8>,
    /// The socket that it is plugged into, such as `1-1.2`; only on Linux.
    pub(crate) location: Option<String>,
}

/// All ports, USB first, then by name with numbers in their order (COM2 before COM12).
///
/// # Errors
///
/// When the system cannot list ports at all; having none is no error.
pub(crate) fn ports() -> Result<Vec<PortInfo>> {
    if let Some(reason) = os::cannot_list() {
        bail!("cannot list serial ports: {reason}");
    }
    let listed = serialport::available_ports().context("cannot list serial ports")?;
    let mut ports: Vec<_> = listed.into_iter().map(found).collect();
    ports.sort_by_cached_key(order);
    Ok(ports)
}

impl PortInfo {
    /// What the board is called: a known board's name, else what it says of itself.
    pub(crate) fn board(&self) -> Option<String> {
        let usb = self.usb()?;
        boards::name(usb.vid, usb.pid)
            .map(str::to_owned)
            .or_else(|| usb.product.clone())
            .or_else(|| boards::family(usb.vid).map(str::to_owned))
    }

    /// What USB says of it.
    pub(crate) fn usb(&self) -> Option<&Usb> {
        match &self.kind {
            Kind::Usb(usb) => Some(usb),
            _ => None,
        }
    }

    /// Whether nothing that anyone would want to open is behind this entry.
    pub(crate) fn is_ghost(&self) -> bool {
        !os::has_hardware(&self.path)
    }

    /// The device as a SPEC, `usb:2341:0043`, with the serial number where it has one that can be
    /// typed in any shell.
    pub(crate) fn usb_spec(&self) -> Option<String> {
        let usb = self.usb()?;
        let serial = usb.serial.as_deref().filter(|serial| is_typeable(serial));
        Some(match serial {
            Some(serial) => format!("{}:{serial}", usb.id()),
            None => usb.id(),
        })
    }

    /// Whether the board speaks USB itself. A board with a USB serial chip (false) restarts when
    /// its port is opened. None for a port that is not USB.
    pub(crate) fn is_native_usb(&self) -> Option<bool> {
        let usb = self.usb()?;
        Some(!boards::is_bridge(usb.vid, usb.pid))
    }

    /// Whether `name` is this port's path or one of its aliases.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        let is_com = !self.path.starts_with('/');
        self.path == name
            || (is_com && self.path.eq_ignore_ascii_case(name))
            || self.aliases.iter().any(|alias| alias == name)
    }
}

impl Usb {
    /// Vendor and product as a SPEC, `usb:2341:0043`.
    pub(crate) fn id(&self) -> String {
        format!("usb:{:04x}:{:04x}", self.vid, self.pid)
    }

    /// Whether both are the same board as far as it says itself. All boards without a serial
    /// number are equal to others of their type.
    pub(crate) fn is_equal_board(&self, other: &Usb) -> bool {
        (self.vid, self.pid) == (other.vid, other.pid) && self.serial == other.serial
    }
}

/// Serial numbers are proposed as part of a command, and a device may say what it likes.
fn is_typeable(serial: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':' | '+');
    serial.chars().all(is_plain) && serial.len() <= 64
}

fn found(port: SerialPortInfo) -> PortInfo {
    let path = port.port_name;
    let kind = match port.port_type {
        SerialPortType::UsbPort(info) => Kind::Usb(usb(info, &path)),
        SerialPortType::BluetoothPort => Kind::Bluetooth,
        SerialPortType::PciPort => Kind::Pci,
        SerialPortType::Unknown => Kind::Other,
    };
    let aliases = os::aliases(&path);
    PortInfo {
        path,
        kind,
        aliases,
    }
}

fn usb(info: UsbPortInfo, path: &str) -> Usb {
    Usb {
        vid: info.vid,
        pid: info.pid,
        serial: text(info.serial_number).filter(|serial| is_serial(serial)),
        manufacturer: text(info.manufacturer),
        product: text(info.product).map(|product| without_port_name(product, path)),
        interface: info.interface,
        location: os::usb_location(path),
    }
}

fn text(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
}

/// For a device without a serial number Windows makes up `5&2c2d8f9&0&3`, of which one digit is
/// left here.
fn is_serial(serial: &str) -> bool {
    !cfg!(windows) || serial.len() > 1
}

/// Windows has the name of the port at the end of the product: `Arduino Uno (COM3)`.
fn without_port_name(product: String, path: &str) -> String {
    match product.strip_suffix(&format!(" ({path})")) {
        Some(product) => product.to_owned(),
        None => product,
    }
}

fn order(found: &PortInfo) -> (bool, Vec<Piece>) {
    (found.usb().is_none(), pieces(&found.path))
}

/// A path as letters and whole numbers, so that sorting puts COM2 before COM12.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Piece {
    Number(u64),
    Letter(char),
}

fn pieces(path: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for character in path.chars() {
        match (pieces.last_mut(), character.to_digit(10)) {
            (Some(Piece::Number(number)), Some(digit)) => {
                *number = number.saturating_mul(10).saturating_add(digit.into());
            }
            (_, Some(digit)) => pieces.push(Piece::Number(digit.into())),
            (_, None) => pieces.push(Piece::Letter(character)),
        }
    }
    pieces
}

#[cfg(test)]
impl PortInfo {
    /// A port that is not USB, for tests.
    pub(crate) fn fake(path: &str) -> PortInfo {
        PortInfo {
            path: path.into(),
            kind: Kind::Other,
            aliases: Vec::new(),
        }
    }

    /// A USB port, for tests; `spec` is `2341:0043:SERIAL@LOCATION/INTERFACE`, from the serial
    /// number on as far as there is any.
    pub(crate) fn fake_usb(path: &str, spec: &str) -> PortInfo {
        let (spec, interface) = spec
            .split_once('/')
            .map_or((spec, None), |(s, i)| (s, Some(i)));
        let (spec, location) = spec
            .split_once('@')
            .map_or((spec, None), |(s, l)| (s, Some(l)));
        let mut ids = spec.splitn(3, ':');
        let mut id = || u16::from_str_radix(ids.next().unwrap(), 16).unwrap();
        let (vid, pid) = (id(), id());
        let usb = Usb {
            vid,
            pid,
            serial: ids.next().map(str::to_owned),
            manufacturer: None,
            product: None,
            interface: interface.map(|number| number.parse().unwrap()),
            location: location.map(str::to_owned),
        };
        PortInfo {
            kind: Kind::Usb(usb),
            ..PortInfo::fake(path)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usb_comes_first_and_numbers_count() {
        let mut ports = [
            PortInfo::fake("COM1"),
            PortInfo::fake_usb("COM12", "2341:0043"),
            PortInfo::fake_usb("COM2", "2341:0043"),
        ];
        ports.sort_by_cached_key(order);
        let paths: Vec<_> = ports.iter().map(|port| port.path.as_str()).collect();
        assert_eq!(paths, ["COM2", "COM12", "COM1"]);
    }

    #[track_caller]
    fn check_spec(spec: &str, expected: &str) {
        let found = PortInfo::fake_usb("COM3", spec);
        assert_eq!(found.usb_spec().as_deref(), Some(expected));
    }

    #[test]
    fn only_a_harmless_serial_number_is_typed() {
        check_spec("2341:0043", "usb:2341:0043");
        check_spec("303a:1001:B4:3A:45", "usb:303a:1001:B4:3A:45");
        check_spec("2341:0043:$(reboot)", "usb:2341:0043");
        check_spec("2341:0043:a b", "usb:2341:0043");
        check_spec("2341:0043:a,raw", "usb:2341:0043");
    }

    #[test]
    fn a_board_is_known_by_its_numbers_or_its_own_words() {
        let uno = PortInfo::fake_usb("COM3", "2341:0043");
        assert_eq!(uno.board().as_deref(), Some("Arduino Uno"));
        assert_eq!(uno.is_native_usb(), Some(false));
        let mut other = PortInfo::fake_usb("COM3", "10c4:ea60");
        assert_eq!(other.board().as_deref(), Some("CP210x USB serial"));
        if let Kind::Usb(usb) = &mut other.kind {
            usb.product = Some("Weather station".into());
        }
        assert_eq!(other.board().as_deref(), Some("Weather station"));
        assert_eq!(PortInfo::fake("COM1").board(), None);
        assert_eq!(PortInfo::fake("COM1").is_native_usb(), None);
    }

    #[test]
    fn windows_adds_the_port_to_the_product() {
        assert_eq!(without_port_name("Uno (COM3)".into(), "COM3"), "Uno");
        assert_eq!(without_port_name("Uno (COM3)".into(), "COM4"), "Uno (COM3)");
    }

    #[test]
    fn the_ports_of_this_machine_are_listed() {
        for port in ports().unwrap() {
            assert!(port.is_called(&port.path));
        }
    }
}
