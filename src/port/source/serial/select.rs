//! Selects the listed port that a SPEC means, or names those that are available. Pure: the list of
//! ports comes from `enumerate`. Recognising a board after a loss is the business of `identity`.

use super::device_id::{self, IdError};
use super::enumerate::{PortInfo, Usb};
use crate::port::source::spec::Spec;
use crate::terminal::shown;

/// The advice if no board is found.
const ADVICE: &str = "Plug in a board with a cable that carries data (some only charge), \
                      or try without one: serial-ws sim";

/// The reason why no port was selected, in words for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SelectError {
    /// No port matches; one may come.
    Absent(String),
    /// More than one matches.
    Several(String),
}

/// Returns the listed port that is meant.
///
/// # Errors
/// If there is none or more than one: names the ports that are available, and what to type instead.
pub(crate) fn select<'a>(spec: &Spec, ports: &'a [PortInfo]) -> Result<&'a PortInfo, SelectError> {
    let boards = boards(ports);
    let matching: Vec<_> = boards
        .iter()
        .filter(|board| board.usb().is_some_and(|usb| spec.matches(usb)))
        .copied()
        .collect();
    match (spec, matching.as_slice()) {
        (Spec::Path(path), _) => ports
            .iter()
            .find(|port| port.is_called(path))
            .ok_or_else(|| SelectError::Absent(absent(&format!("port {path}"), ports))),
        (Spec::Device(id), _) => device_id::find(id, ports).map_err(|error| match error {
            IdError::Unknown => SelectError::Absent(absent(&format!("board {id}"), ports)),
            IdError::Several(ids) => {
                SelectError::Several(shown(&format!("{} boards are {id}", ids.len())))
            }
        }),
        (_, [board]) => Ok(board),
        (_, []) => Err(SelectError::Absent(match spec {
            Spec::Auto => no_board(ports),
            _ => absent(&format!("board {spec}"), ports),
        })),
        (_, several) => {
            let count = several.len();
            let what = match spec {
                Spec::Auto => format!("{count} boards found"),
                _ => format!("{count} boards match {spec}"),
            };
            let flags: Vec<_> = several.iter().map(|board| flag(board, &boards)).collect();
            let text = format!("{}; choose one: {}", shown(&what), flags.join(", "));
            Err(SelectError::Several(text))
        }
    }
}

/// Returns one port of each USB board: of those that belong to one device, the lowest interface.
fn boards(ports: &[PortInfo]) -> Vec<&PortInfo> {
    let mut boards: Vec<Vec<(&PortInfo, &Usb)>> = Vec::new();
    for port in ports.iter().filter(|port| !port.is_placeholder()) {
        let Some(usb) = port.usb() else { continue };
        let same = boards
            .iter_mut()
            .find(|board| board.iter().all(|(_, other)| usb.is_other_side_of(other)));
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

/// Returns the flag that selects this board and no other, with a description of the board.
fn flag(board: &PortInfo, boards: &[&PortInfo]) -> String {
    let is_unique = |spec: &String| {
        spec.parse::<Spec>().is_ok_and(|spec| {
            let matching = boards.iter().filter_map(|board| board.usb());
            matching.filter(|usb| spec.matches(usb)).count() == 1
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
        .filter(|port| !port.is_placeholder())
        .map(|port| format!("--port {}", shown(&port.path)))
        .collect();
    if others.is_empty() {
        return format!("no board found. {ADVICE}");
    }
    let others = others.join(", ");
    format!("no USB board found. {ADVICE}. Other ports: {others}")
}

fn absent(what: &str, ports: &[PortInfo]) -> String {
    let what = shown(what);
    let available: Vec<_> = ports
        .iter()
        .filter(|port| !port.is_placeholder())
        .map(summary)
        .collect();
    if available.is_empty() {
        return format!("no {what}, and no other port found. {ADVICE}");
    }
    format!("no {what}; available: {}", available.join(", "))
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
    use super::*;

    const UNO: &str = "2341:0043";

    #[track_caller]
    fn check_choice(spec: &str, ports: &[PortInfo], expected: &str) {
        let chosen = select(&spec.parse().unwrap(), ports);
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
        let chosen = select(&spec.parse().unwrap(), ports);
        assert_eq!(chosen, Err(SelectError::Absent(expected.into())));
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
            "no port /dev/ttyACM1; available: /dev/ttyACM0 (Arduino Uno, usb:2341:0043), /dev/ttyAMA0",
        );
        check_absent(
            "usb:2341:0042",
            &ports[..1],
            "no board usb:2341:0042; available: /dev/ttyACM0 (Arduino Uno, usb:2341:0043)",
        );
        check_absent(
            "usb:2341:0043:x",
            &ports[..1],
            "no board usb:2341:0043:x; available: /dev/ttyACM0 (Arduino Uno, usb:2341:0043)",
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
            &format!("no port COM9, and no other port found. {ADVICE}"),
        );
    }

    #[track_caller]
    fn check_several(spec: &str, ports: &[PortInfo], expected: &str) {
        let chosen = select(&spec.parse().unwrap(), ports);
        assert_eq!(chosen, Err(SelectError::Several(expected.into())));
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
            "2 boards match usb:0403:6001; choose one: --port /dev/serial/by-path/1-1 \
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
            "3 boards found; choose one: --port usb:2341:0043:A (Arduino Uno, COM3), \
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
}
