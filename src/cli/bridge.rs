//! How to run the bridge.
#![allow(
    rustdoc::broken_intra_doc_links,
    rustdoc::bare_urls,
    reason = "the help texts are for a terminal"
)]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};

use super::choice::{FLOW_CONTROL, LINE_ENDING, MODEM_LINE, PARITY, choice};
use crate::duration;
use crate::hub::{FlowControl, ModemLine, Parity};
use crate::view::{LineEnding, View};

/// The TCP port that is listened on unless another one is named.
pub(crate) const DEFAULT_TCP_PORT: u16 = 8080;

/// How to run the bridge.
#[derive(Debug, Args)]
pub(crate) struct BridgeArgs {
    /// Serial port to share: [NAME=]SPEC[,SETTING...]; may be given several times
    ///
    /// SPEC is a path (/dev/ttyACM0, COM3), usb:VID:PID[:SERIAL] in hex, auto for the only USB
    /// board, sim[:NAME] for a simulated device, or loop for a device that sends back what it is
    /// sent. A SETTING is a flag of the list "Port settings" without its dashes, for this port
    /// only: scale=/dev/ttyUSB0,baud=115200,raw. The first port is at ws://localhost:8080/, each
    /// one at /ports/NAME.
    #[arg(
        short,
        long = "port",
        value_name = "SPEC",
        env = "SERIAL_WS_PORT",
        hide_env_values = true
    )]
    #[arg(default_value = "auto", action = ArgAction::Append)]
    pub(crate) ports: Vec<String>,

    /// Exit with an error instead of waiting when a port cannot be opened
    #[arg(long)]
    pub(crate) no_wait: bool,

    /// File with settings [default: config.toml in the folder for configuration, if it is there]
    ///
    /// Its keys are the names of flags without their dashes, and flags count more than it does.
    /// The command config shows where that folder is, and what is in force.
    #[arg(
        long,
        value_name = "FILE",
        env = "SERIAL_WS_CONFIG",
        hide_env_values = true
    )]
    pub(crate) config: Option<PathBuf>,

    /// Part of that file to use: [profile.NAME]
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,

    /// Settings of the ports that do not say otherwise.
    #[command(flatten)]
    pub(crate) settings: PortArgs,

    /// How to serve clients.
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
}

/// How to serve clients.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Clients")]
pub(crate) struct ServeArgs {
    /// Address to listen on; may be given several times [default: 127.0.0.1:8080 and [::1]:8080]
    #[arg(short, long, value_name = "ADDR:PORT", value_parser = address)]
    pub(crate) listen: Vec<SocketAddr>,

    /// Folder to serve at / instead of the built-in page, which stays at /_serial-ws/
    #[arg(long, value_name = "DIR")]
    pub(crate) web: Option<PathBuf>,

    /// Open the page in the browser
    #[arg(long)]
    pub(crate) open: bool,

    /// Memory that is kept of each port for clients that join late, in bytes; 0 keeps none
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20)]
    pub(crate) history: usize,

    /// Time that a client may be behind before it skips ahead
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration::parse)]
    pub(crate) max_behind: Duration,

    /// Number of clients that may be connected at once
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub(crate) max_clients: usize,

    /// Size of the largest message that a client may send, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 65536)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1 << 30))]
    pub(crate) max_message: u64,

    /// Web site whose pages to admit, such as https://preview.p5js.org, or with ,read-only after
    /// it; may be given several times
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) allow_origin: Vec<String>,

    /// Name of this computer to answer to beside localhost; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) allow_host: Vec<String>,

    /// Let other computers connect that know a token; shows the address with it
    #[arg(long)]
    pub(crate) lan: bool,

    /// Let other computers read, and not write
    #[arg(long)]
    pub(crate) lan_read_only: bool,

    /// File with a token of your own, from 12 characters, that all must know: also programs and
    /// pages of this computer. SERIAL_WS_TOKEN gives the token itself
    #[arg(long, value_name = "FILE")]
    pub(crate) token: Option<PathBuf>,

    /// Encrypt connections from other computers, with a certificate that serial-ws makes itself
    /// and of which browsers warn
    #[arg(long, value_name = "KIND", conflicts_with_all = ["tls_cert", "tls_key"])]
    pub(crate) tls: Option<Tls>,

    /// Certificate to encrypt connections from other computers with, in PEM format
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// Key of the certificate
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
}

