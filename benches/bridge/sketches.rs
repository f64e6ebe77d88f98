//! Sketches of p5.serialport, which get one message for each byte: serial-ws with `--p5`, side by side
//! with p5.serialserver.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::client::{Frame, connect_when_ready, push_text};
use crate::device::{Device, LINE};
use crate::effort::Effort;
use crate::subject::{Kind, Subject, bridge_arguments, free_address, node, serial_ws};
use crate::table::{Table, Target, measure};

const SKETCHES: usize = 4;

/// Lines that the device sends, in whole writes, and their bytes: about 200 kB.
const LINES: u64 = 49 * 124;
const BYTES: u64 = LINES * (LINE as u64 + 1);

/// The longest time without anything from the program.
const TIMEOUT: Duration = Duration::from_secs(60);

struct Delivered {
    /// Bytes per second, until the last sketch had all of them.
    rate: f64,
    /// Microseconds of processor time for each message.
    cpu: f64,
}

/// Measures a device that sends to four sketches. p5.serialserver takes the place of the floor.
pub fn sketches(effort: Effort, _kinds: &[Kind], table: &mut Table) -> Result<()> {
    if !node().join("node_modules/p5.serialserver").exists() {
        println!("p5.serialserver: not installed");
        return Ok(());
    }
    let measured = measure(effort, &[Kind::SerialWs, Kind::Floor], run)?;
    let target = Target::RatioAtLeast(20.0);
    table.add("bytes per second", &measured, |it| it.rate, target);
    let cpu = |it: &Delivered| it.cpu;
    table.add("CPU per message, µs", &measured, cpu, Target::None);
    Ok(())
}

fn run(kind: Kind) -> Result<Delivered> {
    let mut device = Device::new()?;
    let address = free_address()?;
    let subject = Subject::spawn(command(kind, device.path(), address)?, address)?;
    let sketches = (0..SKETCHES).map(|_| Sketch::open(address, device.path()));
    let sketches = sketches.collect::<Result<Vec<_>>>()?;
    let (start, cpu) = (Instant::now(), subject.cpu()?);
    std::thread::scope(|scope| {
        let receive = |sketch: Sketch| scope.spawn(move || sketch.receive());
        let readers: Vec<_> = sketches.into_iter().map(receive).collect();
        device.flood(LINES)?;
        let mut outcomes = readers.into_iter().map(|reader| reader.join());
        outcomes.try_for_each(|outcome| outcome.expect("a reader does not panic"))
    })?;
    let (time, cpu) = (start.elapsed(), subject.cpu()? - cpu);
    Ok(Delivered {
        rate: BYTES as f64 / time.as_secs_f64(),
        cpu: cpu.as_secs_f64() * 1e6 / (BYTES * SKETCHES as u64) as f64,
    })
}

/// Returns the command that serves sketches at an address.
fn command(kind: Kind, tty: &Path, address: SocketAddr) -> Result<Command> {
    if kind == Kind::SerialWs {
        let tty = tty.to_str().context("a tty has a plain name")?;
        let mut command = Command::new(serial_ws());
        command.args(bridge_arguments(tty, free_address()?));
        command.arg(format!("--p5={}", address.port()));
        return Ok(command);
    }
    let mut command = Command::new("node");
    command.arg(node().join("p5.cjs"));
    command.arg(address.port().to_string());
    Ok(command)
}

/// A sketch that has opened a port.
struct Sketch {
    stream: TcpStream,
    /// Bytes that are not parsed yet.
    bytes: Vec<u8>,
}

impl Sketch {
    fn open(address: SocketAddr, tty: &Path) -> Result<Self> {
        let (stream, bytes) = connect_when_ready(address, "/")?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        let mut sketch = Self { stream, bytes };
        let tty = tty.display();
        let request = format!(
            r#"{{"method":"openserial","data":{{"serialport":"{tty}","serialoptions":{{}}}}}}"#
        );
        let mut frame = Vec::new();
        push_text(request.as_bytes(), &mut frame);
        sketch.stream.write_all(&frame)?;
        let mut is_open = false;
        while !is_open {
            sketch.read(|payload| is_open |= payload.starts_with(br#"{"method":"openserial""#))?;
        }
        Ok(sketch)
    }

    /// Waits until all that the device sends has come, each byte in a message of its own.
    fn receive(mut self) -> Result<()> {
        let mut count = 0;
        while count < BYTES {
            self.read(|payload| count += u64::from(payload.starts_with(br#"{"method":"data""#)))?;
        }
        ensure!(count == BYTES, "more came than the device sent");
        Ok(())
    }

    /// Reads once, and hands over the payload of each frame.
    fn read(&mut self, mut take: impl FnMut(&[u8])) -> Result<()> {
        let mut buffer = [0; 64 << 10];
        let count = self.stream.read(&mut buffer)?;
        ensure!(count > 0, "the connection ended");
        self.bytes.extend_from_slice(&buffer[..count]);
        let mut parsed = 0;
        while let Some(frame) = Frame::parse(&self.bytes[parsed..]) {
            take(frame.payload);
            parsed += frame.len;
        }
        self.bytes.drain(..parsed);
        Ok(())
    }
}
