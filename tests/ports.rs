//! The ports of a bridge: several, each with its settings, on several listeners; opened once; and
//! those that are missing, busy, or no serial port at all.

use std::{net::TcpListener, path::PathBuf};

use crate::support::{Bridge, Client, Pair, Program, is_for_windows, skip, until};

#[tokio::test]
async fn the_first_port_is_at_the_root_and_each_at_its_name() {
    if !Pair::are_ours() {
        return skip("there is only one serial pair");
    }
    let (mut uno, mut scale) = (Pair::open().await, Pair::open().await);
    let bridge = Bridge::start(&[
        "--port",
        &format!("uno={}", uno.path),
        "--port",
        &format!("scale={}", scale.path),
    ])
    .await;
    bridge.in_step("uno", &mut uno).await;
    bridge.in_step("scale", &mut scale).await;
    let mut root = bridge.client("/").await;
    let mut first = bridge.client("/ports/uno").await;
    let mut second = bridge.client("/ports/scale").await;
    uno.device.write("from uno\n").await;
    scale.device.write("from scale\n").await;
    assert_eq!(root.text().await, "from uno");
    assert_eq!(first.text().await, "from uno");
    assert_eq!(second.text().await, "from scale");
    root.send("to uno").await;
    second.send("to scale").await;
    uno.device.expect("to uno").await;
    scale.device.expect("to scale").await;

    let mut json = bridge.client("/ports/scale?view=json").await;
    let hello = json.json_of("hello").await;
    assert_eq!(hello["port"]["name"], "scale", "{hello}");
    assert_eq!(
        hello["ports"],
        serde_json::json!(["uno", "scale"]),
        "{hello}"
    );
}

#[tokio::test]
async fn settings_after_a_port_are_its_own() {
    if !Pair::are_ours() {
        return skip("there is only one serial pair");
    }
    let (mut uno, mut scale) = (Pair::open().await, Pair::open().await);
    let bridge = Bridge::start(&[
        "--port",
        &format!("uno={},lines", uno.path),
        "--port",
        &format!("scale={},baud=115200,raw", scale.path),
        "--baud",
        "19200",
    ])
    .await;
    bridge.in_step("uno", &mut uno).await;
    bridge.in_step("scale", &mut scale).await;
    let mut lines = bridge.client("/ports/uno").await;
    let mut raw = bridge.client("/ports/scale").await;
    uno.device.write("1\n").await;
    scale.device.write("2\n").await;
    assert_eq!(lines.text().await, "1");
    assert_eq!(raw.bytes_of(2).await, b"2\n");
    // On macOS a pseudo-terminal takes no rate.
    #[cfg(all(unix, not(target_os = "macos")))]
    {
        assert_eq!(uno.rate(), Some(19_200));
        assert_eq!(scale.rate(), Some(115_200));
    }
}

#[tokio::test]
async fn a_port_without_a_name_is_called_by_the_end_of_its_path() {
    let pair = Pair::open().await;
    let bridge = Bridge::start(&["--port", &pair.path]).await;
    let name = pair.path.rsplit('/').next().expect("a path has an end");
    bridge.open(name).await;
}

#[tokio::test]
async fn the_port_may_come_from_the_environment() {
    let program = Program::start_with(
        &["--listen", "127.0.0.1:0"],
        &[("SERIAL_WS_PORT", "env=sim")],
    );
    let bridge = Bridge::of(program, 1).await;
    bridge.open("env").await;
}

#[tokio::test]
async fn every_listener_serves_the_same_ports() {
    let mut pair = Pair::open().await;
    let port = format!("board={}", pair.path);
    let listen = ["--listen", "127.0.0.1:0"];
    let bridge = Bridge::start(&[&["--port", &port], &listen[..], &listen[..]].concat()).await;
    assert_ne!(bridge.addresses[0], bridge.addresses[1]);
    bridge.in_step("board", &mut pair).await;
    let mut one = Client::open(bridge.addresses[0], "/", &[]).await;
    let mut two = Client::open(bridge.addresses[1], "/", &[]).await;
    pair.device.write("5\n").await;
    assert_eq!(one.text().await, "5");
    assert_eq!(two.text().await, "5");
}

#[tokio::test]
async fn a_device_that_goes_leaves_the_clients_connected_and_the_processor_idle() {
    if !Pair::are_ours() {
        return skip("a serial pair from outside cannot be unplugged");
    }
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut client = bridge.client("/?view=json").await;
    client.json_of("hello").await;
    drop(pair);
    loop {
        let status = client.json_of("status").await;
        if status["state"] != "open" {
            break;
        }
    }
    if bridge.program.rests(0.25).await.is_none() {
        skip("the processor time of the program cannot be known here");
    }
    client
        .send_json(serde_json::json!({"type": "write", "text": "x", "id": 1}))
        .await;
    assert_eq!(client.json_of("error").await["id"], 1);
}

#[tokio::test]
async fn a_missing_port_is_waited_for() {
    let bridge = Bridge::start(&["--port", "board=/nonexistent/ttyACM7"]).await;
    bridge.program.said("no port /nonexistent/ttyACM7").await;
    until("a status that says which port is missing", async || {
        let status = bridge.state("board", "waiting").await;
        status
            .to_string()
            .contains("/nonexistent/ttyACM7")
            .then_some(())
    })
    .await;
    // Clients may come before the board does.
    let mut client = bridge.client("/?view=json").await;
    assert_eq!(client.json_of("hello").await["status"]["state"], "waiting");
}

