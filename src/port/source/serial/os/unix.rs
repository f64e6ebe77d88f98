//! The parts of serial ports that Linux and macOS have in common.

use std::fs::{self, Metadata};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process;
use rustix::termios::{ControlModes, OptionalActions, tcgetattr, tcsetattr};
use serialport::{ClearBuffer, SerialPort};

use super::{Access, PathKind, SerialStream};
use crate::hub::ModemInputs;
use crate::terminal::shown;

/// Reading and writing for the group, as bits of a file's mode.
const GROUP_READ_WRITE: u32 = 0o060;

/// Returns whether we may open `path`. `join` gives the command that adds the user to a group.
pub(crate) fn access(path: &str, join: impl Fn(&str) -> String) -> Access {
    let wanted = rustix::fs::Access::READ_OK | rustix::fs::Access::WRITE_OK;
    match rustix::fs::access(path, wanted) {
        Ok(()) => Access::Granted,
        Err(Errno::ACCESS) => Access::Denied {
            hint: fs::metadata(path)
                .ok()
                .and_then(|metadata| hint(path, &metadata, join)),
        },
        Err(_) => Access::Unknown,
    }
}

fn hint(path: &str, metadata: &Metadata, join: impl Fn(&str) -> String) -> Option<String> {
    let gid = metadata.gid();
    if gid == 0 || metadata.mode() & GROUP_READ_WRITE != GROUP_READ_WRITE {
        return Some(format!(
            "Only root may open it. To allow it until it is unplugged: sudo chmod a+rw {}; for good, \
             add a udev rule",
            shown(path)
        ));
    }
    if in_group(gid) {
        // The mode would let us in, so something else keeps us out, and we cannot tell what.
        return None;
    }
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    let user = std::env::var("USER").unwrap_or_default();
    let group = group_name(&groups, gid);
    if lists_member(&groups, gid, &user) {
        // This session began before.
        return Some(format!(
            "It belongs to group {group}, which you have joined: log out and in"
        ));
    }
    let join = join(&group);
    Some(format!(
        "It belongs to group {group}: {join}, then log out and in"
    ))
}

fn in_group(gid: u32) -> bool {
    process::getegid().as_raw() == gid
        || process::getgroups().is_ok_and(|groups| groups.iter().any(|g| g.as_raw() == gid))
}

/// The fields of one group in the text of `/etc/group`: name, password, id, members.
fn group_fields(groups: &str, gid: u32) -> Option<Vec<&str>> {
    groups
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.get(2).and_then(|id| id.parse().ok()) == Some(gid))
}

fn group_name(groups: &str, gid: u32) -> String {
    group_fields(groups, gid).map_or_else(|| gid.to_string(), |fields| fields[0].to_owned())
}

fn lists_member(groups: &str, gid: u32, user: &str) -> bool {
    !user.is_empty()
        && group_fields(groups, gid)
            .and_then(|fields| fields.get(3).copied())
            .is_some_and(|members| members.split(',').any(|member| member == user))
}

/// The device number of a character device.
pub(crate) fn device_number(path: &str) -> Option<u64> {
    let metadata = fs::metadata(path).ok()?;
    metadata
        .file_type()
        .is_char_device()
        .then(|| metadata.rdev())
}

/// Returns whether two spellings name the same port.
pub(crate) fn same_port(a: &str, b: &str) -> bool {
    if a == b {
        return true;
    }
    match (fs::canonicalize(a), fs::canonicalize(b)) {
        (Ok(real_a), Ok(real_b)) if real_a == real_b => true,
        (Ok(_), Ok(_)) => device_number(a).is_some_and(|number| device_number(b) == Some(number)),
        _ => false,
    }
}

/// Returns what a path names. Never opens it.
pub(crate) fn describe_path(path: &str) -> PathKind {
    let kind = match fs::metadata(path) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return PathKind::Missing,
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return PathKind::Missing,
        // A folder that we may not enter: opening gives the better answer.
        Err(_) => return PathKind::Port,
    };
    if kind.is_char_device() {
        PathKind::Port
    } else if kind.is_dir() {
        PathKind::NotAPort("a directory")
    } else if kind.is_file() {
        PathKind::NotAPort("a regular file")
    } else if kind.is_fifo() {
        PathKind::NotAPort("a named pipe")
    } else if kind.is_socket() {
        PathKind::NotAPort("a socket")
    } else {
        PathKind::NotAPort("a disk")
    }
}

/// The time for which the system may refuse a port that was closed just now: here it can be opened
/// again at once.
pub(crate) const REOPEN_TIMEOUT: Duration = Duration::ZERO;

/// Returns the part of `bytes` to write before asking how it went, so that only what was really
/// written counts as written.
pub(crate) fn write_chunk(bytes: &[u8]) -> &[u8] {
    bytes
}

/// Returns true if a port has something to be read, or has gone.
pub(crate) fn has_input(port: &SerialStream) -> bool {
    !is_silent_until(port, Instant::now())
}

