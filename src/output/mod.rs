//! Outputs: a port for programs that are no WebSocket clients. Each output is a subscriber of the
//! port's hub, and writes by the same queue as clients. An output that nobody set costs nothing.
//!
//! | file | what it does |
//! |---|---|
//! | `address` | where an output is, and who may write there |
//! | `listener` | listens, and bounds the connections |
//! | `pty_output` | waits for programs that open a pseudo-terminal |
//! | `connection` | how a program is connected |
//! | `session` | one connection: reads, writes, and what becomes of a slow one |
//! | `connection_log` | what the log says of one connection |
//! | `protocol` | what the kinds of output differ in |
//! | `output_port` | what it asks of the port |
//! | `temporary_settings` | changes settings for as long as the connection lasts |
//! | `first_bytes` | keeps web pages out |
//! | `tcp`, `rfc2217`, `pty` | the kinds of output, one file each |
//! | `mqtt` | publishes all ports to a broker |
//! | `osc` | sends all ports by OSC |
//! | `writes` | writes what comes by either |
//! | `recorder` | recordings of everything, in files |
//! | `saver` | lines as text, in a file |
//! | `disk` | the thread that writes files |

#[cfg(not(all(feature = "mqtt", feature = "osc")))]
mod absent;
mod address;
mod connection;
mod connection_log;
mod disk;
mod first_bytes;
mod listener;
#[cfg_attr(
    not(feature = "mqtt"),
    allow(dead_code, reason = "the configuration is read all the same")
)]
pub(crate) mod mqtt;
#[cfg_attr(
    not(feature = "osc"),
    allow(dead_code, reason = "the configuration is read all the same")
)]
pub(crate) mod osc;
mod output_port;
mod protocol;
mod pty;
mod pty_output;
pub(crate) mod recorder;
mod rfc2217;
pub(crate) mod saver;
mod session;
mod tcp;
mod temporary_settings;
#[cfg(any(feature = "mqtt", feature = "osc"))]
mod writes;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use tokio_util::sync::CancellationToken;

pub(crate) use address::OutputAddress;

use crate::hub::Hub;
use crate::view::LineEnding;
use listener::OutputListener;
use protocol::OutputProtocol;
use pty_output::PtyOutput;

/// The kinds of output, each with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OutputKind {
    /// The bytes as they are.
    Tcp(OutputAddress),
    /// A network serial port, with settings and modem lines.
    Rfc2217(OutputAddress),
    /// A pseudo-terminal, with settings.
    Pty(PathBuf),
}

/// An output of a port.
#[derive(Clone, Debug)]
pub(crate) struct OutputConfig {
    /// Its kind and place.
    pub(crate) kind: OutputKind,
    /// True if those who connect may write.
    pub(crate) may_write: bool,
}

/// An output that programs can reach.
pub(crate) enum Output {
    /// By a TCP port.
    Network(OutputListener),
    /// By a path.
    Terminal(PtyOutput),
}

impl OutputKind {
    /// Returns the name of the setting.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Tcp(_) => "tcp",
            Self::Rfc2217(_) => "rfc2217",
            Self::Pty(_) => "pty",
        }
    }

    /// Returns the address of one that is a TCP port.
    pub(crate) fn address(&self) -> Option<OutputAddress> {
        match self {
            Self::Tcp(address) | Self::Rfc2217(address) => Some(*address),
            Self::Pty(_) => None,
        }
    }

    /// Returns the value of the setting.
    pub(crate) fn place(&self) -> String {
        match self {
            Self::Tcp(address) | Self::Rfc2217(address) => address.to_string(),
            Self::Pty(path) => path.display().to_string(),
        }
    }

    /// Returns true if only one of the two can be there.
    pub(crate) fn excludes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Pty(path), Self::Pty(other)) => path == other,
            _ => {
                let addresses = self.address().zip(other.address());
                addresses.is_some_and(|(address, other)| address.overlaps(other))
            }
        }
    }

    /// Returns how one connection is spoken to.
    fn protocol(&self) -> Box<dyn OutputProtocol> {
        match self {
            Self::Tcp(_) => Box::new(tcp::RawTcp),
            Self::Rfc2217(_) => Box::new(rfc2217::ComPortServer::new()),
            Self::Pty(_) => Box::new(pty::PtyProgram::default()),
        }
    }
}

/// As it is written in the settings of a port: `tcp=4000`.
impl fmt::Display for OutputKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name(), self.place())
    }
}

impl Output {
    /// Opens the output of a port.
    ///
    /// # Errors
    /// When that is not possible.
    pub(crate) fn open(config: OutputConfig, port: &str, hub: &Arc<Hub>) -> Result<Self> {
        Ok(match config.kind.clone() {
            OutputKind::Tcp(address) | OutputKind::Rfc2217(address) => {
                Self::Network(OutputListener::bind(config, address, port, hub)?)
            }
            OutputKind::Pty(path) => Self::Terminal(PtyOutput::open(config, &path, port, hub)?),
        })
    }

    /// Checks that an output can be opened, without opening it.
    ///
    /// # Errors
    /// Says why it cannot be.
    pub(crate) fn check(kind: &OutputKind) -> Result<()> {
        match kind {
            OutputKind::Tcp(address) | OutputKind::Rfc2217(address) => {
                listener::listen(kind, *address).map(drop)
            }
            OutputKind::Pty(path) => pty_output::check(kind, path),
        }
    }

    /// Serves those who use it until the port is removed or the program stops.
    pub(crate) async fn run(self, port: String, hub: Arc<Hub>, stop: CancellationToken) {
        match self {
            Self::Network(listener) => listener.run(port, hub, stop).await,
            Self::Terminal(terminal) => terminal.run(port, hub, stop).await,
        }
    }
}

/// A port that is published beyond this computer.
#[derive(Clone)]
#[cfg_attr(
    not(any(feature = "mqtt", feature = "osc")),
    allow(dead_code, reason = "nothing is published")
)]
pub(crate) struct PublishedPort {
    /// Its name.
    pub(crate) name: String,
    /// The name of its run, unless another serial-ws counts.
    #[cfg_attr(
        not(feature = "mqtt"),
        allow(dead_code, reason = "only MQTT tells the run")
    )]
    pub(crate) run: String,
    /// Its fan-out.
    pub(crate) hub: Arc<Hub>,
    /// The line ending that is appended to what others write; None if they may not.
    pub(crate) append: Option<LineEnding>,
    /// Cancelled when the port is removed or the program stops.
    pub(crate) stop: CancellationToken,
}
