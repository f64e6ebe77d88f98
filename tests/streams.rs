//! HTTP for scripts: streams of lines, as text, as Server-Sent Events and as objects.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::{Bridge, Pair, http, request, until, within};

const EVENTS: (&str, &str) = ("Accept", "text/event-stream");
const NDJSON: (&str, &str) = ("Accept", "application/x-ndjson");

/// A stream of a port, after its head.
struct Stream {
    head: String,
    body: BufReader<TcpStream>,
    /// What has come of the body and has not been read.
    unread: Vec<u8>,
}

/// A Server-Sent Event.
#[derive(Debug, Default, PartialEq)]
struct ServerSentEvent {
    id: Option<String>,
    name: Option<String>,
    data: String,
}

impl Stream {
    /// Asks for the lines of `board` with this query.
    async fn open(bridge: &Bridge, query: &str, headers: &[(&str, &str)]) -> Self {
        let stream = TcpStream::connect(bridge.address()).await;
        let stream = stream.expect("the program accepts connections");
        Self::over(stream, bridge, query, headers).await
    }

    async fn over(
        mut stream: TcpStream,
        bridge: &Bridge,
        query: &str,
        headers: &[(&str, &str)],
    ) -> Self {
        let path = format!("/api/ports/board/lines{query}");
        let request = request(bridge.address(), "GET", &path, headers);
        let sent = stream.write_all(request.as_bytes()).await;
        sent.expect("the program takes a request");
        let mut stream = Self {
            head: String::new(),
            body: BufReader::new(stream),
            unread: Vec::new(),
        };
        loop {
            match stream.wire_line().await {
                Some(line) if line.is_empty() => return stream,
                Some(line) => stream.head += &(line.trim_end().to_owned() + "\n"),
                None => panic!("the head ends early: {}", stream.head),
            }
        }
    }

    /// The next line, without its end; none after the last.
    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.unread.iter().position(|&byte| byte == b'\n') {
                let rest = self.unread.split_off(end + 1);
                let line = std::mem::replace(&mut self.unread, rest);
                let line = String::from_utf8(line).expect("the stream is text");
                return Some(line.trim_end_matches(['\r', '\n']).to_owned());
            }
            let length = self
                .wire_line()
                .await
                .expect("the last chunk ends the stream");
            let length = usize::from_str_radix(&length, 16).expect("a chunk has a length");
            let mut chunk = vec![0; length + 2];
            let read = within("a chunk", self.body.read_exact(&mut chunk)).await;
            read.expect("a chunk is whole");
            assert_eq!(chunk.split_off(length), b"\r\n");
            if length == 0 {
                return None;
            }
            self.unread.extend(chunk);
        }
    }

    /// The next line as it is sent.
    async fn wire_line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = within("a line of the stream", self.body.read_line(&mut line)).await;
        let count = read.expect("the stream is text");
        let line = line.strip_suffix('\n').unwrap_or(&line);
        let line = line.strip_suffix('\r').unwrap_or(line);
        (count > 0).then(|| line.to_owned())
    }

    async fn object(&mut self) -> Value {
        let line = self.line().await.expect("the stream goes on");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// The next event; comments are none.
    async fn event(&mut self) -> Option<ServerSentEvent> {
        let mut event = ServerSentEvent::default();
        let mut data: Option<String> = None;
        loop {
            let line = self.line().await?;
            match line.split_once(": ") {
                Some(("id", id)) => event.id = Some(id.to_owned()),
                Some(("event", name)) => event.name = Some(name.to_owned()),
                Some(("data", text)) => {
                    data = Some(data.map_or(String::new(), |data| data + "\n") + text);
                }
                _ if line.is_empty() && data.is_some() => {
                    event.data = data.unwrap_or_default();
                    return Some(event);
                }
                _ => assert!(
                    line.is_empty() || line.starts_with(':') || line == "retry: 1000",
                    "{line}"
                ),
            }
        }
    }

    /// The next event, which has this name and an object.
    async fn named(&mut self, name: &str) -> (Option<String>, Value) {
        let event = self.event().await.expect("the stream goes on");
        assert_eq!(event.name.as_deref(), Some(name), "{event:?}");
        let object = serde_json::from_str(&event.data).expect("it is an object");
        (event.id, object)
    }

    /// The id and the data of the next event, which is a message.
    async fn message(&mut self) -> (String, String) {
        let event = self.event().await.expect("the stream goes on");
        assert_eq!(event.name, None, "{event:?}");
        (event.id.expect("a message has an id"), event.data)
    }
}

