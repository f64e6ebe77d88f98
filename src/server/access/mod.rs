//! Access: decides who may connect, from the request, the address that it came from, and the
//! operator's answers.
//!
//! A page of any web site can open `ws://localhost`, and a host name that its owner points at this
//! computer reaches it too (DNS rebinding). Therefore the host of a request must be a name of this
//! computer, and a page must come from this computer, unless the operator allows others. Other
//! computers, where they may connect at all, need a token. A browser that has shown it keeps the id of
//! a session in a cookie.

mod policy;
mod rejection;
mod request;

pub(crate) mod check;
pub(crate) mod consent;
pub(crate) mod kept_token;
pub(crate) mod offer;
pub(crate) mod origin;
pub(crate) mod prompt;
pub(crate) mod rate_limit;
pub(crate) mod session_store;
pub(crate) mod sessions;
pub(crate) mod token;

pub(crate) use check::{check, is_local, is_own_page};
pub(crate) use policy::{AccessState, Answers, Denial, Policy, Rights};
pub(crate) use rejection::{Rejection, pending_page};
pub(crate) use request::{Caller, Peer, RequestClass};

#[cfg(test)]
mod policy_table;
#[cfg(test)]
mod tests;
