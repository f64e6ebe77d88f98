//! `packet:HEX:OFFSET:SIZE`: a frame begins with a mark and says its own length. The frame is the
//! whole packet, since what stands beside the length means something to whoever reads it.
//!
//! A mark may also occur within a packet. So after bytes that belong to none, and where the
//! beginning of the stream was missed, a packet counts only once another one follows it, or silence.

use std::time::Duration;

use memchr::memmem::Finder;

use super::cutter::{CutFramer, Cutter, Soundness, StreamHead};
use super::delim::{self, digits};
use super::start::begun;
use super::{Framing, FramingKind, GATHERING_SILENCE};

/// The most bytes that may stand before the length, or beside what it counts.
const MAX_OFFSET: usize = 255;

/// The definition of the framing.
pub(super) const PACKET: FramingKind = FramingKind {
    usage: "packet:HEX:OFFSET:SIZE",
    parse: |text| {
        let layout = Layout::parse(text).ok_or_else(|| {
            format!(
                "expected the bytes that begin a packet, in hex, the place of its length, up to \
                 {MAX_OFFSET}, and the size of that, 1, 2 or 2be, such as packet:aa:1:1; then, if \
                 the length leaves out more than these, how many bytes, such as packet:7e:1:2be:4"
            )
        })?;
        let (shown, written) = (layout.shown(), layout.clone());
        let framer = move |max_frame| {
            let packets = PacketCutter::new(layout.clone(), max_frame);
            Box::new(CutFramer::new(packets, max_frame)) as _
        };
        let framing = Framing::new(shown, framer).of_bytes();
        Ok(framing.with_encoding(move |frame| written.check(frame)))
    },
};

/// The layout of packets.
#[derive(Clone)]
struct Layout {
    mark: Vec<u8>,
    /// Index of the first byte of the length.
    offset: usize,
    /// Bytes of the length.
    size: usize,
    is_big_endian: bool,
    /// Bytes of a packet that its length does not count.
    overhead: usize,
}

impl Layout {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let mark = delim::bytes(parts.next()?)?;
        let number = |text: &str| {
            let number = text.parse().ok();
            number.filter(|number| *number <= MAX_OFFSET)
        };
        let offset = number(parts.next()?).filter(|offset| *offset >= mark.len())?;
        let (size, is_big_endian) = match parts.next()? {
            "1" => (1, false),
            "2" => (2, false),
            "2be" => (2, true),
            _ => return None,
        };
        let least = offset + size;
        let overhead = match parts.next() {
            Some(overhead) => number(overhead)?,
            None => least,
        };
        parts.next().is_none().then_some(Self {
            mark,
            offset,
            size,
            is_big_endian,
            overhead,
        })
    }

    fn shown(&self) -> String {
        let (mark, offset, size) = (digits(&self.mark), self.offset, self.size);
        let order = if self.is_big_endian { "be" } else { "" };
        let text = format!("packet:{mark}:{offset}:{size}{order}");
        match self.overhead {
            overhead if overhead == self.header() => text,
            overhead => format!("{text}:{overhead}"),
        }
    }

    /// Returns the bytes up to the end of the length.
    fn header(&self) -> usize {
        self.offset + self.size
    }

    /// Returns the bytes of a packet that begins with these; None if its length is yet to come.
    fn length(&self, packet: &[u8]) -> Option<usize> {
        let length = match (packet.get(self.offset..self.header())?, self.is_big_endian) {
            ([low, high], false) | ([high, low], true) => u16::from_be_bytes([*high, *low]).into(),
            (bytes, _) => usize::from(bytes[0]),
        };
        Some(length + self.overhead)
    }

    /// Returns this packet, if it is one.
    fn check(&self, packet: &[u8]) -> Result<Vec<u8>, String> {
        let mark = digits(&self.mark);
        if !packet.starts_with(&self.mark) {
            return Err(format!(
                "a packet begins with {mark}, and this one does not"
            ));
        }
        match self.length(packet) {
            Some(length) if length == packet.len() => Ok(packet.to_vec()),
            Some(length) => Err(format!(
                "the packet says that it has {length} bytes, and it has {}",
                packet.len()
            )),
            None => Err(format!(
                "a packet has at least {} bytes, and this one {}",
                self.header(),
                packet.len()
            )),
        }
    }
}

/// Finds packets by their marks and lengths.
struct PacketCutter {
    layout: Layout,
    mark: Finder<'static>,
    max_packet: usize,
    /// True if the last packet was right, so that another one follows it.
    is_in_step: bool,
    silence: Duration,
}

impl PacketCutter {
    fn new(layout: Layout, max_packet: usize) -> Self {
        Self {
            mark: Finder::new(&layout.mark).into_owned(),
            layout,
            max_packet,
            is_in_step: true,
            silence: GATHERING_SILENCE,
        }
    }

    /// Returns so many bytes that belong to no packet.
    fn noise(&mut self, bytes: usize) -> StreamHead {
        self.is_in_step = false;
        StreamHead::Noise(bytes)
    }
}

const UNFINISHED: StreamHead = StreamHead::Unfinished {
    content: 0,
    begins: true,
};

fn packet(length: usize, soundness: Soundness) -> StreamHead {
    StreamHead::Frame {
        content: 0..length,
        taken: length,
        soundness,
    }
}

impl Cutter for PacketCutter {
    fn begin(&mut self, starts_whole: bool) {
        self.is_in_step = starts_whole;
    }

    fn find(&mut self, uncut: &[u8]) -> StreamHead {
        match self.mark.find(uncut) {
            Some(0) => {}
            Some(at) => return self.noise(at),
            None => {
                let noise = uncut.len() - begun(&self.layout.mark, uncut);
                if noise > 0 {
                    return self.noise(noise);
                }
                return UNFINISHED;
            }
        }
        let Some(length) = self.layout.length(uncut) else {
            return UNFINISHED;
        };
        if length < self.layout.header() || length > self.max_packet {
            return self.noise(1);
        }
        let Some(next) = uncut.get(length..) else {
            return UNFINISHED;
        };
        let mark = &self.layout.mark;
        if !self.is_in_step {
            let known = next.len().min(mark.len());
            if next[..known] != mark[..known] {
                return self.noise(1);
            }
            if known < mark.len() {
                return UNFINISHED;
            }
            self.is_in_step = true;
        }
        packet(length, Soundness::SOUND)
    }

    fn overlap(&self) -> usize {
        // A packet that waits for what follows it is whole already.
        self.layout.mark.len()
    }

    fn is_missed(&self) -> bool {
        !self.is_in_step
    }

    fn silence(&self, _uncut: &[u8]) -> Option<Duration> {
        (!self.is_in_step).then_some(self.silence)
    }

    fn on_silence(&mut self, uncut: &[u8]) -> StreamHead {
        self.is_in_step = true;
        if uncut.is_empty() {
            return StreamHead::Noise(0);
        }
        let soundness = Soundness {
            begins: true,
            ends: self.layout.length(uncut) == Some(uncut.len()),
        };
        packet(uncut.len(), soundness)
    }

    fn set_silence(&mut self, silence: Duration) {
        self.silence = silence;
    }
}
