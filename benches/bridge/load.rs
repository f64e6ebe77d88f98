//! All clients of a measurement, in one process that waits with epoll: parses frames, checks the
//! numbers of lines, and notes how old they are. It is told what to do by lines on stdin.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;

use anyhow::{Context, Result, bail};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use serde::{Deserialize, Serialize};

use crate::client::{self, Frame, PONG};
use crate::device::{LINE, now, number};

/// What clients have seen since the last `reset`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Report {
    /// Lines that came, of all clients.
    pub lines: u64,
    /// Lines between others that did not come.
    pub gaps: u64,
    /// Messages that are no line, come twice, or out of order.
    pub wrong: u64,
    /// Clients whose connection ended.
    pub closed: u64,
    /// The number of the last line that every client has.
    pub everyone_has: u64,
    /// Half of the lines took at most so many microseconds.
    pub median: f64,
    /// All but a hundredth of the lines took at most so many microseconds.
    pub p99: f64,
}

/// The argument of the event that stdin has something.
const STDIN: u64 = u64::MAX;

/// The role: `ADDRESS PATH CLIENTS`.
pub fn run(arguments: &[String]) -> Result<()> {
    let [address, path, clients] = arguments else {
        bail!("a load has an address, a path and a number of clients");
    };
    let mut load = Load::connect(address.parse()?, path, clients.parse()?)?;
    println!("connected");
    load.work()
}

struct Load {
    epoll: OwnedFd,
    clients: Vec<Client>,
    report: Report,
    ages: Ages,
    buffer: Vec<u8>,
}

struct Client {
    stream: TcpStream,
    /// The beginning of a frame whose rest has not come.
    begun: Vec<u8>,
    last: u64,
    /// Messages that are still to be sent, and how many were.
    to_send: u64,
    sent: u64,
    sending: Vec<u8>,
}

