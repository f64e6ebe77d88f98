//! Recognises a board that was unplugged and comes back, under whatever name: a Leonardo that
//! returns as ttyACM1, or as its bootloader, is found again here. Pure.

use super::enumerate::{PortInfo, Usb};

/// Serial numbers that a chip leaves its factory with, and that whole shelves of boards share.
const FACTORY_SERIALS: [&str; 4] = ["0001", "0", "123456", "1234567890"];

/// The identity of a device, taken when it was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The path that was opened.
    pub(crate) path: String,
    /// Its description by USB; None for a port that is not USB.
    pub(crate) usb: Option<Usb>,
    /// True if no other board that was here had the same vendor, product and serial number.
    pub(crate) is_unique: bool,
}

impl Identity {
    /// Returns the identity of a port among all that are listed with it.
    pub(crate) fn of(port: &PortInfo, ports: &[PortInfo]) -> Identity {
        let usb = port.usb().cloned();
        let is_unique = usb.as_ref().is_some_and(|usb| {
            let twins = candidates(usb, ports).filter(|(_, other)| other.is_equal_board(usb));
            let serial = usb.serial.as_deref();
            serial.is_some_and(|serial| !FACTORY_SERIALS.contains(&serial)) && twins.count() <= 1
        });
        Identity {
            path: port.path.clone(),
            usb,
            is_unique,
        }
    }
}

/// Returns the listed port that is certainly the same board as before: the only one with its
/// vendor, product and serial number, or the one in the same USB socket. Never returns a port in
/// `taken`, the names of those that are open already.
///
/// A board in the same socket that shows another serial number is another board. One that shows
/// another product number may be the same, in its bootloader or with new firmware.
pub(crate) fn recognise<'a>(
    identity: &Identity,
    ports: &'a [PortInfo],
    taken: &[String],
) -> Option<&'a PortInfo> {
    let is_free = |port: &&PortInfo| !taken.iter().any(|name| port.is_called(name));
    let Some(usb) = &identity.usb else {
        let is_same = |port: &&PortInfo| port.usb().is_none() && port.is_called(&identity.path);
        return ports.iter().find(is_same).filter(is_free);
    };
    let equal: Vec<_> = candidates(usb, ports)
        .filter(|(_, other)| other.is_equal_board(usb))
        .map(|(port, _)| port)
        .collect();
    if let ([port], true) = (equal.as_slice(), identity.is_unique) {
        return Some(*port).filter(is_free);
    }
    if usb.location.is_none() {
        // A system that does not report the socket names ports by it.
        let same_name = equal
            .into_iter()
            .find(|port| port.is_called(&identity.path));
        return same_name.filter(is_free);
    }
    let mut at_socket = candidates(usb, ports)
        .filter(|(_, other)| is_at_socket(usb, other))
        .map(|(port, _)| port)
        .filter(is_free);
    // An adapter with several ports on one interface is ambiguous.
    at_socket.next().filter(|_| at_socket.next().is_none())
}

/// Returns the USB ports that are the same function of their device.
fn candidates<'a>(
    usb: &Usb,
    ports: &'a [PortInfo],
) -> impl Iterator<Item = (&'a PortInfo, &'a Usb)> {
    ports
        .iter()
        .filter(|port| !port.is_placeholder())
        .filter_map(|port| Some((port, port.usb()?)))
        .filter(move |(_, other)| other.interface == usb.interface)
}

fn is_at_socket(usb: &Usb, other: &Usb) -> bool {
    let contradicts = match (&usb.serial, &other.serial) {
        (Some(serial), Some(other)) => plain(serial) != plain(other),
        _ => false,
    };
    usb.location == other.location && usb.vid == other.vid && !contradicts
}

