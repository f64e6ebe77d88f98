//! The flags for sharing ports. The same structs hold what a configuration file sets: a field is
//! the flag `--its-name` and the key `its-name`.
#![allow(
    rustdoc::broken_intra_doc_links,
    rustdoc::bare_urls,
    reason = "the help texts are for a terminal"
)]

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueHint};
use serde::{Deserialize, Serialize};

use crate::config::value::{BaudRate, Number, Setting, Size, times};
use crate::config::{
    AllowedOrigin, BrokerArg, HostName, ListenArg, OscListenArg, OscTargetArg, P5Arg, PollInterval,
    PollText, PortArg, UserName,
};
use crate::hub::{FlowControl, LockPolicy, ModemLine, Parity};
use crate::log::Format;
use crate::output::OutputAddress;
use crate::output::saver::Timestamps;
use crate::port::MAX_LINE_LIMIT;
use crate::port::Pace;
use crate::port::framing::Framing;
use crate::server::Offer;
use crate::view::{LineEnding, View};

/// The TCP port that serial-ws listens on unless another one is given, as a literal.
macro_rules! default_tcp_port {
    () => {
        8080
    };
}
pub(crate) use default_tcp_port;

/// The addresses to listen on without `--lan`.
const LOOPBACK: [&str; 2] = [
    concat!("127.0.0.1:", default_tcp_port!()),
    concat!("[::1]:", default_tcp_port!()),
];

/// The list of the settings of recordings in the help.
const RECORDING: &str = "Recording";

/// Bytes of the smallest file of a recording.
const MIN_SEGMENT: u64 = 4 << 10;

/// The name of the arguments that are devices.
pub(crate) const DEVICES: &str = "devices";

/// The arguments for sharing ports.
#[derive(Args, Clone, Debug)]
pub(crate) struct SharingArgs {
    /// Serial port to share, as after --port: [NAME=]SPEC[,SETTING...]
    #[arg(id = DEVICES, value_name = "DEVICE", value_hint = ValueHint::FilePath)]
    pub(crate) devices: Vec<String>,

    /// The flags.
    #[command(flatten)]
    pub(crate) bridge: BridgeArgs,
}

impl SharingArgs {
    /// Returns the devices, each with its number among the arguments that are no flags.
    pub(crate) fn devices(&self) -> impl Iterator<Item = (usize, &str)> {
        self.devices.iter().map(String::as_str).enumerate()
    }
}

/// The flags for sharing ports.
#[derive(Args, Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct BridgeArgs {
    /// Serial port to share: [NAME=]SPEC[,SETTING...]; can be repeated
    ///
    /// SPEC is a path (/dev/ttyACM0, COM3), usb:VID:PID[:SERIAL] in hex, auto for the only USB
    /// board, sim[:NAME] for a simulated device, loop for a device that echoes what it receives,
    /// tcp://HOST:PORT or rfc2217://HOST:PORT for one in the network, ws://HOST[:PORT]/ports/NAME or
    /// wss:// for a port of another serial-ws, exec:COMMAND or exec-pty:COMMAND for a program, or
    /// play:FILE for a recording. The token of another serial-ws is read from a file:
    /// ws://pi:8080/,token=FILE. A SETTING is a flag of the list "Port settings" without its
    /// dashes, for this port only: scale=/dev/ttyUSB0,baud=115200,raw. Between quotes, a comma
    /// belongs to the value. The first port is at ws://localhost:8080/, each one at /ports/NAME.
    #[arg(short, long, value_name = "SPEC", default_value = "auto")]
    #[arg(env = "SERIAL_WS_PORT", hide_env_values = true)]
    pub(crate) port: Vec<PortArg>,

    /// Exit with an error instead of waiting when a port cannot be opened
    #[arg(long, action = ArgAction::SetTrue)]
    pub(crate) no_wait: Setting<bool>,

    /// Configuration file [default: config.toml in the configuration folder, if it exists]
    ///
    /// Its keys are the names of flags without their dashes; flags take precedence over it. The
    /// command config shows where that folder is, and which settings are in force.
    #[arg(long, value_name = "FILE")]
    #[arg(env = "SERIAL_WS_CONFIG", hide_env_values = true)]
    #[serde(skip)]
    pub(crate) config: Option<PathBuf>,

    /// Profile of that file to use: the table [profile.NAME]
    #[arg(long, value_name = "NAME")]
    #[serde(skip)]
    pub(crate) profile: Option<String>,

    /// The settings of ports that have none of their own.
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) settings: PortArgs,

    /// The settings for clients.
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) serve: ServeArgs,

    /// The devices that clients may open.
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) offer: OfferArgs,

    /// The MQTT broker.
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) mqtt: MqttArgs,

    /// Open Sound Control.
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) osc: OscArgs,
}