/// Where the certificate comes from, if not from a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Tls {
    /// Made by serial-ws, and kept
    SelfSigned,
}

/// Settings of one port, or of all that do not say otherwise.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Port settings")]
pub(crate) struct PortArgs {
    /// Rate in baud; any that the driver takes [default: 9600]
    #[arg(short, long, value_name = "N")]
    pub(crate) baud: Option<u32>,

    /// Send each line as a text message, to clients that ask for no view (the default)
    #[arg(long, group = "view")]
    pub(crate) lines: bool,
    /// Send the bytes exactly, as binary messages, to clients that ask for no view
    #[arg(long, group = "view")]
    pub(crate) raw: bool,
    /// Send the bytes as text, as they come, to clients that ask for no view
    #[arg(long, group = "view")]
    pub(crate) text: bool,

    /// Data bits per character: 5 to 8 [default: 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(5..=8))]
    pub(crate) data_bits: Option<u8>,
    /// Parity [default: none]
    #[arg(long, value_name = "PARITY", value_parser = choice(PARITY, Parity::name))]
    pub(crate) parity: Option<Parity>,
    /// Stop bits: 1 or 2 [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=2))]
    pub(crate) stop_bits: Option<u8>,
    /// Flow control [default: none]
    #[arg(long, value_name = "KIND", value_parser = choice(FLOW_CONTROL, FlowControl::name))]
    pub(crate) flow_control: Option<FlowControl>,

    /// Data Terminal Ready after opening [default: on]
    #[arg(long, value_name = "STATE", value_parser = choice(MODEM_LINE, ModemLine::name))]
    pub(crate) dtr: Option<ModemLine>,
    /// Request To Send after opening [default: on]
    #[arg(long, value_name = "STATE", value_parser = choice(MODEM_LINE, ModemLine::name))]
    pub(crate) rts: Option<ModemLine>,
    /// Leave boards running when the port is opened: keep the modem lines asserted after closing.
    /// The first opening after plugging in restarts them all the same
    #[arg(long)]
    pub(crate) no_reset: bool,
    /// Leave USB adapters to gather what they receive for up to 16 ms (Linux)
    #[arg(long)]
    pub(crate) no_low_latency: bool,
    /// Milliseconds to hold what clients send after opening, until the board has spoken
    /// [default: 2000 for boards that restart when opened, else 0]
    #[arg(long, value_name = "MS")]
    pub(crate) settle: Option<u64>,

    /// Ending to add to text messages that lack one [default: none]
    #[arg(long, value_name = "ENDING", value_parser = choice(LINE_ENDING, LineEnding::name))]
    pub(crate) append: Option<LineEnding>,
    /// Bytes of a line beyond which it is delivered in pieces [default: 16384]
    #[arg(long, value_name = "BYTES")]
    #[arg(value_parser = clap::value_parser!(u32).range(16..=1 << 20))]
    pub(crate) max_line: Option<u32>,
    /// Refuse what clients send
    #[arg(long)]
    pub(crate) read_only: bool,
}

impl PortArgs {
    /// The view of the flags, if one was given.
    pub(crate) fn view(&self) -> Option<View> {
        let views = [
            (self.lines, View::Lines),
            (self.raw, View::Raw),
            (self.text, View::Text),
        ];
        views
            .into_iter()
            .find_map(|(given, view)| given.then_some(view))
    }
}

/// Reads an address to listen on.
fn address(typed: &str) -> Result<SocketAddr, String> {
    typed.parse().map_err(|_| {
        let port = typed.rsplit(':').next().and_then(|port| port.parse().ok());
        let port: u16 = port.unwrap_or(DEFAULT_TCP_PORT);
        format!("write it like 127.0.0.1:{port}, or 0.0.0.0:{port} for other computers too")
    })
}
