//! Above the hub: accepts connections, admits or refuses them, and serves HTTP and WebSocket.

mod accept;
mod access;
mod config;
mod http;
mod limits;
mod listen;
mod ports;
mod stream;
#[cfg(feature = "tls")]
mod tls;
mod websocket;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use axum::Router;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::platform;

use access::consent::{MOST_QUESTIONS, Operator};
use access::rate_limit::Guesses;
use access::{Caller, Peer, Policy, Verdict, announce, origin, prompt};
use http::{api, warn_of_hidden};
use limits::Limits;

pub(crate) use access::Rights;
pub(crate) use access::check::{Admission, admission, is_here};
pub(crate) use access::origin::{as_browsers_write, host_name};
pub(crate) use access::token::Token;
pub(crate) use config::{ClientDefaults, ServerConfig, TlsConfig};
pub(crate) use listen::may_listen;
pub(crate) use ports::{Port, Ports};

/// What every connection shares.
pub(crate) struct App {
    ports: Arc<Ports>,
    config: ServerConfig,
    policy: Policy,
    operator: Arc<Operator>,
    guesses: Guesses,
    /// What encrypts connections from other computers.
    #[cfg(feature = "tls")]
    tls: Option<tokio_rustls::TlsAcceptor>,
    /// Random for each start of the program.
    run: String,
    started: Instant,
    limits: Limits,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// Listens for clients of the registered ports.
pub struct Server {
    app: Arc<App>,
    /// What answers requests.
    router: Router,
    listeners: Vec<TcpListener>,
    /// Origins that the operator is to be asked about, if there is one at a terminal.
    asked: Option<mpsc::Receiver<String>>,
}

impl App {
    /// Whether other computers must encrypt.
    fn is_encrypted(&self) -> bool {
        self.config.tls.is_some()
    }

    /// The address of the page at this listener as it is reached from this computer, with the
    /// secret where it is needed.
    fn page(&self, listener: SocketAddr, token: Option<&Token>) -> String {
        let ip = listener.ip().to_canonical();
        let is_local = ip.is_unspecified() || origin::is_loopback(&ip.to_string());
        let place = if is_local {
            format!("localhost:{}", listener.port())
        } else {
            listener.to_string()
        };
        let token = token.filter(|_| self.policy.token_for_all || !is_local);
        self.url(&place, is_local, token)
    }

    /// The address of the page at `place`, a name with its port.
    fn url(&self, place: &str, is_local: bool, token: Option<&Token>) -> String {
        let scheme = if self.is_encrypted() && !is_local {
            "https"
        } else {
            "http"
        };
        let query = token.map(|token| format!("?token={}", token.in_address()));
        format!("{scheme}://{place}/{}", query.unwrap_or_default())
    }

    /// Decides on a request.
    fn decide(&self, caller: Caller<'_>) -> Verdict {
        let (computer, now) = (caller.peer.computer(), Instant::now());
        let secret = self.policy.shown_secret(caller);
        if secret.is_some() && self.guesses.are_over(computer, now) {
            return Verdict::Refuse(access::too_many_guesses());
        }
        let answers = |answers: &_| self.policy.decide(caller, answers);
        let verdict = self.operator.with_answers(answers);
        if let (Verdict::Refuse(refusal), Some(secret)) = (&verdict, secret)
            && refusal.is_guess
        {
            self.guesses.count(computer, &secret, now);
        }
        verdict
    }
}

impl Server {
    /// Opens the listeners.
    ///
    /// # Errors
    /// When an address cannot be listened on, unless it is one of several whose family the system
    /// lacks.
    pub(crate) fn bind(
        config: ServerConfig,
        ports: Arc<Ports>,
        stop: CancellationToken,
    ) -> Result<Self> {
        if let Some(web) = &config.web {
            warn_of_hidden(web);
        }
        let listeners = listen::all(&config)?;
        let token = match (&config.token, config.lan) {
            (Some(own), _) => Some(own.clone()),
            (None, Some(_)) => Some(announce::kept_token()?),
            (None, None) => None,
        };
        let policy = Policy::new(&config, token);
        #[cfg(feature = "tls")]
        let tls = config.tls.as_ref().map(tls::acceptor).transpose()?;
        let (questions, asked) = if platform::can_ask() {
            Some(mpsc::channel(MOST_QUESTIONS)).unzip()
        } else {
            (None, None)
        };
        let app = Arc::new(App {
            limits: Limits::new(config.max_clients),
            ports,
            config,
            policy,
            operator: Arc::new(Operator::new(prompt::remembered(), questions)),
            guesses: Guesses::default(),
            #[cfg(feature = "tls")]
            tls,
            run: random_name(),
            started: Instant::now(),
            tasks: TaskTracker::new(),
            stop,
        });
        Ok(Self {
            router: api::router(Arc::clone(&app)),
            app,
            listeners,
            asked,
        })
    }

    /// The addresses that are listened on.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners
            .iter()
            .filter_map(|listener| listener.local_addr().ok())
            .collect()
    }

    /// Says where it listens; at a terminal, also the address with the secret.
    pub(crate) fn announce(&self) {
        let addresses = self.addresses();
        for address in &addresses {
            let page = self.app.page(*address, None);
            tracing::info!("listening on ws://{address}/ (look at {page})");
        }
        let policy = &self.app.policy;
        let (Some(token), Some(first)) = (&policy.token, addresses.first()) else {
            return;
        };
        match policy.lan {
            Some(_) => {
                let place = announce::reachable(&addresses);
                announce::show(&self.app.url(&place, false, Some(token)), true);
            }
            None => announce::show(&self.app.page(*first, Some(token)), false),
        }
    }

    /// The address of the page, for a browser of this computer. None where it would have the
    /// operator's own secret: everybody here can read what programs are started with.
    pub(crate) fn page(&self) -> Option<String> {
        let policy = &self.app.policy;
        let first = self.addresses().first().copied();
        let first = first.filter(|_| !policy.token_for_all)?;
        Some(self.app.page(first, policy.token.as_ref()))
    }

    /// Serves one connection between two addresses that came by no listener. Unless it is TCP, it
    /// can be a WebSocket no longer than its handshake.
    pub async fn serve<S>(&self, stream: S, remote: SocketAddr, local: SocketAddr)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let peer = Peer::new(remote, local);
        let (permit, _) = self.app.limits.pending.acquire(peer.computer()).await;
        accept::serve(stream, peer, permit.id(), self.router.clone()).await;
    }

    /// Serves until the program stops; returns when all clients have had their Close.
    pub(crate) async fn run(self) {
        let app = self.app;
        if let Some(asked) = self.asked {
            let (operator, ports) = (Arc::clone(&app.operator), Arc::clone(&app.ports));
            app.tasks
                .spawn(prompt::run(asked, operator, ports, app.stop.clone()));
        }
        for listener in self.listeners {
            let serve = accept::run(listener, self.router.clone(), Arc::clone(&app));
            app.tasks.spawn(serve);
        }
        app.tasks.close();
        app.tasks.wait().await;
    }
}

/// A name for this run of the program that no other run has.
fn random_name() -> String {
    use std::hash::{BuildHasher, RandomState};
    format!("{:016x}", RandomState::new().hash_one(std::process::id()))
}
