//! The log, when nobody takes it any more.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};

use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::process::Signal;

use crate::support::{Bridge, Pair, Program, http, is_for_windows, skip, until};

/// A page's request that is refused, and told of in the log.
const FOREIGN: [(&str, &str); 1] = [("Origin", "http://page.example")];

#[tokio::test]
async fn a_terminal_that_is_held_holds_up_nobody() {
    if is_for_windows() {
        return skip("a terminal here is none for a program for Windows");
    }
    let (program, mut person) =
        Program::start_at_a_terminal(&["--port", "sim", "--listen", "127.0.0.1:0"], &[]);
    let mut bridge = Bridge::of(program, 1).await;
    let mut client = bridge.client("/").await;
    hold(&mut person).await;
    let refused = http(bridge.address(), "GET", "/api/status", &FOREIGN).await;
    assert_eq!(refused.status, 403, "{refused:?}");
    assert_eq!(bridge.get("/healthz").await.status, 200);
    client.text().await;
    // It still ends in order, and in time.
    bridge.program.signal(Signal::TERM);
    bridge.program.ended().await.with(0, "");
}

#[tokio::test]
async fn a_log_that_nobody_reads_any_more_ends_nothing() {
    if is_for_windows() {
        return skip("wine's programs do not notice a closed pipe");
    }
    if !Pair::are_ours() {
        return skip("a serial pair from outside cannot be unplugged");
    }
    let mut pair = Pair::open().await;
    let (log, stderr) = std::io::pipe().expect("there are pipes");
    let port = format!("board={}", pair.path);
    let arguments = ["--port", &port, "--listen", "127.0.0.1:0"];
    let program = Program::start_with_stderr(&arguments, stderr.into());
    let mut first = String::new();
    let mut log = BufReader::new(log);
    log.read_line(&mut first).expect("the log can be read");
    let address = first
        .split_once("ws://")
        .and_then(|(_, rest)| rest.split_once('/'));
    let (address, _) = address.expect("the bridge says where it listens");
    let addresses = vec![address.parse().expect("it is an address")];
    let mut bridge = Bridge { program, addresses };
    bridge.open("board").await;
    drop(log);
    pair.unplug();
    bridge.state("board", "lost").await;
    bridge.program.signal(Signal::TERM);
    bridge.program.ended().await.with(0, "");
}

/// Presses Ctrl-S, and waits until the terminal takes no more text.
async fn hold(person: &mut File) {
    const CTRL_S: &[u8] = b"\x13";
    person.write_all(CTRL_S).expect("somebody can type");
    let name = rustix::pty::ptsname(&*person, Vec::new()).expect("a terminal has a name");
    let flags = OFlags::WRONLY | OFlags::NOCTTY | OFlags::NONBLOCK;
    let terminal = open(&name, flags, Mode::empty()).expect("the terminal can be opened");
    until("the terminal to be held", async || {
        (rustix::io::write(&terminal, b".") == Err(Errno::AGAIN)).then_some(())
    })
    .await;
}
