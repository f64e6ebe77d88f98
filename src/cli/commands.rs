//! What to do instead of running the bridge, and what that module is told.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use clap_complete::Shell;

use super::BridgeArgs;
use super::choice::{LINE_ENDING, choice};
use crate::commands::{connect, lease, list};
use crate::duration;
use crate::fingerprint::Fingerprint;
use crate::port::is_name;
use crate::view::LineEnding;

/// How to list ports.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Print a JSON array instead of a table
    #[arg(long)]
    pub(crate) json: bool,
    /// Include ports with nothing behind them, Bluetooth, and twins of the same device
    #[arg(long)]
    pub(crate) all: bool,
}

/// How to get into a running bridge.
#[derive(Debug, Args)]
pub(crate) struct AccessArgs {
    /// Secret of a bridge that asks for one
    #[arg(
        long,
        value_name = "TOKEN",
        env = "SERIAL_WS_TOKEN",
        hide_env_values = true
    )]
    pub(crate) token: Option<String>,
    /// SHA-256 fingerprint of the certificate of a bridge with --tls self-signed, for wss:// and
    /// https://
    #[arg(long, value_name = "SHA256", env = "SERIAL_WS_FINGERPRINT")]
    #[arg(hide_env_values = true)]
    pub(crate) fingerprint: Option<Fingerprint>,
}

/// How to talk to a running bridge.
#[derive(Debug, Args)]
pub(crate) struct ConnectArgs {
    /// Address of the bridge or of one of its ports, such as ws://localhost:8080/ports/NAME
    #[arg(
        default_value = "ws://localhost:8080",
        env = "SERIAL_WS_URL",
        hide_env_values = true
    )]
    pub(crate) url: String,
    /// Ending that the bridge adds to each line sent
    #[arg(long, value_name = "ENDING", value_parser = choice(LINE_ENDING, LineEnding::name))]
    pub(crate) append: Option<LineEnding>,
    /// Time to go on printing after the end of the input, such as 2s, or forever
    /// [default: 0; forever with --count]
    #[arg(long, value_name = "TIME", value_parser = connect::parse_wait)]
    pub(crate) wait: Option<Duration>,
    /// Number of messages to print before ending
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<u64>,
    /// Exchange bytes exactly as they are, instead of lines
    #[arg(long)]
    pub(crate) raw: bool,
    /// How to get in.
    #[command(flatten)]
    pub(crate) access: AccessArgs,
}

/// Which port of which bridge to lend.
#[derive(Debug, Args)]
pub(crate) struct LendArgs {
    /// Address of the running bridge
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://localhost:8080",
        env = "SERIAL_WS_URL",
        hide_env_values = true
    )]
    pub(crate) url: String,
    /// Name of the port [default: the first one]
    #[arg(long, value_name = "NAME", value_parser = port_name)]
    pub(crate) port: Option<String>,
    /// How to get in.
    #[command(flatten)]
    pub(crate) access: AccessArgs,
}

/// For how long to lend which port.
#[derive(Debug, Args)]
pub(crate) struct ReleaseArgs {
    /// Time after which the bridge takes the port back by itself
    #[arg(long = "for", value_name = "TIME", default_value = "60s", value_parser = duration::parse)]
    pub(crate) time: Duration,
    /// Which port.
    #[command(flatten)]
    pub(crate) lend: LendArgs,
}

/// What to run while which port is lent.
#[derive(Debug, Args)]
pub(crate) struct UploadArgs {
    /// Which port.
    #[command(flatten)]
    pub(crate) lend: LendArgs,
    /// Command to run, after two dashes, with its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

/// What to look at.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Address of a page that should connect, as the browser shows it
    pub(crate) page: Option<String>,
    /// How the bridge is run.
    #[command(flatten)]
    pub(crate) bridge: BridgeArgs,
}

/// Which manual page to print.
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Command to print the page of [default: serial-ws itself]
    #[arg(value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
    /// Folder to write all pages to, instead of printing one
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    pub(crate) dir: Option<PathBuf>,
}

/// For which shell.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub(crate) shell: Shell,
}

/// What to do with the service.
#[derive(Debug, Args)]
pub(crate) struct ServiceArgs {
    /// What to do.
    #[command(subcommand)]
    pub(crate) action: ServiceAction,
}

/// What to do with the service.
#[derive(Debug, Subcommand)]
pub(crate) enum ServiceAction {
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
pub(crate) struct InstallArgs {
    /// For whom.
    #[command(flatten)]
    pub(crate) scope: ScopeArgs,
    /// Flags of the bridge, after two dashes
    #[arg(last = true)]
    pub(crate) flags: Vec<OsString>,
}

/// For whom it is started.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct ScopeArgs {
    /// For the whole computer, from its start on, as a user with few rights; needs sudo
    #[arg(long)]
    pub(crate) system: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
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
            access: AccessArgs { token, fingerprint },
        } = args;
        let append = append.map(|ending| ending.name().to_owned());
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

impl From<LendArgs> for lease::Options {
    fn from(args: LendArgs) -> Self {
        let LendArgs {
            url,
            port,
            access: AccessArgs { token, fingerprint },
        } = args;
        Self {
            url,
            port,
            token,
            fingerprint,
        }
    }
}

/// Reads the name of a port.
fn port_name(text: &str) -> Result<String, &'static str> {
    match is_name(text) {
        true => Ok(text.to_owned()),
        false => Err("the name of a port has letters, digits, - and _ only, such as ttyACM0"),
    }
}
