//! What the command line means, checked: the ports with their settings, and how to serve them.

use std::collections::HashSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::error::{ContextKind, ErrorKind};
use clap::{Args, CommandFactory, FromArgMatches};
use serde_json::{Value, json};

use crate::cli::{BridgeArgs, FlowControl, Line, Parity, PortArgs, ServeArgs, Tls};
use crate::hub::Limits;
use crate::port::select::Spec;
use crate::port::sim::Pattern;
use crate::server::{self, Rights, Token};
use crate::view::{Ending, View};

/// The TCP port that is listened on unless another one is named.
const DEFAULT_TCP_PORT: u16 = 8080;

/// The variable with the operator's own secret.
const TOKEN_VARIABLE: &str = "SERIAL_WS_TOKEN";

/// Characters of the shortest secret that cannot be guessed at five guesses a minute.
const SHORTEST_TOKEN: usize = 12;

/// All that the bridge is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// The serial ports, the first of which is at `/`.
    pub ports: Vec<PortConfig>,
    /// How clients reach them.
    pub server: ServerConfig,
    /// What each port's hub keeps.
    pub limits: Limits,
}

/// One serial port.
#[derive(Clone, Debug)]
pub struct PortConfig {
    /// What users call it; `[A-Za-z0-9_-]+`.
    pub name: String,
    /// Which device it is.
    pub spec: Spec,
    /// How to open and show it.
    pub settings: Settings,
    /// Whether to give up, instead of waiting, when it cannot be opened.
    pub no_wait: bool,
}

/// How to open and show a port.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Baud.
    pub baud: u32,
    /// 5 to 8.
    pub data_bits: u8,
    /// Parity of each character.
    pub parity: Parity,
    /// 1 or 2.
    pub stop_bits: u8,
    /// How the two sides keep each other from sending too much.
    pub flow_control: FlowControl,
    /// Data Terminal Ready after opening.
    pub dtr: Line,
    /// Request To Send after opening.
    pub rts: Line,
    /// Whether to let boards run on when the port is closed and opened again.
    pub no_reset: bool,
    /// Whether the driver should hand over at once what it receives.
    pub low_latency: bool,
    /// How long to hold writes after opening; by the kind of device where absent.
    pub settle: Option<Duration>,
    /// The view of a client that asks for none.
    pub view: View,
    /// The ending that is added to text messages that lack one.
    pub append: Ending,
    /// Bytes of a line beyond which it comes in pieces.
    pub max_line: usize,
    /// Whether clients may not write.
    pub read_only: bool,
}

/// How clients reach the ports.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Where to listen.
    pub listen: Vec<SocketAddr>,
    /// Whether an address family that the system lacks is passed over.
    pub any_family: bool,
    /// Clients that may be connected at once.
    pub max_clients: usize,
    /// Bytes of the largest message that a client may send.
    pub max_message: usize,
    /// The folder that is served at `/`, if not the built-in page.
    pub web: Option<PathBuf>,
    /// Whether to open the page in the browser.
    pub open: bool,
    /// Origins to admit beside those of this computer, and what their pages may do.
    pub allow_origin: Vec<(String, Rights)>,
    /// Host names to answer to beside those of this computer.
    pub allow_host: Vec<String>,
    /// What other computers may do, where they may connect.
    pub lan: Option<Rights>,
    /// The operator's own secret, which all must know then.
    pub token: Option<Token>,
    /// How connections from other computers are encrypted.
    pub tls: Option<TlsConfig>,
}

/// Where the certificate for encrypted connections comes from.
#[derive(Clone, Debug)]
pub enum TlsConfig {
    /// From files in PEM format.
    Files {
        /// The certificate, and those that vouch for it.
        cert: PathBuf,
        /// Its key.
        key: PathBuf,
    },
    /// The program makes its own.
    SelfSigned,
}

impl TlsConfig {
    fn new(args: &ServeArgs) -> Result<Option<Self>> {
        let tls = match (&args.tls_cert, &args.tls_key, args.tls) {
            (Some(cert), Some(key), _) => Self::Files {
                cert: cert.clone(),
                key: key.clone(),
            },
            (_, _, Some(Tls::SelfSigned)) => Self::SelfSigned,
            _ => return Ok(None),
        };
        ensure!(
            cfg!(feature = "tls"),
            "this build has no TLS. Build it with: cargo install --features tls"
        );
        Ok(Some(tls))
    }
}

