//! The names of boards and USB serial chips by their USB numbers. The numbers of boards are those
//! in the `boards.txt` files that come with each maker's Arduino support.

/// The bit that tells an Arduino's sketch from its bootloader (2341:8036 and 2341:0036).
const SKETCH_BIT: u16 = 0x8000;

/// Arduino sold under two vendor numbers, with the same product numbers.
const ARDUINO: [u16; 2] = [0x2341, 0x2a03];

/// The vendor number of the maker of the PL2303.
const PROLIFIC: u16 = 0x067b;

/// Returns the name of a board, or of a chip whose own product string says nothing ("USB Serial").
pub(crate) fn name(vid: u16, pid: u16) -> Option<&'static str> {
    if ARDUINO.contains(&vid) {
        return arduino(pid);
    }
    Some(match (vid, pid) {
        (0x03eb, 0x2145) => "Arduino Uno WiFi Rev2",
        (0x03eb, 0x2157) => "Arduino Zero (programming port)",
        (PROLIFIC, _) => "PL2303 USB serial",
        (0x16c0, 0x0483 | 0x0487 | 0x048b) => "Teensy",
        (0x1a86, 0x7522 | 0x7523) => "CH340 USB serial",
        (0x1a86, 0x5523) => "CH341 USB serial",
        (0x1a86, 0x55d4) => "CH9102 USB serial",
        (0x1a86, 0x55d3) => "CH343 USB serial",
        (0x2e8a, 0x0005) => "Raspberry Pi Pico (MicroPython)",
        (0x2e8a, 0x000a) => "Raspberry Pi Pico",
        (0x2e8a, 0x000c) => "Raspberry Pi Debug Probe",
        (0x2e8a, 0x000f) => "Raspberry Pi Pico 2",
        (0x2e8a, 0xf00a) => "Raspberry Pi Pico W",
        (0x2e8a, 0xf00f) => "Raspberry Pi Pico 2W",
        (0x303a, 0x1001) => "ESP32 (its own USB)",
        _ => return None,
    })
}

/// Returns true for what is most probably a board: it has a name here, and is no chip that mostly is
/// in something else. PL2303 chips are in GPS receivers and cables.
pub(crate) fn is_board(vid: u16, pid: u16) -> bool {
    vid != PROLIFIC && name(vid, pid).is_some()
}

/// Returns a name by the vendor number alone, for a device that has no product string either.
pub(crate) fn family(vid: u16) -> Option<&'static str> {
    Some(match vid {
        0x0403 => "FTDI USB serial",
        0x10c4 => "CP210x USB serial",
        0x1a86 => "WCH USB serial",
        0x16c0 => "Teensy",
        0x1b4f => "SparkFun board",
        0x2341 | 0x2a03 => "Arduino",
        0x239a => "Adafruit board",
        0x2886 => "Seeed board",
        0x2e8a => "Raspberry Pi RP2040 or RP2350",
        0x303a => "Espressif board",
        _ => return None,
    })
}

/// Returns whether a separate chip stands between USB and the board's serial line. Such a board is
/// reset when its port is opened, and its baud rate matters.
pub(crate) fn is_bridge(vid: u16, pid: u16) -> bool {
    const CHIP_MAKERS: [u16; 4] = [0x0403, PROLIFIC, 0x10c4, 0x1a86];
    let has_16u2 = matches!(
        pid,
        0x0001 | 0x0010 | 0x003d | 0x003f | 0x0042 | 0x0043 | 0x0044 | 0x0210 | 0x0242 | 0x0243
    );
    CHIP_MAKERS.contains(&vid) || (ARDUINO.contains(&vid) && has_16u2)
}

/// Returns true for a known board that speaks USB itself, and so hands over at once what it sends.
pub(crate) fn speaks_usb(vid: u16, pid: u16) -> bool {
    name(vid, pid).is_some() && !is_bridge(vid, pid)
}

/// Returns whether a baud rate means something to a device: not to a known board whose USB is its
/// processor's own. Some boards have a second processor that passes on serial data.
pub(crate) fn has_rate(vid: u16, pid: u16) -> bool {
    const ARDUINOS: [u16; 4] = [0x004d, 0x0058, 0x006d, 0x1002];
    let passes_on = match vid {
        0x03eb => true,
        0x2e8a => pid == 0x000c,
        _ => ARDUINO.contains(&vid) && ARDUINOS.contains(&(pid & !SKETCH_BIT)),
    };
    passes_on || !speaks_usb(vid, pid)
}

