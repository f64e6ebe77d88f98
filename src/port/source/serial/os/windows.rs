//! Windows: ports are names, not files, and the system tells little about them without opening.

use std::fs;
use std::io;
use std::os::windows::io::{AsRawHandle, RawHandle};
use std::time::{Duration, Instant};

use serialport::SerialPort;
use tokio::io::AsyncReadExt;
use tokio::runtime::Handle;
use tokio::time::{timeout, timeout_at};
use windows_sys::Win32::Devices::Communication::{
    DCB, EVENPARITY, GetCommState, MARKPARITY, NOPARITY, ODDPARITY, ONESTOPBIT, SPACEPARITY,
    SetCommState, TWOSTOPBITS,
};

use super::{Access, PathKind, SerialStream};
use crate::hub::{FlowControl, LineSettings, ModemInputs, ModemLine, Parity};
use crate::platform::Process;
use crate::port::Diagnostic;
use crate::port::source::spec::{DEVICE_PREFIX, is_com_port};

pub(crate) use super::not_linux::{
    EarlyPort, aliases, cannot_list, interference, line_errors, serial_group, set_low_latency,
    usb_location,
};

/// Bytes that are written at once. Larger chunks are faster, but less is known of them after a loss.
const WRITE_CHUNK_BYTES: usize = 1024;

/// Bytes that the library reads at once.
const READ_AHEAD_BYTES: usize = 4096;

/// Limits the wait for what a port has received before.
const READ_TIMEOUT: Duration = Duration::from_millis(10);

/// `fParity` of a [`DCB`], its second bit: whether the parity bit is checked.
const CHECKS_PARITY: u32 = 1 << 1;

/// `fOutxCtsFlow`, `fOutX` and `fInX`.
const WAITS_FOR_CTS: u32 = 1 << 2;
const OBEYS_XON_XOFF: u32 = 1 << 8;
const SENDS_XON_XOFF: u32 = 1 << 9;

/// `fDtrControl` and `fRtsControl`, of two bits each.
const DTR_CONTROL: u32 = 0b11 << 4;
const RTS_CONTROL: u32 = 0b11 << 12;

/// Reads that empty any driver; a device may go on sending meanwhile.
const MAX_READS: usize = 4;

/// A port that was closed just now is refused for a moment, and every opening closes it once: the
/// library opens it twice.
pub(crate) const REOPEN_TIMEOUT: Duration = Duration::from_millis(500);

/// The library reports all bytes as written at once, and learns only later whether they were.
pub(crate) fn write_chunk(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(WRITE_CHUNK_BYTES)]
}

/// The library begins to read as soon as the port is open. Discarding in the driver would abort
/// that, which looks like a loss, and miss what was read already.
pub(crate) fn discard_input(port: &mut SerialStream) {
    let reading = async {
        let mut scrap = [0; READ_AHEAD_BYTES];
        for _ in 0..MAX_READS {
            match timeout(READ_TIMEOUT, port.read(&mut scrap)).await {
                Ok(Ok(1..)) => {}
                _ => return,
            }
        }
    };
    Handle::current().block_on(reading);
}

/// Returns false: the library reads ahead, so what came is known by reading only.
pub(crate) fn has_input(_port: &SerialStream) -> bool {
    false
}

/// The library reads ahead: that shows that the device speaks, and is kept for the first read.
pub(crate) fn is_silent_until(port: &SerialStream, deadline: Instant) -> bool {
    // In the runtime, which a timer needs to begin.
    let readable = async { timeout_at(deadline.into(), port.readable()).await };
    Handle::current().block_on(readable).is_err()
}

pub(crate) fn inputs(port: &mut SerialStream) -> Option<ModemInputs> {
    Some(ModemInputs {
        cts: port.read_clear_to_send().ok()?,
        dsr: port.read_data_set_ready().ok()?,
        dcd: port.read_carrier_detect().ok()?,
        ri: port.read_ring_indicator().ok()?,
    })
}

/// Nothing is to do for None, as the library sets the whole of the parity.
pub(crate) fn set_parity_bit(port: &SerialStream, bit: Option<bool>) -> io::Result<()> {
    let Some(bit) = bit else {
        return Ok(());
    };
    let port = port.as_raw_handle();
    let mut settings = comm_state(port)?;
    settings.Parity = if bit { MARKPARITY } else { SPACEPARITY };
    settings._bitfield |= CHECKS_PARITY;
    // SAFETY: the handle is open as long as the port is borrowed, and the system only reads the `DCB`.
    check(unsafe { SetCommState(port, &raw const settings) })
}

