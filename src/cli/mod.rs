//! What was typed: flags and commands with their help texts. What they mean is in `config`.

mod bridge;
mod dispatch;

use clap::{Parser, Subcommand};

pub(crate) use bridge::{
    BridgeArgs, LogArgs, PortArgs, ServeArgs, Settings, Tls, default_tcp_port, is_on,
};
pub use dispatch::main;

use crate::commands::completions::CompletionsArgs;
use crate::commands::connect::ConnectArgs;
use crate::commands::doctor::DoctorArgs;
use crate::commands::lease::{LeaseArgs, ReleaseArgs, UploadArgs};
use crate::commands::list::ListArgs;
use crate::commands::man::ManArgs;
use crate::commands::service::ServiceArgs;

/// Share a serial port with any number of web pages and programs over WebSocket
///
/// serial-ws reads a serial device and sends what it says to every connected client; what
/// clients send goes to the device. A page needs no library, only a WebSocket to
/// ws://localhost:8080.
#[derive(Debug, Parser)]
#[command(version, bin_name = "serial-ws", args_conflicts_with_subcommands = true, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Cli {
    /// What to do instead of running the bridge.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// How to run the bridge.
    #[command(flatten)]
    pub(crate) bridge: BridgeArgs,
    /// How to log.
    #[command(flatten)]
    pub(crate) log: LogArgs,
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
pub(crate) enum Command {
    /// List the serial ports of this computer, without opening any
    List(ListArgs),
    /// Print what a running bridge sends, and send it the lines that you type
    Connect(ConnectArgs),
    /// Free the port of a running bridge for another program, for a time
    Release(ReleaseArgs),
    /// Take a port back before its time
    Resume(LeaseArgs),
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

impl Cli {
    /// Returns the flags for sharing ports, if the command takes them.
    pub(crate) fn bridge(&self) -> Option<&BridgeArgs> {
        match &self.command {
            None => Some(&self.bridge),
            Some(Command::Config(bridge)) => Some(bridge),
            Some(Command::Doctor(args)) => Some(&args.bridge),
            Some(_) => None,
        }
    }
}
