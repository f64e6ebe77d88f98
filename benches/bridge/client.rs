//! A minimal client of a WebSocket, or of a stream by HTTP: the handshake, parsing a server's frames, sending masked frames.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Connects and performs the handshake; also returns the bytes received after the response.
pub fn connect(address: SocketAddr, path: &str) -> Result<(TcpStream, Vec<u8>)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let (headers, status) = if is_stream(path) {
        ("Accept: text/event-stream", "200")
    } else {
        let headers = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
        (headers, "101")
    };
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n\r\n");
    // In one write, since the simplest servers expect the request in one read.
    stream.write_all(request.as_bytes())?;
    let mut response = Vec::new();
    let end = loop {
        let mut buffer = [0; 1024];
        let count = stream.read(&mut buffer)?;
        response.extend_from_slice(&buffer[..count]);
        if let Some(end) = response.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if count == 0 {
            bail!("no response to the handshake");
        }
    };
    if !response.starts_with(format!("HTTP/1.1 {status}").as_bytes()) {
        bail!("rejected: {}", String::from_utf8_lossy(&response));
    }
    Ok((stream, response.split_off(end)))
}

/// Returns true for the path of a stream of Server-Sent Events.
pub fn is_stream(path: &str) -> bool {
    path.starts_with("/api/")
}

/// Connects as soon as the address accepts connections.
pub fn connect_when_ready(address: SocketAddr, path: &str) -> Result<(TcpStream, Vec<u8>)> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match connect(address, path) {
            Err(error) if Instant::now() < deadline && is_not_listening(&error) => {
                std::thread::sleep(Duration::from_micros(200));
            }
            connected => return connected.context("cannot connect"),
        }
    }
}

fn is_not_listening(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// One frame from a server.
pub struct Frame<'a> {
    pub opcode: u8,
    pub payload: &'a [u8],
    /// The length of the whole frame, with its header.
    pub len: usize,
}

impl<'a> Frame<'a> {
    /// Parses the frame at the start of `bytes`. Returns None while it is incomplete.
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

/// Appends a short text message as a client frame. Its mask is zero, so the payload is unchanged.
pub fn push_text(text: &[u8], out: &mut Vec<u8>) {
    assert!(text.len() < 126, "a longer message needs a longer header");
    out.extend_from_slice(&[0x81, 0x80 | text.len() as u8, 0, 0, 0, 0]);
    out.extend_from_slice(text);
}

/// The reply to a ping.
pub const PONG: [u8; 6] = [0x8a, 0x80, 0, 0, 0, 0];
