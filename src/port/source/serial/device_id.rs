//! The IDs by which clients name the devices of this computer, such as `usb:2341:0043:A1`. Pure.
//!
//! An ID is as short as tells a device from the others that are here. What tells equal boards apart
//! stands behind an `@`: the socket, or where the system does not report that, the name of the port.

use super::enumerate::{PortInfo, Usb};

/// The beginning of the ID of a port that is not USB.
const NOT_USB: &str = "port:";

/// Bytes of vendor and product in an ID, `usb:2341:0043`. Their letters may be in any case.
const USB_BYTES: usize = "usb:2341:0043".len();

/// The reason why an ID means no device.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum IdError {
    /// No device that is here has it.
    Unknown,
    /// Equal boards are here: their IDs.
    Several(Vec<String>),
}

/// Returns the ID of each of `ports`, in their order. No two are the same.
pub(crate) fn ids(ports: &[PortInfo]) -> Vec<String> {
    let all: Vec<_> = ports.iter().map(|port| spellings(port, ports)).collect();
    let is_unique = |id: &String| all.iter().filter(|those| those.contains(id)).count() == 1;
    let shortest = |those: &Vec<String>| those.iter().find(|id| is_unique(id)).cloned();
    let ids = ports.iter().zip(&all);
    ids.map(|(port, those)| shortest(those).unwrap_or_else(|| format!("{NOT_USB}{}", port.path)))
        .collect()
}

/// Returns the ID of one of `ports`.
pub(crate) fn id(port: &PortInfo, ports: &[PortInfo]) -> String {
    let ids = ports.iter().zip(ids(ports));
    let own = ids.into_iter().find(|(other, _)| other.path == port.path);
    own.map_or_else(|| format!("{NOT_USB}{}", port.path), |(_, id)| id)
}

/// Returns the device that `id` means among `ports`. A longer spelling than that of [`ids`] means
/// the same device, and a shorter one the only device that it fits.
///
/// # Errors
/// If no device fits, or several do.
pub(crate) fn find<'a>(id: &str, ports: &'a [PortInfo]) -> Result<&'a PortInfo, IdError> {
    let id = normalized(id);
    let ids = ids(ports);
    if let Some(index) = ids.iter().position(|own| *own == id) {
        return Ok(&ports[index]);
    }
    let fitting = ports.iter().zip(ids);
    let mut fitting = fitting.filter(|(port, _)| spellings(port, ports).contains(&id));
    match (fitting.next(), fitting.next()) {
        (None, _) => Err(IdError::Unknown),
        (Some((port, _)), None) => Ok(port),
        (Some(one), Some(other)) => {
            let all = [one, other].into_iter().chain(fitting);
            Err(IdError::Several(all.map(|(_, id)| id).collect()))
        }
    }
}

/// Returns the ID with vendor and product in lower case.
fn normalized(id: &str) -> String {
    match id.split_at_checked(USB_BYTES) {
        Some((numbers, rest)) if numbers.starts_with("usb:") => numbers.to_lowercase() + rest,
        _ => id.to_owned(),
    }
}

/// Returns the spellings of a port's ID, the shortest first.
fn spellings(port: &PortInfo, ports: &[PortInfo]) -> Vec<String> {
    let name = port.path.rsplit(['/', '\\']).next().unwrap_or(&port.path);
    let Some(usb) = port.usb() else {
        return [name, &port.path]
            .map(|name| format!("{NOT_USB}{name}"))
            .to_vec();
    };
    let board = match &usb.serial {
        Some(serial) => format!("{}:{serial}", usb.id()),
        None => usb.id(),
    };
    let function = function(usb, ports);
    let places = [None, usb.location.as_deref(), Some(name)].into_iter();
    let places = places
        .enumerate()
        .filter(|(n, place)| *n == 0 || place.is_some());
    let spellings = places.map(|(_, place)| match (place, &function) {
        (None, None) => board.clone(),
        (None, Some(function)) => format!("{board}@{function}"),
        (Some(place), None) => format!("{board}@{place}"),
        (Some(place), Some(function)) => format!("{board}@{place}.{function}"),
    });
    spellings.collect()
}

