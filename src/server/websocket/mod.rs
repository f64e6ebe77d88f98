//! WebSockets: a session for each client, and what keeps it from costing others anything.

mod frame_limits;
mod keepalive;
mod wake_flag;

pub mod close;
pub mod echo;
pub mod params;
pub mod send_queue;
pub mod session;
pub mod upgrade;
