//! The program under test: shares a tty over WebSocket, in a process of its own.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::device::Device;

/// The programs that can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The program of this repository.
    SerialWs,
    /// The least that any bridge could do.
    Floor,
    /// `websocat` with its `broadcast:`, if it is on the path.
    Websocat,
    /// A Node server with the packages `ws` and `serialport`, if they are installed.
    Node,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::SerialWs => "serial-ws",
            Self::Floor => "floor",
            Self::Websocat => "websocat",
            Self::Node => "node ws",
        })
    }
}

impl Kind {
    /// Returns the programs that are installed, serial-ws and the floor first.
    pub fn installed() -> Vec<Self> {
        let has_websocat = Command::new("websocat")
            .arg("--version")
            .stdout(Stdio::null())
            .status()
            .is_ok();
        let has_node = node().join("node_modules/serialport").exists();
        let mut kinds = vec![Self::SerialWs, Self::Floor];
        kinds.extend(has_websocat.then_some(Self::Websocat));
        kinds.extend(has_node.then_some(Self::Node));
        kinds
    }

    fn command(self, tty: &Path, address: SocketAddr) -> Result<Command> {
        let (tty, port) = (
            tty.to_str().context("a tty has a plain name")?,
            address.port(),
        );
        let (program, arguments) = match self {
            Self::SerialWs => (serial_ws(), bridge_arguments(tty, address)),
            Self::Floor => {
                let arguments = ["--floor".into(), tty.into(), port.to_string()];
                (std::env::current_exe()?, arguments.into())
            }
            Self::Websocat => {
                let (from, to) = (
                    format!("ws-l:{address}"),
                    format!("broadcast:open-async:{tty}"),
                );
                let arguments = ["-q", "-t", "-E", &from, &to];
                ("websocat".into(), arguments.map(String::from).into())
            }
            Self::Node => {
                let server = node().join("server.js").display().to_string();
                ("node".into(), [server, tty.into(), port.to_string()].into())
            }
        };
        let mut command = Command::new(program);
        command.args(arguments);
        Ok(command)
    }
}

/// Returns the path of serial-ws: `SERIAL_WS_BENCH_BIN`, or cargo's own build.
pub fn serial_ws() -> PathBuf {
    let cargos = || env!("CARGO_BIN_EXE_serial-ws").into();
    std::env::var_os("SERIAL_WS_BENCH_BIN").map_or_else(cargos, PathBuf::from)
}

/// Returns the arguments for serial-ws to share this tty with any number of clients.
pub fn bridge_arguments(tty: &str, address: SocketAddr) -> Vec<String> {
    let (port, listen) = (format!("board={tty}"), address.to_string());
    [
        "--quiet",
        "--port",
        &port,
        "--listen",
        &listen,
        "--max-clients",
        "5000",
    ]
    .map(String::from)
    .into()
}

/// Returns the folder of the peers that run in Node.
pub fn node() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/node")
}

/// A running program. It is killed when dropped.
pub struct Subject {
    pub child: Child,
    /// The address that it listens on.
    pub address: SocketAddr,
}

impl Subject {
    /// Starts the program. It may not be listening yet on return.
    pub fn start(kind: Kind, device: &Device) -> Result<Self> {
        let address = free_address()?;
        Self::spawn(kind.command(device.path(), address)?, address)
    }

    /// Starts serial-ws with further arguments.
    pub fn start_with(device: &Device, arguments: &[&str]) -> Result<Self> {
        let address = free_address()?;
        let mut command = Kind::SerialWs.command(device.path(), address)?;
        command.args(arguments);
        Self::spawn(command, address)
    }

    /// Starts a command that will listen on `address`.
    pub fn spawn(mut command: Command, address: SocketAddr) -> Result<Self> {
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        Ok(Self { child, address })
    }

    /// Returns the processor time used so far.
    pub fn cpu(&self) -> Result<Duration> {
        let mut clock = 0;
        let mut time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: both calls write one value through the pointer, and do not keep it.
        let failed = unsafe {
            libc::clock_getcpuclockid(self.child.id() as libc::pid_t, &mut clock) != 0
                || libc::clock_gettime(clock, &mut time) != 0
        };
        anyhow::ensure!(!failed, "the program has ended");
        Ok(Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
    }

    /// Returns the resident memory, in KiB.
    pub fn memory(&self) -> Result<f64> {
        self.proc("smaps_rollup", "Rss:")
    }

    /// Returns the peak of the resident memory, in KiB.
    pub fn peak_memory(&self) -> Result<f64> {
        self.proc("status", "VmHWM:")
    }

    fn proc(&self, file: &str, field: &str) -> Result<f64> {
        let text = std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id()))?;
        let line = text.lines().find_map(|line| line.strip_prefix(field));
        let value = line.and_then(|line| line.split_whitespace().next());
        Ok(value.context("the program has ended")?.parse()?)
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns a free address on loopback.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