impl Config {
    /// # Errors
    /// Says which argument is wrong and how it is written.
    pub fn new(args: &BridgeArgs) -> Result<Self> {
        let mut names = HashSet::new();
        let mut ports = Vec::new();
        for typed in &args.ports {
            let port = PortConfig::new(typed, &args.settings, args.no_wait)
                .with_context(|| format!("--port {typed}"))?;
            ensure!(
                names.insert(port.name.clone()),
                "two ports are called {name}. Give them names of their own: --port a={spec} --port b=…",
                name = port.name,
                spec = port.spec,
            );
            ports.push(port);
        }
        let limits = Limits {
            history: args.serve.history,
            max_behind: args.serve.max_behind,
        };
        let server = ServerConfig::new(&args.serve)?;
        Ok(Self {
            ports,
            server,
            limits,
        })
    }
}

impl PortConfig {
    /// Reads `[NAME=]SPEC[,SETTING…]`; what its settings leave open is taken from `common`.
    fn new(typed: &str, common: &PortArgs, no_wait: bool) -> Result<Self> {
        let (name, rest) = match typed.split_once('=') {
            Some((name, rest)) if is_name(name) => (Some(name), rest),
            _ => (None, typed),
        };
        let mut parts = rest.split(',');
        let spec: Spec = parts.next().unwrap_or_default().parse()?;
        if let Spec::Sim(pattern) = &spec {
            pattern.parse::<Pattern>().map_err(anyhow::Error::msg)?;
        }
        let settings = Settings::new(&port_args(parts)?, common)?;
        let name = name.map_or_else(|| spec.default_name(), str::to_owned);
        Ok(Self {
            name,
            spec,
            settings,
            no_wait,
        })
    }
}

/// Whether a port may have this name, which is part of an address then.
pub fn is_name(name: &str) -> bool {
    let is_name_byte = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    !name.is_empty() && name.bytes().all(is_name_byte)
}

/// Reads settings such as `baud=115200` and `raw` by the definitions of the flags.
fn port_args<'a>(settings: impl Iterator<Item = &'a str>) -> Result<PortArgs> {
    let command = PortArgs::augment_args(clap::Command::new("--port").no_binary_name(true));
    let flags = settings.map(|setting| format!("--{setting}"));
    let matches = command.try_get_matches_from(flags).map_err(|error| {
        if error.kind() == ErrorKind::UnknownArgument {
            let name = error.get(ContextKind::InvalidArg).map(ToString::to_string);
            let name = name.unwrap_or_default();
            let name = name.trim_start_matches('-');
            return anyhow!("there is no setting {name}. There are {}", setting_names());
        }
        let message = error.to_string();
        let first = message.lines().next().unwrap_or_default();
        anyhow!(
            "{}",
            first.trim_start_matches("error: ").replace("'--", "'")
        )
    })?;
    Ok(PortArgs::from_arg_matches(&matches)?)
}

fn setting_names() -> String {
    let command = PortArgs::augment_args(clap::Command::new("--port"));
    let names = command.get_arguments().filter_map(|arg| {
        let name = arg.get_long()?;
        let equals = if arg.get_action().takes_values() {
            "="
        } else {
            ""
        };
        Some(format!("{name}{equals}"))
    });
    names.collect::<Vec<_>>().join(", ")
}

impl Settings {
    fn new(own: &PortArgs, common: &PortArgs) -> Result<Self> {
        let settle = own.settle.or(common.settle);
        let baud = own.baud.or(common.baud).unwrap_or(9600);
        ensure!(
            baud > 0,
            "a rate of 0 baud cannot carry anything. Arduino's examples use 9600"
        );
        Ok(Self {
            baud,
            data_bits: own.data_bits.or(common.data_bits).unwrap_or(8),
            parity: own.parity.or(common.parity).unwrap_or_default(),
            stop_bits: own.stop_bits.or(common.stop_bits).unwrap_or(1),
            flow_control: own.flow_control.or(common.flow_control).unwrap_or_default(),
            dtr: own.dtr.or(common.dtr).unwrap_or_default(),
            rts: own.rts.or(common.rts).unwrap_or_default(),
            no_reset: own.no_reset || common.no_reset,
            low_latency: !(own.no_low_latency || common.no_low_latency),
            settle: settle.map(Duration::from_millis),
            view: own.view().or(common.view()).unwrap_or(View::Lines),
            append: own.append.or(common.append).unwrap_or_default(),
            max_line: own.max_line.or(common.max_line).unwrap_or(16 << 10) as usize,
            read_only: own.read_only || common.read_only,
        })
    }