/// Returns true for a known adapter, and for a known board with one or with a second processor in its
/// place.
pub(crate) fn has_uart(vid: u16, pid: u16) -> bool {
    is_bridge(vid, pid) || (name(vid, pid).is_some() && has_rate(vid, pid))
}

fn arduino(pid: u16) -> Option<&'static str> {
    Some(match pid & !SKETCH_BIT {
        0x0001 | 0x0043 | 0x0243 => "Arduino Uno",
        0x0010 | 0x0042 | 0x0210 | 0x0242 => "Arduino Mega 2560",
        0x003f | 0x0044 => "Arduino Mega ADK",
        0x0036 | 0x0836 => "Arduino Leonardo",
        0x0037 | 0x0237 => "Arduino Micro",
        0x003c => "Arduino Esplora",
        0x003d => "Arduino Due (programming port)",
        0x003e => "Arduino Due",
        0x0041 => "Arduino Yún",
        0x004d => "Arduino Zero",
        0x004e => "Arduino MKR1000",
        0x004f => "Arduino MKR Zero",
        0x0050 => "Arduino MKR FOX 1200",
        0x0052 => "Arduino MKR GSM 1400",
        0x0053 => "Arduino MKR WAN 1300",
        0x0054 => "Arduino MKR WiFi 1010",
        0x0055 => "Arduino MKR NB 1500",
        0x0056 => "Arduino MKR Vidor 4000",
        0x0057 => "Arduino Nano 33 IoT",
        0x0058 => "Arduino Nano Every",
        0x0059 => "Arduino MKR WAN 1310",
        0x005a | 0x015a | 0x025a => "Arduino Nano 33 BLE",
        0x005b | 0x025b | 0x035b | 0x045b | 0x055b => "Arduino Portenta H7",
        0x005e | 0x015e | 0x025e => "Arduino Nano RP2040 Connect",
        0x0068 | 0x0368 => "Arduino Portenta C33",
        0x0069 | 0x0369 => "Arduino Uno R4 Minima",
        0x006d | 0x1002 => "Arduino Uno R4 WiFi",
        0x0070 => "Arduino Nano ESP32",
        0x0074 | 0x0374 => "Arduino Nano R4",
        0x0266 | 0x0366 | 0x0466 | 0x0566 => "Arduino Giga R1",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(vid: u16, pid: u16, expected: Option<&str>, bridge: bool) {
        assert_eq!(name(vid, pid), expected);
        assert_eq!(is_bridge(vid, pid), bridge);
    }

    #[test]
    fn boards_have_names() {
        check(0x2341, 0x0043, Some("Arduino Uno"), true);
        check(0x2a03, 0x0043, Some("Arduino Uno"), true);
        check(0x2341, 0x8036, Some("Arduino Leonardo"), false);
        check(0x2341, 0x0036, Some("Arduino Leonardo"), false);
        check(0x2341, 0x1002, Some("Arduino Uno R4 WiFi"), false);
        check(0x1a86, 0x7523, Some("CH340 USB serial"), true);
        check(0x10c4, 0xea60, None, true);
        check(0x2e8a, 0x000a, Some("Raspberry Pi Pico"), false);
        check(0x1234, 0x0001, None, false);
    }

    #[test]
    fn adapters_that_may_be_in_anything_are_no_boards() {
        for (vid, pid) in [
            (0x2341, 0x0043),
            (0x1a86, 0x7523),
            (0x303a, 0x1001),
            (0x2e8a, 0x000a),
        ] {
            assert!(is_board(vid, pid), "{vid:04x}:{pid:04x}");
        }
        // A GPS receiver, one with a chip of Prolific, a modem, an adapter of FTDI.
        for (vid, pid) in [
            (0x1546, 0x01a7),
            (0x067b, 0x2303),
            (0x1199, 0x68a3),
            (0x0403, 0x6001),
        ] {
            assert!(!is_board(vid, pid), "{vid:04x}:{pid:04x}");
        }
    }

    #[test]
    fn a_rate_means_nothing_to_boards_with_usb_of_their_own() {
        for (vid, pid) in [
            (0x2341, 0x8036),
            (0x2e8a, 0x000a),
            (0x303a, 0x1001),
            (0x16c0, 0x0483),
        ] {
            assert!(!has_rate(vid, pid), "{vid:04x}:{pid:04x}");
        }
        // An Uno, a Nano Every, a debug probe, an adapter of another maker.
        for (vid, pid) in [
            (0x2341, 0x0043),
            (0x2341, 0x0058),
            (0x2e8a, 0x000c),
            (0x04d8, 0x00df),
        ] {
            assert!(has_rate(vid, pid), "{vid:04x}:{pid:04x}");
        }
    }
}
