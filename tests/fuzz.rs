//! Laws that hold for every input. `fuzz/` searches for inputs that break them; the tests here try
//! its seeds and its past findings, and with `tests/run --long`, where there is no fuzzer, random
//! variations of them.

// The fuzz targets include this file as well, from their own folder.
#[path = "fuzz/config.rs"]
mod config;
#[path = "fuzz/framing.rs"]
mod framing;
#[path = "fuzz/sockets.rs"]
mod sockets;
#[cfg(test)]
#[path = "fuzz/variations.rs"]
mod variations;

#[allow(unused_imports, reason = "each fuzz target uses one of the laws")]
pub use {config::config, framing::framing, framing::values, sockets::frames};

use std::{
    cell::{Cell, LazyCell},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use serial_ws::Config;
use serial_ws::Program;
use serial_ws::client_protocol;
use serial_ws::hub::{
    Action, Extent, Hub, HubConfig, Kind, Lease, Start, State, Status, SubscriberKind, Timestamp,
};
use serial_ws::protocol::{Content, Id, ServerMessage};
use serial_ws::view::{LineEnding, Part, Payload, View};
use serial_ws::{Framer, Input, LineFramer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;

/// The token that one of the two servers requires.
const TOKEN: &str = "correct-horse-battery";

/// The status codes of rejections.
const REJECTIONS: [&str; 6] = ["400", "401", "403", "408", "429", "431"];

/// The headers that reveal a proxy.
const FORWARDED: [&str; 6] = [
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
];

/// No client is admitted against the access policy, whatever bytes it sends. The first byte selects
/// whether the client is on this computer, and whether a token is required.
pub fn head(data: &[u8]) {
    let Some((&choice, head)) = data.split_first() else {
        return;
    };
    let (is_from_here, has_token) = (choice & 1 == 0, choice & 2 != 0);
    let answer = SERVERS.with(|servers| servers.answer(head, is_from_here, has_token));
    let answer = String::from_utf8_lossy(&answer);
    if answer.is_empty() {
        return;
    }
    let (version, rest) = answer.split_at_checked(9).expect("it has a version");
    assert!(version.starts_with("HTTP/1."), "{answer}");
    let status = &rest[..3];
    if REJECTIONS.contains(&status) {
        return;
    }
    let head = Head::read(head);
    let seen = || format!("{status} for {head:?}");
    let host = head.only("host").unwrap_or_else(|| panic!("{}", seen()));
    assert!(is_this_computer(host), "{}", seen());
    let is_socket = status == "101";
    assert!(is_socket || answer.contains("connection: close\r\n"));
    let is_public = [
        "/hello",
        "/serial-ws.js",
        "/serial-ws.mjs",
        "/serial-ws-p5.js",
    ];
    if !is_socket && is_public.contains(&head.path()) {
        return;
    }
    if has_token {
        return assert!(head.knows_token(), "{}", seen());
    }
    let is_proxied = FORWARDED.iter().any(|name| head.has(name));
    assert!(is_from_here && !is_proxied, "{}", seen());
    if !head.has("origin") {
        let site = head.fields("sec-fetch-site").next();
        let is_own = matches!(site, None | Some("same-origin" | "none"));
        let is_page = !is_socket && !head.path().starts_with("/api/") && head.path() != "/metrics";
        return assert!(is_own || is_page, "{}", seen());
    }
    let origin = head.only("origin").unwrap_or_else(|| panic!("{}", seen()));
    let (_, page) = origin
        .split_once("://")
        .unwrap_or_else(|| panic!("{}", seen()));
    // Some libraries add a slash, which no browser does.
    let page = page.strip_suffix('/').unwrap_or(page);
    assert!(is_this_computer(page), "{}", seen());
}

/// A client's object is either a request within the limits, or is rejected with the reason. The
/// first byte selects the line ending to add.
pub fn json(data: &[u8]) {
    let Some((&choice, text)) = data.split_first() else {
        return;
    };
    let protocol = client_protocol(View::JsonLines);
    let ending = [
        LineEnding::None,
        LineEnding::Lf,
        LineEnding::Crlf,
        LineEnding::Cr,
    ][usize::from(choice % 4)];
    // Any bytes arrive unchanged.
    let object = format!(
        r#"{{"type":"write","bytes":"{}"}}"#,
        BASE64_STANDARD.encode(text)
    );
    let sent = Input::Action(Action::Write(Bytes::copy_from_slice(text)), None);
    assert_eq!(protocol.decode(Message::text(object), ending), sent);

    let Ok(text) = str::from_utf8(text) else {
        return;
    };
    // This many characters fit the 256 bytes of an identifier, however they are escaped.
    let id = serde_json::Value::from(text.chars().take(40).collect::<String>());
    let object = serde_json::json!({ "type": "write", "text": text, "id": id }).to_string();
    let sent = Action::Write(ending.complete(Bytes::copy_from_slice(text.as_bytes())));
    let sent = Input::Action(sent, Some(Id::from(&id)));
    assert_eq!(protocol.decode(Message::text(object), ending), sent);

    match protocol.decode(Message::text(text), ending) {
        Input::Action(Action::Break(time), _) => assert!(time <= Duration::from_secs(5)),
        Input::Action(Action::Release(Lease::For(time)), _) => {
            assert!(time <= Duration::from_secs(24 * 60 * 60));
        }
        Input::Action(Action::Write(bytes), _) => assert!(bytes.len() <= text.len() + 2),
        Input::Action(..) | Input::Nothing => {}
        Input::Lock { .. } | Input::Unlock(_) | Input::Playback(..) | Input::Recorder(..) => {}
        Input::Invalid(reason, _) => assert!(!reason.is_empty()),
    }
}

/// Every view shows the same data and loses nothing, however the bytes are cut into chunks. The
/// first byte sets the longest line, the next three the sizes of the chunks.
pub fn framer(data: &[u8]) {
    let Some(([longest, sizes @ ..], input)) = data.split_first_chunk::<4>() else {
        return;
    };
    let max_line = 4 + usize::from(longest % 16);
    let sizes = sizes.map(|size| usize::from(size % 9) + 1);
    let expected = lines(input, max_line);
    assert_eq!(shown(View::Raw, input, max_line, sizes).concat(), input);
    let text = shown(View::Text, input, max_line, sizes).concat();
    assert_eq!(text, String::from_utf8_lossy(input).as_bytes());

    let objects = shown(View::JsonLines, input, max_line, sizes);
    let objects = objects.iter().map(|object| line(object));
    let marked = expected
        .iter()
        .map(|(line, extent)| (line.clone(), *extent != Extent::Whole));
    assert!(objects.eq(marked));
    // A line cut off by the end of the stream does not count.
    let whole = expected
        .iter()
        .filter(|(_, extent)| *extent != Extent::Fragment);
    let whole = whole.map(|(line, _)| String::from_utf8_lossy(line).into_owned());
    let lines = shown(View::Lines, input, max_line, sizes);
    assert!(lines.into_iter().eq(whole.map(String::into_bytes)));
}

/// Returns the expected lines of `input`, each with its share of a line.
fn lines(input: &[u8], max_line: usize) -> Vec<(Vec<u8>, Extent)> {
    let mut lines = Vec::new();
    for (number, line) in input.split_inclusive(|&byte| byte == b'\n').enumerate() {
        let is_ended = line.ends_with(b"\n");
        let mut rest = line.strip_suffix(b"\n").unwrap_or(line);
        // Carriage returns after a line feed belong to it.
        while let (1.., Some(after)) = (number, rest.strip_prefix(b"\r")) {
            rest = after;
        }
        let mut extent = Extent::Whole;
        while is_over_long(rest, max_line) {
            // No piece ends inside a character.
            let is_begun = |cut: &usize| {
                let tail = &rest[max_line - cut..max_line];
                str::from_utf8(tail).is_err_and(|e| e.valid_up_to() == 0 && e.error_len().is_none())
            };
            let cut = max_line - (1..4).find(is_begun).unwrap_or(0);
            extent = Extent::Piece;
            lines.push((rest[..cut].to_vec(), extent));
            rest = &rest[cut..];
        }
        if is_ended {
            lines.push((content(rest).to_vec(), extent));
        } else if !rest.is_empty() {
            lines.push((rest.to_vec(), Extent::Fragment));
        }
    }
    lines
}

/// Carriage returns past the limit may still belong to the line end, unless they are too many.
fn is_over_long(rest: &[u8], max_line: usize) -> bool {
    let content = content(rest).len();
    content > max_line || rest.len() - content > max_line
}

/// Returns a line without the carriage returns at its end.
fn content(mut line: &[u8]) -> &[u8] {
    while let Some(before) = line.strip_suffix(b"\r") {
        line = before;
    }
    line
}

/// Returns the payloads that a client of `view` receives if `input` arrives in chunks of these sizes.
fn shown(view: View, input: &[u8], max_line: usize, sizes: [usize; 3]) -> Vec<Vec<u8>> {
    let hub = hub();
    let mut subscription = hub.subscribe(SubscriberKind::Client, Start::Live);
    let mut framer = LineFramer::new(max_line);
    let (mut rest, mut sizes) = (Bytes::copy_from_slice(input), sizes.into_iter().cycle());
    while let (false, Some(size)) = (rest.is_empty(), sizes.next()) {
        let chunk = rest.split_to(size.min(rest.len()));
        hub.publish(Timestamp(0), Kind::Data(framer.push(chunk)));
    }
    if let Some(data) = framer.cut() {
        hub.publish(Timestamp(0), Kind::Data(data));
    }
    let mut taken = Vec::new();
    assert_eq!(subscription.take(&mut taken), None, "nothing is missed");
    let mut payloads = Vec::new();
    for taken in &taken {
        let part = Part::After(taken.had);
        view.encode(&taken.event, part, &mut |payload, _| match payload {
            Payload::Text(bytes) | Payload::Binary(bytes) => payloads.push(bytes.to_vec()),
        });
    }
    payloads
}

/// Returns the bytes of a `line` object, and true if it is only a part of a line.
fn line(object: &[u8]) -> (Vec<u8>, bool) {
    match serde_json::from_slice(object).expect("it is JSON of the protocol") {
        ServerMessage::Line {
            content, partial, ..
        } => match content {
            Content::Text(text) => (text.as_bytes().to_vec(), partial),
            Content::Bytes(bytes) => (bytes.0.into_owned(), partial),
        },
        other => panic!("{other:?}"),
    }
}

fn hub() -> Arc<Hub> {
    let limits = HubConfig {
        history: 1 << 20,
        max_behind: Duration::from_secs(10),
    };
    Hub::new(limits, Status::new(State::Open, "a test"))
}

/// A request head, parsed in the simplest way.
#[derive(Debug)]
struct Head {
    line: String,
    fields: Vec<(String, String)>,
}

impl Head {
    fn read(bytes: &[u8]) -> Self {
        let text = bytes
            .iter()
            .map(|byte| char::from(*byte))
            .collect::<String>();
        let lines = text
            .split('\n')
            .map(|line| line.strip_suffix('\r').unwrap_or(line));
        let mut lines = lines.skip_while(|line| line.is_empty());
        let line = lines.next().unwrap_or_default().to_owned();
        let fields = lines.take_while(|line| !line.is_empty());
        let fields = fields.filter_map(|line| line.split_once(':'));
        let fields = fields.map(|(name, value)| {
            let value = value.trim_matches([' ', '\t']);
            (name.to_ascii_lowercase(), value.to_owned())
        });
        Self {
            line,
            fields: fields.collect(),
        }
    }

    fn fields(&self, name: &str) -> impl Iterator<Item = &str> {
        let fields = self.fields.iter().filter(move |(key, _)| key == name);
        fields.map(|(_, value)| value.as_str())
    }

    fn has(&self, name: &str) -> bool {
        self.fields(name).next().is_some()
    }

    fn only(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields(name);
        fields.next().filter(|_| fields.next().is_none())
    }

    fn path(&self) -> &str {
        let target = self.line.split(' ').nth(1).unwrap_or_default();
        target.split(['?', '#']).next().unwrap_or_default()
    }

    fn knows_token(&self) -> bool {
        let mut shown = vec![percent_decoded(&self.line)];
        shown.extend(self.fields.iter().map(|(_, value)| value.clone()));
        shown.iter().any(|shown| shown.contains(TOKEN))
    }
}

fn percent_decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut decoded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part
            .get(..2)
            .and_then(|code| u8::from_str_radix(code, 16).ok());
        decoded.extend(code.map(char::from));
        decoded.push_str(code.map_or(part, |_| &part[2..]));
    }
    decoded
}

