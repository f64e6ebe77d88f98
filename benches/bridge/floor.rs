//! The floor: the least that any bridge could do. One thread, poll(2), each line encoded once, one
//! send per client and wake-up; a short message of a client is written as it comes; no checks, no limits,
//! no history. When one client stalls, the device waits.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

use anyhow::{Result, bail};
use rustix::event::{PollFd, PollFlags, poll};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::device::open_raw;

/// Runs the role `--floor TTY PORT`.
pub fn run(arguments: &[String]) -> Result<()> {
    let [tty, port] = arguments else {
        bail!("--floor takes a tty and a TCP port");
    };
    let mut floor = Floor {
        tty: open_raw(Path::new(tty))?,
        listener: TcpListener::bind(("127.0.0.1", port.parse()?))?,
        clients: Vec::new(),
        line: Vec::new(),
        frames: Vec::new(),
    };
    loop {
        floor.poll_once()?;
    }
}

struct Floor {
    tty: File,
    listener: TcpListener,
    clients: Vec<Client>,
    /// The beginning of an incomplete line.
    line: Vec<u8>,
    /// The frames of one wake-up.
    frames: Vec<u8>,
}

struct Client {
    stream: TcpStream,
    /// Bytes that the socket has not accepted yet.
    unsent: Vec<u8>,
    is_gone: bool,
}

impl Floor {
    fn poll_once(&mut self) -> Result<()> {
        let is_blocked = self.clients.iter().any(|client| !client.unsent.is_empty());
        let tty = if is_blocked {
            PollFlags::empty()
        } else {
            PollFlags::IN
        };
        let mut fds = Vec::with_capacity(self.clients.len() + 2);
        fds.push(PollFd::new(&self.tty, tty));
        fds.push(PollFd::new(&self.listener, PollFlags::IN));
        fds.extend(self.clients.iter().map(|client| {
            let mut flags = PollFlags::IN;
            flags.set(PollFlags::OUT, !client.unsent.is_empty());
            PollFd::new(&client.stream, flags)
        }));
        poll(&mut fds, None)?;
        let ready: Vec<PollFlags> = fds.iter().map(PollFd::revents).collect();
        for (client, ready) in self.clients.iter_mut().zip(&ready[2..]) {
            client.handle(*ready, &mut self.tty);
        }
        if ready[0].contains(PollFlags::IN) {
            self.read_tty()?;
        }
        if ready[1].contains(PollFlags::IN) {
            let (stream, _) = self.listener.accept()?;
            self.clients.extend(Client::accept(stream));
        }
        self.clients.retain(|client| !client.is_gone);
        Ok(())
    }

    fn read_tty(&mut self) -> Result<()> {
        let mut buffer = [0; 4096];
        let count = self.tty.read(&mut buffer)?;
        self.frames.clear();
        for part in buffer[..count].split_inclusive(|&byte| byte == b'\n') {
            self.line.extend_from_slice(part);
            if let Some(text) = self.line.strip_suffix(b"\n") {
                assert!(text.len() < 126, "a longer line needs a longer header");
                self.frames.extend_from_slice(&[0x81, text.len() as u8]);
                self.frames.extend_from_slice(text);
                self.line.clear();
            }
        }
        if !self.frames.is_empty() {
            for client in &mut self.clients {
                client.send(&self.frames);
            }
        }
        Ok(())
    }
}

impl Client {
    fn accept(mut stream: TcpStream) -> Option<Self> {
        stream.set_nodelay(true).ok()?;
        let mut request = [0; 4096];
        let count = stream.read(&mut request).ok()?;
        let request = str::from_utf8(&request[..count]).ok()?;
        let key = request
            .split_once("Sec-WebSocket-Key: ")?
            .1
            .split("\r\n")
            .next()?;
        let accept = derive_accept_key(key.as_bytes());
        let response = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        stream.write_all(response.as_bytes()).ok()?;
        stream.set_nonblocking(true).ok()?;
        Some(Self {
            stream,
            unsent: Vec::new(),
            is_gone: false,
        })
    }

    fn handle(&mut self, ready: PollFlags, tty: &mut File) {
        if ready.contains(PollFlags::OUT) {
            let unsent = std::mem::take(&mut self.unsent);
            self.send(&unsent);
        }
        if ready.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
            let mut buffer = [0; 1024];
            match self.stream.read(&mut buffer) {
                Ok(0) | Err(_) => self.is_gone = true,
                Ok(count) => {
                    let written = text_of(&buffer[..count]).map(|text| tty.write_all(&text));
                    self.is_gone |= matches!(written, Some(Err(_)));
                }
            }
        }
    }

    fn send(&mut self, frames: &[u8]) {
        match self.stream.write(frames) {
            Ok(count) => self.unsent.extend_from_slice(&frames[count..]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.unsent.extend_from_slice(frames);
            }
            Err(_) => self.is_gone = true,
        }
    }
}

/// Returns the text of a short message, which comes in one read.
fn text_of(frame: &[u8]) -> Option<Vec<u8>> {
    let [0x81, length @ 0x80..=0xfd, rest @ ..] = frame else {
        return None;
    };
    let (mask, payload) = rest.split_at_checked(4)?;
    let payload = payload.get(..usize::from(length & 0x7f))?;
    let unmasked = payload.iter().zip(mask.iter().cycle());
    Some(unmasked.map(|(byte, mask)| byte ^ mask).collect())
}
