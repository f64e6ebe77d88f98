//! The client against a real WebSocket server, with pipes for its input and output.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::accept_async;

use futures::SinkExt;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::session::CLOSE_TIMEOUT;
use super::*;

/// Nothing here takes so long, even on a busy machine.
const SOON: Duration = Duration::from_secs(30);

type Server = WebSocketStream<TcpStream>;

/// A bridge that does what `script` says with the one client that comes; gives its address.
async fn bridge<F>(script: impl FnOnce(Server) -> F + Send + 'static) -> (String, JoinHandle<()>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let (url, listener) = listen().await;
    let served = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        script(accept_async(stream).await.unwrap()).await;
    });
    (url, served)
}

async fn listen() -> (String, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    (format!("ws://{}", listener.local_addr().unwrap()), listener)
}

/// A client at work in the test.
struct Client {
    input: DuplexStream,
    output: DuplexStream,
    stop: Option<oneshot::Sender<()>>,
    result: JoinHandle<Result<()>>,
}

impl Client {
    fn start(args: ConnectArgs) -> Client {
        let (input, client_input) = duplex(64);
        let (output, client_output) = duplex(64);
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async {
            let _ = stopped.await;
        };
        let result = tokio::spawn(exchange(
            args,
            Terminal {
                types: false,
                shows: false,
            },
            client_input,
            client_output,
            stopped,
        ));
        Client {
            input,
            output,
            stop: Some(stop),
            result,
        }
    }

    /// Writes all of `text`, ends the input, and reads the output to its end.
    async fn pipe(mut self, text: &str) -> (String, Result<()>) {
        let text = text.to_owned();
        // A client that ended no longer reads its input.
        let write = async move { self.input.write_all(text.as_bytes()).await };
        let mut printed = String::new();
        let both = async { tokio::join!(write, self.output.read_to_string(&mut printed)) };
        timeout(SOON, both)
            .await
            .expect("the client ends")
            .1
            .unwrap();
        let result = timeout(SOON, self.result)
            .await
            .expect("the client ends")
            .unwrap();
        (printed, result)
    }

    async fn printed(&mut self, expected: &str) {
        let mut printed = vec![0; expected.len()];
        timeout(SOON, self.output.read_exact(&mut printed))
            .await
            .expect("output comes")
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&printed), expected);
    }

    async fn result(self) -> Result<()> {
        timeout(SOON, self.result)
            .await
            .expect("the client ends")
            .unwrap()
    }
}

fn to(url: &str) -> ConnectArgs {
    ConnectArgs {
        url: url.to_owned(),
        ..ConnectArgs::default()
    }
}

/// The messages of the client, up to its Close, which is answered.
async fn received(mut server: Server) -> Vec<String> {
    let mut messages = Vec::new();
    while let Some(message) = server.next().await {
        match message.expect("the client leaves with a Close") {
            Message::Close(frame) => {
                assert_eq!(frame.unwrap().code, CloseCode::Normal);
            }
            message => messages.push(message.into_text().unwrap().to_string()),
        }
    }
    messages
}

async fn close(server: &mut Server, code: u16, reason: &'static str) {
    let frame = CloseFrame {
        code: code.into(),
        reason: reason.into(),
    };
    server.close(Some(frame)).await.unwrap();
    while let Some(Ok(_)) = server.next().await {}
}

/// The error of a client whose bridge closes with `code` and `reason`.
async fn closed_with(code: u16, reason: &'static str) -> Result<()> {
    let (url, _) =
        bridge(move |mut server| async move { close(&mut server, code, reason).await }).await;
    Client::start(to(&url)).result().await
}

#[track_caller]
fn failed(result: Result<()>, expected: &str) {
    let error = format!("{:#}", result.expect_err("the client fails"));
    assert!(error.contains(expected), "{error}");
}