/// Returns a serial number without what bootloader and sketch may write differently (`B4:3A`, `b43a`).
fn plain(serial: &str) -> String {
    let letters = serial.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `before` was open, the rest of `then` was listed with it; then `now` is listed.
    #[track_caller]
    fn check(before: (&str, &str), now: &[(&str, &str)], expected: Option<&str>) {
        check_all(&[before], now, &[], expected);
    }

    #[track_caller]
    fn check_all(
        then: &[(&str, &str)],
        now: &[(&str, &str)],
        taken: &[&str],
        expected: Option<&str>,
    ) {
        let found = |list: &[(&str, &str)]| -> Vec<PortInfo> {
            list.iter()
                .map(|(path, spec)| PortInfo::fake_usb(path, spec))
                .collect()
        };
        let (then, now) = (found(then), found(now));
        let taken: Vec<_> = taken.iter().map(|name| name.to_string()).collect();
        let identity = Identity::of(&then[0], &then);
        let port = recognise(&identity, &now, &taken);
        assert_eq!(port.map(|port| port.path.as_str()), expected);
    }

    #[test]
    fn a_unique_serial_number_is_known_anywhere() {
        let uno = ("/dev/ttyACM0", "2341:0043:A@1-1/0");
        check(
            uno,
            &[("/dev/ttyACM1", "2341:0043:A@1-2/0")],
            Some("/dev/ttyACM1"),
        );
        check(uno, &[("/dev/ttyACM0", "2341:0043:B@1-2/0")], None);
        check(uno, &[], None);
        check(
            ("COM3", "2341:0043:A"),
            &[("COM7", "2341:0043:A")],
            Some("COM7"),
        );
    }

    #[test]
    fn without_one_the_socket_decides() {
        let nano = ("/dev/ttyUSB0", "1a86:7523@1-1/0");
        check(
            nano,
            &[("/dev/ttyUSB1", "1a86:7523@1-1/0")],
            Some("/dev/ttyUSB1"),
        );
        check(nano, &[("/dev/ttyUSB0", "1a86:7523@1-2/0")], None);
        check(
            ("COM3", "1a86:7523"),
            &[("COM3", "1a86:7523")],
            Some("COM3"),
        );
        check(("COM3", "1a86:7523"), &[("COM4", "1a86:7523")], None);
        let cp2102 = ("/dev/ttyUSB0", "10c4:ea60:0001@1-1/0");
        check(cp2102, &[("/dev/ttyUSB0", "10c4:ea60:0001@1-2/0")], None);
        check(
            cp2102,
            &[("/dev/ttyUSB1", "10c4:ea60:0001@1-1/0")],
            Some("/dev/ttyUSB1"),
        );
    }

    #[test]
    fn a_bootloader_is_the_same_board_in_the_same_socket() {
        let leonardo = ("/dev/ttyACM0", "2341:8036@1-1/0");
        check(
            leonardo,
            &[("/dev/ttyACM1", "2341:0036@1-1/0")],
            Some("/dev/ttyACM1"),
        );
        check(leonardo, &[("/dev/ttyACM0", "0403:6001@1-1/0")], None);
        let esp = ("/dev/ttyACM0", "303a:4001:B43A45@1-1/0");
        check(
            esp,
            &[("/dev/ttyACM1", "303a:1001:b4:3a:45@1-1/0")],
            Some("/dev/ttyACM1"),
        );
        check(esp, &[("/dev/ttyACM0", "303a:1001:ff:ff:ff@1-1/0")], None);
    }

    #[test]
    fn a_twin_is_not_taken_for_the_board() {
        let (left, right) = (
            ("/dev/ttyUSB0", "0403:6001:X@1-1/0"),
            ("/dev/ttyUSB1", "0403:6001:X@1-2/0"),
        );
        check_all(&[left, right], &[right], &[], None);
        check_all(
            &[left, right],
            &[("/dev/ttyUSB2", left.1), right],
            &[],
            Some("/dev/ttyUSB2"),
        );
        check_all(
            &[left],
            &[("/dev/ttyUSB0", "0403:6001:X@1-3/0"), right],
            &[],
            None,
        );
    }

    #[test]
    fn a_port_that_is_held_stays_with_its_holder() {
        let uno = ("/dev/ttyACM0", "2341:0043:A@1-1/0");
        check_all(&[uno], &[uno], &["/dev/ttyACM0"], None);
        let nano = ("/dev/ttyUSB0", "1a86:7523@1-1/0");
        check_all(&[nano], &[nano], &["/dev/ttyUSB0"], None);
    }

    #[test]
    fn the_other_port_of_the_board_is_not_this_one() {
        let data = ("/dev/ttyACM1", "239a:80f4:C@1-1/2");
        let console = ("/dev/ttyACM0", "239a:80f4:C@1-1/0");
        check_all(&[data, console], &[console], &[], None);
        check_all(
            &[data, console],
            &[console, ("/dev/ttyACM4", data.1)],
            &[],
            Some("/dev/ttyACM4"),
        );
    }

    #[test]
    fn a_port_that_is_not_usb_is_its_path() {
        let port = PortInfo::fake("/dev/ttyAMA0");
        let identity = Identity::of(&port, std::slice::from_ref(&port));
        let usb = PortInfo::fake_usb("/dev/ttyAMA0", "2341:0043");
        assert_eq!(recognise(&identity, &[usb], &[]), None);
        let ports = [PortInfo::fake("/dev/ttyAMA1"), port.clone()];
        assert_eq!(recognise(&identity, &ports, &[]), Some(&port));
        assert_eq!(recognise(&identity, &ports, &["/dev/ttyAMA0".into()]), None);
    }
}
