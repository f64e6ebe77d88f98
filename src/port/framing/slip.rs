//! `slip`: the encoding of RFC 1055. A frame ends with the byte C0, and may begin with one; DB DC
//! and DB DD stand for C0 and DB in it. Empty frames are dropped.

use memchr::memchr2;

use super::decoder::{DecodedFrames, Decoder, DecodingFramer};
use super::{Framing, FramingKind};

const END: u8 = 0xc0;
const ESC: u8 = 0xdb;
const ESC_END: u8 = 0xdc;
const ESC_ESC: u8 = 0xdd;

/// The definition of the framing.
pub(super) const SLIP: FramingKind = FramingKind {
    usage: "slip",
    parse: |_| {
        let framer =
            |max_frame| Box::new(DecodingFramer::new(SlipDecoder::default(), max_frame)) as _;
        let framing = Framing::new("slip", framer).of_bytes();
        Ok(framing.with_encoding(|frame| match frame {
            [] => Err("SLIP has no empty frames".to_owned()),
            frame => Ok(encode(frame)),
        }))
    },
};

/// Returns the frame as SLIP, with an END on both sides, so that noise before it makes a frame of
/// its own.
fn encode(frame: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(frame.len() + frame.len() / 8 + 2);
    encoded.push(END);
    for &byte in frame {
        match byte {
            END => encoded.extend([ESC, ESC_END]),
            ESC => encoded.extend([ESC, ESC_ESC]),
            byte => encoded.push(byte),
        }
    }
    encoded.push(END);
    encoded
}

/// Decodes SLIP.
#[derive(Default)]
struct SlipDecoder {
    is_escaped: bool,
}

impl SlipDecoder {
    /// Decodes what comes after an escape. Any other byte is a mistake; the RFC takes it as it is.
    fn unescape(&mut self, byte: u8, frames: &mut DecodedFrames) {
        self.is_escaped = false;
        match byte {
            ESC_END => frames.add(END),
            ESC_ESC => frames.add(ESC),
            END => {
                frames.damage();
                frames.end();
            }
            byte => {
                frames.damage();
                frames.add(byte);
            }
        }
    }
}

impl Decoder for SlipDecoder {
    fn begin(&mut self) {
        self.is_escaped = false;
    }

    fn has_begun(&self) -> bool {
        self.is_escaped
    }

    fn decode(&mut self, chunk: &[u8], frames: &mut DecodedFrames) {
        let mut rest = chunk;
        while let Some((&first, others)) = rest.split_first() {
            if self.is_escaped {
                self.unescape(first, frames);
                rest = others;
                continue;
            }
            let special = memchr2(END, ESC, rest).unwrap_or(rest.len());
            frames.extend(&rest[..special]);
            rest = &rest[special..];
            match rest.split_first() {
                Some((&ESC, others)) => {
                    self.is_escaped = true;
                    rest = others;
                }
                Some((_, others)) => {
                    if frames.is_empty() {
                        frames.skip();
                    } else {
                        frames.end();
                    }
                    rest = others;
                }
                None => {}
            }
        }
    }
}
