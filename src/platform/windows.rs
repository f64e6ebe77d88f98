//! Windows: ports are names, not files, and the system tells little about them without opening.

use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::time::timeout;
use tokio_serial::SerialStream;

use super::{Access, Holder, PathKind, Remark, Starter, StopSignal};
use crate::hub::LineErrors;

/// `ERROR_TIMEOUT` of winerror.h.
const ERROR_TIMEOUT: i32 = 1460;

/// `ERROR_PIPE_NOT_CONNECTED` of winerror.h.
const PIPE_NOT_CONNECTED: i32 = 233;

/// How much is written at once, in bytes. More is faster, and less is known of it when it is lost.
const WRITE_AT_ONCE: usize = 1024;

/// How much the library reads at once, in bytes.
const READ_AHEAD: usize = 4096;

/// What a port has received before is read within this time.
const READ_WITHIN: Duration = Duration::from_millis(10);

/// No driver keeps more than so many reads; a device may go on sending meanwhile.
const MOST_READS: usize = 4;

/// What comes before the name of any device, where programs must be exact.
const DEVICE_PREFIX: &str = r"\\.\";

/// A port that was closed just now is refused for a moment, and every opening closes it once: the
/// library opens it twice.
pub(crate) const CLOSING: Duration = Duration::from_millis(500);

/// The library calls all that it is given written, and learns later whether it was.
pub(crate) fn piece(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(WRITE_AT_ONCE)]
}

/// The library begins to read as soon as the port is open. Discarding in the driver would abort
/// that, which looks like a loss, and miss what was read already.
pub(crate) async fn discard_input(port: &mut SerialStream) {
    let mut scrap = [0; READ_AHEAD];
    for _ in 0..MOST_READS {
        match timeout(READ_WITHIN, port.read(&mut scrap)).await {
            Ok(Ok(1..)) => {}
            _ => return,
        }
    }
}

/// Nothing: it would abort a write under way, which looks like a loss as well.
pub(crate) fn discard_output(_port: &SerialStream) {}

pub(crate) fn shows_colours() -> bool {
    anstyle_query::windows::enable_ansi_colors().unwrap_or(false)
}

pub(crate) fn is_reader_gone(error: &io::Error) -> bool {
    error.raw_os_error() == Some(PIPE_NOT_CONNECTED)
}

/// A read may end with nothing, for the pause between two bytes that would have ended it.
pub(crate) fn is_transient(error: &io::Error) -> bool {
    error.raw_os_error() == Some(ERROR_TIMEOUT)
}

pub(crate) fn holder(_path: &str) -> Option<Holder> {
    None
}

pub(crate) fn listener(_address: SocketAddr) -> Option<Holder> {
    None
}

pub(crate) fn of_port(_path: &str, _low_latency: bool) -> Vec<Remark> {
    Vec::new()
}

pub(crate) fn of_missing_ports(is_missing: bool) -> Vec<Remark> {
    let text = "a board that the Device Manager lists under Other devices lacks its driver: get it \
                from the maker of its chip";
    let remark = is_missing.then(|| Remark::Note(text.to_owned()));
    Vec::from_iter(remark)
}

pub(crate) fn access(_path: &str) -> Access {
    Access::Unknown
}

pub(crate) fn aliases(_path: &str) -> Vec<String> {
    Vec::new()
}

pub(crate) fn usb_location(_path: &str) -> Option<String> {
    None
}

pub(crate) fn has_hardware(_path: &str) -> bool {
    true
}

pub(crate) fn config_home() -> Option<PathBuf> {
    std::env::var_os("APPDATA").map(PathBuf::from)
}

/// Files in a user's folder are that user's alone unless someone changed that.
pub(crate) fn check_private(path: &Path) -> io::Result<()> {
    fs::metadata(path).map(drop)
}

pub(crate) fn create_private_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    File::create(path)
}

