//! Serial pairs: the one place that makes them. One end is a path for the program to open, the
//! other is the [`Device`] that a test plays.
//!
//! By default each pair is a pseudo-terminal of its own. `SERIAL_WS_TEST_PAIR=a,b` names a pair
//! that exists already (com0com, socat, a null-modem cable): the program opens `a`, the test `b`,
//! one test at a time.

#[cfg(unix)]
use std::path::PathBuf;
use std::time::Duration;

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::{Mutex, MutexGuard},
    time::timeout,
};
use tokio_serial::SerialPortBuilderExt;

use super::wait::within;
#[cfg(unix)]
use super::wine;

/// Bytes read at once from the device's end.
const READ_SIZE: usize = 64 * 1024;

/// A line on which nothing came for so long holds nothing of an earlier test.
const DRAINED: Duration = Duration::from_millis(200);

/// Tests take turns with the one pair of `SERIAL_WS_TEST_PAIR`.
static TURN: Mutex<()> = Mutex::const_new(());

/// A serial line with the program at one end and a test at the other.
pub struct Pair {
    /// What the program is told to open.
    pub path: String,
    /// The link at `path`, gone before the pty is: its number may be another test's at once, and a
    /// program that still waits for it must not find that one.
    #[cfg(unix)]
    plug: Option<Plug>,
    /// The end that the test plays.
    pub device: Device,
    /// The program's end, held open as well: a pty whose last holder lets go forgets its settings
    /// and tells the device's end that the line is dead.
    #[cfg(unix)]
    held: Option<std::os::fd::OwnedFd>,
    _turn: Option<MutexGuard<'static, ()>>,
}

/// The device's end of a pair: what a board would send and receive.
pub struct Device {
    reader: Box<dyn AsyncRead + Send + Unpin>,
    writer: Box<dyn AsyncWrite + Send + Unpin>,
}

impl Pair {
    /// A pair, made for this test or borrowed from outside.
    pub async fn open() -> Self {
        match Self::from_outside() {
            Some((path, device)) => {
                let turn = TURN.lock().await;
                let builder = tokio_serial::new(&device, 9600);
                let port = builder.open_native_async();
                let port = port.unwrap_or_else(|error| panic!("cannot open {device}: {error}"));
                let mut device = Device::of(tokio::io::split(port));
                device.drain().await;
                Self {
                    path,
                    #[cfg(unix)]
                    plug: None,
                    device,
                    #[cfg(unix)]
                    held: None,
                    _turn: Some(turn),
                }
            }
            None => Self::pty(),
        }
    }

    /// Whether pairs are made here: there can be several then, and they can be unplugged.
    pub fn are_ours() -> bool {
        cfg!(unix) && Self::from_outside().is_none()
    }

    fn from_outside() -> Option<(String, String)> {
        let pair = std::env::var("SERIAL_WS_TEST_PAIR").ok()?;
        let (path, device) = pair
            .split_once(',')
            .expect("SERIAL_WS_TEST_PAIR is two names with a comma between them");
        Some((path.to_owned(), device.to_owned()))
    }

    #[cfg(unix)]
    fn pty() -> Self {
        let (target, device, held) = Self::new_pty();
        let plug = Plug::new(target);
        Self {
            path: plug.path.clone(),
            plug: Some(plug),
            device,
            held: Some(held),
            _turn: None,
        }
    }

    /// A pty: its name, the device's end, and the program's end.
    #[cfg(unix)]
    pub(super) fn new_pty() -> (String, Device, std::os::fd::OwnedFd) {
        use rustix::{fs, termios};
        use tokio::net::unix;

        let (device, name) = open_pty();
        fs::fcntl_setfl(&device, fs::OFlags::RDWR | fs::OFlags::NONBLOCK)
            .expect("a pty can be read without blocking");

        let held = fs::open(
            &name,
            fs::OFlags::RDWR | fs::OFlags::NOCTTY | fs::OFlags::CLOEXEC,
            fs::Mode::empty(),
        )
        .expect("the other end of a pty can be opened");
        let mut settings = termios::tcgetattr(&held).expect("a pty has settings");
        settings.make_raw();
        termios::tcsetattr(&held, termios::OptionalActions::Now, &settings)
            .expect("a pty can be made raw");

        // Tokio's pipes poll, read and write whatever descriptor they are given.
        let twin = device.try_clone().expect("a descriptor can be doubled");
        let reader = unix::pipe::Receiver::from_owned_fd_unchecked(device);
        let writer = unix::pipe::Sender::from_owned_fd_unchecked(twin);
        let ends = (
            reader.expect("a pty can be polled"),
            writer.expect("a pty can be polled"),
        );
        (name, Device::of(ends), held)
    }

    #[cfg(not(unix))]
    fn pty() -> Self {
        panic!("there are no ptys here: name a pair in SERIAL_WS_TEST_PAIR");
    }

    /// Where the port is among the files of this system.
    #[cfg(target_os = "linux")]
    pub fn node(&self) -> &std::path::Path {
        match &self.plug {
            Some(plug) => &plug.link,
            None => self.path.as_ref(),
        }
    }

    /// Takes the port out of the system's sight; what holds it open keeps it.
    #[cfg(unix)]
    pub fn hide(&self) {
        self.plug.as_ref().expect("the pair is ours").pull();
    }

    /// Puts the port back where the program looks for it.
    #[cfg(unix)]
    pub fn show(&self) {
        self.plug.as_ref().expect("the pair is ours").push();
    }