#[tokio::test]
async fn plain_lines_come_as_they_are_read_with_nothing_between_them() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &["--raw"]).await;
    let mut stream = Stream::open(&bridge, "", &[]).await;
    assert!(
        stream.head.starts_with("HTTP/1.1 200 OK\n"),
        "{}",
        stream.head
    );
    for header in [
        "text/plain; charset=utf-8",
        "cache-control: no-store",
        "connection: close",
    ] {
        assert!(stream.head.contains(header), "{}", stream.head);
    }
    for line in ["1,2", "", "µ"] {
        pair.device.write(format!("{line}\r\n")).await;
        assert_eq!(stream.line().await.as_deref(), Some(line));
    }
    pair.device.write("x\n7 8\n").await;
    assert_eq!(stream.line().await.as_deref(), Some("x"));
    assert_eq!(stream.line().await.as_deref(), Some("7 8"));
    let mut values = Stream::open(&bridge, "?view=values&history=1", &[]).await;
    assert_eq!(values.line().await.as_deref(), Some("[7,8]"));
    let mut text = Stream::open(&bridge, "?view=text&history=6", &[]).await;
    assert_eq!(text.line().await.as_deref(), Some("x"));
    pair.device.write("a").await;
    pair.device.write("b\n").await;
    assert_eq!(text.line().await.as_deref(), Some("7 8"));
    assert_eq!(text.line().await.as_deref(), Some("ab"));
}

#[tokio::test]
async fn objects_are_those_of_the_json_view() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut stream = Stream::open(&bridge, "?values&writes", &[NDJSON]).await;
    let mut client = bridge.client("/?view=json&values&writes").await;
    let hello = stream.object().await;
    let expected = client.json_of("hello").await;
    assert_eq!(hello["run"], expected["run"]);
    assert_eq!(hello["port"], expected["port"]);
    client.acked(json!({"type": "write", "text": "?"})).await;
    assert_eq!(stream.object().await, client.json_of("written").await);
    pair.device.write("t:21.5\n").await;
    let line = client.json_of("line").await;
    assert_eq!(stream.object().await, line);
    assert_eq!(line["values"], json!({"t": 21.5}));
    client
        .acked(json!({"type": "release", "seconds": 60}))
        .await;
    assert_eq!(stream.object().await["state"], "released");
}

#[tokio::test]
async fn events_have_ids_and_the_status_has_a_name() {
    let bridge = Bridge::start(&["--port", "board=loop", "--frame", "delim:3b"]).await;
    bridge.open("board").await;
    let mut stream = Stream::open(&bridge, "", &[EVENTS]).await;
    let (id, hello) = stream.named("hello").await;
    let run = hello["run"].as_str().expect("a run has a name");
    assert_eq!(id, Some(format!("{run}:{}", hello["seq"])));
    let first = hello["seq"].as_u64().expect("it is a number") + 1;
    let mut json = Stream::open(&bridge, "?view=json&data=chunks", &[EVENTS]).await;
    json.named("hello").await;
    // What would end a field of an event.
    let mut writer = bridge.client("/?view=raw").await;
    writer.send("a\nb\rc\r\nd;;").await;
    let line = stream.message().await;
    assert_eq!(line, (format!("{run}:{first}"), "a\nb\nc\nd".to_owned()));
    let line = stream.message().await;
    assert_eq!(line, (format!("{run}:{}", first + 1), String::new()));
    let (id, data) = json.message().await;
    let data: Value = serde_json::from_str(&data).expect("it is an object");
    assert_eq!(data["type"], "data", "{data}");
    let end = bridge.port("board").await["bytes"].clone();
    assert_eq!(id, format!("{run}:{end}"));
    http(bridge.address(), "POST", "/api/ports/board/release", &[]).await;
    let (id, status) = stream.named("status").await;
    assert_eq!((id, &status["state"]), (None, &json!("released")));
}

