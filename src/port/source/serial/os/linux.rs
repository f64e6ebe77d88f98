//! Linux: /proc shows the holder of a port, sysfs its USB socket, udev's links its other names, and
//! ioctls do what only some drivers can.

mod interference;
mod settings;
mod stream;

use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use libc::{c_char, c_int, c_uchar, c_uint, c_ulong, c_ushort};
use rustix::fs::{AtFlags, CWD, FileType, FlockOperation, Mode, OFlags, StatxFlags, major, minor};
use rustix::termios::{
    ControlModes, OptionalActions, QueueSelector, tcflush, tcgetattr, tcsetattr,
};

use super::{Access, unix};
use crate::hub::LineErrors;
use crate::platform::{Process, find_by_open_file, reason};

pub(crate) use super::unix::{
    REOPEN_TIMEOUT, describe_path, discard_input, discard_output, has_input, inputs, is_missing,
    is_silent_until, is_terminal, keep_lines_on_close, same_port, write_chunk,
};
pub(crate) use interference::{interference, missing_ports};
pub(crate) use settings::configure;
pub(crate) use stream::SerialStream;

/// `ASYNC_LOW_LATENCY` of linux/tty_flags.h, one of the flags that every user may change.
const LOW_LATENCY: c_int = 1 << 13;

/// The folder of pseudo-terminals.
const PTYS: &str = "/dev/pts";

/// The driver of devices that speak USB's protocol for modems (CDC-ACM), as boards do.
const USB_MODEM_DRIVER: &str = "cdc_acm";

/// The folders in which udev keeps links to ports, by identity and by place.
const LINK_FOLDERS: [&str; 2] = ["/dev/serial/by-id", "/dev/serial/by-path"];

/// Returns the other process that holds this port; None when there is none, or when it cannot be
/// known (it belongs to another user, or the system does not tell).
pub(crate) fn holder(path: &str) -> Option<Process> {
    let number = unix::device_number(path)?;
    find_by_open_file(|file| is_device(file, number))
        .or_else(|| Process::with_id(holder_by_lock(path)?))
}

fn is_device(descriptor: &Path, number: u64) -> bool {
    // Without a sync, as a file on a dead network share would hold us up for ever.
    let flags = AtFlags::STATX_DONT_SYNC;
    rustix::fs::statx(CWD, descriptor, flags, StatxFlags::TYPE).is_ok_and(|status| {
        FileType::from_raw_mode(status.stx_mode.into()) == FileType::CharacterDevice
            && status.stx_rdev_major == major(number)
            && status.stx_rdev_minor == minor(number)
    })
}

/// Finds a program that locks its port, as this one does: every user may read the list of locks.
fn holder_by_lock(path: &str) -> Option<u32> {
    let pid = locker(&fs::read_to_string("/proc/locks").ok()?, &lock_key(path)?)?;
    (pid != std::process::id()).then_some(pid)
}

/// Returns the name of a file in the list of locks: the device that stores it, and its inode.
fn lock_key(path: &str) -> Option<String> {
    let metadata = fs::metadata(path).ok()?;
    let (dev, inode) = (metadata.dev(), metadata.ino());
    Some(format!("{:02x}:{:02x}:{inode}", major(dev), minor(dev)))
}

/// Finds the process that holds a lock on the file with this key, in the text of `/proc/locks`.
fn locker(locks: &str, key: &str) -> Option<u32> {
    locks.lines().find_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let at = fields.iter().position(|&field| field == key)?;
        // A waiting locker does not hold it yet.
        if fields.contains(&"->") {
            return None;
        }
        // The field before the file is the process; 0 if it lives outside of our container.
        fields[at.checked_sub(1)?]
            .parse()
            .ok()
            .filter(|&pid| pid > 0)
    })
}

/// Returns whether we may open this port, and if not, what would help.
pub(crate) fn access(path: &str) -> Access {
    unix::access(path, |group| format!("sudo usermod -aG {group} $USER"))
}

