//! WebSockets: a session for each client, and what keeps it from costing others anything.

mod frame_limits;
mod keepalive;
mod wake_flag;

pub(crate) mod close;
pub(crate) mod echo;
pub(crate) mod params;
pub(crate) mod send_queue;
pub(crate) mod session;
pub(crate) mod upgrade;