impl Load {
    fn connect(address: SocketAddr, path: &str, count: u64) -> Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(
            &epoll,
            std::io::stdin(),
            EventData::new_u64(STDIN),
            EventFlags::IN,
        )?;
        let mut clients = Vec::new();
        for index in 0..count {
            let (stream, begun) = client::connect_soon(address, path)?;
            stream.set_nonblocking(true)?;
            epoll::add(&epoll, &stream, EventData::new_u64(index), EventFlags::IN)?;
            clients.push(Client {
                stream,
                begun,
                last: 0,
                to_send: 0,
                sent: 0,
                sending: Vec::new(),
            });
        }
        Ok(Self {
            epoll,
            clients,
            report: Report::default(),
            ages: Ages::default(),
            buffer: vec![0; 256 << 10],
        })
    }

    fn work(&mut self) -> Result<()> {
        let mut commands = BufReader::new(std::io::stdin());
        let mut events = Vec::with_capacity(1024);
        loop {
            match epoll::wait(&self.epoll, spare_capacity(&mut events), None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error).context("cannot wait"),
            }
            for event in events.drain(..) {
                let (data, flags) = (event.data, event.flags);
                if data.u64() == STDIN {
                    let mut command = String::new();
                    if commands.read_line(&mut command)? == 0 {
                        return Ok(());
                    }
                    self.obey(command.trim())?;
                } else if flags.contains(EventFlags::OUT) {
                    self.send(data.u64() as usize)?;
                } else {
                    self.receive(data.u64() as usize)?;
                }
            }
        }
    }

    /// Each command is answered by one line.
    fn obey(&mut self, command: &str) -> Result<()> {
        match command.split_once(' ') {
            None if command == "reset" => {
                self.report = Report::default();
                self.ages = Ages::default();
            }
            Some(("send", count)) => {
                for index in 0..self.clients.len() {
                    self.clients[index].to_send = count.parse()?;
                    self.send(index)?;
                }
            }
            _ => {}
        }
        self.report.median = self.ages.quantile(0.5);
        self.report.p99 = self.ages.quantile(0.99);
        let has = self.clients.iter().map(|client| client.last);
        self.report.everyone_has = has.min().unwrap_or(0);
        println!("{}", serde_json::to_string(&self.report)?);
        Ok(())
    }

    fn receive(&mut self, index: usize) -> Result<()> {
        let client = &mut self.clients[index];
        let known = client.begun.len();
        self.buffer[..known].copy_from_slice(&client.begun);
        let count = match client.stream.read(&mut self.buffer[known..]) {
            Ok(0) => return self.close(index),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(_) => return self.close(index),
        };
        let mut bytes = &self.buffer[..known + count];
        let mut is_oldest = true;
        while let Some(frame) = Frame::parse(bytes) {
            match frame.opcode {
                1 | 2 => {
                    let lines = frame.payload.split(|&byte| byte == b'\n');
                    for line in lines.filter(|line| !line.is_empty()) {
                        let age = self.report.note(&mut client.last, line);
                        if std::mem::take(&mut is_oldest) {
                            self.ages.note(age);
                        }
                    }
                }
                9 => client.stream.write_all(&PONG)?,
                _ => self.report.closed += 1,
            }
            bytes = &bytes[frame.len..];
        }
        client.begun.clear();
        client.begun.extend_from_slice(bytes);
        Ok(())
    }

    fn close(&mut self, index: usize) -> Result<()> {
        self.report.closed += 1;
        epoll::delete(&self.epoll, &self.clients[index].stream)?;
        Ok(())
    }

    /// Sends what the socket takes of a client's messages.
    fn send(&mut self, index: usize) -> Result<()> {
        /// Messages that are handed to the socket at once.
        const AT_ONCE: u64 = 64;
        let client = &mut self.clients[index];
        while client.to_send > 0 || !client.sending.is_empty() {
            if client.sending.is_empty() {
                for _ in 0..client.to_send.min(AT_ONCE) {
                    client.sent += 1;
                    client.to_send -= 1;
                    let line = format!("{index:011} {:020}\n", client.sent);
                    client::push_text(line.as_bytes(), &mut client.sending);
                }
            }
            match client.stream.write(&client.sending) {
                Ok(count) => drop(client.sending.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        let mut flags = EventFlags::IN;
        flags.set(EventFlags::OUT, !client.sending.is_empty());
        epoll::modify(
            &self.epoll,
            &client.stream,
            EventData::new_u64(index as u64),
            flags,
        )?;
        Ok(())
    }
}

impl Report {
    /// Checks a line against the one before it, and returns when it was written.
    fn note(&mut self, last: &mut u64, line: &[u8]) -> u64 {
        let read = (line.len() == LINE).then(|| (number(&line[..11]), number(&line[12..])));
        match read {
            Some((Some(this), Some(written))) if this > *last => {
                self.lines += 1;
                // A client's first line may be any.
                self.gaps += if *last == 0 { 0 } else { this - *last - 1 };
                *last = this;
                written
            }
            _ => {
                self.wrong += 1;
                0
            }
        }
    }
}

/// How old lines were, in classes an 128th wide.
struct Ages {
    counts: Vec<u64>,
}

impl Default for Ages {
    fn default() -> Self {
        Self {
            counts: vec![0; 64 << Self::BITS],
        }
    }
}

impl Ages {
    const BITS: u32 = 7;

    fn note(&mut self, written: u64) {
        let age = now().saturating_sub(written).max(1 << Self::BITS);
        let octave = age.ilog2() - Self::BITS;
        let class = (u64::from(octave) << Self::BITS) + (age >> octave) - (1 << Self::BITS);
        self.counts[class as usize] += 1;
    }

    /// In microseconds.
    fn quantile(&self, part: f64) -> f64 {
        let all: u64 = self.counts.iter().sum();
        let wanted = (all as f64 * part).ceil() as u64;
        let mut seen = 0;
        let class = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        let class = class.unwrap_or(0) as u64;
        let octave = class >> Self::BITS;
        let mantissa = (class & ((1 << Self::BITS) - 1)) + (1 << Self::BITS);
        (mantissa << octave) as f64 / 1000.0
    }
}
