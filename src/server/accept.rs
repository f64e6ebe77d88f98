//! Accepts connections, and serves one HTTP request on each.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::App;
use super::access::{Peer, Rejection};
use super::answer_timeout::AnswerTimeout;
use super::http::rejected;
use super::limits::ConnectionId;

/// Time that a connection has for its request head, and for its TLS handshake before; at the limit
/// it is closed.
const REQUEST_HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of a request head; a larger one is answered with 431.
const MAX_HEAD_BYTES: usize = 8 << 10;

/// Header lines of a request; more are answered with 431.
const MAX_HEADERS: usize = 64;

/// Delay before the next attempt after accepting failed, as it does when the system has run out of
/// descriptors.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// Time for which new connections wait while another one is told that there is no descriptor for it.
const REFUSAL_TIMEOUT: Duration = Duration::from_millis(500);

/// The first byte of a TLS connection (RFC 8446 §5.1).
const TLS_HANDSHAKE: u8 = 22;

/// The answer to another computer that does not encrypt, where it must.
const ENCRYPTED_ONLY: &[u8] = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\
    Content-Type: text/plain\r\n\r\nuse https:// or wss:// here\n";

/// Accepts connections until the program stops.
pub(crate) async fn run(listener: TcpListener, router: Router, app: Arc<App>) {
    loop {
        let accepted = tokio::select! {
            () = app.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) if app.limits.descriptors.is_from_reserve(&stream) => {
                // Others wait meanwhile, so that one descriptor of the reserve is enough.
                let refusing = timeout(REFUSAL_TIMEOUT, refuse(stream, &app));
                app.stop.run_until_cancelled(refusing).await;
            }
            Ok((stream, remote)) => {
                let Ok(local) = stream.local_addr() else {
                    continue;
                };
                let peer = Peer::new(remote, local);
                let (app, router) = (Arc::clone(&app), router.clone());
                let (permit, evicted) = app.limits.pending.acquire(peer.limit_address()).await;
                app.clone().tasks.spawn(async move {
                    tokio::select! {
                        () = app.stop.cancelled() => {}
                        Ok(()) = evicted => {}
                        () = serve_tcp(stream, peer, permit.id(), router, &app) => {}
                    }
                });
            }
            Err(error) => {
                app.log.failed("cannot accept connections", &error);
                tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
            }
        }
    }
}

/// Answers a connection for which there is no descriptor.
async fn refuse(stream: TcpStream, app: &App) {
    let rejection = Rejection::out_of_descriptors();
    app.log.rejected(&rejection);
    let service = service_fn(|_| {
        let answer = rejected(&rejection);
        async { Ok::<_, Infallible>(answer) }
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "connection failed");
    }
}

/// Completes the TLS handshake of an encrypted connection, and serves it.
async fn serve_tcp(stream: TcpStream, mut peer: Peer, id: ConnectionId, router: Router, app: &App) {
    // Without it, a line may wait for the acknowledgement of the one before.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let mut first = [0];
    let Ok(Ok(1)) = timeout(REQUEST_HEAD_TIMEOUT, stream.peek(&mut first)).await else {
        return;
    };
    peer.is_encrypted = first[0] == TLS_HANDSHAKE;
    match (peer.is_encrypted, app.is_encrypted()) {
        (true, true) =>
        {
            #[cfg(feature = "tls")]
            if let Some(tls) = &app.tls {
                match timeout(REQUEST_HEAD_TIMEOUT, tls.accept(stream)).await {
                    Ok(Ok(stream)) => serve(stream, peer, id, router).await,
                    Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
                    Err(_) => tracing::debug!("TLS handshake timed out"),
                }
            }
        }
        (true, false) => app.log.rejected(&Rejection::malformed(
            "a connection by https:// or wss://, but this server speaks http:// and ws://",
        )),
        // Connections that stay on this computer need no encryption.
        (false, true) if !peer.is_loopback() => {
            app.log.rejected(&Rejection::malformed(
                "a connection of another computer by http:// or ws://, but other computers need \
                 https:// or wss://",
            ));
            let mut stream = stream;
            // A client that does not read misses a hint, no more.
            let _ = timeout(REQUEST_HEAD_TIMEOUT, stream.write_all(ENCRYPTED_ONLY)).await;
        }
        _ => serve(stream, peer, id, router).await,
    }
}

/// Serves one connection: one request, which may turn it into a WebSocket.
pub(crate) async fn serve<S>(stream: S, peer: Peer, id: ConnectionId, router: Router)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(id);
        router.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS)
        .half_close(true)
        .serve_connection(TokioIo::new(AnswerTimeout::new(stream)), service)
        .with_upgrades();
    if let Err(error) = connection.await {
        tracing::debug!(%error, "connection failed");
    }
}
