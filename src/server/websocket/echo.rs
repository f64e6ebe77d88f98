//! `/echo`: returns every message as it came, to try a client with nothing else.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_util::sync::CancellationToken;

use super::close::{self, Farewell};
use super::keepalive::Pulse;
use super::send_queue::{Io, Outbox, turn};
use crate::view;

/// Serves one client until it or the program ends. The next message is read when the one before
/// has been returned.
pub(crate) async fn run<S>(
    mut ws: WebSocketStream<Outbox<S>>,
    max_message: usize,
    stop: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut pulse = Pulse::new();
    let farewell = loop {
        let may_read = ws.get_ref().is_empty();
        let io = tokio::select! {
            biased;
            () = stop.cancelled() => break Farewell::Stopping,
            io = turn(&mut ws, may_read) => io,
            () = pulse.silence() => match pulse.ask(ws.get_mut(), may_read) {
                Ok(()) => continue,
                Err(farewell) => break farewell,
            },
        };
        match io {
            Io::Sent => {}
            Io::Received(message) => {
                pulse.beat();
                ws.get_mut().push(view::frame(&message));
            }
            Io::Failed(error) => break Farewell::after(&error, max_message),
        }
    };
    close::say(&mut ws, farewell).await;
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::Instant;
    use tokio_tungstenite::tungstenite::protocol::Role;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_answers_no_ping_ends() {
        const PING: [u8; 2] = [0x89, 0];
        let (mut client, server) = tokio::io::duplex(64);
        let outbox = Outbox::new(server, &[], 16);
        let ws = WebSocketStream::from_raw_socket(outbox, Role::Server, None).await;
        let _echo = tokio::spawn(run(ws, 16, CancellationToken::new()));
        let start = Instant::now();
        let mut ping = [0; 2];
        client.read_exact(&mut ping).await.unwrap();
        assert_eq!((ping, start.elapsed().as_secs()), (PING, 20));
        client.write_all(&[0x8a, 0x80, 0, 0, 0, 0]).await.unwrap();
        client.read_exact(&mut ping).await.unwrap();
        assert_eq!((ping, start.elapsed().as_secs()), (PING, 40));
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await.unwrap();
        assert_eq!(start.elapsed().as_secs(), 60);
        assert_eq!((rest[0], &rest[2..4]), (0x88, &1008_u16.to_be_bytes()[..]));
    }
}
