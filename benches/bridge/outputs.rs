//! Programs that are no WebSocket clients: the outputs of serial-ws and programs as devices, side by
//! side with ser2net or socat, which take the place of the floor.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::device::{Device, open_raw};
use crate::effort::Effort;
use crate::reader::{Counts, Reader};
use crate::subject::{Kind, Subject, bridge_arguments, free_address, serial_ws};
use crate::table::{Measured, Table, Target, measure};

/// The longest time for a program to listen, and for a first line to arrive.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// What a client sends to speak RFC 2217: IAC WILL COM-PORT-OPTION, IAC DO COM-PORT-OPTION.
const AGREE: &[u8] = b"\xff\xfb\x2c\xff\xfd\x2c";

/// The way by which a client reads the device.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Tcp,
    Rfc2217,
    /// A program in place of the device, by TCP.
    Exec,
    Pty,
}

/// A program beside serial-ws.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rival {
    Ser2net,
    Socat,
}

impl Rival {
    fn name(self) -> &'static str {
        match self {
            Self::Ser2net => "ser2net",
            Self::Socat => "socat",
        }
    }

    fn is_installed(self) -> bool {
        let folders = ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"];
        let mut paths = folders
            .iter()
            .map(|folder| Path::new(folder).join(self.name()));
        let is_there = paths.any(|path| path.exists());
        if !is_there {
            println!("{}: not installed", self.name());
        }
        is_there
    }
}

/// A device, a program that shares it, and a client that has received a line.
struct Shared {
    device: Device,
    subject: Subject,
    /// The place of the output.
    place: Place,
    reader: Reader,
}

enum Place {
    Address(SocketAddr),
    Path(PathBuf),
}

/// What one client got, and what it cost.
struct Got {
    /// Microseconds of processor time for each line.
    cpu: f64,
    /// Microseconds from the device's write to the client's read.
    median: f64,
    lost: f64,
    /// Lines per second.
    rate: f64,
}

/// Measures one raw TCP client at 1,000 lines/s, beside ser2net and then beside socat, and one beside
/// another that does not read.
pub fn tcp(effort: Effort, _: &[Kind], table: &mut Table) -> Result<()> {
    // socat passes bytes on to one client, and knows neither lines nor a second one.
    for (rival, figure, target) in [
        (
            Rival::Ser2net,
            "CPU per message beside ser2net, µs",
            Target::RatioAtMost(1.0),
        ),
        (
            Rival::Socat,
            "CPU per message beside socat, µs",
            Target::None,
        ),
    ] {
        if rival.is_installed() {
            let got = measure_both(effort, rival, |kind| paced(kind, rival, effort.time))?;
            table.add(figure, &got, |got| got.cpu, target);
            table.add("latency, median, µs", &got, |got| got.median, Target::None);
            table.add("lines lost", &got, |got| got.lost, Target::AtMost(0.0));
        }
    }
    if Rival::Ser2net.is_installed() {
        let target = Target::RatioAtLeast(1.0);
        let got = measure_both(effort, Rival::Ser2net, beside_stalled)?;
        table.add("lines/s beside one that stalls", &got, |rate| *rate, target);
    }
    Ok(())
}

/// Measures one RFC 2217 client of a device that floods.
pub fn rfc2217(effort: Effort, _: &[Kind], table: &mut Table) -> Result<()> {
    flood(Way::Rfc2217, Rival::Ser2net, effort, table)
}

/// Measures one raw TCP client of a program that floods.
pub fn exec(effort: Effort, _: &[Kind], table: &mut Table) -> Result<()> {
    flood(Way::Exec, Rival::Socat, effort, table)
}

/// Measures one program at a pseudo-terminal of a device that floods.
pub fn pty(effort: Effort, _: &[Kind], table: &mut Table) -> Result<()> {
    flood(Way::Pty, Rival::Socat, effort, table)
}

fn flood(way: Way, rival: Rival, effort: Effort, table: &mut Table) -> Result<()> {
    if !rival.is_installed() {
        return Ok(());
    }
    let lines = if effort.is_short { 200_000 } else { 2_000_000 };
    let got = measure_both(effort, rival, |kind| flooded(kind, way, rival, lines))?;
    table.add("lines per second", &got, |got| got.rate, Target::None);
    let target = match rival {
        Rival::Ser2net => Target::RatioAtMost(1.0),
        Rival::Socat => Target::None,
    };
    table.add("CPU per message, µs", &got, |got| got.cpu, target);
    table.add("lines lost", &got, |got| got.lost, Target::AtMost(0.0));
    Ok(())
}

