//! HTTP and WebSocket by hand, byte by byte: for what a well-behaved client would never send.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::wait::within;

/// An HTTP answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    /// Everything before the empty line, as it came.
    pub head: String,
    pub body: String,
}

impl Reply {
    /// The value of header `name`, if it was sent.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("{error} in the body of {self:?}"))
    }

    /// Reads an answer as it came.
    pub fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("this is no HTTP answer: {text:?}"));
        Self {
            status,
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }
}

/// Sends one request, with the right Host and `headers`, and reads the answer to its end.
pub async fn http(at: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
    Reply::parse(&bare(at, request(at, method, path, headers).as_bytes()).await)
}

/// Sends `bytes` and returns whatever comes back until the program ends the connection.
pub async fn bare(at: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(at)
        .await
        .expect("the program accepts connections");
    // The program may answer and close before it has read everything.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = within("the end of the connection", stream.read_to_end(&mut answer)).await;
    answer
}

/// Asks for a WebSocket at `path`; `headers` replace the right ones of the same name, and an empty
/// value leaves that header out. Meant for what is refused; see [`RawSocket`] for the rest.
pub async fn upgrade(at: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Reply {
    let (reply, _) = knock(at, path, headers).await;
    reply
}

/// A WebSocket whose frames are written by hand.
pub struct RawSocket(TcpStream);

impl RawSocket {
    pub async fn open(at: SocketAddr, path: &str) -> Self {
        let (reply, stream) = knock(at, path, &[]).await;
        assert_eq!(reply.status, 101, "{reply:?}");
        Self(stream)
    }

    /// Asks for a WebSocket with a request as it is written, and returns the answer beside it.
    pub async fn ask(at: SocketAddr, request: &str) -> (Reply, Self) {
        let (reply, stream) = answer(send(at, request).await).await;
        (reply, Self(stream))
    }

    /// Writes bytes as they are.
    pub async fn write(&mut self, bytes: &[u8]) {
        self.0
            .write_all(bytes)
            .await
            .expect("the program takes the bytes");
    }

    /// Writes bytes again and again, without reading, until the program has taken so many, takes
    /// nothing for a moment, or ends the connection. Returns how many it took.
    pub async fn write_all_it_takes(&mut self, bytes: &[u8], most: usize) -> usize {
        const MOMENT: Duration = Duration::from_secs(2);
        let mut taken = 0;
        while taken < most {
            let rest = &bytes[taken % bytes.len()..];
            match timeout(MOMENT, self.0.write(rest)).await {
                Ok(Ok(count)) => taken += count,
                Ok(Err(_)) | Err(_) => break,
            }
        }
        taken
    }

    /// Reads frames up to a Close and gives its code and reason.
    pub async fn closed(&mut self) -> (u16, String) {
        within("a Close frame", async {
            loop {
                let (opcode, payload) = self.frame().await;
                if opcode == 8 {
                    let (code, reason) = payload.split_at_checked(2).expect("the Close has a code");
                    let code = u16::from_be_bytes(code.try_into().expect("two bytes were cut off"));
                    return (code, String::from_utf8_lossy(reason).into_owned());
                }
            }
        })
        .await
    }

    /// The payload of the next frame, which is text.
    pub async fn text(&mut self) -> String {
        let (opcode, payload) = within("a text frame", self.frame()).await;
        assert_eq!(opcode, 1, "{payload:?}");
        String::from_utf8(payload).expect("text is UTF-8")
    }

    async fn frame(&mut self) -> (u8, Vec<u8>) {
        let first = self
            .0
            .read_u8()
            .await
            .expect("the connection ends with a Close frame");
        let length = match self.0.read_u8().await.expect("a frame has a length") {
            126 => usize::from(self.0.read_u16().await.expect("a frame has a length")),
            127 => panic!("a frame of more than 64 KiB is not expected here"),
            length => usize::from(length),
        };
        let mut payload = vec![0; length];
        self.0
            .read_exact(&mut payload)
            .await
            .expect("a frame has its payload");
        (first & 0x0f, payload)
    }
}

async fn knock(at: SocketAddr, path: &str, headers: &[(&str, &str)]) -> (Reply, TcpStream) {
    answer(ask_upgrade(at, path, headers).await).await
}

/// Reads the answer to a request for a WebSocket.
async fn answer(mut stream: TcpStream) -> (Reply, TcpStream) {
    let mut answer = Vec::new();
    within("an answer to an upgrade", async {
        while !answer.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => answer.push(byte),
                Err(_) => break,
            }
        }
    })
    .await;
    let mut reply = Reply::parse(&answer);
    if reply.status != 101 {
        let mut body = Vec::new();
        let _ = within("the body of a refusal", stream.read_to_end(&mut body)).await;
        reply.body = String::from_utf8_lossy(&body).into_owned();
    }
    (reply, stream)
}

/// Asks for a WebSocket, and leaves the answer to be read.
pub async fn ask_upgrade(at: SocketAddr, path: &str, headers: &[(&str, &str)]) -> TcpStream {
    let mut all = vec![
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    all.retain(|(name, _)| {
        !headers
            .iter()
            .any(|(other, _)| other.eq_ignore_ascii_case(name))
    });
    all.extend_from_slice(headers);
    send(at, &request(at, "GET", path, &all)).await
}

/// Sends a request as it is written.
async fn send(at: SocketAddr, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(at)
        .await
        .expect("the program accepts connections");
    stream
        .write_all(request.as_bytes())
        .await
        .expect("the program takes a request");
    stream
}

/// A request with the right Host, unless `headers` have another, as bytes on the wire.
pub fn request(at: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)]) -> String {
    let mut request = format!("{method} {path} HTTP/1.1\r\n");
    if !headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("Host"))
    {
        request += &format!("Host: {at}\r\n");
    }
    for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
        request += &format!("{name}: {value}\r\n");
    }
    request + "\r\n"
}
