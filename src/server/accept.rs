//! Accepts connections, and serves one HTTP request on each.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::header;
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::App;
use super::access::origin::host_name;
use super::access::{Peer, Rejection};
use super::answer_timeout::AnswerTimeout;
use super::http::{Links, Navigation, rejected};
use super::limits::ConnectionId;
use super::progress::{CountedStream, ReportsProgress};
use super::takeover;

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
    answer_each(stream, |_| rejected(&rejection)).await;
}

/// Answers the request of a connection that the router does not get.
async fn answer_each(stream: TcpStream, answer: impl Fn(&Request<Incoming>) -> Response) {
    let service = service_fn(|request| {
        let (answer, navigation) = (answer(&request), Navigation::of(&request));
        async move {
            Ok::<_, Infallible>(match navigation {
                Some(navigation) => navigation.explain(answer).await,
                None => answer,
            })
        }
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS)
        .serve_connection(
            TokioIo::new(AnswerTimeout::new(CountedStream::tcp(stream))),
            service,
        );
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
                match timeout(REQUEST_HEAD_TIMEOUT, tls.accept(CountedStream::tcp(stream))).await {
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
            app.log.rejected(&Rejection::encrypted_only(None));
            answer_each(stream, encrypted_only).await;
        }
        _ => serve(CountedStream::tcp(stream), peer, id, router).await,
    }
}

/// Answers a request that should have been encrypted, and leads a browser there.
fn encrypted_only(request: &Request<Incoming>) -> Response {
    let host = request.headers().get(header::HOST);
    let host = host.and_then(|host| host.to_str().ok());
    let mut response = rejected(&Rejection::encrypted_only(host));
    if let Some(host) = host.filter(|host| host_name(host).is_some()) {
        let address = format!("https://{host}{}", request.uri().path());
        response.extensions_mut().insert(Links {
            title: "This address is https here",
            intro: "Other computers have to encrypt their connections. Open:".to_owned(),
            links: vec![(address.clone(), address)],
        });
    }
    response
}

/// Serves one connection: one request, which may turn it into a WebSocket or an answer that lasts.
pub(crate) async fn serve<S>(stream: S, peer: Peer, id: ConnectionId, router: Router)
where
    S: AsyncRead + AsyncWrite + ReportsProgress + Send + Unpin + 'static,
{
    let (lent, owner) = takeover::lend(AnswerTimeout::new(stream));
    let taken = owner.taken.clone();
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(id);
        let (answer, owner) = (router.call(request), owner.clone());
        async move {
            Ok::<_, Infallible>(
                owner
                    .answered(answer.await?, AnswerTimeout::into_inner)
                    .await,
            )
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS)
        .half_close(true)
        .serve_connection(TokioIo::new(lent), service)
        .with_upgrades();
    if let Some(Err(error)) = taken.run_until_cancelled(connection).await {
        tracing::debug!(%error, "connection failed");
    }
}
