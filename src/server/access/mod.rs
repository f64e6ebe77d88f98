//! The door: who may connect, decided by the request and the address it came from, and by what
//! the operator answers.
//!
//! A page on any web site can open `ws://localhost`, and a name that its owner points at this
//! computer reaches it too (DNS rebinding). So the name that was asked for must be one of this
//! computer's, and a page must come from this computer, unless the operator says otherwise. Other
//! computers, where they may connect at all, need a token.

mod policy;
mod rejection;
mod request;

pub(crate) mod announce;
pub(crate) mod check;
pub(crate) mod consent;
pub(crate) mod origin;
pub(crate) mod prompt;
pub(crate) mod rate_limit;
pub(crate) mod token;

pub(crate) use policy::{Answers, Policy, Rights, Verdict};
pub(crate) use rejection::{Refusal, asked_page, refused_page, too_many_answers, too_many_guesses};
pub(crate) use request::{Caller, Peer, Purpose};

#[cfg(test)]
mod policy_table;
#[cfg(test)]
mod tests;
