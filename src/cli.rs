//! What was typed: flags and commands with their help texts. What they mean is in `config`.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::fingerprint::Fingerprint;
use crate::port::is_name;
use crate::settings::{FlowControl, Line, Parity};
use crate::view::{Ending, View};
use crate::{connect, duration, lend, list, service};

/// Share a serial port with any number of web pages and programs over WebSocket
///
/// serial-ws reads a serial device and sends what it says to every connected client; what
/// clients send goes to the device. A page needs no library, only a WebSocket to
/// ws://localhost:8080.
#[derive(Debug, Parser)]
#[command(version, bin_name = "serial-ws", args_conflicts_with_subcommands = true, after_help = EXAMPLES, max_term_width = 100)]
pub struct Cli {
    /// What to do instead of running the bridge.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to run the bridge.
    #[command(flatten)]
    pub bridge: BridgeArgs,
    /// How to log.
    #[command(flatten)]
    pub log: LogArgs,
}

const EXAMPLES: &str = "\
Examples:
  serial-ws                                    the only USB board, as lines, at 9600 baud
  serial-ws --port sim                         no board at hand: a simulated one
  serial-ws --port /dev/ttyACM0 --baud 115200  this port, at this rate
  serial-ws --port uno=/dev/ttyACM0 --port scale=COM3,baud=4800,raw
                                               two ports, each with its own settings
  serial-ws --web my-sketch --open             a page of yours, with the board
  serial-ws list                               the serial ports of this computer
  serial-ws connect                            print what the board says, send what you type
  serial-ws upload -- arduino-cli upload ...   let an uploader have the port of the running bridge";

/// What to do instead of running the bridge.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the serial ports of this computer, without opening any
    List(ListArgs),
    /// Print what a running bridge sends, and send it the lines that you type
    Connect(ConnectArgs),
    /// Free the port of a running bridge for another program, for a time
    Release(ReleaseArgs),
    /// Take a port back before its time
    Resume(LendArgs),
    /// Run a command that needs the port, such as an upload, and take the port back after it
    ///
    /// Frees the port of the running bridge, runs the command with SERIAL_WS_DEVICE set to the
    /// path of the device, takes the board back, and ends with the exit status of the command.
    /// Clients of the bridge stay connected. Where no bridge answers, the command just runs; where
    /// the port cannot be had, it does not.
    #[command(after_long_help = UPLOAD_EXAMPLE)]
    Upload(UploadArgs),
    /// Print what is in force and where it comes from, as a configuration file
    ///
    /// Takes the flags of the bridge. Lines that begin with # are defaults. What is printed can be
    /// the file of a next run: serial-ws config --port sim > class.toml
    Config(Box<BridgeArgs>),
    /// Look for what keeps a board or a page from connecting, and say what to do
    ///
    /// Looks at the serial ports, the TCP port, and the page, if its address is given, and opens no
    /// port. Takes the flags of the bridge, and looks at what it would do with them. Exits with 1
    /// where there is something to do.
    Doctor(Box<DoctorArgs>),
    /// Have the bridge started by the system
    Service(ServiceArgs),
    /// Print the manual page of serial-ws or of one of its commands, in roff
    ///
    /// To read it on Linux: serial-ws man | man -l -
    Man(ManArgs),
    /// Print what a shell needs to complete flags and commands
    #[command(after_long_help = COMPLETIONS_EXAMPLES)]
    Completions(CompletionsArgs),
}

const UPLOAD_EXAMPLE: &str = "\
Example:
  serial-ws upload -- arduino-cli upload -b arduino:avr:uno -p /dev/ttyACM0 MySketch";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  bash: serial-ws completions bash > ~/.local/share/bash-completion/completions/serial-ws
  zsh:  serial-ws completions zsh > DIR/_serial-ws, where DIR is one of $fpath
  fish: serial-ws completions fish > ~/.config/fish/completions/serial-ws.fish
  PowerShell, in its profile: serial-ws completions powershell | Out-String | Invoke-Expression";

