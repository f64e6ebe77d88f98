//! Rate, format and flow control of an open port, changed by one request to the driver, which
//! touches no modem line.

use std::io;
use std::os::fd::BorrowedFd;

use rustix::fs::{fstat, major};
use rustix::termios::{ControlModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::SerialStream;
use crate::hub::LineSettings;
use crate::platform::{FORMAT_MODES, set_line};
use crate::port::source::serial::os::unix;

/// The major device numbers of pseudo-terminals (Documentation/admin-guide/devices.txt).
const PTY_MAJORS: std::ops::RangeInclusive<u32> = 136..=143;

/// The largest part of a rate by which a driver may miss it: with more, a receiver loses characters.
const MAX_RATE_ERROR: f64 = 0.03;

/// Changes rate, format and flow control of a port that stays open.
///
/// # Errors
/// If the driver refuses them: drivers keep what they can without a word, so that they are asked
/// afterwards. Some of the settings may have changed then.
pub(crate) fn configure(port: &mut SerialStream, settings: &LineSettings) -> io::Result<()> {
    let port = unix::descriptor(port);
    let mut wanted = tcgetattr(port)?;
    set_line(&mut wanted, settings)?;
    tcsetattr(port, OptionalActions::Now, &wanted)?;
    let actual = tcgetattr(port)?;
    match refusal(&actual, &wanted, settings) {
        Some(refusal) if !is_pty(port) => Err(io::Error::new(io::ErrorKind::Unsupported, refusal)),
        _ => Ok(()),
    }
}

/// Returns what the driver refused of the settings, if anything.
fn refusal(actual: &Termios, wanted: &Termios, settings: &LineSettings) -> Option<String> {
    let (rate, baud) = (actual.output_speed(), settings.baud);
    if (f64::from(rate) / f64::from(baud) - 1.0).abs() > MAX_RATE_ERROR {
        return Some(format!("the driver refuses {baud} baud"));
    }
    let refused = (actual.control_modes ^ wanted.control_modes) & FORMAT_MODES;
    if refused.is_empty() {
        None
    } else if refused == ControlModes::CMSPAR {
        Some("the driver has no mark or space parity".to_owned())
    } else if refused == ControlModes::CRTSCTS {
        Some("the driver has no hardware flow control".to_owned())
    } else {
        Some("the driver refuses these data bits, parity or stop bits".to_owned())
    }
}

/// Returns true for a pseudo-terminal, to which rate and format mean nothing.
fn is_pty(port: BorrowedFd<'_>) -> bool {
    fstat(port).is_ok_and(|status| PTY_MAJORS.contains(&major(status.st_rdev)))
}

#[cfg(test)]
mod tests {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    use super::*;
    use crate::hub::{FlowControl, Parity};
    use crate::port::source::serial::library;

    #[tokio::test]
    async fn the_other_side_of_a_pseudo_terminal_sees_each_change_as_opening_would_set_it() {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let path = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let mut port = SerialStream::open(&serialport::new(&path, 9600)).unwrap();
        for settings in [
            LineSettings {
                baud: 115_200,
                ..LineSettings::default()
            },
            LineSettings {
                baud: 123_456,
                stop_bits: 2,
                ..LineSettings::default()
            },
            LineSettings {
                flow_control: FlowControl::Software,
                ..LineSettings::default()
            },
            LineSettings {
                flow_control: FlowControl::Hardware,
                ..LineSettings::default()
            },
            LineSettings {
                data_bits: 7,
                parity: Parity::Even,
                ..LineSettings::default()
            },
            LineSettings::default(),
        ] {
            configure(&mut port, &settings).unwrap();
            let changed = tcgetattr(&master).unwrap();
            drop(port);
            port = SerialStream::open(&opening(&path, &settings)).unwrap();
            let opened = tcgetattr(&master).unwrap();
            assert_eq!(changed.output_speed(), settings.baud);
            let modes = |it: &Termios| {
                (
                    it.output_speed(),
                    it.input_modes,
                    it.control_modes & FORMAT_MODES,
                )
            };
            assert_eq!(modes(&changed), modes(&opened), "{settings:?}");
        }
    }

    /// The library's way to open a port with these settings.
    fn opening(path: &str, settings: &LineSettings) -> serialport::SerialPortBuilder {
        serialport::new(path, settings.baud)
            .data_bits(library::data_bits(settings))
            .parity(library::parity(settings))
            .stop_bits(library::stop_bits(settings))
            .flow_control(library::flow_control(settings))
    }

    /// Checks what is said of a driver that made `actual` of the settings.
    #[track_caller]
    fn check_refusal(settings: LineSettings, actual: LineSettings, part: Option<&str>) {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        let termios = |settings: &LineSettings| {
            let mut termios = tcgetattr(&master).unwrap();
            set_line(&mut termios, settings).unwrap();
            termios
        };
        let refusal = refusal(&termios(&actual), &termios(&settings), &settings);
        match (refusal, part) {
            (Some(refusal), Some(part)) => assert!(refusal.contains(part), "{refusal}"),
            (refusal, part) => assert_eq!(refusal.as_deref(), part),
        }
    }

    #[test]
    fn what_a_driver_did_not_take_is_named() {
        let usual = LineSettings::default();
        let at = |baud| LineSettings { baud, ..usual };
        check_refusal(usual, usual, None);
        check_refusal(at(115_200), at(115_384), None);
        check_refusal(at(3_000_000), usual, Some("3000000 baud"));
        let parity = |parity| LineSettings { parity, ..usual };
        check_refusal(
            parity(Parity::Space),
            parity(Parity::Even),
            Some("mark or space"),
        );
        let five = LineSettings {
            data_bits: 5,
            ..usual
        };
        check_refusal(five, usual, Some("data bits"));
        let hardware = LineSettings {
            flow_control: FlowControl::Hardware,
            ..usual
        };
        check_refusal(hardware, usual, Some("hardware flow control"));
    }
}
