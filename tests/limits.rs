//! The limits on connections and clients. Whoever reaches one disturbs nobody else.

use std::{io::ErrorKind, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::network::{Network, kept};
use crate::support::{
    Bridge, Client, RawSocket, ask_upgrade, bare, http, is_emulated, request, until, upgrade,
    within,
};
#[cfg(unix)]
use crate::support::{Program, is_for_windows, skip};

/// The program's limit on pending connections.
const MAX_PENDING: usize = 64;

#[tokio::test]
async fn endless_empty_frames_end() {
    let bridge = simulated(&[]).await;
    let mut client = RawSocket::open(bridge.address(), "/").await;
    client.write(&[0x01, 0x80, 0, 0, 0, 0]).await;
    client.write(&[0x00, 0x80, 0, 0, 0, 0].repeat(5200)).await;
    let (code, reason) = client.closed().await;
    assert_eq!(code, 1008, "{reason}");
    assert!(reason.contains("frames"), "{reason}");
}

#[tokio::test]
async fn a_ping_flood_ends() {
    for path in ["/", "/echo"] {
        let bridge = simulated(&[]).await;
        let mut client = RawSocket::open(bridge.address(), path).await;
        client.write(&[0x89, 0x80, 0, 0, 0, 0].repeat(101)).await;
        let (code, reason) = client.closed().await;
        assert_eq!(code, 1008, "{reason}");
        assert!(reason.contains("100 pings"), "{reason}");
    }
}

#[tokio::test]
async fn a_message_that_never_ends_is_ended_with_the_reason() {
    let bridge = simulated(&[]).await;
    let mut client = RawSocket::open(bridge.address(), "/echo").await;
    client.write(&[0x81, 0xfe, 0xff, 0xff, 0, 0, 0, 0]).await;
    let trickle = async {
        loop {
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            client.write(b"x").await;
            if let Ok(closed) =
                tokio::time::timeout(std::time::Duration::from_millis(1), client.closed()).await
            {
                return closed;
            }
        }
    };
    let (code, reason) = within("the end of a message that never ends", trickle).await;
    assert_eq!(code, 1008, "{reason}");
    assert!(reason.contains("longer than 10 s"), "{reason}");
}

#[tokio::test]
async fn a_tls_client_is_explained_in_the_terminal() {
    let bridge = simulated(&[]).await;
    bare(
        bridge.address(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    )
    .await;
    bridge.program.said("wss://").await;
}

#[tokio::test]
async fn silent_connections_keep_nobody_out() {
    let bridge = simulated(&[]).await;
    let mut witness = bridge.client("/").await;
    let mut silent = Vec::new();
    for n in 0..4 * MAX_PENDING {
        let mut stream = connect(bridge.address()).await;
        if n % 2 == 0 {
            stream
                .write_all(b"GET / HTTP/1.1\r\nHost: lo")
                .await
                .expect("it is taken");
        }
        silent.push(stream);
    }
    assert_eq!(bridge.get("/healthz").await.status, 200);
    bridge.client("/").await.text().await;
    witness.text().await;
    // The oldest have been evicted.
    let mut first = silent.swap_remove(0);
    let end = within("the end of the first", first.read(&mut [0; 1])).await;
    assert!(matches!(end, Ok(0)) || end.is_err_and(|e| e.kind() == ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn many_clients_that_come_at_once_are_all_accepted() {
    const CROWD: usize = 200;
    let bridge = simulated(&[]).await;
    let address = bridge.address();
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        crowd.push(ask_upgrade(address, "/", &[]).await);
    }
    for mut client in crowd {
        let mut line = [0; 12];
        let read = within("an answer", client.read_exact(&mut line)).await;
        read.expect("nobody is hung up on");
        assert_eq!(&line, b"HTTP/1.1 101");
    }
}

#[tokio::test]
async fn a_download_is_not_cut_off_by_later_connections() {
    let folder = Large::new("download");
    let bridge = simulated(&["--web", folder.path()]).await;
    let mut download = download(bridge.address(), &[]).await;
    let mut first = [0; 1000];
    let read = within("the beginning", download.read_exact(&mut first)).await;
    read.expect("it has begun");
    let mut silent = Vec::new();
    for _ in 0..2 * MAX_PENDING {
        silent.push(connect(bridge.address()).await);
    }
    assert_eq!(bridge.get("/healthz").await.status, 200);
    let mut rest = Vec::new();
    let read = within("the end of the download", download.read_to_end(&mut rest)).await;
    read.expect("it is not cut off");
    assert!(
        first.len() + rest.len() > Large::SIZE,
        "{} bytes",
        rest.len()
    );
}

#[tokio::test]
async fn downloads_that_nobody_reads_keep_no_place_from_pages_and_calls() {
    let folder = Large::new("stalled");
    std::fs::write(folder.0.join("index.html"), "mine").expect("files can be written");
    let bridge = simulated(&["--web", folder.path()]).await;
    let mut downloads = Vec::new();
    for _ in 0..300 {
        downloads.push(download(bridge.address(), &[]).await);
    }
    let mut statuses = Vec::new();
    for download in &mut downloads {
        let mut line = [0; 12];
        let read = within("an answer", download.read_exact(&mut line)).await;
        read.expect("there is an answer");
        statuses.push(line);
    }
    let served = statuses.iter().filter(|line| *line == b"HTTP/1.1 200");
    assert_eq!(served.count(), 128);
    for path in [
        "/",
        "/healthz",
        "/hello",
        "/serial-ws.js",
        "/api/status",
        "/metrics",
    ] {
        assert_eq!(bridge.get(path).await.status, 200, "{path}");
    }
    bridge.client("/").await.text().await;
    // A download that ends makes room for another one.
    downloads.clear();
    until("a place for another download", async || {
        let mut again = download(bridge.address(), &[]).await;
        let mut line = [0; 12];
        again
            .read_exact(&mut line)
            .await
            .expect("there is an answer");
        (line == *b"HTTP/1.1 200").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_request_is_answered_although_its_sender_has_ended_its_half() {
    let folder = Large::new("half");
    let bridge = simulated(&["--web", folder.path()]).await;
    for path in [
        "/hello",
        "/healthz",
        "/large.bin",
        "/api/status",
        "/serial-ws.js",
    ] {
        for _ in 0..10 {
            let mut stream = connect(bridge.address()).await;
            let request = request(bridge.address(), "GET", path, &[]);
            let sent = stream.write_all(request.as_bytes()).await;
            sent.expect("it is taken");
            stream.shutdown().await.expect("a half can be ended");
            let mut answer = Vec::new();
            let read = within("the answer", stream.read_to_end(&mut answer)).await;
            read.expect("it is whole");
            assert!(
                answer.starts_with(b"HTTP/1.1 200"),
                "{path}: {} bytes",
                answer.len()
            );
            assert!(path != "/large.bin" || answer.len() > Large::SIZE);
        }
    }
}

#[tokio::test]
async fn another_computer_with_too_many_downloads_at_once_gets_503() {
    /// The program's limit per address, and the downloads beyond it.
    const ANSWERED: usize = 16;
    const MORE: usize = 3;
    let folder = Large::new("crowd");
    let Some(network) = Network::new("crowd", &["--web", folder.path()]).await else {
        return;
    };
    let token = kept(&network.home);
    let bearer = format!("Bearer {token}");
    let mut downloads = Vec::new();
    for _ in 0..ANSWERED + MORE {
        downloads.push(download(network.at, &[("Authorization", &bearer)]).await);
    }
    let mut answered = 0;
    for download in &mut downloads {
        let mut line = [0; 12];
        let read = within("an answer", download.read_exact(&mut line)).await;
        read.expect("there is an answer");
        answered += usize::from(line == *b"HTTP/1.1 200");
    }
    assert_eq!(answered, ANSWERED);
    network.bridge.program.said("try again").await;
    let other = http(
        network.at,
        "GET",
        "/api/status",
        &[("Authorization", &bearer)],
    )
    .await;
    assert_eq!(other.status, 200, "{other:?}");
    // Its WebSocket clients are accepted all the same, and so are other computers.
    Client::open(network.at, &format!("/?token={token}"), &[])
        .await
        .text()
        .await;
    let here = network.here();
    assert_eq!(http(here, "GET", "/healthz", &[]).await.status, 200);
}

#[tokio::test]
async fn a_silent_connection_ends_by_itself() {
    let bridge = simulated(&[]).await;
    for start in [&b""[..], b"GET / HTTP/1.1\r\nHost: localhost\r\nX: "] {
        let answer = bare(bridge.address(), start).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 408"),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_flood_of_connections_disturbs_nobody() {
    // Wine takes ten times as long for each connection.
    let flood = if is_emulated() { 200 } else { 2000 };
    let bridge = simulated(&[]).await;
    let mut witness = bridge.client("/").await;
    let before = bridge.program.memory();
    for _ in 0..flood {
        // It is closed before it has an answer.
        let mut stream = connect(bridge.address()).await;
        let _ = stream.write_all(b"GET / HTTP/1.1\r\n").await;
    }
    witness.text().await;
    bridge.client("/").await.text().await;
    if let (Some(before), Some(after)) = (before, bridge.program.memory()) {
        assert!(after < before + (8 << 20), "{before} bytes became {after}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn running_out_of_descriptors_costs_nobody_a_place() {
    if is_for_windows() {
        return skip("Windows has no limit on descriptors");
    }
    const DESCRIPTORS: usize = 64;
    let arguments = ["--port", "sensor=sim", "--listen", "127.0.0.1:0"];
    let program = Program::start_with_descriptors(&format!("-n {DESCRIPTORS}"), &arguments);
    let bridge = Bridge::of(program, 1).await;
    let mut witness = bridge.client("/").await;
    let mut crowd = Vec::new();
    for _ in 0..2 * DESCRIPTORS {
        crowd.push(connect(bridge.address()).await);
    }
    bridge
        .program
        .said("as many files are open as the system permits")
        .await;
    witness.text().await;
    drop(crowd);
    until("a place", async || {
        let reply = http(bridge.address(), "GET", "/healthz", &[]).await;
        (reply.status == 200).then_some(())
    })
    .await;
    bridge.client("/").await.text().await;
    witness.text().await;
}

#[tokio::test]
async fn a_request_head_over_the_limits_gets_431() {
    let bridge = simulated(&[]).await;
    let many: Vec<_> = (0..70).map(|n| (format!("X-{n}"), "1")).collect();
    let many: Vec<_> = many
        .iter()
        .map(|(name, value)| (name.as_str(), *value))
        .collect();
    assert_eq!(upgrade(bridge.address(), "/", &many).await.status, 431);
    let long = "x".repeat(9000);
    assert_eq!(
        upgrade(bridge.address(), "/", &[("X", &long)]).await.status,
        431
    );
}

/// A folder with a file that is larger than all buffers. It is deleted with the test.
struct Large(std::path::PathBuf);

impl Large {
    const SIZE: usize = 16 << 20;

    fn new(name: &str) -> Self {
        let name = format!("serial-ws-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).expect("folders can be made");
        let file = std::fs::File::create(folder.join("large.bin")).expect("files can be made");
        file.set_len(Self::SIZE as u64).expect("files can be long");
        Self(folder)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("the path is text")
    }
}

impl Drop for Large {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Requests the large file.
async fn download(at: SocketAddr, headers: &[(&str, &str)]) -> TcpStream {
    let mut stream = connect(at).await;
    let request = request(at, "GET", "/large.bin", headers);
    stream
        .write_all(request.as_bytes())
        .await
        .expect("it is taken");
    stream
}

async fn connect(at: SocketAddr) -> TcpStream {
    within("a connection", TcpStream::connect(at))
        .await
        .expect("the program listens")
}

async fn simulated(arguments: &[&str]) -> Bridge {
    Bridge::start(&[&["--port", "sensor=sim"], arguments].concat()).await
}
