//! All clients of a measurement, in one process that waits with epoll: parses frames, checks the
//! line numbers, and records the age of lines. Takes commands as lines on stdin.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;

use anyhow::{Context, Result, bail};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use serde::{Deserialize, Serialize};

use crate::client::{self, Frame, PONG};
use crate::device::{LINE, now, number};

/// The results of all clients since the last `reset`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Report {
    /// Lines received by all clients together.
    pub lines: u64,
    /// Lines missing between received ones.
    pub gaps: u64,
    /// Messages that are not lines, are duplicates, or are out of order.
    pub wrong: u64,
    /// Clients whose connection ended.
    pub closed: u64,
    /// The number of the last line that every client has received.
    pub received_by_all: u64,
    /// The median latency in microseconds.
    pub median: f64,
    /// The 99th percentile of the latency in microseconds.
    pub p99: f64,
}

/// The epoll data that marks an event on stdin.
const STDIN: u64 = u64::MAX;

/// Runs the role `--load ADDRESS PATH CLIENTS`.
pub fn run(arguments: &[String]) -> Result<()> {
    let [address, path, clients] = arguments else {
        bail!("--load takes an address, a path and a number of clients");
    };
    let mut load = Load::connect(address.parse()?, path, clients.parse()?)?;
    println!("connected");
    load.run()
}

struct Load {
    epoll: OwnedFd,
    clients: Vec<Client>,
    report: Report,
    ages: Ages,
    buffer: Vec<u8>,
    /// True if the clients get Server-Sent Events.
    is_stream: bool,
}

struct Client {
    stream: TcpStream,
    /// The beginning of an incomplete frame.
    incomplete: Vec<u8>,
    /// The number of the last line received.
    last: u64,
    /// The number of messages still to be sent.
    to_send: u64,
    sent: u64,
    /// Bytes that the socket has not accepted yet.
    unsent: Vec<u8>,
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
            let (stream, incomplete) = client::connect_when_ready(address, path)?;
            stream.set_nonblocking(true)?;
            epoll::add(&epoll, &stream, EventData::new_u64(index), EventFlags::IN)?;
            clients.push(Client {
                stream,
                incomplete,
                last: 0,
                to_send: 0,
                sent: 0,
                unsent: Vec::new(),
            });
        }
        Ok(Self {
            epoll,
            clients,
            report: Report::default(),
            ages: Ages::default(),
            buffer: vec![0; 256 << 10],
            is_stream: client::is_stream(path),
        })
    }

    fn run(&mut self) -> Result<()> {
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
                    self.execute(command.trim())?;
                } else if flags.contains(EventFlags::OUT) {
                    self.send(data.u64() as usize)?;
                } else {
                    self.receive(data.u64() as usize)?;
                }
            }
        }
    }

    /// Executes a command and answers it with one line.
    fn execute(&mut self, command: &str) -> Result<()> {
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
        let last = self.clients.iter().map(|client| client.last);
        self.report.received_by_all = last.min().unwrap_or(0);
        println!("{}", serde_json::to_string(&self.report)?);
        Ok(())
    }

    fn receive(&mut self, index: usize) -> Result<()> {
        let client = &mut self.clients[index];
        let known = client.incomplete.len();
        self.buffer[..known].copy_from_slice(&client.incomplete);
        let count = match client.stream.read(&mut self.buffer[known..]) {
            Ok(0) => return self.close(index),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(_) => return self.close(index),
        };
        let mut bytes = &self.buffer[..known + count];
        let mut is_oldest = true;
        if self.is_stream {
            let end = bytes.iter().rposition(|&byte| byte == b'\n');
            let (whole, rest) = bytes.split_at(end.map_or(0, |end| end + 1));
            for line in whole.split(|&byte| byte == b'\n').filter_map(data) {
                let written = self.report.check(&mut client.last, line);
                if std::mem::take(&mut is_oldest) {
                    self.ages.record(written);
                }
            }
            client.incomplete = rest.to_vec();
            return Ok(());
        }
        while let Some(frame) = Frame::parse(bytes) {
            match frame.opcode {
                1 | 2 => {
                    let lines = frame.payload.split(|&byte| byte == b'\n');
                    for line in lines.filter(|line| !line.is_empty()) {
                        let written = self.report.check(&mut client.last, line);
                        if std::mem::take(&mut is_oldest) {
                            self.ages.record(written);
                        }
                    }
                }
                9 => client.stream.write_all(&PONG)?,
                _ => self.report.closed += 1,
            }
            bytes = &bytes[frame.len..];
        }
        client.incomplete.clear();
        client.incomplete.extend_from_slice(bytes);
        Ok(())
    }

    fn close(&mut self, index: usize) -> Result<()> {
        self.report.closed += 1;
        epoll::delete(&self.epoll, &self.clients[index].stream)?;
        Ok(())
    }

    /// Sends as many of a client's messages as the socket accepts.
    fn send(&mut self, index: usize) -> Result<()> {
        /// Messages in one write to the socket.
        const PER_WRITE: u64 = 64;
        let client = &mut self.clients[index];
        while client.to_send > 0 || !client.unsent.is_empty() {
            if client.unsent.is_empty() {
                for _ in 0..client.to_send.min(PER_WRITE) {
                    client.sent += 1;
                    client.to_send -= 1;
                    let line = format!("{index:011} {:020}\n", client.sent);
                    client::push_text(line.as_bytes(), &mut client.unsent);
                }
            }
            match client.stream.write(&client.unsent) {
                Ok(count) => drop(client.unsent.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        let mut flags = EventFlags::IN;
        flags.set(EventFlags::OUT, !client.unsent.is_empty());
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
    /// Checks a line against the one before it, and returns the time at which it was written.
    fn check(&mut self, last: &mut u64, line: &[u8]) -> u64 {
        match read(line) {
            Some((this, written)) if this > *last => {
                self.lines += 1;
                // A client's first line may have any number.
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

/// Returns the line in the data of an event; the greeting is an object.
fn data(field: &[u8]) -> Option<&[u8]> {
    let data = field.strip_prefix(b"data: ")?;
    (!data.starts_with(b"{")).then_some(data)
}

/// Returns the number and the time in a line, or in what the json or the values view makes of it.
fn read(message: &[u8]) -> Option<(u64, u64)> {
    /// What stands before the line in an object of the json view.
    const TEXT: &[u8] = b"\"text\":\"";
    let line = match message.first()? {
        b'[' => &message[1..],
        b'{' => {
            let at = message.windows(TEXT.len()).position(|part| part == TEXT)?;
            &message[at + TEXT.len()..]
        }
        _ if message.len() == LINE => message,
        _ => return None,
    };
    let mut fields = line.split(|byte| !byte.is_ascii_digit());
    Some((number(fields.next()?)?, number(fields.next()?)?))
}

/// A histogram of the ages of lines, in classes of 1/128 of their value.
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

    fn record(&mut self, written: u64) {
        let age = now().saturating_sub(written).max(1 << Self::BITS);
        let octave = age.ilog2() - Self::BITS;
        let class = (u64::from(octave) << Self::BITS) + (age >> octave) - (1 << Self::BITS);
        self.counts[class as usize] += 1;
    }

    /// Returns a quantile of the ages, in microseconds.
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
