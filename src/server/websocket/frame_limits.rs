//! Limits on a client's frames: how many make up a message, how long a message takes, and how many
//! pings come. The WebSocket library limits the size of messages and frames, and none of these.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::platform::Acknowledged;
use crate::server::progress::ReportsProgress;

/// The time from the first byte of a message to its last. At the limit the client is disconnected
/// with 1008.
pub(crate) const MESSAGE_TIMEOUT: Duration = Duration::from_secs(10);

/// Frames of a message, however small: so many, and one more for every [`BYTES_PER_FRAME`] of the
/// largest message. One more disconnects the client with 1008.
const MAX_SMALL_FRAMES: usize = 1024;
const BYTES_PER_FRAME: usize = 16;

/// Pings and pongs that a client may send within [`PING_WINDOW`]. One more disconnects it with 1008.
const MAX_PINGS: u32 = 100;
const PING_WINDOW: Duration = Duration::from_secs(10);

/// Bytes of the longest frame header: two, eight of length, four of mask (RFC 6455 §5.2).
const MAX_HEADER_BYTES: usize = 14;

/// A limit that a client exceeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LimitExceeded {
    /// A message in more than so many frames.
    Frames(usize),
    /// A message that took too long.
    Slow,
    /// Too many pings.
    Pings,
}

impl fmt::Display for LimitExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (timeout, window) = (MESSAGE_TIMEOUT.as_secs(), PING_WINDOW.as_secs());
        match self {
            Self::Frames(max) => write!(f, "a message in more than {max} frames"),
            Self::Slow => write!(f, "a message took longer than {timeout} s"),
            Self::Pings => write!(f, "more than {MAX_PINGS} pings or pongs in {window} s"),
        }
    }
}

impl std::error::Error for LimitExceeded {}

/// A socket that fails when what is read from it exceeds a limit.
pub(crate) struct FrameLimits<S> {
    socket: S,
    counter: FrameCounter,
    /// Fires when the message that has begun is late; on the heap, since most come at once.
    timer: Option<Pin<Box<Sleep>>>,
    /// A limit that was exceeded by what was read before the handshake ended.
    exceeded: Option<LimitExceeded>,
}

impl<S> FrameLimits<S> {
    /// Limits the messages of `socket`, which may have `max_message` bytes. `early` was read from
    /// it before.
    pub(crate) fn new(socket: S, early: &[u8], max_message: usize) -> Self {
        let mut counter = FrameCounter::new(max_message);
        let exceeded = counter.count(early, Instant::now()).err();
        Self {
            socket,
            counter,
            timer: None,
            exceeded,
        }
    }

    /// Stops the clock until the next read: by our own choice, the client is not read.
    pub(crate) fn pause(&mut self) {
        self.counter.is_paused = true;
    }

    /// Returns the socket itself, for when its frames no longer matter.
    pub(crate) fn get_mut(&mut self) -> &mut S {
        &mut self.socket
    }

    /// Is ready when the client has left a message unfinished for too long.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.counter.deadline() else {
            self.timer = None;
            return Poll::Pending;
        };
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        timer.as_mut().poll(cx)
    }
}

impl<S: ReportsProgress> ReportsProgress for FrameLimits<S> {
    fn acknowledged(&self) -> Acknowledged {
        self.socket.acknowledged()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for FrameLimits<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(limit) = self.exceeded.take() {
            return Poll::Ready(Err(io::Error::other(limit)));
        }
        let (before, now) = (buf.filled().len(), Instant::now());
        self.counter.resume(now);
        let Poll::Ready(read) = Pin::new(&mut self.socket).poll_read(cx, buf) else {
            ready!(self.poll_late(cx));
            return Poll::Ready(Err(io::Error::other(LimitExceeded::Slow)));
        };
        read?;
        let counted = self.counter.count(&buf.filled()[before..], now);
        Poll::Ready(counted.map_err(io::Error::other))
    }
}

/// Nothing that is written is limited.
impl<S: AsyncWrite + Unpin> AsyncWrite for FrameLimits<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, slices)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

/// Follows the frames that a client sends.
struct FrameCounter {
    /// The header of the frame that is coming, as far as it has come.
    header: [u8; MAX_HEADER_BYTES],
    header_length: u8,
    /// Bytes of its payload that are still to come.
    payload: u64,
    /// True while a message has begun and not ended.
    is_open: bool,
    /// The start of the time that this message may take.
    since: Instant,
    /// True while we do not read, so that the time does not count.
    is_paused: bool,
    frames: usize,
    max_frames: usize,
    pings: u32,
    pings_since: Instant,
}

impl FrameCounter {
    /// Returns a counter for a client whose messages may have `max_message` bytes.
    fn new(max_message: usize) -> Self {
        let now = Instant::now();
        Self {
            header: [0; MAX_HEADER_BYTES],
            header_length: 0,
            payload: 0,
            is_open: false,
            since: now,
            is_paused: false,
            frames: 0,
            max_frames: MAX_SMALL_FRAMES + max_message / BYTES_PER_FRAME,
            pings: 0,
            pings_since: now,
        }
    }

    /// Gives a message that has begun its full time again, after a pause.
    fn resume(&mut self, now: Instant) {
        if std::mem::take(&mut self.is_paused) {
            self.since = now;
        }
    }

