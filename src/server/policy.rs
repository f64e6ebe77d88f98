//! The door: who may connect, decided by the request and the address it came from. Pure: no I/O,
//! no clock.
//!
//! A page on any web site can open `ws://localhost`, and a name that its owner points at this
//! computer reaches it too (DNS rebinding). So the name that was asked for must be one of this
//! computer's, and a page must come from this computer, unless the operator says otherwise. Other
//! computers, where they may connect at all, need a token.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use axum::extract::Query;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Uri, header};

use super::ServerConfig;
use super::names::{self, Origin};
use super::token::Token;
use crate::escape::shown;
use crate::sys;

/// Headers by which a proxy says that somebody else is behind it.
const FORWARDED: [&str; 6] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "via",
];

/// What the operator permits beside this computer's own names and pages.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Host names, without ports.
    pub hosts: Vec<String>,
    /// Origins, exactly as browsers send them, and what their pages may do.
    pub origins: HashMap<String, Rights>,
    /// How other computers are let in, if they are at all.
    pub lan: Option<Lan>,
    /// The secret that some must know.
    pub token: Option<Token>,
    /// Whether programs and pages of this computer must know it too.
    pub token_for_all: bool,
}

/// How other computers are let in. They need the token.
#[derive(Clone, Debug)]
pub struct Lan {
    /// What they may do.
    pub rights: Rights,
    /// The name of this computer, without a domain.
    pub name: Option<String>,
}

/// What a client may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// Hear the device, write to it and lend it.
    ReadWrite,
    /// Hear the device.
    ReadOnly,
}

/// Between which addresses a connection is.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// Theirs.
    pub remote: IpAddr,
    /// Ours.
    pub local: SocketAddr,
    /// Whether it is encrypted.
    pub is_encrypted: bool,
}

/// What a request is for, as far as it matters who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// What every page may load: nothing of the device is in it.
    Public,
    /// A page or a part of one: links of other sites may lead to it.
    Page,
    /// What the device said and how it is, and what acts on it.
    Data,
    /// A WebSocket.
    Socket,
}

/// A request, as far as it matters who may connect.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// GET and so on.
    pub method: &'a Method,
    /// What is asked for.
    pub uri: &'a Uri,
    /// All of its headers.
    pub headers: &'a HeaderMap,
    /// What it is for.
    pub purpose: Purpose,
    /// Where it comes from.
    pub peer: Peer,
}

/// What is decided on a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is let in.
    Allow(Rights),
    /// A page from this origin is refused now, and the operator may decide on its next attempt.
    Ask(String),
    /// It is refused.
    Refuse(Refusal),
}

/// A request that is not permitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status to answer with.
    pub status: StatusCode,
    /// What was refused, in words.
    pub reason: String,
    /// How it can be permitted; empty where it cannot.
    pub remedy: String,
    /// Whether it came with a secret that is not the right one.
    pub is_guess: bool,
}

/// What the operator said about origins when asked: what their pages may do, None for "no".
pub type Answers = HashMap<String, Option<Rights>>;

impl Policy {
    /// What the operator configured; `token` is the secret that some must know.
    pub fn new(config: &ServerConfig, token: Option<Token>) -> Self {
        Self {
            hosts: config.allow_host.clone(),
            origins: config.allow_origin.iter().cloned().collect(),
            lan: config.lan.map(|rights| Lan {
                rights,
                name: sys::computer_name(),
            }),
            token_for_all: config.token.is_some(),
            token,
        }
    }

    /// Decides on a request; `answers` are what the operator has said so far.
    pub fn decide(&self, caller: Caller<'_>, answers: &Answers) -> Verdict {
        self.rights(caller, answers)
            .unwrap_or_else(|verdict| verdict)
    }

    /// Whether the request shows a secret, right or wrong, that counts for anything.
    pub fn looks_at_key(&self, caller: Caller<'_>) -> bool {
        let shows = || {
            let shown = caller.shown_token();
            caller.cookie().is_some() || shown.is_ok_and(|token| token.is_some())
        };
        self.token.is_some() && caller.purpose != Purpose::Public && shows()
    }

