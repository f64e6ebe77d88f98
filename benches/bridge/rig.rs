//! One measurement: a device, a subject that shares it, and clients.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::device::Device;
use crate::load::Report;
use crate::subject::{Kind, Subject};

/// How long lines may take from the device to the last client.
const ARRIVE_WITHIN: Duration = Duration::from_secs(20);

/// A device, a subject that shares it, and clients that have all had a line from it.
pub struct Rig {
    pub device: Device,
    pub subject: Subject,
    pub load: Load,
}

impl Rig {
    /// Starts everything, and ends when lines flow.
    pub fn new(kind: Kind, clients: u64) -> Result<Self> {
        let device = Device::new()?;
        let subject = Subject::start(kind, &device)?;
        Self::with(device, subject, clients)
    }

    /// The same with a subject that runs already.
    pub fn with(mut device: Device, subject: Subject, clients: u64) -> Result<Self> {
        let mut load = Load::connect(subject.address, "/", clients)?;
        let deadline = Instant::now() + ARRIVE_WITHIN;
        // The subject may open its tty only after it listens, and discard what came before.
        while load.ask("report")?.everyone_has == 0 {
            if Instant::now() > deadline {
                bail!("no line reaches every client");
            }
            device.speak()?;
            std::thread::sleep(Duration::from_millis(100));
        }
        let mut rig = Self {
            device,
            subject,
            load,
        };
        rig.arrived()?;
        rig.load.ask("reset")?;
        Ok(rig)
    }

    /// Waits until all lines spoken have reached every client, or none comes any more; returns
    /// what clients have seen since the last reset. What never came counts as gaps.
    pub fn arrived(&mut self) -> Result<Report> {
        let (mut before, mut since) = (0, Instant::now());
        loop {
            let mut report = self.load.ask("report")?;
            if report.everyone_has == self.device.spoken {
                return Ok(report);
            }
            if report.lines > before {
                (before, since) = (report.lines, Instant::now());
            } else if since.elapsed() > Duration::from_secs(3) {
                report.gaps += self.device.spoken - report.everyone_has;
                return Ok(report);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// The process with all clients; it ends when dropped.
pub struct Load {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Load {
    /// Starts it, and waits until all clients are connected.
    pub fn connect(address: SocketAddr, path: &str, clients: u64) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--load", &address.to_string(), path, &clients.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let commands = child.stdin.take().context("stdin is a pipe")?;
        let mut answers = BufReader::new(child.stdout.take().context("stdout is a pipe")?);
        let mut answer = String::new();
        answers.read_line(&mut answer)?;
        if answer != "connected\n" {
            bail!("the clients could not connect");
        }
        Ok(Self {
            child,
            commands,
            answers,
        })
    }

    /// Tells it what to do, and returns what clients have seen.
    pub fn ask(&mut self, command: &str) -> Result<Report> {
        writeln!(self.commands, "{command}")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        Ok(serde_json::from_str(&answer)?)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
