//! `serial-ws doctor`: its diagnostics on this computer, and its exit code.

use crate::support::{Bridge, Ended, Program, is_for_windows};
#[cfg(unix)]
use crate::support::{Pair, is_emulated, skip};

/// Looks at a port that needs no board, and listens where the system likes, unless told otherwise.
async fn doctor(arguments: &[&str]) -> Ended {
    let own = ["doctor", "--port", "sim", "--listen", "127.0.0.1:0"];
    Program::run(&[&own, arguments].concat()).await
}

/// Asserts the exit code, and a line that begins and goes on like this.
#[track_caller]
fn check(ended: &Ended, code: i32, mark: &str, part: &str) {
    ended.with(code, "");
    let mut lines = ended.stdout.lines();
    assert!(
        lines.any(|line| line.starts_with(mark) && line.contains(part)),
        "{mark} … {part} is not in {ended:?}"
    );
}

#[tokio::test]
async fn if_all_is_well_there_is_nothing_to_do() {
    let well = doctor(&["http://localhost:5500/index.html"]).await;
    check(&well, 0, "ok", "sim needs no board");
    check(&well, 0, "ok", "free for serial-ws");
    check(&well, 0, "ok", "allows pages from http://localhost:5500");
}

#[tokio::test]
async fn doctor_says_why_a_page_cannot_connect() {
    let site = doctor(&["https://editor.p5js.org/ana/sketches/x"]).await;
    check(&site, 0, "note", "Safari");
    check(&site, 0, "note", "--allow-origin https://preview.p5js.org");
    let plain = doctor(&["http://example.org/"]).await;
    check(&plain, 1, "do", "--allow-origin http://example.org");
    doctor(&["example.org"]).await.with(2, "https://");
}

#[tokio::test]
async fn a_site_on_our_tcp_port_is_not_a_page_of_our_own() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let listen = address.port().to_string();
    let look = async |host: &str| {
        let page = format!("http://{host}:{}/", address.port());
        Program::run(&["doctor", "-p", "sim", "--lan", "-l", &listen, &page]).await
    };
    let site = look("example.org").await;
    check(&site, 1, "do", "--allow-origin http://example.org:");
    check(&look("pi.local").await, 0, "ok", "can connect once");
}

#[tokio::test]
async fn a_running_bridge_is_found_and_asked_about_the_page() {
    let flags = [
        "--port",
        "sim",
        "--allow-origin",
        "https://a.example,read-only",
    ];
    let bridge = Bridge::start(&flags).await;
    let address = bridge.address().to_string();
    let look = async |page| Program::run(&["doctor", "-p", "sim", "-l", &address, page]).await;
    let found = look("https://a.example/x").await;
    let runs = format!(
        "serial-ws {} runs at http://localhost:{}/",
        env!("CARGO_PKG_VERSION"),
        bridge.address().port()
    );
    check(&found, 0, "ok", &runs);
    check(&found, 0, "note", "https://a.example to read only");
    check(&look("https://b.example/").await, 0, "note", "asks about");
}

#[tokio::test]
async fn a_tcp_port_in_use_by_another_program_needs_action() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap();
    let found = Program::run(&["doctor", "-p", "sim", "-l", &address.to_string()]).await;
    check(&found, 1, "do", "is in use. Choose another: --listen");
    if cfg!(target_os = "linux") && !is_for_windows() {
        check(&found, 1, "do", &format!("(pid {})", std::process::id()));
    }
}

#[cfg(unix)] // where we can leave the program alone with a port
#[tokio::test]
async fn a_port_is_free_or_has_its_holder_named() {
    if is_emulated() {
        return skip("the holder of the port would be the emulator");
    }
    let mut pair = Pair::open().await;
    pair.let_go();
    let path = pair.path.clone();
    let look = async || doctor(&["--port", &format!("board={path}")]).await;
    check(&look().await, 0, "ok", &path);
    let bridge = Bridge::start(&["--port", &format!("board={path}")]).await;
    bridge.open("board").await;
    let held = look().await;
    let by = if cfg!(target_os = "linux") {
        "in use by serial-ws (pid "
    } else {
        ""
    };
    check(&held, 0, "ok", by);
}

#[tokio::test]
async fn a_device_needs_no_flag_before_or_after_a_page() {
    let page = "http://localhost:5500/";
    for words in [["sim", page], [page, "sim"]] {
        let well = Program::run(&[&["doctor", "-l", "127.0.0.1:0"][..], &words].concat()).await;
        check(&well, 0, "ok", "sim needs no board");
        check(&well, 0, "ok", "allows pages from http://localhost:5500");
    }
    let both = doctor(&["usb:dead:beef"]).await;
    check(&both, 1, "ok", "sim needs no board");
    check(&both, 1, "do", "no board usb:dead:beef");
}

#[tokio::test]
async fn a_missing_port_needs_action() {
    let missing = doctor(&["--port", "usb:dead:beef"]).await;
    check(&missing, 1, "do", "no board usb:dead:beef");
}

#[tokio::test]
async fn outputs_that_are_not_reached_say_what_to_do() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("mqtt://{}/lab", free.local_addr().unwrap());
    drop(free);
    let gone = doctor(&["--mqtt", &url, "--osc", "nowhere.invalid:9000"]).await;
    check(
        &gone,
        1,
        "do",
        "nothing listens there. Check that the broker runs",
    );
    check(
        &gone,
        1,
        "do",
        "cannot find nowhere.invalid:9000 in the network",
    );
    let found = doctor(&["--osc", "localhost:9000"]).await;
    check(&found, 0, "ok", "OSC is sent to localhost:9000");
}

/// Answers one connection as a broker does (MQTT 3.1.1, §3.2), and returns what came.
async fn broker(listener: tokio::net::TcpListener, code: u8) -> Vec<u8> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (mut stream, _) = listener.accept().await.expect("doctor connects");
    let mut came = vec![0; 1024];
    let count = stream.read(&mut came).await.expect("doctor writes");
    came.truncate(count);
    let answered = stream.write_all(&[0x20, 2, 0, code]).await;
    answered.expect("doctor reads");
    let rest = stream.read_to_end(&mut came).await;
    rest.expect("doctor leaves");
    came
}

#[tokio::test]
async fn a_broker_is_asked_whether_it_accepts_us_and_told_nothing() {
    for (code, exit, mark, part) in [
        (0, 0, "ok", "accepts serial-ws"),
        (5, 1, "do", "--mqtt-user NAME --mqtt-password FILE"),
    ] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("mqtt://{}", listener.local_addr().unwrap());
        let arguments = ["--mqtt", &*url];
        let (ended, came) = tokio::join!(doctor(&arguments), broker(listener, code));
        check(&ended, exit, mark, part);
        // The flags of CONNECT (§3.1.2): a clean session, and no will that would say that we have gone.
        assert_eq!(came[9], 0b10, "{came:?}");
        assert_eq!(came.len(), usize::from(came[1]) + 2, "only CONNECT");
    }
}