pub(crate) fn is_in_foreground() -> bool {
    true
}

/// What was typed before a question counts as its answer here.
pub(crate) fn forget_typed() {}

pub(crate) fn computer_name() -> Option<String> {
    std::env::var("COMPUTERNAME").ok()
}

pub(crate) fn same_port(a: &str, b: &str) -> bool {
    name(a).eq_ignore_ascii_case(name(b))
}

fn name(path: &str) -> &str {
    path.strip_prefix(DEVICE_PREFIX).unwrap_or(path)
}

/// A bare name can only be a device, and so is `COM3` in any folder. Neither is looked up as a
/// file: asking for its metadata would open the port.
pub(crate) fn is_terminal(_path: &str) -> bool {
    true
}

pub(crate) fn describe_path(path: &str) -> PathKind {
    let is_bare = !name(path).contains(['\\', '/', '.', ':']);
    if is_bare || ends_in_com_port(path) {
        return PathKind::Port;
    }
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => PathKind::NotAPort("a directory"),
        Ok(_) => PathKind::NotAPort("a file"),
        Err(_) => PathKind::Missing,
    }
}

/// Opening fails in the same way for a port that is not there and for one that another program has.
/// The list has both of those that are there.
pub(crate) fn is_missing(path: &str) -> bool {
    let listed = serialport::available_ports();
    listed.is_ok_and(|ports| !ports.iter().any(|port| same_port(&port.port_name, path)))
}

fn ends_in_com_port(path: &str) -> bool {
    let last = path.rsplit(['\\', '/']).next().unwrap_or(path);
    let stem = last.split(['.', ':']).next().unwrap_or(last);
    let (word, number) = stem.split_at_checked(3).unwrap_or((stem, ""));
    word.eq_ignore_ascii_case("com") && number.parse::<u32>().is_ok()
}

pub(crate) fn rate(_path: &str, baud: u32) -> u32 {
    baud
}

pub(crate) fn starter() -> (Starter, Option<PathBuf>) {
    let folder = r"Microsoft\Windows\Start Menu\Programs\Startup";
    let folder = config_home().map(|home| home.join(folder));
    (Starter::StartupFolder, folder)
}

/// Everybody may.
pub(crate) fn serial_group() -> Option<String> {
    None
}

pub(crate) fn cannot_list() -> Option<&'static str> {
    None
}

pub(crate) fn set_low_latency(_port: &SerialStream) -> bool {
    false
}

pub(crate) fn line_errors(_port: &SerialStream) -> Option<LineErrors> {
    None
}

pub(crate) fn keep_lines_on_close(_port: &SerialStream) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Ports are opened with their lines released, and these are asserted afterwards.
pub(crate) fn cannot_keep_lines() -> Option<&'static str> {
    Some(
        "on Windows the modem lines are released whenever a port is opened: boards restart all the same",
    )
}

/// There are no signals here: ends with the status that says "stopped before the end".
pub(crate) fn end_by_signal(_signal: StopSignal) -> ! {
    std::process::exit(1)
}

/// What opens a page in the browser, given its address.
pub(crate) fn browser() -> Command {
    let mut command = Command::new("rundll32");
    // Not `start`, which is of the shell and takes `&` in an address for its own.
    command.arg("url.dll,FileProtocolHandler");
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_case_and_prefix() {
        assert!(same_port("COM3", r"\\.\com3"));
        assert!(!same_port("COM3", "COM31"));
    }

    #[test]
    fn a_bare_name_is_a_port() {
        assert_eq!(describe_path("com3"), PathKind::Port);
        assert_eq!(describe_path(r"\\.\COM12"), PathKind::Port);
        assert_eq!(describe_path(r"C:\COM3.txt"), PathKind::Port);
        assert_eq!(describe_path(r"C:\"), PathKind::NotAPort("a directory"));
        assert_eq!(describe_path(r"C:\no\such"), PathKind::Missing);
    }
}
