//! The names of the simulated devices, as typed after `--port sim:`.

use std::fmt;
use std::str::FromStr;

use anyhow::{Result, anyhow};

use crate::terminal::shown;

/// The behaviour of a simulated board. Each is a pattern that classes teach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) enum Pattern {
    /// Three sensors in a line, comma-separated.
    #[default]
    Sensors,
    /// One byte per reading, no line ends.
    Raw,
    /// Call and response: a line for each byte received.
    Call,
    /// `label:value` pairs for a plotter.
    Labels,
    /// A JSON object per line.
    Json,
    /// A button, reported only when it changes.
    Button,
    /// An LED that is switched and dimmed.
    Led,
    /// An orientation sensor: heading, pitch and roll.
    Imu,
}

impl Pattern {
    /// Every pattern, in the order in which to present them.
    pub(crate) const ALL: [Pattern; 8] = [
        Pattern::Sensors,
        Pattern::Raw,
        Pattern::Call,
        Pattern::Labels,
        Pattern::Json,
        Pattern::Button,
        Pattern::Led,
        Pattern::Imu,
    ];

    /// Returns the name that is typed after `sim:`; empty for the default.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Pattern::Sensors => "",
            Pattern::Raw => "raw",
            Pattern::Call => "call",
            Pattern::Labels => "labels",
            Pattern::Json => "json",
            Pattern::Button => "button",
            Pattern::Led => "led",
            Pattern::Imu => "imu",
        }
    }
}

/// As typed after `--port`: `sim`, `sim:raw`.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            "" => f.pad("sim"),
            name => f.pad(&format!("sim:{name}")),
        }
    }
}

/// Takes both a whole `sim:NAME` and the NAME alone; nothing at all is the default. The error for
/// an unknown name lists the known ones.
impl FromStr for Pattern {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Pattern> {
        let name = match text {
            "sim" => "",
            text => text.strip_prefix("sim:").unwrap_or(text),
        };
        Pattern::ALL
            .into_iter()
            .find(|pattern| pattern.name() == name)
            .ok_or_else(|| {
                let known = Pattern::ALL.map(|pattern| pattern.to_string()).join(", ");
                anyhow!(
                    "unknown simulated device `sim:{}` (known: {known})",
                    shown(name)
                )
            })
    }
}