/// Returns other names of this port, those by identity before those by place.
pub(crate) fn aliases(path: &str) -> Vec<String> {
    let Ok(node) = fs::canonicalize(path) else {
        return Vec::new();
    };
    let folders = LINK_FOLDERS
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok());
    let links = folders.flatten().flatten().map(|entry| entry.path());
    let mut aliases: Vec<String> = links
        .filter(|link| fs::canonicalize(link).is_ok_and(|target| target == node))
        .filter_map(|link| link.to_str().map(str::to_owned))
        .collect();
    aliases.sort();
    aliases
}

/// Returns the USB socket that the port's device is plugged into, such as `1-1.2`.
pub(crate) fn usb_location(path: &str) -> Option<String> {
    let device = fs::canonicalize(class_folder(path)?.join("device")).ok()?;
    device
        .ancestors()
        .find(|folder| folder.join("idVendor").exists())?
        .file_name()?
        .to_str()
        .map(str::to_owned)
}

/// Returns true for a port that hands over at once what it receives: a device that speaks USB's
/// protocol for modems itself, or a pseudo-terminal.
pub(crate) fn is_direct(path: &str) -> bool {
    let node = fs::canonicalize(path).unwrap_or_default();
    let driver = class_folder(path).map(|folder| folder.join("device/driver"));
    let driver = driver.and_then(|link| fs::canonicalize(link).ok());
    node.starts_with(PTYS) || driver.is_some_and(|driver| driver.ends_with(USB_MODEM_DRIVER))
}

/// A port that hands over at once what it receives, open before the library opens it too. That
/// takes some requests to the device, while boards with USB of their own may speak as soon as they
/// see their port open.
pub(crate) struct EarlyPort {
    port: OwnedFd,
    /// The time since which everything is kept that comes.
    opened: Instant,
}

impl EarlyPort {
    /// Opens a port if it is one of these. Nothing that comes from now on is changed or lost, and
    /// what came before is discarded if `discards`.
    pub(crate) fn open(path: &str, baud: u32, discards: bool) -> Option<Self> {
        if !is_direct(path) {
            return None;
        }
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let port = rustix::fs::open(path, flags, Mode::empty()).ok()?;
        // A port that another program has locked is left alone.
        rustix::fs::flock(&port, FlockOperation::NonBlockingLockExclusive).ok()?;
        rustix::fs::flock(&port, FlockOperation::Unlock).ok()?;
        let mut settings = tcgetattr(&port).ok()?;
        settings.make_raw();
        settings.set_speed(baud).ok()?;
        tcsetattr(&port, OptionalActions::Now, &settings).ok()?;
        if discards {
            tcflush(&port, QueueSelector::IFlush).ok()?;
        }
        let opened = Instant::now();
        Some(Self { port, opened })
    }

    /// Returns whether nothing came from the opening on for so long. Blocks until then.
    pub(crate) fn is_silent_for(&self, silence: Duration) -> bool {
        unix::has_no_input_until(self.port.as_fd(), self.opened + silence)
    }
}

/// Returns false for an entry behind which there is no device that anyone would want to open: here,
/// for the ports of type 0, "unknown": old serial drivers register more ports than
/// the machine has.
pub(crate) fn has_hardware(path: &str) -> bool {
    let name = Path::new(path).file_name().and_then(|name| name.to_str());
    if !name.is_some_and(|name| name.starts_with("ttyS")) {
        return true;
    }
    class_folder(path)
        .and_then(|folder| fs::read_to_string(folder.join("type")).ok())
        .is_none_or(|kind| kind.trim() != "0")
}

/// Returns the folder of sysfs about the port that this path leads to.
fn class_folder(path: &str) -> Option<PathBuf> {
    let node = fs::canonicalize(path).ok()?;
    Some(Path::new("/sys/class/tty").join(node.file_name()?))
}

/// Returns the rate to open a port with so that it has `baud`; 0 for a port that has no rate.
pub(crate) fn rate(_path: &str, baud: u32) -> u32 {
    baud
}

