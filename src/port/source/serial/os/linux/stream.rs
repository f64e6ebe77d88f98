//! An open serial port that is read no more often than there is something to read: a read that found
//! little shows that the tty is empty, and the next byte wakes whoever waits for it.

use std::io;
use std::ops::{Deref, DerefMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use serialport::{SerialPortBuilder, TTYPort};
use tokio::io::unix::AsyncFdReadyGuard;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, Ready};

use crate::platform::AsyncDescriptor;

/// A serial port in a tokio runtime.
pub(crate) struct SerialStream(AsyncDescriptor<TTYPort>);

impl SerialStream {
    /// Opens a port.
    ///
    /// # Errors
    /// As the library reports them.
    pub(crate) fn open(builder: &SerialPortBuilder) -> serialport::Result<Self> {
        Ok(Self::new(TTYPort::open(builder)?)?)
    }

    fn new(port: TTYPort) -> io::Result<Self> {
        AsyncDescriptor::new(port).map(Self)
    }
}

/// Forgets that the port is readable if a read of `room` bytes that found `count` has emptied it.
///
/// The line discipline hands out all it has, and whatever it gets later raises a new event, for which
/// epoll waits by edges; the guard was taken before the read, so that an event since then stays. Where
/// much was read, the driver may just have been held up for lack of room: it is read once more.
fn note_read(guard: &mut AsyncFdReadyGuard<'_, TTYPort>, count: usize, room: usize) {
    if count > 0 && count < room / 2 {
        guard.clear_ready_matching(Ready::READABLE);
    }
}

impl AsyncRead for SerialStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.poll_read_and_note(cx, buf, note_read)
    }
}

impl AsyncWrite for SerialStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl Deref for SerialStream {
    type Target = TTYPort;

    fn deref(&self) -> &TTYPort {
        self.0.owner()
    }
}

impl DerefMut for SerialStream {
    fn deref_mut(&mut self) -> &mut TTYPort {
        self.0.owner_mut()
    }
}

impl AsRawFd for SerialStream {
    fn as_raw_fd(&self) -> RawFd {
        self.0.owner().as_raw_fd()
    }
}

impl AsFd for SerialStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.descriptor()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::time::Duration;

    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use tokio::io::AsyncReadExt;

    use super::*;

    /// A port, and the device behind it.
    fn pair() -> (SerialStream, std::fs::File) {
        let device = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&device).unwrap();
        unlockpt(&device).unwrap();
        let name = ptsname(&device, Vec::new()).unwrap().into_string().unwrap();
        let stream = SerialStream::open(&serialport::new(name, 9600)).unwrap();
        (stream, device.into())
    }

    /// A byte that comes between a read and forgetting that the port is readable would be found only
    /// with the next one, which never comes.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_byte_waits_for_the_next_however_writes_and_reads_meet() {
        const BYTES: usize = 300_000;
        let (mut stream, mut device) = pair();
        let sent: Vec<u8> = (0..BYTES).map(|n| (n * 7 % 251) as u8).collect();
        let written = sent.clone();
        let writer = std::thread::spawn(move || {
            let (mut rest, mut seed) = (&written[..], 1_u32);
            while !rest.is_empty() {
                // Mostly a few bytes, now and then more than a tty holds, each after another pause.
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let count = if seed >> 24 == 0 {
                    9000
                } else {
                    1 + (seed >> 28) as usize
                };
                let (part, later) = rest.split_at(count.min(rest.len()));
                device.write_all(part).unwrap();
                for _ in 0..seed >> 20 & 0x3ff {
                    std::hint::spin_loop();
                }
                rest = later;
            }
            device
        });
        let mut received = Vec::with_capacity(BYTES);
        let mut buffer = [0; 4096];
        while received.len() < BYTES {
            let read = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut buffer));
            let read = read.await.expect("nothing waits unread").unwrap();
            received.extend_from_slice(&buffer[..read]);
        }
        assert!(received == sent, "bytes come in their order");
        drop(writer.join().unwrap());
        // The end of the device is not missed either.
        let end = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut buffer));
        assert!(matches!(end.await.expect("it ends"), Ok(0) | Err(_)));
    }
}
