//! Ports that come and go while clients are connected, inside the test's own process: no flag or
//! message adds a port yet.

use std::net::SocketAddr;

use serial_ws::{Closed, Config, PortTasks, Program};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::{Client, http, within};

/// serial-ws with one port called `first`.
struct Running {
    at: SocketAddr,
    ports: PortTasks,
    stop: CancellationToken,
    ended: JoinHandle<anyhow::Result<Closed>>,
}

fn config(port: &str) -> Config {
    let arguments = ["serial-ws", "--listen=127.0.0.1:0", "--port", port];
    Config::from_args(arguments).expect("the arguments are right")
}

impl Running {
    fn start() -> Self {
        let stop = CancellationToken::new();
        let program = Program::bind(config("first=sim"), stop.clone());
        let program = program.expect("there is a free TCP port");
        Self {
            at: program.server.addresses()[0],
            ports: program.ports.clone(),
            stop,
            ended: tokio::spawn(program.run()),
        }
    }

    fn add(&self, port: &str) {
        self.ports.add(config(port)).expect("the name is free");
    }

    async fn client(&self, target: &str) -> Client {
        Client::open(self.at, target, &[]).await
    }

    async fn stop(self) {
        self.stop.cancel();
        let ended = within("the end", self.ended).await;
        let closed = ended.expect("it does not panic").expect("it ends well");
        assert_eq!(closed, Closed::Free);
    }
}

#[tokio::test]
async fn a_port_that_is_added_has_clients_and_history_of_its_own() {
    let running = Running::start();
    let mut first = running.client("/?view=json").await;
    assert_eq!(first.json().await["ports"], serde_json::json!(["first"]));
    running.add("second=loop");
    let mut second = running.client("/ports/second").await;
    second.send("for the second port only\n").await;
    assert_eq!(second.text().await, "for the second port only");
    let mut later = running.client("/?view=json").await;
    let hello = later.json().await;
    assert_eq!(hello["ports"], serde_json::json!(["first", "second"]));
    assert_eq!(hello["port"]["name"], "first");
    running.stop().await;
}

#[tokio::test]
async fn clients_of_a_removed_port_are_disconnected_and_the_others_miss_nothing() {
    let running = Running::start();
    running.add("second=sim");
    let mut stays = running.client("/ports/first?view=json").await;
    let mut leaves = running.client("/ports/second").await;
    leaves.text().await;
    let mut seq = stays.json().await["seq"].as_u64().expect("seq is a number");
    assert!(running.ports.remove("second"));
    let (code, reason) = leaves.closed().await;
    assert_eq!((code, &*reason), (4404, "this port was removed"));
    for _ in 0..10 {
        let line = stays.json_of("line").await;
        seq += 1;
        assert_eq!(line["seq"], seq);
    }
    let gone = running.client("/ports/second").await.closed().await;
    assert_eq!(gone.0, 4404);
    let answer = http(running.at, "POST", "/api/ports/second/reset", &[]).await;
    assert_eq!(answer.status, 404);
    running.stop().await;
}

#[tokio::test]
async fn a_name_can_be_used_again_once_its_port_is_removed() {
    let running = Running::start();
    running.add("second=loop");
    let error = running
        .ports
        .add(config("second=sim"))
        .expect_err("it is taken");
    assert!(error.to_string().contains("second"), "{error}");
    assert!(running.ports.remove("second"));
    assert!(!running.ports.remove("second"), "there is none any more");
    running.add("second=sim");
    running.client("/ports/second").await.text().await;
    running.stop().await;
}

#[tokio::test]
async fn a_port_that_can_never_be_opened_is_removed_and_the_program_goes_on() {
    let running = Running::start();
    let file = std::env::temp_dir().join(format!("serial-ws-no-port-{}", std::process::id()));
    let config = config(&format!("file={}", file.display()));
    std::fs::write(&file, "no serial port").expect("there is a folder for files of this kind");
    running.ports.add(config).expect("the name is free");
    let mut client = running.client("/ports/file?view=json").await;
    assert_eq!(client.closed().await.0, 4404);
    std::fs::remove_file(&file).expect("it is ours");
    running.client("/").await.text().await;
    running.stop().await;
}