/// Open Sound Control.
#[derive(Args, Clone, Debug, Deserialize, Serialize)]
#[command(next_help_heading = "OSC")]
#[serde(rename_all = "kebab-case")]
pub(crate) struct OscArgs {
    /// Receiver of OSC, such as Max, TouchDesigner or SuperCollider, to send the values of all ports to:
    /// /serial/PORT/NAME for each value that has a name, and /serial/PORT for the others; can be repeated
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) osc: Vec<Setting<OscTargetArg>>,

    /// Send lines by OSC instead of their values: /serial with the name of the port and the line
    #[arg(long, action = ArgAction::SetTrue)]
    pub(crate) osc_lines: Setting<bool>,

    /// UDP port at which to receive OSC: /send with the name of a port and what to write there. An address
    /// of the network needs --lan, and :rw behind it
    #[arg(long, value_name = "[ADDR:]PORT")]
    pub(crate) osc_listen: Option<Setting<OscListenArg>>,
}

/// The MQTT broker that all ports are published to.
#[derive(Args, Clone, Debug, Deserialize, Serialize)]
#[command(next_help_heading = "MQTT")]
#[serde(rename_all = "kebab-case")]
pub(crate) struct MqttArgs {
    /// MQTT broker to publish all ports to: mqtt://HOST[:PORT][/PREFIX], or mqtts:// for an encrypted
    /// connection. Topics begin with PREFIX, or else with serial-ws
    #[arg(long, value_name = "URL")]
    pub(crate) mqtt: Option<Setting<BrokerArg>>,

    /// User name for the broker
    #[arg(long, value_name = "NAME")]
    pub(crate) mqtt_user: Option<Setting<UserName>>,

    /// File with the password for the broker. SERIAL_WS_MQTT_PASSWORD takes the password itself
    #[arg(long, value_name = "FILE", value_hint = ValueHint::AnyPath)]
    pub(crate) mqtt_password: Option<Setting<PathBuf>>,

    /// Certificate of the authority to trust for the broker, in PEM format, beside those that this
    /// computer trusts
    #[arg(long, value_name = "FILE", value_hint = ValueHint::AnyPath)]
    pub(crate) mqtt_ca: Option<Setting<PathBuf>>,

    /// Write what is published to the topic PREFIX/PORT/write: whoever may publish there moves the device
    #[arg(long, action = ArgAction::SetTrue)]
    pub(crate) mqtt_write: Setting<bool>,

    /// Publish the bytes as they are read, too, to PREFIX/PORT/raw
    #[arg(long, action = ArgAction::SetTrue)]
    pub(crate) mqtt_raw: Setting<bool>,
}

/// The devices that clients may open.
#[derive(Args, Clone, Debug, Deserialize, Serialize)]
#[command(next_help_heading = "Devices on offer")]
#[serde(rename_all = "kebab-case")]
pub(crate) struct OfferArgs {
    /// Device that clients may open by its ID: usb for every USB device, none, or a pattern of IDs or
    /// paths such as usb:2341:* or /dev/ttyUSB*; can be repeated. Without it, and without --port,
    /// known boards are offered to programs and pages of this computer
    #[arg(long, value_name = "DEVICE")]
    pub(crate) offer: Vec<Setting<Offer>>,

    /// Time after which a device that a client opened is closed, when its last client has left
    #[arg(long, value_name = "TIME", default_value = "10s")]
    pub(crate) idle_close: Setting<Duration>,

    /// Largest number of devices that clients have opened at a time
    #[arg(long, value_name = "N", default_value = "16")]
    pub(crate) max_open: Setting<Number<1, 256, 16>>,
}