/// How to run the bridge.
#[derive(Debug, Args)]
pub struct BridgeArgs {
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
    pub ports: Vec<String>,

    /// Exit with an error instead of waiting when a port cannot be opened
    #[arg(long)]
    pub no_wait: bool,

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
    pub config: Option<PathBuf>,

    /// Part of that file to use: [profile.NAME]
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,

    /// Settings of the ports that do not say otherwise.
    #[command(flatten)]
    pub settings: PortArgs,

    /// How to serve clients.
    #[command(flatten)]
    pub serve: ServeArgs,
}

/// How to serve clients.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Clients")]
pub struct ServeArgs {
    /// Address to listen on; may be given several times [default: 127.0.0.1:8080 and [::1]:8080]
    #[arg(short, long, value_name = "ADDR:PORT")]
    pub listen: Vec<SocketAddr>,

    /// Folder to serve at / instead of the built-in page, which stays at /_serial-ws/
    #[arg(long, value_name = "DIR")]
    pub web: Option<PathBuf>,

    /// Open the page in the browser
    #[arg(long)]
    pub open: bool,

    /// Memory that is kept of each port for clients that join late, in bytes; 0 keeps none
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20)]
    pub history: usize,

    /// Time that a client may be behind before it skips ahead
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration::parse)]
    pub max_behind: Duration,

    /// Number of clients that may be connected at once
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub max_clients: usize,

    /// Size of the largest message that a client may send, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 65536)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1 << 30))]
    pub max_message: u64,

    /// Web site whose pages to admit, such as https://preview.p5js.org, or with ,read-only after
    /// it; may be given several times
    #[arg(long, value_name = "ORIGIN")]
    pub allow_origin: Vec<String>,

    /// Name of this computer to answer to beside localhost; may be given several times
    #[arg(long, value_name = "NAME")]
    pub allow_host: Vec<String>,

    /// Let other computers connect that know a token; shows the address with it
    #[arg(long)]
    pub lan: bool,

    /// Let other computers read, and not write
    #[arg(long)]
    pub lan_read_only: bool,

    /// File with a token of your own, from 12 characters, that all must know: also programs and
    /// pages of this computer. SERIAL_WS_TOKEN gives the token itself
    #[arg(long, value_name = "FILE")]
    pub token: Option<PathBuf>,

    /// Encrypt connections from other computers, with a certificate that serial-ws makes itself
    /// and of which browsers warn
    #[arg(long, value_name = "KIND", conflicts_with_all = ["tls_cert", "tls_key"])]
    pub tls: Option<Tls>,

    /// Certificate to encrypt connections from other computers with, in PEM format
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// Key of the certificate
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
}

/// Where the certificate comes from, if not from a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Tls {
    /// Made by serial-ws, and kept
    SelfSigned,
}

/// Settings of one port, or of all that do not say otherwise.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Port settings")]
pub struct PortArgs {
    /// Rate in baud; any that the driver takes [default: 9600]
    #[arg(short, long, value_name = "N")]
    pub baud: Option<u32>,

    /// Send each line as a text message, to clients that ask for no view (the default)
    #[arg(long, group = "view")]
    pub lines: bool,
    /// Send the bytes exactly, as binary messages, to clients that ask for no view
    #[arg(long, group = "view")]
    pub raw: bool,
    /// Send the bytes as text, as they come, to clients that ask for no view
    #[arg(long, group = "view")]
    pub text: bool,

    /// Data bits per character: 5 to 8 [default: 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(5..=8))]
    pub data_bits: Option<u8>,
    /// Parity [default: none]
    #[arg(long, value_name = "PARITY")]
    pub parity: Option<Parity>,
    /// Stop bits: 1 or 2 [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=2))]
    pub stop_bits: Option<u8>,
    /// Flow control [default: none]
    #[arg(long, value_name = "KIND")]
    pub flow_control: Option<FlowControl>,