/// Returns true if `name`, with or without a TCP port, always means this computer.
fn is_this_computer(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let without_port = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let name = without_port.strip_suffix(':').unwrap_or(&name);
    let v6 = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    match v6 {
        Some(v6) => v6.parse() == Ok(std::net::Ipv6Addr::LOCALHOST),
        None => name == "localhost" || name == "127.0.0.1" || name.ends_with(".localhost"),
    }
}

/// Three servers with paused time: one that anyone of this computer may read, one that requires a
/// token, and one that may be written to.
struct Servers {
    time: tokio::runtime::Runtime,
    open: Program,
    guarded: Program,
    writable: Program,
    /// The number of heads answered so far.
    count: Cell<u32>,
}

thread_local! {
    static SERVERS: LazyCell<Servers> = const { LazyCell::new(Servers::new) };
}

impl Servers {
    fn new() -> Self {
        let mut time = tokio::runtime::Builder::new_current_thread();
        let time = time.enable_all().start_paused(true).build();
        let time = time.expect("the system has a clock");
        let file = std::env::temp_dir().join(format!("serial-ws-laws-{}", std::process::id()));
        std::fs::write(&file, TOKEN).expect("there is a folder for files of this kind");
        let guard = format!("--token={}", file.display());
        let read_only = || "--read-only".to_owned();
        let differences = [vec![read_only()], vec![read_only(), guard], vec![]];
        let servers = differences.map(|own| {
            let arguments = ["serial-ws", "--port=a=sim", "--listen=127.0.0.1:0"];
            let own = own.iter().map(String::as_str);
            let arguments = arguments.into_iter().chain(own);
            let config = Config::from_args(arguments).expect("they mean something");
            let bound = time.block_on(async { Program::bind(config, Default::default()) });
            bound.expect("there is an address to listen on")
        });
        // It has been read.
        let _ = std::fs::remove_file(file);
        let [open, guarded, writable] = servers;
        Self {
            time,
            open,
            guarded,
            writable,
            count: Cell::default(),
        }
    }