/// Returns the group that may open serial ports here, where there is one: `dialout` on most
/// systems, `uucp` on Arch.
pub(crate) fn serial_group() -> Option<String> {
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    let is_there = |name: &&str| {
        groups
            .lines()
            .any(|line| line.split(':').next() == Some(*name))
    };
    ["dialout", "uucp"]
        .into_iter()
        .find(is_there)
        .map(str::to_owned)
}

/// Returns the reason why ports cannot be listed here, if so.
pub(crate) fn cannot_list() -> Option<String> {
    let error = fs::read_dir("/sys/class/tty").err()?;
    Some(if error.kind() == io::ErrorKind::NotFound {
        "/sys/class/tty is missing: in a container, mount /sys, or name the port by its path".into()
    } else {
        format!("cannot read /sys/class/tty: {}", reason(&error))
    })
}

/// Returns the reason why boards may restart here each time their port is opened; None where only
/// the first opening after plugging in restarts them.
pub(crate) fn cannot_keep_lines() -> Option<&'static str> {
    None
}

/// `struct serial_struct` of linux/serial.h.
#[repr(C)]
#[derive(Clone, Copy)]
struct SerialStruct {
    kind: c_int,
    line: c_int,
    port: c_uint,
    irq: c_int,
    flags: c_int,
    xmit_fifo_size: c_int,
    custom_divisor: c_int,
    baud_base: c_int,
    close_delay: c_ushort,
    io_type: c_char,
    reserved: c_char,
    hub6: c_int,
    closing_wait: c_ushort,
    closing_wait2: c_ushort,
    iomem_base: *mut c_uchar,
    iomem_reg_shift: c_ushort,
    port_high: c_uint,
    iomap_base: c_ulong,
}

/// `struct serial_icounter_struct` of linux/serial.h.
#[repr(C)]
#[derive(Clone, Copy)]
struct Counts {
    cts: c_int,
    dsr: c_int,
    rng: c_int,
    dcd: c_int,
    rx: c_int,
    tx: c_int,
    frame: c_int,
    overrun: c_int,
    parity: c_int,
    brk: c_int,
    buf_overrun: c_int,
    reserved: [c_int; 9],
}

/// Asks the driver to hand over what it receives at once instead of gathering it for a while, and
/// returns whether it will. FTDI's adapters otherwise wait up to 16 ms.
pub(crate) fn set_low_latency(port: &SerialStream) -> bool {
    let Some(mut settings) = serial_struct(port) else {
        return false;
    };
    settings.flags |= LOW_LATENCY;
    // SAFETY: the request reads one `serial_struct`, which this is, and keeps no pointer to it.
    // Some drivers refuse it, and some accept it without effect, so the result is read back.
    unsafe { libc::ioctl(port.as_raw_fd(), libc::TIOCSSERIAL, &raw const settings) };
    serial_struct(port).is_some_and(|settings| settings.flags & LOW_LATENCY != 0)
}

/// Gives each character a parity bit that is always the same. None leaves the parity as the library
/// has set it, which does not know of such a bit, and so keeps it from the program before.
///
/// # Errors
/// If the driver has no such parity: it clears the flag without a word.
pub(crate) fn set_parity_bit(port: &SerialStream, bit: Option<bool>) -> io::Result<()> {
    let port = unix::descriptor(port);
    let mut settings = tcgetattr(port)?;
    let modes = &mut settings.control_modes;
    let Some(bit) = bit else {
        if modes.contains(ControlModes::CMSPAR) {
            modes.remove(ControlModes::CMSPAR);
            tcsetattr(port, OptionalActions::Now, &settings)?;
        }
        return Ok(());
    };
    modes.insert(ControlModes::PARENB | ControlModes::CMSPAR);
    modes.set(ControlModes::PARODD, bit);
    tcsetattr(port, OptionalActions::Now, &settings)?;
    let modes = tcgetattr(port)?.control_modes;
    // A pseudo-terminal has no characters that a parity bit could be added to.
    if modes.contains(ControlModes::PARENB) && !modes.contains(ControlModes::CMSPAR) {
        let error = "the driver has no such parity";
        return Err(io::Error::new(io::ErrorKind::Unsupported, error));
    }
    Ok(())
}

