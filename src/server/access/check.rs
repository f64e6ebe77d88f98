//! What the door would say to a page, before it knocks: for who wants to know why it cannot.

use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};

use super::{
    Caller, Peer, Policy, Purpose, Refusal, Rights, Verdict, origin, prompt, refused_page,
};
use crate::server::ServerConfig;

/// What happens to a page that connects from this computer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It is let in.
    Allowed(Rights),
    /// It is refused at first, and the operator is asked, where there is a terminal.
    Asked {
        /// How to permit it elsewhere.
        remedy: String,
    },
    /// It is refused.
    Refused {
        /// What is refused, in words.
        reason: String,
        /// How to permit it.
        remedy: String,
    },
}

/// What a bridge with this configuration does with a page of `origin`.
pub(crate) fn admission(config: &ServerConfig, origin: &str) -> Admission {
    let Some(local) = config.listen.first().copied() else {
        return refused(refused_page(origin));
    };
    let value = |text: &str| HeaderValue::from_str(text);
    let host = value(&format!("localhost:{}", local.port()));
    let (Ok(host), Ok(from)) = (host, value(origin)) else {
        return refused(refused_page(origin));
    };
    let headers = HeaderMap::from_iter([(header::HOST, host), (header::ORIGIN, from)]);
    let caller = Caller {
        method: &Method::GET,
        uri: &Uri::from_static("/"),
        headers: &headers,
        purpose: Purpose::Socket,
        peer: Peer {
            remote: std::net::Ipv4Addr::LOCALHOST.into(),
            local,
            is_encrypted: false,
        },
    };
    let policy = Policy::new(config, config.token.clone());
    match policy.decide(caller, &prompt::remembered()) {
        Verdict::Allow(rights) => Admission::Allowed(rights),
        Verdict::Ask(origin) => Admission::Asked {
            remedy: refused_page(&origin).remedy,
        },
        Verdict::Refuse(refusal) => refused(refusal),
    }
}

fn refused(refusal: Refusal) -> Admission {
    let Refusal { reason, remedy, .. } = refusal;
    Admission::Refused { reason, remedy }
}

/// Whether pages of this origin are on this computer, as browsers see it: from a web server on it,
/// or from a file.
pub(crate) fn is_here(origin: &str) -> bool {
    origin == "null" || origin::Origin::new(origin).is_loopback()
}
