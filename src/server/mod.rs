//! The server above the hub: accepts connections, decides on access, and serves HTTP and WebSocket.

mod accept;
pub(crate) mod access;
mod answer_timeout;
mod change_rules;
mod client;
mod client_list;
mod config;
pub(crate) mod devices;
mod foreign;
mod http;
pub(crate) mod lan;
mod limits;
mod listen;
mod p5;
mod playback;
mod ports;
mod progress;
mod settings;
mod stream;
mod takeover;
#[cfg(feature = "tls")]
mod tls;
mod urls;
mod websocket;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime};

use anyhow::Result;
use axum::Router;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::log::throttled::ThrottledLog;
use crate::platform;

use access::consent::{Consent, MAX_QUESTIONS, Question};
use access::offer::{Audience, BoardQuestion, OfferDecision};
use access::rate_limit::{RateLimit, TokenSource};
use access::session_store::SessionStore;
use access::{AccessState, Caller, Denial, Peer, Policy, Rejection, kept_token, prompt};
use client_list::ClientList;
use devices::{DeviceEntry, DeviceHost};
use http::warn_of_folder;
use lan::notice;
use lan::watch::LanWatch;
use limits::Limits;
use listen::Listeners;
use progress::CountedStream;

pub(crate) use access::Rights;
pub(crate) use access::kept_token::create as create_token;
pub(crate) use access::offer::{Offer, Offers};
pub(crate) use access::origin::{host_name, normalize_origin};
pub(crate) use access::token::Token;
#[cfg(feature = "mcp")]
pub(crate) use client::client_name;
pub(crate) use config::{ClientDefaults, LanToken, ListenAddress, ServerConfig, TlsConfig};
pub(crate) use http::metrics::OutputCounters;
pub(crate) use listen::{AddressInUse, try_each as try_listen};
pub(crate) use ports::{Arrival, Newcomer, Port, PortEnd, Ports, SettingsTurn};
#[cfg(feature = "tls")]
pub(crate) use tls::SelfSigned;
pub use websocket::protocol::{ClientProtocol, Greeting, Input, client_protocol};

/// The reason for a page that wants to open a board while the operator is asked about it.
const ASKED: &str = "answer the question in the terminal where serial-ws runs, then try again";

/// The state that all connections share.
pub(crate) struct App {
    ports: Arc<Ports>,
    devices: Arc<dyn DeviceHost>,
    clients: Arc<ClientList>,
    /// The addresses that the server listens on.
    addresses: Vec<SocketAddr>,
    /// The same, and those that are among them without being named.
    covered: Vec<SocketAddr>,
    /// The name by which other computers find this one, where it is announced.
    name: Mutex<Option<String>>,
    config: ServerConfig,
    policy: Policy,
    consent: Arc<Consent>,
    rate_limit: RateLimit,
    sessions: SessionStore,
    log: Arc<ThrottledLog>,
    /// Reports clients that come and go, apart from warnings, which they must not crowd out.
    client_log: Arc<ThrottledLog>,
    /// Encrypts connections from other computers; None where --tls was not given.
    #[cfg(feature = "tls")]
    tls: Option<tokio_rustls::TlsAcceptor>,
    /// The random name of this run of the program, by which clients notice a restart.
    run: String,
    started: Instant,
    limits: Limits,
    outputs: OutputCounters,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// The listeners, bound but not yet serving.
pub struct Server {
    app: Arc<App>,
    /// Answers HTTP requests.
    router: Router,
    listeners: Listeners,
    /// The task that runs while other computers may connect; None before it runs, and where none may.
    watch: Option<LanWatch>,
    /// Receives the questions for the operator; None where there is no terminal.
    questions: Option<mpsc::Receiver<Question>>,
}

impl App {
    /// Returns true if other computers must encrypt.
    fn is_encrypted(&self) -> bool {
        self.config.tls.is_some()
    }

