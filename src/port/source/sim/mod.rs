//! `sim`: simulated boards, byte streams like any other, whose firmware sends what the boards of a
//! class send. No hardware, no system call, no clock but tokio's.

mod firmware;
mod pattern;
mod signal;
pub(crate) mod uart;
mod uart_board;

use std::future::ready;
use std::time::Duration;

use tokio::io::DuplexStream;

use super::{OpenedDevice, Opening, Source};
use crate::hub::DeviceInfo;
use crate::port::device::Device;

pub(crate) use pattern::Pattern;
pub(crate) use uart_board::UartSimulation;
#[cfg(test)]
pub(crate) use uart_board::line;

/// Bytes that can wait in each direction, as in a system's serial driver. When a buffer is full,
/// the side that writes waits.
const BUFFER_BYTES: usize = 4096;

/// A source whose device is a task of this program.
pub(crate) struct Simulation {
    /// The path that its users see: its SPEC.
    pub(super) path: String,
    /// Starts the device anew.
    pub(super) power_up: Box<dyn Fn() -> DuplexStream + Send + Sync>,
}

/// Returns the source of a board that runs `pattern`. It speaks at once, in whole lines.
pub(crate) fn source(pattern: Pattern) -> Simulation {
    Simulation {
        path: pattern.to_string(),
        power_up: Box::new(move || plug_in(|line| firmware::run(pattern, line))),
    }
}

impl Source for Simulation {
    fn open(&mut self) -> Opening<'_> {
        Box::pin(ready(Ok(OpenedDevice {
            device: Box::new((self.power_up)()),
            info: DeviceInfo {
                path: self.path.clone(),
                ..DeviceInfo::default()
            },
            // A rate would mean nothing.
            detail: |info, _| format!("{} is open (simulated)", info.path),
            starts_whole: true,
            gathers: false,
            has_rate: false,
            finds_rate: false,
            settle: Duration::ZERO,
        })))
    }
}

/// Plugs in a device that runs `firmware`, which must end when the other end of its line is gone.
/// Returns that other end.
///
/// # Panics
/// Outside a tokio runtime.
pub(crate) fn plug_in<F>(firmware: impl FnOnce(DuplexStream) -> F) -> DuplexStream
where
    F: Future<Output = ()> + Send + 'static,
{
    let (device, line) = tokio::io::duplex(BUFFER_BYTES);
    tokio::spawn(firmware(line));
    device
}

impl Device for DuplexStream {}

#[cfg(test)]
mod tests;
