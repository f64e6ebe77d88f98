//! `upload` against bridges that behave as real ones rarely do. Its commands run in a shell.

use std::path::PathBuf;

use futures::{SinkExt, StreamExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async};

use super::*;

type Server = WebSocketStream<TcpStream>;

/// How long anything may take.
const SOON: Duration = Duration::from_secs(20);

const HELLO: &str = r#"{"type":"hello","version":1,"run":"a343848cc485e218","seq":0,"offset":0,
    "port":{"name":"a","path":"/dev/ttyACM7","settings":{}},"ports":["a"],
    "status":{"state":"open","detail":"/dev/ttyACM7 is open"}}"#;
const RELEASED: &str = r#"{"type":"status","state":"released","detail":"released"}"#;
const OPEN: &str = r#"{"type":"status","state":"open","detail":"/dev/ttyACM7 is open"}"#;

/// A bridge for one client, which behaves as `behave` does, and its end.
async fn bridge<F>(behave: impl FnOnce(Server) -> F + Send + 'static) -> (LeaseArgs, JoinHandle<()>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let bridge = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        behave(accept_async(stream).await.unwrap()).await;
    });
    let lease = LeaseArgs {
        url,
        port: None,
        access: AccessArgs::default(),
    };
    (lease, bridge)
}

/// Greets, and releases the port.
async fn release(server: &mut Server) {
    server.send(Message::text(HELLO)).await.unwrap();
    let asked = server.next().await.unwrap().unwrap().into_text().unwrap();
    assert!(asked.contains(r#""while":"connected""#), "{asked}");
    server.send(Message::text(RELEASED)).await.unwrap();
    let ack = r#"{"type":"ack","id":1,"bytes":0}"#;
    server.send(Message::text(ack)).await.unwrap();
}

/// Runs a command that goes on until `file` is there, and ends with 7.
async fn upload_until(file: &std::path::Path, lease: LeaseArgs) -> u8 {
    let wait = r#"until [ -e "$0" ]; do sleep 0.01; done; exit 7"#;
    let words = ["sh", "-c", wait].map(OsString::from);
    let command: Vec<_> = words.into_iter().chain([file.into()]).collect();
    let uploaded = tokio::time::timeout(SOON, upload(UploadArgs { lease, command })).await;
    uploaded.expect("the command ends").unwrap()
}

/// The path of a file that is not there yet.
fn file(name: &str) -> PathBuf {
    let file = std::env::temp_dir().join(format!("serial-ws-{}-{name}", std::process::id()));
    let _ = std::fs::remove_file(&file);
    file
}

#[tokio::test]
async fn pings_are_answered_while_the_command_runs() {
    let done = file("pings");
    let then = done.clone();
    let (lease, bridge) = bridge(async move |mut server: Server| {
        release(&mut server).await;
        for number in 0..3 {
            server
                .send(Message::Ping(vec![number].into()))
                .await
                .unwrap();
            let answer = server.next().await.unwrap().unwrap();
            assert_eq!(answer, Message::Pong(vec![number].into()));
        }
        std::fs::write(&then, "").unwrap();
        let asked = server.next().await.unwrap().unwrap().into_text().unwrap();
        assert!(asked.contains("resume"), "{asked}");
    })
    .await;
    assert_eq!(upload_until(&done, lease).await, 7);
    bridge.await.unwrap();
    std::fs::remove_file(done).unwrap();
}

#[tokio::test]
async fn the_command_goes_on_when_the_bridge_is_gone() {
    let done = file("goes");
    let then = done.clone();
    let (lease, bridge) = bridge(async move |mut server: Server| {
        release(&mut server).await;
        drop(server);
        std::fs::write(&then, "").unwrap();
    })
    .await;
    assert_eq!(upload_until(&done, lease).await, 7);
    bridge.await.unwrap();
    std::fs::remove_file(done).unwrap();
}

#[tokio::test]
async fn a_port_that_was_already_taken_back_is_not_requested_again() {
    let done = file("taken");
    let then = done.clone();
    let (lease, bridge) = bridge(async move |mut server: Server| {
        release(&mut server).await;
        server.send(Message::text(OPEN)).await.unwrap();
        server.send(Message::Ping("".into())).await.unwrap();
        let answer = server.next().await.unwrap().unwrap();
        assert_eq!(answer, Message::Pong("".into()));
        std::fs::write(&then, "").unwrap();
        let last = server.next().await.unwrap().unwrap();
        assert!(last.is_close(), "{last}");
    })
    .await;
    assert_eq!(upload_until(&done, lease).await, 7);
    bridge.await.unwrap();
    std::fs::remove_file(done).unwrap();
}

#[tokio::test]
async fn a_command_does_not_run_unless_the_port_is_free() {
    let done = file("refused");
    let (lease, bridge) = bridge(async move |mut server: Server| {
        server.send(Message::text(HELLO)).await.unwrap();
        server.next().await.unwrap().unwrap();
        let error = r#"{"type":"error","id":1,"error":"no\u001b[2J. Unplug it"}"#;
        server.send(Message::text(error)).await.unwrap();
        while let Some(Ok(_)) = server.next().await {}
    })
    .await;
    let command = vec![OsString::from("touch"), done.clone().into()];
    let error = upload(UploadArgs { lease, command }).await.unwrap_err();
    bridge.await.unwrap();
    assert_eq!(error.to_string(), "no\\u{1b}[2J. Unplug it");
    assert!(!done.exists(), "the command ran");
}

#[tokio::test]
async fn a_program_that_does_not_greet_is_not_serial_ws() {
    let (lease, bridge) = bridge(async move |mut server: Server| {
        server.send(Message::text("hello there")).await.unwrap();
        while let Some(Ok(_)) = server.next().await {}
    })
    .await;
    let error = resume(lease, &mut std::io::sink()).await.unwrap_err();
    bridge.await.unwrap();
    assert!(
        error.to_string().contains("cannot understand serial-ws"),
        "{error}"
    );
}