    /// Data Terminal Ready after opening [default: on]
    #[arg(long, value_name = "STATE")]
    pub dtr: Option<Line>,
    /// Request To Send after opening [default: on]
    #[arg(long, value_name = "STATE")]
    pub rts: Option<Line>,
    /// Leave boards running when the port is opened: keep the modem lines asserted after closing.
    /// The first opening after plugging in restarts them all the same
    #[arg(long)]
    pub no_reset: bool,
    /// Leave USB adapters to gather what they receive for up to 16 ms (Linux)
    #[arg(long)]
    pub no_low_latency: bool,
    /// Milliseconds to hold what clients send after opening, until the board has spoken
    /// [default: 2000 for boards that restart when opened, else 0]
    #[arg(long, value_name = "MS")]
    pub settle: Option<u64>,

    /// Ending to add to text messages that lack one [default: none]
    #[arg(long, value_name = "ENDING")]
    pub append: Option<Ending>,
    /// Bytes of a line beyond which it is delivered in pieces [default: 16384]
    #[arg(long, value_name = "BYTES")]
    #[arg(value_parser = clap::value_parser!(u32).range(16..=1 << 20))]
    pub max_line: Option<u32>,
    /// Refuse what clients send
    #[arg(long)]
    pub read_only: bool,
}

impl PortArgs {
    /// The view of the flags, if one was given.
    pub fn view(&self) -> Option<View> {
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

/// How to list ports.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Print a JSON array instead of a table
    #[arg(long)]
    pub json: bool,
    /// Include ports with nothing behind them, Bluetooth, and twins of the same device
    #[arg(long)]
    pub all: bool,
}

/// How to talk to a running bridge.
#[derive(Debug, Args)]
pub struct ConnectArgs {
    /// Address of the bridge or of one of its ports, such as ws://localhost:8080/ports/NAME
    #[arg(
        default_value = "ws://localhost:8080",
        env = "SERIAL_WS_URL",
        hide_env_values = true
    )]
    pub url: String,
    /// Ending that the bridge adds to each line sent
    #[arg(long, value_name = "ENDING")]
    pub append: Option<Ending>,
    /// Time to go on printing after the end of the input, such as 2s, or forever
    /// [default: 0; forever with --count]
    #[arg(long, value_name = "TIME", value_parser = connect::parse_wait)]
    pub wait: Option<Duration>,
    /// Number of messages to print before ending
    #[arg(long, value_name = "N")]
    pub count: Option<u64>,
    /// Exchange bytes exactly as they are, instead of lines
    #[arg(long)]
    pub raw: bool,
    /// Secret of a bridge that asks for one
    #[arg(
        long,
        value_name = "TOKEN",
        env = "SERIAL_WS_TOKEN",
        hide_env_values = true
    )]
    pub token: Option<String>,
    /// SHA-256 fingerprint of the certificate of a bridge with --tls self-signed, for wss:// and
    /// https://
    #[arg(long, value_name = "SHA256", env = "SERIAL_WS_FINGERPRINT")]
    #[arg(hide_env_values = true)]
    pub fingerprint: Option<Fingerprint>,
}

/// Which port of which bridge to lend.
#[derive(Debug, Args)]
pub struct LendArgs {
    /// Address of the running bridge
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://localhost:8080",
        env = "SERIAL_WS_URL",
        hide_env_values = true
    )]
    pub url: String,
    /// Name of the port [default: the first one]
    #[arg(long, value_name = "NAME", value_parser = port_name)]
    pub port: Option<String>,
    /// Secret of a bridge that asks for one
    #[arg(
        long,
        value_name = "TOKEN",
        env = "SERIAL_WS_TOKEN",
        hide_env_values = true
    )]
    pub token: Option<String>,
    /// SHA-256 fingerprint of the certificate of a bridge with --tls self-signed, for wss:// and
    /// https://
    #[arg(long, value_name = "SHA256", env = "SERIAL_WS_FINGERPRINT")]
    #[arg(hide_env_values = true)]
    pub fingerprint: Option<Fingerprint>,
}

/// For how long to lend which port.
#[derive(Debug, Args)]
pub struct ReleaseArgs {
    /// Time after which the bridge takes the port back by itself
    #[arg(long = "for", value_name = "TIME", default_value = "60s", value_parser = duration::parse)]
    pub time: Duration,
    /// Which port.
    #[command(flatten)]
    pub lend: LendArgs,
}

