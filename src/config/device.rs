//! Reads the SPEC of a port, and refuses what can never become a device, with what was probably
//! meant. What can become one by waiting is left to the port, which waits for it.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use clap::CommandFactory;

use super::names::{self, DEFAULTS, ONLY_FLAGS};
use crate::cli::Cli;
use crate::port::source::serial::enumerate::{self, PortInfo};
use crate::port::source::serial::os::{self, PathKind};
use crate::port::source::sim::Pattern;
use crate::port::source::spec::{self, Spec, is_com_port};
use crate::terminal::shown;

/// Rates that a number without a flag may mean; a number that is none may be a TCP port.
const USUAL_RATES: [u32; 18] = [
    300, 1200, 2400, 4800, 9600, 14_400, 19_200, 28_800, 31_250, 38_400, 57_600, 74_880, 115_200,
    230_400, 250_000, 460_800, 500_000, 921_600,
];

/// The least TCP port that a program may listen on without special rights.
const MIN_FREE_TCP_PORT: u32 = 1024;

/// The beginning of the list of what is known, which is left out where something else was meant.
const KNOWN: &str = " (known: ";

/// The advice where a port has a name that this system has for none, likewise.
const LIST: &str = ": serial-ws list shows those of this computer";

/// The place where a SPEC was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Alone on the command line, where a command or a flag may have been meant.
    Argument,
    /// After `--port`, in its variable, or in a file.
    Setting,
}

/// Reads a SPEC.
///
/// # Errors
/// Says why it can never become a device, and what was probably meant.
pub(super) fn read(text: &str, place: Place) -> Result<Spec, String> {
    let why = match text.parse() {
        Ok(Spec::Path(path)) => match impossible(text, &path) {
            None => return Ok(Spec::Path(path)),
            Some(why) => why,
        },
        Ok(spec) => return Ok(spec),
        Err(error) => format!("{error:#}"),
    };
    let listed = enumerate::ports().unwrap_or_default();
    let Some(meant) = of_a_file(text, place).or_else(|| meant(text, place, &listed)) else {
        return Err(why);
    };
    // What is known is of no interest to those who know what they meant.
    let why = [KNOWN, LIST]
        .iter()
        .find_map(|rest| Some(why.split_once(rest)?.0))
        .unwrap_or(&why);
    Err(format!("{why}; did you mean `{}`?", shown(&meant)))
}

/// Returns why there can never be a serial port at a path, if that is certain.
fn impossible(text: &str, path: &str) -> Option<String> {
    let name = shown(path);
    let is_word = !text.contains(['/', '\\']);
    match os::describe_path(path) {
        PathKind::NotAPort(what) => return Some(format!("`{name}` is {what}, not a serial port")),
        PathKind::Port if cfg!(unix) => return None,
        PathKind::Port | PathKind::Missing => {}
    }
    if is_com_port(path) {
        let only = format!("only Windows has serial ports with names such as `{name}`{LIST}");
        return (!cfg!(windows)).then_some(only);
    }
    if cfg!(windows) && path.starts_with("/dev/") {
        let none = format!("Windows has no serial ports with names such as `{name}`{LIST}");
        return Some(none);
    }
    let is_unknown = is_word && !is_there(path);
    is_unknown.then(|| format!("unknown device `{name}`{KNOWN}{})", spec::forms()))
}

/// Tells whether a word is a file, or names a port of the system without being a file.
fn is_there(word: &str) -> bool {
    let listed = || enumerate::ports().unwrap_or_default();
    fs::symlink_metadata(word).is_ok() || listed().iter().any(|port| port.is_called(word))
}

/// Returns what was probably meant by a file or a folder.
fn of_a_file(text: &str, place: Place) -> Option<String> {
    let path = Path::new(text);
    let kind = fs::metadata(path)
        .ok()
        .filter(|_| place == Place::Argument)?;
    let extension = path.extension().and_then(|extension| extension.to_str());
    match extension.map(str::to_ascii_lowercase).as_deref() {
        _ if kind.is_dir() => Some(format!("--web {text}")),
        Some("toml") => Some(format!("--config {text}")),
        Some("html" | "htm" | "js") => {
            let folder = path.parent()?.to_str().filter(|folder| !folder.is_empty());
            Some(format!("--web {}", folder.unwrap_or(".")))
        }
        _ => None,
    }
}