    /// Ends the device as unplugging does: its node goes, and the program's end is hung up.
    #[cfg(unix)]
    pub fn unplug(&mut self) {
        self.hide();
        self.held = None;
        self.device = Device::of((tokio::io::empty(), tokio::io::empty()));
    }

    /// Plugs in a device that has just started, where the one before was; to the system it has
    /// another name.
    #[cfg(unix)]
    pub fn plug_in(&mut self) {
        let (target, device, held) = Self::new_pty();
        let plug = self.plug.as_mut().expect("the pair is ours");
        plug.target = target;
        plug.push();
        (self.device, self.held) = (device, Some(held));
    }

    /// Leaves the program as the only holder of its end.
    #[cfg(unix)]
    pub fn let_go(&mut self) {
        self.held = None;
    }

    /// The program's end, which shows the settings, where it is ours.
    #[cfg(all(unix, not(target_os = "macos")))]
    pub fn terminal(&self) -> Option<&std::os::fd::OwnedFd> {
        self.held.as_ref()
    }

    /// The rate that the program set, where that can be seen from here.
    #[cfg(all(unix, not(target_os = "macos")))]
    pub fn rate(&self) -> Option<u32> {
        let settings = rustix::termios::tcgetattr(self.terminal()?);
        Some(settings.expect("a pty has settings").output_speed())
    }
}

impl Device {
    fn of<R, W>((reader, writer): (R, W)) -> Self
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        Self {
            reader: Box::new(reader),
            writer: Box::new(writer),
        }
    }

    /// Takes what an earlier test left on a line that outlives the tests.
    async fn drain(&mut self) {
        let mut scrap = vec![0; READ_SIZE];
        while let Ok(Ok(1..)) = timeout(DRAINED, self.reader.read(&mut scrap)).await {}
    }

    /// Sends `bytes`, all of them.
    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        let mut rest = bytes.as_ref();
        while !rest.is_empty() {
            let sent = within(
                "the program to take what the device sends",
                self.writer.write(rest),
            )
            .await;
            rest = &rest[sent.expect("the device can send")..];
        }
    }

    /// Takes exactly `length` bytes of what the program wrote.
    pub async fn take(&mut self, length: usize) -> Vec<u8> {
        let mut taken = Vec::with_capacity(length);
        while taken.len() < length {
            let mut buffer = vec![0; READ_SIZE.min(length - taken.len())];
            let what = format!(
                "the device to receive {length} bytes, after {}",
                taken.len()
            );
            let read = within(&what, self.reader.read(&mut buffer)).await;
            let read = read.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_ne!(read, 0, "{what}: the line is dead");
            taken.extend_from_slice(&buffer[..read]);
        }
        taken
    }

    /// Takes the next `expected.len()` bytes and compares them.
    pub async fn expect(&mut self, expected: impl AsRef<[u8]>) {
        let expected = expected.as_ref();
        let taken = self.take(expected.len()).await;
        assert!(
            taken == expected,
            "the device received {:?} instead of {:?}",
            String::from_utf8_lossy(&taken),
            String::from_utf8_lossy(expected)
        );
    }
}

/// The device's end of a pty that nobody else has, and the name of the other one.
#[cfg(unix)]
fn open_pty() -> (std::os::fd::OwnedFd, String) {
    use rustix::pty;

    let flags = pty::OpenptFlags::RDWR | pty::OpenptFlags::NOCTTY;
    // No program that is started meanwhile may hold the device as well; macOS has no such flag.
    #[cfg(not(target_vendor = "apple"))]
    let flags = flags | pty::OpenptFlags::CLOEXEC;
    let device = pty::openpt(flags).expect("a pty can be made");
    rustix::io::fcntl_setfd(&device, rustix::io::FdFlags::CLOEXEC)
        .expect("a pty can be kept from other programs");
    pty::grantpt(&device).expect("a pty can be granted");
    pty::unlockpt(&device).expect("a pty can be unlocked");
    let name = pty::ptsname(&device, Vec::new()).expect("a pty has a name");
    let name = name.into_string().expect("the name of a pty is text");
    (device, name)
}

/// A terminal: the end at which somebody types and reads, and the end for a program.
#[cfg(unix)]
pub fn terminal() -> (std::fs::File, std::fs::File) {
    use rustix::fs;

    let (person, name) = open_pty();
    let flags = fs::OFlags::RDWR | fs::OFlags::NOCTTY | fs::OFlags::CLOEXEC;
    let program = fs::open(&name, flags, fs::Mode::empty());
    let program = program.expect("the other end of a pty can be opened");
    // So wide that no sentence is broken.
    let size = rustix::termios::Winsize {
        ws_row: 50,
        ws_col: 500,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    rustix::termios::tcsetwinsize(&program, size).expect("a terminal can be wide");
    (person.into(), program.into())
}

/// A name for a pty that no other test uses, and that can come and go.
#[cfg(unix)]
struct Plug {
    /// What the program is told to open.
    path: String,
    /// Where the link to the pty is: at `path`, but for COM ports.
    link: PathBuf,
    target: String,
}

#[cfg(unix)]
impl Plug {
    fn new(target: String) -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let (path, link) = if wine::runs_it() {
            wine::port()
        } else {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!("serial-ws-test-{}-{count}", std::process::id());
            let link = std::env::temp_dir().join(name);
            (link.display().to_string(), link)
        };
        let plug = Self { path, link, target };
        plug.push();
        plug
    }

    fn push(&self) {
        std::os::unix::fs::symlink(&self.target, &self.link).expect("a link can be made");
    }

    fn pull(&self) {
        std::fs::remove_file(&self.link).expect("the link can be removed");
    }
}

#[cfg(unix)]
impl Drop for Plug {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.link);
    }
}
