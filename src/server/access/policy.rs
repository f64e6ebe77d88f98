//! The access policy: decides whether a request is allowed, and what its client may do. Pure: no
//! I/O, no clock. `policy_table` lists what it decides.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::SystemTime;

use axum::http::header;

use super::origin::{self, Origin};
use super::rejection::{Rejection, rejected_page};
use super::request::{Caller, RequestClass, single_header};
use super::sessions::Sessions;
use super::token::Token;
use crate::server::ServerConfig;
use crate::terminal::shown;

/// The operator's rules, beside those that hold for this computer's own names and pages.
#[derive(Clone, Debug, Default)]
pub(crate) struct Policy {
    /// Host names, without TCP ports.
    pub(crate) hosts: Vec<String>,
    /// Origins, exactly as browsers send them, and what their pages may do.
    pub(crate) origins: HashMap<String, Rights>,
    /// The rules for other computers; None where they may not connect.
    pub(crate) lan: Option<Lan>,
    /// The token that some requests need.
    pub(crate) token: Option<Token>,
    /// True if the operator chose the token, so that somebody could guess it.
    pub(crate) is_own_token: bool,
    /// True if programs and pages of this computer need the token too.
    pub(crate) token_for_all: bool,
}

/// The rules for other computers, which need the token.
#[derive(Clone, Debug)]
pub(crate) struct Lan {
    /// Their rights with the token.
    pub(crate) rights: Rights,
    /// The name of this computer, without a domain.
    pub(crate) name: Option<String>,
}

/// The rights of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rights {
    /// All that others may, and write to programs: whoever does could run them as well.
    Operator,
    /// Read from the device, write to it, and release it to another program.
    ReadWrite,
    /// Read from the device.
    ReadOnly,
}

impl Rights {
    /// Returns true for those of the operator.
    pub(crate) fn are_operators(self) -> bool {
        self == Self::Operator
    }
}

/// The reason why a request is not allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    /// A page of this origin is rejected now; the operator may allow its next attempt.
    Ask(String),
    /// The request is rejected.
    Reject(Rejection),
}

/// The operator's answers by origin: what its pages may do, or None for "no".
pub(crate) type Answers = HashMap<String, Option<Rights>>;

/// The state that access depends on besides the request itself.
#[derive(Clone, Copy)]
pub(crate) struct AccessState<'a> {
    /// The operator's answers.
    pub(crate) answers: &'a Answers,
    /// The sessions of browsers that have shown the token.
    pub(crate) sessions: &'a Sessions,
    /// The time of the request.
    pub(crate) now: SystemTime,
}

/// The host that a request names.
struct Host<'a> {
    /// The host with its TCP port, as in the header.
    text: &'a str,
    /// True if it needs no token: it is a loopback name, or the operator allowed it.
    is_local: bool,
}

/// The proof of the right to connect that a request carries.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Credential {
    /// None that counts.
    Missing,
    /// The cookie of our own page names a session that is not valid. It does not matter where no
    /// token is needed, since browsers send cookies unasked.
    EndedSession,
    /// The right token in the address or in the Authorization header, or a session in the cookie of
    /// our own page.
    Valid,
}

impl Policy {
    /// Returns the policy that the operator configured, with the token that some requests need, and
    /// the name of this computer in its network.
    pub(crate) fn new(config: &ServerConfig, token: Option<Token>, name: Option<String>) -> Self {
        Self {
            hosts: config.allow_host.clone(),
            origins: config.allow_origin.iter().cloned().collect(),
            lan: config.lan.map(|rights| Lan { rights, name }),
            is_own_token: config.token.is_some() || config.lan_token.is_some(),
            token_for_all: config.token.is_some(),
            token,
        }
    }

    /// Decides on a request.
    ///
    /// # Errors
    /// When the request is not allowed.
    pub(crate) fn decide(
        &self,
        caller: Caller<'_>,
        state: AccessState<'_>,
    ) -> Result<Rights, Denial> {
        let rights = self.rights(caller, state)?;
        Ok(match rights {
            Rights::ReadWrite if self.is_operator(caller) => Rights::Operator,
            _ => rights,
        })
    }

