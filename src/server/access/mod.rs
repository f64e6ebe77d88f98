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

pub mod announce;
pub mod check;
pub mod consent;
pub mod origin;
pub mod per_address;
pub mod prompt;
pub mod rate_limit;
pub mod token;

pub use policy::{Answers, Policy, Rights, Verdict};
pub use rejection::{Refusal, asked_page, refused_page, too_many_answers, too_many_guesses};
pub use request::{Caller, Peer, Purpose};

#[cfg(test)]
mod policy_table;
#[cfg(test)]
mod tests;
