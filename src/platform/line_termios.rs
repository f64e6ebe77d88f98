//! Rate, format and flow control as a terminal of Linux or macOS has them.

use std::io;

use rustix::termios::{ControlModes, InputModes, Termios};

use crate::hub::{BaudChange, FlowControl, LineSettings, Parity, SettingsChange};

/// The flag for a parity bit that is always the same, which macOS does not have.
const CONSTANT_PARITY: ControlModes = {
    #[cfg(target_os = "linux")]
    let mode = ControlModes::CMSPAR;
    #[cfg(not(target_os = "linux"))]
    let mode = ControlModes::empty();
    mode
};

/// The flags of software flow control. One alone is not meant for a serial port: shells set it.
const SOFTWARE_FLOW: InputModes = InputModes::IXON.union(InputModes::IXOFF);

/// Flags of the format of a character and of flow control.
pub(crate) const FORMAT_MODES: ControlModes = ControlModes::CSIZE
    .union(ControlModes::CSTOPB)
    .union(ControlModes::PARENB)
    .union(ControlModes::PARODD)
    .union(CONSTANT_PARITY)
    .union(ControlModes::CRTSCTS);

/// Sets what the library of serial ports sets when it opens one, in one go.
///
/// # Errors
/// If the system does not know the rate.
pub(crate) fn set_line(termios: &mut Termios, settings: &LineSettings) -> io::Result<()> {
    termios.set_speed(settings.baud)?;
    let modes = &mut termios.control_modes;
    modes.remove(FORMAT_MODES);
    modes.insert(match settings.data_bits {
        5 => ControlModes::CS5,
        6 => ControlModes::CS6,
        7 => ControlModes::CS7,
        _ => ControlModes::CS8,
    });
    modes.set(ControlModes::CSTOPB, settings.stop_bits == 2);
    modes.set(ControlModes::PARENB, settings.parity != Parity::None);
    let is_odd = matches!(settings.parity, Parity::Odd | Parity::Mark);
    modes.set(ControlModes::PARODD, is_odd);
    modes.set(CONSTANT_PARITY, settings.parity.constant().is_some());
    let is_hardware = settings.flow_control == FlowControl::Hardware;
    modes.set(ControlModes::CRTSCTS, is_hardware);
    let is_checked = matches!(settings.parity, Parity::Odd | Parity::Even);
    termios.input_modes.set(InputModes::INPCK, is_checked);
    termios.input_modes.set(InputModes::IGNPAR, !is_checked);
    let is_software = settings.flow_control == FlowControl::Software;
    termios.input_modes.set(SOFTWARE_FLOW, is_software);
    Ok(())
}

/// Returns the settings that a terminal has. The rate 0, which hangs up a modem, is none.
pub(super) fn line_of(termios: &Termios) -> SettingsChange {
    let modes = termios.control_modes;
    let has_constant = !CONSTANT_PARITY.is_empty() && modes.contains(CONSTANT_PARITY);
    let is_odd = modes.contains(ControlModes::PARODD);
    let parity = match (modes.contains(ControlModes::PARENB), has_constant, is_odd) {
        (false, ..) => Parity::None,
        (true, false, true) => Parity::Odd,
        (true, false, false) => Parity::Even,
        (true, true, true) => Parity::Mark,
        (true, true, false) => Parity::Space,
    };
    let data_bits = match modes & ControlModes::CSIZE {
        ControlModes::CS5 => 5,
        ControlModes::CS6 => 6,
        ControlModes::CS7 => 7,
        _ => 8,
    };
    let flow_control = if modes.contains(ControlModes::CRTSCTS) {
        FlowControl::Hardware
    } else if termios.input_modes.contains(SOFTWARE_FLOW) {
        FlowControl::Software
    } else {
        FlowControl::None
    };
    let rate = Some(termios.output_speed()).filter(|rate| *rate > 0);
    SettingsChange {
        baud: rate.map(BaudChange::Rate),
        data_bits: Some(data_bits),
        parity: Some(parity),
        stop_bits: Some(1 + u8::from(modes.contains(ControlModes::CSTOPB))),
        flow_control: Some(flow_control),
        ..SettingsChange::default()
    }
}

#[cfg(test)]
mod tests {
    use rustix::pty::{OpenptFlags, openpt};
    use rustix::termios::tcgetattr;

    use super::*;

    #[track_caller]
    fn check(settings: LineSettings) {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        let mut termios = tcgetattr(&master).unwrap();
        set_line(&mut termios, &settings).unwrap();
        let line = line_of(&termios);
        assert!(line.is_made(settings), "{settings:?}, {line:?}");
        assert!(
            line.applied_to(LineSettings::default())
                .sets_the_same(&settings)
        );
    }

    #[test]
    fn what_is_set_is_found_again() {
        let usual = LineSettings::default();
        check(usual);
        check(LineSettings {
            baud: 123_456,
            data_bits: 7,
            stop_bits: 2,
            ..usual
        });
        for parity in [Parity::Odd, Parity::Even] {
            check(LineSettings { parity, ..usual });
        }
        if cfg!(target_os = "linux") {
            for parity in [Parity::Mark, Parity::Space] {
                check(LineSettings { parity, ..usual });
            }
        }
        for flow_control in [FlowControl::Software, FlowControl::Hardware] {
            check(LineSettings {
                flow_control,
                ..usual
            });
        }
    }
}