    /// Bits that one byte takes on the wire, with its start, parity and stop bits.
    pub fn bits_per_byte(&self) -> u32 {
        let parity = u32::from(self.parity != Parity::None);
        1 + u32::from(self.data_bits) + parity + u32::from(self.stop_bits)
    }

    /// The settings as clients are shown them.
    pub fn to_json(self) -> Value {
        let name = |value: &dyn std::fmt::Debug| format!("{value:?}").to_lowercase();
        json!({
            "baud": self.baud,
            "dataBits": self.data_bits,
            "parity": name(&self.parity),
            "stopBits": self.stop_bits,
            "flowControl": name(&self.flow_control),
            "view": self.view.name(),
            "append": name(&self.append),
            "maxLine": self.max_line,
            "readOnly": self.read_only,
        })
    }
}

impl ServerConfig {
    fn new(args: &ServeArgs) -> Result<Self> {
        if let Some(web) = &args.web {
            ensure!(
                web.is_dir(),
                "--web {}: there is no such folder",
                web.display()
            );
        }
        let is_beyond = |address: &SocketAddr| !address.ip().to_canonical().is_loopback();
        let is_lan = args.lan || args.lan_read_only || args.listen.iter().any(is_beyond);
        let any_family = args.listen.is_empty();
        let here: [IpAddr; 2] = match is_lan {
            true => [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()],
            false => [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
        };
        let listen = match any_family {
            true => here
                .map(|ip| SocketAddr::new(ip, DEFAULT_TCP_PORT))
                .to_vec(),
            false => args.listen.clone(),
        };
        let lan = is_lan.then_some(match args.lan_read_only {
            true => Rights::ReadOnly,
            false => Rights::ReadWrite,
        });
        Ok(Self {
            listen,
            any_family,
            max_clients: args.max_clients,
            max_message: args.max_message as usize,
            web: args.web.clone(),
            open: args.open,
            allow_origin: args
                .allow_origin
                .iter()
                .map(|typed| origin(typed))
                .collect::<Result<_>>()?,
            lan,
            token: own_token(args.token.as_deref())?,
            tls: TlsConfig::new(args)?,
            allow_host: args
                .allow_host
                .iter()
                .map(|typed| host(typed))
                .collect::<Result<_>>()?,
        })
    }
}

/// Reads the operator's own secret from `file`, or else from its variable.
fn own_token(file: Option<&Path>) -> Result<Option<Token>> {
    let (from, text) = match (file, std::env::var(TOKEN_VARIABLE)) {
        (Some(file), _) => {
            let from = format!("--token {}", file.display());
            let text =
                fs::read_to_string(file).with_context(|| format!("{from}: cannot read it"))?;
            (from, text)
        }
        (None, Ok(text)) => (TOKEN_VARIABLE.to_owned(), text),
        (None, Err(_)) => return Ok(None),
    };
    let token = text.trim();
    ensure!(
        token.len() >= SHORTEST_TOKEN,
        "{from}: a token has at least {SHORTEST_TOKEN} characters"
    );
    // It stands in addresses, headers and cookies.
    let is_fit = |b: u8| b.is_ascii_graphic() && !b"\"\\;,".contains(&b);
    ensure!(
        token.bytes().all(is_fit),
        "{from}: a token has letters, digits and signs, no blanks, quotes, commas or semicolons"
    );
    Ok(Some(Token::new(token)))
}

/// Reads the name of a computer, without a port.
fn host(typed: &str) -> Result<String> {
    let bare = typed.trim_start_matches('[').trim_end_matches(']');
    match server::host_name(typed) {
        Some(name) if name == bare => Ok(name.to_owned()),
        _ => bail!("--allow-host {typed}: a name is like pi.local or 192.168.1.5, without a port"),
    }
}

/// Reads `ORIGIN[,read-only]`.
fn origin(typed: &str) -> Result<(String, Rights)> {
    let (origin, rights) = match typed.split_once(',') {
        None => (typed, Rights::ReadWrite),
        Some((origin, "read-only")) => (origin, Rights::ReadOnly),
        Some((origin, _)) => bail!("--allow-origin {typed}: write {origin} or {origin},read-only"),
    };
    let written = server::as_browsers_write(origin).with_context(|| {
        format!("--allow-origin {typed}: an origin is like https://example.org, one at a time")
    })?;
    Ok((written, rights))
}

/// Ends the program with clap's exit code for wrong usage, saying `error`.
pub fn exit_with_usage(error: &anyhow::Error) -> ! {
    crate::cli::Cli::command()
        .error(ErrorKind::ValueValidation, format!("{error:#}"))
        .exit()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Cli;

    fn config(args: &str) -> Result<Config> {
        let args = std::iter::once("serial-ws").chain(args.split_whitespace());
        Config::new(&Cli::try_parse_from(args)?.bridge)
    }

    #[track_caller]
    fn check_port(args: &str, name: &str, spec: &str, baud: u32, view: View) {
        let port = config(args).unwrap().ports.remove(0);
        let settings = port.settings;
        assert_eq!((&*port.name, &*port.spec.to_string()), (name, spec));
        assert_eq!((settings.baud, settings.view), (baud, view));
    }

    #[track_caller]
    fn check_error(args: &str, part: &str) {
        let error = format!("{:#}", config(args).unwrap_err());
        assert!(error.contains(part), "{error}");
    }

    #[test]
    fn a_port_has_a_name_a_spec_and_settings() {
        check_port(
            "--port /dev/ttyACM0",
            "ttyACM0",
            "/dev/ttyACM0",
            9600,
            View::Lines,
        );
        check_port(
            "-p uno=/dev/ttyACM0,lines",
            "uno",
            "/dev/ttyACM0",
            9600,
            View::Lines,
        );
        check_port("-p a=sim,baud=115200,raw", "a", "sim", 115_200, View::Raw);
        check_port(
            "-p /dev/ttyUSB0,baud=300",
            "ttyUSB0",
            "/dev/ttyUSB0",
            300,
            View::Lines,
        );
    }

    #[test]
    fn a_setting_of_one_port_wins_over_that_of_all() {
        check_port(
            "-p sim,baud=300 --baud 19200 --raw",
            "sim",
            "sim",
            300,
            View::Raw,
        );
        check_port("-p sim,text --raw", "sim", "sim", 9600, View::Text);
    }

    #[test]
    fn a_wrong_port_says_what_is_right() {
        check_error("-p sim,speed=3", "baud=");
        check_error("-p sim,baud=fast", "baud");
        check_error("-p sim:nothing", "sim:nothing");
        check_error("-p sim -p sim", "--port a=sim");
        check_error("-p sim,raw,text", "text");
        check_error("-p sim --baud 0", "9600");
    }

    #[test]
    fn whoever_listens_beyond_this_computer_has_the_rules_of_lan() {
        let server = |args| config(args).unwrap().server;
        assert_eq!(server("-p sim").lan, None);
        assert_eq!(server("-l 127.0.0.1:1 -l [::1]:1").lan, None);
        assert_eq!(
            server("-l 127.0.0.1:1 -l 10.0.0.1:1").lan,
            Some(Rights::ReadWrite)
        );
        assert_eq!(server("--lan").lan, Some(Rights::ReadWrite));
        assert_eq!(server("--lan-read-only").lan, Some(Rights::ReadOnly));
        assert_eq!(server("--lan").listen[0].to_string(), "0.0.0.0:8080");
    }

    #[test]
    fn a_wrong_name_or_site_says_what_is_right() {
        check_error("--allow-host pi.local:8080", "without a port");
        check_error("--allow-origin example.org", "https://example.org");
        check_error("--allow-origin *", "https://example.org");
        check_error(
            "--allow-origin https://a.example,write",
            "https://a.example,read-only",
        );
        check_error("--token /no/such/file", "/no/such/file");
    }
}