#[tokio::test]
async fn last_event_id_resumes_without_a_lost_or_doubled_line_in_the_same_run() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut stream = Stream::open(&bridge, "", &[EVENTS]).await;
    let (mut last, _) = stream.named("hello").await;
    let mut lines = Vec::new();
    for number in 0..50 {
        pair.device
            .write(format!("{}\n{}\n", 2 * number, 2 * number + 1))
            .await;
        let (id, data) = stream.message().await;
        (last, lines) = (Some(id), [lines, vec![data]].concat());
        // The connection ends while a line is on its way.
        let id = last.clone().expect("there is an id");
        let headers = [EVENTS, ("Last-Event-ID", id.as_str())];
        stream = Stream::open(&bridge, "?history=5", &headers).await;
        assert_eq!(stream.named("hello").await.0, last);
        let (id, data) = stream.message().await;
        (last, lines) = (Some(id), [lines, vec![data]].concat());
    }
    let expected: Vec<_> = (0..100).map(|number| number.to_string()).collect();
    assert_eq!(lines, expected);
    // The same query resumes objects.
    let place = last.expect("there is an id");
    pair.device.write("next\n").await;
    let mut stream = Stream::open(&bridge, &format!("?since={place}"), &[NDJSON]).await;
    assert_eq!(stream.object().await["type"], "hello");
    assert_eq!(stream.object().await["text"], "next");
}

#[tokio::test]
async fn after_a_restart_the_run_is_another_and_it_is_said() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    pair.device.write("new\n").await;
    let mut witness = Stream::open(&bridge, "?history=5", &[]).await;
    while witness.line().await.as_deref() != Some("new") {}
    let headers = [EVENTS, ("Last-Event-ID", "another:7")];
    let mut stream = Stream::open(&bridge, "", &headers).await;
    let (_, hello) = stream.named("hello").await;
    let run = hello["run"].as_str().expect("a run has a name");
    let (id, missed) = stream.named("missed").await;
    assert_eq!(missed, json!({"type": "missed"}));
    // Who loses the connection now is not told again.
    assert_eq!(id, Some(format!("{run}:{}", hello["seq"])));
    stream.named("status").await;
    // What came while the bridge was being opened is still kept.
    let (id, data) = match stream.message().await {
        (_, data) if data.is_empty() => stream.message().await,
        message => message,
    };
    assert_eq!(data, "new");
    assert!(id.starts_with(&format!("{run}:")), "{id}");
}