/// What to run while which port is lent.
#[derive(Debug, Args)]
pub struct UploadArgs {
    /// Which port.
    #[command(flatten)]
    pub lend: LendArgs,
    /// Command to run, after two dashes, with its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// What to look at.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Address of a page that should connect, as the browser shows it
    pub page: Option<String>,
    /// How the bridge is run.
    #[command(flatten)]
    pub bridge: BridgeArgs,
}

/// Which manual page to print.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Command to print the page of [default: serial-ws itself]
    #[arg(value_name = "COMMAND")]
    pub command: Vec<String>,
    /// Folder to write all pages to, instead of printing one
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    pub dir: Option<PathBuf>,
}

/// For which shell.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: Shell,
}

/// What to do with the service.
#[derive(Debug, Args)]
pub struct ServiceArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: ServiceAction,
}

/// What to do with the service.
#[derive(Debug, Subcommand)]
pub enum ServiceAction {
    /// Start the bridge now and whenever you log in, or with the computer
    ///
    /// Says each file that it writes and each command that it runs. With systemd only; on macOS and
    /// Windows it shows what to do. Run it again to change the flags.
    #[command(after_long_help = INSTALL_EXAMPLE)]
    Install(InstallArgs),
    /// Stop it, and undo what install did
    Remove(ScopeArgs),
    /// Say whether it is installed and runs; exits with 1 where it does not run
    Status,
}

const INSTALL_EXAMPLE: &str = "\
Example:
  serial-ws service install -- --port /dev/ttyACM0 --baud 115200";

/// What is to be started, and for whom.
#[derive(Debug, Args)]
pub struct InstallArgs {
    /// For whom.
    #[command(flatten)]
    pub scope: ScopeArgs,
    /// Flags of the bridge, after two dashes
    #[arg(last = true)]
    pub flags: Vec<OsString>,
}

/// For whom it is started.
#[derive(Args, Clone, Copy, Debug)]
pub struct ScopeArgs {
    /// For the whole computer, from its start on, as a user with few rights; needs sudo
    #[arg(long)]
    pub system: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

impl From<ScopeArgs> for service::Options {
    fn from(ScopeArgs { system, dry_run }: ScopeArgs) -> Self {
        let scope = match system {
            true => service::Scope::System,
            false => service::Scope::User,
        };
        Self { scope, dry_run }
    }
}

/// Reads the name of a port.
fn port_name(text: &str) -> Result<String, &'static str> {
    match is_name(text) {
        true => Ok(text.to_owned()),
        false => Err("the name of a port has letters, digits, - and _ only, such as ttyACM0"),
    }
}

impl From<ListArgs> for list::Options {
    fn from(ListArgs { json, all }: ListArgs) -> Self {
        Self { json, all }
    }
}

impl From<ConnectArgs> for connect::Options {
    fn from(args: ConnectArgs) -> Self {
        let ConnectArgs {
            url,
            append,
            wait,
            count,
            raw,
            token,
            fingerprint,
        } = args;
        let append = append.map(|ending| ending.to_string());
        let terminal = std::io::stdout().is_terminal();
        Self {
            url,
            append,
            wait,
            count,
            raw,
            token,
            fingerprint,
            terminal,
        }
    }
}

impl From<LendArgs> for lend::Options {
    fn from(args: LendArgs) -> Self {
        let LendArgs {
            url,
            port,
            token,
            fingerprint,
        } = args;
        Self {
            url,
            port,
            token,
            fingerprint,
        }
    }
}

/// How to log.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Logging")]
pub struct LogArgs {
    /// Log more; twice for everything
    #[arg(short, long, action = ArgAction::Count, global = true, conflicts_with = "quiet")]
    pub verbose: u8,
    /// Log errors only
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Format of the log on standard error
    #[arg(long, value_name = "FORMAT", default_value = "text", global = true)]
    pub log_format: LogFormat,
}

/// Format of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// One JSON object per line
    Json,
}