/// Returns what was probably meant by a text that can never become a device.
fn meant(text: &str, place: Place, listed: &[PortInfo]) -> Option<String> {
    let word = text.trim();
    of_a_number(word)
        .or_else(|| of_an_address(word, place))
        .or_else(|| of_a_scheme(word))
        .or_else(|| of_a_kind(word))
        .or_else(|| of_a_path(word))
        .or_else(|| of_a_name(word, place, listed))
        .or_else(|| of_a_board(word, listed))
}

/// `9600` is a rate, `8090` a TCP port.
fn of_a_number(word: &str) -> Option<String> {
    let number: u32 = word.parse().ok()?;
    let is_tcp_port = (MIN_FREE_TCP_PORT..=u32::from(u16::MAX)).contains(&number);
    Some(if is_tcp_port && !USUAL_RATES.contains(&number) {
        format!("--listen {number}")
    } else {
        format!("--baud {number}")
    })
}

/// `:8090` is a place to listen at, `ws://localhost:8080` one to connect to.
fn of_an_address(word: &str, place: Place) -> Option<String> {
    let schemes = ["ws://", "wss://", "http://", "https://"];
    if schemes.iter().any(|scheme| word.starts_with(scheme)) {
        return (place == Place::Argument).then(|| format!("serial-ws connect {word}"));
    }
    let port = word.strip_prefix("localhost").unwrap_or(word);
    let port = port.strip_prefix(':').and_then(|port| port.parse().ok());
    let port = port.map(|port: u16| port.to_string());
    let address = || {
        word.parse()
            .ok()
            .map(|address: SocketAddr| address.to_string())
    };
    port.or_else(address)
        .map(|address| format!("--listen {address}"))
}

/// pyserial writes `socket://HOST:PORT`, and ser2net's users may think of `telnet://`.
fn of_a_scheme(word: &str) -> Option<String> {
    let schemes = ["socket://", "telnet://", "raw://"];
    let place = schemes
        .iter()
        .find_map(|scheme| word.strip_prefix(scheme))?;
    let meant = format!("tcp://{place}");
    meant.parse::<Spec>().is_ok().then_some(meant)
}

/// `2341:0043` is a board on USB, `simm:raw` a simulated one, and so is `sim:rwa`.
fn of_a_kind(word: &str) -> Option<String> {
    let (kind, rest) = word.split_once(':')?;
    if kind == "sim" {
        let patterns = Pattern::ALL.iter().map(ToString::to_string);
        let patterns: Vec<_> = patterns.collect();
        return names::nearest(word, patterns.iter().map(String::as_str)).map(str::to_owned);
    }
    let near = names::nearest(kind, spec::words().into_iter()).map(|near| format!("{near}:{rest}"));
    let on_usb = format!("usb:{word}");
    let mut specs = near.into_iter().chain([on_usb]);
    specs.find(|spec| spec.parse::<Spec>().is_ok())
}

/// `ttyUSB0` is in `/dev`, whether or not it is there now.
fn of_a_path(word: &str) -> Option<String> {
    if !cfg!(unix) || word.contains(['/', ':']) || word.is_empty() {
        return None;
    }
    let usual = ["ttyACM", "ttyUSB", "ttyS", "ttyAMA", "cu.", "tty."];
    let is_usual = usual.iter().any(|start| word.starts_with(start));
    let paths = [format!("/dev/{word}"), format!("/dev/tty{word}")];
    let mut paths = paths.into_iter();
    let is_port = |path: &str| os::describe_path(path) == PathKind::Port;
    if is_usual {
        paths.next()
    } else {
        paths.find(|path| is_port(path))
    }
}

