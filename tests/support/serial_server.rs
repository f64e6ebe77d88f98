//! An RFC 2217 server with a serial port that is made up: what a program asks of it is written
//! down, and it answers as pyserial's server does.

use std::{collections::HashSet, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
};

use super::wait::within;

const IAC: u8 = 255;
const COM_PORT: u8 = 44;

/// An RFC 2217 server.
pub struct SerialServer {
    pub at: SocketAddr,
    /// What was asked of it, such as `baud 9600` or `dtr on`, and the data as `data …`.
    asked: watch::Receiver<Vec<String>>,
    /// Bytes for the client; an empty message ends the connection.
    send: mpsc::Sender<Vec<u8>>,
}

/// What such a server does otherwise than asked.
#[derive(Clone, Copy, Default)]
pub struct Quirks {
    /// It has this rate whatever is asked.
    pub rate: Option<u32>,
    /// It answers no settings.
    pub is_mute: bool,
}

impl SerialServer {
    pub async fn start(quirks: Quirks) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a socket can listen");
        let at = listener.local_addr().expect("it has an address");
        let (sender, asked) = watch::channel(Vec::new());
        let (send, mut to_send) = mpsc::channel(16);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serve(stream, quirks, &sender, &mut to_send).await;
            }
        });
        Self { at, asked, send }
    }

    pub fn spec(&self) -> String {
        format!("board=rfc2217://{}", self.at)
    }

    /// Sends data, as it is written on the wire.
    pub async fn write(&self, bytes: &[u8]) {
        let sent = self.send.send(bytes.to_vec()).await;
        sent.expect("the server runs");
    }

    /// Ends the connection.
    pub async fn hang_up(&self) {
        self.write(b"").await;
    }

    /// Everything that was asked so far, apart from data.
    pub fn asked(&self) -> Vec<String> {
        let asked = self.asked.borrow();
        let asked = asked.iter().filter(|one| !one.starts_with("data "));
        asked.cloned().collect()
    }

    /// The data that was received so far.
    pub fn data(&self) -> Vec<u8> {
        let asked = self.asked.borrow();
        let data = asked.iter().filter_map(|one| one.strip_prefix("data "));
        let bytes = data.flat_map(|text| text.split_whitespace());
        bytes
            .map(|byte| u8::from_str_radix(byte, 16).expect("it was written so"))
            .collect()
    }

    /// Waits until these were asked, in this order and right after one another, from the `from`th on.
    pub async fn asks(&mut self, from: usize, wanted: &[&str]) {
        let has = |asked: &Vec<String>| {
            let asked: Vec<_> = asked
                .iter()
                .filter(|one| !one.starts_with("data "))
                .collect();
            let rest = asked.get(from..).unwrap_or_default();
            rest.windows(wanted.len()).any(|some| some == wanted)
        };
        let what = format!("{wanted:?} to be asked after {:?}", self.asked());
        let waited = within(&what, self.asked.wait_for(has)).await;
        waited.expect("the server runs");
    }

    /// Waits until so many bytes of data were received.
    pub async fn receives(&mut self, count: usize) -> Vec<u8> {
        while self.data().len() < count {
            let changed = within("data for the server", self.asked.changed()).await;
            changed.expect("the server runs");
        }
        self.data()
    }
}

async fn serve(
    mut stream: TcpStream,
    quirks: Quirks,
    asked: &watch::Sender<Vec<String>>,
    to_send: &mut mpsc::Receiver<Vec<u8>>,
) {
    let (mut rest, mut agreed) = (Vec::new(), HashSet::new());
    let mut bytes = [0; 4096];
    loop {
        let answer = tokio::select! {
            read = stream.read(&mut bytes) => match read {
                Ok(count @ 1..) => {
                    rest.extend_from_slice(&bytes[..count]);
                    answers(&mut rest, quirks, &mut agreed, asked)
                }
                _ => return,
            },
            data = to_send.recv() => match data {
                Some(data) if !data.is_empty() => data,
                _ => return,
            },
        };
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}

/// Takes whole commands and data from `rest`, and returns the answers.
fn answers(
    rest: &mut Vec<u8>,
    quirks: Quirks,
    agreed: &mut HashSet<(u8, u8)>,
    asked: &watch::Sender<Vec<String>>,
) -> Vec<u8> {
    let mut answers = Vec::new();
    let mut data = String::new();
    let write_down = |data: &mut String| {
        let data = std::mem::take(data);
        if !data.is_empty() {
            asked.send_modify(|all| all.push(format!("data {data}")));
        }
    };
    loop {
        match rest[..] {
            [IAC, verb @ 251..=254, option, ..] => {
                rest.drain(..3);
                let is_known = [0, 3, COM_PORT].contains(&option);
                match verb {
                    251 if is_known && !agreed.insert((verb, option)) => {}
                    253 if is_known && !agreed.insert((verb, option)) => {}
                    251 => answers.extend([IAC, if is_known { 253 } else { 254 }, option]),
                    253 => answers.extend([IAC, if is_known { 251 } else { 252 }, option]),
                    _ => {}
                }
            }
            [IAC, 250, COM_PORT, ..] => {
                let Some(end) = rest.windows(2).position(|two| two == [IAC, 240]) else {
                    break;
                };
                let body: Vec<u8> = rest[3..end].to_vec();
                rest.drain(..end + 2);
                write_down(&mut data);
                let (text, value) = meaning(&body, quirks);
                asked.send_modify(|all| all.push(text));
                if !quirks.is_mute {
                    answers.extend([IAC, 250, COM_PORT, body[0] + 100]);
                    answers.extend(value);
                    answers.extend([IAC, 240]);
                }
                if body[0] == 11 {
                    answers.extend([IAC, 250, COM_PORT, 107, 0, IAC, 240]);
                }
            }
            [IAC, IAC, ..] => {
                rest.drain(..2);
                data += "ff ";
            }
            [IAC, ..] | [] => break,
            [byte, ..] => {
                rest.remove(0);
                data += &format!("{byte:02x} ");
            }
        }
    }
    write_down(&mut data);
    answers
}

/// What a message asks for, in words, and the value of its answer.
fn meaning(body: &[u8], quirks: Quirks) -> (String, Vec<u8>) {
    let value = body[1..].to_vec();
    let text = match body {
        [1, rate @ ..] => {
            let asked = u32::from_be_bytes(rate.try_into().expect("a rate has four bytes"));
            let rate = quirks.rate.unwrap_or(asked);
            return (format!("baud {asked}"), rate.to_be_bytes().to_vec());
        }
        [2, bits] => format!("bits {bits}"),
        [3, parity] => format!("parity {parity}"),
        [4, bits] => format!("stop bits {bits}"),
        [5, code @ 1..=3] => format!("flow {code}"),
        [5, code @ 5..=6] => format!("break {}", if *code == 5 { "on" } else { "off" }),
        [5, code @ 8..=9] => format!("dtr {}", if *code == 8 { "on" } else { "off" }),
        [5, code @ 11..=12] => format!("rts {}", if *code == 11 { "on" } else { "off" }),
        [11, ..] => "modem states".to_owned(),
        [12, what] => format!("purge {what}"),
        _ => format!("{body:?}"),
    };
    (text, value)
}
