//! Ctrl-C and `kill`: the program says goodbye to everyone and is gone.

use std::time::{Duration, Instant};

use rustix::process::Signal;

#[cfg(target_os = "linux")]
use crate::support::Program;
use crate::support::{Bridge, Client, Pair, is_for_windows, skip, within};

/// By contract, the program has ended so long after the signal.
const GONE: Duration = Duration::from_secs(2);

#[tokio::test]
async fn ctrl_c_under_load_says_goodbye_and_ends_in_two_seconds() {
    ends_well(Signal::INT).await;
}

#[tokio::test]
async fn sigterm_under_load_says_goodbye_and_ends_in_two_seconds() {
    if is_for_windows() {
        return skip("Windows has no SIGTERM");
    }
    ends_well(Signal::TERM).await;
}

#[tokio::test]
async fn ctrl_c_ends_a_bridge_that_still_waits_for_its_port() {
    let mut bridge = Bridge::start(&["--port", "board=/nonexistent/serial-ws"]).await;
    let mut client = bridge.client("/").await;
    let pressed = Instant::now();
    bridge.program.signal(Signal::INT);
    assert_eq!(client.closed().await.0, 1001);
    assert_eq!(bridge.program.ended().await.status.code(), Some(0));
    assert!(pressed.elapsed() < GONE, "it took {:?}", pressed.elapsed());
}

#[tokio::test]
async fn ctrl_c_is_heard_from_the_moment_the_bridge_listens() {
    for _ in 0..20 {
        let mut bridge = Bridge::start(&["--port", "sim"]).await;
        bridge.program.signal(Signal::INT);
        bridge.program.ended().await.with(0, "");
    }
}

#[tokio::test]
async fn a_terminal_that_goes_away_ends_the_bridge() {
    if is_for_windows() {
        return skip("Windows has no SIGHUP");
    }
    let mut bridge = Bridge::start(&["--port", "sim"]).await;
    bridge.program.signal(Signal::HUP);
    bridge.program.ended().await.with(0, "");
}

/// Stops a bridge whose device sends as fast as it can, with clients that read, one that never
/// reads, one that writes what the device never reads, and one that has not asked for anything yet.
async fn ends_well(signal: Signal) {
    let mut pair = Pair::open().await;
    let mut bridge = Bridge::on(&mut pair, &[]).await;
    let mut readers = Vec::new();
    for view in ["lines", "raw", "text", "json"] {
        readers.push(bridge.client(&format!("/?view={view}")).await);
    }
    let _stalled = Client::open_narrow(bridge.address(), "/").await;
    let _silent = tokio::net::TcpStream::connect(bridge.address())
        .await
        .expect("it accepts");
    let mut writer = bridge.client("/?view=raw").await;
    for _ in 0..30 {
        writer.send_bytes(vec![b'w'; 4000]).await;
    }
    let device = tokio::spawn(async move {
        loop {
            pair.device.write("0123456789\n".repeat(1000)).await;
        }
    });
    let readers: Vec<_> = readers
        .into_iter()
        .map(|mut reader| tokio::spawn(async move { reader.closed().await }))
        .collect();

    let pressed = Instant::now();
    bridge.program.signal(signal);
    let ended = within("the program to end", bridge.program.ended()).await;
    assert!(pressed.elapsed() < GONE, "it took {:?}", pressed.elapsed());
    ended.with(0, "");
    for reader in readers {
        let (code, reason) = reader.await.expect("each client gets a Close");
        assert_eq!(code, 1001, "{reason}");
        assert!(!reason.is_empty());
    }
    device.abort();
}

#[cfg(target_os = "linux")] // systemd's way
#[tokio::test]
async fn a_service_manager_hears_when_the_bridge_is_ready() {
    if is_for_windows() {
        return skip("Windows has no systemd");
    }
    let path = std::env::temp_dir().join(format!("serial-ws-test-{}-notify", std::process::id()));
    let socket = tokio::net::UnixDatagram::bind(&path).expect("a socket can be made");
    let name = path.to_str().expect("the path is text");
    let arguments = ["--port", "sim", "--listen", "127.0.0.1:0"];
    let program = Program::start_with(&arguments, &[("NOTIFY_SOCKET", name)]);
    let mut said = [0; 64];
    let length = within("a word of the bridge", socket.recv(&mut said)).await;
    assert_eq!(&said[..length.expect("it can be read")], b"READY=1");
    let bridge = Bridge::of(program, 1).await;
    assert_eq!(bridge.get("/healthz").await.status, 200);
    let _ = std::fs::remove_file(path);
}