/// `lst` is a command, `lop` a kind of device, `ttyacm0` the name of a port, and `raw` a flag.
fn of_a_name(word: &str, place: Place, listed: &[PortInfo]) -> Option<String> {
    let command = Cli::command();
    let mut meant: Vec<(String, String)> = Vec::new();
    if place == Place::Argument {
        let commands = command.get_subcommands().map(clap::Command::get_name);
        meant.extend(commands.map(|name| (name.to_owned(), format!("serial-ws {name}"))));
        if DEFAULTS.contains_key(word) || ONLY_FLAGS.contains(&word) {
            return Some(format!("--{word}"));
        }
    }
    let kinds = spec::words()
        .into_iter()
        .filter(|kind| kind.parse::<Spec>().is_ok());
    meant.extend(kinds.map(|kind| (kind.to_owned(), kind.to_owned())));
    let ports = listed.iter().filter(|port| !port.is_placeholder());
    meant.extend(ports.map(|port| {
        let name = port.path.rsplit(['/', '\\']).next().unwrap_or_default();
        (name.to_lowercase(), port.path.clone())
    }));
    let near = names::nearest(word, meant.iter().map(|(name, _)| name.as_str()))?;
    let mut meant = meant.iter();
    meant
        .find(|(name, _)| name == near)
        .map(|(_, meant)| meant.clone())
}

/// `uno` is the only board that is called so, and any word on a system that calls ports otherwise
/// is its only board.
fn of_a_board(word: &str, listed: &[PortInfo]) -> Option<String> {
    let is_elsewhere = is_com_port(word) || word.starts_with("/dev/") || word.starts_with("tty");
    let word = word.to_lowercase();
    let is_called = |port: &&PortInfo| {
        let board = port.board().filter(|_| word.len() > 1);
        let is_so = board.is_some_and(|board| board.to_lowercase().contains(&word));
        is_so || is_elsewhere && port.usb().is_some()
    };
    let mut boards = listed.iter().filter(is_called);
    let board = boards.next()?;
    boards.next().is_none().then(|| board.path.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed() -> Vec<PortInfo> {
        vec![
            PortInfo::fake_usb("/dev/ttyACM0", "2341:0043"),
            PortInfo::fake_usb("COM12", "1a86:7523"),
        ]
    }

    #[track_caller]
    fn check(word: &str, place: Place, expected: &str) {
        let meant = meant(word, place, &listed());
        assert_eq!(meant.as_deref().unwrap_or_default(), expected, "{word}");
    }

    #[test]
    fn a_word_that_is_no_device_may_be_something_else() {
        for (word, meant) in [
            ("lst", "serial-ws list"),
            ("conect", "serial-ws connect"),
            ("9600", "--baud 9600"),
            ("115200", "--baud 115200"),
            ("8090", "--listen 8090"),
            (":8090", "--listen 8090"),
            ("localhost:8090", "--listen 8090"),
            ("127.0.0.1:8090", "--listen 127.0.0.1:8090"),
            ("lan", "--lan"),
            ("version", "--version"),
            ("sin", "sim"),
            ("SIM", "sim"),
            ("simm:raw", "sim:raw"),
            ("sim:imy", "sim:imu"),
            ("tpc://a:4000", "tcp://a:4000"),
            ("exe:ls", "exec:ls"),
            ("socket://a:4000", "tcp://a:4000"),
            ("2341:0043", "usb:2341:0043"),
            ("ubs:2341:0043", "usb:2341:0043"),
            ("uno", "/dev/ttyACM0"),
            ("com12", "COM12"),
            ("com13", "COM12"),
        ] {
            check(word, Place::Argument, meant);
        }
        for far in ["nonsense", "", "?", "mqtt:a"] {
            check(far, Place::Argument, "");
        }
    }

    #[test]
    fn after_a_flag_no_command_is_meant() {
        check("lst", Place::Setting, "");
        check("lop", Place::Setting, "loop");
        check("lan", Place::Setting, "");
    }

    #[cfg(unix)]
    #[test]
    fn names_without_their_folder_are_in_dev() {
        check("ttyUSB7", Place::Argument, "/dev/ttyUSB7");
        check("cu.usbmodem1101", Place::Setting, "/dev/cu.usbmodem1101");
    }
}
