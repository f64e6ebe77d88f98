//! The pseudo-terminal of a port, for programs that only know serial ports.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_serial::{SerialPort, SerialPortBuilderExt, SerialStream};

use crate::support::{Bridge, Pair, Quirks, Remote, SerialServer, terminal, until, within};

/// A folder for the terminals of one test, which is removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("serial-ws-test-{}-pty-{name}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).expect("a folder can be made");
        Self(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Opens a terminal as programs open serial ports, at a rate.
fn open(path: &str, rate: u32) -> SerialStream {
    let opened = tokio_serial::new(path, rate).open_native_async();
    opened.unwrap_or_else(|error| panic!("cannot open {path}: {error}"))
}

async fn read(port: &mut SerialStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    let read = within("bytes from serial-ws", port.read_exact(&mut bytes)).await;
    read.expect("serial-ws writes");
    bytes
}

/// Waits until programs are counted as gone, with nothing of theirs left in force.
async fn left(bridge: &Bridge) {
    bridge.program.said("left: pty").await;
    until("the write lock to end", async || {
        let status = bridge.port("board").await["status"].clone();
        status.get("writer").is_none().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_program_that_only_knows_serial_ports_shares_the_port_with_pages() {
    let (mut pair, folder) = (Pair::open().await, Folder::new("shared"));
    let path = folder.path("board");
    let bridge = Bridge::on(&mut pair, &["--pty", &path]).await;
    let mode = fs::metadata(&path).expect("it is there").mode();
    assert_eq!(mode & 0o777, 0o600, "others may not open it");
    let mut page = bridge.client("/?view=raw").await;
    let mut port = open(&path, 9600);
    bridge.program.said("connected: pty").await;
    let all: Vec<u8> = (0..=255).cycle().take(16 << 10).collect();
    port.write_all(&all).await.expect("serial-ws reads");
    pair.device.expect(&all).await;
    let (mut device, sent) = (pair.device, all.clone());
    let writing = tokio::spawn(async move {
        device.write(&sent).await;
        device
    });
    assert!(read(&mut port, all.len()).await == all);
    assert!(page.bytes_of(all.len()).await == all);
    writing.await.expect("the device does not panic");
    let board = bridge.port("board").await;
    assert_eq!(board["clients"], 1, "it is no client: {board}");
    let mut program = bridge.program;
    program.signal(rustix::process::Signal::TERM);
    program.ended().await;
    assert!(fs::symlink_metadata(&path).is_err(), "the link is removed");
}

#[tokio::test]
async fn what_a_program_sets_is_followed_under_the_write_lock_and_returns() {
    let (mut device, folder) = (
        SerialServer::start(Quirks::default()).await,
        Folder::new("set"),
    );
    let path = folder.path("board");
    let port = format!("{},baud=9600,settle=0s,pty={path}", device.spec());
    let bridge = Bridge::start(&["--port", &port]).await;
    bridge.open("board").await;
    let mut page = bridge.json_client().await;
    let before = device.asked().len();
    let mut port = open(&path, 9600);
    bridge.program.said("connected: pty").await;
    port.write_all(b"slow").await.expect("serial-ws reads");
    assert_eq!(device.receives(4).await, b"slow");
    let asked = device.asked().split_off(before);
    assert!(asked.is_empty(), "it has set what is in force: {asked:?}");
    port.set_baud_rate(115_200).expect("a terminal has a rate");
    port.write_all(b"fast").await.expect("serial-ws reads");
    device.asks(before, &["baud 115200"]).await;
    assert_eq!(device.receives(8).await, b"slowfast");
    let refused = page.refused(json!({"type": "write", "text": "x"})).await;
    assert!(refused.contains(&format!("(\"pty {path}\")")), "{refused}");
    port.set_stop_bits(tokio_serial::StopBits::Two)
        .expect("a terminal has stop bits");
    device.asks(before, &["stop bits 2"]).await;
    let before = device.asked().len();
    drop(port);
    device.asks(before, &["baud 9600"]).await;
    device.asks(before, &["stop bits 1"]).await;
    left(&bridge).await;
    page.acked(json!({"type": "write", "text": "!"})).await;
}

#[tokio::test]
async fn a_program_that_sets_all_modes_at_once_is_followed_too() {
    let (mut device, folder) = (
        SerialServer::start(Quirks::default()).await,
        Folder::new("all"),
    );
    let path = folder.path("board");
    let port = format!("{},baud=9600,settle=0s,pty={path}", device.spec());
    let bridge = Bridge::start(&["--port", &port]).await;
    bridge.open("board").await;
    let before = device.asked().len();
    let terminal = fs::File::open(&path).expect("it can be opened");
    let mut port = open(&path, 9600);
    // As tio and minicom do. From then on, the system tells of no change.
    let mut modes = tcgetattr(&terminal).expect("a terminal has modes");
    modes.local_modes = LocalModes::empty();
    tcsetattr(&terminal, OptionalActions::Now, &modes).expect("they can be set");
    port.write_all(b"x").await.expect("serial-ws reads");
    assert_eq!(device.receives(1).await, b"x");
    port.set_baud_rate(57600).expect("a terminal has a rate");
    device.asks(before, &["baud 57600"]).await;
    port.set_baud_rate(19200).expect("a terminal has a rate");
    port.write_all(b"y").await.expect("serial-ws reads");
    device.asks(before, &["baud 19200"]).await;
    assert_eq!(device.receives(2).await, b"xy");
}

#[tokio::test]
async fn the_terminal_shows_the_rate_in_force_and_nothing_of_its_last_user() {
    let (mut pair, folder) = (Pair::open().await, Folder::new("next"));
    let path = folder.path("board");
    let bridge = Bridge::on(&mut pair, &["--pty", &path]).await;
    let rate = || {
        let port = fs::File::open(&path).expect("it can be opened");
        tcgetattr(&port)
            .expect("a terminal has modes")
            .output_speed()
    };
    let mut client = bridge.json_client().await;
    client
        .acked(json!({"type": "settings", "baud": 115_200}))
        .await;
    until("the rate to be shown", async || {
        (rate() == 115_200).then_some(())
    })
    .await;
    // What this one does not read, and that nobody else may open the terminal.
    let first = open(&path, 115_200);
    bridge.program.said("connected: pty").await;
    pair.device.write("12\n").await;
    client.json_of("line").await;
    drop(first);
    for text in ["a", "b", "c"] {
        let mut next = open(&path, 115_200);
        next.write_all(text.as_bytes())
            .await
            .expect("serial-ws reads");
        pair.device.expect(text).await;
    }
    left(&bridge).await;
    let mut last = open(&path, 115_200);
    last.write_all(b"?").await.expect("serial-ws reads");
    pair.device.expect("?").await;
    pair.device.write("34\n").await;
    assert_eq!(read(&mut last, 3).await, b"34\n");
}

#[tokio::test]
async fn what_a_shell_writes_reaches_the_device() {
    let (mut pair, folder) = (Pair::open().await, Folder::new("shell"));
    let path = folder.path("board");
    let _bridge = Bridge::on(&mut pair, &["--pty", &path]).await;
    for text in ["G28\n", "G1 X10\n", "M84\n"] {
        fs::write(&path, text).expect("a terminal can be written");
        pair.device.expect(text).await;
    }
}

#[tokio::test]
async fn one_that_never_reads_delays_nobody_and_what_it_missed_is_counted() {
    let (remote, folder) = (Remote::listen("127.0.0.1:0").await, Folder::new("stalled"));
    let path = folder.path("board");
    let port = format!("{},pty={path}", remote.spec());
    let bridge = Bridge::start(&["--port", &port]).await;
    let mut device = remote.connected().await;
    bridge.open("board").await;
    let mut stalled = open(&path, 9600);
    bridge.program.said("connected: pty").await;
    let mut page = bridge.client("/?view=raw").await;
    let total = 24 << 20;
    let flood = tokio::spawn(async move {
        let chunk = vec![b'x'; 64 << 10];
        for _ in 0..total / chunk.len() {
            device.write_all(&chunk).await.expect("serial-ws reads");
        }
        device
    });
    let mut received = 0;
    while received < total {
        received += page.bytes().await.len();
    }
    let mut device = flood.await.expect("the device does not panic");
    assert_eq!(received, total, "the page has everything");
    if let Some(memory) = bridge.program.peak_memory() {
        assert!(memory < 48 << 20, "{memory}");
    }
    // Once it reads, it goes on where it can, and what it missed is counted.
    device.write_all(b"end").await.expect("serial-ws reads");
    let mut late = Vec::new();
    while !late.ends_with(b"end") {
        let read = within("the rest", stalled.read_buf(&mut late)).await;
        assert!(read.expect("serial-ws writes") > 0);
    }
    let missed = total + 3 - late.len();
    let board = bridge.port("board").await;
    assert_eq!(board["counters"]["missed_bytes"], missed, "{board}");
    drop(stalled);
    let left = bridge.program.said("left: pty").await;
    assert!(
        left.contains(&format!(", which missed {missed} bytes")),
        "{left}"
    );
}

#[tokio::test]
async fn on_a_port_that_only_reads_what_programs_write_is_dropped() {
    let (mut pair, folder) = (Pair::open().await, Folder::new("read-only"));
    let path = folder.path("board");
    let bridge = Bridge::on(&mut pair, &["--pty", &path, "--read-only"]).await;
    let mut port = open(&path, 115_200);
    bridge.program.said("connected: pty").await;
    port.write_all(b"anything").await.expect("serial-ws reads");
    bridge
        .program
        .said("dropped what it sent: this output only reads")
        .await;
    pair.device.write("12\n").await;
    assert_eq!(read(&mut port, 3).await, b"12\n");
    let settings = bridge.port("board").await["settings"].clone();
    assert_eq!(settings["baud"], 9600, "{settings}");
}

#[tokio::test]
async fn after_a_run_that_was_killed_its_link_is_replaced() {
    let folder = Folder::new("killed");
    let path = folder.path("board");
    let port = format!("sim,pty={path}");
    let mut first = Bridge::start(&["--port", &port]).await;
    let ended = Bridge::fail(&["--port", &port]).await;
    ended.with(1, &format!("cannot make pty={path}: it is a link to "));
    ended.with(1, "already: choose another path, or remove it");
    first.program.signal(rustix::process::Signal::KILL);
    first.program.ended().await;
    fs::read_link(&path).expect("nobody has removed it");
    // Others get the place of its terminal, as after a restart of the computer.
    let others: Vec<_> = std::iter::repeat_with(terminal).take(20).collect();
    let second = Bridge::start(&["--port", &port]).await;
    second
        .program
        .said(&format!("programs may open {path}"))
        .await;
    assert!(Path::new(&path).exists());
    drop(others);
}

#[tokio::test]
async fn a_path_that_is_another_s_is_refused_and_left_alone() {
    let folder = Folder::new("others");
    fs::write(folder.0.join("file"), "mine").expect("a file can be made");
    fs::create_dir(folder.0.join("folder")).expect("a folder can be made");
    symlink("/dev/null", folder.0.join("link")).expect("a link can be made");
    for (name, why) in [
        ("file", "it is a file: choose another path, or remove it"),
        (
            "folder",
            "it is a folder: choose another path, or remove it",
        ),
        ("link", "it is a link to /dev/null already: choose another"),
        ("no/board", "there is no such folder"),
    ] {
        let path = folder.path(name);
        let ended = Bridge::fail(&["--port", "sim", "--pty", &path]).await;
        ended.with(1, &format!("cannot make pty={path}: {why}"));
    }
    let kept = fs::read(folder.0.join("file")).expect("it is kept");
    assert_eq!(kept, b"mine");
    let same = ["a=sim,pty=/tmp/board", "--port", "b=sim,pty=/tmp/board"];
    let ended = Bridge::fail(&[&["--port"], &same[..]].concat()).await;
    ended.with(2, "port a has pty=/tmp/board already: choose another path");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_folder_in_which_nothing_can_be_made_is_named() {
    let ended = Bridge::fail(&["--port", "sim", "--pty", "/sys/board"]).await;
    ended.with(
        1,
        "cannot make pty=/sys/board: permission denied: choose a folder",
    );
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn nothing_waits_in_a_terminal_that_nobody_has_open() {
    let (mut pair, folder) = (Pair::open().await, Folder::new("idle"));
    let path = folder.path("board");
    let bridge = Bridge::on(&mut pair, &["--pty", &path]).await;
    // A terminal holds 4 KiB, and its buffers 64 KiB more: all that was written would wait there.
    let mut page = bridge.client("/?view=raw").await;
    let all = vec![b'x'; 256 << 10];
    let (mut device, sent) = (pair.device, all.clone());
    tokio::spawn(async move {
        device.write(&sent).await;
        std::future::pending::<()>().await;
    });
    page.bytes_of(all.len()).await;
    let board = bridge.port("board").await;
    assert_eq!(
        board["counters"]["missed_bytes"], 0,
        "nobody missed anything: {board}"
    );
    let log = bridge.program.log();
    assert!(
        !log.iter().any(|line| line.contains("connected: pty")),
        "{log:?}"
    );
}
