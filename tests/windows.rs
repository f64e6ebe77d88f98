//! A program for Windows under wine: boards that Windows lists, its spellings of ports, and what
//! it asks of their drivers.

use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

use crate::support::{Bridge, Pair, Program, skip, until, wine};

/// An Uno's vendor, product and serial number, as Windows writes and as we do.
const UNO: (&str, &str) = (r"VID_2341&PID_0043\A1B2", "usb:2341:0043:A1B2");

/// A second board.
const NANO: (&str, &str) = (r"VID_2341&PID_8057\C3D4", "usb:2341:8057:C3D4");

/// There is one list of boards for all tests.
static BOARDS: Mutex<()> = Mutex::const_new(());

#[tokio::test]
async fn list_names_a_board_by_all_that_windows_knows() {
    let Some(_boards) = boards().await else {
        return;
    };
    let pair = Pair::open().await;
    let _uno = wine::Board::new(&pair.path, UNO.0, "Arduino Uno");
    let listed = Program::run(&["list", "--json"]).await;
    listed.with(0, "");
    let ports: Value = serde_json::from_str(&listed.stdout).expect("the list is JSON");
    let ports = ports.as_array().expect("it is an array");
    let uno = ports.iter().find(|port| port["path"] == pair.path);
    let uno = uno.unwrap_or_else(|| panic!("{} is not in {ports:?}", pair.path));
    let expected = json!({
        "vid": "2341",
        "pid": "0043",
        "serial": "A1B2",
        "manufacturer": "Arduino LLC",
        "product": "Arduino Uno",
        "interface": null,
        "location": null,
    });
    assert_eq!(uno["usb"], expected, "{uno}");
    assert_eq!(uno["board"], "Arduino Uno", "{uno}");
    let listed = Program::run(&["list"]).await.stdout;
    for word in [&pair.path, "Arduino Uno", "usb:2341:0043", "A1B2"] {
        assert!(listed.contains(word), "{word} is not in {listed}");
    }
}

#[tokio::test]
async fn a_board_is_found_by_its_identity_or_as_the_only_one() {
    let Some(_boards) = boards().await else {
        return;
    };
    let (mut first, second) = (Pair::open().await, Pair::open().await);
    let _uno = wine::Board::new(&first.path, UNO.0, "Arduino Uno");
    {
        let bridge = Bridge::start(&["--port", "board=auto"]).await;
        bridge.in_step("board", &mut first).await;
    }
    let _nano = wine::Board::new(&second.path, NANO.0, "Nano 33 IoT");
    let ended = Bridge::fail(&["--port", "auto", "--no-wait"]).await;
    ended.with(1, "2 boards found");
    ended.with(1, NANO.1);
    for spec in ["usb:2341:0043", UNO.1] {
        let bridge = Bridge::start(&["--port", &format!("board={spec}")]).await;
        bridge.in_step("board", &mut first).await;
    }
}

#[tokio::test]
async fn a_board_that_comes_back_as_another_port_is_used_again() {
    let Some(_boards) = boards().await else {
        return;
    };
    let (mut first, mut second) = (Pair::open().await, Pair::open().await);
    let uno = wine::Board::new(&first.path, UNO.0, "Arduino Uno");
    let bridge = Bridge::start(&["--port", &format!("board={}", first.path)]).await;
    bridge.in_step("board", &mut first).await;
    let mut page = bridge.client("/").await;
    drop(uno);
    first.unplug();
    bridge.state("board", "lost").await;
    let _uno = wine::Board::new(&second.path, UNO.0, "Arduino Uno");
    bridge.open("board").await;
    second.device.write("back\n").await;
    assert_eq!(page.text().await, "back");
    page.send("hello").await;
    second.device.expect("hello").await;
}

#[tokio::test]
async fn a_board_plugged_in_later_is_opened() {
    let Some(_boards) = boards().await else {
        return;
    };
    let mut pair = Pair::open().await;
    let bridge = Bridge::start(&["--port", "board=auto"]).await;
    bridge.program.said("no").await;
    let mut page = bridge.client("/").await;
    let _uno = wine::Board::new(&pair.path, UNO.0, "Arduino Uno");
    bridge.open("board").await;
    pair.device.write("ready\n").await;
    assert_eq!(page.text().await, "ready");
}