#[tokio::test]
async fn no_wait_ends_the_program_when_the_port_is_missing() {
    let ended = Bridge::fail(&["--port", "/nonexistent/ttyACM7", "--no-wait"]).await;
    ended.with(1, "no port /nonexistent/ttyACM7");
}

#[tokio::test]
async fn a_directory_is_no_serial_port() {
    let folder = std::env::temp_dir().display().to_string();
    Bridge::fail(&["--port", &folder]).await.with(2, &folder);
}

#[tokio::test]
async fn a_regular_file_is_no_serial_port() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("Cargo.toml")
        .display()
        .to_string();
    Bridge::fail(&["--port", &file]).await.with(2, &file);
}

#[tokio::test]
async fn a_device_that_is_no_serial_port_is_refused() {
    if is_for_windows() {
        return skip("Windows has no /dev/null");
    }
    Bridge::fail(&["--port", "/dev/null"])
        .await
        .with(1, "/dev/null");
}

#[tokio::test]
async fn a_name_given_twice_is_wrong_usage() {
    Bridge::fail(&["--port", "a=sim", "--port", "a=loop"])
        .await
        .with(2, "a");
    // The name that a path gives counts as well.
    Bridge::fail(&["--port", "/x/ttyS9", "--port", "/y/ttyS9"])
        .await
        .with(2, "ttyS9");
}

#[tokio::test]
async fn a_tcp_port_in_use_is_named_with_the_way_out() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a TCP port can be had");
    let address = taken.local_addr().expect("it has an address");
    let ended = Bridge::fail(&["--port", "sim", "--listen", &address.to_string()]).await;
    ended.with(1, &format!("port {} is in use", address.port()));
    ended.with(1, "Choose another: --listen ");
}

/// What only pseudo-terminals and the file systems of Unix can show.
#[cfg(unix)]
mod unix {
    use super::*;
    use crate::support::wine;

    #[tokio::test]
    async fn a_port_that_appears_is_opened_and_its_first_line_is_whole() {
        if !Pair::are_ours() {
            return skip("a serial pair from outside cannot be plugged in");
        }
        let mut pair = Pair::open().await;
        pair.hide();
        let bridge = Bridge::start(&["--port", &format!("board={}", pair.path)]).await;
        bridge.program.said("no port").await;
        let mut client = bridge.client("/").await;
        pair.show();
        bridge.open("board").await;
        pair.device.write("ready\n").await;
        assert_eq!(client.text().await, "ready");
    }

    #[tokio::test]
    async fn a_serial_port_in_use_is_named_with_its_holder_and_then_waited_for() {
        if wine::runs_it() {
            return skip("wine lets two programs open one port");
        }
        let mut pair = Pair::open().await;
        let first = Bridge::on(&mut pair, &[]).await;
        pair.let_go();
        let sentence = format!("cannot open {}: in use by", pair.path);

        let mut second = Bridge::start(&["--port", &format!("board={}", pair.path)]).await;
        let said = second.program.said(&sentence).await;
        if cfg!(target_os = "linux") {
            assert!(said.contains("(pid "), "{said}");
        }
        second.state("board", "busy").await;
        let ended = Bridge::fail(&["--port", &pair.path, "--no-wait"]).await;
        ended.with(1, &sentence);

        first.program.signal(rustix::process::Signal::TERM);
        drop(first);
        second.open("board").await;
        second.in_step("board", &mut pair).await;
        second.program.signal(rustix::process::Signal::TERM);
        assert_eq!(second.program.ended().await.status.code(), Some(0));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_port_is_opened_once_whoever_comes_and_goes() {
        let mut pair = Pair::open().await;
        let bridge = Bridge::on(&mut pair, &[]).await;
        let opened = Opened::watch(pair.node());
        let mut stays = bridge.client("/").await;
        for _ in 0..5 {
            // A page, and the same page reloaded.
            let mut page = bridge.client("/").await;
            pair.device.write("5\n").await;
            assert_eq!(page.text().await, "5");
            assert_eq!(stays.text().await, "5");
            page.leave().await;
        }
        stays.leave().await;
        // And when nobody had been there for a moment.
        let mut page = bridge.client("/").await;
        pair.device.write("6\n").await;
        assert_eq!(page.text().await, "6");
        assert_eq!(opened.count(), 0, "the port was opened or closed again");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn listing_the_ports_and_looking_at_them_opens_none() {
        let mut pair = Pair::open().await;
        pair.let_go();
        let opened = Opened::watch(pair.node());
        Program::run(&["list", "--all"]).await.with(0, "");
        assert_eq!(opened.count(), 0, "list opened a port");
        let arguments = ["doctor", "--port", &pair.path, "--listen", "127.0.0.1:0"];
        Program::run(&arguments).await.with(0, "");
        assert_eq!(opened.count(), 0, "doctor opened a port");
    }

    /// Counts how often a port was opened or closed, whoever did it.
    #[cfg(target_os = "linux")]
    struct Opened(std::os::fd::OwnedFd);

    #[cfg(target_os = "linux")]
    impl Opened {
        fn watch(path: &std::path::Path) -> Self {
            use rustix::fs::inotify;
            let watch =
                inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC);
            let watch = watch.expect("files can be watched");
            let events = inotify::WatchFlags::OPEN | inotify::WatchFlags::CLOSE;
            inotify::add_watch(&watch, path, events).expect("the port can be watched");
            Self(watch)
        }

        fn count(&self) -> usize {
            let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
            let mut reader = rustix::fs::inotify::Reader::new(&self.0, &mut buffer);
            std::iter::from_fn(|| reader.next().ok().map(drop)).count()
        }
    }
}
