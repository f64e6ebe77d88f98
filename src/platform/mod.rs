//! Everything that differs between systems, behind one interface: who holds a port, who may open
//! it, where it is plugged in, what its driver can do beyond the ordinary, where configuration is
//! kept, whether somebody can be asked, and how a process ends by a signal. Nothing here opens a port but `is_terminal`, and all `unsafe` of the program is
//! below this module.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio_serial::SerialStream;

use crate::hub::LineErrors;

pub(crate) mod signal;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(all(unix, not(target_os = "linux")))]
mod macos;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(target_os = "linux")]
use linux as system;
#[cfg(all(unix, not(target_os = "linux")))]
use macos as system;
#[cfg(windows)]
use windows as system;

/// How long the system may refuse a port that was closed just now.
pub(crate) const CLOSING: Duration = system::CLOSING;

/// The other process that has a port open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    /// What the process calls itself, so not to be trusted: escape it before showing it.
    pub(crate) name: String,
    /// Its process id.
    pub(crate) pid: u32,
}

/// Whether we may open a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Access {
    /// Both reading and writing are permitted.
    Granted,
    /// The system refuses us; `hint` is the next step, a sentence for the user.
    Denied {
        /// None where nothing useful can be said.
        hint: Option<String>,
    },
    /// The port is missing, or this system cannot tell without opening it.
    Unknown,
}

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PathKind {
    /// Nothing at all.
    Missing,
    /// Something that can be tried as a serial port.
    Port,
    /// Something that can never be one, in words: "a directory", "a regular file".
    NotAPort(&'static str),
}

/// Something to know about ports, as a sentence for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Remark {
    /// It is as it should be.
    Right(String),
    /// It is good to know.
    Note(String),
    /// There is something to do.
    Do(String),
}

/// What starts programs by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(dead_code, reason = "each system has one of them")]
pub(crate) enum Starter {
    /// Linux, most often.
    Systemd,
    /// macOS.
    Launchd,
    /// Windows, at login.
    StartupFolder,
}

/// A signal that ends the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopSignal {
    /// Ctrl-C, SIGINT.
    Interrupt,
    /// What `kill` and service managers send, SIGTERM.
    Terminate,
}

/// The other process that holds this port; None when there is none, or when it cannot be known
/// (it belongs to another user, or the system does not tell).
pub(crate) fn holder(path: &str) -> Option<Holder> {
    system::holder(path)
}

/// Whether we may open this port, and if not, what would help.
pub(crate) fn access(path: &str) -> Access {
    system::access(path)
}

/// Other names of this port, those by identity before those by place.
pub(crate) fn aliases(path: &str) -> Vec<String> {
    system::aliases(path)
}

/// The USB socket that the port's device is plugged into, such as `1-1.2`.
pub(crate) fn usb_location(path: &str) -> Option<String> {
    system::usb_location(path)
}

/// False for an entry behind which there is no device that anyone would want to open.
pub(crate) fn has_hardware(path: &str) -> bool {
    system::has_hardware(path)
}

/// Whether two spellings name the same port.
pub(crate) fn same_port(a: &str, b: &str) -> bool {
    system::same_port(a, b)
}

/// What this system does with a port beside letting it be opened; `low_latency` is whether it would
/// be asked for. Opens nothing.
pub(crate) fn remarks_on_port(path: &str, low_latency: bool) -> Vec<Remark> {
    system::of_port(path, low_latency)
}

/// What keeps boards from having a port here; `is_missing` is whether one is missed.
pub(crate) fn remarks_on_missing_ports(is_missing: bool) -> Vec<Remark> {
    system::of_missing_ports(is_missing)
}

/// The other process that listens at this address; None when there is none, or when it cannot be
/// known.
pub(crate) fn listener(address: SocketAddr) -> Option<Holder> {
    system::listener(address)
}

/// What a path names. Never opens it.
pub(crate) fn describe_path(path: &str) -> PathKind {
    system::describe_path(path)
}

/// Whether a port that could not be opened is not there. Never opens it.
pub(crate) fn is_missing(path: &str) -> bool {
    system::is_missing(path)
}

/// Whether a device that could not be opened as a serial port is a terminal at all. Opens it.
pub(crate) fn is_terminal(path: &str) -> bool {
    system::is_terminal(path)
}

/// Why ports cannot be listed here, if so.
pub(crate) fn cannot_list() -> Option<&'static str> {
    system::cannot_list()
}

/// The rate to open a port with so that it has `baud`, where it is one that has a rate.
pub(crate) fn rate(path: &str, baud: u32) -> u32 {
    system::rate(path, baud)
}

/// Asks the driver to hand over what it receives at once instead of gathering it for a while, and
/// returns whether it will. FTDI's adapters otherwise wait up to 16 ms.
pub(crate) fn set_low_latency(port: &SerialStream) -> bool {
    system::set_low_latency(port)
}

/// As much of `bytes` as to write before asking how it went, so that what is called written is.
pub(crate) fn piece(bytes: &[u8]) -> &[u8] {
    system::piece(bytes)
}