    /// Whether a page's address holds the right secret, which belongs into a cookie. For requests
    /// that have been let in.
    pub fn token_to_keep(&self, caller: Caller<'_>) -> Option<&Token> {
        let in_query = caller.uri.query().is_some_and(|query| {
            let mut pairs = query.split('&').map(|pair| pair.split('=').next());
            pairs.any(|key| key == Some("token"))
        });
        let is_wanted = in_query && caller.purpose == Purpose::Page && caller.is_reading();
        self.token.as_ref().filter(|_| is_wanted)
    }

    /// The same, with every reason to stop as an error.
    fn rights(&self, caller: Caller<'_>, answers: &Answers) -> Result<Verdict, Verdict> {
        if caller.uri.authority().is_some() {
            return Err(malformed("a whole address as in a request to a proxy"));
        }
        let host = self.host(caller)?;
        let origin = only(caller.headers, header::ORIGIN)?;
        if caller.purpose == Purpose::Public {
            return Ok(Verdict::Allow(Rights::ReadOnly));
        }
        let rights = if host.is_local && caller.is_direct() {
            Rights::ReadWrite
        } else {
            self.lan
                .as_ref()
                .map_or(Rights::ReadWrite, |lan| lan.rights)
        };
        match self.key(caller, host.text, origin)? {
            Key::Shown => return Ok(Verdict::Allow(rights)),
            // Only pages of our own have the cookie, and the token lets them in from anywhere.
            Key::Cookie => return Ok(Verdict::Allow(rights)),
            Key::None => {}
        }
        if self.token_for_all || !host.is_local || !caller.is_direct() {
            return Err(self.token_needed(caller));
        }
        match origin {
            Some(origin) => self.page(origin, host.text, answers),
            None => caller.without_origin().map(|()| Verdict::Allow(rights)),
        }
    }

    /// Decides whether the request was meant for this computer.
    fn host<'a>(&self, caller: Caller<'a>) -> Result<Host<'a>, Verdict> {
        let Some(text) = only(caller.headers, header::HOST)? else {
            return Err(malformed("a request without a Host header"));
        };
        let Some(name) = names::host_name(text) else {
            return Err(malformed(&format!("{} is not a host", shown(text))));
        };
        let is_listed = self
            .hosts
            .iter()
            .any(|host| host.eq_ignore_ascii_case(name));
        if names::is_loopback(name) || is_listed {
            return Ok(Host {
                text,
                is_local: true,
            });
        }
        let ours = self.lan.as_ref().is_some_and(|lan| {
            let address = name.parse::<IpAddr>();
            address.is_ok_and(|address| address == caller.peer.local.ip())
                || names::is_below(name, ".local")
                || lan
                    .name
                    .as_ref()
                    .is_some_and(|ours| ours.eq_ignore_ascii_case(name))
        });
        if ours {
            return Ok(Host {
                text,
                is_local: false,
            });
        }
        Err(forbidden(
            format!(
                "request for host {}, which is not a name of this computer (possibly DNS rebinding)",
                shown(text)
            ),
            format!(
                "if you use that name on purpose: --allow-host {}",
                shown(name)
            ),
        ))
    }

    /// Looks for the secret in a request from a page of `origin`, which asked for `host`.
    fn key(&self, caller: Caller<'_>, host: &str, origin: Option<&str>) -> Result<Key, Verdict> {
        let Some(token) = &self.token else {
            return Ok(Key::None);
        };
        if let Some(guess) = caller.shown_token()? {
            return match token.is(&guess) {
                true => Ok(Key::Shown),
                false => Err(wrong_token()),
            };
        }
        let is_own = match origin {
            Some(origin) => Origin::new(origin).is_of(host),
            // Browsers name the origin of all that acts, and of WebSockets.
            None => {
                caller.is_reading()
                    && caller.purpose != Purpose::Socket
                    && caller.without_origin().is_ok()
            }
        };
        match caller.cookie() {
            Some(guess) if is_own && token.is(guess) => Ok(Key::Cookie),
            Some(_) if is_own => Err(wrong_token()),
            _ => Ok(Key::None),
        }
    }

    fn token_needed(&self, caller: Caller<'_>) -> Verdict {
        let reason = if caller.is_direct() {
            "a request without the token"
        } else if !caller.peer.is_loopback() {
            "a request from another computer without the token"
        } else {
            "a request that a proxy passed on, without the token"
        };
        let (status, remedy) = match self.token {
            Some(_) => (
                StatusCode::UNAUTHORIZED,
                "use the full address that was printed where serial-ws runs: it has ?token=…",
            ),
            None => (
                StatusCode::FORBIDDEN,
                "to allow it, give serial-ws a secret: --token FILE",
            ),
        };
        Verdict::Refuse(Refusal {
            status,
            reason: reason.to_owned(),
            remedy: remedy.to_owned(),
            is_guess: false,
        })
    }

    /// Decides on a page that came without the secret to `host`, a name of this computer.
    fn page(&self, text: &str, host: &str, answers: &Answers) -> Result<Verdict, Verdict> {
        let origin = Origin::new(text);
        if let Some(rights) = self.origins.get(text) {
            return Ok(Verdict::Allow(*rights));
        }
        if origin.is_loopback() || origin.is_of(host) {
            return Ok(Verdict::Allow(Rights::ReadWrite));
        }
        let may_be_asked = matches!(
            origin,
            Origin::Web {
                is_secure: true,
                ..
            } | Origin::Extension
                | Origin::Null
        );
        match answers.get(text) {
            Some(Some(rights)) if may_be_asked => Ok(Verdict::Allow(*rights)),
            None if may_be_asked => Err(Verdict::Ask(text.to_owned())),
            _ => Err(Verdict::Refuse(refused_page(text))),
        }
    }
}

