//! The answers to requests that are not allowed: the reason, and what the operator can do to allow
//! them.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use axum::http::StatusCode;

use super::origin::{Origin, host_name, quoted};
use crate::log::throttled::ThrottledLog;
use crate::platform::reason;
use crate::terminal::shown;

/// The remedy of those who lack the token or have a wrong one.
const USE_FULL_ADDRESS: &str =
    "use the full address, which has ?token=…; whoever runs serial-ws can tell you";

/// An HTTP request that is not allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rejection {
    /// The HTTP status of the answer.
    pub(crate) status: StatusCode,
    /// The rejected request, in words.
    pub(crate) reason: String,
    /// A way to allow it; empty where there is none.
    pub(crate) remedy: String,
    /// True if the request carried a wrong token, which counts against the rate limit.
    pub(crate) is_wrong_token: bool,
}

/// Rejects a page, and names the flag that allows it.
pub(crate) fn rejected_page(origin: &str) -> Rejection {
    let (reason, remedy) = match Origin::new(origin) {
        Origin::Null => (
            "a page with no address (origin null: opened from disk, or in a sandboxed frame of any \
             web site; the browser does not say which), or a library that sends file://"
                .to_owned(),
            "open the page from a web server on this computer instead, or: --allow-origin null"
                .to_owned(),
        ),
        Origin::Invalid => (
            format!("a client with the invalid origin \"{}\"", shown(origin)),
            "have it send no Origin header, or the token: start serial-ws with --token FILE, and \
             add ?token=… to the address"
                .to_owned(),
        ),
        Origin::Address => (
            format!("a program with the origin {}", shown(origin)),
            allow_origin(origin),
        ),
        Origin::Web { .. } | Origin::App => {
            (format!("page from {}", shown(origin)), allow_origin(origin))
        }
    };
    Rejection::forbidden(reason, remedy)
}

/// Returns the advice to allow an origin, as it is typed.
fn allow_origin(origin: &str) -> String {
    format!("to allow it: serial-ws --allow-origin {}", quoted(origin))
}

/// Rejects a page while the operator is being asked about it.
pub(crate) fn pending_page(origin: &str) -> Rejection {
    let remedy = "answer the question in the terminal where serial-ws runs, then try again";
    Rejection {
        remedy: remedy.to_owned(),
        ..rejected_page(origin)
    }
}

impl ThrottledLog {
    /// Warns that a request was rejected.
    pub(crate) fn rejected(&self, rejection: &Rejection) {
        let (reason, remedy) = (&rejection.reason, &rejection.remedy);
        let separator = if remedy.is_empty() { "" } else { "; " };
        self.warn(reason, format_args!("refused: {reason}{separator}{remedy}"));
    }
}

impl Rejection {
    /// Rejects a request that makes no sense, whoever sent it.
    pub(crate) fn malformed(reason: &str) -> Self {
        Self::of(StatusCode::BAD_REQUEST, reason, "")
    }

    /// Rejects a request to `local`, our address, that does not say to which host. Browsers always do;
    /// some boards do not.
    pub(super) fn no_host(local: SocketAddr) -> Self {
        let (ip, port) = (local.ip(), local.port());
        Self::of(
            StatusCode::BAD_REQUEST,
            "a request without a Host header",
            format!(
                "send \"Host: {local}\"; ArduinoHttpClient does so if it gets the address as a \
                 text instead of an IPAddress: WebSocketClient client(wifi, \"{ip}\", {port})"
            ),
        )
    }

    /// Rejects an address that has sent too many wrong tokens.
    pub(crate) fn rate_limited() -> Self {
        Self::of(
            StatusCode::TOO_MANY_REQUESTS,
            "too many wrong tokens from one address, or from one page there",
            "wait a minute, then use the full address, which has ?token=…",
        )
    }

    /// Rejects another computer that does not encrypt its request to `host`, where it must.
    pub(crate) fn encrypted_only(host: Option<&str>) -> Self {
        let is_valid = |host: &&str| host_name(host).is_some();
        let remedy = match host.filter(is_valid) {
            Some(host) => format!("use https:// or wss:// here: https://{host}/"),
            None => "use https:// or wss:// here".to_owned(),
        };
        let reason = "a connection of another computer by http:// or ws://, but other computers need \
                      https:// or wss://";
        Self::of(StatusCode::BAD_REQUEST, reason, remedy)
    }

    /// Rejects a request for a page that only a browser may show, since it has the token.
    pub(crate) fn not_a_navigation() -> Self {
        Self::forbidden(
            "a request of a script or a program for the page with the token",
            "open the page in a browser",
        )
    }

    /// Rejects a client that is allowed, but is not the operator.
    pub(crate) fn not_the_operator() -> Self {
        Self::forbidden(
            "a request that only the operator may make",
            "make it from a program on the computer where serial-ws runs, or from the page of serial-ws in \
             a browser there, not through a proxy",
        )
    }

    /// Rejects a request that would be answered if fewer others were being answered.
    pub(crate) fn overloaded() -> Self {
        Self::of(
            StatusCode::SERVICE_UNAVAILABLE,
            "a request while too many others are being answered",
            "try again in a moment",
        )
    }

    /// Rejects a connection that would be accepted if fewer files and sockets were open.
    pub(crate) fn out_of_descriptors() -> Self {
        Self::of(
            StatusCode::SERVICE_UNAVAILABLE,
            "a connection while as many files are open as the system permits",
            "try again in a moment, or raise the limit where serial-ws runs: ulimit -n",
        )
    }

    /// Rejects a request for a file that is there, and that the system does not let us read.
    pub(crate) fn unreadable(path: &str, error: &io::Error) -> Self {
        let path = shown(path);
        if error.kind() == io::ErrorKind::PermissionDenied {
            let reason = format!("the file {path}, which serial-ws has no permission to read");
            return Self::forbidden(reason, "permit it to the user that serial-ws runs as");
        }
        Self::of(
            StatusCode::SERVICE_UNAVAILABLE,
            format!(
                "the file {path}, which cannot be read now: {}",
                reason(error)
            ),
            "try again in a moment",
        )
    }

    /// Rejects a request that would be answered if `what` had not failed.
    pub(crate) fn failed(what: &str, error: &dyn fmt::Display) -> Self {
        let reason = format!("a request for which {what} was needed, which failed: {error}");
        Self::of(
            StatusCode::SERVICE_UNAVAILABLE,
            reason,
            "try again in a moment",
        )
    }

    pub(super) fn unauthorized(reason: &str) -> Self {
        Self::of(StatusCode::UNAUTHORIZED, reason, USE_FULL_ADDRESS)
    }

    pub(super) fn session_ended() -> Self {
        Self::unauthorized("a page whose session has ended, after 30 days or by a new token")
    }

    pub(super) fn wrong_token() -> Self {
        Self {
            is_wrong_token: true,
            ..Self::unauthorized("a wrong token")
        }
    }

    pub(super) fn forbidden(reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::of(StatusCode::FORBIDDEN, reason, remedy)
    }

    /// Rejects a request with any status.
    pub(crate) fn of(
        status: StatusCode,
        reason: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            status,
            reason: reason.into(),
            remedy: remedy.into(),
            is_wrong_token: false,
        }
    }
}
