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

fn args(lease: LeaseArgs, command: Vec<OsString>) -> UploadArgs {
    UploadArgs {
        afterwards: AfterwardsArgs::default(),
        lease,
        command,
    }
}

/// Runs a command that goes on until `file` is there, and ends with 7.
async fn upload_until(file: &std::path::Path, lease: LeaseArgs) -> u8 {
    let wait = r#"until [ -e "$0" ]; do sleep 0.01; done; exit 7"#;
    let words = ["sh", "-c", wait].map(OsString::from);
    let command: Vec<_> = words.into_iter().chain([file.into()]).collect();
    let uploaded = tokio::time::timeout(SOON, upload(args(lease, command), &mut Vec::new())).await;
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
    let error = upload(args(lease, command), &mut Vec::new())
        .await
        .unwrap_err();
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

/// Uploads with a command that succeeds at once. Returns the outcome, and what was printed of the board.
async fn uploaded(lease: LeaseArgs, afterwards: AfterwardsArgs) -> (Result<u8>, String) {
    let mut output = Vec::new();
    let args = UploadArgs {
        afterwards,
        ..args(lease, vec!["true".into()])
    };
    let outcome = tokio::time::timeout(SOON, upload(args, &mut output)).await;
    let outcome = outcome.expect("it ends");
    (outcome, String::from_utf8(output).unwrap())
}

/// Takes the port back, with lines before and after the answer.
async fn answer_resume(server: &mut Server, before: &[&str], after: &[&str]) {
    let asked = server.next().await.unwrap().unwrap().into_text().unwrap();
    assert!(asked.contains("resume"), "{asked}");
    let ack = r#"{"type":"ack","id":2,"bytes":0}"#;
    let line = |text: &&str| format!(r#"{{"type":"line","seq":1,"t":1.000000,"text":"{text}"}}"#);
    let messages = std::iter::once(OPEN.to_owned())
        .chain(before.iter().map(line))
        .chain([ack.to_owned()])
        .chain(after.iter().map(line));
    for message in messages {
        server.send(Message::text(message)).await.unwrap();
    }
}

fn until(text: &str) -> AfterwardsArgs {
    AfterwardsArgs {
        until: Some(text.parse().unwrap()),
        ..AfterwardsArgs::default()
    }
}

#[tokio::test]
async fn the_lines_after_the_command_are_printed_until_one_matches() {
    let (lease, bridge) = bridge(async |mut server: Server| {
        release(&mut server).await;
        answer_resume(&mut server, &["booting"], &["v2.0", "ready", "more"]).await;
        while let Some(Ok(message)) = server.next().await {
            assert!(message.is_close(), "{message}");
        }
    })
    .await;
    let (outcome, printed) = uploaded(lease, until("^re.dy$")).await;
    assert_eq!(outcome.unwrap(), 0);
    assert_eq!(printed, "booting\nv2.0\nready\n");
    bridge.await.unwrap();
}

#[tokio::test]
async fn a_line_that_is_no_text_ends_as_others_do() {
    let (lease, bridge) = bridge(async |mut server: Server| {
        release(&mut server).await;
        answer_resume(&mut server, &[], &[]).await;
        for content in [r#""bytes":"/w==""#, r#""text":"ready""#] {
            let line = format!(r#"{{"type":"line","seq":1,"t":1.000000,{content}}}"#);
            server.send(Message::text(line)).await.unwrap();
        }
        while let Some(Ok(_)) = server.next().await {}
    })
    .await;
    let mut output = Vec::new();
    let args = UploadArgs {
        afterwards: until("ready"),
        ..args(lease, vec!["true".into()])
    };
    assert_eq!(upload(args, &mut output).await.unwrap(), 0);
    assert_eq!(output, b"\xff\nready\n");
    bridge.await.unwrap();
}

#[tokio::test]
async fn a_line_that_does_not_come_in_time_is_a_timeout() {
    let (lease, bridge) = bridge(async |mut server: Server| {
        release(&mut server).await;
        answer_resume(&mut server, &[], &["v1.0"]).await;
        while let Some(Ok(_)) = server.next().await {}
    })
    .await;
    let limited = AfterwardsArgs {
        timeout: Some(Duration::from_secs(1)),
        ..until("v2")
    };
    let (outcome, printed) = uploaded(lease, limited).await;
    let error = outcome.unwrap_err();
    assert!(
        matches!(error.downcast_ref(), Some(Failure::Timeout(_))),
        "{error}"
    );
    assert_eq!(printed, "v1.0\n");
    bridge.await.unwrap();
}

#[tokio::test]
async fn a_bridge_that_ends_before_the_line_comes_is_gone() {
    let (lease, bridge) = bridge(async |mut server: Server| {
        release(&mut server).await;
        answer_resume(&mut server, &[], &["v1.0"]).await;
    })
    .await;
    let (outcome, _) = uploaded(lease, until("v2")).await;
    let error = outcome.unwrap_err();
    assert!(
        matches!(error.downcast_ref(), Some(Failure::Gone(_))),
        "{error}"
    );
    bridge.await.unwrap();
}

#[tokio::test]
async fn what_the_board_says_for_a_time_is_no_failure() {
    let (lease, bridge) = bridge(async |mut server: Server| {
        release(&mut server).await;
        answer_resume(&mut server, &["a"], &["b"]).await;
        while let Some(Ok(_)) = server.next().await {}
    })
    .await;
    let afterwards = AfterwardsArgs {
        wait: Some(Duration::from_secs(1)),
        ..AfterwardsArgs::default()
    };
    let (outcome, printed) = uploaded(lease, afterwards).await;
    assert_eq!((outcome.unwrap(), &*printed), (0, "a\nb\n"));
    bridge.await.unwrap();
}