    /// Returns the response to `head`.
    fn answer(&self, head: &[u8], is_from_here: bool, has_token: bool) -> Vec<u8> {
        let program = if has_token { &self.guarded } else { &self.open };
        let (near, far) = tokio::io::duplex(1 << 16);
        let talk = async {
            let mut near = near;
            let mut answer = Vec::new();
            // serial-ws may answer before it has read everything.
            let _ = near.write_all(head).await;
            let _ = near.read_to_end(&mut answer).await;
            answer
        };
        self.serve(program, far, is_from_here, talk)
    }

    /// Returns everything that a client of the port that may be written to gets if it sends these
    /// parts and then ends its half, while it reads all the time. Over TCP, since no other socket
    /// is taken out of the HTTP library.
    fn talk<'a>(&self, parts: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
        let (near, far) = self.time.block_on(self.tcp_pair());
        let (mut reader, mut writer) = near.into_split();
        let talk = async {
            let write = async {
                for part in parts {
                    // It may have had enough.
                    if writer.write_all(part).await.is_err() {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
                let _ = writer.shutdown().await;
            };
            let mut answer = Vec::new();
            let ((), _) = tokio::join!(write, reader.read_to_end(&mut answer));
            answer
        };
        self.serve(&self.writable, far, true, talk)
    }

    /// Returns the two ends of a TCP connection.
    async fn tcp_pair(&self) -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("there are TCP ports");
        let connected = TcpStream::connect(listener.local_addr().expect("it is bound"));
        let (near, far) = tokio::join!(connected, listener.accept());
        (near.expect("it listens"), far.expect("it is connected").0)
    }