/// The settings for clients.
#[derive(Args, Clone, Debug, Deserialize, Serialize)]
#[command(next_help_heading = "Clients")]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ServeArgs {
    /// Address to listen on; can be repeated. A TCP port alone stands for this computer only, or
    /// with --lan for all its addresses
    #[arg(short, long, value_name = "[ADDR:]PORT", default_values = LOOPBACK)]
    pub(crate) listen: Vec<Setting<ListenArg>>,

    /// Folder to serve at / instead of the built-in page, which stays at /_serial-ws/
    #[arg(long, value_name = "DIR", value_hint = ValueHint::AnyPath)]
    pub(crate) web: Option<Setting<PathBuf>>,

    /// Serve sketches made for p5.serialport, which look for p5.serialserver at TCP port 8081 of this
    /// computer; =PORT for another one
    #[arg(long, value_name = "PORT", num_args = 0..=1, require_equals = true)]
    #[arg(
        default_value = "false",
        default_missing_value = "true",
        hide_default_value = true
    )]
    pub(crate) p5: Setting<P5Arg>,

    /// Open the page in the browser
    #[arg(long, action = ArgAction::SetTrue)]
    pub(crate) open: Setting<bool>,

    /// Memory for the history of each port, which clients that join late can ask for; 0 keeps none
    #[arg(long, value_name = "SIZE", default_value = "1MiB")]
    pub(crate) history: Setting<Size<0, { u64::MAX }>>,

    /// Longest time that a client may lag behind before it skips ahead
    #[arg(long, value_name = "TIME", default_value = "10s")]
    pub(crate) max_behind: Setting<Duration>,

    /// Largest number of clients at a time
    #[arg(long, value_name = "N", default_value = "256")]
    pub(crate) max_clients: Setting<Number<0, { u64::MAX }, 256>>,

    /// Largest number of clients of one other computer at a time: a class behind one address needs
    /// more
    #[arg(long, value_name = "N", default_value = "32")]
    pub(crate) max_clients_per_address: Setting<Number<1, { u64::MAX }, 32>>,

    /// Largest message that a client may send
    #[arg(long, value_name = "SIZE", default_value = "64KiB")]
    pub(crate) max_message: Setting<Size<1, { 1 << 30 }>>,

    /// Web site or app whose pages may connect, as the terminal prints it: for example
    /// https://preview.p5js.org or https://preview.p5js.org,read-only; can be repeated
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) allow_origin: Vec<Setting<AllowedOrigin>>,

    /// Name under which this computer may be reached, besides localhost; can be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) allow_host: Vec<Setting<HostName>>,

    /// Let other computers connect with a token; a terminal shows the addresses with it, and a QR code
    #[arg(long, action = ArgAction::SetTrue)]
    pub(crate) lan: Setting<bool>,

    /// Let other computers connect, but only read
    #[arg(long, action = ArgAction::SetTrue)]
    pub(crate) lan_read_only: Setting<bool>,

    /// Do not announce serial-ws to other computers, so that their serial-ws list --lan does not find it
    #[arg(long, action = ArgAction::SetTrue)]
    pub(crate) no_announce: Setting<bool>,

    /// File with a token of your own, of at least 12 characters, which everybody needs then, also
    /// programs and pages on this computer. SERIAL_WS_TOKEN takes the token itself
    #[arg(long, value_name = "FILE", value_hint = ValueHint::AnyPath)]
    pub(crate) token: Option<Setting<PathBuf>>,

    /// File with a token of your own, of at least 12 characters, for other computers alone: programs and
    /// pages on this computer need none. If there is no such file, it is written with a new token.
    /// SERIAL_WS_LAN_TOKEN takes the token itself
    #[arg(long, value_name = "FILE", value_hint = ValueHint::AnyPath)]
    pub(crate) lan_token: Option<Setting<PathBuf>>,

    /// Encrypt connections from other computers with a certificate that serial-ws makes itself;
    /// browsers warn about it
    #[arg(long, value_name = "KIND")]
    pub(crate) tls: Option<Setting<Tls>>,

    /// Certificate in PEM format for encrypting connections from other computers
    #[arg(long, value_name = "FILE", value_hint = ValueHint::AnyPath)]
    pub(crate) tls_cert: Option<Setting<PathBuf>>,

    /// Private key of the certificate
    #[arg(long, value_name = "FILE", value_hint = ValueHint::AnyPath)]
    pub(crate) tls_key: Option<Setting<PathBuf>>,
}

/// The origin of a certificate that is not in a file.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Tls {
    /// Made by serial-ws.
    SelfSigned,
}

/// The settings of one port, or of all ports that have none of their own.
#[derive(Args, Clone, Debug, Deserialize, Serialize)]
#[command(next_help_heading = "Port settings")]
#[serde(rename_all = "kebab-case")]
pub(crate) struct PortArgs {
    /// Baud rate: any rate that the driver supports, or auto to find the one at which lines of text
    /// come, beginning at 9600
    #[arg(short, long, value_name = "N", default_value = "auto")]
    pub(crate) baud: Setting<BaudRate>,

