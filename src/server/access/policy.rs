//! The rules of the door. Pure: no I/O, no clock.

use std::collections::HashMap;
use std::net::IpAddr;

use axum::http::{StatusCode, header};

use super::origin::{self, Origin};
use super::rejection::{Refusal, forbidden, malformed, refused_page, wrong_token};
use super::request::{Caller, Purpose, only};
use super::token::Token;
use crate::platform;
use crate::server::ServerConfig;
use crate::terminal::shown;

/// What the operator permits beside this computer's own names and pages.
#[derive(Clone, Debug, Default)]
pub(crate) struct Policy {
    /// Host names, without ports.
    pub(crate) hosts: Vec<String>,
    /// Origins, exactly as browsers send them, and what their pages may do.
    pub(crate) origins: HashMap<String, Rights>,
    /// How other computers are let in, if they are at all.
    pub(crate) lan: Option<Lan>,
    /// The secret that some must know.
    pub(crate) token: Option<Token>,
    /// Whether programs and pages of this computer must know it too.
    pub(crate) token_for_all: bool,
}

/// How other computers are let in. They need the token.
#[derive(Clone, Debug)]
pub(crate) struct Lan {
    /// What they may do.
    pub(crate) rights: Rights,
    /// The name of this computer, without a domain.
    pub(crate) name: Option<String>,
}

/// What a client may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rights {
    /// Hear the device, write to it and lend it.
    ReadWrite,
    /// Hear the device.
    ReadOnly,
}

/// What is decided on a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is let in.
    Allow(Rights),
    /// A page from this origin is refused now, and the operator may decide on its next attempt.
    Ask(String),
    /// It is refused.
    Refuse(Refusal),
}

/// What the operator said about origins when asked: what their pages may do, None for "no".
pub(crate) type Answers = HashMap<String, Option<Rights>>;

impl Policy {
    /// What the operator configured; `token` is the secret that some must know.
    pub(crate) fn new(config: &ServerConfig, token: Option<Token>) -> Self {
        Self {
            hosts: config.allow_host.clone(),
            origins: config.allow_origin.iter().cloned().collect(),
            lan: config.lan.map(|rights| Lan {
                rights,
                name: platform::computer_name(),
            }),
            token_for_all: config.token.is_some(),
            token,
        }
    }

    /// Decides on a request; `answers` are what the operator has said so far.
    pub(crate) fn decide(&self, caller: Caller<'_>, answers: &Answers) -> Verdict {
        self.rights(caller, answers)
            .unwrap_or_else(|verdict| verdict)
    }

    /// The secret that the request shows, right or wrong, where one counts for anything.
    pub(crate) fn shown_secret(&self, caller: Caller<'_>) -> Option<String> {
        if self.token.is_none() || caller.purpose == Purpose::Public {
            return None;
        }
        let shown = caller.shown_token().ok().flatten();
        shown.or_else(|| caller.cookie().map(str::to_owned))
    }

    /// Whether a page's address holds the right secret, which belongs into a cookie. For requests
    /// that have been let in.
    pub(crate) fn token_to_keep(&self, caller: Caller<'_>) -> Option<&Token> {
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
        let key = self.key(caller, host.text, origin)?;
        if key == Key::Right {
            // Nobody's page can do more with the secret than was said of it.
            let said = origin.and_then(|origin| self.said(origin, answers));
            let rights = said
                .filter(|said| *said == Rights::ReadOnly)
                .unwrap_or(rights);
            return Ok(Verdict::Allow(rights));
        }
        if self.token_for_all || !host.is_local || !caller.is_direct() {
            return Err(match key {
                Key::OldCookie => wrong_token(),
                _ => self.token_needed(caller),
            });
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
        let Some(name) = origin::host_name(text) else {
            return Err(malformed(&format!("{} is not a host", shown(text))));
        };
        let is_listed = self
            .hosts
            .iter()
            .any(|host| host.eq_ignore_ascii_case(name));
        if origin::is_loopback(name) || is_listed {
            return Ok(Host {
                text,
                is_local: true,
            });
        }
        let ours = self.lan.as_ref().is_some_and(|lan| {
            let address = name.parse::<IpAddr>();
            address.is_ok_and(|address| address == caller.peer.local.ip())
                || origin::is_below(name, ".local")
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
            return if token.is(&guess) {
                Ok(Key::Right)
            } else {
                Err(wrong_token())
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
        Ok(match caller.cookie() {
            Some(guess) if is_own && token.is(guess) => Key::Right,
            Some(_) if is_own => Key::OldCookie,
            _ => Key::None,
        })
    }

    /// What the operator said that pages of this origin may do, if they may do anything.
    fn said(&self, origin: &str, answers: &Answers) -> Option<Rights> {
        let answered = || answers.get(origin).copied().flatten();
        self.origins.get(origin).copied().or_else(answered)
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

/// The name that was asked for.
struct Host<'a> {
    /// With its port.
    text: &'a str,
    /// Whether it needs no token: it means this computer to this computer, or was allowed.
    is_local: bool,
}

/// What a request showed of the secret.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    /// Nothing that counts.
    None,
    /// A wrong one in the cookie of our own page, which does not matter where none is needed: the
    /// browser sends it unasked.
    OldCookie,
    /// The right one: in its address, in its Authorization, or in the cookie of our own page.
    Right,
}
