//! Outputs: a port for programs that are no WebSocket clients. Each output is a subscriber of the
//! port's hub, and writes by the same queue as clients. An output that nobody set costs nothing.
//!
//! | file | what it does |
//! |---|---|
//! | `address` | where an output is, and who may write there |
//! | `listener` | listens, and bounds the connections |
//! | `session` | one connection: reads, writes, and what becomes of a slow one |
//! | `connection_log` | what the log says of one connection |
//! | `output_port` | what it asks of the port |
//! | `first_bytes` | keeps web pages out |
//! | `tcp`, `rfc2217` | the kinds of output, one file each |
//! | `mqtt` | publishes all ports to a broker |
//! | `osc` | sends all ports by OSC |
//! | `writes` | writes what comes by either |

mod address;
mod connection_log;
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
mod rfc2217;
mod session;
mod tcp;
#[cfg(any(feature = "mqtt", feature = "osc"))]
mod writes;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

pub(crate) use address::OutputAddress;
pub(crate) use listener::OutputListener;

use crate::hub::Hub;
use crate::view::LineEnding;
use session::OutputProtocol;

/// The kinds of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputKind {
    /// The bytes as they are.
    Tcp,
    /// A network serial port, with settings and modem lines.
    Rfc2217,
}

/// An output of a port.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutputConfig {
    /// Its kind.
    pub(crate) kind: OutputKind,
    /// Its place.
    pub(crate) address: OutputAddress,
    /// True if those who connect may write.
    pub(crate) may_write: bool,
}

impl OutputKind {
    /// Returns the name of the setting.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Rfc2217 => "rfc2217",
        }
    }

    /// Returns how one connection is spoken to.
    fn protocol(self) -> Box<dyn OutputProtocol> {
        match self {
            Self::Tcp => Box::new(tcp::RawTcp),
            Self::Rfc2217 => Box::new(rfc2217::ComPortServer::new()),
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
    /// Its fan-out.
    pub(crate) hub: Arc<Hub>,
    /// The line ending that is appended to what others write; None if they may not.
    pub(crate) append: Option<LineEnding>,
    /// Cancelled when the port is removed or the program stops.
    pub(crate) stop: CancellationToken,
}