/// Why a page is refused, and the flag that admits it.
pub fn refused_page(origin: &str) -> Refusal {
    let (reason, remedy) = match Origin::new(origin) {
        Origin::Null => (
            "a page with no address (opened from disk, or in a sandboxed frame of any web site; \
             the browser does not say which)"
                .to_owned(),
            "open the page from a web server on this computer instead, or: --allow-origin null"
                .to_owned(),
        ),
        Origin::Odd => (
            format!("page from {}, which no browser sends", shown(origin)),
            String::new(),
        ),
        _ => (
            format!("page from {}", shown(origin)),
            format!("to allow it: serial-ws --allow-origin {}", shown(origin)),
        ),
    };
    Refusal {
        status: StatusCode::FORBIDDEN,
        reason,
        remedy,
        is_guess: false,
    }
}

/// Why a page is refused about which the operator is being asked.
pub fn asked_page(origin: &str) -> Refusal {
    let remedy = "answer the question in the terminal where serial-ws runs, and try again";
    Refusal {
        remedy: remedy.to_owned(),
        ..refused_page(origin)
    }
}

/// Why an address is not listened to that showed many wrong secrets.
pub fn too_many_guesses() -> Refusal {
    Refusal {
        status: StatusCode::TOO_MANY_REQUESTS,
        reason: "too many wrong tokens from one address".to_owned(),
        remedy: "wait a minute, and use the full address that was printed where serial-ws runs"
            .to_owned(),
        is_guess: false,
    }
}

impl Refusal {
    /// Makes no sense, whoever sent it.
    pub fn malformed(reason: &str) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            reason: reason.to_owned(),
            remedy: String::new(),
            is_guess: false,
        }
    }
}

/// The name that was asked for.
struct Host<'a> {
    /// With its port.
    text: &'a str,
    /// Whether it needs no token: it means this computer to this computer, or was allowed.
    is_local: bool,
}

/// How a request showed that it knows the secret.
enum Key {
    /// It did not.
    None,
    /// In its address or its Authorization.
    Shown,
    /// By the cookie, from our own page.
    Cookie,
}

