//! Ctrl-C and `kill`: the program says goodbye to everyone and is gone.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::{Bridge, Client, Pair, is_for_windows, skip, within};
#[cfg(target_os = "linux")]
use crate::support::{Program, is_emulated, until};

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

#[cfg(unix)] // where commands of a shell run
#[tokio::test]
async fn a_program_that_ignores_sigterm_is_killed_and_keeps_nobody_from_ending_well() {
    let stubborn = "exec:sh -c \"trap '' TERM; echo ready; while :; do sleep 1; done\"";
    let mut bridge = Bridge::start(&["--port", stubborn]).await;
    let mut client = bridge.client("/?history=1").await;
    assert_eq!(client.text().await, "ready");
    let pressed = Instant::now();
    bridge.program.signal(Signal::TERM);
    bridge.program.ended().await.with(0, "");
    assert!(pressed.elapsed() < GONE, "it took {:?}", pressed.elapsed());
}

#[cfg(target_os = "linux")] // where other processes can be looked at
#[tokio::test]
async fn sigterm_ends_it_well_at_any_moment_after_the_start() {
    /// The most that it takes to start, in a build with debug assertions on a busy machine.
    const LATEST: u64 = 60;
    if is_emulated() {
        return skip("another program runs it, which handles signals in its own way");
    }
    for milliseconds in 0..LATEST {
        let mut program = Program::start(&["--port", "sim", "--listen", "127.0.0.1:0"]);
        while !program.catches(Signal::TERM) {
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        program.signal(Signal::TERM);
        program.ended().await.with(0, "");
    }
}

#[cfg(target_os = "linux")] // where other processes can be looked at
#[tokio::test]
async fn sigterm_before_the_configuration_is_read_ends_it_well_and_commands_by_the_signal() {
    use std::os::unix::process::ExitStatusExt;
    if is_emulated() {
        return skip("another program runs it, which handles signals in its own way");
    }
    let path = std::env::temp_dir().join(format!("serial-ws-test-{}-slow", std::process::id()));
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.is_ok_and(|status| status.success()), "{path:?}");
    let file = path.to_str().expect("the path is text");
    for command in [None, Some("config")] {
        // Whoever reads it waits until this is closed.
        let opened = std::fs::File::options().read(true).write(true).open(&path);
        let opened = opened.expect("it can be opened");
        let mut arguments = Vec::from_iter(command);
        arguments.extend(["--config", file, "--port", "sim", "--listen", "127.0.0.1:0"]);
        let mut program = Program::start(&arguments);
        until("the program to read", async || {
            let descriptors = std::fs::read_dir(format!("/proc/{}/fd", program.id())).ok()?;
            let mut files =
                descriptors.flat_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
            files.any(|file| file == path).then_some(())
        })
        .await;
        program.signal(Signal::TERM);
        drop(opened);
        let status = program.ended().await.status;
        let by_signal = (None, Some(Signal::TERM.as_raw()));
        let expected = command.map_or((Some(0), None), |_| by_signal);
        assert_eq!((status.code(), status.signal()), expected, "{command:?}");
    }
    let _ = std::fs::remove_file(path);
}

#[tokio::test]
async fn sigterm_ends_it_well_with_a_hundred_clients() {
    if is_for_windows() {
        return skip("Windows has no SIGTERM");
    }
    let mut pair = Pair::open().await;
    let mut bridge = Bridge::on(&mut pair, &[]).await;
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let mut client = bridge.client("/").await;
        clients.spawn(async move { client.closed().await.0 });
    }
    let device = tokio::spawn(async move {
        loop {
            pair.device.write("0123456789\n".repeat(100)).await;
        }
    });
    let pressed = Instant::now();
    bridge.program.signal(Signal::TERM);
    bridge.program.ended().await.with(0, "");
    assert!(pressed.elapsed() < GONE, "it took {:?}", pressed.elapsed());
    while let Some(code) = clients.join_next().await {
        assert_eq!(code.expect("each gets a Close"), 1001);
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