#[tokio::test]
async fn a_stream_is_a_client_that_the_operator_sees_and_may_disconnect() {
    let bridge = Bridge::start(&["--port", "board=loop", "--max-clients", "2"]).await;
    let mut events = Stream::open(&bridge, "", &[EVENTS]).await;
    let mut text = Stream::open(&bridge, "", &[("User-Agent", "script")]).await;
    let clients = bridge.get("/api/clients").await.json();
    assert_eq!(clients[0]["view"], "lines", "{clients}");
    assert_eq!(clients[1]["agent"], "script", "{clients}");
    assert_eq!(clients[1]["port"], "board", "{clients}");
    assert_eq!(bridge.port("board").await["clients"], 2);
    let full = bridge.get("/api/ports/board/lines").await;
    assert_eq!(full.status, 503, "{full:?}");
    assert!(full.body.contains("--max-clients 2"), "{full:?}");
    for client in [&clients[0], &clients[1]] {
        let path = format!("/api/clients/{}", client["id"]);
        let reply = http(bridge.address(), "DELETE", &path, &[]).await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }
    events.named("hello").await;
    let (_, closed) = events.named("closed").await;
    assert_eq!(closed["code"], 4410, "{closed}");
    assert_eq!(events.event().await, None);
    assert_eq!(text.line().await, None);
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed_though_nothing_is_sent_to_it() {
    let bridge = Bridge::start(&["--port", "board=loop"]).await;
    for accept in [EVENTS, NDJSON, ("Accept", "*/*")] {
        let stream = Stream::open(&bridge, "", &[accept]).await;
        assert_eq!(bridge.port("board").await["clients"], 1);
        drop(stream);
        until("the client has left", async || {
            (bridge.port("board").await["clients"] == 0).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_stream_that_is_not_read_loses_the_oldest_is_told_so_and_delays_nobody() {
    const LINES: u64 = 60_000;
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(8 << 10).unwrap();
    let narrow = socket.connect(bridge.address()).await.unwrap();
    let mut slow = Stream::over(narrow, &bridge, "", &[EVENTS]).await;
    let mut fast = Stream::open(&bridge, "", &[]).await;
    let first = slow.named("hello").await.1["seq"]
        .as_u64()
        .expect("it is a number")
        + 1;
    let line = |number: u64| format!("{number:049}");
    let all: String = (0..LINES).map(|number| line(number) + "\n").collect();
    let reads = async {
        for number in 0..LINES {
            assert_eq!(fast.line().await, Some(line(number)));
        }
    };
    tokio::join!(pair.device.write(all), reads);
    let (mut next, mut told) = (0, 0);
    while next < LINES {
        let event = slow.event().await.expect("the stream goes on");
        match event.name.as_deref() {
            None => {
                assert_eq!(event.data, line(next), "a gap that was not announced");
                let id = event.id.expect("a message has an id");
                assert!(id.ends_with(&format!(":{}", first + next)), "{id}");
                next += 1;
            }
            Some("missed") => {
                let missed: Value = serde_json::from_str(&event.data).expect("it is an object");
                let lines = missed["lines"].as_u64().expect("lines is a number");
                (next, told) = (next + lines, told + lines);
                let id = event.id.expect("a resumption goes on after it");
                assert!(id.ends_with(&format!(":{}", first + next - 1)), "{id}");
            }
            name => assert_eq!(name, Some("status")),
        }
    }
    assert!(told > 0, "it cannot have got everything");
    let metrics = bridge.get("/metrics").await.body;
    let counted = format!("serial_ws_missed_lines_total{{port=\"board\"}} {told}\n");
    assert!(metrics.contains(&counted), "{counted}is not in {metrics}");
}

#[tokio::test]
#[ignore = "it takes a minute: tests/run --long"]
async fn a_stream_of_which_nothing_is_taken_for_40_s_ends() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let hung = Stream::open(&bridge, "", &[]).await;
    let start = std::time::Instant::now();
    let closing = async {
        // What both systems buffer is soon full.
        for line in 0.. {
            pair.device.write(format!("{line:01000}\n")).await;
            if line % 64 == 0 && bridge.get("/api/status").await.json()["clients"] == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let closed = tokio::time::timeout(Duration::from_secs(120), closing).await;
    assert!(closed.is_ok(), "it keeps its place");
    assert!(start.elapsed() >= Duration::from_secs(40), "closed early");
    drop(hung);
}

#[tokio::test]
async fn a_request_that_no_stream_can_answer_says_why() {
    let bridge = Bridge::start(&["--port", "board=loop"]).await;
    for (query, accept, status, part) in [
        ("?view=raw", "*/*", 400, "view=raw is bytes"),
        ("?vew=json", "*/*", 400, "did you mean `view`?"),
        ("?since=a:1", "*/*", 400, "since needs application/x-ndjson"),
        ("", "application/xml", 406, "text/event-stream"),
    ] {
        let path = format!("/api/ports/board/lines{query}");
        let reply = http(bridge.address(), "GET", &path, &[("Accept", accept)]).await;
        assert_eq!(reply.status, status, "{reply:?}");
        assert!(reply.body.contains(part), "{reply:?}");
    }
    let reply = bridge.get("/api/ports/bord/lines").await;
    assert_eq!(reply.status, 404, "{reply:?}");
    assert!(reply.body.contains("available: board"), "{reply:?}");
    let evil = [("Origin", "https://evil.example")];
    let reply = http(bridge.address(), "GET", "/api/ports/board/lines", &evil).await;
    assert_eq!(reply.status, 403, "{reply:?}");
    let reply = http(
        bridge.address(),
        "HEAD",
        "/api/ports/board/lines",
        &[EVENTS],
    )
    .await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.header("Content-Type"), Some("text/event-stream"));
    assert_eq!(bridge.port("board").await["clients"], 0);
}

#[cfg(unix)] // where signals are
#[tokio::test]
async fn a_stream_is_told_when_the_program_stops_and_ends() {
    let mut bridge = Bridge::start(&["--port", "board=loop"]).await;
    let mut events = Stream::open(&bridge, "", &[EVENTS]).await;
    let mut text = Stream::open(&bridge, "", &[]).await;
    bridge.program.signal(rustix::process::Signal::TERM);
    events.named("hello").await;
    let (_, closed) = events.named("closed").await;
    assert_eq!(closed["code"], 1001, "{closed}");
    assert_eq!(text.line().await, None);
    bridge.program.ended().await;
}

#[tokio::test]
async fn a_client_of_http_1_0_gets_no_chunks() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let stream = TcpStream::connect(bridge.address()).await;
    let mut stream = BufReader::new(stream.expect("the program accepts connections"));
    let request = request(bridge.address(), "GET", "/api/ports/board/lines", &[]);
    let request = request.replace("HTTP/1.1", "HTTP/1.0");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut line = String::new();
    while line.trim_end() != "" || line.is_empty() {
        line.clear();
        let read = within("the head", stream.read_line(&mut line)).await;
        read.expect("the head is text");
        assert!(!line.contains("chunked"), "{line}");
    }
    pair.device.write("one\n").await;
    line.clear();
    let read = within("a line", stream.read_line(&mut line)).await;
    read.expect("the stream is text");
    assert_eq!(line, "one\n");
}