    fn serve<S, T>(
        &self,
        program: &Program,
        socket: S,
        is_from_here: bool,
        talk: impl Future<Output = T>,
    ) -> T
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        // Each request comes from an address without failed attempts.
        let [_, b, c, d] = self.count.replace(self.count.get() + 1).to_be_bytes();
        let network = if is_from_here { 127 } else { 10 };
        let [remote, local] =
            [[network, b, c, d], [127, 0, 0, 1]].map(|ip| SocketAddr::from((ip, 8080)));
        self.time
            .block_on(async { tokio::join!(program.server.serve(socket, remote, local), talk).1 })
    }
}

#[cfg(test)]
#[track_caller]
fn replay(target: &str, law: fn(&[u8])) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/seeds/");
    let Ok(seeds) = std::fs::read_dir(format!("{folder}{target}")) else {
        return crate::support::skip("the package has no seeds");
    };
    for seed in seeds {
        let path = seed.expect("the folder can be read").path();
        law(&std::fs::read(path).expect("a seed can be read"));
    }
}

#[test]
fn the_seeds_of_heads_are_answered_rightly() {
    replay("head", head);
    // The law would also hold if nobody were ever admitted.
    let head =
        b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let answer = SERVERS.with(|servers| servers.answer(head, true, false));
    assert!(answer.starts_with(b"HTTP/1.1 101 "));
}

#[test]
fn the_seeds_of_objects_are_understood_rightly() {
    replay("json", json);
}

#[test]
fn the_seeds_of_streams_are_shown_rightly() {
    replay("framer", framer);
}

#[test]
fn the_seeds_of_framings_are_cut_rightly() {
    replay("framing", framing);
}

#[test]
fn the_seeds_of_lines_have_the_right_values() {
    replay("values", values);
}

#[test]
fn the_seeds_of_settings_are_taken_or_explained() {
    replay("config", config);
}

#[test]
fn the_seeds_of_conversations_are_answered_in_whole_frames() {
    replay("frames", frames);
    // The law would also hold if nobody were ever answered.
    let close = [1, 0, 0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8];
    frames(&close);
    let ping =
        b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\
        \x89\x81\x00\x00\x00\x00!";
    let answer = SERVERS.with(|servers| servers.talk([&ping[..]].into_iter()));
    assert!(answer.ends_with(b"\x8a\x01!"), "{answer:?}");
}
