//! `/echo`: returns every message as it came, so that a client can be tried without a device.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use super::close::{self, CloseReason};
use super::frame;
use crate::server::client::keepalive::Keepalive;
use crate::server::client::send_queue::{ClientSocket, Io, drive};
use crate::server::progress::ReportsProgress;

/// Serves one client until it leaves, `stop` disconnects it, or the program ends. The next message is
/// read when the one before has been returned.
pub(crate) async fn run<S>(
    mut ws: ClientSocket<S>,
    program: &CancellationToken,
    stop: &CancellationToken,
) where
    S: AsyncRead + AsyncWrite + ReportsProgress + Unpin,
{
    let mut keepalive = Keepalive::new();
    let reason = loop {
        let may_read = ws.get_ref().is_empty();
        let io = tokio::select! {
            biased;
            () = stop.cancelled() => break CloseReason::of_stop(program),
            io = drive(&mut ws, may_read) => io,
            () = keepalive.idle() => match keepalive.on_idle(ws.get_mut(), may_read) {
                Ok(()) => continue,
                Err(reason) => break reason,
            },
        };
        match io {
            Io::Sent => {}
            Io::Received(message) => {
                keepalive.on_activity();
                ws.get_mut().push(frame::echo(&message));
            }
            Io::Failed(error) => break CloseReason::after(&error),
        }
    };
    close::close(&mut ws, reason).await;
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::Instant;

    use super::*;
    use crate::server::client::send_queue;
    use crate::server::progress::CountedStream;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_answers_no_ping_ends() {
        const PING: [u8; 2] = [0x89, 0];
        let (mut client, server) = tokio::io::duplex(64);
        let server = CountedStream::unbuffered(server);
        let ws = send_queue::client_socket(server, Vec::new(), 16).await;
        let _echo = tokio::spawn(async move {
            let stop = CancellationToken::new();
            run(ws, &stop, &stop).await;
        });
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
