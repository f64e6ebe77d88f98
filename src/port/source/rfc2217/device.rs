//! An open serial port behind an RFC 2217 server.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::client::ComPortClient;
use crate::hub::{LineSettings, ModemInputs};
use crate::port::device::Device;
use crate::port::modem_lines::LineChange;
use crate::port::source::network::NetworkStream;
use crate::rfc2217::telnet::{IAC, escape};
use crate::rfc2217::{ComPortMessage, control};

/// Bytes that are read at once.
const READ_BYTES: usize = 4 << 10;

/// Bytes of commands that wait to be written. At the limit nothing is read: what the server sends
/// is what they answer.
const MAX_OUTPUT: usize = 4 << 10;

/// Bytes of data that wait to be taken while an answer is awaited. At the limit nothing is read.
const MAX_DATA: usize = 64 << 10;

/// Bytes of data that are escaped and handed to the system at once.
const MAX_PIECE: usize = 1 << 10;

/// The value of PURGE-DATA for what the server has not sent to its device.
const PURGE_UNSENT: u8 = 2;

/// The silence after which the server is asked for a sign of life.
const PROBE_DELAY: Duration = Duration::from_secs(15);

/// The time to wait for it. Other than the system's keepalive, it finds a server that hangs, and one
/// behind a tunnel.
const PROBE_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection to an RFC 2217 server.
pub(super) struct Rfc2217Device {
    stream: NetworkStream,
    pub(super) client: ComPortClient,
    /// The task that waits until the server wants to be sent data again.
    suspended: Option<Waker>,
    /// The time to ask for a sign of life, or until which it must have come.
    probe: Pin<Box<Sleep>>,
    is_probed: bool,
}

impl Rfc2217Device {
    /// Starts with a connection on which nothing was said.
    pub(super) fn new(stream: NetworkStream) -> Self {
        Self {
            stream,
            client: ComPortClient::new(),
            suspended: None,
            probe: Box::pin(sleep(PROBE_DELAY)),
            is_probed: false,
        }
    }

    /// Reads and writes until the client has what is wanted. Cancelling the wait loses nothing.
    ///
    /// # Errors
    /// When the connection ends before.
    pub(super) async fn until(
        &mut self,
        has_come: impl Fn(&ComPortClient) -> bool,
    ) -> io::Result<()> {
        poll_fn(|cx| {
            loop {
                ready!(self.poll_output(cx))?;
                if has_come(&self.client) {
                    return Poll::Ready(Ok(()));
                }
                if ready!(self.poll_input(cx))? == 0 {
                    return Poll::Ready(Err(ErrorKind::UnexpectedEof.into()));
                }
            }
        })
        .await
    }

    /// Writes the commands that wait.
    fn poll_output(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.client.output.is_empty() {
            let stream = Pin::new(&mut self.stream);
            let count = ready!(stream.poll_write(cx, &self.client.output))?;
            self.client.output.drain(..count);
        }
        Poll::Ready(Ok(()))
    }