/// Discards what a port that was just opened had received before.
pub(crate) async fn discard_input(port: &mut SerialStream) {
    system::discard_input(port).await;
}

/// Discards what a port that stays open was given and has not sent yet.
pub(crate) fn discard_output(port: &SerialStream) {
    system::discard_output(port);
}

/// Whether a device that could not be read or written is as good as before.
pub(crate) fn is_transient(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, WouldBlock};
    matches!(error.kind(), Interrupted | WouldBlock) || system::is_transient(error)
}

/// Whether nobody reads any more what we print, as after `| head`.
pub(crate) fn is_reader_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe || system::is_reader_gone(error)
}

/// What went wrong on the line since the device was plugged in; None where it is not counted.
pub(crate) fn line_errors(port: &SerialStream) -> Option<LineErrors> {
    system::line_errors(port)
}

/// Lets the modem lines stay as they are when this port is closed, now and until it is unplugged.
///
/// # Errors
/// Where the system or the driver has no such setting.
pub(crate) fn keep_lines_on_close(port: &SerialStream) -> io::Result<()> {
    system::keep_lines_on_close(port)
}

/// What this system cannot do of keeping boards from restarting when their port is opened; None
/// where only the first opening after plugging in restarts them.
pub(crate) fn cannot_keep_lines() -> Option<&'static str> {
    system::cannot_keep_lines()
}

/// Shows a page in the browser. Waits for the program that opens it, which may stay.
///
/// # Errors
/// When there is no such program, or it fails.
pub(crate) fn open_in_browser(url: &str) -> io::Result<()> {
    let mut opener = system::browser();
    let opener = opener.arg(url).stdin(Stdio::null()).stdout(Stdio::null());
    let name = opener.get_program().to_string_lossy().into_owned();
    let with_name = |e: io::Error| io::Error::new(e.kind(), format!("{name}: {e}"));
    match opener.stderr(Stdio::null()).status().map_err(with_name)? {
        status if status.success() => Ok(()),
        status => Err(io::Error::other(format!("{name}: {status}"))),
    }
}

/// What starts programs by itself here, and the folder for files that say which, of this user;
/// None where the system names none.
pub(crate) fn starter() -> (Starter, Option<PathBuf>) {
    system::starter()
}

/// The group that may open serial ports here, where there is one.
pub(crate) fn serial_group() -> Option<String> {
    system::serial_group()
}

/// The folder where this program keeps its configuration; None where the system names none.
pub(crate) fn config_folder() -> Option<PathBuf> {
    system::config_home().map(|home| home.join("serial-ws"))
}

/// Reads a file that nobody but its owner may change.
///
/// # Errors
/// Also where others may change it.
pub(crate) fn read_private(path: &Path) -> io::Result<String> {
    system::check_private(path)?;
    fs::read_to_string(path)
}

/// Writes a file, with its folder, that nobody but its owner may read or change. Whoever reads it
/// meanwhile finds it as it was or as it will be.
///
/// # Errors
/// Where it cannot be written.
pub(crate) fn write_private(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        system::create_private_folder(folder)?;
    }
    let new = path.with_extension(format!("new-{}", std::process::id()));
    let written = system::create_private(&new)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())
                .and_then(|()| file.sync_all())
        })
        .and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        // Half a file helps nobody, and the next start would leave another one.
        let _ = fs::remove_file(&new);
    }
    written
}

/// Whether somebody at a terminal can be asked now. From then on, reading what is typed does not
/// stop a program that was sent to the background, but fails.
pub(crate) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal() && system::is_in_foreground()
}

/// Whether terminals understand escape sequences; those of Windows do so when they are asked to.
pub(crate) fn shows_colours() -> bool {
    system::shows_colours()
}

/// Tells the service manager that started us, if one wants to know, how we are: `READY=1` or
/// `STOPPING=1` (sd_notify(3)).
pub(crate) fn tell_service_manager(state: &str) {
    #[cfg(target_os = "linux")]
    if let Some(socket) = std::env::var_os("NOTIFY_SOCKET")
        && let Err(error) = system::notify(&socket, state)
    {
        tracing::debug!(%error, "cannot notify the service manager");
    }
    // No other system has it.
    #[cfg(not(target_os = "linux"))]
    let _ = state;
}

/// Forgets what was typed and not read yet.
pub(crate) fn forget_typed() {
    system::forget_typed();
}

/// The name of this computer in its network, without a domain.
pub(crate) fn computer_name() -> Option<String> {
    let name = system::computer_name()?;
    let first = name.split('.').next()?;
    let is_name = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    (!first.is_empty() && is_name(first)).then(|| first.to_owned())
}

/// Whether who started us wants us to outlive the terminal, as `nohup` does.
#[cfg(unix)]
pub(crate) fn ignores_hangup() -> bool {
    system::ignores_hangup()
}

/// Ends the process as if it had never handled the signal, so that its parent sees why, and the
/// kernel does not wait for output that a port still holds.
pub(crate) fn end_by_signal(signal: StopSignal) -> ! {
    system::end_by_signal(signal)
}
