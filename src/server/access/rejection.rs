//! What is refused, in words, and how it can be permitted.

use axum::http::StatusCode;

use super::Verdict;
use super::origin::Origin;
use crate::terminal::shown;

/// A request that is not permitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The HTTP status to answer with.
    pub(crate) status: StatusCode,
    /// What was refused, in words.
    pub(crate) reason: String,
    /// How it can be permitted; empty where it cannot.
    pub(crate) remedy: String,
    /// Whether it came with a secret that is not the right one.
    pub(crate) is_guess: bool,
}

/// Why a page is refused, and the flag that admits it.
pub(crate) fn refused_page(origin: &str) -> Refusal {
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
pub(crate) fn asked_page(origin: &str) -> Refusal {
    let remedy = "answer the question in the terminal where serial-ws runs, and try again";
    Refusal {
        remedy: remedy.to_owned(),
        ..refused_page(origin)
    }
}

/// Why an address is not listened to that showed many wrong secrets.
pub(crate) fn too_many_guesses() -> Refusal {
    Refusal {
        status: StatusCode::TOO_MANY_REQUESTS,
        reason: "too many wrong tokens from one address".to_owned(),
        remedy: "wait a minute, and use the full address that was printed where serial-ws runs"
            .to_owned(),
        is_guess: false,
    }
}

/// Why a request is not answered that would be if fewer were.
pub(crate) fn too_many_answers() -> Refusal {
    Refusal {
        status: StatusCode::SERVICE_UNAVAILABLE,
        reason: "a request beside too many that are being answered".to_owned(),
        remedy: "try again in a moment".to_owned(),
        is_guess: false,
    }
}

impl Refusal {
    /// Makes no sense, whoever sent it.
    pub(crate) fn malformed(reason: &str) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            reason: reason.to_owned(),
            remedy: String::new(),
            is_guess: false,
        }
    }
}

pub(super) fn wrong_token() -> Verdict {
    Verdict::Refuse(Refusal {
        status: StatusCode::UNAUTHORIZED,
        reason: "a wrong token".to_owned(),
        remedy: "use the full address that was printed where serial-ws runs: it has ?token=…"
            .to_owned(),
        is_guess: true,
    })
}

pub(super) fn malformed(reason: &str) -> Verdict {
    Verdict::Refuse(Refusal::malformed(reason))
}

pub(super) fn forbidden(reason: String, remedy: String) -> Verdict {
    Verdict::Refuse(Refusal {
        status: StatusCode::FORBIDDEN,
        reason,
        remedy,
        is_guess: false,
    })
}