/// Measures serial-ws and the other program in turn.
fn measure_both<T>(
    effort: Effort,
    rival: Rival,
    run: impl FnMut(Kind) -> Result<T>,
) -> Result<Measured<T>> {
    let measured = measure(effort, &[Kind::SerialWs, Kind::Floor], run);
    measured.with_context(|| format!("beside {}", rival.name()))
}

fn paced(kind: Kind, rival: Rival, time: Duration) -> Result<Got> {
    let mut shared = Shared::start(kind, Way::Tcp, rival, 1)?;
    shared.device.pace(1000, time / 4)?;
    shared.wait()?;
    shared.measured(|device| device.pace(1000, time))
}

fn flooded(kind: Kind, way: Way, rival: Rival, lines: u64) -> Result<Got> {
    let mut shared = Shared::start(kind, way, rival, 1)?;
    if way == Way::Exec {
        return shared.ask_program(lines);
    }
    shared.device.flood(lines / 10)?;
    shared.wait()?;
    shared.measured(|device| device.flood(lines))
}

/// Returns the lines per second that a client gets of a flood beside one that does not read.
fn beside_stalled(kind: Kind) -> Result<f64> {
    const TIME: Duration = Duration::from_secs(3);
    let mut shared = Shared::start(kind, Way::Tcp, Rival::Ser2net, 2)?;
    let stalled = shared.connect()?;
    shared.device.pace(1000, TIME / 10)?;
    let before = shared.reader.counts().lines;
    std::thread::scope(|scope| {
        let device = &mut shared.device;
        // Where one client stops all, the device is not read any more, which is no error here.
        let flooding = scope.spawn(move || device.flood(1_000_000));
        std::thread::sleep(TIME);
        let lines = shared.reader.counts().lines - before;
        drop(stalled);
        let _ = flooding.join().expect("the device does not panic");
        Ok(lines as f64 / TIME.as_secs_f64())
    })
}

impl Shared {
    fn start(kind: Kind, way: Way, rival: Rival, clients: u32) -> Result<Self> {
        let device = Device::new()?;
        let address = free_address()?;
        let place = match way {
            Way::Pty => Place::Path(temporary(address, "pty")),
            _ => Place::Address(address),
        };
        let command = match kind {
            Kind::SerialWs => ours(way, device.path(), &place)?,
            _ => others(way, rival, device.path(), &place, clients)?,
        };
        let subject = Subject::spawn(command, address)?;
        let reader = match &place {
            Place::Address(address) => {
                let mut stream = connect_when_ready(*address)?;
                if way == Way::Rfc2217 {
                    stream.write_all(AGREE)?;
                }
                Reader::start(stream.try_clone()?, stream)
            }
            Place::Path(path) => {
                let tty = open_when_ready(path)?;
                Reader::start(tty.try_clone()?, tty)
            }
        };
        let mut shared = Self {
            device,
            subject,
            place,
            reader,
        };
        if way == Way::Exec {
            return Ok(shared);
        }
        let deadline = Instant::now() + START_TIMEOUT;
        while shared.reader.counts().lines == 0 {
            if Instant::now() > deadline {
                bail!("no line reached the client");
            }
            shared.device.send()?;
            std::thread::sleep(Duration::from_millis(100));
        }
        shared.wait()?;
        Ok(shared)
    }

    /// Connects one more client, which has not read anything.
    fn connect(&self) -> Result<TcpStream> {
        match &self.place {
            Place::Address(address) => Ok(TcpStream::connect(address)?),
            Place::Path(_) => bail!("a terminal has one client"),
        }
    }

    /// Waits until the client has all that the device has sent, or nothing comes any more.
    fn wait(&mut self) -> Result<Counts> {
        Ok(self.reader.wait_for(self.device.sent))
    }

    fn measured(&mut self, send: impl FnOnce(&mut Device) -> Result<u64>) -> Result<Got> {
        let before = self.reader.reset();
        let (start, cpu) = (Instant::now(), self.subject.cpu()?);
        let sent = send(&mut self.device)?;
        let counts = self.wait()?;
        Ok(Got {
            cpu: (self.subject.cpu()? - cpu).as_secs_f64() * 1e6 / sent as f64,
            median: self.reader.median_age(),
            lost: (sent - (counts.lines - before.lines)) as f64,
            rate: sent as f64 / start.elapsed().as_secs_f64(),
        })
    }