    /// Decides on a request, whether or not it is the operator's.
    fn rights(&self, caller: Caller<'_>, state: AccessState<'_>) -> Result<Rights, Denial> {
        let answers = state.answers;
        if caller.uri.authority().is_some() {
            let reason = "a request with a whole address, as for a proxy";
            return Err(Rejection::malformed(reason).into());
        }
        let host = self.host(caller)?;
        let origin = single_header(caller.headers, header::ORIGIN)?.map(origin::canonical);
        if caller.class == RequestClass::Public {
            return Ok(Rights::ReadOnly);
        }
        let is_local = host.is_local && caller.is_direct();
        let credential = self.credential(caller, host.text, origin, state)?;
        if credential == Credential::Valid {
            // The token gives a page no more rights than its origin was given.
            let configured = origin.and_then(|origin| self.configured_rights(origin, answers));
            let read_only = configured.filter(|rights| *rights == Rights::ReadOnly);
            return Ok(read_only.unwrap_or_else(|| self.token_rights(is_local)));
        }
        if self.token_for_all || !is_local {
            return Err(Denial::Reject(match credential {
                Credential::EndedSession => Rejection::session_ended(),
                _ => self.token_needed(caller),
            }));
        }
        match origin {
            Some(origin) => self.page_rights(origin, host.text, answers),
            None => {
                caller.check_fetch_metadata()?;
                Ok(Rights::ReadWrite)
            }
        }
    }

    /// Returns true if pages of the origin that a request names are allowed, whether or not it has the
    /// token.
    pub(crate) fn allows_origin(&self, caller: Caller<'_>, answers: &Answers) -> bool {
        let origin = single_header(caller.headers, header::ORIGIN);
        let (Ok(host), Ok(Some(origin))) = (self.host(caller), origin) else {
            return false;
        };
        let origin = origin::canonical(origin);
        self.page_rights(origin, host.text, answers).is_ok()
    }

    /// Returns true for a request of the operator: a program of this computer, or the page of serial-ws
    /// itself in a browser of this computer, neither through a proxy. Meant for requests that are
    /// allowed.
    pub(crate) fn is_operator(&self, caller: Caller<'_>) -> bool {
        let origin = single_header(caller.headers, header::ORIGIN);
        let (Ok(host), Ok(origin)) = (self.host(caller), origin) else {
            return false;
        };
        let is_own = match origin.map(origin::canonical) {
            Some(origin) => Origin::new(origin).is_of(host.text),
            None => caller.check_fetch_metadata().is_ok(),
        };
        is_own && host.is_local && caller.is_direct()
    }

    /// Returns the token that decides on a request, right or wrong, where somebody could guess it. The
    /// one that serial-ws makes, and the id of a session, have too many random bits for that.
    pub(crate) fn guessable_token(
        &self,
        caller: Caller<'_>,
        state: AccessState<'_>,
    ) -> Option<String> {
        if !self.is_own_token || caller.class == RequestClass::Public {
            return None;
        }
        let token = caller.explicit_token().ok().flatten()?;
        (!self.has_session(caller, state)).then_some(token)
    }

    /// Returns true if a request comes from our own page in a browser that has a valid session.
    fn has_session(&self, caller: Caller<'_>, state: AccessState<'_>) -> bool {
        let host = single_header(caller.headers, header::HOST).ok().flatten();
        let origin = single_header(caller.headers, header::ORIGIN);
        let (Some(host), Ok(origin)) = (host, origin) else {
            return false;
        };
        let origin = origin.map(origin::canonical);
        caller.is_own_page(host, origin) && self.is_session(caller.cookie(), state)
    }

    /// Returns true if a cookie names a valid session.
    fn is_session(&self, cookie: Option<&str>, state: AccessState<'_>) -> bool {
        let token_and_id = self.token.as_ref().zip(cookie);
        token_and_id.is_some_and(|(token, id)| state.sessions.is_valid(token, id, state.now))
    }

    /// Returns true for the right token.
    pub(crate) fn is_right(&self, token: &str) -> bool {
        self.token.as_ref().is_some_and(|ours| ours.matches(token))
    }

    /// Returns the token of the session that a request begins, which is one for a page with a token in
    /// its address. Meant for requests that are allowed.
    pub(crate) fn token_for_session(&self, caller: Caller<'_>) -> Option<&Token> {
        let in_query = caller.uri.query().is_some_and(|query| {
            let mut pairs = query.split('&').map(|pair| pair.split('=').next());
            pairs.any(|key| key == Some("token"))
        });
        let is_wanted = in_query && caller.class == RequestClass::Page && caller.is_reading();
        self.token.as_ref().filter(|_| is_wanted)
    }

