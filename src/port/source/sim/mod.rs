//! Simulated devices: byte streams like any other, with firmware behind them that sends what the
//! boards of a class send. No hardware, no system call, no clock but tokio's.

mod firmware;
mod pattern;
mod signal;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::task::JoinSet;

pub(crate) use pattern::{Pattern, UnknownPattern};

/// What waits in each direction, as in a system's serial driver. When it is full, the side that
/// writes waits.
const BUFFER: usize = 4096;

/// A simulated device, ready to be read from and written to. Dropping it ends its firmware.
#[derive(Debug)]
pub(crate) struct Simulated {
    /// Our end of the line; the firmware holds the other.
    stream: DuplexStream,
    /// The one task that runs the firmware, aborted when this is dropped.
    _firmware: JoinSet<()>,
}

/// Plugs in a board that runs `pattern`. It speaks at once, and only whole lines.
///
/// # Panics
///
/// Outside a tokio runtime.
pub(crate) fn open(pattern: Pattern) -> Simulated {
    power_up(|line| firmware::run(pattern, line))
}

/// Plugs in a device that sends back what it is sent, byte for byte and in order. Who writes
/// without reading has to wait after a few kilobytes.
///
/// # Panics
///
/// Outside a tokio runtime.
pub(crate) fn open_loop() -> Simulated {
    power_up(firmware::echo)
}

fn power_up<F>(firmware: impl FnOnce(DuplexStream) -> F) -> Simulated
where
    F: Future<Output = ()> + Send + 'static,
{
    let (stream, line) = tokio::io::duplex(BUFFER);
    let mut tasks = JoinSet::new();
    tasks.spawn(firmware(line));
    Simulated {
        stream,
        _firmware: tasks,
    }
}

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
