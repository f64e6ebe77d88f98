//! The names of the simulated devices, as typed after `--port sim:`.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use anyhow::{Result, anyhow};

use crate::terminal::shown;

/// The rate of `sim:uart`.
const UART_RATE: u32 = 115_200;

/// The rates that `sim:uart:RATE` can have: those of UARTs.
const UART_RATES: RangeInclusive<u32> = 50..=4_000_000;

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
    /// Sensors and an LED, on a line with this rate.
    Uart(u32),
}

impl Pattern {
    /// Every pattern, in the order in which to present them.
    pub(crate) const ALL: [Pattern; 9] = [
        Pattern::Sensors,
        Pattern::Raw,
        Pattern::Call,
        Pattern::Labels,
        Pattern::Json,
        Pattern::Button,
        Pattern::Led,
        Pattern::Imu,
        Pattern::Uart(UART_RATE),
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
            Pattern::Uart(_) => "uart",
        }
    }
}

/// As typed after `--port`: `sim`, `sim:raw`.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.name()) {
            (Pattern::Uart(rate), name) if *rate != UART_RATE => {
                f.pad(&format!("sim:{name}:{rate}"))
            }
            (_, "") => f.pad("sim"),
            (_, name) => f.pad(&format!("sim:{name}")),
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
        if let Some(rate) = name.strip_prefix("uart:") {
            let rate = rate.parse().ok().filter(|rate| UART_RATES.contains(rate));
            return rate.map(Pattern::Uart).ok_or_else(|| {
                let name = shown(name);
                let (least, most) = (UART_RATES.start(), UART_RATES.end());
                anyhow!("sim:{name}: expected a rate from {least} to {most}, as in sim:uart:57600")
            });
        }
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
