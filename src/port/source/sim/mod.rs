//! `sim`: simulated boards, byte streams like any other, whose firmware sends what the boards of a
//! class send. No hardware, no system call, no clock but tokio's.

mod firmware;
mod pattern;
mod signal;

use std::future::ready;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::task::JoinSet;

use super::{OpenedDevice, Opening, Source};
use crate::hub::DeviceInfo;
use crate::port::device::Device;

pub(crate) use pattern::Pattern;

/// Bytes that can wait in each direction, as in a system's serial driver. When a buffer is full,
/// the side that writes waits.
const BUFFER_BYTES: usize = 4096;

/// A source whose device is a task of this program.
pub(crate) struct Simulation {
    /// The path that its users see: its SPEC.
    pub(super) path: String,
    /// Starts the device anew.
    pub(super) power_up: Box<dyn Fn() -> Simulated + Send + Sync>,
}

/// Returns the source of a board that runs `pattern`.
pub(crate) fn source(pattern: Pattern) -> Simulation {
    Simulation {
        path: pattern.to_string(),
        power_up: Box::new(move || open(pattern)),
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
            detail: format!("{} is open (simulated)", self.path),
            starts_whole: true,
            settle: Duration::ZERO,
        })))
    }
}

/// A simulated device, ready to be read from and written to. Dropping it ends its firmware.
#[derive(Debug)]
pub(crate) struct Simulated {
    /// Our end of the line; the firmware holds the other.
    stream: DuplexStream,
    /// The one task that runs the firmware, aborted when this is dropped.
    _firmware: JoinSet<()>,
}

/// Plugs in a board that runs `pattern`. It speaks at once, in whole lines.
///
/// # Panics
/// Outside a tokio runtime.
fn open(pattern: Pattern) -> Simulated {
    Simulated::running(|line| firmware::run(pattern, line))
}

impl Simulated {
    /// Plugs in a device that runs `firmware`.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub(super) fn running<F>(firmware: impl FnOnce(DuplexStream) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (stream, line) = tokio::io::duplex(BUFFER_BYTES);
        let mut tasks = JoinSet::new();
        tasks.spawn(firmware(line));
        Self {
            stream,
            _firmware: tasks,
        }
    }
}

impl Device for Simulated {}

impl AsyncRead for Simulated {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Simulated {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
