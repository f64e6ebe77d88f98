//! WebSockets: a session for each client, and what keeps it from costing others anything.

mod bell;
mod meter;
mod pulse;

pub mod close;
pub mod echo;
pub mod outbox;
pub mod session;
