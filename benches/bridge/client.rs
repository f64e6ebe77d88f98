//! The least of a WebSocket client: the handshake, the frames of a server, masked frames.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Connects and shakes hands; returns what came after the answer, too.
pub fn connect(address: SocketAddr, path: &str) -> Result<(TcpStream, Vec<u8>)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    // At once, since the simplest of servers read it at once.
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    let end = loop {
        let mut buffer = [0; 1024];
        let count = stream.read(&mut buffer)?;
        answer.extend_from_slice(&buffer[..count]);
        if let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if count == 0 {
            bail!("no answer to the handshake");
        }
    };
    if !answer.starts_with(b"HTTP/1.1 101") {
        bail!("refused: {}", String::from_utf8_lossy(&answer));
    }
    Ok((stream, answer.split_off(end)))
}

/// Connects as soon as somebody accepts.
pub fn connect_soon(address: SocketAddr, path: &str) -> Result<(TcpStream, Vec<u8>)> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match connect(address, path) {
            Err(error) if Instant::now() < deadline && is_early(&error) => {
                std::thread::sleep(Duration::from_micros(200));
            }
            connected => return connected.context("cannot connect"),
        }
    }
}

fn is_early(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// One frame of a server at the beginning of `bytes`.
pub struct Frame<'a> {
    /// What kind of frame it is.
    pub opcode: u8,
    /// What it carries.
    pub payload: &'a [u8],
    /// Bytes of the whole frame.
    pub len: usize,
}

impl<'a> Frame<'a> {
    /// None while it is incomplete.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let &[first, second, ..] = bytes else {
            return None;
        };
        let (header, len) = match second {
            126 => (
                4,
                usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)),
            ),
            127 => (
                10,
                u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize,
            ),
            len => (2, usize::from(len)),
        };
        Some(Self {
            opcode: first & 0x0f,
            payload: bytes.get(header..header + len)?,
            len: header + len,
        })
    }
}

/// Appends a short text message as a client sends it; a mask of zeros changes nothing.
pub fn push_text(text: &[u8], out: &mut Vec<u8>) {
    assert!(text.len() < 126, "a longer message needs a longer header");
    out.extend_from_slice(&[0x81, 0x80 | text.len() as u8, 0, 0, 0, 0]);
    out.extend_from_slice(text);
}

/// The answer to a ping.
pub const PONG: [u8; 6] = [0x8a, 0x80, 0, 0, 0, 0];