/// Changes rate, format and flow control of a port that stays open, by one call. That call may set
/// the modem lines anew, so it is told how they are.
///
/// # Errors
/// If the driver refuses the settings. Some of them may have changed then.
pub(crate) fn configure(port: &mut SerialStream, settings: &LineSettings) -> io::Result<()> {
    let handle = port.as_raw_handle();
    let mut wanted = comm_state(handle)?;
    wanted.BaudRate = settings.baud;
    wanted.ByteSize = settings.data_bits;
    wanted.Parity = match settings.parity {
        Parity::None => NOPARITY,
        Parity::Odd => ODDPARITY,
        Parity::Even => EVENPARITY,
        Parity::Mark => MARKPARITY,
        Parity::Space => SPACEPARITY,
    };
    wanted.StopBits = match settings.stop_bits {
        2 => TWOSTOPBITS,
        _ => ONESTOPBIT,
    };
    set_bit(&mut wanted, CHECKS_PARITY, settings.parity != Parity::None);
    let is_hardware = settings.flow_control == FlowControl::Hardware;
    set_bit(&mut wanted, WAITS_FOR_CTS, is_hardware);
    let is_software = settings.flow_control == FlowControl::Software;
    set_bit(&mut wanted, SENDS_XON_XOFF | OBEYS_XON_XOFF, is_software);
    set_line(&mut wanted, DTR_CONTROL, settings.dtr);
    set_line(&mut wanted, RTS_CONTROL, settings.rts);
    // SAFETY: the handle is open as long as the port is borrowed, and the system only reads the `DCB`.
    check(unsafe { SetCommState(handle, &raw const wanted) })?;
    let actual = comm_state(handle)?;
    let format = |it: &DCB| (it.BaudRate, it.ByteSize, it.Parity, it.StopBits);
    if format(&actual) != format(&wanted) {
        let error = "the driver refuses these settings";
        return Err(io::Error::new(io::ErrorKind::Unsupported, error));
    }
    Ok(())
}

fn comm_state(handle: RawHandle) -> io::Result<DCB> {
    let mut state = DCB {
        DCBlength: size_of::<DCB>() as u32,
        ..DCB::default()
    };
    // SAFETY: the caller's port is open, and the system writes one `DCB`.
    check(unsafe { GetCommState(handle, &raw mut state) })?;
    Ok(state)
}

fn set_bit(state: &mut DCB, bits: u32, is_on: bool) {
    state._bitfield &= !bits;
    if is_on {
        state._bitfield |= bits;
    }
}

/// Sets one of the two-bit fields for the modem lines: 0 releases, 1 asserts.
fn set_line(state: &mut DCB, field: u32, line: ModemLine) {
    if line != ModemLine::Keep {
        set_bit(state, field, false);
        set_bit(state, field & (field >> 1), line == ModemLine::On);
    }
}

/// Returns the error of a call of Windows that returned FALSE.
fn check(result: i32) -> io::Result<()> {
    if result == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Returns false: names tell nothing of the driver.
pub(crate) fn is_direct(_path: &str) -> bool {
    false
}

/// Does nothing: discarding would abort a write under way, which looks like a loss as well.
pub(crate) fn discard_output(_port: &SerialStream) {}

pub(crate) fn holder(_path: &str) -> Option<Process> {
    None
}

pub(crate) fn missing_ports(is_missing: bool) -> Vec<Diagnostic> {
    let text = "a board that the Device Manager lists under Other devices lacks its driver: get it \
                from the maker of its chip";
    Vec::from_iter(is_missing.then(|| Diagnostic::note(text)))
}

pub(crate) fn access(_path: &str) -> Access {
    Access::Unknown
}

pub(crate) fn has_hardware(_path: &str) -> bool {
    true
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
    is_com_port(stem)
}

pub(crate) fn rate(_path: &str, baud: u32) -> u32 {
    baud
}

pub(crate) fn keep_lines_on_close(_port: &SerialStream) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Ports are opened with their lines released, and these are asserted afterwards.
pub(crate) fn cannot_keep_lines() -> Option<&'static str> {
    Some(
        "Windows releases the modem lines whenever a port is opened, so boards restart despite --no-reset",
    )
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
