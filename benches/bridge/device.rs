//! The device: the far end of a pty, which sends numbered lines that contain the time.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use rustix::time::{ClockId, Timespec, clock_gettime};

/// The length of a line without its ending: eleven digits of number, a space, twenty digits of time.
pub const LINE: usize = 32;

/// The lengths of the number and of the time in a line of five numbers, which is as long.
const COLUMNS: (usize, usize) = (7, 18);

/// How long the device waits for a reader or writer before the measurement fails.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// A device that exists until it is dropped.
pub struct Device {
    wire: File,
    path: PathBuf,
    /// Kept open so that the pty outlives the programs that open it.
    _tty: File,
    /// The number of lines sent so far. Lines are numbered from 1.
    pub sent: u64,
    /// True if lines are five numbers with commas between them.
    pub has_columns: bool,
}

impl Device {
    /// Creates a silent device.
    pub fn new() -> Result<Self> {
        let wire = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        grantpt(&wire)?;
        unlockpt(&wire)?;
        let path = PathBuf::from(OsStr::from_bytes(ptsname(&wire, Vec::new())?.as_bytes()));
        let tty = open_raw(&path)?;
        rustix::io::ioctl_fionbio(&wire, true)?;
        Ok(Self {
            wire: wire.into(),
            path,
            _tty: tty,
            sent: 0,
            has_columns: false,
        })
    }

    /// Returns the path that programs open.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Sends one line.
    pub fn send(&mut self) -> Result<()> {
        self.send_lines(1)
    }

    /// Sends `rate` lines per second, evenly, for this time; returns their number.
    pub fn pace(&mut self, rate: u32, time: Duration) -> Result<u64> {
        let lines = u64::from(rate) * time.as_millis() as u64 / 1000;
        let start = Instant::now();
        for line in 0..lines {
            let due = start + Duration::from_secs(1).mul_f64(line as f64 / f64::from(rate));
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            self.send()?;
        }
        Ok(lines)
    }

    /// Sends at least this many lines, as fast as the tty accepts them; returns their number.
    pub fn flood(&mut self, lines: u64) -> Result<u64> {
        /// The whole lines that fit into one write to a tty.
        const PER_WRITE: u64 = 4096 / (LINE as u64 + 1);
        for _ in 0..lines.div_ceil(PER_WRITE) {
            self.send_lines(PER_WRITE)?;
        }
        Ok(lines.div_ceil(PER_WRITE) * PER_WRITE)
    }

    fn send_lines(&mut self, count: u64) -> Result<()> {
        let mut lines = [0; 4096];
        let now = now();
        let (lines, _) = lines.split_at_mut(count as usize * (LINE + 1));
        for line in lines.chunks_exact_mut(LINE + 1) {
            self.sent += 1;
            if self.has_columns {
                let (number, time) = COLUMNS;
                line.copy_from_slice(b"       ,                  ,3,2,1\n");
                digits(self.sent, &mut line[..number]);
                digits(now, &mut line[number + 1..number + 1 + time]);
                continue;
            }
            digits(self.sent, &mut line[..11]);
            line[11] = b' ';
            digits(now, &mut line[12..LINE]);
            line[LINE] = b'\n';
        }
        self.write(lines)
    }

    /// Sends these bytes, which are no numbered lines.
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            match self.wire.write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.wait(PollFlags::OUT)?,
                Err(error) => return Err(error).context("cannot write to the pty"),
            }
        }
        Ok(())
    }

    /// Reads what programs write to the device.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        loop {
            match self.wire.read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.wait(PollFlags::IN)?,
                read => return read.context("cannot read from the pty"),
            }
        }
    }

    fn wait(&self, what: PollFlags) -> Result<()> {
        let timeout = Timespec::try_from(IDLE_TIMEOUT)?;
        if poll(&mut [PollFd::new(&self.wire, what)], Some(&timeout))? == 0 {
            bail!("no program reads or writes the device");
        }
        Ok(())
    }
}

/// Opens a tty so that bytes pass unchanged.
pub fn open_raw(path: &Path) -> Result<File> {
    let tty = OpenOptions::new().read(true).write(true).open(path)?;
    let mut settings = tcgetattr(&tty)?;
    settings.make_raw();
    tcsetattr(&tty, OptionalActions::Now, &settings)?;
    Ok(File::from(OwnedFd::from(tty)))
}

/// Returns the nanoseconds of a clock that all processes share.
pub fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

fn digits(mut number: u64, out: &mut [u8]) {
    for digit in out.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Parses decimal digits; returns None if they are anything else.
pub fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.wrapping_sub(b'0');
        (digit < 10).then(|| number.wrapping_mul(10).wrapping_add(u64::from(digit)))
    })
}