    /// Default view: each line as a text message (in force without --raw or --text)
    #[arg(long, action = ArgAction::SetTrue, default_value = "true")]
    #[serde(default)]
    pub(crate) lines: Setting<bool>,
    /// Default view: the bytes exactly, as binary messages
    #[arg(long, action = ArgAction::SetTrue)]
    #[serde(default)]
    pub(crate) raw: Setting<bool>,
    /// Default view: the bytes as text, as they come
    #[arg(long, action = ArgAction::SetTrue)]
    #[serde(default)]
    pub(crate) text: Setting<bool>,

    /// Data bits per character: 5 to 8
    #[arg(long, value_name = "N", default_value = "8")]
    pub(crate) data_bits: Setting<Number<5, 8, 8>>,
    /// Parity
    #[arg(long, value_name = "PARITY", default_value = "none")]
    pub(crate) parity: Setting<Parity>,
    /// Stop bits: 1 or 2
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) stop_bits: Setting<Number<1, 2, 1>>,
    /// Flow control
    #[arg(long, value_name = "KIND", default_value = "none")]
    pub(crate) flow_control: Setting<FlowControl>,

    /// Data Terminal Ready after opening
    #[arg(long, value_name = "STATE", default_value = "on")]
    pub(crate) dtr: Setting<ModemLine>,
    /// Request To Send after opening
    #[arg(long, value_name = "STATE", default_value = "on")]
    pub(crate) rts: Setting<ModemLine>,
    /// Leave the modem lines asserted after closing, so that boards keep running when the port is
    /// opened again. The first opening after plugging in resets them all the same
    #[arg(long, action = ArgAction::SetTrue)]
    pub(crate) no_reset: Setting<bool>,
    /// Let USB adapters gather what they receive for up to 16 ms (Linux)
    #[arg(long, action = ArgAction::SetTrue)]
    pub(crate) no_low_latency: Setting<bool>,
    /// Longest time after opening or a reset to hold writes until the board listens: until it has
    /// sent two lines of text, or was silent for 200 ms after speaking. A plain number is
    /// milliseconds; auto is 2s for boards that reset when opened, else 0
    #[arg(long, value_name = "TIME", default_value = "auto")]
    pub(crate) settle: Setting<Option<Duration>>,

    /// Bytes a second that each client may write on average, such as 960; beyond it, its writes wait
    /// for their turn. 0 is no limit
    #[arg(long, value_name = "SIZE", default_value = "0")]
    pub(crate) max_write_rate: Setting<Size<0, { u32::MAX as u64 }>>,
    /// Make a pause after each byte that is written, such as 2ms, after each line (20ms/line) or after
    /// each message (4ms/message), for boards that lose what comes too fast
    #[arg(long, value_name = "PAUSE", default_value = "none")]
    pub(crate) pace: Setting<Option<Pace>>,
    /// Ask the device by itself, for boards that speak only when they are asked: write TEXT again and
    /// again, once for all clients, while there are any. \n, \r, \t, \0, \\ and \x41 stand for bytes; the
    /// ending of --append is added
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "none",
        allow_hyphen_values = true
    )]
    pub(crate) poll: Setting<Option<PollText>>,
    /// Time from one question of --poll to the next, which waits until the device has replied. A plain
    /// number is milliseconds
    #[arg(long, value_name = "TIME", default_value = "100ms")]
    pub(crate) every: Setting<PollInterval>,
    /// Who may write while no client has the write lock: everybody who may at all, or the operator alone,
    /// who gives the lock to clients in the page's list of clients
    #[arg(long, value_name = "WHO", default_value = "free")]
    pub(crate) lock: Setting<LockPolicy>,
    /// Time without a request after which a client loses the write lock; 0 is no limit
    #[arg(long, value_name = "TIME", default_value = "5m")]
    pub(crate) lock_idle: Setting<Duration>,
    /// Line ending to add to text messages that lack one
    #[arg(long, value_name = "ENDING", default_value = "none")]
    pub(crate) append: Setting<LineEnding>,
    /// End of a line: lf, crlf, cr, or delim:HEX for the bytes HEX, such as delim:3b for a
    /// semicolon. With lf, every carriage return beside a line feed belongs to the line end. Or other
    /// frames: len:N, gap:20ms, start:02:03, slip, cobs, packet:aa:1:1, json; see
    /// docs/configuration.md
    #[arg(long, value_name = "FRAMING", default_value = "lf")]
    pub(crate) frame: Setting<Framing>,
    /// Longest line; longer ones are cut into pieces
    #[arg(long, value_name = "SIZE", default_value = "16KiB")]
    pub(crate) max_line: Setting<Size<16, { MAX_LINE_LIMIT as u64 }>>,
    /// Refuse all that clients send
    #[arg(long, action = ArgAction::SetTrue)]
    pub(crate) read_only: Setting<bool>,
    /// Share the port with raw TCP clients too, at a TCP port of this computer. An address of the
    /// network needs --lan, and only reads unless :rw follows
    #[arg(long, value_name = "[ADDR:]PORT[:rw]", default_value = "none")]
    pub(crate) tcp: Setting<Option<OutputAddress>>,
    /// The same with RFC 2217, for programs that also set the rate and the modem lines, such as
    /// esptool and pyserial
    #[arg(long, value_name = "[ADDR:]PORT[:rw]", default_value = "none")]
    pub(crate) rfc2217: Setting<Option<OutputAddress>>,
    /// Share the port with programs that only know serial ports too, by a pseudo-terminal that they
    /// open as PATH (Linux, macOS). Only your programs can
    #[arg(long, value_name = "PATH", default_value = "none", value_hint = ValueHint::AnyPath)]
    pub(crate) pty: Setting<Option<PathBuf>>,

    /// Record everything that the port receives and sends, with its times, to new files in this
    /// folder; none records nothing
    #[arg(long, value_name = "DIR", default_value = "none", value_hint = ValueHint::AnyPath)]
    #[arg(help_heading = RECORDING)]
    pub(crate) record: Setting<Option<PathBuf>>,
    /// Size of a recording's file, after which the next one begins, and this one is compressed
    #[arg(long, value_name = "SIZE", default_value = "64MiB", help_heading = RECORDING)]
    pub(crate) record_segment: Setting<Size<{ MIN_SEGMENT }, { 1 << 40 }>>,
    /// Largest size of a port's recordings in the folder: the oldest ones are removed beyond it. all
    /// removes none
    #[arg(long, value_name = "SIZE", default_value = "all", help_heading = RECORDING)]
    pub(crate) record_keep: Setting<Option<u64>>,
    /// Free space on the disk below which recording and saving pause
    #[arg(long, value_name = "SIZE", default_value = "100MB", help_heading = RECORDING)]
    pub(crate) record_reserve: Setting<Size<0, { u64::MAX }>>,
    /// Append each line as text to this file; none saves nothing. SIGHUP has it opened again
    #[arg(long, value_name = "FILE", default_value = "none", value_hint = ValueHint::AnyPath)]
    #[arg(help_heading = RECORDING)]
    pub(crate) save: Setting<Option<PathBuf>>,
    /// Time before each line that is saved
    #[arg(long, value_name = "FORM", default_value = "iso", help_heading = RECORDING)]
    pub(crate) timestamps: Setting<Timestamps>,
    /// Size of the file of --save after which it is renamed to FILE.1, and a new one begins. all never
    /// renames it
    #[arg(long, value_name = "SIZE", default_value = "all", help_heading = RECORDING)]
    pub(crate) save_size: Setting<Option<u64>>,
    /// Number of older files to keep beside it, FILE.1 being the newest
    #[arg(long, value_name = "N", default_value = "5", help_heading = RECORDING)]
    pub(crate) save_count: Setting<Number<1, 99, 5>>,
}

impl PortArgs {
    /// Returns the default view.
    pub(crate) fn view(&self) -> View {
        match (*self.raw, *self.text) {
            (true, _) => View::Raw,
            (false, true) => View::Text,
            (false, false) => View::Lines,
        }
    }
}

/// The flags for logging, which every command takes.
#[derive(Args, Clone, Debug, Deserialize, Serialize)]
#[command(next_help_heading = "Logging")]
#[serde(rename_all = "kebab-case")]
pub(crate) struct LogArgs {
    /// Log more; twice for what libraries log, too
    #[arg(short, long, action = ArgAction::Count, global = true, conflicts_with = "quiet")]
    #[serde(default, deserialize_with = "times")]
    pub(crate) verbose: u8,
    /// Log errors only
    #[arg(short, long, global = true, action = ArgAction::SetTrue)]
    #[serde(default)]
    pub(crate) quiet: Setting<bool>,
    /// Format of the log on standard error
    #[arg(long, value_name = "FORMAT", global = true, default_value = "text")]
    pub(crate) log_format: Setting<Format>,
}

/// All settings.
#[derive(Args, Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Settings {
    /// Those for sharing ports.
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) bridge: BridgeArgs,
    /// Those for logging.
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) log: LogArgs,
}