impl Peer {
    /// Of a connection between these addresses.
    pub fn new(remote: SocketAddr, local: SocketAddr, is_encrypted: bool) -> Self {
        Self {
            remote: remote.ip().to_canonical(),
            local: SocketAddr::new(local.ip().to_canonical(), local.port()),
            is_encrypted,
        }
    }

    /// Whether it is on this computer.
    pub fn is_loopback(&self) -> bool {
        self.remote.to_canonical().is_loopback()
    }

    /// The cookie in which a browser keeps the secret: cookies of all ports are in one heap.
    pub fn cookie_name(&self) -> String {
        format!("serial-ws-{}", self.local.port())
    }
}

impl Caller<'_> {
    /// Whether it comes from this computer itself, and not from someone behind a proxy on it.
    fn is_direct(&self) -> bool {
        self.peer.is_loopback()
            && !FORWARDED
                .iter()
                .any(|name| self.headers.contains_key(*name))
    }

    fn is_reading(&self) -> bool {
        matches!(*self.method, Method::GET | Method::HEAD)
    }

    /// Decides on a request that names no origin: a program's, or a page's plain GET. The latter
    /// tells in newer browsers where it comes from.
    fn without_origin(&self) -> Result<(), Verdict> {
        let site = only(self.headers, HeaderName::from_static("sec-fetch-site"))?;
        let is = |name: &'static str, value: &str| {
            self.headers.get(name).is_some_and(|found| found == value)
        };
        let is_link = is("sec-fetch-mode", "navigate") && is("sec-fetch-dest", "document");
        match site {
            None | Some("same-origin" | "none") => Ok(()),
            Some(_) if self.purpose == Purpose::Page && is_link => Ok(()),
            Some(_) => Err(forbidden(
                "a request that a page of another site made".to_owned(),
                "pages of this computer may ask; see /hello".to_owned(),
            )),
        }
    }

    /// The secret that the request shows openly: in its address, or as programs do.
    fn shown_token(&self) -> Result<Option<String>, Verdict> {
        let query = Query::<Vec<(String, String)>>::try_from_uri(self.uri);
        let query = query.map(|Query(query)| query).unwrap_or_default();
        let mut in_query = query.into_iter().filter(|(key, _)| key == "token");
        if let Some((_, token)) = in_query.next() {
            return match in_query.next() {
                None => Ok(Some(token)),
                Some(_) => Err(malformed("an address with two tokens")),
            };
        }
        let Some(value) = only(self.headers, header::AUTHORIZATION)? else {
            return Ok(None);
        };
        let bearer = value
            .split_once(' ')
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        Ok(bearer.map(|(_, token)| token.trim().to_owned()))
    }

    fn cookie(&self) -> Option<&str> {
        let name = self.peer.cookie_name();
        let values = self.headers.get_all(header::COOKIE).iter();
        values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find_map(|(key, value)| (key == name).then_some(value))
    }
}

fn wrong_token() -> Verdict {
    Verdict::Refuse(Refusal {
        status: StatusCode::UNAUTHORIZED,
        reason: "a wrong token".to_owned(),
        remedy: "use the full address that was printed where serial-ws runs: it has ?token=…"
            .to_owned(),
        is_guess: true,
    })
}

fn malformed(reason: &str) -> Verdict {
    Verdict::Refuse(Refusal::malformed(reason))
}

fn forbidden(reason: String, remedy: String) -> Verdict {
    Verdict::Refuse(Refusal {
        status: StatusCode::FORBIDDEN,
        reason,
        remedy,
        is_guess: false,
    })
}

/// The value of a header that may come once.
fn only(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, Verdict> {
    let mut values = headers.get_all(&name).iter();
    let Some(first) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(malformed(&format!("a request with two {name} headers")));
    }
    let text = first.to_str();
    text.map(Some)
        .map_err(|_| malformed(&format!("a {name} header that is not text")))
}

#[cfg(test)]
mod table;
#[cfg(test)]
mod tests;
