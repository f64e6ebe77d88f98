//! `cobs`: Consistent Overhead Byte Stuffing (Cheshire and Baker, 1999). A frame ends with a zero
//! byte, and has none in it: it is sent as blocks, each after a byte that tells where the next zero
//! would be. A block of 254 bytes is followed by none.

use super::decoder::{DecodedFrames, Decoder, DecodingFramer};
use super::{Framing, FramingKind};

/// The code of a block that no zero follows.
const FULL: u8 = 0xff;

/// The definition of the framing.
pub(super) const COBS: FramingKind = FramingKind {
    usage: "cobs",
    parse: |_| {
        let framer =
            |max_frame| Box::new(DecodingFramer::new(CobsDecoder::default(), max_frame)) as _;
        let framing = Framing::new("cobs", framer).of_bytes();
        Ok(framing.with_encoding(|frame| Ok(encode(frame))))
    },
};

/// Returns the frame as COBS, with the zero that ends it.
fn encode(frame: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(frame.len() + frame.len() / 254 + 2);
    let mut blocks = frame.split(|byte| *byte == 0).peekable();
    while let Some(mut block) = blocks.next() {
        while block.len() >= usize::from(FULL - 1) {
            let (full, rest) = block.split_at(usize::from(FULL - 1));
            encoded.push(FULL);
            encoded.extend(full);
            block = rest;
            if block.is_empty() && blocks.peek().is_none() {
                encoded.push(0);
                return encoded;
            }
        }
        encoded.push(block.len() as u8 + 1);
        encoded.extend(block);
    }
    encoded.push(0);
    encoded
}

/// Decodes COBS.
#[derive(Default)]
struct CobsDecoder {
    /// Bytes of the block that are yet to come.
    left: usize,
    /// True if a zero follows the block, unless the frame ends with it.
    has_zero: bool,
    /// True after the first byte of a frame.
    has_begun: bool,
}

impl CobsDecoder {
    /// Takes the first byte of a block, or the zero that ends the frame.
    fn begin_block(&mut self, code: u8, frames: &mut DecodedFrames) {
        if code == 0 {
            return self.end(frames);
        }
        if self.has_zero {
            frames.add(0);
        }
        self.left = usize::from(code - 1);
        self.has_zero = code != FULL;
        self.has_begun = true;
    }

    fn end(&mut self, frames: &mut DecodedFrames) {
        if self.left > 0 {
            frames.damage();
        }
        if self.has_begun {
            frames.end();
        } else {
            frames.skip();
        }
        self.begin();
    }
}

impl Decoder for CobsDecoder {
    fn begin(&mut self) {
        *self = Self::default();
    }

    fn has_begun(&self) -> bool {
        self.has_begun
    }

    fn decode(&mut self, chunk: &[u8], frames: &mut DecodedFrames) {
        let mut rest = chunk;
        while let Some((&first, others)) = rest.split_first() {
            if self.left == 0 || first == 0 {
                rest = others;
                if first == 0 {
                    self.end(frames);
                } else {
                    self.begin_block(first, frames);
                }
                continue;
            }
            let block = &rest[..self.left.min(rest.len())];
            let block = block.split(|byte| *byte == 0).next().unwrap_or(block);
            frames.extend(block);
            self.left -= block.len();
            rest = &rest[block.len()..];
        }
    }
}
