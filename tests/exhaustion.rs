//! When the system has no more descriptors: nobody who is connected notices.

use crate::support::{Bridge, Pair, Program, RawSocket, http, is_for_windows, skip, until};

/// Descriptors of a program that soon has none left.
const FEW: usize = 64;

#[tokio::test]
async fn the_limit_of_a_system_that_is_sparing_with_descriptors_is_raised() {
    if is_for_windows() {
        return skip("Windows has no limit on descriptors");
    }
    let arguments = ["--port", "sensor=sim", "--listen", "127.0.0.1:0"];
    let program = Program::start_with_descriptors("-S -n 32", &arguments);
    let bridge = Bridge::of(program, 1).await;
    let mut clients = Vec::new();
    for _ in 0..100 {
        clients.push(RawSocket::open(bridge.address(), "/").await);
    }
    for client in &mut clients {
        client.text().await;
    }
    let log = bridge.program.log().join("\n");
    assert!(!log.contains("open files"), "{log}");
}

#[tokio::test]
async fn a_board_that_comes_back_is_opened_although_clients_took_all_descriptors() {
    let Some((mut pair, bridge, mut clients)) = exhausted(&[]).await else {
        return;
    };
    let mut watcher = clients.pop().expect("there are many");
    pair.unplug();
    bridge.program.said("was lost").await;
    // Whoever comes now does not take the descriptor of the port.
    for _ in 0..3 {
        let reply = http(bridge.address(), "GET", "/healthz", &[]).await;
        assert!(matches!(reply.status, 200 | 503), "{reply:?}");
    }
    pair.plug_in();
    until("the port to be open again", async || {
        let opened = bridge
            .program
            .log()
            .iter()
            .filter(|line| line.contains("is open"))
            .count();
        (opened == 2).then_some(())
    })
    .await;
    pair.device.write("1\n2\n").await;
    while watcher.text().await != "2" {}
    let log = bridge.program.log().join("\n");
    assert!(!log.contains("panicked"), "{log}");
    let warnings = log.matches("as many files are open as the system permits");
    assert_eq!(warnings.count(), 1, "{log}");
}

#[tokio::test]
async fn a_file_for_which_there_is_no_descriptor_is_not_called_missing() {
    let folder = std::env::temp_dir().join(format!("serial-ws-files-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("folders can be made");
    std::fs::write(folder.join("index.html"), "mine").expect("files can be written");
    let web = folder.to_str().expect("the path is text");
    let Some((_pair, bridge, mut clients)) = exhausted(&["--web", web]).await else {
        return;
    };
    let mut said = Vec::new();
    let body = until("a place for the file", async || {
        let reply = http(bridge.address(), "GET", "/", &[]).await;
        said.push(reply.body.clone());
        match reply.status {
            200 => return Some(reply.body),
            503 => {}
            _ => panic!("{reply:?}"),
        }
        // The first place is for the connection, the next one for the file.
        if said.len() % 20 == 0 {
            clients.pop();
        }
        None
    })
    .await;
    assert_eq!(body, "mine");
    let why = "the file /, which cannot be read now";
    assert!(said.iter().any(|body| body.contains(why)), "{said:#?}");
    let _ = std::fs::remove_dir_all(folder);
}

/// A bridge whose clients took all descriptors that clients get.
async fn exhausted(arguments: &[&str]) -> Option<(Pair, Bridge, Vec<RawSocket>)> {
    if is_for_windows() {
        skip("Windows has no limit on descriptors");
        return None;
    }
    if !Pair::are_ours() {
        skip("this pair cannot be unplugged");
        return None;
    }
    let pair = Pair::open().await;
    let port = format!("board={}", pair.path);
    let own = ["--port", &port, "--listen", "127.0.0.1:0"];
    let limit = format!("-n {FEW}");
    let program = Program::start_with_descriptors(&limit, &[&own, arguments].concat());
    let bridge = Bridge::of(program, 1).await;
    bridge.program.said("is open").await;
    let mut clients = Vec::new();
    let refused = loop {
        let refused = http(bridge.address(), "GET", "/healthz", &[]).await;
        if refused.status == 503 {
            break refused;
        }
        clients.push(RawSocket::open(bridge.address(), "/").await);
        assert!(clients.len() < FEW, "clients take more than there are");
    };
    assert!(
        refused.body.contains("as many files are open"),
        "{refused:?}"
    );
    assert!(clients.len() > FEW / 2, "{} clients", clients.len());
    Some((pair, bridge, clients))
}