fn serial_struct(port: &SerialStream) -> Option<SerialStruct> {
    let mut settings = MaybeUninit::zeroed();
    // SAFETY: the request writes one `serial_struct`, which there is room for.
    let done = unsafe { libc::ioctl(port.as_raw_fd(), libc::TIOCGSERIAL, settings.as_mut_ptr()) };
    // SAFETY: every field may be zero, and the kernel overwrites them with values of their types.
    (done == 0).then(|| unsafe { settings.assume_init() })
}

/// Returns the errors on the line since the device was plugged in; None where they are not counted.
pub(crate) fn line_errors(port: &SerialStream) -> Option<LineErrors> {
    let mut counts = MaybeUninit::<Counts>::zeroed();
    // SAFETY: the request writes one `serial_icounter_struct`, which there is room for.
    let done = unsafe { libc::ioctl(port.as_raw_fd(), libc::TIOCGICOUNT, counts.as_mut_ptr()) };
    // SAFETY: all fields are numbers, so whatever the kernel wrote over the zeros is valid.
    let counts = (done == 0).then(|| unsafe { counts.assume_init() })?;
    Some(LineErrors {
        framing: counts.frame as u32,
        parity: counts.parity as u32,
        overrun: (counts.overrun as u32).wrapping_add(counts.buf_overrun as u32),
    })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[track_caller]
    fn check_locker(locks: &str, expected: Option<u32>) {
        assert_eq!(locker(locks, "00:05:123"), expected);
    }

    #[test]
    fn a_lock_names_its_process() {
        check_locker(
            "1: FLOCK  ADVISORY  WRITE 7 00:05:12 0 EOF\n2: FLOCK  ADVISORY  WRITE 8 00:05:123 0 EOF\n",
            Some(8),
        );
        check_locker("1: FLOCK  ADVISORY  WRITE 0 00:05:123 0 EOF\n", None);
        check_locker("1: -> FLOCK  ADVISORY  WRITE 8 00:05:123 0 EOF\n", None);
        check_locker("", None);
    }

    #[test]
    fn the_lock_list_of_this_system_is_parsed() {
        let (_master, path) = pty();
        let file = fs::File::open(&path).unwrap();
        rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive).unwrap();
        let locks = fs::read_to_string("/proc/locks").unwrap();
        let locker = locker(&locks, &lock_key(&path).unwrap());
        assert_eq!(locker, Some(std::process::id()), "{locks}");
        assert_eq!(holder_by_lock(&path), None);
    }

    #[test]
    fn another_process_is_the_holder_but_we_are_not() {
        let (master, path) = pty();
        let ours = fs::File::open(&path).unwrap();
        assert_eq!(holder(&path), None);
        let mut child = Command::new("sleep").arg("10").stdin(ours).spawn().unwrap();
        let found = holder(&path);
        child.kill().unwrap();
        child.wait().unwrap();
        let expected = Process {
            name: "sleep".into(),
            pid: child.id(),
        };
        assert_eq!(found, Some(expected));
        assert_eq!(access(&path), Access::Granted);
        drop(master);
    }

    #[test]
    fn a_pty_is_no_usb_port() {
        let (_master, path) = pty();
        assert_eq!(usb_location(&path), None);
        assert!(is_direct(&path));
        assert!(!is_direct("/dev/no-such-port"));
        assert_eq!(aliases(&path), Vec::<String>::new());
        assert!(has_hardware(&path));
        assert_eq!(access("/dev/no-such-port"), Access::Unknown);
        assert_eq!(holder("/dev/no-such-port"), None);
    }

    /// A pseudo-terminal: its master side, and the path of its other side.
    fn pty() -> (rustix::fd::OwnedFd, String) {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let path = ptsname(&master, Vec::new()).unwrap();
        (master, path.into_string().unwrap())
    }
}
