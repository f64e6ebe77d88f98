//! The settings that one connection changes, and sets back when it ends.
//!
//! Every program sets everything when it opens a serial port, so one that asks for what is in force
//! changes nothing. One that asks for anything else takes the write lock, which also permits it to
//! change what is fixed.

use super::output_port::OutputPort;
use crate::hub::{Action, BaudChange, LineSettings, SettingsChange};
use crate::rfc2217::ComPortMessage;

/// The settings that a connection has found.
#[derive(Default)]
pub(super) struct TemporarySettings {
    /// None until it changes any.
    before: Option<LineSettings>,
}

/// The decision on a change that a connection wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChangeOutcome {
    /// It is so already.
    IsSo,
    /// The port was asked for it.
    Asked,
    /// The connection may not change anything now. The log says why.
    Refused,
}

impl TemporarySettings {
    /// Returns true once the connection has changed something.
    pub(super) fn has_changed(&self) -> bool {
        self.before.is_some()
    }

    /// Asks the port for an action that changes settings or lines, unless they are so already. The
    /// `message` is answered when it was carried out.
    pub(super) fn change(
        &mut self,
        action: Action,
        is_so: bool,
        message: Option<ComPortMessage>,
        port: &mut OutputPort,
    ) -> ChangeOutcome {
        // What is under way may differ from what is in force.
        if is_so && !self.has_changed() {
            return ChangeOutcome::IsSo;
        }
        if let Err(why) = port.lock() {
            port.warn(&why);
            return ChangeOutcome::Refused;
        }
        self.before.get_or_insert_with(|| port.status().settings);
        port.ask(action, message);
        ChangeOutcome::Asked
    }

    /// Asks the port for the settings that the connection has found. Returns false if it has changed
    /// nothing.
    pub(super) fn set_back(&mut self, port: &mut OutputPort) -> bool {
        let Some(settings) = self.before.take() else {
            return false;
        };
        let baud = if settings.baud_auto {
            BaudChange::Auto
        } else {
            BaudChange::Rate(settings.baud)
        };
        let change = SettingsChange {
            baud: Some(baud),
            data_bits: Some(settings.data_bits),
            parity: Some(settings.parity),
            stop_bits: Some(settings.stop_bits),
            flow_control: Some(settings.flow_control),
            ..SettingsChange::default()
        };
        port.ask(Action::Settings(change), None);
        true
    }
}