    /// Returns the time by which the message that has begun, if one has, must have ended.
    fn deadline(&self) -> Option<Instant> {
        self.is_open.then(|| self.since + MESSAGE_TIMEOUT)
    }

    /// Counts what the client sent.
    ///
    /// # Errors
    /// The limit that it exceeds.
    fn count(&mut self, mut bytes: &[u8], now: Instant) -> Result<(), LimitExceeded> {
        while !bytes.is_empty() {
            if self.payload == 0 {
                self.header[usize::from(self.header_length)] = bytes[0];
                self.header_length += 1;
                bytes = &bytes[1..];
                if self.header_length == 1 {
                    self.begin_frame(now)?;
                }
                let Some(length) = self.payload_length() else {
                    continue;
                };
                self.payload = length;
            } else {
                let count = self.payload.min(bytes.len() as u64);
                self.payload -= count;
                bytes = &bytes[count as usize..];
            }
            if self.payload == 0 {
                self.header_length = 0;
                if self.ends_message() {
                    self.is_open = false;
                }
            }
        }
        if self.deadline().is_some_and(|deadline| deadline < now) {
            return Err(LimitExceeded::Slow);
        }
        Ok(())
    }

    /// Counts a frame by its first byte.
    fn begin_frame(&mut self, now: Instant) -> Result<(), LimitExceeded> {
        if self.is_control() {
            if now.duration_since(self.pings_since) > PING_WINDOW {
                (self.pings_since, self.pings) = (now, 0);
            }
            self.pings += 1;
            if self.pings > MAX_PINGS {
                return Err(LimitExceeded::Pings);
            }
            return Ok(());
        }
        if !self.is_open {
            (self.is_open, self.since, self.frames) = (true, now, 0);
        }
        self.frames += 1;
        if self.frames > self.max_frames {
            return Err(LimitExceeded::Frames(self.max_frames));
        }
        Ok(())
    }

    /// Returns the length of the payload, once the header is complete.
    fn payload_length(&self) -> Option<u64> {
        let header = &self.header[..usize::from(self.header_length)];
        let second = *header.get(1)?;
        let mask = if second & 0x80 == 0 { 0 } else { 4 };
        let (extra, short) = match second & 0x7f {
            126 => (2, 0),
            127 => (8, 0),
            short => (0, u64::from(short)),
        };
        if header.len() < 2 + extra + mask {
            return None;
        }
        let append = |length: u64, byte: &u8| length << 8 | u64::from(*byte);
        Some(header[2..2 + extra].iter().fold(short, append))
    }

    fn is_control(&self) -> bool {
        self.header[0] & 0x08 != 0
    }

    fn ends_message(&self) -> bool {
        !self.is_control() && self.header[0] & 0x80 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASKED_EMPTY: [u8; 5] = [0x80, 0, 0, 0, 0];

    fn frame(first: u8) -> Vec<u8> {
        [&[first][..], &MASKED_EMPTY].concat()
    }

    #[test]
    fn endless_empty_frames_are_limited() {
        let (mut counter, now) = (FrameCounter::new(16), Instant::now());
        counter.count(&frame(0x01), now).unwrap();
        let end = (0..2000).find_map(|_| counter.count(&frame(0x00), now).err());
        assert_eq!(end, Some(LimitExceeded::Frames(1025)));
    }

    #[test]
    fn whole_messages_can_go_on_forever_however_they_are_cut() {
        let now = Instant::now();
        let long = [&[0x82, 0xfe, 1, 0, 9, 9, 9, 9][..], &[7; 256]].concat();
        let parts = [frame(0x81), long, frame(0x01), frame(0x00), frame(0x80)].concat();
        for size in [1, 3, 7, 300] {
            let mut counter = FrameCounter::new(16);
            for _ in 0..2000 {
                for piece in parts.chunks(size) {
                    counter.count(piece, now).unwrap();
                }
                assert!(!counter.is_open);
            }
        }
    }

    #[test]
    fn a_message_has_10_s_unless_it_is_not_read() {
        let (mut counter, now) = (FrameCounter::new(16), Instant::now());
        let later = now + MESSAGE_TIMEOUT + Duration::from_secs(1);
        counter.count(&[0x81], now).unwrap();
        assert_eq!(counter.deadline(), Some(now + MESSAGE_TIMEOUT));
        counter.is_paused = true;
        counter.resume(later);
        assert_eq!(counter.deadline(), Some(later + MESSAGE_TIMEOUT));
        counter.count(&[0xfe], later).unwrap();
        let end = counter.count(&[1], later + MESSAGE_TIMEOUT * 2);
        assert_eq!(end, Err(LimitExceeded::Slow));
    }

    #[test]
    fn silence_between_messages_is_not_slow() {
        let (mut counter, now) = (FrameCounter::new(16), Instant::now());
        for n in 0..100 {
            let then = now + MESSAGE_TIMEOUT * n;
            counter
                .count(&frame(if n % 2 == 0 { 0x81 } else { 0x89 }), then)
                .unwrap();
            assert_eq!(counter.deadline(), None);
        }
    }

    #[test]
    fn a_ping_flood_is_limited_within_a_message_too() {
        let (mut counter, now) = (FrameCounter::new(16), Instant::now());
        counter.count(&frame(0x01), now).unwrap();
        let end = (0..200).find_map(|_| counter.count(&frame(0x89), now).err());
        assert_eq!(end, Some(LimitExceeded::Pings));
    }
}
