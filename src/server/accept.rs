//! Accepts connections, and serves one request on each. Those that have not come as far as a
//! WebSocket have places of their own, so that a flood of them costs no client its place.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
use tokio_util::sync::CancellationToken;

use super::App;
use super::door::{Peer, Refusal, names};

/// How long a connection has to send its request head; at the limit it is closed.
const HEAD_WITHIN: Duration = Duration::from_secs(5);

/// Bytes of a request head; a larger one is answered with 431.
const LARGEST_HEAD: usize = 8 << 10;

/// Header lines of a request; more are answered with 431.
const MOST_HEADERS: usize = 64;

/// Connections that are no WebSockets yet, or never will be. One more ends another: the oldest of
/// the computer that has the most of them, so that neither silent ones nor those of one computer
/// keep others out.
const MOST_UNFINISHED: usize = 64;

/// How long accepting rests after it failed, as when the system has run out of descriptors.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// The first byte of a TLS connection (RFC 8446 §5.1).
const TLS_HANDSHAKE: u8 = 22;

/// What another computer hears that does not encrypt where it must.
const ENCRYPTED_ONLY: &[u8] = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\
    Content-Type: text/plain\r\n\r\nhere is https:// and wss:// only\n";

/// The connections that are no WebSockets yet, the oldest first.
#[derive(Default)]
pub struct Unfinished(Mutex<VecDeque<Place>>);

/// Where such a connection comes from, and what is cancelled when it is to end.
type Place = (IpAddr, CancellationToken);

impl Unfinished {
    /// Takes a place for a connection from this network, which is to end when it is cancelled.
    fn begin(&self, network: IpAddr) -> CancellationToken {
        let mut places = self.lock();
        if places.len() >= MOST_UNFINISHED {
            let has = |at: &usize| {
                places
                    .iter()
                    .filter(|(one, _)| *one == places[*at].0)
                    .count()
            };
            // Of those with the same count, `max_by_key` takes the last.
            let oldest = (0..places.len()).rev().max_by_key(has);
            if let Some((_, oldest)) = oldest.and_then(|oldest| places.remove(oldest)) {
                oldest.cancel();
            }
        }
        let place = CancellationToken::new();
        places.push_back((network, place.clone()));
        place
    }

    fn end(&self, place: &CancellationToken) {
        // Its own cancellation tells it from the others, of which none is cancelled.
        place.cancel();
        self.lock().retain(|(_, place)| !place.is_cancelled());
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Place>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Accepts connections until the program stops.
pub async fn run(listener: TcpListener, router: Router, app: Arc<App>) {
    let mut is_failing = false;
    loop {
        let accepted = tokio::select! {
            () = app.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, remote)) => {
                is_failing = false;
                let (app, router) = (Arc::clone(&app), router.clone());
                let place = app.unfinished.begin(names::network(remote.ip()));
                app.clone().tasks.spawn(async move {
                    tokio::select! {
                        () = app.stop.cancelled() => {}
                        () = place.cancelled() => {}
                        () = greet(stream, remote, router, &app) => {}
                    }
                    app.unfinished.end(&place);
                });
            }
            Err(error) => {
                if !std::mem::replace(&mut is_failing, true) {
                    tracing::warn!(%error, "cannot accept connections");
                }
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

/// Finds out whether a connection is encrypted, and serves it.
async fn greet(stream: TcpStream, remote: SocketAddr, router: Router, app: &App) {
    // Without it a line may wait for the acknowledgement of the one before.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let Ok(local) = stream.local_addr() else {
        return;
    };
    let mut first = [0];
    let Ok(Ok(1)) = timeout(HEAD_WITHIN, stream.peek(&mut first)).await else {
        return;
    };
    let is_encrypted = first[0] == TLS_HANDSHAKE;
    let peer = Peer::new(remote, local, is_encrypted);
    match (is_encrypted, app.is_encrypted()) {
        (true, true) =>
        {
            #[cfg(feature = "tls")]
            if let Some(tls) = &app.tls {
                match timeout(HEAD_WITHIN, tls.accept(stream)).await {
                    Ok(Ok(stream)) => serve(stream, peer, router).await,
                    Ok(Err(error)) => tracing::debug!(%error, "TLS handshake fails"),
                    Err(_) => tracing::debug!("TLS handshake takes too long"),
                }
            }
        }
        (true, false) => app.operator.hear(&Refusal::malformed(
            "somebody tried https:// or wss://, and here is http:// and ws://",
        )),
        // What stays on this computer need not be encrypted.
        (false, true) if !peer.is_loopback() => {
            app.operator.hear(&Refusal::malformed(
                "another computer tried http:// or ws://, and for them here is https:// and wss://",
            ));
            let mut stream = stream;
            // Who does not listen misses a hint, no more.
            let _ = timeout(HEAD_WITHIN, stream.write_all(ENCRYPTED_ONLY)).await;
        }
        _ => serve(stream, peer, router).await,
    }
}

/// Serves one connection: one request, which may turn it into a WebSocket.
pub async fn serve<S>(stream: S, peer: Peer, router: Router)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        router.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(LARGEST_HEAD)
        .max_headers(MOST_HEADERS)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    if let Err(error) = connection.await {
        tracing::debug!(%error, "connection ends");
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 1, 9));

    #[test]
    fn one_too_many_ends_the_oldest() {
        let unfinished = Unfinished::default();
        let places: Vec<_> = (0..MOST_UNFINISHED)
            .map(|_| unfinished.begin(HERE))
            .collect();
        unfinished.end(&places[3]);
        let _another = unfinished.begin(HERE);
        assert!(!places[0].is_cancelled());
        let _one_more = unfinished.begin(HERE);
        assert!(places[0].is_cancelled() && !places[1].is_cancelled());
        assert_eq!(unfinished.lock().len(), MOST_UNFINISHED);
    }

    #[test]
    fn a_flood_from_one_computer_ends_its_own() {
        let unfinished = Unfinished::default();
        let first = unfinished.begin(HERE);
        let flood = (0..2 * MOST_UNFINISHED).map(|_| unfinished.begin(ELSEWHERE));
        let flood: Vec<_> = flood.collect();
        let late = unfinished.begin(HERE);
        assert!(!first.is_cancelled() && !late.is_cancelled());
        let left = flood.iter().filter(|place| !place.is_cancelled()).count();
        assert_eq!(left, MOST_UNFINISHED - 2);
    }
}