#[tokio::test]
async fn a_port_may_be_spelled_in_all_of_windows_ways() {
    if !wine::runs_it() {
        return skip("only a program for Windows knows COM ports");
    }
    let mut pair = Pair::open().await;
    let (lower, exact) = (pair.path.to_lowercase(), format!(r"\\.\{}", pair.path));
    for spelled in [&lower, &exact, &format!("{lower}:")] {
        let bridge = Bridge::start(&["--port", spelled]).await;
        bridge.in_step(&pair.path.clone(), &mut pair).await;
    }
}

#[tokio::test]
async fn a_port_that_is_not_there_is_not_said_to_be_in_use() {
    if !wine::runs_it() {
        return skip("only a program for Windows knows COM ports");
    }
    let ended = Bridge::fail(&["--port", "COM4711", "--no-wait"]).await;
    ended.with(1, "no port COM4711");
}

#[tokio::test]
async fn dtr_is_asserted_and_then_rts_when_a_port_is_open() {
    if !wine::runs_it() {
        return skip("only wine tells what a driver was asked");
    }
    let mut pair = Pair::open().await;
    let port = format!("board={}", pair.path);
    let asked = |flags: &[&str]| {
        let own = ["--port", &port, "--listen", "127.0.0.1:0"];
        Program::start_with(&[&own, flags].concat(), &[("WINEDEBUG", "+comm,+file")])
    };
    let bridge = Bridge::of(asked(&[]), 1).await;
    bridge.in_step("board", &mut pair).await;
    let log = bridge.program.log();
    let last = |part: &str| log.iter().rposition(|line| line.contains(part));
    let opened = last("CreateFile").max(last("NtCreateFile"));
    let (dtr, rts) = (last("IOCTL_SERIAL_SET_DTR"), last("IOCTL_SERIAL_SET_RTS"));
    assert!(
        opened.is_some() && opened < dtr && dtr < rts,
        "{opened:?} {dtr:?} {rts:?}"
    );
    drop(bridge);

    let bridge = Bridge::of(asked(&["--dtr", "off", "--rts", "keep"]), 1).await;
    bridge.in_step("board", &mut pair).await;
    let log = bridge.program.log().join("\n");
    assert!(!log.contains("IOCTL_SERIAL_SET_DTR"), "DTR was asserted");
    assert!(log.contains("IOCTL_SERIAL_CLR_DTR"), "DTR was left");
    assert!(!log.contains("IOCTL_SERIAL_SET_RTS"), "RTS was asserted");
}

#[tokio::test]
async fn a_path_that_is_a_device_opens_none() {
    if !wine::runs_it() {
        return skip("only wine tells which devices were opened");
    }
    let folder = std::env::temp_dir().join(format!("serial-ws-test-{}-com", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    std::fs::write(folder.join("a.txt"), "a").expect("a file can be written");
    let web = folder.to_str().expect("the path is text");
    let arguments = ["--port", "sim", "--listen", "127.0.0.1:0", "--web", web];
    let program = Program::start_with(&arguments, &[("WINEDEBUG", "+file")]);
    let bridge = Bridge::of(program, 1).await;
    assert_eq!(bridge.get("/a.txt").await.body, "a");
    for name in ["COM5", "com5.txt", "COM5:", "COM12", "nul"] {
        let status = bridge.get(&format!("/{name}")).await.status;
        assert_eq!(status, 404, "{name}");
    }
    until("the trace of the file that was served", async || {
        let log = bridge.program.log().join("\n");
        log.contains("a.txt").then_some(())
    })
    .await;
    let log = bridge.program.log().join("\n");
    // A file's whole name stands after this, or a device's, which has no folder.
    assert!(log.contains(r"??\\Z:"), "{log}");
    assert!(!log.contains(r"??\\COM"), "a port was opened");
    let _ = std::fs::remove_dir_all(folder);
}

/// The list of boards, empty; None, with the reason given, where there is none to change.
async fn boards() -> Option<MutexGuard<'static, ()>> {
    if !wine::runs_it() {
        skip("boards can only be made up for wine");
        return None;
    }
    Some(BOARDS.lock().await)
}
