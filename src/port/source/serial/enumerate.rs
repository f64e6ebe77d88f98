//! Lists the serial ports of this machine with what is known of each. Opens no port, and chooses
//! none.

use anyhow::{Result, bail};
use serialport::{SerialPortInfo, SerialPortType, UsbPortInfo};

use super::{boards, library, os};

/// A serial port of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PortInfo {
    /// The path that the system opens: `/dev/ttyACM0`, `COM3`.
    pub(crate) path: String,
    /// The way in which it is attached.
    pub(crate) kind: PortKind,
    /// Other names, such as `/dev/serial/by-id/…`.
    pub(crate) aliases: Vec<String>,
}

/// The way in which a port is attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PortKind {
    /// USB, which describes the device.
    Usb(Usb),
    /// A paired Bluetooth device.
    Bluetooth,
    /// A card in the machine; on macOS, anything that is not USB.
    Pci,
    /// On the main board, virtual, or unknown.
    Other,
}

/// The description that a USB device gives of itself. Its texts are untrusted: escape them before
/// showing them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Usb {
    /// The number of its vendor.
    pub(crate) vid: u16,
    /// The vendor's number for the product; a bootloader has another than the sketch.
    pub(crate) pid: u16,
    /// Tells equal boards apart, though some makers give all of theirs the same.
    pub(crate) serial: Option<String>,
    /// The name of its maker.
    pub(crate) manufacturer: Option<String>,
    /// The name of the product.
    pub(crate) product: Option<String>,
    /// The function of the device that this port is, where one device has several ports.
    pub(crate) interface: Option<u8>,
    /// The socket that it is plugged into, such as `1-1.2`; only on Linux.
    pub(crate) location: Option<String>,
}

/// All ports, USB first, then by name with numbers in their order (COM2 before COM12).
///
/// # Errors
/// If the system cannot list ports at all; having none is no error.
pub(crate) fn ports() -> Result<Vec<PortInfo>> {
    if let Some(reason) = os::cannot_list() {
        bail!("cannot list serial ports: {reason}");
    }
    let listed = library::available_ports()?;
    let mut ports: Vec<_> = listed.into_iter().map(describe).collect();
    ports.sort_by_cached_key(order);
    Ok(ports)
}

impl PortInfo {
    /// Returns the name of the board: that of a known board, else its own description.
    pub(crate) fn board(&self) -> Option<String> {
        let usb = self.usb()?;
        boards::name(usb.vid, usb.pid)
            .map(str::to_owned)
            .or_else(|| usb.product.clone())
            .or_else(|| boards::family(usb.vid).map(str::to_owned))
    }

    /// Returns the description that USB gives of it.
    pub(crate) fn usb(&self) -> Option<&Usb> {
        match &self.kind {
            PortKind::Usb(usb) => Some(usb),
            _ => None,
        }
    }

    /// Returns true for an entry without any device behind it.
    pub(crate) fn is_placeholder(&self) -> bool {
        !os::has_hardware(&self.path)
    }

    /// Returns the device as a SPEC, `usb:2341:0043`, with its serial number if that can be typed in
    /// any shell.
    pub(crate) fn usb_spec(&self) -> Option<String> {
        let usb = self.usb()?;
        let serial = usb.serial.as_deref().filter(|serial| is_typeable(serial));
        Some(match serial {
            Some(serial) => format!("{}:{serial}", usb.id()),
            None => usb.id(),
        })
    }

    /// Returns whether the board speaks USB itself. A board with a USB serial chip (false) restarts
    /// when its port is opened. None for a port that is not USB.
    pub(crate) fn is_native_usb(&self) -> Option<bool> {
        let usb = self.usb()?;
        Some(!boards::is_bridge(usb.vid, usb.pid))
    }

    /// Returns true for a board of our table: neither a modem or another device that serves
    /// something else, nor one that nobody knows.
    pub(crate) fn is_known_board(&self) -> bool {
        self.usb()
            .is_some_and(|usb| boards::is_board(usb.vid, usb.pid))
    }

