//! A WebSocket client as a page or a program would be, that waits with a limit.

use std::net::SocketAddr;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use serial_ws::protocol::ServerMessage;
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use super::wait::within;

/// A connected WebSocket.
pub struct Client {
    socket: WebSocketStream<TcpStream>,
    /// The subprotocol that the program chose.
    pub protocol: Option<String>,
}

impl Client {
    /// Connects to `target` (a path with its query) with `headers`.
    pub async fn open(at: SocketAddr, target: &str, headers: &[(&'static str, &str)]) -> Self {
        let stream = TcpStream::connect(at)
            .await
            .expect("the program accepts connections");
        Self::over(stream, at, target, headers).await
    }

    /// Connects with so small a receive buffer that not reading is soon felt by the program.
    pub async fn open_narrow(at: SocketAddr, target: &str) -> Self {
        const NARROW: u32 = 8 * 1024;
        let socket = TcpSocket::new_v4().expect("there are sockets");
        socket
            .set_recv_buffer_size(NARROW)
            .expect("a receive buffer can be small");
        let stream = socket
            .connect(at)
            .await
            .expect("the program accepts connections");
        Self::over(stream, at, target, &[]).await
    }

    async fn over(
        stream: TcpStream,
        at: SocketAddr,
        target: &str,
        headers: &[(&'static str, &str)],
    ) -> Self {
        stream
            .set_nodelay(true)
            .expect("small messages can go at once");
        let mut request = format!("ws://{at}{target}")
            .into_client_request()
            .expect("the URL is right");
        for (name, value) in headers {
            let value = value.parse().expect("the header is right");
            request.headers_mut().insert(*name, value);
        }
        let answer = within("the answer to an upgrade", client_async(request, stream)).await;
        let (socket, response) = answer.unwrap_or_else(|error| panic!("{target}: {error}"));
        let protocol = response.headers().get("Sec-WebSocket-Protocol");
        let protocol = protocol.map(|value| value.to_str().expect("a protocol is text").to_owned());
        Self { socket, protocol }
    }

    /// Sends a text message.
    pub async fn send(&mut self, text: impl Into<String>) {
        self.message(Message::text(text.into())).await;
    }

    /// Sends a binary message.
    pub async fn send_bytes(&mut self, bytes: impl Into<Vec<u8>>) {
        self.message(Message::binary(bytes.into())).await;
    }

    /// Sends a JSON object as a text message.
    pub async fn send_json(&mut self, object: Value) {
        self.send(object.to_string()).await;
    }

    async fn message(&mut self, message: Message) {
        let sent = within("the program to take a message", self.socket.send(message)).await;
        sent.expect("the program takes a message");
    }

    /// The next message, which is text.
    pub async fn text(&mut self) -> String {
        match self.next("a text message").await {
            Message::Text(text) => text.to_string(),
            other => panic!("a text message was expected, and this came: {other:?}"),
        }
    }

    /// JSON objects until the one with this `id`.
    pub async fn json_until(&mut self, id: &str) -> Vec<Value> {
        let mut objects = Vec::new();
        while objects.last().is_none_or(|last: &Value| last["id"] != id) {
            objects.push(self.json().await);
        }
        objects
    }

    /// Sends a request, and returns its reply.
    pub async fn reply(&mut self, mut request: Value) -> Value {
        request["id"] = json!("reply");
        self.send_json(request).await;
        let objects = self.json_until("reply").await;
        objects.into_iter().next_back().expect("it has come")
    }

    /// Sends a request that is carried out.
    pub async fn acked(&mut self, request: Value) {
        let reply = self.reply(request).await;
        assert_eq!(reply["type"], "ack", "{reply}");
    }

    /// Sends a request that is refused, and returns why.
    pub async fn refused(&mut self, request: Value) -> String {
        let reply = self.reply(request).await;
        assert_eq!(reply["type"], "error", "{reply}");
        reply["error"].as_str().unwrap_or_default().to_owned()
    }

    /// The next message, which is binary.
    pub async fn bytes(&mut self) -> Vec<u8> {
        match self.next("a binary message").await {
            Message::Binary(bytes) => bytes.to_vec(),
            other => panic!("a binary message was expected, and this came: {other:?}"),
        }
    }

    /// Binary messages until they have `length` bytes together, which must be exactly so many.
    pub async fn bytes_of(&mut self, length: usize) -> Vec<u8> {
        let mut all = Vec::with_capacity(length);
        while all.len() < length {
            all.extend(self.bytes().await);
        }
        assert_eq!(all.len(), length, "more came than the device sent");
        all
    }

    /// Text messages until they have `length` bytes together, which must be exactly so many.
    pub async fn text_of(&mut self, length: usize) -> String {
        let mut all = String::new();
        while all.len() < length {
            all += &self.text().await;
        }
        assert_eq!(all.len(), length, "more came than the device sent");
        all
    }

    /// The next message, which is an object exactly as the json protocol defines it.
    pub async fn json(&mut self) -> Value {
        let text = self.text().await;
        let message: ServerMessage<'_> =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text:?}"));
        let again = message.to_json();
        let object: Value = serde_json::from_str(&text).expect("a message is JSON");
        // Values keep their digits as the device sent them, and so may be written differently.
        let is_same = match object.get("values") {
            Some(_) => serde_json::from_str::<Value>(&again).expect("it is JSON") == object,
            None => again == text,
        };
        assert!(is_same, "the protocol writes {again} instead of {text}");
        object
    }

    /// The next JSON object but for statuses, which is of this type.
    pub async fn json_of(&mut self, kind: &str) -> Value {
        loop {
            let object = self.json().await;
            if object["type"] == kind {
                return object;
            }
            assert_eq!(
                object["type"], "status",
                "{kind} was expected, and this came: {object}"
            );
        }
    }

    /// Messages up to a Close, then its code and reason.
    pub async fn closed(&mut self) -> (u16, String) {
        loop {
            match self.next("a Close").await {
                Message::Close(Some(close)) => {
                    return (close.code.into(), close.reason.to_string());
                }
                Message::Close(None) => panic!("the Close has neither code nor reason"),
                _ => {}
            }
        }
    }

    /// Says goodbye and waits for the answer.
    pub async fn leave(mut self) {
        let _ = within("a Close to be sent", self.socket.close(None)).await;
        within("the answer to a Close", async {
            while let Some(Ok(_)) = self.socket.next().await {}
        })
        .await;
    }

    async fn next(&mut self, what: &str) -> Message {
        loop {
            match within(what, self.socket.next()).await {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(message)) => return message,
                Some(Err(error)) => panic!("{what} was expected, and this came: {error}"),
                None => panic!("{what} was expected, and the connection ended"),
            }
        }
    }
}