    /// Decides on a request by the access policy, what happened before, and the rate limit.
    fn decide(&self, caller: Caller<'_>) -> Result<Rights, Denial> {
        self.consent.with_answers(|answers| {
            self.sessions.with_sessions(|sessions| {
                let now = SystemTime::now();
                let state = AccessState {
                    answers,
                    sessions,
                    now,
                };
                self.decide_in(state, caller)
            })
        })
    }

    fn decide_in(&self, state: AccessState<'_>, caller: Caller<'_>) -> Result<Rights, Denial> {
        let Some(token) = self.policy.guessable_token(caller, state) else {
            return self.policy.decide(caller, state);
        };
        let now = Instant::now();
        let source = TokenSource {
            address: caller.peer.limit_address(),
            origin: caller.origin_or_site(),
        };
        if self.rate_limit.is_limited(source, now) {
            return Err(Rejection::rate_limited().into());
        }
        let decision = self.policy.decide(caller, state);
        match &decision {
            Err(Denial::Reject(rejection)) if rejection.is_wrong_token => {
                self.rate_limit.record_failure(source, &token, now);
            }
            Ok(_) if self.policy.is_right(&token) => self.rate_limit.record_success(source, now),
            _ => {}
        }
        decision
    }

    /// Returns true if pages of the origin that a request names may send requests, with the token where
    /// they need it.
    fn allows_origin(&self, caller: Caller<'_>) -> bool {
        self.consent
            .with_answers(|answers| self.policy.allows_origin(caller, answers))
    }

    /// Decides whether a client may open a device.
    fn offer(&self, device: &DeviceEntry, audience: &Audience) -> OfferDecision {
        let decide = |answers: &_| self.config.offers.decide(device, audience, answers);
        self.consent.with_board_answers(decide)
    }

    /// Decides whether a client may open a device, and asks the operator if need be.
    ///
    /// # Errors
    /// The reason for a Close frame.
    fn may_open(
        &self,
        device: &DeviceEntry,
        audience: &Audience,
        rights: Rights,
    ) -> Result<(), String> {
        match (self.offer(device, audience), audience) {
            (OfferDecision::Offered, _) => {}
            (OfferDecision::Rejected(reason), _) => return Err(reason),
            (OfferDecision::Ask, Audience::Page(origin)) => {
                let question = BoardQuestion::new(origin, device);
                if self.consent.ask(Question::Board(question)) {
                    return Err(ASKED.to_owned());
                }
                return Err(device.not_offered());
            }
            (OfferDecision::Ask, _) => return Err(device.not_offered()),
        }
        if rights == Rights::ReadOnly && device.port.is_none() {
            return Err("this client may only read, and nobody has opened the device".to_owned());
        }
        Ok(())
    }

    /// Returns the devices as a client is shown them: also those that it may not open, if it is of
    /// this computer.
    fn shown_devices(&self, devices: &[DeviceEntry], audience: &Audience) -> Vec<Value> {
        let decided = devices.iter();
        let decided = decided.map(|device| (device, self.offer(device, audience)));
        let shown = decided.filter(|(device, decision)| {
            audience.is_local() || decision.is_offered() || device.port.is_some()
        });
        shown
            .map(|(device, decision)| device.to_json(&decision))
            .collect()
    }
}

impl Server {
    /// Opens the listeners.
    ///
    /// # Errors
    /// When an address cannot be listened on, unless another one can and the system lacks the
    /// address family of this one.
    pub(crate) fn bind(
        config: ServerConfig,
        ports: Arc<Ports>,
        devices: Arc<dyn DeviceHost>,
        outputs: OutputCounters,
        stop: CancellationToken,
    ) -> Result<Self> {
        if let Some(web) = &config.web {
            warn_of_folder(web);
        }
        let listeners = listen::all(&config)?;
        let token = match (&config.token, config.lan) {
            (Some(own), _) => Some(own.clone()),
            (None, Some(_)) => Some(kept_token::for_lan(config.lan_token.as_ref())?),
            (None, None) => None,
        };
        let sessions = token.as_ref().map(|_| SessionStore::load());
        let policy = Policy::new(&config, token, platform::computer_name());
        #[cfg(feature = "tls")]
        let tls = config.tls.as_ref().map(tls::acceptor).transpose()?;
        let channel = || mpsc::channel(MAX_QUESTIONS);
        let (ask, questions) = platform::can_ask().then(channel).unzip();
        let app = Arc::new(App {
            limits: Limits::new(config.max_clients, config.max_clients_per_address),
            outputs,
            run: ports.run.clone(),
            ports,
            devices,
            clients: Arc::default(),
            addresses: local_addresses(&listeners.web),
            name: Mutex::default(),
            covered: listen::covered(&listeners.web),
            config,
            policy,
            consent: Arc::new(Consent::new(prompt::remembered(), ask)),
            rate_limit: RateLimit::default(),
            sessions: sessions.unwrap_or_default(),
            log: Arc::default(),
            client_log: Arc::default(),
            #[cfg(feature = "tls")]
            tls,
            started: Instant::now(),
            tasks: TaskTracker::new(),
            stop,
        });
        Ok(Self {
            router: http::router(Arc::clone(&app)),
            app,
            watch: None,
            listeners,
            questions,
        })
    }

