//! Reads what a program does with a terminal that it has opened as a serial port.

use std::io::{self, IoSliceMut};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::termios::{LocalModes, tcgetattr};
use tokio::time::Instant;

use super::TerminalInput;
use crate::deadline::until;
use crate::hub::SettingsChange;
use crate::platform::AsyncDescriptor;
use crate::platform::line_termios::line_of;

/// True where each read begins with a byte that tells what the program has changed (tty_ioctl(4),
/// `TIOCPKT`).
pub(super) const HAS_PACKETS: bool = cfg!(target_os = "linux");

/// The bits of that byte, none of which is set before data (`bits/ioctl-types.h`).
const FLUSHED: u8 = 1;
const SET: u8 = 0x40;

/// The time between two looks at the settings while the system does not tell of changes.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// Reads from a program, until it closes the terminal.
pub(crate) struct TerminalReader {
    ours: AsyncDescriptor<OwnedFd>,
    /// The settings as they were seen last.
    seen: SettingsChange,
    /// The time of the next look at them; None while the system tells of changes.
    next_look: Option<Instant>,
}

impl TerminalReader {
    /// Reads from our side of a terminal that had these settings before the program came.
    pub(super) fn new(ours: OwnedFd, seen: SettingsChange) -> io::Result<Self> {
        Ok(Self {
            ours: AsyncDescriptor::new(ours)?,
            seen,
            next_look: (!HAS_PACKETS).then(Instant::now),
        })
    }

    /// Reads what comes next. None once the program has closed the terminal. Cancelling the wait loses
    /// nothing.
    ///
    /// # Errors
    /// As the system reports them.
    pub(crate) async fn read(&mut self, bytes: &mut [u8]) -> io::Result<Option<TerminalInput>> {
        loop {
            let packet = tokio::select! {
                packet = read_packet(&self.ours, bytes) => packet?,
                () = until(self.next_look) => Some((SET, 0)),
            };
            let Some((control, count)) = packet else {
                return Ok(None);
            };
            let is_unnoticed = self.next_look.is_some();
            let input = TerminalInput {
                settings: match control & SET {
                    0 if !is_unnoticed => None,
                    _ => self.look()?,
                },
                is_flushed: control & FLUSHED != 0,
                count,
            };
            if input != TerminalInput::default() {
                return Ok(Some(input));
            }
        }
    }

    /// Returns what has changed of the settings since the last look.
    fn look(&mut self) -> io::Result<Option<SettingsChange>> {
        let termios = tcgetattr(self.ours.owner())?;
        // Programs that set all modes at once end the notices.
        let has_notices = HAS_PACKETS && termios.local_modes.contains(LocalModes::EXTPROC);
        self.next_look = (!has_notices).then(|| Instant::now() + LOOK_INTERVAL);
        let now = line_of(&termios);
        let before = std::mem::replace(&mut self.seen, now);
        let change = changed(before, now);
        Ok((change != SettingsChange::default()).then_some(change))
    }
}

/// Reads once: what the system tells before the data, and the number of bytes. None once the program
/// has closed the terminal.
async fn read_packet(
    ours: &AsyncDescriptor<OwnedFd>,
    bytes: &mut [u8],
) -> io::Result<Option<(u8, usize)>> {
    let mut control = [0];
    let head = usize::from(HAS_PACKETS);
    let read = ours.read_by(|ours| {
        let mut parts = [
            IoSliceMut::new(&mut control[..head]),
            IoSliceMut::new(bytes),
        ];
        Ok(rustix::io::readv(ours, &mut parts)?)
    });
    match read.await {
        Ok(None | Some(0)) => Ok(None),
        Err(error) if error.raw_os_error() == Some(Errno::IO.raw_os_error()) => Ok(None),
        Ok(Some(count)) => Ok(Some((control[0], count - head))),
        Err(error) => Err(error),
    }
}

/// Returns the settings of `now` that `before` does not have.
fn changed(before: SettingsChange, now: SettingsChange) -> SettingsChange {
    SettingsChange {
        baud: now.baud.filter(|_| now.baud != before.baud),
        data_bits: now.data_bits.filter(|_| now.data_bits != before.data_bits),
        parity: now.parity.filter(|_| now.parity != before.parity),
        stop_bits: now.stop_bits.filter(|_| now.stop_bits != before.stop_bits),
        flow_control: now
            .flow_control
            .filter(|_| now.flow_control != before.flow_control),
        ..SettingsChange::default()
    }
}
