//! The setup of a measurement: a device, a subject that shares it, and clients.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::device::Device;
use crate::load::Report;
use crate::subject::{Kind, Subject};

/// The longest time for a first line to reach all clients.
const ARRIVAL_TIMEOUT: Duration = Duration::from_secs(20);

/// A device, a subject that shares it, and clients that have all received a line from it.
pub struct Rig {
    pub device: Device,
    pub subject: Subject,
    pub load: Load,
}

impl Rig {
    /// Starts everything, and returns when lines flow.
    pub fn new(kind: Kind, clients: u64) -> Result<Self> {
        let device = Device::new()?;
        let subject = Subject::start(kind, &device)?;
        Self::with(device, subject, clients)
    }

    /// Does the same with a subject that is running already.
    pub fn with(device: Device, subject: Subject, clients: u64) -> Result<Self> {
        Self::at(device, subject, "/", clients)
    }

    /// Does the same with clients that ask for a path of their own.
    pub fn at(mut device: Device, subject: Subject, path: &str, clients: u64) -> Result<Self> {
        let mut load = Load::connect(subject.address, path, clients)?;
        let deadline = Instant::now() + ARRIVAL_TIMEOUT;
        // The subject may open its tty only after it listens, and then discards earlier input.
        while load.ask("report")?.received_by_all == 0 {
            if Instant::now() > deadline {
                bail!("no line reached every client");
            }
            device.send()?;
            std::thread::sleep(Duration::from_millis(100));
        }
        let mut rig = Self {
            device,
            subject,
            load,
        };
        rig.wait_for_arrival()?;
        rig.load.ask("reset")?;
        Ok(rig)
    }

    /// Waits until every line sent has reached every client, or no more lines arrive. Returns the
    /// results since the last reset, in which lines that never arrived count as gaps.
    pub fn wait_for_arrival(&mut self) -> Result<Report> {
        let (mut before, mut since) = (0, Instant::now());
        loop {
            let mut report = self.load.ask("report")?;
            if report.received_by_all == self.device.sent {
                return Ok(report);
            }
            if report.lines > before {
                (before, since) = (report.lines, Instant::now());
            } else if since.elapsed() > Duration::from_secs(3) {
                report.gaps += self.device.sent - report.received_by_all;
                return Ok(report);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// The process with all clients. It is killed when dropped.
pub struct Load {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Load {
    /// Starts the process, and waits until all clients are connected.
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

    /// Sends a command, and returns the results of the clients.
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