    /// Reads some bytes for the client; none at the end.
    fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut bytes = [0; READ_BYTES];
        let mut buffer = ReadBuf::new(&mut bytes);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
        let count = buffer.filled().len();
        self.receive(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    fn receive(&mut self, bytes: &[u8]) {
        self.client.receive(bytes);
        self.is_probed = false;
        self.probe.as_mut().reset(Instant::now() + PROBE_DELAY);
        if !self.client.is_suspended
            && let Some(waker) = self.suspended.take()
        {
            waker.wake();
        }
    }

    /// Asks for a sign of life, or fails because none has come.
    fn check_life(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        while self.probe.as_mut().poll(cx).is_ready() {
            // One that never answered may not know how.
            if self.is_probed && self.client.answers_probes() {
                return Err(io::Error::other("it does not answer any more"));
            }
            self.is_probed = true;
            self.client.probe();
            self.probe.as_mut().reset(Instant::now() + PROBE_TIMEOUT);
            // The rest follows with the next read.
            let _ = self.poll_output(cx)?;
        }
        Ok(())
    }

    /// Reads and writes what is possible at once.
    fn exchange(&mut self) {
        self.try_output();
        let mut bytes = [0; READ_BYTES];
        while self.client.data.len() < MAX_DATA && self.client.output.len() < MAX_OUTPUT {
            // An end is found again by the next read.
            match self.stream.try_read(&mut bytes) {
                Ok(count @ 1..) => self.receive(&bytes[..count]),
                Ok(0) | Err(_) => break,
            }
        }
        self.try_output();
    }

    /// Writes what the system takes at once of the commands.
    fn try_output(&mut self) {
        while !self.client.output.is_empty() {
            // An end is found by the next read.
            match self.stream.try_write(&self.client.output) {
                Ok(count @ 1..) => drop(self.client.output.drain(..count)),
                Ok(0) | Err(_) => break,
            }
        }
    }
}

impl Device for Rfc2217Device {
    fn change_line(&mut self, change: LineChange) -> io::Result<()> {
        let code = match change {
            LineChange::Dtr(true) => control::DTR_ON,
            LineChange::Dtr(false) => control::DTR_OFF,
            LineChange::Rts(true) => control::RTS_ON,
            LineChange::Rts(false) => control::RTS_OFF,
            LineChange::Break(true) => control::BREAK_ON,
            LineChange::Break(false) => control::BREAK_OFF,
        };
        self.client.send(&ComPortMessage::Control(code));
        self.try_output();
        Ok(())
    }

    fn configure(&mut self, settings: &LineSettings) -> io::Result<()> {
        self.client.configure(settings);
        self.try_output();
        Ok(())
    }

    fn awaits_settings(&mut self) -> bool {
        self.exchange();
        self.client.awaits_settings()
    }

    fn settings_in_force(&mut self, wanted: &LineSettings) -> LineSettings {
        // Those that have not come by now never come.
        self.client.forget_awaited();
        self.client.in_force(wanted)
    }

    fn has_input(&self) -> bool {
        !self.client.data.is_empty() || self.stream.has_input()
    }

    fn inputs(&mut self) -> Option<ModemInputs> {
        self.client.inputs()
    }

    fn end_reason(&self) -> String {
        "it closed the connection".to_owned()
    }

    fn discard_output(&mut self) {
        self.client.send(&ComPortMessage::Purge(PURGE_UNSENT));
        self.try_output();
    }

    fn close(mut self: Box<Self>) {
        self.try_output();
        self.stream.close();
    }
}

impl AsyncRead for Rfc2217Device {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            // What does not go out now goes out later.
            let _ = self.poll_output(cx)?;
            let count = self.client.data.len().min(buf.remaining());
            if count > 0 {
                buf.put_slice(&self.client.data[..count]);
                self.client.data.drain(..count);
                return Poll::Ready(Ok(()));
            }
            if self.client.output.len() >= MAX_OUTPUT {
                return Poll::Pending;
            }
            match self.poll_input(cx)? {
                Poll::Ready(0) => return Poll::Ready(Ok(())),
                Poll::Ready(_) => {}
                Poll::Pending => {
                    self.check_life(cx)?;
                    return Poll::Pending;
                }
            }
        }
    }
}

impl AsyncWrite for Rfc2217Device {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_output(cx))?;
        if self.client.is_suspended {
            self.suspended = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let bytes = &bytes[..bytes.len().min(MAX_PIECE)];
        let mut escaped = Vec::with_capacity(bytes.len() * 2);
        escape(bytes, &mut escaped);
        let sent = ready!(Pin::new(&mut self.stream).poll_write(cx, &escaped))?;
        let (mut taken, mut length) = (0, 0);
        while length < sent {
            length += if bytes[taken] == IAC { 2 } else { 1 };
            taken += 1;
        }
        if length > sent {
            // The second half of a byte that is sent twice.
            self.client.output.push(IAC);
        }
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
