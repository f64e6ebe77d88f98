//! Devices on the command line: what `serial-ws DEVICE…` shares, and where it listens.

use crate::support::{Bridge, Pair, Program};

#[tokio::test]
async fn a_device_needs_no_flag() {
    let bridge = Bridge::start(&["sim"]).await;
    bridge.open("sim").await;
    let mut pair = Pair::open().await;
    let device = format!("board={},text", pair.path);
    let bridge = Bridge::start(&[&device]).await;
    bridge.open("board").await;
    let mut client = bridge.client("/ports/board?view=raw").await;
    pair.device.write("5\n").await;
    assert_eq!(client.bytes().await, b"5\n");
}

#[tokio::test]
async fn devices_and_ports_are_in_the_order_in_which_they_were_typed() {
    let names = async |arguments: &[&str]| {
        let bridge = Bridge::start(arguments).await;
        let ports = bridge.get("/api/ports").await.json();
        let ports = ports.as_array().expect("they are a list").iter();
        let names = ports.filter_map(|port| port["name"].as_str().map(str::to_owned));
        names.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(&["a=sim", "b=loop,raw"]).await, "a b");
    assert_eq!(
        names(&["a=sim", "--port", "b=loop", "c=loop"]).await,
        "a b c"
    );
    assert_eq!(
        names(&["-p", "b=loop", "--baud", "300", "a=sim"]).await,
        "b a"
    );
}

#[tokio::test]
async fn a_device_counts_more_than_a_variable() {
    let variables = [("SERIAL_WS_PORT", "sim:imu")];
    let program = Program::start_with(&["config", "room=loop,baud=300"], &variables);
    let shown = { program }.ended().await;
    shown.with(0, "");
    let line = shown
        .stdout
        .lines()
        .find(|line| line.starts_with("port = "));
    let line = line.unwrap_or_default();
    assert!(line.starts_with("port = \"room=loop,baud=300\" "), "{line}");
    assert!(line.ends_with("# argument"), "{line}");
}

#[tokio::test]
async fn a_command_is_no_device() {
    for (arguments, part) in [
        (
            &["lst"][..],
            "unknown device `lst`; did you mean `serial-ws list`?",
        ),
        (
            &["sim", "list"],
            "unknown device `list`; did you mean `serial-ws list`?",
        ),
        (
            &["--port", "sim", "list"],
            "--port cannot stand before the command `list`",
        ),
        (
            &["sim", "-b", "300", "list"],
            "a device cannot stand before the command `list`",
        ),
    ] {
        Program::run(arguments).await.with(2, part);
    }
    Program::run(&["-v", "list"]).await.with(0, "");
    Program::run(&["list", "-q"]).await.with(0, "");
}

#[cfg(unix)] // where a reader that leaves is noticed
#[tokio::test]
async fn watching_the_list_ends_with_its_reader() {
    use crate::support::{is_for_windows, skip};

    if is_for_windows() {
        return skip("wine's programs do not notice a closed pipe");
    }
    let mut watching = Program::start(&["list", "--watch", "--all"]);
    drop(watching.take_stdout());
    watching.ended().await.with(0, "");
}

#[tokio::test]
async fn a_tcp_port_alone_is_one_of_this_computer() {
    for typed in ["0", ":0"] {
        let is_there = std::net::TcpListener::bind("[::1]:0").is_ok();
        let families = if is_there { 2 } else { 1 };
        let program = Program::start(&["sim", "--listen", typed]);
        let bridge = Bridge::of(program, families).await;
        assert!(
            bridge
                .addresses
                .iter()
                .all(|address| address.ip().is_loopback())
        );
        assert_eq!(bridge.addresses.len(), families);
        assert_eq!(bridge.get("/hello").await.json()["name"], "serial-ws");
    }
}