    /// Returns the addresses that the server listens on.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.app.addresses.clone()
    }

    /// Logs where the server listens; in a terminal, shows also the address with the token.
    pub(crate) fn announce(&mut self) {
        let addresses = self.addresses();
        for address in &addresses {
            tracing::info!("listening on ws://{address}/");
        }
        if let Some(first) = addresses.first() {
            let ports = self.app.ports.names().join(", ");
            let page = self.app.page(*first, None);
            let version = env!("CARGO_PKG_VERSION");
            let stop = platform::how_to_stop();
            tracing::info!("serial-ws {version} shares {ports} at {page} ({stop})");
        }
        let policy = &self.app.policy;
        p5::announce(&local_addresses(&self.listeners.p5), policy.token_for_all);
        self.watch = policy.lan.as_ref().map(|_| LanWatch::begin(&self.app));
        if let Some(token) = policy.token.as_ref().filter(|_| policy.token_for_all) {
            notice::tell_own_page(&self.app, token);
        }
    }

    /// Returns the address of the page for a browser of this computer. Returns `None` where it would
    /// have the operator's own token: all users of this computer can read the arguments of programs.
    pub(crate) fn page(&self) -> Option<String> {
        let policy = &self.app.policy;
        let first = self.addresses().first().copied();
        let first = first.filter(|_| !policy.token_for_all)?;
        Some(self.app.page(first, policy.token.as_ref()))
    }

    /// Serves one connection that came by no listener, as if it were between these addresses. Unless
    /// it is TCP, it ends when it becomes a WebSocket.
    pub async fn serve<S>(&self, stream: S, remote: SocketAddr, local: SocketAddr)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let peer = Peer::new(remote, local);
        let (permit, _) = self.app.limits.pending.acquire(peer.limit_address()).await;
        let stream = CountedStream::unbuffered(stream);
        accept::serve(stream, peer, permit.id(), self.router.clone()).await;
    }

    /// Serves until the program stops. Returns when all clients have been sent a Close frame.
    pub(crate) async fn run(self) {
        let app = self.app;
        if let Some(questions) = self.questions {
            let (consent, ports) = (Arc::clone(&app.consent), Arc::clone(&app.ports));
            let prompt = prompt::run(questions, consent, ports, app.stop.clone());
            app.tasks.spawn(prompt);
        }
        let Listeners { web, p5 } = self.listeners;
        for (listeners, router) in [(web, self.router), (p5, http::p5_router(Arc::clone(&app)))] {
            for listener in listeners {
                let serve = accept::run(listener, router.clone(), Arc::clone(&app));
                app.tasks.spawn(serve);
            }
        }
        if let Some(watch) = self.watch {
            app.tasks.spawn(watch.run(Arc::clone(&app)));
        }
        app.tasks.close();
        app.tasks.wait().await;
    }
}

fn local_addresses(listeners: &[TcpListener]) -> Vec<SocketAddr> {
    let addresses = listeners.iter().map(TcpListener::local_addr);
    addresses.flatten().collect()
}