/// Waits until then, and returns whether the port had nothing to be read all the while. Blocks,
/// because that is more exact than a timer of the runtime.
pub(crate) fn is_silent_until(port: &SerialStream, deadline: Instant) -> bool {
    has_no_input_until(descriptor(port), deadline)
}

/// Does the same for a descriptor. The system looks once more at the end.
pub(super) fn has_no_input_until(port: BorrowedFd<'_>, deadline: Instant) -> bool {
    loop {
        let rest = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec {
            tv_sec: rest.as_secs() as _,
            tv_nsec: rest.subsec_nanos().into(),
        };
        let input = PollFd::from_borrowed_fd(port, PollFlags::IN);
        match poll(&mut [input], Some(&timeout)) {
            Err(Errno::INTR) => {}
            found => return found == Ok(0),
        }
    }
}

/// Discards what a port that was just opened had received before.
pub(crate) fn discard_input(port: &mut SerialStream) {
    // A driver that cannot discard it has none.
    let _ = port.clear(ClearBuffer::Input);
}

/// Discards what a port that stays open was given and has not sent yet.
pub(crate) fn discard_output(port: &SerialStream) {
    // A driver that cannot discard it sends it.
    let _ = port.clear(ClearBuffer::Output);
}

/// Returns the modem's inputs; None where the device has none, such as a pseudo-terminal.
pub(crate) fn inputs(port: &mut SerialStream) -> Option<ModemInputs> {
    let mut lines: libc::c_int = 0;
    // SAFETY: the request writes one `int`, which this is, and keeps no pointer to it.
    let done = unsafe { libc::ioctl(port.as_raw_fd(), libc::TIOCMGET, &raw mut lines) };
    let is_on = |line| lines & line != 0;
    (done == 0).then(|| ModemInputs {
        cts: is_on(libc::TIOCM_CTS),
        dsr: is_on(libc::TIOCM_DSR),
        dcd: is_on(libc::TIOCM_CAR),
        ri: is_on(libc::TIOCM_RI),
    })
}

/// Returns whether a port that could not be opened is gone. Never opens it.
pub(crate) fn is_missing(path: &str) -> bool {
    describe_path(path) != PathKind::Port
}

/// The descriptor of an open port.
pub(crate) fn descriptor(port: &SerialStream) -> BorrowedFd<'_> {
    // SAFETY: the port owns this descriptor and is borrowed for as long as the result lives.
    unsafe { BorrowedFd::borrow_raw(port.as_raw_fd()) }
}

/// Lets the modem lines stay as they are when this port is closed, now and until it is unplugged:
/// clears "hang up on close", which a driver remembers beyond the end of the program.
///
/// # Errors
/// Where the system or the driver has no such setting.
pub(crate) fn keep_lines_on_close(port: &SerialStream) -> io::Result<()> {
    let port = descriptor(port);
    let mut settings = tcgetattr(port)?;
    settings.control_modes.remove(ControlModes::HUPCL);
    Ok(tcsetattr(port, OptionalActions::Now, &settings)?)
}

/// Returns whether a device that could not be opened as a serial port is a terminal at all. Opens
/// it.
pub(crate) fn is_terminal(path: &str) -> bool {
    use rustix::fs::{Mode, OFlags, open};
    let flags = OFlags::RDONLY | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    // A device that cannot even be opened may well be a terminal.
    open(path, flags, Mode::empty()).map_or(true, rustix::termios::isatty)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUPS: &str = "root:x:0:\ndialout:x:20:ana,ben\nempty:x:21\n";

    #[test]
    fn groups_are_read_from_the_group_file() {
        assert_eq!(group_name(GROUPS, 20), "dialout");
        assert_eq!(group_name(GROUPS, 99), "99");
        assert!(lists_member(GROUPS, 20, "ben"));
        assert!(!lists_member(GROUPS, 20, "be"));
        assert!(!lists_member(GROUPS, 21, "ben"));
        assert!(!lists_member(GROUPS, 21, ""));
    }

    #[track_caller]
    fn check_kind(path: &str, expected: PathKind) {
        assert_eq!(describe_path(path), expected, "{path}");
    }

    #[test]
    fn paths_are_described() {
        check_kind("/dev/tty", PathKind::Port);
        check_kind("/dev", PathKind::NotAPort("a directory"));
        check_kind("/etc/passwd", PathKind::NotAPort("a regular file"));
        check_kind("/dev/no-such-port", PathKind::Missing);
        check_kind("/etc/passwd/port", PathKind::Missing);
    }

    #[test]
    fn the_same_port_under_two_names() {
        assert!(same_port("/dev/tty", "/dev/../dev/tty"));
        assert!(same_port("/dev/gone", "/dev/gone"));
        assert!(!same_port("/dev/tty", "/dev/null"));
        assert!(!same_port("/dev/tty", "/dev/gone"));
    }
}
