//! The names of the simulated devices, as typed after `--port sim:`.

use std::fmt;
use std::str::FromStr;

use anyhow::{Result, anyhow};

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

    /// Returns half a line for `--help` and error messages.
    pub(crate) fn description(self) -> &'static str {
        match self {
            Pattern::Sensors => "potentiometer,light,button as a line, 50 times a second",
            Pattern::Raw => "one byte 0-255 per reading, no line ends: take --raw",
            Pattern::Call => "hello until it is called, then one line for each byte it gets",
            Pattern::Labels => "label:value pairs, tab-separated, for a plotter",
            Pattern::Json => "a JSON object per line",
            Pattern::Button => "1 when a button is pressed, 0 when it is let go",
            Pattern::Led => "takes H, L, or a brightness 0-255, and tells its state",
            Pattern::Imu => "heading,pitch,roll in degrees, 50 times a second",
        }
    }

    /// Returns the list of all patterns, one per line and indented.
    pub(crate) fn list() -> String {
        let line =
            |pattern: &Pattern| format!("  {:<10}  {}", pattern.to_string(), pattern.description());
        Pattern::ALL.iter().map(line).collect::<Vec<_>>().join("\n")
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
                let name = name.escape_debug();
                let known = Pattern::list();
                anyhow!("unknown simulated device sim:{name}; available:\n{known}")
            })
    }
}