    /// Checks that the request was meant for this computer.
    fn host<'a>(&self, caller: Caller<'a>) -> Result<Host<'a>, Rejection> {
        let host = single_header(caller.headers, header::HOST)?;
        let Some(text) = host.filter(|text| !text.is_empty()) else {
            return Err(Rejection::no_host(caller.peer.local));
        };
        let Some(name) = origin::host_name(text) else {
            let reason = format!("{} is not a host", shown(text));
            return Err(Rejection::malformed(&reason));
        };
        let is_local = origin::is_loopback(name) || self.is_listed(name);
        if is_local || self.is_lan_name(caller.peer.local.ip(), name) {
            return Ok(Host { text, is_local });
        }
        let (text, name) = (shown(text), shown(name));
        Err(Rejection::forbidden(
            format!(
                "a request for host {text}, which is not a name of this computer (possibly DNS rebinding)"
            ),
            format!("if you use that name on purpose: --allow-host {name}"),
        ))
    }

    /// Returns true if pages that this computer serves at `name` are its own. `address` is where it
    /// is asked.
    pub(crate) fn is_own_name(&self, address: IpAddr, name: &str) -> bool {
        self.is_listed(name) || self.is_lan_name(address, name)
    }

    fn is_listed(&self, name: &str) -> bool {
        let mut hosts = self.hosts.iter();
        hosts.any(|host| host.eq_ignore_ascii_case(name))
    }

    /// Returns true if other computers may know this one, which they ask at `own`, by `name`.
    fn is_lan_name(&self, own: IpAddr, name: &str) -> bool {
        self.lan.as_ref().is_some_and(|lan| {
            let is_name = |ours: &String| ours.eq_ignore_ascii_case(name);
            lan.name.as_ref().is_some_and(is_name)
                || name.parse() == Ok(own)
                || origin::is_below(name, ".local")
        })
    }

    /// Finds the proof in a request to `host` from a page of `origin`. A valid session counts before
    /// the token in an address, which may be an old one, or one that somebody put into a link.
    fn credential(
        &self,
        caller: Caller<'_>,
        host: &str,
        origin: Option<&str>,
        state: AccessState<'_>,
    ) -> Result<Credential, Rejection> {
        let Some(token) = &self.token else {
            return Ok(Credential::Missing);
        };
        let attempt = caller.explicit_token()?;
        let cookie = caller.cookie();
        let cookie = cookie.filter(|_| caller.is_own_page(host, origin));
        if self.is_session(cookie, state) {
            return Ok(Credential::Valid);
        }
        match (attempt, cookie) {
            (Some(attempt), _) if token.matches(&attempt) => Ok(Credential::Valid),
            (Some(_), _) => Err(Rejection::wrong_token()),
            (None, Some(_)) => Ok(Credential::EndedSession),
            (None, None) => Ok(Credential::Missing),
        }
    }

    /// Returns what the token allows.
    fn token_rights(&self, is_local: bool) -> Rights {
        match &self.lan {
            Some(lan) if !is_local => lan.rights,
            _ => Rights::ReadWrite,
        }
    }

    /// Returns what the operator allowed pages of this origin to do.
    fn configured_rights(&self, origin: &str, answers: &Answers) -> Option<Rights> {
        let answered = || answers.get(origin).copied().flatten();
        self.origins.get(origin).copied().or_else(answered)
    }

    fn token_needed(&self, caller: Caller<'_>) -> Rejection {
        let reason = if caller.is_direct() {
            "a request without the token"
        } else if !caller.peer.is_loopback() {
            "a request from another computer without the token"
        } else {
            "a request that a proxy passed on, without the token"
        };
        if self.token.is_none() {
            let remedy = "to allow it, start serial-ws with a token: --token FILE";
            return Rejection::forbidden(reason, remedy);
        }
        Rejection::unauthorized(reason)
    }

    /// Decides on a page without the token, which asks this computer by its name `host`.
    fn page_rights(&self, text: &str, host: &str, answers: &Answers) -> Result<Rights, Denial> {
        let origin = Origin::new(text);
        if let Some(rights) = self.origins.get(text) {
            return Ok(*rights);
        }
        if origin.is_loopback() || origin.is_of(host) {
            return Ok(Rights::ReadWrite);
        }
        let can_ask = match origin {
            Origin::Web { is_secure, .. } => is_secure,
            Origin::App | Origin::Null => true,
            Origin::Address | Origin::Invalid => false,
        };
        match answers.get(text) {
            Some(Some(rights)) if can_ask => Ok(*rights),
            None if can_ask => Err(Denial::Ask(text.to_owned())),
            _ => Err(Denial::Reject(rejected_page(text))),
        }
    }
}

impl Denial {
    /// Returns the rejection where the operator is not asked.
    pub(crate) fn into_rejection(self) -> Rejection {
        match self {
            Self::Ask(origin) => rejected_page(&origin),
            Self::Reject(rejection) => rejection,
        }
    }
}

impl From<Rejection> for Denial {
    fn from(rejection: Rejection) -> Self {
        Self::Reject(rejection)
    }
}
