//! The door: who may connect, decided by the request and the address it came from, and by what
//! the operator answers.
//!
//! A page on any web site can open `ws://localhost`, and a name that its owner points at this
//! computer reaches it too (DNS rebinding). So the name that was asked for must be one of this
//! computer's, and a page must come from this computer, unless the operator says otherwise. Other
//! computers, where they may connect at all, need a token.

mod caller;
mod policy;
mod refusal;

pub mod ask;
pub mod crowd;
pub mod forecast;
pub mod guesses;
pub mod lan;
pub mod names;
pub mod operator;
pub mod token;

pub use caller::{Caller, Peer, Purpose};
pub use policy::{Answers, Policy, Rights, Verdict};
pub use refusal::{Refusal, asked_page, refused_page, too_many_answers, too_many_guesses};

#[cfg(test)]
mod table;
#[cfg(test)]
mod tests;
