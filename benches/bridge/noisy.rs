//! A quiet client, alone and then beside eight others that send all they can.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::client;
use crate::effort::Effort;
use crate::rig::Rig;
use crate::subject::Kind;
use crate::table::{Table, Target, measure};

/// Noisy clients beside the quiet one.
const NOISY: usize = 8;

/// Lines per second for the quiet client.
const RATE: u32 = 1000;

/// Bytes that a noisy client hands to its socket at once.
const BATCH: usize = 64 << 10;

/// What noisy clients send, with the names of the figures.
const NOISES: [(&str, &str, &str); 4] = [
    (
        "mistakes",
        "median beside mistakes, × alone",
        "99th percentile beside mistakes, × alone",
    ),
    (
        "pings",
        "median beside pings, × alone",
        "99th percentile beside pings, × alone",
    ),
    (
        "tiny",
        "median beside tiny frames, × alone",
        "99th percentile beside tiny frames, × alone",
    ),
    (
        "huge",
        "median beside huge frames, × alone",
        "99th percentile beside huge frames, × alone",
    ),
];

/// The latency of the quiet client in microseconds.
#[derive(Clone, Copy, Default)]
struct Delay {
    median: f64,
    p99: f64,
}

struct Noisy {
    alone: Delay,
    beside: [Delay; NOISES.len()],
    lost: f64,
}

/// Measures how much later a quiet client gets its lines beside noisy ones.
pub fn noisy(effort: Effort, _: &[Kind], table: &mut Table) -> Result<()> {
    let measured = measure(effort, &[Kind::SerialWs], |kind| run_all(kind, effort.time))?;
    let none = Target::None;
    table.add("median alone, µs", &measured, |it| it.alone.median, none);
    table.add(
        "99th percentile alone, µs",
        &measured,
        |it| it.alone.p99,
        none,
    );
    for (index, (_, median, p99)) in NOISES.into_iter().enumerate() {
        let beside = |it: &Noisy| it.beside[index];
        let ratio = |it: &Noisy| beside(it).median / it.alone.median;
        table.add(median, &measured, ratio, none);
        let ratio = |it: &Noisy| beside(it).p99 / it.alone.p99;
        table.add(p99, &measured, ratio, none);
    }
    table.add("lines lost", &measured, |it| it.lost, Target::AtMost(0.0));
    Ok(())
}

fn run_all(kind: Kind, time: Duration) -> Result<Noisy> {
    let mut rig = Rig::new(kind, 1)?;
    let mut lost = 0.0;
    let alone = delay(&mut rig, time, &mut lost)?;
    let mut beside = [Delay::default(); NOISES.len()];
    for (delay_beside, (noise, ..)) in beside.iter_mut().zip(NOISES) {
        let _noise = Noise::start(rig.subject.address, noise)?;
        *delay_beside = delay(&mut rig, time, &mut lost)?;
    }
    Ok(Noisy {
        alone,
        beside,
        lost,
    })
}

fn delay(rig: &mut Rig, time: Duration, lost: &mut f64) -> Result<Delay> {
    rig.load.ask("reset")?;
    rig.device.pace(RATE, time)?;
    let report = rig.wait_for_arrival()?;
    *lost += (report.gaps + report.wrong + report.closed) as f64;
    Ok(Delay {
        median: report.median,
        p99: report.p99,
    })
}

/// The process with the noisy clients. It is killed when dropped.
struct Noise(Child);

impl Noise {
    /// Starts the process, and waits until its clients are heard.
    fn start(address: SocketAddr, noise: &str) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--noise", &address.to_string(), noise])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut stdout = child.stdout.take().context("stdout is a pipe")?;
        let noise = Self(child);
        ensure!(
            stdout.read(&mut [0])? > 0,
            "the noisy clients are not heard"
        );
        Ok(noise)
    }
}

impl Drop for Noise {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs the role `--noise ADDRESS WHAT`, until it is killed. It lets others have the processors
/// first, so that what is measured is the program and not the scheduler of the system.
pub fn run(arguments: &[String]) -> Result<()> {
    let [address, noise] = arguments else {
        bail!("--noise takes an address and what to send");
    };
    let address: SocketAddr = address.parse()?;
    rustix::process::nice(19)?;
    let batch = batch(noise)?;
    let sent = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..NOISY {
            scope.spawn(|| shout(address, &batch, &sent));
        }
        // More than the system holds on the way, so that all of them have been read from.
        while sent.load(Ordering::Relaxed) < NOISY as u64 * (4 << 20) {
            std::thread::sleep(Duration::from_millis(5));
        }
        println!("heard");
    });
    Ok(())
}

/// Frames of one kind, about as many as a socket takes at once.
fn batch(noise: &str) -> Result<Vec<u8>> {
    let mut frame = Vec::new();
    match noise {
        "mistakes" => client::push_text(b"{", &mut frame),
        "pings" => frame.extend_from_slice(&[0x89, 0x80, 0, 0, 0, 0]),
        "tiny" => client::push_text(b"", &mut frame),
        "huge" => {
            let text = format!(r#"{{"type":"noise","text":"{}"}}"#, "x".repeat(60_000));
            frame.extend_from_slice(&[0x81, 0x80 | 126]);
            frame.extend_from_slice(&(text.len() as u16).to_be_bytes());
            frame.extend_from_slice(&[0; 4]);
            frame.extend_from_slice(text.as_bytes());
        }
        other => bail!("unknown noise {other}"),
    }
    Ok(frame.repeat(BATCH.div_ceil(frame.len())))
}

/// Sends the batch again and again, reading what comes in between, and comes back whenever it is
/// sent away.
fn shout(address: SocketAddr, batch: &[u8], sent: &AtomicU64) {
    loop {
        let Ok((stream, _)) = client::connect(address, "/?view=json") else {
            std::thread::sleep(Duration::from_millis(1));
            continue;
        };
        // An error means that the program has had enough of this client.
        let _ = shout_through(stream, batch, sent);
    }
}

fn shout_through(mut stream: TcpStream, batch: &[u8], sent: &AtomicU64) -> std::io::Result<()> {
    stream.set_nonblocking(true)?;
    let mut answers = [0; 64 << 10];
    loop {
        let mut rest = batch;
        while !rest.is_empty() {
            match stream.write(rest) {
                Ok(count) => {
                    rest = &rest[count..];
                    sent.fetch_add(count as u64, Ordering::Relaxed);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            match stream.read(&mut answers) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    std::thread::sleep(Duration::from_micros(50));
                }
                Err(error) => return Err(error),
            }
        }
    }
}
