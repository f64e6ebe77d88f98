//! What a client's frames cost: how many make up a message, how long it takes, and how many are
//! pings. The WebSocket library has limits for the size of messages and frames, and none of these.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

/// How long a message may take from its first byte to its last. At the limit the client is
/// disconnected with 1008.
pub(crate) const MESSAGE_WITHIN: Duration = Duration::from_secs(10);

/// Frames of a message, however small: beside them, one for every so many bytes of the largest
/// message. More disconnect the client with 1008.
const MOST_FRAMES: usize = 1024;
const BYTES_PER_FRAME: usize = 16;

/// Pings and pongs that a client may send within `PINGS_WITHIN`. More disconnect it with 1008.
const MOST_PINGS: u32 = 100;
const PINGS_WITHIN: Duration = Duration::from_secs(10);

/// The longest head of a frame: two bytes, eight of length, four of mask (RFC 6455 §5.2).
const LONGEST_HEAD: usize = 14;

/// A limit that a client exceeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Abuse {
    /// So many frames may make up one message.
    Frames(usize),
    /// A message took too long.
    Slow,
    /// Too many pings.
    Pings,
}

impl fmt::Display for Abuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frames(most) => write!(f, "a message in more than {most} frames"),
            Self::Slow => {
                let seconds = MESSAGE_WITHIN.as_secs();
                write!(f, "a message took longer than {seconds} s")
            }
            Self::Pings => {
                let seconds = PINGS_WITHIN.as_secs();
                write!(f, "more than {MOST_PINGS} pings or pongs in {seconds} s")
            }
        }
    }
}

impl std::error::Error for Abuse {}

/// Follows the frames that a client sends.
pub(crate) struct Meter {
    /// The head of the frame that is coming, as far as it has come.
    head: [u8; LONGEST_HEAD],
    head_length: u8,
    /// Bytes of its payload that are still to come.
    payload: u64,
    /// Whether a message has begun and not ended.
    is_open: bool,
    /// Since when that message takes its time.
    since: Instant,
    /// Whether we have stopped reading, so that the time does not count.
    rests: bool,
    frames: usize,
    most_frames: usize,
    pings: u32,
    pings_since: Instant,
}

impl Meter {
    /// For a client whose messages may have `max_message` bytes.
    pub(crate) fn new(max_message: usize) -> Self {
        let now = Instant::now();
        Self {
            head: [0; LONGEST_HEAD],
            head_length: 0,
            payload: 0,
            is_open: false,
            since: now,
            rests: false,
            frames: 0,
            most_frames: MOST_FRAMES + max_message / BYTES_PER_FRAME,
            pings: 0,
            pings_since: now,
        }
    }

    /// Takes note that the client is not read for a while, by our own choice.
    pub(crate) fn rest(&mut self) {
        self.rests = true;
    }

    /// Takes note that the client is read.
    pub(crate) fn go_on(&mut self, now: Instant) {
        if std::mem::take(&mut self.rests) {
            self.since = now;
        }
    }