/// Checks that the bridge has gone, which scripts see in the exit code.
#[track_caller]
fn gone(result: Result<()>, expected: &str) {
    let error = result.expect_err("the bridge has gone");
    assert!(
        matches!(error.downcast_ref(), Some(Failure::Gone(_))),
        "{error:#}"
    );
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn lines_go_out_as_messages_and_the_client_leaves() {
    let (messages, sent) = oneshot::channel();
    let (url, _) = bridge(|server| async {
        messages.send(received(server).await).unwrap();
    })
    .await;
    let (_, result) = Client::start(to(&url)).pipe("one\ntwo\r\nthree").await;
    result.unwrap();
    assert_eq!(sent.await.unwrap(), ["one", "two", "three"]);
}

#[tokio::test]
async fn nothing_is_lost_when_the_bridge_reads_late() {
    let (messages, sent) = oneshot::channel();
    let (url, _) = bridge(|server| async {
        // Longer than a client waits that has nothing to lose.
        tokio::time::sleep(CLOSE_TIMEOUT + Duration::from_secs(1)).await;
        messages.send(received(server).await.len()).unwrap();
    })
    .await;
    let (_, result) = Client::start(to(&url))
        .pipe(&"G1 X10 Y10\n".repeat(50_000))
        .await;
    result.unwrap();
    assert_eq!(sent.await.unwrap(), 50_000);
}

#[tokio::test]
async fn messages_are_printed_one_per_line_until_the_bridge_closes() {
    let (url, _) = bridge(|mut server| async move {
        for text in ["1,2,3", "4,5,6"] {
            server.send(Message::text(text)).await.unwrap();
        }
        server
            .send(Message::binary(b"raw".as_slice()))
            .await
            .unwrap();
        close(&mut server, 1000, "").await;
    })
    .await;
    let mut client = Client::start(to(&url));
    client.printed("1,2,3\n4,5,6\nraw").await;
    gone(client.result().await, "serial-ws closed the connection");
}

#[tokio::test]
async fn a_line_typed_goes_out_without_waiting_for_the_next() {
    let (url, _) = bridge(|mut server| async move {
        while let Some(Ok(message)) = server.next().await {
            if message.is_text() {
                server.send(message).await.unwrap();
            }
        }
    })
    .await;
    let mut client = Client::start(to(&url));
    for line in ["ping\n", "pong\n"] {
        client.input.write_all(line.as_bytes()).await.unwrap();
        client.printed(line).await;
    }
    drop(client.input);
    timeout(SOON, client.result)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}

/// Answers each message a moment later.
async fn answer_late(mut server: Server) {
    while let Some(Ok(message)) = server.next().await {
        if message.is_text() {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let answer = format!("answer to {message}");
            let _ = server.send(Message::text(answer)).await;
        }
    }
}

#[tokio::test]
async fn with_wait_the_end_of_the_input_waits_for_answers() {
    let (url, _) = bridge(answer_late).await;
    let args = ConnectArgs {
        wait: Some(Duration::from_secs(2)),
        ..to(&url)
    };
    let (printed, result) = Client::start(args).pipe("a question\n").await;
    result.unwrap();
    assert_eq!(printed, "answer to a question\n");
}

#[tokio::test]
async fn with_count_the_client_ends_after_that_many_answers() {
    let (url, _) = bridge(answer_late).await;
    let args = ConnectArgs {
        count: Some(2),
        ..to(&url)
    };
    let (printed, result) = Client::start(args).pipe("1\n2\n3\n4\n").await;
    result.unwrap();
    assert_eq!(printed, "answer to 1\nanswer to 2\n");
}

/// Sends numbered lines until the client is gone, then whether it left with a Close.
async fn flood(mut server: Server, left: oneshot::Sender<bool>) {
    for number in 0_u64.. {
        if server
            .send(Message::text(number.to_string()))
            .await
            .is_err()
        {
            break;
        }
        if let Ok(Some(message)) = timeout(Duration::from_millis(1), server.next()).await {
            let _ = left.send(matches!(message, Ok(Message::Close(_))));
            // Drives the answer to it.
            let _ = server.next().await;
            return;
        }
    }
    let _ = left.send(false);
}

#[tokio::test]
async fn a_count_ends_an_endless_stream_exactly() {
    let (left, was_left) = oneshot::channel();
    let (url, _) = bridge(|server| flood(server, left)).await;
    let mut client = Client::start(ConnectArgs {
        count: Some(3),
        ..to(&url)
    });
    let mut printed = String::new();
    timeout(SOON, client.output.read_to_string(&mut printed))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(printed, "0\n1\n2\n");
    client.result().await.unwrap();
    assert!(was_left.await.unwrap(), "the client left without a Close");
}

#[tokio::test]
async fn a_closed_output_ends_the_client_with_success() {
    let (left, was_left) = oneshot::channel();
    let (url, _) = bridge(|server| flood(server, left)).await;
    let mut client = Client::start(to(&url));
    client.printed("0\n1\n2\n").await;
    let Client {
        input,
        output,
        stop,
        result,
    } = client;
    drop(output);
    timeout(SOON, result)
        .await
        .expect("the client ends")
        .unwrap()
        .unwrap();
    assert!(was_left.await.unwrap(), "the client left without a Close");
    drop((input, stop));
}

#[tokio::test]
async fn ctrl_c_ends_with_a_close() {
    let (left, was_left) = oneshot::channel();
    let (url, _) = bridge(|server| flood(server, left)).await;
    let mut client = Client::start(to(&url));
    client.printed("0\n1\n").await;
    client.stop.take().unwrap().send(()).unwrap();
    client.result().await.unwrap();
    assert!(was_left.await.unwrap(), "the client left without a Close");
}

#[tokio::test]
async fn ctrl_c_ends_a_client_whose_bridge_does_nothing() {
    let (url, listener) = listen().await;
    let mut client = Client::start(to(&url));
    // Accepted, and never answered.
    let (_stream, _) = listener.accept().await.unwrap();
    client.stop.take().unwrap().send(()).unwrap();
    client.result().await.unwrap();
}

#[tokio::test]
async fn a_bridge_that_stops_is_gone() {
    let closed = closed_with(1000, "").await;
    gone(closed, "serial-ws closed the connection");
    gone(closed_with(1001, "stopping").await, "serial-ws has stopped");
}

#[tokio::test]
async fn a_bridge_that_closes_for_a_reason_is_an_error_with_that_reason() {
    failed(
        closed_with(4404, "no port x. Here are: a, b").await,
        "no port x. Here are: a, b (close code 4404)",
    );
    failed(
        closed_with(4400, "no view x").await,
        "no view x (close code 4400)",
    );
    failed(
        closed_with(1013, "").await,
        "serial-ws has no room for another client: try again later (close code 1013)",
    );
    failed(
        closed_with(1008, "too many\u{1b}[2J").await,
        "too many\\u{1b}[2J (close code 1008)",
    );
    failed(
        closed_with(1009, "").await,
        "longer than serial-ws accepts (close code 1009)",
    );
}

#[tokio::test]
async fn a_refused_message_is_an_error_even_when_the_input_has_ended() {
    let (url, _) = bridge(|mut server| async move {
        let _ = server.next().await;
        close(&mut server, 1009, "70000 bytes, limit 65536").await;
    })
    .await;
    let (_, result) = Client::start(to(&url)).pipe("long\n").await;
    failed(result, "70000 bytes, limit 65536 (close code 1009)");
}

#[tokio::test]
async fn lines_before_a_broken_input_are_still_delivered() {
    let (messages, sent) = oneshot::channel();
    let (url, _) = bridge(|server| async {
        messages.send(received(server).await).unwrap();
    })
    .await;
    let endless_line = "x".repeat(1024 * 1024 + 1);
    let (_, result) = Client::start(to(&url))
        .pipe(&format!("one\n{endless_line}"))
        .await;
    failed(
        result,
        "cannot read the input: a line of it is longer than 1048576 bytes",
    );
    assert_eq!(sent.await.unwrap(), ["one"]);
}

#[tokio::test]
async fn a_bridge_that_vanishes_is_an_error() {
    let (url, _) = bridge(|server| async { drop(server) }).await;
    let result = Client::start(to(&url)).result().await;
    gone(result, "the connection to serial-ws was lost");
}

#[tokio::test]
async fn if_nothing_listens_the_next_step_is_shown() {
    let (url, listener) = listen().await;
    drop(listener);
    failed(
        Client::start(to(&url)).result().await,
        &format!(
            "nothing answers at {url}: is serial-ws running there? \
             Start it with: serial-ws"
        ),
    );
    failed(
        Client::start(to(&url.replace("127.0.0.1", "localhost")))
            .result()
            .await,
        "nothing answers at ws://localhost:",
    );
}

#[tokio::test]
async fn localhost_is_found_on_either_address() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let listener = match TcpListener::bind(address).await {
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => continue,
            listener => listener.unwrap(),
        };
        let port = listener.local_addr().unwrap().port();
        let client = Client::start(to(&format!("ws://localhost:{port}")));
        let (stream, _) = timeout(SOON, listener.accept())
            .await
            .expect("it connects")
            .unwrap();
        let mut server = accept_async(stream).await.unwrap();
        close(&mut server, 1000, "").await;
        gone(client.result().await, "serial-ws closed the connection");
    }
}

/// The error of a client that is answered `response`, in two pieces.
async fn answered(head: &'static str, body: &'static str) -> Result<()> {
    let (url, listener) = listen().await;
    let client = Client::start(to(&url));
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = [0; 1024];
    let _ = stream.read(&mut request).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    stream.write_all(body.as_bytes()).await.unwrap();
    drop(stream);
    client.result().await
}

#[tokio::test]
async fn a_refusal_shows_its_status_and_the_first_line_of_its_body() {
    let result = answered(
        "HTTP/1.1 403 Forbidden\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n",
        "a token is required. Take --token FILE\nand more\n",
    )
    .await;
    failed(
        result,
        " refused: 403 Forbidden: a token is required. Take --token FILE",
    );
}

#[tokio::test]
async fn another_program_is_not_taken_for_a_bridge() {
    failed(
        answered("SSH-2.0-OpenSSH_9.6\r\n", "").await,
        "does not speak WebSocket",
    );
    failed(answered("", "").await, "does not speak WebSocket");
}
