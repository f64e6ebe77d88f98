//! Hundreds of hostile handshakes, each rejected with the right status. None reaches the device or
//! disturbs another client.

use crate::support::{Bridge, Client, Pair, bare};

const HANDSHAKES: &str = include_str!("hostile/handshakes.txt");

/// The headers of a valid handshake, which each line of the list changes.
const VALID: [(&str, &str); 5] = [
    ("Host", "localhost:8080"),
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

/// A masked message of two bytes, which would reach the device if the handshake were accepted.
const MESSAGE: &[u8] = &[0x81, 0x82, 0, 0, 0, 0, b'H', b'!'];

#[tokio::test]
async fn every_hostile_handshake_is_rejected_with_the_right_status() {
    let mut pair = Pair::open().await;
    let allowed = [
        "--allow-origin",
        "https://ok.example",
        "--allow-host",
        "bench.lan",
    ];
    let bridge = Bridge::on(&mut pair, &allowed).await;
    let mut witness = bridge.client("/").await;
    let (mut count, mut wrong) = (0, Vec::new());
    for line in HANDSHAKES
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        count += 1;
        let (expected, fields) = line
            .split_once(" | ")
            .expect("a line has a status and fields");
        let request = request(fields);
        let answer = bare(bridge.address(), &[&request, MESSAGE].concat()).await;
        let answer = String::from_utf8_lossy(&answer);
        let status = answer.split(' ').nth(1).unwrap_or("none");
        if status != expected {
            wrong.push(format!("{status} instead of {line}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(count >= 200, "{count}");

    pair.device.write("5\n").await;
    assert_eq!(witness.text().await, "5");
    witness.send("on\n").await;
    pair.device.expect("on\n").await;
    // The unchanged handshake must be accepted, or the rejections prove nothing.
    let valid = [("Origin", "https://ok.example")];
    Client::open(bridge.address(), "/", &valid)
        .await
        .send("off\n")
        .await;
    pair.device.expect("off\n").await;
    assert!(!bridge.program.log().join("\n").contains("panicked"));
}

fn request(fields: &str) -> Vec<u8> {
    let (mut line, mut headers) = ("GET / HTTP/1.1".to_owned(), Vec::new());
    let mut left_out = Vec::new();
    for field in fields.split(" | ") {
        if let Some(everything) = field.strip_prefix("= ") {
            return bytes(everything);
        } else if let Some(other) = field.strip_prefix("> ") {
            line = other.to_owned();
        } else if let Some(name) = field.strip_prefix('-') {
            left_out.push(name.to_owned());
        } else {
            left_out.extend(field.split_once(':').map(|(name, _)| name.to_owned()));
            headers.push(field.to_owned());
        }
    }
    let is_kept = |name: &str| {
        !left_out
            .iter()
            .any(|other| other.eq_ignore_ascii_case(name))
    };
    let valid = VALID.iter().filter(|(name, _)| is_kept(name));
    let valid = valid.map(|(name, value)| format!("{name}: {value}"));
    let all: Vec<_> = [line].into_iter().chain(valid).chain(headers).collect();
    [bytes(&all.join(r"\r\n")), b"\r\n\r\n".to_vec()].concat()
}

/// Decodes the escapes of the list.
fn bytes(text: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), text);
    while let Some(first) = rest.chars().next() {
        let repeated = rest
            .strip_prefix('{')
            .and_then(|inner| inner.split_once('}'));
        let repeated = repeated.and_then(|(inner, after)| {
            let (piece, count) = inner.rsplit_once('*')?;
            Some((piece, count.parse().ok()?, after))
        });
        if let Some((piece, count, after)) = repeated {
            bytes.extend(self::bytes(piece).repeat(count));
            rest = after;
        } else if first == '\\' {
            let kind = rest[1..].chars().next().expect("an escape has a letter");
            let hex = || u8::from_str_radix(&rest[2..4], 16).expect("an escape is in hex");
            bytes.push(match kind {
                'r' => b'\r',
                'n' => b'\n',
                't' => b'\t',
                '0' => 0,
                'x' => hex(),
                _ => b'\\',
            });
            rest = &rest[if kind == 'x' { 4 } else { 2 }..];
        } else {
            bytes.extend(first.to_string().bytes());
            rest = &rest[first.len_utf8()..];
        }
    }
    bytes
}