    /// When the message that has begun, if one has, must have ended.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.is_open.then(|| self.since + MESSAGE_WITHIN)
    }

    /// Counts what the client sent.
    ///
    /// # Errors
    /// The limit that it exceeds.
    pub(crate) fn count(&mut self, mut bytes: &[u8], now: Instant) -> Result<(), Abuse> {
        while !bytes.is_empty() {
            if self.payload == 0 {
                self.head[usize::from(self.head_length)] = bytes[0];
                self.head_length += 1;
                bytes = &bytes[1..];
                if self.head_length == 1 {
                    self.begin(now)?;
                }
                let Some(length) = self.length() else {
                    continue;
                };
                self.payload = length;
            } else {
                let count = self.payload.min(bytes.len() as u64);
                self.payload -= count;
                bytes = &bytes[count as usize..];
            }
            if self.payload == 0 {
                self.head_length = 0;
                if self.is_end() {
                    self.is_open = false;
                }
            }
        }
        if self.due().is_some_and(|due| due < now) {
            Err(Abuse::Slow)
        } else {
            Ok(())
        }
    }

    /// Counts a frame by its first byte.
    fn begin(&mut self, now: Instant) -> Result<(), Abuse> {
        if self.is_control() {
            if now.duration_since(self.pings_since) > PINGS_WITHIN {
                (self.pings_since, self.pings) = (now, 0);
            }
            self.pings += 1;
            return if self.pings > MOST_PINGS {
                Err(Abuse::Pings)
            } else {
                Ok(())
            };
        }
        if !self.is_open {
            (self.is_open, self.since, self.frames) = (true, now, 0);
        }
        self.frames += 1;
        if self.frames > self.most_frames {
            Err(Abuse::Frames(self.most_frames))
        } else {
            Ok(())
        }
    }

    /// The length of the payload, when the head is complete.
    fn length(&self) -> Option<u64> {
        let head = &self.head[..usize::from(self.head_length)];
        let second = *head.get(1)?;
        let mask = if second & 0x80 == 0 { 0 } else { 4 };
        let (extra, short) = match second & 0x7f {
            126 => (2, 0),
            127 => (8, 0),
            short => (0, u64::from(short)),
        };
        if head.len() < 2 + extra + mask {
            return None;
        }
        let more = &head[2..2 + extra];
        Some(
            more.iter()
                .fold(short, |sum, byte| sum << 8 | u64::from(*byte)),
        )
    }

    fn is_control(&self) -> bool {
        self.head[0] & 0x08 != 0
    }

    fn is_end(&self) -> bool {
        !self.is_control() && self.head[0] & 0x80 != 0
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
    fn endless_empty_frames_end() {
        let (mut meter, now) = (Meter::new(16), Instant::now());
        meter.count(&frame(0x01), now).unwrap();
        let end = (0..2000).find_map(|_| meter.count(&frame(0x00), now).err());
        assert_eq!(end, Some(Abuse::Frames(1025)));
    }

    #[test]
    fn whole_messages_can_go_on_for_ever_however_they_are_cut() {
        let now = Instant::now();
        let long = [&[0x82, 0xfe, 1, 0, 9, 9, 9, 9][..], &[7; 256]].concat();
        let parts = [frame(0x81), long, frame(0x01), frame(0x00), frame(0x80)].concat();
        for size in [1, 3, 7, 300] {
            let mut meter = Meter::new(16);
            for _ in 0..2000 {
                for piece in parts.chunks(size) {
                    meter.count(piece, now).unwrap();
                }
                assert!(!meter.is_open);
            }
        }
    }

    #[test]
    fn a_message_has_10_s_unless_we_rest() {
        let (mut meter, now) = (Meter::new(16), Instant::now());
        let later = now + MESSAGE_WITHIN + Duration::from_secs(1);
        meter.count(&[0x81], now).unwrap();
        assert_eq!(meter.due(), Some(now + MESSAGE_WITHIN));
        meter.rest();
        meter.go_on(later);
        assert_eq!(meter.due(), Some(later + MESSAGE_WITHIN));
        meter.count(&[0xfe], later).unwrap();
        let end = meter.count(&[1], later + MESSAGE_WITHIN * 2);
        assert_eq!(end, Err(Abuse::Slow));
    }

    #[test]
    fn silence_between_messages_is_not_slow() {
        let (mut meter, now) = (Meter::new(16), Instant::now());
        for n in 0..100 {
            let then = now + MESSAGE_WITHIN * n;
            meter
                .count(&frame(if n % 2 == 0 { 0x81 } else { 0x89 }), then)
                .unwrap();
            assert_eq!(meter.due(), None);
        }
    }

    #[test]
    fn a_ping_flood_ends_also_within_a_message() {
        let (mut meter, now) = (Meter::new(16), Instant::now());
        meter.count(&frame(0x01), now).unwrap();
        let end = (0..200).find_map(|_| meter.count(&frame(0x89), now).err());
        assert_eq!(end, Some(Abuse::Pings));
    }
}