    /// Has the program that takes the place of the device send lines.
    fn ask_program(&mut self, lines: u64) -> Result<Got> {
        // The first ones fill the caches.
        self.reader.write(format!("{}\n", lines / 10).as_bytes())?;
        self.reader.wait_for(lines / 10);
        let before = self.reader.reset();
        let (start, cpu) = (Instant::now(), self.subject.cpu()?);
        self.reader.write(format!("{lines}\n").as_bytes())?;
        let counts = self.reader.wait_for(lines / 10 + lines);
        Ok(Got {
            cpu: (self.subject.cpu()? - cpu).as_secs_f64() * 1e6 / lines as f64,
            median: self.reader.median_age(),
            lost: (lines - (counts.lines - before.lines)) as f64,
            rate: lines as f64 / start.elapsed().as_secs_f64(),
        })
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Only ser2net has the one, and only terminals are the other.
        let file = match &self.place {
            Place::Address(address) => temporary(*address, "yaml"),
            Place::Path(path) => path.clone(),
        };
        let _ = std::fs::remove_file(file);
    }
}

/// Returns the command of serial-ws.
fn ours(way: Way, tty: &Path, place: &Place) -> Result<Command> {
    let mut command = Command::new(serial_ws());
    let device = match way {
        Way::Exec => format!("exec:'{}' --shout", std::env::current_exe()?.display()),
        _ => tty.display().to_string(),
    };
    command.args(bridge_arguments(&device, free_address()?));
    match (way, place) {
        (Way::Rfc2217, Place::Address(address)) => {
            command.args(["--rfc2217", &address.port().to_string()])
        }
        (_, Place::Address(address)) => command.args(["--tcp", &address.port().to_string()]),
        (_, Place::Path(path)) => command.arg("--pty").arg(path),
    };
    Ok(command)
}

/// Returns the command of the other program.
fn others(way: Way, rival: Rival, tty: &Path, place: &Place, clients: u32) -> Result<Command> {
    let tty = tty.display();
    let from = match place {
        Place::Address(address) => {
            format!(
                "TCP-LISTEN:{},bind=127.0.0.1,reuseaddr,nodelay",
                address.port()
            )
        }
        Place::Path(path) => format!("PTY,link={},raw,echo=0", path.display()),
    };
    let mut command = Command::new(rival.name());
    match (rival, place) {
        (Rival::Socat, _) if way == Way::Exec => {
            let program = std::env::current_exe()?;
            command.args([from, format!("EXEC:{} --shout", program.display())])
        }
        (Rival::Socat, _) => command.args([from, format!("OPEN:{tty},raw,echo=0")]),
        (Rival::Ser2net, Place::Address(address)) => {
            let kind = if way == Way::Rfc2217 {
                "telnet(rfc2217),tcp"
            } else {
                "tcp"
            };
            let text = format!(
                "%YAML 1.1\n---\nconnection: &board\n    accepter: {kind},127.0.0.1,{port}\n    \
                 connector: serialdev,{tty},9600n81,local\n    options:\n        \
                 max-connections: {clients}\n",
                port = address.port()
            );
            let file = temporary(*address, "yaml");
            std::fs::write(&file, text)?;
            command.args(["-n", "-u", "-c"]).arg(file);
            let path = std::env::var("PATH").unwrap_or_default();
            command.env("PATH", format!("{path}:/usr/sbin:/usr/local/sbin"))
        }
        (Rival::Ser2net, Place::Path(_)) => bail!("ser2net shares no terminals"),
    };
    Ok(command)
}

fn temporary(address: SocketAddr, ending: &str) -> PathBuf {
    let name = format!("serial-ws-bench-{}.{ending}", address.port());
    std::env::temp_dir().join(name)
}

fn connect_when_ready(address: SocketAddr) -> Result<TcpStream> {
    let stream = when_ready(|| Ok(TcpStream::connect((Ipv4Addr::LOCALHOST, address.port()))?))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn open_when_ready(path: &Path) -> Result<std::fs::File> {
    when_ready(|| open_raw(path))
}

fn when_ready<T>(mut connect: impl FnMut() -> Result<T>) -> Result<T> {
    let deadline = Instant::now() + START_TIMEOUT;
    loop {
        match connect() {
            Err(_) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(1)),
            connected => return connected.context("cannot connect"),
        }
    }
}

/// Runs the role `--shout`: sends as many lines as each line of the standard input says.
pub fn shout() -> Result<()> {
    let mut number = 0;
    let mut out = std::io::stdout().lock();
    for count in std::io::stdin().lines() {
        let end = number + count?.trim().parse::<u64>()?;
        while number < end {
            let mut bytes = Vec::new();
            while number < end && bytes.len() < 4000 {
                number += 1;
                writeln!(bytes, "{number:011} {:020}", crate::device::now())?;
            }
            out.write_all(&bytes)?;
            out.flush()?;
        }
    }
    Ok(())
}
