//! Flags and commands with their help texts. Commands own their arguments; `config` turns the flags
//! into a configuration.

mod bridge;
mod dispatch;
pub(crate) mod mistake;

use clap::{Parser, Subcommand};

pub(crate) use bridge::{
    BridgeArgs, DEVICES, LogArgs, MqttArgs, OfferArgs, OscArgs, PortArgs, ServeArgs, Settings,
    SharingArgs, Tls, default_tcp_port,
};
pub use dispatch::main;

use crate::commands::ask::AskArgs;
use crate::commands::completions::CompletionsArgs;
use crate::commands::connect::ConnectArgs;
use crate::commands::doctor::DoctorArgs;
use crate::commands::export::ExportArgs;
use crate::commands::lease::{LeaseArgs, ReleaseArgs, UploadArgs};
use crate::commands::list::ListArgs;
use crate::commands::man::ManArgs;
use crate::commands::mcp::McpArgs;
use crate::commands::service::ServiceArgs;
use crate::commands::status::StatusArgs;
use crate::commands::tls::TlsArgs;

/// Share a serial port with any number of web pages and programs over WebSocket
///
/// serial-ws reads a serial device and sends its data to every connected client; what clients
/// send goes to the device. A page needs no library, only a WebSocket to ws://localhost:8080.
#[derive(Debug, Parser)]
#[command(version, long_version = LONG_VERSION, bin_name = "serial-ws", after_help = EXAMPLES, max_term_width = 100)]
#[command(override_usage = USAGE)]
pub(crate) struct Cli {
    /// The command to run instead of sharing ports.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// The arguments for sharing ports.
    #[command(flatten)]
    pub(crate) sharing: SharingArgs,
    /// The flags for the log.
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

/// The answer to `--version`, after the name; `-V` is answered by the version alone.
const LONG_VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\ncommit: ",
    env!("SERIAL_WS_COMMIT"),
    "\ntarget: ",
    env!("SERIAL_WS_TARGET"),
    "\nfeatures: ",
    env!("SERIAL_WS_FEATURES"),
);

const USAGE: &str = "serial-ws [OPTIONS] [DEVICE]...\n       serial-ws <COMMAND>";

const EXAMPLES: &str = "\
Examples:
  serial-ws                                   the only USB board, as lines
  serial-ws sim                               no board at hand: a simulated one
  serial-ws /dev/ttyACM0 --baud 115200        this port, at this rate
  serial-ws uno=/dev/ttyACM0 scale=COM3,baud=4800,raw
                                              two ports, each with its own settings
  serial-ws --web my-sketch --open            your own page, with the board
  serial-ws list                              the serial ports of this computer
  serial-ws connect                           print what the board sends, send what you type
  serial-ws play:lesson.jsonl                 a recording, as if it were the board
  serial-ws upload -- arduino-cli upload ...  upload a sketch while serial-ws is running";

/// A command to run instead of sharing ports.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the serial ports of this computer, without opening any
    List(ListArgs),
    /// Print what a running serial-ws sends, and send it the lines that you type
    Connect(ConnectArgs),
    /// Ask the device of a running serial-ws, and print its reply
    #[command(after_long_help = ASK_EXAMPLES)]
    Ask(AskArgs),
    /// Print the status of a port of a running serial-ws, or wait until it is open or lost
    Status(StatusArgs),
    /// Release the port of a running serial-ws to another program for some time
    Release(ReleaseArgs),
    /// Take a released port back early, or end the write lock of a client
    Resume(LeaseArgs),
    /// Run a command that needs the port, such as an upload, and take the port back afterwards
    ///
    /// Releases the port of the running serial-ws, runs the command with SERIAL_WS_DEVICE set to
    /// the path of the device, takes the port back, and exits with the status of the command.
    /// Clients stay connected. If serial-ws is not running, the command just runs; if the port
    /// cannot be released, it does not.
    #[command(after_long_help = UPLOAD_EXAMPLE)]
    Upload(UploadArgs),
    /// Let a coding agent use a running serial-ws, by the Model Context Protocol
    ///
    /// Speaks MCP on standard input and output, for an agent's program that starts it. Without --write
    /// the agent only reads. docs/coding-agents.md says how to set up the usual agents.
    #[command(after_long_help = MCP_EXAMPLES)]
    Mcp(McpArgs),
    /// Print a recording as text, as a table or as bytes
    ///
    /// Reads recordings of serial-ws, of one port, in the order of their times. Needs the same memory for
    /// a recording of any length. Damaged lines are skipped with a warning.
    Export(ExportArgs),
    /// Print the settings in force and where each comes from, as a configuration file
    ///
    /// Takes the flags for sharing ports. Defaults are commented out. The output can be
    /// the file of another run: serial-ws config sim > class.toml
    Config(Box<SharingArgs>),
    /// Diagnose why a board or a page cannot connect
    ///
    /// Checks the serial ports, the TCP port, and the page if its address is given. Takes the flags
    /// for sharing ports, and checks what serial-ws would do with them. Opens no port. Exits with 1
    /// if there is something to do.
    Doctor(Box<DoctorArgs>),
    /// Run serial-ws as a system service
    Service(ServiceArgs),
    /// Show the certificate of --tls self-signed, and how to trust it on other computers
    Tls(TlsArgs),
    /// Print the manual page of serial-ws or of one of its commands, in roff
    ///
    /// To read it on Linux: serial-ws man | man -l -
    Man(ManArgs),
    /// Print a script with which a shell completes flags and commands
    #[command(after_long_help = COMPLETIONS_EXAMPLES)]
    Completions(CompletionsArgs),
}

const UPLOAD_EXAMPLE: &str = "\
Example:
  serial-ws upload -- arduino-cli upload -b arduino:avr:uno -p /dev/ttyACM0 MySketch";

const ASK_EXAMPLES: &str = "\
Examples:
  serial-ws ask '*IDN?'                        the next line
  serial-ws ask --append cr --until text:OK --until text:ERROR AT
                                               the lines up to the one with OK or ERROR
  serial-ws ask --hex --until bytes:7 '01 03 00 00 00 01 84 0a'
                                               bytes, such as those of Modbus

Exit codes: 0 for a reply, 1 if serial-ws refused or does not run there, 2 for wrong usage, 3 without a
reply in time, 4 if serial-ws has stopped, or the connection or the device was lost.";

const MCP_EXAMPLES: &str = "\
Examples, as the command of an MCP server in the settings of an agent:
  serial-ws mcp                               reads the board that serial-ws shares
  serial-ws mcp --write                       writes to it, resets it, releases it for an upload
  serial-ws mcp --write --start /dev/ttyACM0  shares the board itself";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  bash: serial-ws completions bash > ~/.local/share/bash-completion/completions/serial-ws
  zsh:  serial-ws completions zsh > DIR/_serial-ws, where DIR is one of $fpath
  fish: serial-ws completions fish > ~/.config/fish/completions/serial-ws.fish
  PowerShell, in its profile: serial-ws completions powershell | Out-String | Invoke-Expression";

impl Cli {
    /// Returns the flags for sharing ports and the devices, each with its number among the arguments
    /// that are no flags, if the command takes them.
    pub(crate) fn sharing(&self) -> Option<(&BridgeArgs, Vec<(usize, &str)>)> {
        match &self.command {
            None => Some((&self.sharing.bridge, self.sharing.devices().collect())),
            Some(Command::Config(sharing)) => Some((&sharing.bridge, sharing.devices().collect())),
            Some(Command::Doctor(args)) => Some((&args.bridge, args.devices().collect())),
            Some(_) => None,
        }
    }
}