    /// Returns true for a board of our table that speaks USB itself, and so hands over at once what
    /// it sends.
    pub(crate) fn speaks_usb(&self) -> bool {
        self.usb()
            .is_some_and(|usb| boards::speaks_usb(usb.vid, usb.pid))
    }

    /// Returns whether a baud rate means something to the device, as far as is known.
    pub(crate) fn has_rate(&self) -> bool {
        self.usb()
            .is_none_or(|usb| boards::has_rate(usb.vid, usb.pid))
    }

    /// Returns true for a UART: a card's, the main board's, or that of a known adapter. Its rate
    /// matters.
    pub(crate) fn is_uart(&self) -> bool {
        match &self.kind {
            PortKind::Usb(usb) => boards::has_uart(usb.vid, usb.pid),
            PortKind::Pci | PortKind::Other => true,
            PortKind::Bluetooth => false,
        }
    }

    /// Returns whether `name` is this port's path or one of its aliases.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        let is_com = !self.path.starts_with('/');
        self.path == name
            || (is_com && self.path.eq_ignore_ascii_case(name))
            || self.aliases.iter().any(|alias| alias == name)
    }
}

impl Usb {
    /// Returns vendor and product as a SPEC, `usb:2341:0043`.
    pub(crate) fn id(&self) -> String {
        format!("usb:{:04x}:{:04x}", self.vid, self.pid)
    }

    /// Returns whether both describe themselves as the same board. Boards of one type without serial
    /// numbers are all equal.
    pub(crate) fn is_equal_board(&self, other: &Usb) -> bool {
        (self.vid, self.pid) == (other.vid, other.pid) && self.serial == other.serial
    }

    /// Returns whether both are ports of one device. Where the system does not report the socket, two
    /// equal boards are told apart by having the same interface.
    pub(crate) fn is_other_side_of(&self, other: &Usb) -> bool {
        self.is_equal_board(other)
            && self.location == other.location
            && self.interface.is_some()
            && self.interface != other.interface
    }
}

/// Keeps serial numbers out of suggested commands that a shell could misread: they are untrusted.
fn is_typeable(serial: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':' | '+');
    serial.chars().all(is_plain) && serial.len() <= 64
}

fn describe(port: SerialPortInfo) -> PortInfo {
    let path = port.port_name;
    let kind = match port.port_type {
        SerialPortType::UsbPort(info) => PortKind::Usb(usb(info, &path)),
        SerialPortType::BluetoothPort => PortKind::Bluetooth,
        SerialPortType::PciPort => PortKind::Pci,
        SerialPortType::Unknown => PortKind::Other,
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

/// For a device without a serial number Windows makes up `5&2c2d8f9&0&3`, and only one digit of it
/// arrives here.
fn is_serial(serial: &str) -> bool {
    !cfg!(windows) || serial.len() > 1
}

/// Windows appends the name of the port to the product: `Arduino Uno (COM3)`.
fn without_port_name(product: String, path: &str) -> String {
    match product.strip_suffix(&format!(" ({path})")) {
        Some(product) => product.to_owned(),
        None => product,
    }
}

fn order(port: &PortInfo) -> (bool, Vec<NamePart>) {
    (port.usb().is_none(), parts(&port.path))
}

/// A letter or a whole number of a path, so that sorting puts COM2 before COM12.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum NamePart {
    Number(u64),
    Letter(char),
}

fn parts(path: &str) -> Vec<NamePart> {
    let mut parts = Vec::new();
    for character in path.chars() {
        match (parts.last_mut(), character.to_digit(10)) {
            (Some(NamePart::Number(number)), Some(digit)) => {
                *number = number.saturating_mul(10).saturating_add(digit.into());
            }
            (_, Some(digit)) => parts.push(NamePart::Number(digit.into())),
            (_, None) => parts.push(NamePart::Letter(character)),
        }
    }
    parts
}

#[cfg(test)]
impl PortInfo {
    /// A port that is not USB, for tests.
    pub(crate) fn fake(path: &str) -> PortInfo {
        PortInfo {
            path: path.into(),
            kind: PortKind::Other,
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
            kind: PortKind::Usb(usb),
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
        if let PortKind::Usb(usb) = &mut other.kind {
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