/// Returns the name of a port's function in its device, as udev writes it. The first function of a
/// device, which is mostly the only one, needs no name.
fn function(usb: &Usb, ports: &[PortInfo]) -> Option<String> {
    let number = usb.interface?;
    let others = ports.iter().filter_map(PortInfo::usb);
    let mut others = others.filter(|other| other.is_other_side_of(usb));
    let is_first = others.all(|other| other.interface > usb.interface);
    (!is_first).then(|| format!("if{number:02}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ports(list: &[(&str, &str)]) -> Vec<PortInfo> {
        let port = |(path, spec): &(&str, &str)| match *spec {
            "" => PortInfo::fake(path),
            spec => PortInfo::fake_usb(path, spec),
        };
        list.iter().map(port).collect()
    }

    #[track_caller]
    fn check(list: &[(&str, &str)], expected: &[&str]) {
        let ports = ports(list);
        assert_eq!(ids(&ports), expected);
        for (port, id) in ports.iter().zip(expected) {
            assert_eq!(find(id, &ports), Ok(port));
        }
    }

    #[test]
    fn an_id_is_as_short_as_tells_a_device_from_the_others() {
        check(
            &[
                ("/dev/ttyACM0", "2341:0043:A1@1-1/0"),
                ("/dev/ttyACM1", "2341:0043:B1@1-2/0"),
                ("/dev/ttyUSB0", "1a86:7523@1-3/0"),
                ("/dev/ttyAMA0", ""),
            ],
            &[
                "usb:2341:0043:A1",
                "usb:2341:0043:B1",
                "usb:1a86:7523",
                "port:ttyAMA0",
            ],
        );
    }

    #[test]
    fn equal_boards_are_told_apart_by_their_sockets_or_ports() {
        check(
            &[
                ("/dev/ttyUSB0", "1a86:7523@1-1.2/0"),
                ("/dev/ttyUSB1", "1a86:7523@1-1.3/0"),
                ("/dev/ttyUSB2", "10c4:ea60:0001@1-4/0"),
                ("/dev/ttyUSB3", "10c4:ea60:0001@1-5/0"),
            ],
            &[
                "usb:1a86:7523@1-1.2",
                "usb:1a86:7523@1-1.3",
                "usb:10c4:ea60:0001@1-4",
                "usb:10c4:ea60:0001@1-5",
            ],
        );
        check(
            &[("COM3", "1a86:7523"), ("COM4", "1a86:7523")],
            &["usb:1a86:7523@COM3", "usb:1a86:7523@COM4"],
        );
        // An adapter with four ports on one interface.
        check(
            &[
                ("/dev/ttyUSB0", "110a:1450:M@1-1/0"),
                ("/dev/ttyUSB1", "110a:1450:M@1-1/0"),
            ],
            &["usb:110a:1450:M@ttyUSB0", "usb:110a:1450:M@ttyUSB1"],
        );
    }

    #[test]
    fn the_second_port_of_a_board_has_the_name_of_its_function() {
        check(
            &[
                ("/dev/ttyACM1", "239a:80f4:C@1-1/2"),
                ("/dev/ttyACM0", "239a:80f4:C@1-1/0"),
            ],
            &["usb:239a:80f4:C@if02", "usb:239a:80f4:C"],
        );
        check(
            &[
                ("/dev/ttyACM0", "239a:80f4@1-1/0"),
                ("/dev/ttyACM1", "239a:80f4@1-1/2"),
                ("/dev/ttyACM2", "239a:80f4@1-2/0"),
                ("/dev/ttyACM3", "239a:80f4@1-2/2"),
            ],
            &[
                "usb:239a:80f4@1-1",
                "usb:239a:80f4@1-1.if02",
                "usb:239a:80f4@1-2",
                "usb:239a:80f4@1-2.if02",
            ],
        );
    }

    #[track_caller]
    fn check_found(id: &str, list: &[(&str, &str)], expected: Result<&str, IdError>) {
        let ports = ports(list);
        assert_eq!(find(id, &ports).map(|port| &*port.path), expected);
    }

    #[test]
    fn other_spellings_of_an_id_find_what_they_fit() {
        let one = [("/dev/ttyUSB0", "1a86:7523@1-1/0")];
        check_found("usb:1A86:7523@1-1", &one, Ok("/dev/ttyUSB0"));
        check_found("usb:1a86:7523@ttyUSB0", &one, Ok("/dev/ttyUSB0"));
        check_found("usb:1a86:7523@1-2", &one, Err(IdError::Unknown));
        let two = [one[0], ("/dev/ttyUSB1", "1a86:7523@1-2/0")];
        let ids = ["usb:1a86:7523@1-1", "usb:1a86:7523@1-2"].map(str::to_owned);
        check_found("usb:1a86:7523", &two, Err(IdError::Several(ids.to_vec())));
        for unknown in [
            "",
            "usb:",
            "usb:1a86:752",
            "1a86:7523",
            "../ttyUSB0",
            "\0",
            "ü",
            "@",
        ] {
            check_found(unknown, &one, Err(IdError::Unknown));
        }
    }

    proptest! {
        #[test]
        fn no_two_devices_have_one_id(
            boards in prop::collection::vec(("[AB@:]{0,2}", 0..3_u8, prop::option::of(0..3_u8)), 0..6),
        ) {
            let ports: Vec<_> = boards.iter().enumerate().map(|(n, (serial, place, interface))| {
                let serial = if serial.is_empty() { String::new() } else { format!(":{serial}") };
                let serial = serial.replace('@', "%");
                let interface = interface.map(|number| format!("/{number}")).unwrap_or_default();
                let spec = format!("1a86:7523{serial}@1-{place}{interface}");
                PortInfo::fake_usb(&format!("/dev/ttyUSB{n}"), &spec)
            }).collect();
            let ids = ids(&ports);
            for (port, id) in ports.iter().zip(&ids) {
                prop_assert_eq!(find(id, &ports), Ok(port));
            }
        }
    }
}
